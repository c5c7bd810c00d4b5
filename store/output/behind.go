package output

import (
	"bufio"
	"cmp"
	"io"
	"sync/atomic"
)

// Behind writes on a goroutine of its own, a bounded number of bytes behind the
// work, so that the work need not wait for what looks through the text, packs it
// or takes it. The bytes and their order are the same. An error ends it: it is
// returned by a later Write, at the latest by Close.
type Behind struct {
	w          io.Writer
	full, free chan []byte
	now        []byte
	err        atomic.Pointer[error]
	done       chan struct{}
}

// Buffer returns what buffers text and writes it while the work goes on, and what
// completes that. Live text is written when it is flushed.
func Buffer(w io.Writer, live bool) (out *bufio.Writer, done func() error) {
	if live {
		out = bufio.NewWriterSize(w, 64<<10)
		return out, out.Flush
	}
	b := NewBehind(w)
	out = bufio.NewWriter(b)
	return out, func() error { return cmp.Or(out.Flush(), b.Close()) }
}

// So many buffers of so many bytes are behind at most.
const (
	behindBuffers = 4
	behindBytes   = 128 << 10
)

// NewBehind returns a writer behind which w is written; Close it.
func NewBehind(w io.Writer) *Behind {
	b := &Behind{w: w, full: make(chan []byte, behindBuffers), free: make(chan []byte, behindBuffers),
		done: make(chan struct{})}
	for range behindBuffers - 1 {
		b.free <- nil // made when they are needed
	}
	go b.write()
	return b
}

func (b *Behind) write() {
	defer close(b.done)
	for p := range b.full {
		if b.err.Load() == nil {
			if _, err := b.w.Write(p); err != nil {
				b.err.Store(&err)
			}
		}
		b.free <- p[:0]
	}
}

// Write implements io.Writer.
func (b *Behind) Write(p []byte) (int, error) {
	if err := b.err.Load(); err != nil {
		return 0, *err
	}
	b.now = append(b.now, p...)
	if len(b.now) >= behindBytes {
		b.full <- b.now
		b.now = <-b.free
	}
	return len(p), nil
}

// Close writes the rest and waits for it.
func (b *Behind) Close() error {
	if len(b.now) > 0 {
		b.full <- b.now
		b.now = nil
	}
	close(b.full)
	<-b.done
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}
