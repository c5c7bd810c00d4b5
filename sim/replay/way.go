package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim/trace"
)

// way is the flows that a packet met. It is kept as the stretches that the
// packet shares with others, and spelled out only for those who ask.
type way struct {
	stretches []stretch
	spelled   []step
}

// stretch is the first events of a path, or a step of the packet's own.
type stretch struct {
	path   *trace.Path
	events int
	own    step
}

func stepOf(ev *trace.Event) step {
	return step{visit{ev.Flow, ev.Datapath, ev.Egress, ev.Table}, ev.Chassis}
}

// reset empties the way and keeps its buffers.
func (w way) reset() way { return way{w.stretches[:0], w.spelled[:0]} }

// hash is a number that ways through the same flows have in common.
func (w *way) hash() uint64 {
	h := uint64(0)
	for i := range w.stretches {
		s := &w.stretches[i]
		switch {
		case s.path == nil:
			h = trace.HashFlow(h, s.own.flow)
		case s.events == s.path.Len():
			h = s.path.HashFlows(h)
		default:
			for _, ev := range s.path.Events()[:s.events] {
				if ev.Kind == trace.Match || ev.Kind == trace.Miss {
					h = trace.HashFlow(h, ev.Flow)
				}
			}
		}
	}
	return h
}

// clone returns a way that shares no buffers.
func (w way) clone() way { return way{stretches: slices.Clone(w.stretches)} }

// steps are the tables passed, in order, each with the flow that matched.
func (w *way) steps() []step {
	if len(w.spelled) > 0 {
		return w.spelled
	}
	for i := range w.stretches {
		s := &w.stretches[i]
		if s.path == nil {
			w.spelled = append(w.spelled, s.own)
			continue
		}
		events := s.path.Events()[:s.events]
		for j := range events {
			if ev := &events[j]; ev.Kind == trace.Match || ev.Kind == trace.Miss {
				w.spelled = append(w.spelled, stepOf(ev))
			}
		}
	}
	return w.spelled
}

// last is the last table passed: where the packet was dropped, if it was.
func (w *way) last() visit {
	all := w.steps()
	if len(all) == 0 {
		return visit{flow: -1}
	}
	return all[len(all)-1].visit
}

// read notes the packet's way from its trace, up to the event that dropped it
// if it was, or by which it was held.
func (x *fate) read(t *trace.Trace, dropAt int) {
	stopped := false
	t.Parts(func(first int, path *trace.Path, own []trace.Event) {
		switch {
		case stopped:
		case path != nil:
			n := path.Len()
			if dropAt >= first && dropAt < first+n {
				n, stopped = dropAt-first+1, true
			}
			x.way.stretches = append(x.way.stretches, stretch{path: path, events: n})
		default:
			stopped = x.readOwn(t, own, dropAt-first)
		}
	})
}

// readOwn reads events that the packet shares with no other; true if it ended.
func (x *fate) readOwn(t *trace.Trace, own []trace.Event, dropAt int) (ended bool) {
	for i := range own {
		switch ev := &own[i]; ev.Kind {
		case trace.Match, trace.Miss:
			x.way.stretches = append(x.way.stretches, stretch{own: stepOf(ev)})
		case trace.NAT:
			n := &t.NAT[ev.Arg]
			to := endpoint{n.To.Src, n.To.SrcPort}
			if n.Dst {
				to = endpoint{n.To.Dst, n.To.DstPort}
			}
			x.nat = append(x.nat, natStep{n.Flow, n.Dst, to})
		case trace.Drop:
			if ev.Reason == trace.DropWaits {
				return true
			}
		case trace.CT:
			c := &t.CT[ev.Arg]
			x.loose = x.loose || c.Loose || c.State&conntrack.Invalid != 0
		}
		if i == dropAt {
			return true
		}
	}
	return false
}
