package answer

import (
	"encoding/hex"
	"testing"

	"ovnreplay/sim/packet"
)

// A control packet is made anew of what the database says and the packet
// itself says of its session, and of nothing else.
func TestBFDStands(t *testing.T) {
	t.Parallel()
	m := BFD{SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, Src: [16]byte{192, 0, 2, 1}, Dst: [16]byte{192, 0, 2, 2},
		SrcPort: 49153,
		Disc:    0x01020304, Mult: 4, MinTX: 500000, MinRX: 400000, State: 3, Final: true, RemoteDisc: 0x0a0b0c0d}
	const want = "ffffffffffff" + "020000000001" + "0800" +
		"45000034" + "00004000" + "ff11f7b4" + "c0000201" + "c0000202" + "c0010ec8" + "00200000" +
		"20d00418" + "01020304" + "0a0b0c0d" + "0007a120" + "00061a80" + "00000000"
	frame := m.Frame()
	if got := hex.EncodeToString(frame.Data); got != want {
		t.Fatalf("made %s, want %s", got, want)
	}
	p := new(packet.Packet)
	p.Set(frame.Data, frame.Wire)
	again := m
	again.State, again.Final, again.RemoteDisc = 0, false, 0
	if !again.Stands(p) || again != m {
		t.Errorf("read back as %+v", again)
	}
	frame.Data[43] |= 1 // a flag that ovn-controller never sets
	p.Set(frame.Data, frame.Wire)
	if again.Stands(p) {
		t.Error("a packet with the multipoint flag is taken for ovn-controller's")
	}
}

// What a client has to refuse of an ADVERTISE is not requested.
func TestOffered(t *testing.T) {
	t.Parallel()
	association := func(t1, t2, preferred, valid byte, more ...byte) []byte {
		o := []byte{0, 25, 0, byte(12 + 29 + len(more)), 0, 0, 0, 7, 0, 0, 0, t1, 0, 0, 0, t2, 0, 26, 0, 25, 0, 0, 0,
			preferred, 0, 0, 0, valid, 60}
		return append(append(o, make([]byte, 16)...), more...)
	}
	for _, x := range []struct {
		name string
		b    []byte
		ok   bool
		n    int
	}{
		{"plain", association(1, 2, 3, 4), true, 45},
		{"no second time", association(1, 0, 3, 4), true, 45},
		{"times that contradict", association(2, 1, 3, 4), false, 45},
		{"lifetimes that contradict", association(1, 2, 4, 3), false, 45},
		{"a status of success, which is left out", association(1, 2, 3, 4, 0, 13, 0, 2, 0, 0), true, 45},
		{"another status", association(1, 2, 3, 4, 0, 13, 0, 2, 0, 6), false, 45},
		{"cut", association(1, 2, 3, 4)[:40], true, 0},
	} {
		options, iaid, ok := offered(x.b)
		if ok != x.ok || len(options) != x.n || x.n > 0 && iaid != 7 {
			t.Errorf("%s: %d bytes for association %d, %v", x.name, len(options), iaid, ok)
		}
	}
}
