package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// position is a table of a pipeline.
type position struct {
	egress bool
	table  uint8
}

func (at position) next() position { return position{at.egress, at.table + 1} }

// exec runs a flow's actions on p. It returns the table where the packet goes
// on, or false when it goes nowhere from here.
func (e *Engine) exec(p *pkt, f *table.Flow, ops []table.Op, at position) (position, bool) {
	return e.execFrom(p, f, ops, at, false)
}

// execFrom is exec where the trace may tell of the first action already.
func (e *Engine) execFrom(p *pkt, f *table.Flow, ops []table.Op, at position, told bool) (position, bool) {
	for i := range ops {
		op := &ops[i]
		rest := ops[i+1:]
		ends := false
		if r := e.recording(); r != nil {
			ends = !r.takes(e, p, op, len(rest) > 0, at)
		}
		if !told && e.stopped(p) {
			return position{}, false
		}
		if !told {
			e.happens(p, trace.Act, at, int32(f.Index), int32(op.Seq), 0)
		}
		told = false
		if ends {
			e.ends(p, f, i, at)
		}
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
		if len(rest) > 0 {
			p.pinned++
		}
		to, moves := e.step(p, f, op, rest, at)
		if len(rest) > 0 {
			p.pinned--
		}
		switch {
		case p.broken:
			return position{}, false
		case moves && len(rest) == 0:
			return to, true
		case moves: // as OVS's resubmit: the rest follows when this walk is over
			p.depth++
			p.pinned++
			e.pipeline(p, to.egress, to.table)
			p.pinned--
			p.depth--
		}
	}
	return position{}, false
}

// step runs one action, and what it means for fragments that conntrack holds
// or lets go.
func (e *Engine) step(p *pkt, f *table.Flow, op *table.Op, rest []table.Op, at position) (position, bool) {
	to, moves := e.do(p, f, op, at)
	if e.held != 0 || e.freed != nil {
		e.fragment(p, f, op, rest, at)
		return position{}, false
	}
	return to, moves && !p.broken
}

// do runs one action; it returns true with a table if the packet moves there.
func (e *Engine) do(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	h := &handlers[op.Code]
	if h.moves != nil {
		return h.moves(e, p, f, op, at)
	}
	h.stays(e, p, f, op)
	return position{}, false
}

// next is "next;": on to another table of either pipeline.
func (e *Engine) next(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	if op.Egress != at.egress {
		e.jump(p, f, op.Egress)
	}
	return position{op.Egress, op.Table}, true
}

func (e *Engine) outputs(p *pkt, f *table.Flow, _ *table.Op, at position) (position, bool) {
	e.output(p, f, at)
	return position{}, false
}

func (e *Engine) drops(p *pkt, f *table.Flow, _ *table.Op) { e.drop(p, trace.DropAction, f) }

func (e *Engine) load(p *pkt, _ *table.Flow, op *table.Op) {
	old := p.Key.Load(op.Dst)
	p.Key.Store(op.Dst, old.AndNot(op.Mask).Or(op.Value.And(op.Mask)))
}

func (e *Engine) move(p *pkt, f *table.Flow, op *table.Op) {
	v := p.Key.Load(op.A)
	e.assigned(p, f, op.Dst, v)
	p.Key.Store(op.Dst, v)
}

func (e *Engine) exchange(p *pkt, f *table.Flow, op *table.Op) {
	a, b := p.Key.Load(op.A), p.Key.Load(op.B)
	e.assigned(p, f, op.A, b)
	e.assigned(p, f, op.B, a)
	p.Key.Store(op.A, b)
	p.Key.Store(op.B, a)
}

func (e *Engine) push(p *pkt, f *table.Flow, op *table.Op) {
	v := p.Key.Load(op.A)
	e.value(p, trace.Set, f, v)
	p.stack = append(p.stack, v)
}

func (e *Engine) pop(p *pkt, f *table.Flow, op *table.Op) {
	if n := len(p.stack); n > 0 {
		e.value(p, trace.Set, f, p.stack[n-1])
		p.Key.Store(op.Dst, p.stack[n-1])
		p.stack = p.stack[:n-1]
	}
}

func (e *Engine) clearCT(p *pkt, _ *table.Flow, _ *table.Op) {
	p.ct.Clear()
	clearBits(&p.Key, &ctMask)
}

func (e *Engine) saveCTState(p *pkt, _ *table.Flow, op *table.Op) {
	p.Key.Store(op.Dst, field.U64(p.Key.Get(field.CTState)))
}

func (e *Engine) original(p *pkt, _ *table.Flow, op *table.Op) { p.Key.Store(op.Dst, p.Key.Load(op.A)) }

func (e *Engine) checkLarger(p *pkt, _ *table.Flow, op *table.Op) {
	p.Key.Store(op.Dst, bit(p.longest() > int(op.N)))
}

// etherLen is the length of an Ethernet header.
const etherLen = 14

// longest is the length of the longest frame that p leaves as: what Linux holds
// against a limit (net/openvswitch/actions.c, execute_check_pkt_len).
func (p *pkt) longest() int {
	switch {
	case p.segment != 0:
		return p.segment
	case p.mru != 0:
		return etherLen + p.mru
	}
	return p.Wire
}

// decTTL is ip.ttl--; OVS drops a packet whose TTL is 0 or 1.
func (e *Engine) decTTL(p *pkt, f *table.Flow, _ *table.Op) {
	ttl := p.Key.Get(field.IPTTL)
	if ttl <= 1 {
		e.drop(p, trace.DropTTL, f)
		p.broken = true
		return
	}
	p.Key.Set(field.IPTTL, ttl-1)
}

// nested runs an action with a block.
func (e *Engine) nested(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	if op.Block == lflow.Clone {
		c := e.copyOf(p)
		c.depth++
		c.cloned = true
		e.event(c, trace.Event{Kind: trace.Block, Flow: int32(f.Index), Arg: int32(op.Seq)})
		e.follow(c, f, op.Inner, at)
		e.put(c)
		return position{}, false
	}
	e.made(p, f, op, at)
	return position{}, false
}

// follow runs a block of actions and the walk it leads to.
func (e *Engine) follow(p *pkt, f *table.Flow, ops []table.Op, at position) {
	if p.depth > maxDepth {
		e.drop(p, trace.DropTooDeep, f)
		return
	}
	if to, ok := e.exec(p, f, ops, at); ok {
		e.pipeline(p, to.egress, to.table)
	}
}
