package output

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestBehind(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	var got, want bytes.Buffer
	b := NewBehind(&got)
	for range 500 {
		p := make([]byte, r.IntN(3*behindBytes/100))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		want.Write(p)
		if n, err := b.Write(p); n != len(p) || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, len(p), err)
		}
	}
	if err := b.Close(); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes of %d, or others: %v", got.Len(), want.Len(), err)
	}
}

// full fails after some bytes.
type full int

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// An error ends the writing, however much is still to be written.
func TestBehindFails(t *testing.T) {
	t.Parallel()
	for _, room := range []full{0, behindBytes, 3 * behindBytes} {
		b := NewBehind(&room)
		var err error
		for i := 0; i < 10_000 && err == nil; i++ {
			_, err = b.Write(make([]byte, behindBytes/10))
		}
		if err2 := b.Close(); err != errFull || err2 != errFull {
			t.Errorf("write: %v, close: %v", err, err2)
		}
	}
}
