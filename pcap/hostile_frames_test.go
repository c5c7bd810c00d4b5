package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A small compressed capture holds no more frames than a real one of its size
// could, unless a limit is given; unpacked, and where it is no small one, it may. Of a stream
// it counts what has been read.
func TestFramesOfCompressedCaptures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		frames, random int // bytes of each frame that do not compress
		most           int
		packed, file   bool
		want           int // frames that are read
	}{
		{130_000, 0, 0, true, false, 100_000}, {130_000, 0, 0, false, false, 130_000},
		{130_000, 0, 130_000, true, false, 130_000}, {130_000, 0, 50, true, false, 50},
		{130_000, 24, 0, true, false, 100_000}, {130_000, 24, 0, true, true, 100_000},
		{130_000, 24, 0, false, true, 130_000}, {300_000, 24, 0, true, true, 300_000},
		{300_000, 24, 0, true, false, 300_000},
	} {
		data := sameFrames(c.frames, c.random, c.packed)
		r, err := NewReaderWith(bytes.NewReader(data), "dense", Options{MaxFrames: c.most})
		if c.file {
			r, err = OpenWith(fileOf(t, data), Options{MaxFrames: c.most})
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		var rec Record
		for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
			n++
		}
		if n != c.want || (n < c.frames) != strings.Contains(err.Error(), "raise the limit with --max-frames") {
			t.Errorf("%+v: %d frames, then %v", c, n, err)
		}
	}
}

func fileOf(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dense")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// sameFrames is a capture whose frames differ in some bytes.
func sameFrames(n, random int, packed bool) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	out = append(out, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	frame := make([]byte, 60)
	for range n {
		for _, v := range []uint32{1, 0, 60, 60} {
			out = binary.LittleEndian.AppendUint32(out, v)
		}
		for i := range random {
			frame[i] = byte(r.Uint32())
		}
		out = append(out, frame...)
	}
	if !packed {
		return out
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(out)
	w.Close()
	return b.Bytes()
}
