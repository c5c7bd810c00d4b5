package nat

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
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

// onesSum adds b to a ones' complement sum (RFC 1071); odd lengths are padded with a zero byte.
func onesSum(sum uint64, b []byte) uint64 {
	var carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), 0)
		sum += carry
		b = b[8:]
	}
	var last [8]byte
	if len(b) > 0 {
		copy(last[:], b)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(last[:]), 0)
		sum += carry
	}
	return sum
}

func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// pseudoSum is the unfolded sum of the pseudo header (RFC 9293, RFC 8200).
func pseudoSum(t *Tuple, length int) uint64 {
	sum := uint64(t.Proto) + uint64(length)
	if t.V6 {
		return onesSum(onesSum(sum, t.Src[:]), t.Dst[:])
	}
	return sum + uint64(binary.BigEndian.Uint32(t.Src[:])) + uint64(binary.BigEndian.Uint32(t.Dst[:]))
}

// HeaderSumOK checks the IPv4 header checksum. IPv6 has none.
func (p *Packet) HeaderSumOK(ip []byte) bool {
	return p.Tuple.V6 || fold(onesSum(0, ip[:p.L4])) == 0xffff
}

// checksumAt returns the offset of the transport checksum, or -1.
func checksumAt(t *Tuple, l4 int) int {
	switch {
	case t.Proto == ProtoTCP:
		return l4 + 16
	case t.Proto == ProtoUDP, t.Proto == ProtoUDPLite:
		return l4 + 6
	case t.ICMP():
		return l4 + 2
	case t.Proto == ProtoSCTP:
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
	case t.Proto == ProtoSCTP:
		field := binary.LittleEndian.Uint32(ip[at:])
		switch {
		case field == sctpSum(l4):
			return SumGood
		case field == 0:
			return SumPartial
		}
		return SumBad
	case t.Proto == ProtoICMP && !t.V6:
		return sumIs(fold(onesSum(0, l4)) == 0xffff)
	case t.Proto == ProtoUDPLite:
		return SumUnknown // covers only a part of the packet of the sender's choosing
	}
	field := binary.BigEndian.Uint16(ip[at:])
	if t.Proto == ProtoUDP && field == 0 && !t.V6 {
		return SumNone
	}
	pseudo := pseudoSum(t, len(l4))
	if fold(onesSum(pseudo, l4)) == 0xffff {
		return SumGood
	}
	if !t.ICMP() && field == fold(pseudo) {
		return SumPartial
	}
	return SumBad
}

// cutSum is CheckSum for a packet of which bytes are missing: only the special fields can be told.
func (p *Packet) cutSum(ip []byte, at int) Sum {
	t := &p.Tuple
	if t.ICMP() || t.Proto == ProtoSCTP || t.Proto == ProtoUDPLite || at+2 > len(ip) {
		return SumUnknown
	}
	field := binary.BigEndian.Uint16(ip[at:])
	switch {
	case t.Proto == ProtoUDP && field == 0 && !t.V6:
		return SumNone
	case field == fold(pseudoSum(t, p.statedLength(ip))):
		return SumPartial
	}
	return SumUnknown
}

// statedLength is the transport length by the IP header.
func (p *Packet) statedLength(ip []byte) int {
	if p.Tuple.V6 {
		return 40 + int(binary.BigEndian.Uint16(ip[4:])) - p.L4
	}
	return int(binary.BigEndian.Uint16(ip[2:])) - p.L4
}

// Pseudo is the sum of the packet's pseudo-header, not inverted: what a
// partial TCP or UDP checksum holds.
func (p *Packet) Pseudo(ip []byte) uint16 { return fold(pseudoSum(&p.Tuple, p.L4Length(ip))) }

// Complete is the right TCP or UDP checksum of a whole packet, as a network
// card computes it where the packet has a partial one.
func (p *Packet) Complete(ip []byte) uint16 {
	at := checksumAt(&p.Tuple, p.L4)
	sum := onesSum(pseudoSum(&p.Tuple, p.End-p.L4), ip[p.L4:at])
	full := ^fold(onesSum(sum, ip[at+2:p.End]))
	if full == 0 && p.Tuple.Proto == ProtoUDP {
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

// Update16 is RFC 1624 equation 3 for one or more 16-bit words: the checksum
// hc after bytes old became bytes new, which must be equally long and even.
func Update16(hc uint16, old, new []byte) uint16 {
	sum := uint64(^hc)
	for i := 0; i+1 < len(old); i += 2 {
		sum += uint64(^binary.BigEndian.Uint16(old[i:])) + uint64(binary.BigEndian.Uint16(new[i:]))
	}
	return ^fold(sum)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c continues a CRC-32C over b. The standard library's is faster but lets
// b escape, which would cost every caller's packet an allocation.
func crc32c(crc uint32, b []byte) uint32 {
	for _, x := range b {
		crc = castagnoli[uint8(crc)^x] ^ crc>>8
	}
	return crc
}

// sctpSum is the checksum of an SCTP packet with its field taken as zero (RFC 9260, appendix A).
func sctpSum(l4 []byte) uint32 {
	crc := crc32c(^uint32(0), l4[:8])
	crc = crc32cZeros(crc, 4)
	return ^crc32c(crc, l4[12:])
}

func crc32cZeros(crc uint32, n int) uint32 {
	for range n {
		crc = castagnoli[uint8(crc)] ^ crc>>8
	}
	return crc
}

// SCTPDelta is by how much (exclusive or) the CRC of an SCTP packet of length
// bytes changes when its first four bytes change by diff. CRCs are linear, so
// the rest of the packet does not matter and may be missing.
func SCTPDelta(diff [4]byte, length int) uint32 {
	return crc32cZeros(crc32c(0, diff[:]), length-4)
}
