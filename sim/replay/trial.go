package replay

import (
	"cmp"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/trace"
)

// Which backend the datapath's hash chose may show in no frame: the packet was
// dropped on its way there, or OVN answered it. Then what does not come tells: a
// packet is replayed with the choice that the engine takes by rule, and where captures
// show something else, with each of the others until one agrees with them. So it is
// with logical flows of one priority that both match, and of which no dump of the
// switch's flows tells which it uses.

const (
	// maxTrials bounds how many packets are tried: the engine's state is kept for each.
	maxTrials = 1 << 9
	// maxAsked bounds how many destinations are told apart.
	maxAsked = 1 << 12
	// plainAfter is after how many packets for which nothing was to choose a
	// destination is taken for no load balancer's.
	plainAfter = 4
	// maxWeighed bounds what trials look at: each of a load balancer's backends is tried, and
	// each time all are looked at. Of 300 it is all of them for some 90 packets.
	maxWeighed = 1 << 23
)

// trial is which choices are open, and what is known of who leaves them open.
type trial struct {
	asked  map[destination]int // packets for which nothing was to choose; chooses: something was
	kept   int                 // states
	again  int                 // packets tried as of connections that began before
	looks  int                 // at backends, in all trials
	open   []sim.ChoiceOption  // of the packet in progress, where no frame shows which was taken
	ties   []contest           // of it: flows of which it is not known which the switch uses
	forced *sim.ChoiceOption   // the one to be tried
}

const chooses = -1

// contest is two logical flows that matched a packet, by index, on a chassis.
type contest struct{ chassis, used, other int32 }

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
	case len(t.open) > 1 || len(t.ties) > 0:
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
	t.ties = s.contests(t.ties[:0], out)
	t.note(d)
	if len(t.open) > 1 || len(t.ties) > 0 {
		if _, agrees := s.check(f, out); !agrees {
			out = s.otherwise(f, before, out)
		}
	}
	s.fate(f, out)
	return true
}

// contests appends the flows that a packet met, of which it is not known which the
// switch uses.
func (s *Run) contests(list []contest, out *sim.Outcome) []contest {
	if !s.Engine.Tied() {
		return list
	}
	for _, ev := range out.Trace.Events() {
		if ev.Kind != trace.Note || ev.Reason != trace.TieUndefined {
			continue
		}
		if x := (contest{ev.Chassis, ev.Flow, ev.Arg}); !s.Engine.Settled(x.chassis, x.used, x.other) {
			list = append(list, x)
		}
	}
	return list
}

// otherwise replays a frame with each of the choices that are open, until captures
// agree with what becomes of it. If they agree with none, it is as it was.
func (s *Run) otherwise(f *Frame, before []byte, out *sim.Outcome) *sim.Outcome {
	t := &s.trial
	if len(t.open) > 1 {
		for i := range t.open {
			if t.looks += len(t.open); t.looks > maxWeighed {
				break
			}
			t.forced = &t.open[i]
			put, agrees := s.anew(f, before, nil)
			if t.forced = nil; agrees || put == nil {
				return cmp.Or(put, out)
			}
		}
	}
	for _, x := range t.ties {
		put, agrees := s.anew(f, before, func() { s.Engine.Prefer(x.chassis, x.other, x.used) })
		if agrees || put == nil {
			return cmp.Or(put, out)
		}
	}
	if s.restore(before) {
		out = s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	}
	return out
}

// anew replays a frame from the state that was before it, once something is done first,
// and reports whether captures agree with what becomes of it. nil: it could not.
func (s *Run) anew(f *Frame, before []byte, first func()) (out *sim.Outcome, agrees bool) {
	if !s.restore(before) {
		return nil, false
	}
	if first != nil {
		first()
	}
	out = s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	_, agrees = s.check(f, out)
	return out, agrees
}
