package nat

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// Sum is what is known of a packet's transport checksum.
type Sum uint8

const (
	SumUnchecked Sum = iota // not looked at
	SumUnknown              // the packet was cut off: cannot be known
	SumGood
	SumNone    // the protocol has none here, or the sender left it out (UDP over IPv4: 0)
	SumPartial // left to the network card: see CheckSum
	SumBad
)

// Valid is whether a datapath would accept the packet.
func (s Sum) Valid() bool { return s != SumBad }

// pseudoSum is the sum of the pseudo header.
func pseudoSum(t *Tuple, length int) uint64 {
	if t.V6 {
		return header.Sum(header.Pseudo(t.Src[:], t.Proto, length), t.Dst[:])
	}
	return header.Sum(header.Pseudo(t.Src[:4], t.Proto, length), t.Dst[:4])
}

// HeaderSumOK checks the IPv4 header checksum. IPv6 has none.
func (p *Packet) HeaderSumOK(ip []byte) bool {
	return p.Tuple.V6 || header.Fold(header.Sum(0, ip[:p.L4])) == 0xffff
}

// checksumAt returns the offset of the transport checksum, or -1.
func checksumAt(t *Tuple, l4 int) int {
	switch {
	case t.Proto == header.ProtoTCP:
		return l4 + 16
	case t.Proto == header.ProtoUDP, t.Proto == header.ProtoUDPLite:
		return l4 + 6
	case t.ICMP():
		return l4 + 2
	case t.Proto == header.ProtoSCTP:
		return l4 + 8
	}
	return -1
}

// CheckSum verifies the transport checksum, remembers the finding in p.Sum
// and returns it.
//
// A packet captured before the network card finished it (TCP and UDP on a
// veth, say) holds a partial checksum: the sum of the pseudo header, not
// inverted. It is recognised when the checksum is wrong and the field holds
// exactly that sum. A checksum that happens to be right both ways is taken
// as complete, and a complete but wrong one is mistaken for a partial one in
// one case out of 65,536; nothing in the bytes can tell these apart. An SCTP
// packet of that kind holds zero.
func (p *Packet) CheckSum(ip []byte) Sum {
	p.Sum = p.checkSum(ip)
	return p.Sum
}

func (p *Packet) checkSum(ip []byte) Sum {
	t := &p.Tuple
	at := checksumAt(t, p.L4)
	if at < 0 || p.Fragment {
		return SumNone
	}
	if p.Cut {
		return p.cutSum(ip, at)
	}
	l4 := ip[p.L4:p.End]
	switch {
	case t.Proto == header.ProtoSCTP:
		field := binary.LittleEndian.Uint32(ip[at:])
		switch {
		case field == header.SCTP(l4):
			return SumGood
		case field == 0:
			return SumPartial
		}
		return SumBad
	case t.Proto == header.ProtoICMP && !t.V6:
		return sumIs(header.Fold(header.Sum(0, l4)) == 0xffff)
	case t.Proto == header.ProtoUDPLite:
		return SumUnknown // covers only a part of the packet of the sender's choosing
	}
	field := binary.BigEndian.Uint16(ip[at:])
	if t.Proto == header.ProtoUDP && field == 0 && !t.V6 {
		return SumNone
	}
	pseudo := pseudoSum(t, len(l4))
	if header.Fold(header.Sum(pseudo, l4)) == 0xffff {
		return SumGood
	}
	if !t.ICMP() && field == header.Fold(pseudo) {
		return SumPartial
	}
	return SumBad
}

// cutSum is CheckSum for a packet of which bytes are missing: only the special fields can be told.
func (p *Packet) cutSum(ip []byte, at int) Sum {
	t := &p.Tuple
	if t.ICMP() || t.Proto == header.ProtoSCTP || t.Proto == header.ProtoUDPLite || at+2 > len(ip) {
		return SumUnknown
	}
	field := binary.BigEndian.Uint16(ip[at:])
	switch {
	case t.Proto == header.ProtoUDP && field == 0 && !t.V6:
		return SumNone
	case field == header.Fold(pseudoSum(t, p.statedLength(ip))):
		return SumPartial
	}
	return SumUnknown
}

// statedLength is the transport length by the IP header.
func (p *Packet) statedLength(ip []byte) int { return header.Length(ip) - p.L4 }

// Pseudo is the sum of the packet's pseudo-header, not inverted: what a
// partial TCP or UDP checksum holds.
func (p *Packet) Pseudo(ip []byte) uint16 { return header.Fold(pseudoSum(&p.Tuple, p.L4Length(ip))) }

// Complete is the right TCP or UDP checksum of a whole packet, as a network
// card computes it where the packet has a partial one.
func (p *Packet) Complete(ip []byte) uint16 {
	at := checksumAt(&p.Tuple, p.L4)
	sum := header.Sum(pseudoSum(&p.Tuple, p.End-p.L4), ip[p.L4:at])
	full := ^header.Fold(header.Sum(sum, ip[at+2:p.End]))
	if full == 0 && p.Tuple.Proto == header.ProtoUDP {
		full = 0xffff // 0 would say that there is none (RFC 768)
	}
	return full
}

func sumIs(ok bool) Sum {
	if ok {
		return SumGood
	}
	return SumBad
}
