package replay

import (
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/trace"
)

// Which backend the datapath's hash chose may show in no frame: the packet was
// dropped on its way there, or OVN answered it. Then what does not come tells: a
// packet is replayed with the choice that the engine takes by rule, and where captures
// show something else, with each of the others until one agrees with them.

const (
	// maxTrials bounds how many packets are tried: the engine's state is kept for each.
	maxTrials = 1 << 9
	// maxAsked bounds how many destinations are told apart.
	maxAsked = 1 << 12
	// plainAfter is after how many packets for which nothing was to choose a
	// destination is taken for no load balancer's.
	plainAfter = 4
)

// trial is which choices are open, and what is known of who leaves them open.
type trial struct {
	asked  map[destination]int // packets for which nothing was to choose; chooses: something was
	kept   int                 // states
	open   []sim.ChoiceOption  // of the packet in progress, where no frame shows which was taken
	forced *sim.ChoiceOption   // the one to be tried
}

const chooses = -1

// destination is where the first packet of a connection goes.
type destination struct {
	to    endpoint
	proto uint64
}

// left notes a choice that no frame shows. It returns the option that is to be tried.
func (t *trial) left(c *sim.Choice) (int, bool) {
	if t.forced != nil {
		for i := range c.Options {
			if o := &c.Options[i]; o.Addr == t.forced.Addr && o.Port == t.forced.Port && o.V6 == t.forced.V6 {
				return i, true
			}
		}
		return 0, false
	}
	if c.Kind == trace.GuessBackend && len(t.open) == 0 {
		t.open = append(t.open, c.Options...)
	}
	return 0, false
}

// undecided reports whether a frame may begin a connection whose backend is chosen.
func (t *trial) undecided(f *Frame) (destination, bool) {
	h := f.Headers()
	d := destination{proto: h.Key.Get(field.IPProto)}
	if t.kept >= maxTrials || h.Layout.L4 == 0 || d.proto == header.ProtoTCP && !opensTCP(h) {
		return d, false
	}
	d.to = endpoints(h)[1]
	n := t.asked[d]
	return d, n == chooses || n < plainAfter && len(t.asked) < maxAsked
}

// note notes whether a packet to a destination had a choice that no frame shows.
func (t *trial) note(d destination) {
	if t.asked == nil {
		t.asked = map[destination]int{}
	}
	switch {
	case len(t.open) > 1:
		t.asked[d] = chooses
	case t.asked[d] != chooses:
		t.asked[d]++
	}
}

// decides replays a frame whose backend only the outcome may tell. False: it is to be
// replayed as others are.
func (s *Run) decides(f *Frame) bool {
	t := &s.trial
	d, ok := t.undecided(f)
	if !ok || f.Inferred || s.opts.Ahead == 0 || s.resuming != nil {
		return false
	}
	before, ok := s.saved()
	if !ok {
		return false
	}
	t.kept++
	t.open, t.forced = t.open[:0], nil
	out := s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	t.note(d)
	if len(t.open) > 1 {
		if _, agrees := s.check(f, out); !agrees {
			out = s.otherwise(f, before, out)
		}
	}
	s.fate(f, out)
	return true
}

// otherwise replays a frame with each of the choices that are open, until captures
// agree with what becomes of it. If they agree with none, it is as it was.
func (s *Run) otherwise(f *Frame, before []byte, out *sim.Outcome) *sim.Outcome {
	t := &s.trial
	defer func() { t.forced = nil }()
	for i := range t.open {
		t.forced = &t.open[i]
		if !s.restore(before) {
			return out
		}
		out = s.put(s.Engine, f, f.point.Port, f.point.Chassis)
		if _, agrees := s.check(f, out); agrees {
			return out
		}
	}
	t.forced = nil
	if s.restore(before) {
		out = s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	}
	return out
}
