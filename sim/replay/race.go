package replay

import (
	"bytes"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// A change of the database is in the switches some time after it is committed:
// ovn-controller hears of it, works out what it means and installs the flows. What
// packets meet meanwhile is told by what became of them: the former network is gone
// on with until the first packet that shows that the change has come, raceTime at
// most.

// raceTime is how long after its commit a change is in the switch at the latest.
// On a machine that has time it is about 30 ms.
const raceTime = conntrack.Second / 10

// answerTime is how long after a packet OVN's own answer to it is seen at most.
const answerTime = raceTime

const (
	// maxChanges bounds how many changes are on their way: one more is there.
	maxChanges = 8
	// maxTried bounds how many packets of one change are tried on the former network,
	// and maxKept how many connections there may be then: all must be put back if it
	// is the wrong one.
	maxTried, maxKept = 1 << 9, 1 << 12
	// maxWitnesses bounds how many packets of one change are asked whether the new
	// network would have treated them otherwise.
	maxWitnesses = 16
)

// race is what has been committed of the network, and may not be installed yet.
type race struct {
	begun     bool     // the network has been one of them
	changes   []change // the oldest first
	tried     int
	witnesses []witness // that met the former network, as captures show
}

// change is the network as it is since a moment.
type change struct {
	net   *network.Network
	since conntrack.Time
}

// witness is a frame, what was seen of it, and the engine's state before it.
type witness struct {
	frame  *Frame
	shown  []sight
	before []byte
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
func (s *Session) change() {
	if s.opts.Changes == nil || s.err != nil {
		return
	}
	net, since, err := s.opts.Changes(s.now)
	if err != nil {
		s.err = err
		return
	}
	r := &s.race
	if net != nil {
		r.changes = append(r.changes, change{net, since})
	}
	// What the session began with is no network that ever was: see southbound.Past.
	for len(r.changes) > 0 && (!r.begun || s.now-r.changes[0].since >= raceTime || s.opts.Ahead == 0 || len(r.changes) > maxChanges) {
		s.become()
	}
}

// become goes on with the network of the next change.
func (s *Session) become() {
	next, witnesses := s.race.changes[0], s.race.witnesses
	s.race = race{begun: true, changes: s.race.changes[1:]}
	s.Engine.Become(next.net)
	s.owners = NewOwners(s.Engine.Net)
	for _, t := range s.Taps {
		t.become(s.Engine.Net)
	}
	s.inferrer.become()
	s.wires.become(s.Engine.Net)
	s.placeAgain()
	if h, ok := s.handler.(follower); ok {
		h.become(next.since)
	}
	for i := range witnesses {
		s.tell(&witnesses[i], next.since)
	}
}

// tries replays a frame while a change of the network is on its way: on the former
// network if that leads to what captures show, else on the new one, which is then
// there. False: the frame is to be replayed on the network as it is.
func (s *Session) tries(f *Frame) bool {
	if len(s.race.changes) == 0 {
		return false
	}
	before, ok := s.saved()
	if s.race.tried++; !ok || s.race.tried > maxTried {
		s.renew(f)
		return true
	}
	out := s.put(f)
	shown, contradicted := s.check(f, out)
	if contradicted {
		if s.restore(before) {
			s.renew(f)
		}
		return true
	}
	if len(shown) > 0 && len(s.race.witnesses) < maxWitnesses {
		kept := *f
		kept.Data = bytes.Clone(f.Data)
		s.race.witnesses = append(s.race.witnesses, witness{&kept, shown, before})
	}
	s.fate(f, out)
	return true
}

// sight is a frame as it was seen somewhere.
type sight struct {
	at   pointKey
	data []byte
}

// check holds what became of a frame against what was read ahead: what captures
// show of it, as predicted, and whether they show it otherwise, or not at all
// where they should.
func (s *Session) check(f *Frame, out *sim.Outcome) (shown []sight, contradicted bool) {
	for l, n := s.later[f.id].first, 0; f.id != 0 && l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir != Left || l.skip != "" || l.twin || l.point.Port == nil || l.Time-f.Time > soonest || f.Time-l.Time > soonest {
			continue
		}
		if !predicts(out, l) {
			return nil, true
		}
		shown = append(shown, sight{l.point.key(), bytes.Clone(l.Data)})
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if k := keyOf(o.Port, o.Chassis); s.inferrer.captured[k] && !s.comes(o, k) {
			return nil, true
		}
	}
	for _, l := range s.queue[s.head:] {
		if l.Time-f.Time > answerTime {
			break
		}
		if !l.played && s.answers(l, f) {
			if !predicts(out, l) {
				return nil, true
			}
			shown = append(shown, sight{l.point.key(), bytes.Clone(l.Data)})
		}
	}
	return shown, false
}

// predicts reports whether an outcome has a frame where it was seen, byte for byte.
func predicts(out *sim.Outcome, seen *Frame) bool {
	b := waiter{data: seen.Data, wire: seen.Wire, form: formOf(seen.Data, seen.Headers(), seen.Wire)}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if keyOf(o.Port, o.Chassis) != seen.point.key() {
			continue
		}
		a := waiter{data: o.Data, wire: o.Wire, form: formOf(o.Data, o.Headers(), o.Wire)}
		if likeFrames(&a, &b, seen.Bare).same {
			return true
		}
	}
	return false
}

