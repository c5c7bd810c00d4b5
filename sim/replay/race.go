package replay

import (
	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// A change of the database is in the switches some time after it is committed:
// ovn-controller hears of it, works out what it means and installs the flows. What
// packets of that time met is told by what became of them: each is tried on both
// networks, and the former one is gone on with while captures show that it was met.

// raceTime is how long after its commit a change is in the switch at the latest.
const raceTime = conntrack.Second / 10

// installTime is how long it takes at least: where nothing tells, a packet that comes
// sooner meets the former network.
const installTime = conntrack.Second / 100

const (
	// maxChanges bounds how many changes are on their way: one more is there.
	maxChanges = 8
	// maxTried bounds how many packets of one change are tried, and maxKept how many
	// connections there may be then: all must be put back.
	maxTried, maxKept = 1 << 9, 1 << 12
)

// race is what has been committed of the network, and may not be installed yet.
type race struct {
	begun   bool      // the network has been one of them
	changes []edition // the oldest first
	tried   int
	ahead   *sim.Engine // on the network of the first of the changes
}

// edition is the network as it is since a moment.
type edition struct {
	net   *network.Network
	since conntrack.Time
}

// Race is a packet that met the network as it was before a change that had been committed.
type Race struct {
	Capture string `json:"capture"`
	Frame   int    `json:"frame"`
	Port    string `json:"port"`
	Time    Moment `json:"time"`
	Change  Moment `json:"change"` // when it was committed
	Packet  string `json:"packet"`
}

// change takes the network as it is now, or notes that it is about to change.
func (s *Run) change() {
	if s.opts.Changes == nil || s.err != nil {
		return
	}
	r := &s.race
	for {
		net, since, err := s.opts.Changes(s.now)
		if err != nil {
			s.err = err
			return
		}
		if net == nil {
			break
		}
		r.changes = append(r.changes, edition{net, since})
	}
	// What the run began with is no network that ever was: see southbound.Past.
	for len(r.changes) > 0 && (!r.begun || s.now-r.changes[0].since >= raceTime || s.opts.Ahead == 0 ||
		len(r.changes) > maxChanges) {
		s.become()
	}
}

// become goes on with the network of the next change.
func (s *Run) become() {
	next := s.race.changes[0]
	become := s.Engine.Become
	if !s.race.begun {
		become = s.Engine.Start
	}
	s.race = race{begun: true, changes: s.race.changes[1:]}
	become(next.net)
	heard := s.owners.heard
	s.owners = NewOwners(s.Engine.Net)
	s.owners.heard = heard
	for _, t := range s.Taps {
		t.become(s.Engine.Net)
	}
	s.inferrer.become()
	s.trial.asked = nil
	s.wires.become(s.Engine.Net)
	s.placeAgain()
	if h, ok := s.handler.(follower); ok {
		h.become(next.since)
	}
}

// tries replays a frame while a change of the network is on its way: on the former
// network if captures show that it met that, else on the new one, which is then
// there. False: the frame is to be replayed on the network as it is.
func (s *Run) tries(f *Frame) bool {
	if len(s.race.changes) == 0 || f.Inferred { // what is inferred is so in the network as it is
		return false
	}
	before, ok := s.saved()
	if s.race.tried++; !ok || s.race.tried > maxTried {
		s.renew(f)
		return true
	}
	next := s.race.changes[0]
	shown, agrees := s.foresees(f, before)
	if agrees && (shown || f.Time-next.since >= installTime) {
		s.renew(f)
		return true
	}
	out := s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	if _, was := s.check(f, out); !was {
		if s.restore(before) {
			s.renew(f)
		}
		return true
	}
	s.fate(f, out)
	if h, ok := s.handler.(racer); ok && !agrees {
		h.raced(Race{Capture: s.name(f), Frame: f.Number, Port: f.point.Name(), Time: Moment(f.Time),
			Change: Moment(next.since), Packet: Line(f.Data)})
	}
	return true
}

// foresees tries a frame on the network that is about to be: see check.
func (s *Run) foresees(f *Frame, state []byte) (shown, agrees bool) {
	r := &s.race
	if r.ahead == nil {
		e, err := s.Engine.Beside(r.changes[0].net)
		if err != nil {
			return false, true
		}
		r.ahead = e
	}
	r.ahead.Forget()
	if _, err := r.ahead.Restore(state, [32]byte{}); err != nil {
		return false, true
	}
	net := r.ahead.Net
	p, c := net.Port(f.point.Port.Name), net.ChassisByName(f.point.Chassis.Name)
	if p == nil || c == nil {
		return s.check(f, &sim.Outcome{})
	}
	return s.check(f, s.put(r.ahead, f, p, c))
}

// check holds what became of a frame, on whichever network, against what was read
// ahead: whether captures show anything of it, and show nothing else.
func (s *Run) check(f *Frame, out *sim.Outcome) (shown, agrees bool) {
	for l, n := s.alike(f.id).first, 0; f.id != 0 && l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir != Left || l.skip != "" || l.twin || l.point.Port == nil || l.Time-f.Time > soonest ||
			f.Time-l.Time > soonest {
			continue
		}
		if !predicts(out, l) {
			return true, false
		}
		shown = true
	}
	for i := range out.Outputs {
		if o := &out.Outputs[i]; s.watches(o) && !s.comes(o) {
			return shown, false
		}
	}
	for _, l := range s.queue[s.head:] {
		if l.Time-f.Time > raceTime {
			break
		}
		if !l.played && s.answers(l, f) {
			if !predicts(out, l) {
				return true, false
			}
			shown = true
		}
	}
	return shown, true
}

