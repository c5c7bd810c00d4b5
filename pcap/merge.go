package pcap

import (
	"errors"
	"io"
)

// Merge interleaves several captures by time. Ties go to the capture given
// first, then to the lower frame number, so the order is always the same. A
// capture whose own times step back keeps its own order.
//
// A capture that fails is reported once, by Next returning a *CaptureError at
// the time of its last record; the others go on, as does a Set with its next
// file.
type Merge struct {
	heads   []head
	heap    []int // indices of heads, earliest first
	started bool
	taken   int // the head whose record was handed out last, -1 if none
}

// head is the next thing a capture has to give.
type head struct {
	src  Source
	rec  Record
	err  error
	last int64 // time of its last record: the place of an error
}

// NewMerge merges the sources; a record's Capture is its source's index here.
func NewMerge(sources ...Source) *Merge {
	m := &Merge{heads: make([]head, len(sources)), heap: make([]int, 0, len(sources)), taken: -1}
	for i, s := range sources {
		m.heads[i].src = s
	}
	return m
}

// Next gives the earliest record, io.EOF when every capture has ended, or one
// capture's error, after which Next goes on with the others. Only the capture
// that gave the last record is read further, so nothing waits in a pipe.
func (m *Merge) Next(rec *Record) error {
	if !m.started {
		m.started = true
		for i := range m.heads {
			m.advance(i)
		}
	}
	if m.taken >= 0 {
		i := m.taken
		m.taken = -1
		m.advance(i)
	}
	if len(m.heap) == 0 {
		return io.EOF
	}
	i := m.pop()
	h := &m.heads[i]
	if h.err != nil {
		if s, ok := h.src.(interface{ goesOn() bool }); ok && s.goesOn() {
			m.taken = i
		}
		return &CaptureError{Capture: i, Time: h.last, Err: h.err}
	}
	*rec, h.rec = h.rec, *rec
	rec.Capture = i
	m.taken = i
	return nil
}

// CaptureError is the end of one capture of a Merge by an error. Its text is
// the error's own.
type CaptureError struct {
	Capture int
	Time    int64 // of the capture's last record, 0 when it had none
	Err     error
}

func (e *CaptureError) Error() string { return e.Err.Error() }
func (e *CaptureError) Unwrap() error { return e.Err }

// advance reads a capture's next record and queues it.
func (m *Merge) advance(i int) {
	h := &m.heads[i]
	if h.err = h.src.Next(&h.rec); errors.Is(h.err, io.EOF) {
		return
	}
	if h.err == nil {
		h.last = h.rec.Time
	}
	m.push(i)
}

// before orders two heads by time, then by place in the list. A capture has
// one head, so its frames never tie with each other.
func (m *Merge) before(i, j int) bool {
	a, b := m.heads[i].last, m.heads[j].last
	return a < b || a == b && i < j
}

func (m *Merge) push(i int) {
	m.heap = append(m.heap, i)
	for c := len(m.heap) - 1; c > 0; {
		p := (c - 1) / 2
		if !m.before(m.heap[c], m.heap[p]) {
			return
		}
		m.heap[c], m.heap[p] = m.heap[p], m.heap[c]
		c = p
	}
}

func (m *Merge) pop() int {
	top, n := m.heap[0], len(m.heap)-1
	m.heap[0] = m.heap[n]
	m.heap = m.heap[:n]
	for p := 0; ; {
		c := 2*p + 1
		if c >= n {
			return top
		}
		if c+1 < n && m.before(m.heap[c+1], m.heap[c]) {
			c++
		}
		if !m.before(m.heap[c], m.heap[p]) {
			return top
		}
		m.heap[p], m.heap[c] = m.heap[c], m.heap[p]
		p = c
	}
}
