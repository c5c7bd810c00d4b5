package header

import (
	"encoding/binary"
	"net/netip"
)

// An Ethernet address is six bytes where it is kept, a number of 48 bits where
// it is compared, masked or a key, and text where people write it. An IP address
// is 16 bytes in tuples, IPv4 in the first four, a number in the flow key, and a
// netip.Addr elsewhere. These are the ways between them.

// MAC is the number of the Ethernet address that b begins with.
func MAC(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

// MACNumber is the number of an Ethernet address.
func MACNumber(m [6]byte) uint64 { return MAC(m[:]) }

// PutMAC writes the Ethernet address of a number.
func PutMAC(b []byte, v uint64) {
	binary.BigEndian.PutUint16(b, uint16(v>>32))
	binary.BigEndian.PutUint32(b[2:], uint32(v))
}

// MACBytes returns the Ethernet address of a number.
func MACBytes(v uint64) (m [6]byte) {
	PutMAC(m[:], v)
	return m
}

// FormatMAC returns the text of the Ethernet address of a number,
// aa:bb:cc:dd:ee:ff.
func FormatMAC(v uint64) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for shift := 40; shift >= 0; shift -= 8 {
		if len(b) > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[v>>(shift+4)&15], digits[v>>shift&15])
	}
	return string(b)
}

// ParseMAC parses the text of an Ethernet address, aa:bb:cc:dd:ee:ff.
func ParseMAC(s string) (m [6]byte, ok bool) {
	if len(s) != 17 {
		return m, false
	}
	for i := range m {
		hi, ok1 := nibble(s[3*i])
		lo, ok2 := nibble(s[3*i+1])
		if !ok1 || !ok2 || i < 5 && s[3*i+2] != ':' {
			return [6]byte{}, false
		}
		m[i] = hi<<4 | lo
	}
	return m, true
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// GroupMAC is the number of the Ethernet address that a multicast or broadcast
// IP address goes to (RFC 1112, RFC 2464); 0 of any other.
func GroupMAC(a netip.Addr) uint64 {
	const broadcast = 0xffffffffffff
	switch {
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return broadcast
	case !a.IsMulticast():
		return 0
	case a.Is4():
		b := a.As4()
		return 0x01005e000000 | uint64(binary.BigEndian.Uint32(b[:])&0x7fffff)
	}
	b := a.As16()
	return 0x333300000000 | uint64(binary.BigEndian.Uint32(b[12:]))
}

// LinkLocal is the IPv6 link-local address of an Ethernet address (RFC 4291,
// appendix A).
func LinkLocal(m [6]byte) [16]byte {
	return [16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]}
}

// SolicitedNode is the group at which a neighbor is asked for (RFC 4291).
func SolicitedNode(target [16]byte) [16]byte {
	return [16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: target[13], 14: target[14], 15: target[15]}
}

// Bytes returns an address as tuples hold it: an IPv4 address in the first four
// bytes.
func Bytes(a netip.Addr) (b [16]byte) {
	if a.Is4() {
		v4 := a.As4()
		copy(b[:], v4[:])
		return b
	}
	return a.As16()
}

// Addr returns the address that a tuple holds.
func Addr(v6 bool, b *[16]byte) netip.Addr {
	if v6 {
		return netip.AddrFrom16(*b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

// IPv4 returns the IPv4 address of a number.
func IPv4(v uint64) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(v))
	return netip.AddrFrom4(b)
}

// MACOfLinkLocal is the number of the Ethernet address that an IPv6 link-local
// address was made of, 0 of any other address.
func MACOfLinkLocal(a netip.Addr) uint64 {
	if !a.Is6() {
		return 0
	}
	b := a.As16()
	m := [6]byte{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
	if b != LinkLocal(m) {
		return 0
	}
	return MAC(m[:])
}