// leavesAt reports whether a predicted frame leaves where another was seen.
func leavesAt(o *sim.Output, seen *Point) bool {
	return o.Port.Name == seen.Port.Name && o.Chassis.Name == seen.Chassis.Name
}

// predicts reports whether an outcome has a frame where it was seen, byte for byte.
func predicts(out *sim.Outcome, seen *Frame) bool {
	b := waiter{data: seen.Data, wire: seen.Wire, form: formOf(seen.Data, seen.Headers(), seen.Wire)}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if !leavesAt(o, seen.point) {
			continue
		}
		a := waiter{data: o.Data, wire: o.Wire, form: formOf(o.Data, o.Headers(), o.Wire)}
		if likeFrames(&a, &b, seen.Bare).same {
			return true
		}
	}
	return false
}

// watches reports whether there is a capture where a predicted frame leaves.
func (s *Run) watches(o *sim.Output) bool {
	p, c := s.Engine.Net.Port(o.Port.Name), s.Engine.Net.ChassisByName(o.Chassis.Name)
	return p != nil && c != nil && s.inferrer.captured[keyOf(p, c)]
}

// comes reports whether a predicted frame is among those that were read ahead.
func (s *Run) comes(o *sim.Output) bool {
	for l, n := s.alike(identityHash(o.Data, o.Headers())).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir == Left && l.skip == "" && l.point.Port != nil && leavesAt(o, l.point) {
			return true
		}
	}
	return false
}

// answers reports whether a frame that was read ahead is OVN's own answer to f: it
// leaves where f entered, the other way, and enters nowhere.
func (s *Run) answers(l, f *Frame) bool {
	if l.dir != Left || l.skip != "" || l.point.Port == nil || l.point.key() != f.point.key() || s.enters(l) {
		return false
	}
	a, q := l.Headers(), f.Headers()
	switch k := &a.Key; k.Get(field.EthType) {
	case header.EtherARP:
		return q.Key.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 2 && q.Key.Get(field.ARPOp) == 1 &&
			k.Get(field.ARPSPA) == q.Key.Get(field.ARPTPA)
	case header.EtherIPv4, header.EtherIPv6:
		if k.Get(field.IPProto) == header.ProtoICMPv6 && k.Get(field.ICMP6Type) == 136 {
			return q.Key.Get(field.ICMP6Type) == 135 && k.Get128(field.NDTarget) == q.Key.Get128(field.NDTarget)
		}
		x, y := endpoints(a), endpoints(q)
		return couldBeMade(a) && k.Get(field.IPProto) == q.Key.Get(field.IPProto) && x[0] == y[1] && x[1] == y[0] ||
			quotedHash(l.Data, a) != 0 && quotedHash(l.Data, a) == quoteHash(f.Data, q)
	}
	return false
}

// renew goes on with the new network, and replays the frame there.
func (s *Run) renew(f *Frame) {
	s.become()
	s.Taps[f.Capture].forget(f)
	s.again(f)
	f.played = true
	s.handle(f)
}

// saved is the engine's state, if it is little enough to be put back.
func (s *Run) saved() ([]byte, bool) {
	if s.Engine.Connections() > maxKept {
		return nil, false
	}
	return s.Engine.Save([32]byte{}), true
}

func (s *Run) restore(state []byte) bool {
	s.Engine.Forget()
	if _, err := s.Engine.Restore(state, [32]byte{}); err != nil {
		s.err = err
		return false
	}
	return true
}
