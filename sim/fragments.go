package sim

import (
	"ovnreplay/conntrack"
	"ovnreplay/sim/table"
)

// fragments are the packets that conntrack holds until their datagram is
// complete (OVS userspace): all of its fragments then go on, each from where
// it was held.
type fragments struct {
	parked map[parkedKey]*parked
}

type parkedKey struct {
	chassis int
	held    uint64 // conntrack's number
}

// parked is a held packet and how it goes on.
type parked struct {
	p    *pkt
	flow *table.Flow
	op   *table.Op
	rest []table.Op
	at   position
}

// freed is a fragment that goes on: p as conntrack left it. own is the packet
// that completed the datagram.
type freed struct {
	parked
	last bool
}

// setFree takes the fragments that p completed from where they were parked.
// conntrack's slices are valid until its next pass only: everything is copied.
func (e *Engine) setFree(p *pkt, list []conntrack.Fragment, show bool) {
	for i := range list {
		x := &list[i]
		next := freed{last: x.Held == 0}
		if next.last {
			next.p = e.copyOf(p)
			next.p.broken = false
		} else {
			k := parkedKey{p.chassis.index, x.Held}
			was, ok := e.fragments.parked[k]
			if !ok {
				continue
			}
			delete(e.fragments.parked, k)
			next.parked = *was
		}
		q := next.p
		q.Data = append(q.Data[:q.Layout.L3], x.IP...)
		q.ct = x.Meta
		q.Reparse()
		if show {
			e.showCT(q)
		}
		e.freed = append(e.freed, next)
	}
}

// fragment parks p, or goes on with the fragments it completed.
func (e *Engine) fragment(p *pkt, f *table.Flow, op *table.Op, rest []table.Op, at position) {
	here := parked{flow: f, op: op, rest: rest, at: at}
	if held := e.held; held != 0 {
		e.held = 0
		here.p = e.copyOf(p)
		here.p.broken = false
		if e.fragments.parked == nil {
			e.fragments.parked = map[parkedKey]*parked{}
		}
		e.fragments.parked[parkedKey{p.chassis.index, held}] = &here
		e.forgetParked(p.chassis)
		return
	}
	freed := e.freed
	e.freed = nil
	for i := range freed {
		x := freed[i].parked
		if freed[i].last {
			q := x.p
			x = here
			x.p = q
		}
		e.goOn(x)
		e.put(x.p)
	}
}

// forgetParked forgets fragments whose datagram conntrack has given up, or has
// put together for good.
func (e *Engine) forgetParked(c *chassis) {
	for since := c.ct.HeldSince(); c.heldSince < since; c.heldSince++ {
		k := parkedKey{c.index, c.heldSince}
		if x := e.fragments.parked[k]; x != nil {
			e.put(x.p)
			delete(e.fragments.parked, k)
		}
	}
}

// goOn continues with a packet after the action at which it was held.
func (e *Engine) goOn(x parked) {
	if x.op.Forks() {
		to := x.at.next()
		e.pipeline(x.p, to.egress, to.table)
		return
	}
	e.follow(x.p, x.flow, x.rest, x.at)
}

// reassembled makes p the datagram that conntrack put together from it and the
// fragments before it (Linux): it is cut again where it leaves.
func (e *Engine) reassembled(p *pkt, out *conntrack.Outcome) {
	p.Data = append(p.Data[:p.Layout.L3], out.Reassembled...)
	p.Wire = p.Layout.L3 + out.Length
	p.mru = out.MRU
	p.Reparse()
	e.showCT(p)
}
