package answer

import (
	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

const probeWindow = 65160

// Probe describes a health check of a load balancer's backend, or of a port.
type Probe struct {
	SrcMAC, DstMAC [6]byte
	Src, Dst       [16]byte // IPv4 in the first four bytes
	V6             bool
	Proto          uint8  // TCP, UDP or ICMP
	DstPort        uint16 // not of ICMP

	// Chosen at random by ovn-controller.
	SrcPort uint16 // ICMP: the identifier
	Seq     uint32 // not of UDP; ICMP: 16 bits
}

const synACK = header.FlagSYN | header.FlagACK

// Frame returns the probe: a TCP SYN, a UDP datagram of eight zero bytes, or an
// echo request without data.
func (p *Probe) Frame() Frame {
	switch p.Proto {
	case header.ProtoICMP:
		return p.echo()
	case header.ProtoTCP:
		b, at := p.headers(header.ProtoTCP, tcpLen)
		segment(b, at, p.SrcPort, p.DstPort, p.Seq, 0, header.FlagSYN)
		return whole(b)
	}
	const n = udpLen + 8
	b, at := p.headers(header.ProtoUDP, n)
	datagram(b, at, p.SrcPort, p.DstPort, p.V6)
	return whole(b)
}

// echo returns an ICMP probe.
func (p *Probe) echo() Frame {
	proto, request := uint8(header.ProtoICMP), uint8(8)
	if p.V6 {
		proto, request = header.ProtoICMPv6, 128
	}
	b, at := p.ends().headers(proto, 255, 8)
	b[at] = request
	be.PutUint16(b[at+4:], p.SrcPort)
	be.PutUint16(b[at+6:], uint16(p.Seq))
	sum := uint64(0)
	if p.V6 {
		sum = pseudo(b[etherLen:], proto, 8)
	}
	be.PutUint16(b[at+2:], header.Checksum(sum, b[at:]))
	return whole(b)
}

// Chosen returns the probe with what is random in it as the frame has it; the
// frame is long enough.
func (p Probe) Chosen(frame []byte) Probe {
	l4 := frame[etherLen+ip4Len:]
	if p.V6 {
		l4 = frame[etherLen+ip6Len:]
	}
	p.SrcPort, p.Seq = be.Uint16(l4), be.Uint32(l4[4:])
	if p.Proto == header.ProtoICMP {
		p.SrcPort, p.Seq = be.Uint16(l4[4:]), uint32(be.Uint16(l4[6:]))
	}
	return p
}

// headers builds the Ethernet and IP headers of a probe.
func (p *Probe) headers(proto uint8, n int) (b []byte, at int) {
	return p.ends().headers(proto, resetHops, n)
}

func (p *Probe) ends() ends { return ends{p.SrcMAC, p.DstMAC, p.Src, p.Dst, p.V6} }

// segment fills in a TCP header at the frame's end.
func segment(b []byte, at int, src, dst uint16, seq, ack uint32, flags uint8) {
	th := b[at:]
	be.PutUint16(th, src)
	be.PutUint16(th[2:], dst)
	be.PutUint32(th[4:], seq)
	be.PutUint32(th[8:], ack)
	th[12], th[13] = 5<<4, flags
	be.PutUint16(th[14:], probeWindow)
	be.PutUint16(th[16:], header.Checksum(pseudo(b[etherLen:], header.ProtoTCP, len(th)), th))
}

// ProbeReset ends the connection of a health check: it is the reset for the
// SYN ACK in. Until the end of 2023 (acknowledge) it acknowledged, with
// numbers that are one too high.
func ProbeReset(in *packet.Packet, acknowledge bool) (Frame, bool) {
	tcp := l4(in)
	if proto(in) != header.ProtoTCP || in.Layout.L4 == 0 || tcp[13]&synACK != synACK {
		return Frame{}, false
	}
	s := Style{Swap: true}
	b := s.ip(ether(in, true, etherType(in), ip6Len+tcpLen), in, header.ProtoTCP, resetHops, tcpLen)
	at := len(b)
	b = append(b, make([]byte, tcpLen)...)
	src, dst := be.Uint16(tcp[2:]), be.Uint16(tcp)
	if seq, ack := be.Uint32(tcp[4:]), be.Uint32(tcp[8:]); acknowledge {
		segment(b, at, src, dst, ack+1, seq+1, header.FlagRST|header.FlagACK)
	} else {
		segment(b, at, src, dst, ack, 0, header.FlagRST)
	}
	return whole(b), true
}
