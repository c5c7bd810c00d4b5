package answer

import (
	"ovnreplay/sim/packet"
)

const probeWindow = 65160

// Probe describes a health check of a load balancer's backend.
type Probe struct {
	SrcMAC, DstMAC [6]byte
	Src, Dst       [16]byte // IPv4 in the first four bytes
	V6             bool
	TCP            bool
	DstPort        uint16

	// Chosen at random by ovn-controller.
	SrcPort uint16
	Seq     uint32
}

// TCP flags of the segments a health check sends.
const (
	flagSYN    = 0x02
	flagRST    = 0x04
	flagACK    = 0x10
	flagSYNACK = flagSYN | flagACK
)

// Frame returns the probe: a TCP SYN, or a UDP datagram of eight zero bytes.
func (p *Probe) Frame() Frame {
	if p.TCP {
		b, at := p.headers(packet.ProtoTCP, tcpLen)
		segment(b, at, p.SrcPort, p.DstPort, p.Seq, 0, flagSYN)
		return whole(b)
	}
	const n = udpLen + 8
	b, at := p.headers(packet.ProtoUDP, n)
	datagram(b, at, p.SrcPort, p.DstPort, p.V6)
	return whole(b)
}

// headers builds the Ethernet and IP headers of a probe.
func (p *Probe) headers(proto uint8, n int) (b []byte, at int) {
	return ends{p.SrcMAC, p.DstMAC, p.Src, p.Dst, p.V6}.headers(proto, resetHops, n)
}

// segment fills in a TCP header at the frame's end.
func segment(b []byte, at int, src, dst uint16, seq, ack uint32, flags uint8) {
	th := b[at:]
	be.PutUint16(th, src)
	be.PutUint16(th[2:], dst)
	be.PutUint32(th[4:], seq)
	be.PutUint32(th[8:], ack)
	th[12], th[13] = 5<<4, flags
	be.PutUint16(th[14:], probeWindow)
	be.PutUint16(th[16:], checksum(pseudo(b[etherLen:], packet.ProtoTCP, len(th)), th))
}

// ProbeReset ends the connection of a health check: it is the reset for the
// SYN ACK in. Until the end of 2023 (acknowledge) it acknowledged, with
// numbers that are one too high.
func ProbeReset(in *packet.Packet, acknowledge bool) (Frame, bool) {
	tcp := l4(in)
	if proto(in) != packet.ProtoTCP || in.Layout.L4 == 0 || tcp[13]&flagSYNACK != flagSYNACK {
		return Frame{}, false
	}
	s := Style{Swap: true}
	b := s.ip(ether(in, true, etherType(in), ip6Len+tcpLen), in, packet.ProtoTCP, resetHops, tcpLen)
	at := len(b)
	b = append(b, make([]byte, tcpLen)...)
	src, dst := be.Uint16(tcp[2:]), be.Uint16(tcp)
	if seq, ack := be.Uint32(tcp[4:]), be.Uint32(tcp[8:]); acknowledge {
		segment(b, at, src, dst, ack+1, seq+1, flagRST|flagACK)
	} else {
		segment(b, at, src, dst, ack, 0, flagRST)
	}
	return whole(b), true
}
