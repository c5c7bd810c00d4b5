package sim

import (
	"ovnreplay/nat"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// selectMember is "dst = select(…);": one of the values, by weight. The
// datapath chooses by a hash of the packet's tuple: mostly the same for every
// packet of one direction of a connection.
func (e *Engine) selectMember(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	a, ok := op.Action.(lflow.Select)
	total := uint64(0)
	for _, m := range a.Members {
		total += uint64(m.Weight)
	}
	if !ok || total == 0 {
		e.drop(p, trace.DropEmptyGroup, f)
		return position{}, false
	}
	if a.HashFields == "" && !e.hash(p, f) {
		return position{}, false
	}
	i := e.givenMember(a)
	switch {
	case i >= 0:
	case len(a.Members) == 1:
		i = 0
	default:
		i = e.member(p, f, op, a.Members, total, at)
	}
	id := field.U64(uint64(a.Members[i].ID))
	e.value(p, trace.Set, f, id)
	p.Key.Store(op.Dst, id)
	return at.next(), true
}

// selection is a choice that was read from a capture.
type selection struct {
	flow  int
	tuple nat.Tuple
}

// maxSelections bounds how many are remembered; past that they are read anew.
const maxSelections = 1 << 20

// member returns the index of the member that the datapath takes: as a capture
// shows, or by rule.
func (e *Engine) member(p *pkt, f *table.Flow, op *table.Op, members []lflow.Member, total uint64, at position) int {
	i, seen := e.chosen(p, f, len(members), func(c *Choice) { e.nextHops(c, p, op, members, at) })
	if seen {
		return i
	}
	p.guess = true
	e.note(p, trace.Note, trace.GuessNextHop, f)
	pick := hashTuple(p) % total
	for i = 0; pick >= uint64(members[i].Weight); i++ {
		pick -= uint64(members[i].Weight)
	}
	return i
}

// chosen returns which of so many options the datapath took, as a capture shows;
// false if none does. Packets of one tuple meet with one choice, unless their own
// frames show another: the first of a flow is hashed by ovs-vswitchd, the next
// where it arrives, and their hashes need not be the same.
func (e *Engine) chosen(p *pkt, f *table.Flow, options int, choice func(*Choice)) (int, bool) {
	t, isIP := tupleOf(p)
	k := selection{f.Index, t}
	i, known := 0, false
	if e.opts.Choose != nil {
		c := &e.choice
		*c = Choice{Options: c.Options[:0], Time: e.now}
		choice(c)
		i, known = e.opts.Choose.Choose(c, &p.Packet)
	}
	switch before, chosen := e.selections[k]; {
	case !known:
		i, known = before, chosen
	case isIP && (!chosen || before != i):
		if len(e.selections) >= maxSelections || e.selections == nil {
			e.selections = map[selection]int{}
		}
		e.selections[k] = i
	}
	if !known || i < 0 || i >= options {
		return 0, false
	}
	p.seen = true
	e.note(p, trace.Note, trace.ObservedChoice, f)
	return i, true
}

// nextHops describes a choice by the Ethernet addresses that each member would
// give the packet in this pipeline.
func (e *Engine) nextHops(c *Choice, p *pkt, op *table.Op, members []lflow.Member, at position) {
	c.Kind = trace.GuessNextHop
	for _, m := range members {
		q := e.copyOf(p)
		q.Key.Store(op.Dst, field.U64(uint64(m.ID)))
		o := ChoiceOption{}
		if e.peek(q, at.next()) {
			o.EthSrc, o.EthDst = q.Key.Get(field.EthSrc), q.Key.Get(field.EthDst)
		}
		c.Options = append(c.Options, o)
		e.put(q)
	}
}

// peek runs the rest of a pipeline for its effect on q's fields alone; false
// if it comes to an action with other effects.
func (e *Engine) peek(q *pkt, at position) bool {
	for range tables {
		s := q.chassis.compiled.stage(q.dp, at.egress, at.table)
		if s == nil {
			return false
		}
		f := s.Lookup(&q.Key, q.chassis.resident)
		if f == nil {
			return false
		}
		next, done := position{}, false
		for i := range f.Ops {
			op := &f.Ops[i]
			switch op.Code {
			case lflow.OpOutput:
				return true
			case lflow.OpNext:
				next, done = position{op.Egress, op.Table}, true
			case lflow.OpLoad, lflow.OpMove, lflow.OpExchange, lflow.OpPush, lflow.OpPop, lflow.OpDecTTL,
				lflow.OpGetMACBind, lflow.OpLookupMACBind, lflow.OpCheckPktLarger, lflow.OpCTOriginal,
				lflow.OpCTStateSave:
				e.quiet = true
				e.do(q, f, op, at)
				e.quiet = false
			// no field changes
			case lflow.OpNote, lflow.OpLog, lflow.OpServiceCheck, lflow.OpCTCommit, lflow.OpCommitECMPNextHop:
			default:
				return false
			}
		}
		if !done {
			return false
		}
		at = next
	}
	return false
}
