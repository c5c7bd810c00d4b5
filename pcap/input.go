package pcap

import (
	"errors"
	"io"
)

// inputChunk is the buffer's first size. A stream is read as its bytes come,
// so a large chunk delays nothing.
const inputChunk = 64 << 10

// input is a window on a byte stream. It grows only as bytes arrive, so a
// claimed length costs nothing until the input really holds it.
type input struct {
	src        io.Reader
	buf        []byte
	start, end int   // the unread window of buf
	base       int64 // stream offset of buf[start]
	err        error // sticky, from src; io.EOF at its end
}

func newInput(src io.Reader) *input {
	return &input{src: src, buf: make([]byte, inputChunk)}
}

// offset is the stream offset of the next unread byte.
func (in *input) offset() int64 { return in.base }

// peek returns the next n bytes without consuming them. When the stream ends
// first it returns what there is and the stream's error. The slice is valid
// until the next call.
func (in *input) peek(n int) ([]byte, error) {
	if in.end-in.start >= n {
		return in.buf[in.start : in.start+n], nil
	}
	return in.fill(n)
}

func (in *input) fill(n int) ([]byte, error) {
	for in.end-in.start < n {
		if in.err != nil {
			return in.buf[in.start:in.end], in.err
		}
		in.makeRoom()
		in.read()
	}
	return in.buf[in.start : in.start+n], nil
}

// makeRoom moves the window to the front, and doubles a buffer that is full.
func (in *input) makeRoom() {
	if in.start > 0 {
		copy(in.buf, in.buf[in.start:in.end])
		in.end -= in.start
		in.start = 0
	}
	if in.end == len(in.buf) {
		bigger := make([]byte, 2*len(in.buf))
		copy(bigger, in.buf[:in.end])
		in.buf = bigger
	}
}

func (in *input) read() {
	for tries := 0; tries < 100; tries++ {
		n, err := in.src.Read(in.buf[in.end:])
		in.end += n
		if err != nil {
			in.err = err
		}
		if n > 0 || err != nil {
			return
		}
	}
	in.err = io.ErrNoProgress
}

// discard consumes n bytes that peek has returned.
func (in *input) discard(n int) {
	in.start += n
	in.base += int64(n)
}

// skip consumes n bytes that need not be in the buffer, holding none of them.
// It returns how many the stream still had.
func (in *input) skip(n int64) (int64, error) {
	var done int64
	for done < n {
		if in.end == in.start {
			if in.err != nil {
				return done, in.err
			}
			in.makeRoom()
			in.read()
		}
		step := min(int64(in.end-in.start), n-done)
		in.discard(int(step))
		done += step
	}
	return done, nil
}

// atEnd tells an input that ends here from one that ends inside something or
// could not be read.
func atEnd(got int, err error) bool { return got == 0 && errors.Is(err, io.EOF) }
