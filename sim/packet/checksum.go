package packet

import (
	"encoding/binary"
	"hash/crc32"
)

// adjust mends the 16-bit one's complement checksum at sum after the
// even-aligned bytes old became new (RFC 1624, equation 3).
func adjust(sum, old, new []byte) {
	acc := uint32(^be16(sum))
	for i := 0; i+1 < len(old); i += 2 {
		acc += uint32(^be16(old[i:])) + uint32(be16(new[i:]))
	}
	acc = acc&0xffff + acc>>16
	acc = acc&0xffff + acc>>16
	binary.BigEndian.PutUint16(sum, ^uint16(acc))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sctpCRC computes the CRC32c of an SCTP packet with its checksum field as 0
// (RFC 4960, appendix B), in the byte order the field has as a little-endian word.
func sctpCRC(b []byte) uint32 {
	var zero [4]byte
	crc := crc32.Update(0, castagnoli, b[:8])
	crc = crc32.Update(crc, castagnoli, zero[:])
	return crc32.Update(crc, castagnoli, b[12:])
}
