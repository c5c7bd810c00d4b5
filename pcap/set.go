package pcap

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Set is a rotated capture: several files that follow each other, read as one.
// Frames are numbered within each file, which the record names. A file that
// fails is reported once by Next, which then goes on with the next file.
type Set struct {
	// Clock corrects the times of every file. Set it before the first Next.
	Clock Clock

	name    string
	opts    Options
	files   []string // in the order of their first packets
	passed  []error
	current *Reader
	blocks  []Block
	counts  Counts // of the files closed
	read    int64  // bytes of the files closed
	size    int64  // of all files; 0 when not known
}

// OpenSet opens the files a pattern of path/filepath.Match names; a name
// without pattern characters, and "-", is a set of one. The files are ordered by
// the time of their first packet, whatever their names, those without packets
// last. A file that is no capture is an error at once.
func OpenSet(pattern string, opts Options) (*Set, error) {
	s := &Set{name: pattern, opts: opts}
	if pattern == "-" || !strings.ContainsAny(pattern, `*?[`) || exists(pattern) {
		s.files = []string{pattern}
		if err := s.open(); err != nil {
			return nil, err
		}
		_, s.size = s.current.Progress()
		return s, nil
	}
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		return nil, &FormatError{File: pattern, Fault: ReadFailed, What: "names no capture file", Err: err,
			Advice: "check the pattern"}
	}
	if err = s.byFirstPacket(names); err != nil {
		return nil, err
	}
	for _, name := range s.files {
		if info, err := os.Stat(name); err == nil {
			s.size += info.Size()
		}
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// exists tells a file whose own name has pattern characters.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// byFirstPacket orders the files. Those that were not written to their first packet's end are
// passed over, unless there is no other.
func (s *Set) byFirstPacket(names []string) error {
	type file struct {
		name  string
		empty bool
		first int64
	}
	var list []file
	opts := s.opts
	opts.Filter = nil // which file is first does not depend on it
	for _, name := range names {
		first, err := firstTime(name, opts)
		if Packetless(err) && len(names) > 1 {
			s.passed = append(s.passed, err)
			continue
		}
		if err != nil && err != errDamaged && err != io.EOF {
			return err
		}
		list = append(list, file{name, err != nil, first})
	}
	slices.SortStableFunc(list, func(a, b file) int {
		if a.empty != b.empty {
			if b.empty {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.first, b.first)
	})
	for _, f := range list {
		s.files = append(s.files, f.name)
	}
	if len(list) == 0 {
		s.files, s.passed = names[:1], nil // whoever opens it is told
	}
	return nil
}

// errDamaged is what is wrong with a file's first packet, which comes up again in its place.
var errDamaged = errors.New("damaged")

// firstTime is the time of a file's first packet.
func firstTime(name string, opts Options) (int64, error) {
	r, err := OpenWith(name, opts)
	if err != nil {
		return 0, err
	}
	var rec Record
	err = r.Next(&rec)
	if closing := r.Close(); closing != nil {
		return 0, closing
	}
	if err != nil && err != io.EOF && !Packetless(err) {
		err = errDamaged
	}
	return rec.Time, err
}

// Passed says which files are passed over, and why.
func (s *Set) Passed() []error { return s.passed }

// open opens the next file.
func (s *Set) open() error {
	r, err := OpenWith(s.files[0], s.opts)
	s.files = s.files[1:]
	s.current = r
	return err
}

// Next reads the next record, going from file to file.
func (s *Set) Next(rec *Record) error {
	for {
		if s.current == nil {
			if len(s.files) == 0 {
				return io.EOF
			}
			if err := s.open(); err != nil {
				return err
			}
		}
		s.current.Clock = s.Clock
		err := s.current.Next(rec)
		if err == nil {
			return nil
		}
		if closing := s.done(); errors.Is(err, io.EOF) {
			err = closing
		}
		if err != nil {
			return err
		}
	}
}

// done closes the current file, keeping its counts and blocks.
func (s *Set) done() error {
	s.counts = s.Counts()
	s.read, _ = s.Progress()
	s.blocks = s.TakeBlocks()
	r := s.current
	s.current = nil
	return r.Close()
}

// Name is the pattern as given.
func (s *Set) Name() string { return s.name }

// Counts are those of all files read so far.
func (s *Set) Counts() Counts {
	c := s.counts
	if s.current != nil {
		r := s.current.Counts()
		c.Frames += r.Frames
		c.Bytes += r.Bytes
		c.Cut += r.Cut
		c.Backward += r.Backward
		c.SkippedBlocks += r.SkippedBlocks
		c.Uncopiable += r.Uncopiable
	}
	return c
}

// Progress tells how many bytes of all files have been taken in, and their size
// together; 0 when that is not known.
func (s *Set) Progress() (read, size int64) {
	if s.current == nil {
		return s.read, s.size
	}
	read, _ = s.current.Progress()
	return s.read + read, s.size
}

// Sections returns the section headers read so far of the file being read.
func (s *Set) Sections() []Section {
	if s.current == nil {
		return nil
	}
	return s.current.Sections()
}

// TakeBlocks returns the blocks met since the last call.
func (s *Set) TakeBlocks() []Block {
	b := s.blocks
	s.blocks = nil
	if s.current != nil {
		b = append(b, s.current.TakeBlocks()...)
	}
	return b
}

// Close closes the file being read.
func (s *Set) Close() error {
	s.files = nil
	if s.current == nil {
		return nil
	}
	return s.done()
}

// goesOn tells a Merge that there may be more after an error.
func (s *Set) goesOn() bool { return s.current != nil || len(s.files) > 0 }
