package pcap

import (
	"errors"
	"io"
)

// sorted gives the records of a capture in the order of their times where these step back by
// a little: what several processors or queues of a network card captured is written as it
// comes. Where they step back by more, a clock was set, and the capture's own order is kept.
type sorted struct {
	src  Source
	held []*Record // in the order they were read
	n    int
	err  error // what came after them
}

// A record is given before others that were read before it if it is one of so many, and no
// more nanoseconds earlier.
const (
	sortedRecords = 16
	sortedTime    = 10e6
)

// Sorted returns a source that gives the records of another by their times. It reads some
// records ahead, so it is not for captures that are still being made.
func Sorted(src Source) Source {
	s := &sorted{src: src, held: make([]*Record, sortedRecords)}
	for i := range s.held {
		s.held[i] = &Record{}
	}
	return s
}

// Next implements Source.
func (s *sorted) Next(rec *Record) error {
	for s.err == nil && s.n < len(s.held) {
		if s.err = s.src.Next(s.held[s.n]); s.err == nil {
			s.n++
		}
	}
	if s.n == 0 {
		err := s.err
		if !errors.Is(err, io.EOF) {
			s.err = nil
		}
		return err
	}
	first := 0
	for i, r := range s.held[:s.n] {
		if back := s.held[first].Time - r.Time; back > 0 && back <= sortedTime {
			first = i
		}
	}
	given := s.held[first]
	*rec, *given = *given, *rec
	s.n--
	copy(s.held[first:s.n], s.held[first+1:s.n+1])
	s.held[s.n] = given
	return nil
}

// goesOn tells a Merge that there may be more after an error.
func (s *sorted) goesOn() bool {
	src, ok := s.src.(interface{ goesOn() bool })
	return ok && src.goesOn()
}
