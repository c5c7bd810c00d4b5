package replay

import (
	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// What leaves one chassis on a wire that chassis share enters another of them.
// Where the other's capture of the wire lost it, what that chassis does with it
// shows that it came.

// sentFrame is a frame predicted to leave on a wire, or seen to come over it.
type sentFrame struct {
	port    int
	chassis int
	time    conntrack.Time
	wire    int
	data    []byte
}

// maxSentFrames is how many of them are remembered.
const maxSentFrames = 1 << 9

// remember notes a frame that leaves on a wire which several chassis share.
func (w *wires) remember(o *sim.Output) {
	if !w.shared[o.Port.Index] {
		return
	}
	x := w.frames.push(identityHash(o.Data, o.Headers()))
	*x = sentFrame{o.Port.Index, o.Chassis.Index, o.Time, o.Wire, append(x.data[:0], o.Data...)}
}

// reached notes a frame that came over a wire which several chassis share: a physical
// switch may have handed it to others of them, too.
func (w *wires) reached(f *Frame) {
	p := f.point.Port
	if f.Inferred || f.Bare || p == nil || !leadsOut(p) || !w.shared[p.Index] {
		return
	}
	x := w.frames.push(f.id)
	*x = sentFrame{p.Index, f.point.Chassis.Index, f.Time, f.Wire, append(x.data[:0], f.Data...)}
}

// share notes which wires several chassis share: those of provider networks, and what is
// captured at several.
func (w *wires) share(net *network.Network, captured map[pointKey]bool) {
	clear(w.shared)
	once := map[int]bool{}
	for k := range captured {
		w.shared[k.port] = once[k.port]
		once[k.port] = true
	}
	for _, p := range net.Ports[1:] {
		if p.Type == network.Localnet && len(net.Chassis) > 1 && len(net.AZs) < 2 {
			w.shared[p.Index] = true
		}
	}
}

// carried reports whether a place where a frame's packet enters is the other end
// of the wire that the frame leaves on.
func (s *Run) carried(f *Frame, at pointKey) bool {
	return f.dir == Left && leadsOut(f.point.Port) && at.port == f.point.Port.Index &&
		at.chassis != f.point.Chassis.Index
}

// overWire replays, where a wire reaches a chassis, the packet of a frame that
// was observed there, if another chassis was predicted to send it and no capture
// shows it arriving.
func (s *Run) overWire(f *Frame, c *network.Chassis) (found bool) {
	if len(s.wires.shared) == 0 || s.opts.NoInference || s.tunnelled(f, c) {
		return false
	}
	var x *sentFrame
	inside := f.point.Port == nil || !leadsOut(f.point.Port)
	s.wires.frames.each(f.id, func(y *sentFrame) bool {
		k := pointKey{y.port, c.Index}
		apart := max(f.Time-y.time, y.time-f.Time)
		here := s.inferrer.captured[k] || inside && !macAt(y.data).multicast()
		if y.chassis != c.Index && apart < wireWindow && here && f.point.key() != k &&
			s.owners.takes(c, y.data) && !s.arrives(f, k) {
			x = y
		}
		return x == nil
	})
	if x == nil {
		return false
	}
	p := s.Engine.Net.Ports[x.port]
	g := &Frame{Capture: f.Capture, File: f.File, Number: f.Number, Time: f.Time, Data: append([]byte(nil), x.data...),
		Wire:     x.wire,
		Inferred: true, Lost: s.inferrer.captured[pointKey{p.Index, c.Index}], dir: Entered,
		point: s.Taps[f.Capture].point(p, c)}
	g.Why = "in no capture: over the wire that chassis " + s.Engine.Net.Chassis[x.chassis].Name + " is on, too"
	g.point.Found = "inferred"
	s.inject(g)
	return true
}

// tunnelled reports whether a frame that leaves at a chassis is to be seen in a
// tunnel to it.
func (s *Run) tunnelled(f *Frame, to *network.Chassis) (found bool) {
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike && !found; l, n = l.same, n+1 {
		found = f.dir == Left && l.dir == Crossed && l.tunnel.to == to
	}
	return found
}

// takes reports whether a chassis takes a frame off a wire.
func (o *Owners) takes(c *network.Chassis, frame []byte) bool {
	if len(frame) < 14 {
		return false
	}
	dst := macAt(frame)
	return dst.multicast() || o.send[dst] != nil && o.send[dst].has(c)
}

// arrives reports whether a frame's packet has entered at a point or is about to.
func (s *Run) arrives(f *Frame, at pointKey) (found bool) {
	s.history.fates.each(f.id, func(x *fate) bool {
		found = x.at == at
		return !found
	})
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike && !found; l, n = l.same, n+1 {
		found = l != f && l.dir != Unknown && l.point.key() == at
	}
	return found
}

// inferCrossed replays the packet of a frame in a tunnel where it entered the
// chassis that sent it, if that place is captured but not this packet.
func (s *Run) inferCrossed(f *Frame) bool {
	inf := s.inferrer
	if from := inf.inport(f); from != nil {
		s.enter(f, from)
		return true
	}
	id, ok := identify(f.Data, f.Headers())
	if !ok || id.fragment&0x1fff != 0 || couldBeMade(f.Headers()) || macAt(f.Data).multicast() {
		return false
	}
	a, why := inf.ways[flowOf(f)], "as "
	if a == nil {
		a = inf.readAhead(f)
	}
	sent := &origin{awaited: a}
	if a != nil {
		sent.why = why + a.of + " of its connection"
	} else if a = inf.fromInterface(f); a != nil {
		sent = &origin{awaited: a, why: "from the port that has its sender's address"}
	}
	if a == nil || a.chassis != f.tunnel.from || !inf.captured[keyOf(a.port, a.chassis)] {
		return false
	}
	s.enter(f, sent)
	return true
}

// inport finds the captured interface at which a frame in a tunnel entered that its
// switch has not changed: the tunnel tells which it is.
func (inf *inferrer) inport(f *Frame) *origin {
	u := f.tunnel
	dp := u.from.AZ.DatapathByKey(u.keys.datapath)
	if dp == nil || len(f.Data) < 14 || !stays(f) && !couldBeMade(f.Headers()) ||
		inf.s.wires.auto.sent(f.point.key(), f.Data, f.Wire, f.Bare) {
		return nil
	}
	p := dp.PortByKey(u.keys.inport)
	if p == nil || p.Type != network.VIF || !p.ResidentOn(u.from) || !inf.captured[keyOf(p, u.from)] ||
		!hasMAC(p, macAt(f.Data[6:])) {
		return nil
	}
	e, h := endpoints(f.Headers()), f.Headers()
	if !stays(f) && (!hasIP(p, addrOf(h, e[0])) || inf.s.owners.serving(addrOf(h, e[1]), e[1].port)) {
		return nil // a load balancer may have changed it
	}
	if q := quotedHash(f.Data, h); q != 0 && inf.s.history.entered(q) && !inf.reached(q, p) {
		return nil // about what did not come to it: OVN speaks in its name
	}
	return &origin{awaited: &awaited{port: p, chassis: u.from, ethSrc: uint64(macAt(f.Data[6:])),
		ethDst: uint64(macAt(f.Data)), hops: 0}, keepIP: true, why: "at the port that the tunnel tells"}
}

// fromInterface finds the captured interface of the chassis a tunnelled frame
// comes from that has the frame's sender's address, if nothing on the way may
// have changed whom the frame is for.
func (inf *inferrer) fromInterface(f *Frame) *awaited {
	o, from := inf.s.owners, f.tunnel.from
	e := flowEnds(f.Data, f.Headers())
	src, dst := addrOf(f.Headers(), e[0]), addrOf(f.Headers(), e[1])
	if o.serving(dst, e[1].port) {
		return nil
	}
	for _, p := range o.byIP[src] {
		if p.Type != network.VIF || !p.ResidentOn(from) || !inf.captured[keyOf(p, from)] || len(p.Addresses) == 0 {
			continue
		}
		to := o.neighbour(p, src, dst)
		if hasMAC(p, macAt(f.Data[6:])) {
			to = macAt(f.Data)
		}
		if to == 0 {
			return nil
		}
		return &awaited{port: p, chassis: from, ethSrc: uint64(macOf(p.Addresses[0].MAC)), ethDst: uint64(to),
			src: e[0], dst: e[1], hops: -1}
	}
	return nil
}
