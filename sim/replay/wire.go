package replay

import (
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
	sent map[wireKey]wireSenders
	auto *autonomous
	many bool // chassis: else nothing comes over a wire from another

	frames ring[sentFrame]
	shared map[int]bool // ports that are captured at several chassis
}

type wireKey struct {
	port int
	hash uint64
}

type wireSent struct {
	chassis int
	time    conntrack.Time
	met     bool // observed where it was sent: another such frame there came from elsewhere
}

// wireSenders are the chassis that sent a frame last, the latest first.
type wireSenders [4]wireSent

// wireWindow is how long a frame takes from one chassis to another at most.
const wireWindow = conntrack.Second

// maxWires bounds how many frames are remembered.
const maxWires = 1 << 16

func newWires(s *Run) *wires {
	return &wires{sent: map[wireKey]wireSenders{}, auto: newAutonomous(s.Engine.Net),
		many: len(s.Engine.Net.Chassis) > 1, frames: ring[sentFrame]{size: maxSentFrames}, shared: map[int]bool{}}
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
		if len(w.sent) >= maxWires {
			w.prune(o.Time)
		}
		k := wireKey{o.Port.Index, wireHash(o.Data, o.Headers(), o.Wire)}
		list := w.sent[k]
		copy(list[1:], list[:])
		list[0] = wireSent{chassis: o.Chassis.Index, time: o.Time}
		w.sent[k] = list
		w.remember(o)
	}
}

// wireHash is what a frame is known by on a wire, whoever computes its
// checksum and however much of it is held: not its destination, which cooked
// captures do not tell.
func wireHash(data []byte, h *packet.Headers, wire int) uint64 {
	f := outline(data, h, wire)
	return hashBytes(f.filing(data), data[min(6, len(data)):min(12, len(data))])
}

func (w *wires) prune(now conntrack.Time) {
	for k, list := range w.sent {
		if list[0].time+wireWindow < now {
			delete(w.sent, k)
		}
	}
	if len(w.sent) >= maxWires*3/4 { // or the next few frames would look through all again
		clear(w.sent)
	}
}

// arrived reports whether a frame that seems to leave by a wire came over it
// from another chassis: one that was predicted to send it, or that announces
// it on its own, when this one does not.
func (w *wires) arrived(f *Frame) bool {
	p := f.point
	other := false
	var k wireKey
	var list wireSenders
	if len(w.sent) > 0 {
		k = wireKey{p.Port.Index, wireHash(f.Data, f.Headers(), f.Wire)}
		list = w.sent[k]
	}
	for i, s := range list {
		switch {
		case f.Time-s.time > wireWindow || s.time-f.Time > wireWindow:
		case s.chassis == p.Chassis.Index && !s.met:
			list[i].met = true
			w.sent[k] = list
			return false
		case s.chassis == p.Chassis.Index:
		default:
			other = true
		}
	}
	if other {
		return true
	}
	here := &waiter{data: f.Data, wire: f.Wire, point: p.key(), heads: f.heads}
	if w.auto.sent(here) {
		return false
	}
	for _, c := range w.chassis(p.Port.Index) {
		here.point.chassis = c
		if w.auto.sent(here) {
			return true
		}
	}
	return false
}

// left reports whether a frame that seems to have come over a wire, from an
// address that only another chassis sends from, is one this chassis was
// predicted to send: behind a network function packets take other ways.
func (w *wires) left(f *Frame) bool {
	if len(w.sent) == 0 {
		return false
	}
	k := wireKey{f.point.Port.Index, wireHash(f.Data, f.Headers(), f.Wire)}
	list := w.sent[k]
	for i, s := range list {
		if s.chassis == f.point.Chassis.Index && !s.met && s.time != 0 && f.Time-s.time <= wireWindow &&
			s.time <= f.Time {
			list[i].met = true
			w.sent[k] = list
			return true
		}
	}
	return false
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
