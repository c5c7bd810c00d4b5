package trace

import (
	"ovnreplay/sim/field"
)

// Path is a stretch of a packet's way that many packets share: what happened
// between two points at which state decides. It never changes once made.
type Path struct {
	events []Event // Depth counts from where the path begins
	values []field.Uint128

	noted    bool  // something is to be said of it: see Trace.Noted
	drop     int32 // the first event that ends the packet, -1: none
	match    int32 // the last flow that matched, -1: none
	consumed bool

	flows, power uint64 // see HashFlows
	hash         uint64
}

// flowPrime is the base of the hash of HashFlows.
const flowPrime = 1099511628211

// HashFlow continues a hash of the flows that a packet met, in order, with one
// more; -1 is that none matched.
func HashFlow(h uint64, flow int32) uint64 { return h*flowPrime + uint64(uint32(flow)) + 1 }

// HashFlows continues such a hash with the flows of the path.
func (p *Path) HashFlows(h uint64) uint64 { return h*p.power + p.flows }

// NewPath returns a path of events whose depths count from base; those of the
// kinds that name a value refer to values.
func NewPath(events []Event, values []field.Uint128, base uint16) *Path {
	p := &Path{events: append([]Event(nil), events...), drop: -1, match: -1, power: 1}
	for i := range p.events {
		ev := &p.events[i]
		ev.Depth -= base
		p.noted = p.noted || ev.notes()
		if ev.Kind == Match || ev.Kind == Miss {
			p.flows, p.power = HashFlow(p.flows, ev.Flow), p.power*flowPrime
		}
		switch {
		case ev.Valued():
			p.values = append(p.values, values[ev.Arg])
			ev.Arg = int32(len(p.values) - 1)
		case ev.Kind == Match:
			p.match = int32(i)
		case ev.Kind == Drop:
			if p.drop < 0 {
				p.drop = int32(i)
			}
			p.consumed = p.consumed || ev.consumes()
		}
	}
	p.hash = p.contents()
	return p
}

// Len returns how many events the path has.
func (p *Path) Len() int { return len(p.events) }

// Events returns the path's events, to be looked at only. Depths count from
// where the path begins, and values are the path's own.
func (p *Path) Events() []Event { return p.events }

// Same reports whether two paths tell the same.
func (p *Path) Same(q *Path) bool {
	if len(p.events) != len(q.events) || len(p.values) != len(q.values) {
		return false
	}
	for i := range p.events {
		if p.events[i] != q.events[i] {
			return false
		}
	}
	for i := range p.values {
		if p.values[i] != q.values[i] {
			return false
		}
	}
	return true
}

// Hash returns a number that paths which are the same have in common.
func (p *Path) Hash() uint64 { return p.hash }

func (p *Path) contents() uint64 {
	h := uint64(len(p.events))
	mix := func(v uint64) { h = (h ^ v) * 0xff51afd7ed558ccd; h ^= h >> 32 }
	for i := range p.events {
		ev := &p.events[i]
		mix(uint64(ev.Kind)<<56 | uint64(ev.Table)<<48 | uint64(ev.Depth)<<32 | uint64(uint32(ev.Flow)))
		mix(uint64(ev.Port)<<32 | uint64(uint32(ev.Arg)))
	}
	for _, v := range p.values {
		mix(v.Hi)
		mix(v.Lo)
	}
	return h
}

// Valued reports whether the event's Arg names a value.
func (ev *Event) Valued() bool { return ev.Kind == Set || ev.Kind == Found || ev.Kind == Lost }

// notes reports whether the event is that something was learned, made, guessed or
// left out.
func (ev *Event) notes() bool {
	switch ev.Kind {
	case Broken, Note, Learn, Made, Gone:
		return true
	}
	return false
}

