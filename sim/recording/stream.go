package recording

import (
	"context"
	"io"
	"os"
	"sync"
)

// Interruptible returns a stream whose reading ends when a context does, with
// the context's cause.
func Interruptible(ctx context.Context, src io.Reader) io.Reader {
	if r, ok := src.(*interruptible); ok {
		return r
	}
	return &interruptible{ctx: ctx, src: src}
}

// interruptible reads in a goroutine of its own, begun with the first Read.
type interruptible struct {
	ctx  context.Context
	src  io.Reader
	want chan []byte
	got  chan readResult
	buf  []byte
	err  error // the stream's end
}

type readResult struct {
	n   int
	err error
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.want == nil {
		r.want, r.got = make(chan []byte), make(chan readResult, 1)
		r.buf = make([]byte, 64<<10)
		go r.serve()
	}
	buf := r.buf[:min(len(p), len(r.buf))]
	select {
	case <-r.ctx.Done():
		return 0, context.Cause(r.ctx)
	case r.want <- buf:
	}
	select {
	case <-r.ctx.Done():
		return 0, context.Cause(r.ctx)
	case res := <-r.got:
		r.err = res.err
		return copy(p, buf[:res.n]), res.err
	}
}

// serve reads what is wanted. It ends with the stream; interrupted, it is left
// waiting for input that no one will take.
func (r *interruptible) serve() {
	for buf := range r.want {
		n, err := r.src.Read(buf)
		r.got <- readResult{n, err}
		if err != nil {
			return
		}
	}
}

// isStream reports whether a name means standard input, a pipe or a device:
// what can be read once, and may wait for who writes it.
func isStream(name string) bool {
	if name == "-" {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// pipe is a pipe or device, opened by its first Read: opening a named pipe
// waits for its writer.
type pipe struct {
	name string
	mu   sync.Mutex
	file *os.File
	done bool
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	f, err := p.open()
	if err != nil {
		return 0, err
	}
	return f.Read(b)
}

func (p *pipe) open() (*os.File, error) {
	p.mu.Lock()
	f := p.file
	p.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := os.Open(p.name)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		f.Close()
		return nil, os.ErrClosed
	}
	p.file = f
	return f, nil
}

// Close closes the pipe if it was opened.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done = true; p.file == nil {
		return nil
	}
	return p.file.Close()
}
