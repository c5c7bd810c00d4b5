package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// wires remembers what chassis were predicted to send onto networks that OVN
// does not run. Chassis on one such network may send from the same Ethernet
// address, and a physical switch floods: there the address alone does not tell
// a frame this chassis sent from one it received.
type wires struct {
	sent ring[wireSent] // by wireID
	auto *autonomous
	many bool  // chassis: else nothing comes over a wire from another
	from []mac // that frames were sent from, up to maxFrom

	frames ring[sentFrame]
	shared map[int]bool // ports that several chassis have, see share
}

type wireKey struct {
	port int
	hash uint64
}

func (k wireKey) id() uint64 { return hashWord(k.hash, uint64(k.port)) }

// wireSent is that a chassis was predicted to send a frame onto a wire.
type wireSent struct {
	wireKey
	chassis int
	time    conntrack.Time
	met     bool // observed where it was sent: another such frame there came from elsewhere
}

// maxSenders is how many chassis that sent a frame count, the latest ones.
const maxSenders = 4

// wireWindow is how long a frame takes from one chassis to another at most.
const wireWindow = conntrack.Second

// maxFrom bounds how many senders on wires are told apart.
const maxFrom = 64

// maxWires is how many frames are remembered.
const maxWires = 1 << 14

func newWires(s *Run) *wires {
	return &wires{auto: newAutonomous(s.Engine.Net), many: len(s.Engine.Net.Chassis) > 1,
		sent: ring[wireSent]{size: maxWires}, frames: ring[sentFrame]{size: maxSentFrames}, shared: map[int]bool{}}
}

// become takes what is sent onto wires in the network as it is now.
func (w *wires) become(net *network.Network) {
	w.auto, w.many = newAutonomous(net), len(net.Chassis) > 1
}

// predicted notes what an injected packet leads to on wires.
func (w *wires) predicted(out *sim.Outcome) {
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if !w.many || !leadsOut(o.Port) {
			continue
		}
		if from := macAt(o.Data[6:]); len(w.from) < maxFrom && !slices.Contains(w.from, from) {
			w.from = append(w.from, from)
		}
		k := wireKey{o.Port.Index, wireHash(o.Data, o.Headers(), o.Wire)}
		*w.sent.push(k.id()) = wireSent{k, o.Chassis.Index, o.Time, false}
		w.remember(o)
	}
}

// senders calls yield with the chassis that sent a frame last, the latest first,
// until it returns false.
func (w *wires) senders(f *Frame, yield func(*wireSent) bool) {
	if len(w.sent.values) == 0 || len(w.from) < maxFrom && !slices.Contains(w.from, macAt(f.Data[6:])) {
		return
	}
	if f.wired == 0 {
		f.wired = wireKey{f.point.Port.Index, wireHash(f.Data, f.Headers(), f.Wire)}.id()
	}
	n := 0
	w.sent.each(f.wired, func(x *wireSent) bool {
		n++
		return yield(x) && n < maxSenders
	})
}

// wireHash is what a frame is known by on a wire, whoever computes its
// checksum and however much of it is held: not its destination, which cooked
// captures do not tell.
func wireHash(data []byte, h *packet.Headers, wire int) uint64 {
	f := outline(data, h, wire)
	return hashBytes(f.filing(data), data[min(6, len(data)):min(12, len(data))])
}

// arrived reports whether a frame that seems to leave by a wire came over it
// from another chassis: one that was predicted to send it, or that announces
// it on its own, when this one does not.
func (w *wires) arrived(f *Frame) bool {
	p := f.point
	own, other := false, false
	w.senders(f, func(s *wireSent) bool {
		switch {
		case f.Time-s.time > wireWindow || s.time-f.Time > wireWindow:
		case s.chassis == p.Chassis.Index && !s.met:
			s.met, own = true, true
		case s.chassis == p.Chassis.Index:
		default:
			other = true
		}
		return !own
	})
	if own || other {
		return !own
	}
	here := p.key()
	if w.auto.sent(here, f.Data, f.Wire, f.Bare) {
		return false
	}
	for _, c := range w.chassis(p.Port.Index) {
		here.chassis = c
		if w.auto.sent(here, f.Data, f.Wire, f.Bare) {
			return true
		}
	}
	return false
}

// left reports whether a frame that seems to have come over a wire, from an
// address that only another chassis sends from, is one this chassis was
// predicted to send: behind a network function packets take other ways.
func (w *wires) left(f *Frame) (sent bool) {
	w.senders(f, func(s *wireSent) bool {
		if s.chassis == f.point.Chassis.Index && !s.met && f.Time-s.time <= wireWindow && s.time <= f.Time {
			s.met, sent = true, true
		}
		return !sent
	})
	return sent
}

// chassis lists those that announce something at a port.
func (w *wires) chassis(port int) (out []int) {
	for k := range w.auto.frames {
		if k.port == port {
			out = append(out, k.chassis)
		}
	}
	return out
}
