package header

import (
	"encoding/binary"
	"testing"
)

// ip4 and ip6 are packets whose headers say a length, of so many bytes.
func ip4(proto byte, says uint16, size int) []byte {
	b := make([]byte, size)
	b[0], b[9] = 0x45, proto
	binary.BigEndian.PutUint16(b[2:], says)
	return b
}

func ip6(proto byte, says uint16, size int) []byte {
	b := make([]byte, size)
	b[0], b[6] = 0x60, proto
	binary.BigEndian.PutUint16(b[4:], says)
	return b
}

func jumbo(says uint32, size int) []byte {
	b := ip6(ProtoHopByHop, 0, size)
	copy(b[40:], []byte{ProtoTCP, 0, 0xc2, 4})
	binary.BigEndian.PutUint32(b[44:], says)
	return b
}

func TestLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ip   []byte
		want int
	}{
		{"IPv4", ip4(ProtoTCP, 1500, 1500), 1500},
		{"IPv4, cut", ip4(ProtoTCP, 1500, 60), 1500},
		{"BIG TCP", ip4(ProtoTCP, 0, 179604), 179604},
		{"malformed: nothing that short has no length", ip4(ProtoTCP, 0, 1500), 0},
		{"malformed: no UDP is that long", ip4(ProtoUDP, 0, 70000), 0},
		{"IPv6", ip6(ProtoTCP, 1460, 1500), 1500},
		{"BIG TCP in IPv6, no option", ip6(ProtoTCP, 0, 100000), 100000},
		{"BIG TCP in IPv6", jumbo(150008, 150048), 150048},
		{"BIG TCP in IPv6, cut", jumbo(150008, 128), 150048},
		{"malformed: no jumbo payload", jumbo(1000, 1040), 40},
		{"malformed: IPv6 without payload", ip6(ProtoTCP, 0, 1500), 40},
	} {
		if got := Length(c.ip); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

func TestJumboHeaderIsTakenOff(t *testing.T) {
	t.Parallel()
	frame := append(make([]byte, 14), jumbo(70008, 70048)...)
	frame[14+48] = 7
	frame = WithoutJumbo(frame, 14)
	if ip := frame[14:]; HasJumbo(ip) || len(ip) != 70040 || ip[40] != 7 || Length(ip) != 70040 {
		t.Errorf("%d bytes, of %d by its header, %x", len(ip), Length(ip), ip[:48])
	}
}
