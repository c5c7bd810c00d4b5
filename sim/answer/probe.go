package answer

import (
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

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
	e := ends{p.SrcMAC, p.DstMAC, p.Src, p.Dst, p.V6}
	switch p.Proto {
	case header.ProtoICMP:
		return p.echo(e)
	case header.ProtoTCP:
		eth, ip := e.headers(layers.IPProtocolTCP, resetHops)
		syn := &layers.TCP{SrcPort: layers.TCPPort(p.SrcPort), DstPort: layers.TCPPort(p.DstPort), Seq: p.Seq,
			SYN: true, Window: probeWindow}
		syn.SetNetworkLayerForChecksum(ip)
		return frame(eth, ip, syn)
	}
	eth, ip := e.headers(layers.IPProtocolUDP, resetHops)
	return frame(eth, ip, newUDP(ip, p.SrcPort, p.DstPort), gopacket.Payload(make([]byte, 8)))
}

// echo returns an ICMP probe.
func (p *Probe) echo(e ends) Frame {
	if p.V6 {
		eth, ip := e.headers(layers.IPProtocolICMPv6, 255)
		return frame(eth, ip, icmp6(ip, layers.ICMPv6TypeEchoRequest, 0),
			&layers.ICMPv6Echo{Identifier: p.SrcPort, SeqNumber: uint16(p.Seq)})
	}
	eth, ip := e.headers(layers.IPProtocolICMPv4, 255)
	return frame(eth, ip, &layers.ICMPv4{
		TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: p.SrcPort, Seq: uint16(p.Seq),
	})
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

// ProbeReset ends the connection of a health check: it is the reset for the
// SYN ACK in. Until the end of 2023 (acknowledge) it acknowledged, with
// numbers that are one too high.
func ProbeReset(in *packet.Packet, acknowledge bool) (Frame, bool) {
	tcp := l4(in)
	if proto(in) != header.ProtoTCP || in.Layout.L4 == 0 || tcp[13]&synACK != synACK {
		return Frame{}, false
	}
	reset := &layers.TCP{
		SrcPort: layers.TCPPort(be.Uint16(tcp[2:])), DstPort: layers.TCPPort(be.Uint16(tcp)), Window: probeWindow,
		RST: true,
	}
	reset.Seq = be.Uint32(tcp[8:])
	if acknowledge {
		reset.Seq++
		reset.Ack, reset.ACK = be.Uint32(tcp[4:])+1, true
	}
	return segment(in, Style{Swap: true}, reset), true
}
