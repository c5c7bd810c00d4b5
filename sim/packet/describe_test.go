package packet

import (
	"net/netip"
	"testing"

	"ovnreplay/nat/header"
)

// What ICMP messages say, with the number that some tell: names as in IANA's registries
// of ICMP and ICMPv6 types and codes, RFC 1191 and RFC 4443.
func TestDescribeICMP(t *testing.T) {
	for _, x := range []struct {
		v6        bool
		typ, code byte
		rest      [4]byte
		want      string
	}{
		{false, 3, 4, [4]byte{0, 0, 0x05, 0x78}, "fragmentation needed, MTU 1400"},
		{false, 3, 3, [4]byte{}, "port unreachable"},
		{false, 3, 13, [4]byte{}, "administratively prohibited"},
		{false, 3, 200, [4]byte{}, "unreachable"},
		{false, 5, 1, [4]byte{10, 0, 0, 254}, "redirect to 10.0.0.254"},
		{false, 11, 0, [4]byte{}, "time exceeded"},
		{false, 11, 1, [4]byte{}, "reassembly time exceeded"},
		{false, 42, 7, [4]byte{}, "type 42 code 7"},
		{true, 2, 0, [4]byte{0, 0, 0x05, 0x00}, "packet too big, MTU 1280"},
		{true, 1, 4, [4]byte{}, "port unreachable"},
		{true, 1, 1, [4]byte{}, "administratively prohibited"},
		{true, 128, 0, [4]byte{}, "echo request"},
	} {
		frame := icmpFrame(x.v6, append([]byte{x.typ, x.code, 0, 0}, x.rest[:]...))
		want := "icmp 10.0.0.1 > 10.0.0.2 " + x.want
		if x.v6 {
			want = "icmp6 fd00::1 > fd00::2 " + x.want
		}
		if got := Describe(frame); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for n := range frame { // cut short it says less, and does not fail
			Describe(frame[:n])
		}
	}
}

func icmpFrame(v6 bool, message []byte) []byte {
	frame := append(make([]byte, 12), 8, 0, 0x45, 0, 0, byte(20+len(message)), 0, 0, 0, 0, 64, header.ProtoICMP, 0, 0,
		10, 0, 0, 1, 10, 0, 0, 2)
	if v6 {
		src, dst := netip.MustParseAddr("fd00::1").As16(), netip.MustParseAddr("fd00::2").As16()
		frame = append(make([]byte, 12), 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(message)), header.ProtoICMPv6, 64)
		frame = append(append(frame, src[:]...), dst[:]...)
	}
	return append(frame, message...)
}