// Noted reports whether the trace tells of something learned, made, guessed, gone or left
// out.
func (t *Trace) Noted() bool {
	for i := range t.own {
		if t.own[i].notes() {
			return true
		}
	}
	for i := range t.parts {
		if t.parts[i].path.noted {
			return true
		}
	}
	return false
}

// consumes reports whether ovn-controller has the packet then.
func (ev *Event) consumes() bool { return ev.Reason == DropConsumed || ev.Reason == DropWaits }

// part is a path within a trace.
type part struct {
	path  *Path
	own   int32  // events of the trace's own before it
	depth uint16 // of the packet where it begins
}

// Add appends an event.
func (t *Trace) Add(ev Event) { *t.Next(ev.Kind) = ev }

// AddValue appends an event about a value.
func (t *Trace) AddValue(ev Event, v field.Uint128) {
	ev.Arg = t.Value(v)
	t.Add(ev)
}

// Next appends an event of which only the kind is known yet, to be filled in where it lies: what
// has just been put together of small parts is slow to copy, since each part has to arrive first.
func (t *Trace) Next(kind Kind) *Event {
	t.n++
	if kind == Drop {
		t.drops++
	}
	t.own = append(t.own, Event{})
	ev := &t.own[len(t.own)-1]
	ev.Kind = kind
	return ev
}

// Value notes a value, and returns the Arg of an event that refers to it.
func (t *Trace) Value(v field.Uint128) int32 {
	t.values = append(t.values, v)
	return int32(len(t.values) - 1)
}

// AddPath appends the events of a path that the packet takes at a depth.
func (t *Trace) AddPath(p *Path, depth uint16) {
	t.parts = append(t.parts, part{p, int32(len(t.own)), depth})
	t.n += len(p.events)
	if p.drop >= 0 {
		t.drops++
	}
}

// Len returns how many events there are.
func (t *Trace) Len() int { return t.n }

// Last returns the last event of a kind, of those of the last path or after it,
// to be looked at only; nil if there is none.
func (t *Trace) Last(kind Kind) *Event {
	last := part{}
	if n := len(t.parts); n > 0 {
		last = t.parts[n-1]
	}
	for i := len(t.own) - 1; i >= int(last.own); i-- {
		if t.own[i].Kind == kind {
			return &t.own[i]
		}
	}
	if last.path == nil {
		return nil
	}
	for i := len(last.path.events) - 1; i >= 0; i-- {
		if last.path.events[i].Kind == kind {
			return &last.path.events[i]
		}
	}
	return nil
}

// Events returns all events in their order. It and Values are valid until the
// trace changes.
func (t *Trace) Events() []Event {
	t.flatten()
	return t.flat
}

// Values returns what events about a value refer to.
func (t *Trace) Values() []field.Uint128 {
	t.flatten()
	return t.flatValues
}

// flatten puts the trace's own events and those of paths in one row.
func (t *Trace) flatten() {
	if len(t.parts) == 0 {
		t.flat, t.flatValues, t.flatLen = t.own, t.values, t.n
		return
	}
	if t.flatLen == t.n {
		return
	}
	t.flat, t.flatValues = t.room[:0], t.roomValues[:0]
	from := int32(0)
	for i := range t.parts {
		p := &t.parts[i]
		t.extend(t.own[from:p.own], t.values, 0)
		t.extend(p.path.events, p.path.values, p.depth)
		from = p.own
	}
	t.extend(t.own[from:], t.values, 0)
	t.room, t.roomValues, t.flatLen = t.flat, t.flatValues, t.n
}

func (t *Trace) extend(events []Event, values []field.Uint128, depth uint16) {
	n := len(t.flat)
	t.flat = append(t.flat, events...)
	for i := n; i < len(t.flat); i++ {
		ev := &t.flat[i]
		ev.Depth += depth
		if ev.Valued() {
			t.flatValues = append(t.flatValues, values[ev.Arg])
			ev.Arg = int32(len(t.flatValues) - 1)
		}
	}
}

