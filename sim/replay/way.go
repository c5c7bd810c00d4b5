package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// way is the flows that a packet met, and where it led. It is kept as the
// stretches that the packet shares with others, and spelled out only for those
// who ask. A way never changes: packets that go the same way have the same.
type way struct {
	stretches []stretch
	outs      []*network.Port    // at which the packet left, as itself
	crossed   []*network.Chassis // to which it went through tunnels
	spelled   []step
}

// ways are those that packets went lately, each kept once.
type ways struct {
	known  filed[*way]
	making way
}

// maxWays bounds how many ways are known.
const maxWays = 1 << 12

// made returns the way that has just been made, or the same one made before.
func (t *ways) made() *way {
	w := &t.making
	h := w.key()
	if known := t.known.get(h); known != nil {
		if (*known).same(w) {
			return *known
		}
	} else if t.known.n >= maxWays {
		t.known.clear()
	}
	kept := &way{slices.Clone(w.stretches), slices.Clone(w.outs), slices.Clone(w.crossed), nil}
	*t.known.put(h) = kept
	return kept
}

// key is a hash of all that a way is.
func (w *way) key() uint64 {
	h := uint64(len(w.stretches))
	for i := range w.stretches {
		if s := &w.stretches[i]; s.path != nil {
			h = hashWord(h, s.path.Hash()^uint64(s.events))
		} else {
			h = hashWord(hashWord(h, uint64(uint32(s.own.flow))<<32|uint64(uint32(s.own.datapath))),
				uint64(uint32(s.own.chassis))<<32|uint64(s.own.table))
		}
	}
	for _, p := range w.outs {
		h = hashWord(h, uint64(p.Index))
	}
	for _, c := range w.crossed {
		h = hashWord(h, uint64(c.Index)<<32)
	}
	return h
}

func (w *way) same(x *way) bool {
	return slices.Equal(w.stretches, x.stretches) && slices.Equal(w.outs, x.outs) && slices.Equal(w.crossed, x.crossed)
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

// hash is a number that ways through the same flows have in common.
func (w *way) hash() uint64 {
	h := uint64(0)
	if w == nil {
		return h
	}
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

// steps are the tables passed, in order, each with the flow that matched.
func (w *way) steps() []step {
	if w == nil || len(w.spelled) > 0 {
		return w.known()
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

func (w *way) known() []step {
	if w == nil {
		return nil
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
func (x *fate) read(known *ways, out *sim.Outcome, dropAt int) {
	w, t := &known.making, &out.Trace
	*w = way{stretches: w.stretches[:0], outs: w.outs[:0], crossed: w.crossed[:0]}
	for i := range out.Tunnels {
		w.crossed = append(w.crossed, out.Tunnels[i].To)
	}
	for i := range out.Outputs {
		if !out.Outputs[i].Made {
			w.outs = append(w.outs, out.Outputs[i].Port)
		}
	}
	stopped := false
	t.Parts(func(first int, path *trace.Path, own []trace.Event) {
		switch {
		case stopped:
		case path != nil:
			n := path.Len()
			if dropAt >= first && dropAt < first+n {
				n, stopped = dropAt-first+1, true
			}
			w.stretches = append(w.stretches, stretch{path: path, events: n})
		default:
			stopped = x.readOwn(w, t, own, dropAt-first)
		}
	})
	x.way = known.made()
}

// readOwn reads events that the packet shares with no other; true if it ended.
func (x *fate) readOwn(w *way, t *trace.Trace, own []trace.Event, dropAt int) (ended bool) {
	for i := range own {
		switch ev := &own[i]; ev.Kind {
		case trace.Match, trace.Miss:
			w.stretches = append(w.stretches, stretch{own: stepOf(ev)})
		case trace.NAT:
			n := &t.NAT[ev.Arg]
			to := endpoint{n.To.Src, n.To.SrcPort}
			if n.Dst {
				to = endpoint{n.To.Dst, n.To.DstPort}
			}
			x.nat = append(x.nat, natStep{n.Flow, n.Dst, to})
		case trace.Note:
			x.metered = x.metered || ev.Reason == trace.NearRate
		case trace.Drop:
			if ev.Reason == trace.DropWaits {
				return true
			}
		case trace.CT:
			c := &t.CT[ev.Arg]
			x.loose = x.loose || c.Loose || c.State&conntrack.Invalid != 0
			x.refused(c)
		}
		if i == dropAt {
			return true
		}
	}
	return false
}

// refused notes why conntrack refused a packet, or that its connection began before the capture: a
// packet of no connection that it has seen is one of those, one with a wrong checksum is not.
func (x *fate) refused(c *trace.CTStep) {
	ofItself := c.State&conntrack.Invalid != 0
	switch c.Refusal {
	case conntrack.NotRefused, conntrack.NoConnection, conntrack.NotTrackable:
		ofItself = false
	}
	if ofItself && x.refusal == conntrack.NotRefused {
		x.refusal, x.check = c.Refusal, c.Check
	}
	x.unseen = x.unseen || c.Loose || c.State&conntrack.Invalid != 0 && !ofItself
}

// tracked says what connection tracking has to do with what became of a packet, to follow that.
func (x *fate) tracked() (text string) {
	if x.refusal != conntrack.NotRefused {
		text = "; conntrack refused it: " + x.refusal.Explain(&x.check)
	}
	if x.unseen {
		text += "; its connection began before the capture"
	}
	return text
}
