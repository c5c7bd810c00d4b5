package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// place is a table of a pipeline.
type place struct {
	egress bool
	table  uint8
}

func (at place) next() place { return place{at.egress, at.table + 1} }

// exec runs a flow's actions on p. It returns the table where the packet goes
// on, or false when it goes nowhere from here.
func (e *Engine) exec(p *pkt, f *table.Flow, ops []table.Op, at place) (place, bool) {
	for i := range ops {
		op := &ops[i]
		rest := ops[i+1:]
		if e.stopped(p) {
			return place{}, false
		}
		e.event(p, trace.Event{Kind: trace.Act, Egress: at.egress, Table: at.table, Flow: int32(f.Index), Arg: int32(op.Seq)})
		if op.Forks() && len(rest) > 0 {
			// Conntrack gets a copy, which goes on to the next table; the rest
			// is done by the packet as it was.
			c := e.copyOf(p)
			c.depth++
			if to, ok := e.step(c, f, op, nil, at); ok {
				e.pipeline(c, to.egress, to.table)
			}
			e.put(c)
			continue
		}
		to, moves := e.step(p, f, op, rest, at)
		switch {
		case p.broken:
			return place{}, false
		case moves && len(rest) == 0:
			return to, true
		case moves: // as OVS's resubmit: the rest follows when this walk is over
			p.depth++
			e.pipeline(p, to.egress, to.table)
			p.depth--
		}
	}
	return place{}, false
}

// step runs one action, and what it means for fragments that conntrack holds
// or lets go.
func (e *Engine) step(p *pkt, f *table.Flow, op *table.Op, rest []table.Op, at place) (place, bool) {
	to, moves := e.do(p, f, op, at)
	if e.fragments.held != 0 || e.fragments.released != nil {
		e.fragment(p, f, op, rest, at)
		return place{}, false
	}
	return to, moves && !p.broken
}

// do runs one action; it returns true with a table if the packet moves there.
func (e *Engine) do(p *pkt, f *table.Flow, op *table.Op, at place) (place, bool) {
	k := &p.Key
	switch op.Code {
	case table.Next:
		if op.Egress != at.egress {
			e.jump(p, f, op.Egress)
		}
		return place{op.Egress, op.Table}, true
	case table.Output:
		e.output(p, f, at)
	case table.Drop:
		e.drop(p, trace.DropAction, f)
	case table.Load:
		old := k.Load(op.Dst)
		k.Store(op.Dst, old.AndNot(op.Mask).Or(op.Value.And(op.Mask)))
	case table.Move:
		v := k.Load(op.A)
		e.assigned(p, f, op.Dst, v)
		k.Store(op.Dst, v)
	case table.Exchange:
		a, b := k.Load(op.A), k.Load(op.B)
		e.assigned(p, f, op.A, b)
		e.assigned(p, f, op.B, a)
		k.Store(op.A, b)
		k.Store(op.B, a)
	case table.Push:
		v := k.Load(op.A)
		e.value(p, trace.Set, f, v)
		p.stack = append(p.stack, v)
	case table.Pop:
		if n := len(p.stack); n > 0 {
			e.value(p, trace.Set, f, p.stack[n-1])
			k.Store(op.Dst, p.stack[n-1])
			p.stack = p.stack[:n-1]
		}
	case table.DecTTL:
		return place{}, e.decTTL(p, f)
	case table.CTNext, table.CTNAT, table.CTLB, table.CTCommitToZone:
		return e.track(p, f, op, at)
	case table.CTSNATToVIP:
		e.hairpinSNAT(p, f)
	case table.CTCommit:
		e.commit(p, f, op)
	case table.CTClear:
		p.ct.Clear()
		clearBits(k, &ctMask)
	case table.CTStateSave:
		k.Store(op.Dst, field.U64(k.Get(field.CTState)))
	case table.CTOriginal:
		k.Store(op.Dst, k.Load(op.A))
	case table.Nested:
		e.nested(p, f, op, at)
	case table.CheckPktLarger:
		larger := uint64(0)
		if p.Wire > int(op.N) {
			larger = 1
		}
		k.Store(op.Dst, field.U64(larger))
	case table.LoadOVNField:
		e.loadOVNField(p, f, op)
	case table.Note:
		switch op.Action.(type) {
		case lflow.HandleSvcCheck:
			e.serviceCheck(p, f)
		case lflow.Log:
			e.logged(p, f)
		}
	default:
		return e.doLearned(p, f, op, at)
	}
	return place{}, false
}

// decTTL is ip.ttl--; OVS drops a packet whose TTL is 0 or 1.
func (e *Engine) decTTL(p *pkt, f *table.Flow) bool {
	ttl := p.Key.Get(field.IPTTL)
	if ttl <= 1 {
		e.drop(p, trace.DropTTL, f)
		p.broken = true
		return false
	}
	p.Key.Set(field.IPTTL, ttl-1)
	return false
}

// nested runs an action with a block.
func (e *Engine) nested(p *pkt, f *table.Flow, op *table.Op, at place) {
	if op.Block == lflow.Clone {
		c := e.copyOf(p)
		c.depth++
		c.cloned = true
		e.event(c, trace.Event{Kind: trace.Block, Flow: int32(f.Index), Arg: int32(op.Seq)})
		e.follow(c, f, op.Inner, at)
		e.put(c)
		return
	}
	e.made(p, f, op, at)
}

// follow runs a block of actions and the walk it leads to.
func (e *Engine) follow(p *pkt, f *table.Flow, ops []table.Op, at place) {
	if p.depth > maxDepth {
		e.drop(p, trace.DropTooDeep, f)
		return
	}
	if to, ok := e.exec(p, f, ops, at); ok {
		e.pipeline(p, to.egress, to.table)
	}
}
