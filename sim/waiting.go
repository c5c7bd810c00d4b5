package sim

import (
	"bytes"
	"cmp"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// waiting are the packets that ovn-controller holds while it asks for the
// Ethernet address of their next hop.
type waiting struct {
	queues []*waitQueue
	ready  []*held // those that go on, in order
}

// waitQueue holds a chassis' packets for one next hop, oldest first.
type waitQueue struct {
	chassis int
	hop     macKey // port: the outport, which may be a chassisredirect port
	packets []*held
	expires conntrack.Time
	goesOn  conntrack.Time // when the binding takes effect; 0: not known yet
	mac     uint64
}

// held is a packet that waits, with what it needs to go on.
type held struct {
	p    *pkt
	of   Injection
	flow *table.Flow
	rest []table.Op // what follows in its flow; nil: it is output
	at   position
	due  conntrack.Time
}

// ovn-controller's bounds on what it holds.
const (
	maxQueues   = 1000
	waitTimeout = 10e9
	queueDepth  = 4
	queueDepth3 = 3 // without network.HoldsFour: a ring of four that is never full
)

// hold keeps p until the address that it was to be sent to is bound.
//
// Until 23.09, and wherever no action follows arp{} in the flow, the packet
// continues with "output;", untracked. Later versions pause it instead: it
// goes on after arp{}, and what flows see of its connection stays.
func (e *Engine) hold(p *pkt, f *table.Flow, op *table.Op, at position) {
	h := &held{p: e.copyOf(p), of: e.out.Of, flow: f, rest: after(f, op), at: at}
	h.of.Frame = bytes.Clone(h.of.Frame)
	h.p.recirculated = 0
	e.fresh(h.p)
	if h.rest == nil {
		clearBits(&h.p.Key, &ctMask)
	} else {
		e.pause(p)
		p.broken = true
	}
	if h.p.Key.Get(field.CTState) == 0 {
		h.p.ct.Clear()
	} else {
		p.chassis.ct.Detach(&h.p.ct)
	}
	hop := macKey{port: uint32(p.Key.Get(field.Outport)), ip: p.Key.Get128(field.XXReg0), v6: op.Block == lflow.NDNS}
	if !hop.v6 {
		hop.ip = hop.ip.Rsh(96)
	}
	q := e.waiting.queue(p.chassis.index, hop)
	if q == nil {
		e.reached(NextHopsFull, p.chassis, 0, maxQueues)
		e.put(h.p)
		e.drop(p, trace.DropConsumed, f)
		return
	}
	q.expires = e.now + waitTimeout
	q.packets = append(q.packets, h)
	depth := queueDepth
	if !e.has(p.chassis.AZ, network.HoldsFour) {
		depth = queueDepth3
	}
	if len(q.packets) > depth {
		e.put(q.packets[0].p)
		q.packets = slices.Delete(q.packets, 0, 1)
	}
	// The answer may be on its way from the database already. Or it is there,
	// and its flow is not.
	if entry, ok := e.learned.macs[e.bound(hop)]; ok && entry.from > e.now {
		q.goesOn, q.mac = entry.from, entry.mac
	} else if ok && !e.has(p.chassis.AZ, network.BindingAwaited) {
		q.goesOn, q.mac = e.now+learnDelay, entry.mac
	}
	e.drop(p, trace.DropWaits, f)
}

// after returns the actions after op in its flow, nil if it is the last or
// stands in a block.
func after(f *table.Flow, op *table.Op) []table.Op {
	for i := range f.Ops {
		if &f.Ops[i] == op && i+1 < len(f.Ops) {
			return f.Ops[i+1:]
		}
	}
	return nil
}

// queue returns the queue of a next hop, nil if there are too many.
func (w *waiting) queue(chassis int, hop macKey) *waitQueue {
	for _, q := range w.queues {
		if q.chassis == chassis && q.hop == hop {
			return q
		}
	}
	if len(w.queues) >= maxQueues {
		return nil
	}
	q := &waitQueue{chassis: chassis, hop: hop}
	w.queues = append(w.queues, q)
	return q
}

// bound is the key under which the address of a next hop is learned: a
// chassisredirect port stands for its distributed port.
func (e *Engine) bound(hop macKey) macKey {
	if port := e.port(hop.port); port != nil && port.Distributed != nil {
		hop.port = uint32(port.Distributed.Index)
	}
	return hop
}

// port returns the port with an index, nil if there is none.
func (e *Engine) port(n uint32) *network.Port {
	if n&groupBit != 0 || int(n) >= len(e.Net.Ports) {
		return nil
	}
	return e.Net.Ports[n]
}

// resolved is called when a MAC binding was learned that takes effect later.
func (e *Engine) resolved(k macKey, mac uint64, from conntrack.Time) {
	for _, q := range e.waiting.queues {
		if e.bound(q.hop) == k {
			q.goesOn, q.mac = from, mac
		}
	}
}

// Hurry lets packets go that wait for a binding which is learned but not known
// to have taken effect, or of which no capture shows how it was learned: one shows a
// packet of them leave by now, to an Ethernet address (0: not known) and from that of
// the router's port where it waits. shown says whether it is the one that was so
// injected.
func (e *Engine) Hurry(now conntrack.Time, mac, from uint64, shown func(of *Injection) bool) {
	for _, q := range e.waiting.queues {
		k := e.bound(q.hop)
		untold := q.goesOn == 0 && mac != 0 && sends(e.port(k.port), from)
		if q.goesOn <= now && !untold ||
			!slices.ContainsFunc(q.packets, func(h *held) bool { return shown(&h.of) }) {
			continue
		}
		q.goesOn = now
		entry, ok := e.learned.macs[k]
		switch {
		case ok && entry.from > now:
			entry.from = now
			e.learned.macs[k] = entry
		case untold && !ok && !e.learned.another(k, mac):
			q.mac = mac
			e.learned.macs[k] = macEntry{mac: mac, since: now}
		case untold:
			q.goesOn = 0
		}
	}
}

// sends reports whether an Ethernet address is a port's own.
func sends(p *network.Port, mac uint64) bool {
	return p != nil && slices.ContainsFunc(p.Addresses, func(a network.Address) bool {
		return header.MACNumber(a.MAC) == mac
	})
}

// Advance goes on with the packets that ovn-controller held and that are due
// by now: one a call, the earliest first. It returns what became of it, with
// Outcome.Of the injection that it was, or nil when no other is due. Whoever
// replays calls it until it returns nil before each Inject, with that
// packet's time, and after the last with a time beyond all.
func (e *Engine) Advance(now conntrack.Time) *Outcome {
	w := &e.waiting
	w.expire(e, now)
	if len(w.ready) == 0 {
		return nil
	}
	h := w.ready[0]
	w.ready = slices.Delete(w.ready, 0, 1)
	e.reset(h.of, h.due)
	e.out.Late = true
	e.note(h.p, trace.Note, trace.GoesOn, h.flow)
	if h.rest == nil {
		e.output(h.p, h.flow, h.at)
	} else {
		e.follow(h.p, h.flow, h.rest, h.at)
	}
	e.put(h.p)
	e.judge()
	return &e.out
}

// expire moves what is due by now to ready and forgets what waited too long.
func (w *waiting) expire(e *Engine, now conntrack.Time) {
	if len(w.queues) == 0 {
		return
	}
	var due []*held
	w.queues = slices.DeleteFunc(w.queues, func(q *waitQueue) bool {
		switch {
		case q.goesOn != 0 && q.goesOn <= now && q.goesOn <= q.expires:
			for _, h := range q.packets {
				h.p.Key.Set(field.EthDst, q.mac)
				h.due = q.goesOn
			}
			due = append(due, q.packets...)
			return true
		case q.expires < now:
			for _, h := range q.packets {
				e.put(h.p)
			}
			return true
		}
		return false
	})
	slices.SortStableFunc(due, func(a, b *held) int { return cmp.Compare(a.due, b.due) })
	w.ready = append(w.ready, due...)
}
