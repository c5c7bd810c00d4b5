package openflow

import (
	"cmp"
	"io"
	"strconv"
	"strings"
)

// Order is which logical flows a switch has, and in which order it tries those of
// one table and priority. A dump lists flows as the classifier holds them: those
// that test the same fields together, and these in the order in which they are
// searched; the first that matches wins over others of its priority (Open vSwitch,
// lib/classifier.c and lib/pvector.c).
//
// A dump that was sorted (ovs-ofctl --sort) shows no order, only what there is.
type Order struct {
	flows  map[uint64]span
	end    int
	before int  // priority of the last flow
	rises  bool // some flow has a higher priority than the one before it
	falls  bool
}

// span is where a logical flow's flows are in a dump.
type span struct {
	first, last int
	conjunctive bool // they match in parts, which are searched otherwise
}

// Add notes the flows of a dump, and says why these are only a part of the
// bridge's: "" if they are all.
func (o *Order) Add(r io.Reader, name string) (part string, err error) {
	if o.flows == nil {
		o.flows = map[uint64]span{}
	}
	return each(r, name, func(cookie uint64, line string) {
		at, known := o.flows[cookie]
		if !known {
			at.first = o.end
		}
		at.last = o.end
		at.conjunctive = at.conjunctive || strings.Contains(line, "conj_id=") || strings.Contains(line, "conjunction(")
		o.flows[cookie] = at
		o.listed(line)
	})
}

// listed notes that a flow comes next in the dump.
func (o *Order) listed(line string) {
	match, _, _ := strings.Cut(line, "actions=")
	now, ok := number(match, "priority")
	if !ok {
		now = 32768 // the default, which is not shown
	}
	o.rises = o.rises || o.end > 0 && now > o.before
	o.falls = o.falls || o.end > 0 && now < o.before
	o.before = now
	o.end++
}

// Compare orders two logical flows of one table and priority by their UUIDs: the
// lesser is used. 0: the dump does not tell.
func (o *Order) Compare(a, b string) int {
	x, hasX := o.find(a)
	y, hasY := o.find(b)
	switch {
	case !hasX && !hasY:
		return 0
	case !hasY:
		return -1
	case !hasX:
		return 1
	case !o.rises || !o.falls || x.conjunctive || y.conjunctive || x.first <= y.last && y.first <= x.last:
		return 0
	}
	return cmp.Compare(x.first, y.first)
}

func (o *Order) find(uuid string) (span, bool) {
	cookie, err := strconv.ParseUint(uuid[:min(8, len(uuid))], 16, 64)
	if err != nil {
		return span{}, false
	}
	at, ok := o.flows[cookie]
	return at, ok
}
