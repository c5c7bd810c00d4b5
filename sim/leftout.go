package sim

import (
	"cmp"
	"fmt"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/conntrack/coding"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// LeftOut is a logical flow that does not compile: Count times a packet came to
// its table, where it may have matched.
type LeftOut struct {
	Flow  *network.Flow
	Err   error
	Count int
	Since conntrack.Time
}

// leftOut counts them. A table with thousands of them is met by every packet, so
// what is counted for each packet are tables.
type leftOut struct {
	met   map[*table.Stage]*meeting
	flows map[string]*LeftOut // by UUID; Count is of networks that are no more
}

type meeting struct{ count int }

// leaveOut counts that a packet is at a stage of which flows do not compile. They
// are told of by the first packet that is.
func (e *Engine) leaveOut(p *pkt, s *table.Stage, at position) {
	if e.quiet {
		return
	}
	if m := e.leftOut.met[s]; m != nil {
		m.count++
		return
	}
	e.tellBroken(p, s, at)
}

// tellBroken tells of a stage's flows that do not compile.
func (e *Engine) tellBroken(p *pkt, s *table.Stage, at position) {
	l := &e.leftOut
	l.init()
	l.met[s] = &meeting{count: 1}
	var first *table.Flow
	more := -1
	for _, f := range s.Broken() {
		if told := l.flows[f.UUID]; told != nil {
			told.Flow, told.Err = f.Flow, f.Err // by a saved state, it may be
			continue
		}
		l.flows[f.UUID] = &LeftOut{Flow: f.Flow, Err: f.Err, Since: e.now}
		if more++; first == nil {
			first = f
		}
	}
	if first == nil {
		return
	}
	text := table.Brief(first.Err)
	if more > 0 {
		text += fmt.Sprintf(" (and %d more of this table)", more)
	}
	e.out.Trace.Texts = append(e.out.Trace.Texts, text)
	e.event(p, trace.Event{Kind: trace.Broken, Egress: at.egress, Table: at.table, Flow: int32(first.Index),
		Arg: int32(len(e.out.Trace.Texts) - 1)})
}

func (l *leftOut) init() {
	if l.met == nil {
		l.met, l.flows = map[*table.Stage]*meeting{}, map[string]*LeftOut{}
	}
}

// fold counts for each flow what was counted for the tables of a network that is
// about to be replaced.
func (l *leftOut) fold() {
	for s, m := range l.met {
		for _, f := range s.Broken() {
			l.flows[f.UUID].Count += m.count
		}
	}
	clear(l.met)
}

// LeftOut tells which logical flows that do not compile packets came by, in the
// order in which they did.
func (e *Engine) LeftOut() []LeftOut {
	e.leftOut.fold()
	list := make([]LeftOut, 0, len(e.leftOut.flows))
	for _, f := range e.leftOut.flows {
		if f.Flow != nil { // else a session told of it, and no packet came by since
			list = append(list, *f)
		}
	}
	slices.SortFunc(list, func(a, b LeftOut) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Flow.UUID, b.Flow.UUID))
	})
	return list
}

// codeLeftOut codes what was left out, so that a session tells of it once.
func (s *saver) codeLeftOut() {
	l := &s.e.leftOut
	l.init()
	l.fold()
	coding.Map(s.Coder, l.flows, 3, func(c *coding.Coder, uuid *string, f **LeftOut) bool {
		if c.Reading() {
			*f = &LeftOut{}
		}
		c.Text(uuid)
		coding.Int(c, &(*f).Count)
		coding.Int(c, &(*f).Since)
		return true
	})
}
