package output

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Spool keeps what is written later than it is known: in memory, and beyond SpoolMemory in a
// temporary file that has no name. The zero value is empty.
type Spool struct {
	mem  []byte
	file *os.File // nil: all is in memory
	size int64
}

// SpoolMemory is how much of a spool is kept in memory.
const SpoolMemory = 8 << 20

// Write implements io.Writer.
func (s *Spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(p) > SpoolMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	s.mem = append(s.mem, p...)
	s.size += int64(len(p))
	if s.file != nil && len(s.mem) >= spoolBuffer {
		return len(p), s.flush()
	}
	return len(p), nil
}

// Size is how much was written.
func (s *Spool) Size() int64 { return s.size }

// ReadAt implements io.ReaderAt, of what was written.
func (s *Spool) ReadAt(p []byte, at int64) (int, error) {
	if s.file == nil {
		if at > int64(len(s.mem)) {
			return 0, io.EOF
		}
		if n := copy(p, s.mem[at:]); n < len(p) {
			return n, io.EOF
		}
		return len(p), nil
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	return s.file.ReadAt(p, at)
}

// Close gives back what it took.
func (s *Spool) Close() error {
	s.mem = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// spill makes the file. Where a system keeps files that are open, it loses its name at once.
func (s *Spool) spill() error {
	err := os.MkdirAll(os.TempDir(), 0o700)
	if err == nil {
		s.file, err = os.CreateTemp("", "ovn-replay-")
	}
	if err != nil {
		return fmt.Errorf("no temporary file for packets that are to be put in order: %w; name another folder with "+
			"TMPDIR", err)
	}
	os.Remove(s.file.Name())
	if err = s.flush(); err == nil {
		s.mem = make([]byte, 0, 2*spoolBuffer)
	}
	return err
}

// spoolBuffer is how much is written to the file at once.
const spoolBuffer = 1 << 20

func (s *Spool) flush() error {
	_, err := s.file.Write(s.mem)
	s.mem = s.mem[:0]
	if path := new(os.PathError); errors.As(err, &path) {
		return fmt.Errorf("a temporary file in %s cannot be written: %w; name another folder with TMPDIR", os.TempDir(),
			path.Err)
	}
	return err
}
