package coding

import (
	"bytes"
	"math"
	"testing"

	"ovnreplay/nat"
)

// sample has a part of every kind.
type sample struct {
	u8    uint8
	u64   uint64
	i     int64
	i32   int32
	fixed uint32
	a, b  bool
	raw   [3]byte
	blob  []byte
	text  string
	list  []uint16
	tuple nat.Tuple
}

func (s *sample) code(c *Coder) {
	Uint(c, &s.u8)
	Uint(c, &s.u64)
	Int(c, &s.i)
	Int(c, &s.i32)
	c.Fixed(&s.fixed)
	c.Bools(&s.a, &s.b)
	c.Raw(s.raw[:])
	c.Blob(&s.blob)
	c.Text(&s.text)
	Slice(c, &s.list, 1, func(v *uint16) { Uint(c, v) })
	c.Tuple(&s.tuple)
}

func encode(s *sample) []byte {
	w := NewWriter(nil)
	s.code(w)
	return w.Bytes()
}

func samples() []sample {
	return []sample{
		{},
		{
			u8: 255, u64: math.MaxUint64, i: math.MinInt64, i32: math.MinInt32, fixed: 1 << 31, b: true,
			raw: [3]byte{1, 2, 3}, blob: []byte("blob"), text: "text", list: []uint16{0, 65535},
			tuple: nat.Tuple{Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 0, 0, 2}, SrcPort: 7, DstPort: 7, Proto: 1,
				Type: 8},
		},
		{i: math.MaxInt64, i32: math.MaxInt32, a: true, tuple: nat.Tuple{V6: true, Src: [16]byte{15: 1},
			Dst: [16]byte{0: 0xfe, 15: 2}, Proto: 6}},
	}
}

func TestBothWays(t *testing.T) {
	for i, want := range samples() {
		b := encode(&want)
		var got sample
		r := NewReader(b)
		got.code(r)
		if err := r.Finish(); err != nil {
			t.Fatalf("sample %d: %v", i, err)
		}
		if !bytes.Equal(encode(&got), b) || got.i != want.i || got.text != want.text || got.tuple != want.tuple ||
			got.a != want.a {
			t.Errorf("sample %d: got %+v, want %+v", i, got, want)
		}
	}
}

func TestEveryCutIsAnError(t *testing.T) {
	for i, s := range samples() {
		b := encode(&s)
		for n := range b {
			var got sample
			r := NewReader(b[:n])
			if got.code(r); r.Finish() == nil {
				t.Errorf("sample %d cut to %d of %d bytes: no error", i, n, len(b))
			}
		}
		var got sample
		r := NewReader(append(b, 0))
		if got.code(r); r.Finish() == nil {
			t.Errorf("sample %d: a byte too many is no error", i)
		}
	}
}

func TestWrong(t *testing.T) {
	for name, test := range map[string]struct {
		in   []byte
		read func(*Coder)
	}{
		"number too large for its type": {[]byte{0x80, 2}, func(c *Coder) { var v uint8; Uint(c, &v) }},
		"varint without end":            {bytes.Repeat([]byte{0xff}, 11), func(c *Coder) { var v uint64; Uint(c, &v) }},
		"length beyond the input":       {[]byte{200, 1, 'a'}, func(c *Coder) { var v []byte; c.Blob(&v) }},
		"list beyond the input":         {[]byte{4, 0, 0, 0, 0}, func(c *Coder) { c.Len(0, 2) }},
		"unknown flag":                  {[]byte{4}, func(c *Coder) { var a, b bool; c.Bools(&a, &b) }},
	} {
		c := NewReader(test.in)
		test.read(c)
		if c.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range samples() {
		f.Add(encode(&s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var s sample
		r := NewReader(in)
		s.code(r)
		if r.Finish() != nil {
			return
		}
		again := encode(&s)
		var back sample
		r = NewReader(again)
		back.code(r)
		if r.Finish() != nil || !bytes.Equal(encode(&back), again) {
			t.Errorf("%x: read and written it becomes %x", in, again)
		}
	})
}