// Put makes events and the values they refer to the whole of the trace.
func (t *Trace) Put(events []Event, values []field.Uint128) {
	t.own, t.values, t.parts, t.n, t.drops, t.flatLen = events, values, nil, len(events), len(events), -1
}

// Parts calls yield with each stretch of the trace in order: a path, or events
// of the trace's own; first is the index of its first event.
func (t *Trace) Parts(yield func(first int, path *Path, own []Event)) {
	from, at := int32(0), 0
	for i := range t.parts {
		p := &t.parts[i]
		if p.own > from {
			yield(at, nil, t.own[from:p.own])
			at += int(p.own - from)
		}
		yield(at, p.path, nil)
		at += len(p.path.events)
		from = p.own
	}
	if int(from) < len(t.own) {
		yield(at, nil, t.own[from:])
	}
}

// Each is Parts with the depth of the packet where a path begins, without indexes.
func (t *Trace) Each(yield func(path *Path, depth uint16, own []Event)) {
	from := int32(0)
	for i := range t.parts {
		p := &t.parts[i]
		if p.own > from {
			yield(nil, 0, t.own[from:p.own])
		}
		yield(p.path, p.depth, nil)
		from = p.own
	}
	if int(from) < len(t.own) {
		yield(nil, 0, t.own[from:])
	}
}

// AppendValues appends what Values returns.
func (t *Trace) AppendValues(list []field.Uint128) []field.Uint128 {
	t.Each(func(path *Path, _ uint16, own []Event) {
		if path != nil {
			list = append(list, path.values...)
		}
		for i := range own {
			if own[i].Valued() {
				list = append(list, t.values[own[i].Arg])
			}
		}
	})
	return list
}

// Ending is what a trace says of how the packet ended.
type Ending struct {
	Drop     int    // index of the first event that ends a packet, -1: none
	Why      Reason // its reason
	Consumed bool   // ovn-controller has a packet, or conntrack holds it
	Match    int    // index of the last event at which a flow matched, -1: none

	held int // one more than the index of the last event at which conntrack held a fragment
}

// Ending sums the trace up.
func (t *Trace) Ending() Ending {
	e := Ending{Drop: -1, Match: -1}
	from, at := int32(0), 0
	for i := range t.parts {
		p := &t.parts[i]
		e.read(t.own[from:p.own], at)
		at += int(p.own - from)
		from = p.own
		if p.path.match >= 0 {
			e.Match = at + int(p.path.match)
		}
		if d := p.path.drop; d >= 0 && e.Drop < 0 {
			e.Drop, e.Why = at+int(d), p.path.events[d].Reason
		}
		e.Consumed = e.Consumed || p.path.consumed
		at += len(p.path.events)
	}
	e.read(t.own[from:], at)
	if e.held > 0 && e.Drop < 0 { // else the fragments went on with this one, and ended elsewhere
		e.Drop, e.Why, e.Consumed = e.held-1, DropFragment, true
	}
	return e
}

func (e *Ending) read(events []Event, at int) {
	for i := range events {
		switch ev := &events[i]; ev.Kind {
		case Match:
			e.Match = at + i
		case Drop:
			if ev.Reason == DropFragment {
				e.held = at + i + 1
				continue
			}
			if e.Drop < 0 {
				e.Drop, e.Why = at+i, ev.Reason
			}
			e.Consumed = e.Consumed || ev.consumes()
		}
	}
}

// Has reports whether the packet ended somewhere for a reason.
func (t *Trace) Has(why Reason) bool {
	if t.drops == 0 {
		return false
	}
	for i := range t.own {
		if t.own[i].Kind == Drop && t.own[i].Reason == why {
			return true
		}
	}
	for i := range t.parts {
		p := t.parts[i].path
		if p.drop < 0 {
			continue
		}
		for j := int(p.drop); j < len(p.events); j++ {
			if p.events[j].Kind == Drop && p.events[j].Reason == why {
				return true
			}
		}
	}
	return false
}
