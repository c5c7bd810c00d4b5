package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"ovnreplay/sim/printable"
)

// Stream is what a command writes to. The first error is kept and ends the
// command's work: what can no longer be written need not be found out.
type Stream struct {
	name  string
	w     io.Writer
	ctx   context.Context // of the command
	stop  context.CancelCauseFunc
	waits bool // for who reads: it is no file on a disk
	err   error
}

// Patience is how long what is written of an ended command's work may wait for a
// reader.
const Patience = 2 * time.Second

// ErrStalled is the cause of an Error where a reader takes nothing while the
// command is to end.
var ErrStalled = errors.New("its reader takes nothing")

// Error is an error of writing.
type Error struct {
	name string
	Err  error
}

// Error names the file and the cause.
func (e *Error) Error() string {
	cause := e.Err
	if path := new(fs.PathError); errors.As(cause, &path) {
		cause = path.Err
	}
	return fmt.Sprintf("%s: cannot be written: %v", e.name, cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Write implements io.Writer.
func (s *Stream) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.write(p)
	if err != nil {
		s.fail(err)
		return n, s.err
	}
	return n, nil
}

// write writes to a file, which does not keep one waiting, or else waits for who
// reads: as long as it takes, but not for ever where the command is to end.
func (s *Stream) write(p []byte) (int, error) {
	if !s.waits {
		return s.w.Write(p)
	}
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	go func() {
		n, err := s.w.Write(p)
		written <- result{n, err}
	}()
	select {
	case r := <-written:
		return r.n, r.err
	case <-s.ctx.Done():
	}
	select {
	case r := <-written:
		return r.n, r.err
	case <-time.After(Patience):
		return 0, ErrStalled
	}
}

// to makes w what is written to.
func (s *Stream) to(w io.Writer) {
	s.w = w
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		s.waits = err == nil && !info.Mode().IsRegular()
	}
}

func (s *Stream) fail(err error) {
	if s.err == nil {
		s.err = &Error{s.name, err}
		s.stop(s.err)
	}
}

// Text is a standard stream that people read: what is written is made fit for a
// terminal.
type Text struct {
	*printable.Writer
	raw  *Stream
	fold *printable.Folder // nil: lines are not folded
}

// NewText makes a stream that people read of w; stop is called when it cannot be
// written, and once ctx has ended a reader that takes nothing is not waited for.
func NewText(ctx context.Context, name string, w io.Writer, stop context.CancelCauseFunc) *Text {
	s := &Stream{name: name, ctx: ctx, stop: stop}
	s.to(w)
	return &Text{Writer: printable.NewWriter(s), raw: s}
}

// Fold has a terminal get lines that fit it.
func (t *Text) Fold() {
	if width := Columns(t); width > 0 {
		t.fold = &printable.Folder{To: t.raw, Width: width}
		t.Writer = printable.NewWriter(t.fold)
	}
}

// Flush hands on what waits for the rest of a character or line.
func (t *Text) Flush() error {
	err := t.Writer.Flush()
	if t.fold != nil && err == nil {
		err = t.fold.Flush()
	}
	return err
}

// Err is the error that ended the writing, if one did.
func (t *Text) Err() error { return t.raw.err }

// Raw returns the stream behind text, for what is not text.
func Raw(w io.Writer) io.Writer {
	if t, ok := w.(*Text); ok {
		return t.raw
	}
	return w
}

// Terminal returns the terminal that a stream is, nil if it is none.
func Terminal(w io.Writer) *os.File {
	if t, ok := w.(*Text); ok {
		w = t.raw.w
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

// Encoder writes JSON for machines and people: < and > are themselves.
func Encoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}
