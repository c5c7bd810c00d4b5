package replay

import (
	"bytes"
	"encoding/binary"
	"testing"

	"ovnreplay/nat/header"
)

// A frame loses a DSCP that a rule may have given it, ECN and flow label stay.
func TestUnmarked(t *testing.T) {
	t.Parallel()
	v4 := tcpFrame(t, false, true, 0).Data
	mark := func(tos byte) []byte {
		f := bytes.Clone(v4)
		f[15], f[24], f[25] = tos, 0, 0
		binary.BigEndian.PutUint16(f[24:], header.Checksum(0, f[14:34]))
		return f
	}
	if plain, ok := unmarked(mark(48<<2), []uint8{10, 48}); !ok || !bytes.Equal(plain, v4) {
		t.Errorf("IPv4: %v\n%x, want\n%x", ok, plain, v4)
	}
	if plain, ok := unmarked(mark(48<<2|3), []uint8{48}); !ok || !bytes.Equal(plain, mark(3)) {
		t.Errorf("IPv4 with ECN: %v %x", ok, plain)
	}
	if _, ok := unmarked(mark(46<<2), []uint8{48}); ok {
		t.Error("a DSCP that no rule gives is taken off")
	}
	v6 := make([]byte, 54)
	v6[14], v6[15], v6[16] = 0x60|48>>2, 48<<6&0xff|3<<4|5, 7
	if plain, ok := unmarked(v6, []uint8{48}); !ok || plain[14] != 0x60 || plain[15] != 3<<4|5 || plain[16] != 7 {
		t.Errorf("IPv6: %v %x", ok, plain)
	}
}
