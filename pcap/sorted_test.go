package pcap

import (
	"errors"
	"io"
	"slices"
	"testing"
)

// given is a source of records with times, and of errors between them where the time is -1.
type given struct {
	times []int64
	at    int
}

var errOfRecord = errors.New("damaged")

func (g *given) Next(rec *Record) error {
	if g.at == len(g.times) {
		return io.EOF
	}
	g.at++
	if g.times[g.at-1] < 0 {
		return errOfRecord
	}
	rec.Time, rec.Frame, rec.Data = g.times[g.at-1], g.at, append(rec.Data[:0], byte(g.at))
	return nil
}

func (g *given) goesOn() bool { return g.at < len(g.times) }

func TestSortedGivesRecordsByTheirTimes(t *testing.T) {
	const ms = 1e6
	for _, c := range []struct {
		name  string
		times []int64
		want  []int // frames; 0: the error
	}{
		{"none", nil, nil},
		{"in order", []int64{1, 2, 2, 3}, []int{1, 2, 3, 4}},
		{"neighbours", []int64{2 * ms, 1 * ms, 4 * ms, 3 * ms}, []int{2, 1, 4, 3}},
		{"the same time keeps its order", []int64{5, 4, 5, 4}, []int{2, 4, 1, 3}},
		{"a clock that was set", []int64{100 * ms, 1 * ms, 2 * ms}, []int{1, 2, 3}},
		{"an error comes after what was before it", []int64{2, 1, -1, 4, 3}, []int{2, 1, 0, 5, 4}},
	} {
		s := Sorted(&given{times: c.times})
		var got []int
		for {
			var rec Record
			err := s.Next(&rec)
			if err == io.EOF {
				break
			}
			if err == nil && int(rec.Data[0]) != rec.Frame {
				t.Errorf("%s: frame %d has the bytes of %d", c.name, rec.Frame, rec.Data[0])
			}
			got = append(got, rec.Frame)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSortedAllocatesNothing(t *testing.T) {
	times := make([]int64, 1<<12)
	for i := range times {
		times[i] = int64(i ^ 1)
	}
	s := Sorted(&given{times: times})
	rec := Record{Data: make([]byte, 1)}
	for range 2 * sortedRecords { // each record gets its buffer
		s.Next(&rec)
	}
	if n := testing.AllocsPerRun(1000, func() { s.Next(&rec) }); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}
