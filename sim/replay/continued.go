package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
)

// A packet that opens a connection, as far as it tells itself, may be the second that does:
// a SYN that is sent again, a datagram of a flow that went on before the captures began.
// Flows of OVN tell those apart by conntrack. Soon after a capture begins, where captures
// show that such a packet left otherwise, it is tried as one of a connection that was
// opened before, and gone on with so if they agree then.

const (
	// continues is how long after its capture begins a packet may be of a connection that
	// began before: the longest time between two SYNs (Linux' tcp_syn_retries, 6), and
	// between two datagrams that conntrack still takes for one connection.
	continues = 180 * conntrack.Second
	// maxContinued bounds how many packets are tried.
	maxContinued = 1 << 7
)

// continued replays a frame that is tried so. False: it is to be replayed as others are.
func (s *Run) continued(f *Frame) bool {
	if s.opts.NoInference || f.Inferred || s.trial.again >= maxContinued || f.point.Port.IsFunction() ||
		f.Time-s.Taps[f.Capture].first > continues || f.Headers().Layout.L4 == 0 || !opens(f.Headers()) ||
		f.Headers().Key.Get(field.IPFrag) != 0 {
		return false
	}
	l := s.leaving(f)
	if l == nil || l.dir != Left || s.inferrer.known(flowOf(f)) || s.tracked(f) {
		return false
	}
	before, ok := s.saved()
	if !ok {
		return false
	}
	s.trial.again++
	out := s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	if shown, agrees := s.check(f, out); !agrees {
		if !shown || !leavesIn(out, l) {
			s.restore(before)
			return false
		}
		var at *Point
		out, agrees = s.anew(f, before, func() {
			s.resuming = &resumption{of: f, as: l}
			at = s.openFrom(f, l)
			s.resuming = nil
		})
		if at == nil || !agrees {
			return !s.restore(before) // it is nothing that this would explain
		}
		s.began(f, at)
	}
	s.fate(f, out)
	return true
}

// leavesIn reports whether a predicted packet leaves where a frame was seen.
func leavesIn(out *sim.Outcome, l *Frame) bool {
	return slices.ContainsFunc(out.Outputs, func(o sim.Output) bool { return !o.Made && leavesAt(&o, l.point) })
}