// comes reports whether a predicted frame is among those that were read ahead.
func (s *Session) comes(o *sim.Output, k pointKey) bool {
	for l, n := s.later[identityHash(o.Data, o.Headers())].first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir == Left && l.skip == "" && l.point.Port != nil && l.point.key() == k {
			return true
		}
	}
	return false
}

// answers reports whether a frame that was read ahead is OVN's own answer to f: it
// leaves where f entered, the other way, and enters nowhere.
func (s *Session) answers(l, f *Frame) bool {
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
func (s *Session) renew(f *Frame) {
	s.become()
	s.again(f)
	f.played = true
	s.handle(f)
}

// saved is the engine's state, if it is little enough to be put back.
func (s *Session) saved() ([]byte, bool) {
	if s.Engine.Connections() > maxKept {
		return nil, false
	}
	return s.Engine.Snapshot([32]byte{}), true
}

func (s *Session) restore(state []byte) bool {
	s.Engine.Forget()
	if _, err := s.Engine.Restore(state, [32]byte{}); err != nil {
		s.err = err
		return false
	}
	return true
}

// tell tells of a frame that met the former network, if it would have fared
// otherwise on the new one.
func (s *Session) tell(w *witness, change conntrack.Time) {
	h, ok := s.handler.(racer)
	now, saved := s.saved()
	f := w.frame
	p := s.Engine.Net.Port(f.point.Name())
	if !ok || !saved || p == nil || s.nowhere(p, f.point.Chassis) || !s.restore(w.before) {
		return
	}
	f.point = s.Taps[f.Capture].point(p, f.point.Chassis)
	differs := w.contradicts(s.put(f))
	if s.restore(now) && differs {
		h.raced(Race{Capture: s.name(f), Frame: f.Number, Port: f.point.Name(), Time: Moment(f.Time), Change: Moment(change), Packet: Line(f.Data)})
	}
}

// contradicts reports whether something that was seen is not in an outcome, which
// is no guess.
func (w *witness) contradicts(out *sim.Outcome) bool {
	guess := slices.ContainsFunc(out.Outputs, func(o sim.Output) bool { return o.Guess || o.Seen })
	return !guess && slices.ContainsFunc(w.shown, func(x sight) bool {
		return !slices.ContainsFunc(out.Outputs, func(o sim.Output) bool {
			return keyOf(o.Port, o.Chassis) == x.at && bytes.Equal(o.Data, x.data)
		})
	})
}
