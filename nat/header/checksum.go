package header

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// Sum adds b to a ones' complement sum (RFC 1071), which Fold ends; an odd
// length is padded with a zero byte.
func Sum(sum uint64, b []byte) uint64 {
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

// Fold makes 16 bits of a sum: 0 only of 0.
func Fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// Checksum is the Internet checksum of b on top of a sum: what belongs into the
// field if the field is 0 in b, and 0 if it is there already and right.
func Checksum(sum uint64, b []byte) uint16 { return ^Fold(Sum(sum, b)) }

// Pseudo is the sum of the pseudo header that a transport checksum covers as
// well (RFC 9293, RFC 8200). addresses are source and destination as they stand
// in the IP header; length is that of transport header and payload.
func Pseudo(addresses []byte, proto uint8, length int) uint64 {
	return Sum(uint64(proto)+uint64(length), addresses)
}

// Update16 is RFC 1624, equation 3, for one or more 16-bit words: the checksum
// hc after bytes old became bytes new, which must be equally long and even.
func Update16(hc uint16, old, new []byte) uint16 {
	sum := uint64(^hc)
	for i := 0; i+1 < len(old); i += 2 {
		sum += uint64(^binary.BigEndian.Uint16(old[i:])) + uint64(binary.BigEndian.Uint16(new[i:]))
	}
	return ^Fold(sum)
}

// UpdateWord is Update16 for one 16-bit word, UpdateWords for two.
func UpdateWord(hc, old, new uint16) uint16 {
	return ^Fold(uint64(^hc) + uint64(^old) + uint64(new))
}

// UpdateWords is UpdateWord for both halves of a 32-bit word.
func UpdateWords(hc uint16, old, new uint32) uint16 {
	return UpdateWord(UpdateWord(hc, uint16(old), uint16(new)), uint16(old>>16), uint16(new>>16))
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

func crc32cZeros(crc uint32, n int) uint32 {
	for range n {
		crc = castagnoli[uint8(crc)] ^ crc>>8
	}
	return crc
}

// SCTP is the checksum of an SCTP packet, with its field taken as zero (RFC
// 9260, appendix A). It is written in little-endian order.
func SCTP(l4 []byte) uint32 {
	crc := crc32c(^uint32(0), l4[:8])
	crc = crc32cZeros(crc, 4)
	return ^crc32c(crc, l4[12:])
}

// SCTPDelta is by how much (exclusive or) the CRC of an SCTP packet of length
// bytes changes when its first four bytes change by diff. CRCs are linear, so
// the rest of the packet does not matter and may be missing.
func SCTPDelta(diff [4]byte, length int) uint32 {
	return crc32cZeros(crc32c(0, diff[:]), length-4)
}
