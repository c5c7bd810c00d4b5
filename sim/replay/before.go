package replay

import (
	"cmp"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// What decides about a connection may be from before the captures, though they show what
// looks like its beginning: a first packet is sent again when nobody answers, and is then one
// of a connection that conntrack knows. What is replayed of it is what a connection that
// begins would be given.

// fromBefore says which artefact explains that a prediction differs from what was observed in
// nothing but what the state of its connection gives, which the captures do not show: others
// of its flow came out as predicted once more was known, or captures had not begun. "": none does.
func (v *Verifier) fromBefore(p, o *waiter, fields []Difference) Cause {
	flow := v.noteFlow(o.point, o.data, o.Headers(), false)
	known := p.way.loose || v.inferredFrom(p, o) || flow.before
	if !known && !o.hidesConnection() || v.awaited(o) {
		return ""
	}
	for i := range fields {
		if !fields[i].ofConnection() {
			return ""
		}
	}
	why := cmp.Or(v.outside(o), v.begins(p, o))
	switch {
	case why != "":
	case flow.before:
		why = CauseLate
	case known && flow.matched > 0:
		why = CauseLost
	}
	flow.before = flow.before || why != ""
	return why
}

// inferredFrom reports whether a packet was put where it must have entered for what was
// observed of it.
func (v *Verifier) inferredFrom(p, o *waiter) bool {
	return p.inferred && p.capture == o.capture && p.file == o.file && p.number == o.number
}

// awaited reports whether a packet of the flow of an observed one was predicted, of a frame
// that captures hold, and is still to come: the observed one may be what it became.
func (v *Verifier) awaited(o *waiter) bool {
	k := v.flowKey(o.point, o.data, o.Headers(), false)
	is := func(w *waiter) bool {
		return !w.done && w.predicted && !w.inferred && w.point == o.point &&
			v.flowKey(w.point, w.data, w.Headers(), false) == k
	}
	return slices.ContainsFunc(v.order[v.front:], is) || slices.ContainsFunc(v.undecided, is)
}

// hidesConnection reports whether a packet does not tell the ends of its connection, so that
// what opened that is not inferred from it: a fragment, or an error about another packet.
func (w *waiter) hidesConnection() bool { return w.form.fragment || w.form.quotes }

// ofConnection reports whether a field that differs is one that a connection's state decides on.
func (d *Difference) ofConnection() bool { return isTupleField(d.Field) || d.Field == icmpID }

// begins says whether a packet is among the first that its capture holds, which may have begun
// after what decides about it entered: at the same port, if it answers, or at any of a host.
func (v *Verifier) begins(p, o *waiter) Cause {
	s := v.run.Taps[o.capture].Site
	if (p.way.loose || o.hidesConnection() || s != nil && s.Kind == AtHost) &&
		o.time-v.spans[o.capture].first < askTime {
		return CauseFlight
	}
	return ""
}

// incomplete reports whether captures of a point lack what a packet there would answer: they
// had not begun, or had ended.
func (x *flowSeen) incomplete(h *packet.Headers) bool {
	const answers = header.FlagSYN | header.FlagACK
	return x.lacks || h.Key.Get(field.TCPFlags)&answers == answers && !x.syn
}
