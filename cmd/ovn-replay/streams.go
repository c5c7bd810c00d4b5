package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"ovnreplay/sim/printable"
)

// sink is what a command writes to. The first error is kept and ends the
// command's work: what can no longer be written need not be found out.
type sink struct {
	name string
	w    io.Writer
	stop context.CancelCauseFunc
	err  error
}

// writeError is an error of writing.
type writeError struct {
	name string
	err  error
}

// Error names the file and the cause.
func (e *writeError) Error() string {
	cause := e.err
	if path := new(fs.PathError); errors.As(cause, &path) {
		cause = path.Err
	}
	return fmt.Sprintf("%s: cannot be written: %v", e.name, cause)
}

// Unwrap returns the cause.
func (e *writeError) Unwrap() error { return e.err }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err != nil {
		s.fail(err)
		return n, s.err
	}
	return n, nil
}

func (s *sink) fail(err error) {
	if s.err == nil {
		s.err = &writeError{s.name, err}
		s.stop(s.err)
	}
}

// textStream is a standard stream that people read: what is written is made fit for a
// terminal.
type textStream struct {
	*printable.Writer
	sink *sink
}

func newText(name string, w io.Writer, stop context.CancelCauseFunc) *textStream {
	s := &sink{name: name, w: w, stop: stop}
	return &textStream{printable.NewWriter(s), s}
}

// rawOf returns the stream behind text, for what is not text.
func rawOf(w io.Writer) io.Writer {
	if t, ok := w.(*textStream); ok {
		return t.sink
	}
	return w
}

// terminal returns the terminal that a stream is, nil if it is none.
func terminal(w io.Writer) *os.File {
	if t, ok := w.(*textStream); ok {
		w = t.sink.w
	}
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || f.Name() == os.DevNull {
		return nil
	}
	return f
}

// signalled is the cause of a context that a signal ended.
type signalled struct{ syscall.Signal }

// Error implements error.
func (s signalled) Error() string { return "interrupted" }

// interruption is the error of a replay that was interrupted: what was done is
// written, but the rest is not known.
type interruption struct {
	packets int
	signal  syscall.Signal
}

// Error implements error.
func (i *interruption) Error() string {
	return fmt.Sprintf("interrupted after %d packets: no verdict", i.packets)
}

// interrupted returns the error of a replay that a context ended after so many
// packets: nil if it did not, or if it ended because nothing can be written.
func interrupted(ctx context.Context, packets int) error {
	if ctx.Err() == nil || errors.As(context.Cause(ctx), new(*writeError)) {
		return nil
	}
	i := &interruption{packets: packets, signal: syscall.SIGINT}
	if s := (signalled{}); errors.As(context.Cause(ctx), &s) {
		i.signal = s.Signal
	}
	return i
}

// untilSignal returns a context that SIGINT, SIGTERM and SIGHUP end. The next
// signal ends the program.
func untilSignal() context.Context {
	ctx, stop := context.WithCancelCause(context.Background())
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		ends = append(ends, syscall.SIGHUP)
	}
	came := make(chan os.Signal, 1)
	signal.Notify(came, ends...)
	go func() {
		s := <-came
		signal.Reset(ends...)
		stop(signalled{s.(syscall.Signal)})
	}()
	// A reader that closes its end is an error of writing, not the program's end:
	// files and sessions are completed.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return ctx
}
