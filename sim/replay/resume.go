package replay

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// A connection that no capture shows the beginning of was opened nevertheless:
// a packet from its middle, of which a capture shows that OVN handed it on, says
// how. Its opening is replayed before that packet, for conntrack to know the
// connection as the chassis did; what the opening itself leads to is held
// against nothing. The network decides about it as about any packet: what it
// would drop opens nothing.

// resumption is a connection being opened before a packet from its middle.
type resumption struct {
	of    *Frame
	as    *Frame // which shows it leaving
	reply bool   // the packet goes the other way than the first one did
	// left are the first packet's ends as it had left, if told: an answer says so itself.
	left [2]endpoint
	told bool
}

// resumer is a handler that is told of connections that began in no capture:
// the frame that shows one, and where it must have been opened.
type resumer interface{ resumed(f *Frame, at *Point) }

// flowOf is a frame's flow at its point.
func flowOf(f *Frame) answerKey {
	h := f.Headers()
	e := flowEnds(f.Data, h)
	return answerKey{f.point.key(), uint8(h.Key.Get(field.IPProto)), e[0], e[1]}
}

// flowEnds are a packet's ends; those of echoes have their id for a port.
func flowEnds(data []byte, h *packet.Headers) [2]endpoint {
	e := endpoints(h)
	if l := &h.Layout; l.L4 != 0 && len(data) >= l.L4+6 && isEcho(uint8(h.Key.Get(field.IPProto)), h) {
		e[0].port = binary.BigEndian.Uint16(data[l.L4+4:])
		e[1].port = e[0].port
	}
	return e
}

func isEchoReply(proto uint8, h *packet.Headers) bool {
	return proto == header.ProtoICMP && icmpType(h) == 0 || proto == header.ProtoICMPv6 && icmpType(h) == 129
}

func isEcho(proto uint8, h *packet.Headers) bool {
	return (proto == header.ProtoICMP || proto == header.ProtoICMPv6) && echo(proto, icmpType(h))
}

// back is the flow that answers one.
func (k answerKey) back() answerKey { return answerKey{k.point, k.proto, k.dst, k.src} }

// known reports whether a packet of a flow has entered at its point, or one that
// it answers has left there.
func (inf *inferrer) known(k answerKey) bool {
	back := k.back()
	return inf.find(back) != nil || inf.ways[back] != nil || inf.opened[k]
}

// tried notes that a packet has entered that opens a connection and came nowhere.
func (inf *inferrer) tried(f *Frame, out *sim.Outcome) {
	if out.Verdict == sim.Delivered || f.point.Port == nil || !opens(f.Headers()) {
		return
	}
	keep(inf.opened, flowOf(f), true)
}

// midway reports whether a packet is from the middle of a connection, and if
// so whether it is an answer as far as it tells itself.
func midway(f *Frame) (reply, ok bool) {
	h := f.Headers()
	if h.Layout.L4 == 0 || h.Key.Get(field.IPFrag) != 0 {
		return false, false
	}
	k := &h.Key
	switch proto := uint8(k.Get(field.IPProto)); proto {
	case header.ProtoTCP:
		flags := k.Get(field.TCPFlags)
		return flags&header.FlagSYN != 0, len(f.Data) >= h.Layout.L4+20 && flags&header.FlagACK != 0
	case header.ProtoUDP:
		return true, serves(uint16(k.Get(field.TpSrc)), uint16(k.Get(field.TpDst)))
	case header.ProtoSCTP:
		chunk, ok := chunkOf(f)
		return chunk == header.ChunkInitAck || chunk == header.ChunkCookieAck, ok && chunk != header.ChunkInit
	case header.ProtoICMP, header.ProtoICMPv6:
		return true, echo(proto, icmpType(h)) && icmpType(h) != 8 && icmpType(h) != 128
	}
	return false, false
}

// mid is whether a packet is from the middle of a connection.
func mid(f *Frame) bool {
	_, ok := midway(f)
	return ok
}

// serves reports whether the first of two ports is a server's and the other a client's.
func serves(a, b uint16) bool {
	const ephemeral = 32768
	return a < 1024 && b >= 1024 || a < ephemeral && b >= ephemeral
}

// resume opens the connection that a frame about to enter belongs to, if it
// began in no capture. l shows it leaving; nil: that is to be found. It reports
// whether it did.
func (s *Run) resume(f, l *Frame) bool {
	inf := s.inferrer
	reply, ok := midway(f)
	if !ok || s.opts.NoInference || f.point.Port.IsFunction() { // what a function passes on is another's connection
		return false
	}
	k := flowOf(f)
	if inf.known(k) || !inf.once(k) || s.tracked(f) {
		return false
	}
	switch {
	case l == nil:
		l = s.answered(f, reply)
	case l.dir == Crossed: // where it leaves shows more
		if left := s.leaving(l); left != nil {
			l = left
		}
	}
	if l == nil {
		l = s.shownLeaving(k)
	}
	if l == nil || l.dir == Crossed && s.outport(l) == nil || s.end(l).Port.IsFunction() {
		return false
	}
	if !reply {
		reply = s.owners.answers(f, l)
	}
	s.resuming = &resumption{of: f, as: l, reply: reply, left: [2]endpoint{k.dst, k.src}, told: reply}
	var at *Point
	if reply {
		at = s.openTowards(f, l)
	} else {
		at = s.openFrom(f, l)
	}
	if s.resuming = nil; at != nil {
		s.began(f, at)
	}
	return at != nil
}

// began says that the connection of a frame was opened at a point.
func (s *Run) began(f *Frame, at *Point) {
	if h, ok := s.handler.(resumer); ok {
		h.resumed(f, at)
	}
}

// once reports whether a flow's beginning is looked for the first time.
func (inf *inferrer) once(k answerKey) bool {
	if inf.resumed[k] {
		return false
	}
	keep(inf.resumed, k, true)
	return true
}

// answered is the frame by which an answer leaves that is the only packet of its
// direction which a capture shows, nil if it is none, or leaves so anyway. Of UDP, which
// of two ports is a server's is a guess; that it gets addresses back tells.
func (s *Run) answered(f *Frame, reply bool) *Frame {
	proto := uint8(f.Headers().Key.Get(field.IPProto))
	l := s.leaving(f)
	switch {
	case l == nil:
	case proto == header.ProtoUDP:
		if s.owners.restores(f, l) {
			return l
		}
	case (reply || s.owners.answers(f, l)) && !s.leavesAnyway(f, l):
		return l
	}
	return nil
}

// leavesAnyway reports whether a frame leaves as another shows without its connection
// being opened before: somebody may have sent it without one.
func (s *Run) leavesAnyway(f, l *Frame) bool {
	if l.dir != Left || s.trial.kept >= maxTrials {
		return true
	}
	before, ok := s.saved()
	if !ok {
		return true
	}
	s.trial.kept++
	hops := s.hops
	found := predicts(s.put(s.Engine, f, f.point.Port, f.point.Chassis), l)
	s.hops = hops
	return !s.restore(before) || found
}

// tracked reports whether conntrack has the connection of a frame already, from
// a dump.
func (s *Run) tracked(f *Frame) bool {
	t := s.Engine.Tracked(f.point.Chassis)
	l := &f.Headers().Layout
	return t != nil && t.Knows(f.Data[l.L3:l.L3End])
}

// maxOfFlow bounds how many of a flow's frames are looked at for each of its packets: where
// none of the next hundreds leaves, the one after them is asked about when they have gone by.
const maxOfFlow = 256

// shownLeaving finds where a capture shows a packet of a flow that enters
// leaving, among the frames read ahead.
func (s *Run) shownLeaving(k answerKey) *Frame {
	for o, n := s.filedAs(k).first, 0; o != nil && n < maxOfFlow; o, n = o.ofFlow, n+1 {
		if o.dir != Entered || o.skip != "" || o.point.Port == nil || o.point.key() != k.point {
			continue
		}
		if l := s.leaving(o); l != nil {
			return l
		}
	}
	return nil
}

// leaving finds the frame by which a packet that enters leaves, nil if no
// capture shows it.
func (s *Run) leaving(o *Frame) (crossing *Frame) {
	for l, n := s.alike(o.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		switch {
		case l == o || l.skip != "" || l.dir == Left && l.point.key() == o.point.key() && !turnsBack(o, l):
		case l.dir == Left && o.point.Port != nil && goesOn(l, leadsOut(o.point.Port), macAt(o.Data[6:])):
		case l.dir == Left:
			return l
		case l.dir == Crossed && crossing == nil && s.outport(l) != nil:
			crossing = l
		}
	}
	return crossing
}

// turnsBack reports whether a frame leaves at the interface where its packet entered, as
// what an interface sends to a virtual address that is its own backend does.
func turnsBack(o, l *Frame) bool {
	return o.point.Port != nil && o.point.Port.Type == network.VIF &&
		endpoints(o.Headers()) != endpoints(l.Headers())
}

// outport is the port that a frame in a tunnel is on its way to, nil if it is
// none that frames leave at.
func (s *Run) outport(f *Frame) *network.Port {
	dp := f.tunnel.to.AZ.DatapathByKey(f.tunnel.keys.datapath)
	if dp == nil {
		return nil
	}
	if p := dp.PortByKey(f.tunnel.keys.outport); p != nil && (p.Type == network.VIF || leadsOut(p)) {
		return p
	}
	return nil
}

// end is where a frame leaves, or will when it comes out of its tunnel.
func (s *Run) end(l *Frame) *Point {
	if l.dir == Crossed {
		return s.Taps[l.Capture].point(s.outport(l), l.tunnel.to)
	}
	return l.point
}

// answers reports whether a packet from the middle of a connection goes from
// its server to its client: by what translation did to it on its way, else by
// its ports.
func (o *Owners) answers(f, l *Frame) bool {
	in, out := endpoints(f.Headers()), endpoints(l.Headers())
	switch {
	case in[1] != out[1] && o.balanced(addrOf(f.Headers(), in[1]), in[1].port):
		return false
	case in[0] != out[0] && o.balanced(addrOf(l.Headers(), out[0]), out[0].port):
		return true
	}
	return in[0].port < in[1].port
}

// restores reports whether an answer's translation is undone on a packet's way.
func (o *Owners) restores(f, l *Frame) bool {
	in, out := endpoints(f.Headers()), endpoints(l.Headers())
	return in[0] != out[0] && o.balanced(addrOf(l.Headers(), out[0]), out[0].port) ||
		in[1] != out[1] && !o.balanced(addrOf(f.Headers(), in[1]), in[1].port)
}

// balanced reports whether an address and port are a load balancer's.
func (o *Owners) balanced(a netip.Addr, port uint16) bool {
	return slices.ContainsFunc(o.net.LoadBalancers, func(lb *network.LoadBalancer) bool { return hasVIP(lb, a, port) })
}

// balancedOn reports whether they are of one that a switch itself applies: who has them
// there is answered for, by whichever backend.
func (o *Owners) balancedOn(d *network.Datapath, a netip.Addr, port uint16) bool {
	return slices.ContainsFunc(o.net.LoadBalancers, func(lb *network.LoadBalancer) bool {
		return hasVIP(lb, a, port) && slices.Contains(lb.Datapaths, d)
	})
}

func hasVIP(lb *network.LoadBalancer, a netip.Addr, port uint16) bool {
	return slices.ContainsFunc(lb.VIPs, func(v network.VIP) bool {
		return v.Addr == a && (v.Port == 0 || v.Port == port)
	})
}

// leads reports whether a load balancer leads a virtual address to a backend.
func (o *Owners) leads(vip netip.Addr, port uint16, backend netip.Addr, to uint16) bool {
	for _, lb := range o.net.LoadBalancers {
		for i := range lb.VIPs {
			v := &lb.VIPs[i]
			if v.Addr == vip && (v.Port == 0 || v.Port == port) && slices.ContainsFunc(v.Backends,
				func(b netip.AddrPort) bool {
					return b.Addr() == backend && (b.Port() == to || b.Port() == 0)
				}) {
				return true
			}
		}
	}
	return false
}

// serving reports whether an address and port are of a load balancer's backend.
func (o *Owners) serving(a netip.Addr, port uint16) bool {
	for _, lb := range o.net.LoadBalancers {
		for i := range lb.VIPs {
			if slices.ContainsFunc(lb.VIPs[i].Backends, func(b netip.AddrPort) bool {
				return b.Addr() == a &&
					(b.Port() == port || b.Port() == 0)
			}) {
				return true
			}
		}
	}
	return false
}

// openTowards opens the connection of an answer f from where that leaves, as l.
// It returns where; nil if that was not to be.
func (s *Run) openTowards(f, l *Frame) *Point {
	inf, at := s.inferrer, s.end(l)
	e := flowEnds(l.Data, l.Headers())
	if inf.known(answerKey{at.key(), uint8(l.Headers().Key.Get(field.IPProto)), e[1], e[0]}) {
		return nil // it has been opened, and led elsewhere
	}
	from := s.turned(l, at)
	n := s.numbersOf(f, l)
	if !s.open(f, from, proposes, n.back()) {
		return nil
	}
	if greets(f) && !accepting(f) {
		itself := s.asItself(f)
		s.open(f, itself, accepts, n)
		s.open(f, from, confirms, n.back())
		if chunk, sctp := chunkOf(f); sctp && chunk != header.ChunkCookieAck {
			s.open(f, itself, concludes, n)
		}
	}
	return at
}

// openFrom opens the connection of f from where f enters itself, as far as it is open
// if f opens it once more. It returns where; nil if that was not to be.
func (s *Run) openFrom(f, l *Frame) *Point {
	n := s.numbersOf(f, l)
	itself := s.asItself(f)
	if !s.open(f, itself, proposes, n) {
		return nil
	}
	if a := s.inferrer.find(flowOf(f).back()); a != nil && !opensTCP(f.Headers()) {
		s.open(f, a, accepts, n.back())
		if greets(f) {
			s.open(f, itself, confirms, n)
			s.open(f, a, concludes, n.back())
		}
	}
	return f.point
}

// asItself is how a frame enters.
func (s *Run) asItself(f *Frame) *awaited {
	k, e := &f.Headers().Key, flowEnds(f.Data, f.Headers())
	return &awaited{port: f.point.Port, chassis: f.point.Chassis, ethSrc: k.Get(field.EthSrc),
		ethDst: k.Get(field.EthDst), src: e[0], dst: e[1], hops: -1}
}

// turned is how a packet enters at a point that one which left there answers.
func (s *Run) turned(l *Frame, at *Point) *awaited {
	k, e := &l.Headers().Key, flowEnds(l.Data, l.Headers())
	a := &awaited{port: at.Port, chassis: at.Chassis, ethSrc: k.Get(field.EthDst), ethDst: k.Get(field.EthSrc),
		src: e[1], dst: e[0], hops: -1}
	if a.ethSrc == 0 && len(at.Port.Addresses) > 0 && !leadsOut(at.Port) { // a cooked capture does not tell
		a.ethSrc = uint64(macOf(at.Port.Addresses[0].MAC))
	}
	if at.Port.Type == network.VIF { // it answers its neighbours directly, whoever handed on what they sent
		h := l.Headers()
		if n := s.owners.neighbour(at.Port, addrOf(h, a.src), addrOf(h, a.dst)); n != 0 {
			a.ethDst = uint64(n)
		}
	}
	return a
}

// takes reports whether the packet from the middle of a connection shows that an
// option was taken when the connection was opened.
func (r *resumption) takes(s *Run, kind trace.Reason, o *sim.ChoiceOption) bool {
	h := r.of.Headers()
	switch e := r.left[1]; {
	case r.told && kind == trace.GuessBackend:
		return o.Addr == e.addr && (o.Port == 0 || o.Port == e.port)
	case !r.reply:
		return r.shown(s, func(l *Frame) bool { return takes(l, kind, o) })
	case kind == trace.GuessNextHop:
		return o.EthDst != 0 && o.EthDst == h.Key.Get(field.EthSrc) && o.EthSrc == h.Key.Get(field.EthDst)
	default:
		return o.Out == r.of.point.Port
	}
}

// nextHop is the Ethernet address to which the connection's first packet was sent over
// a wire, and from which, where none is bound: the packet shows it, or came from there.
func (r *resumption) nextHop(bound uint64) (seen sim.SeenHop, ok bool) {
	f := r.of
	if !r.reply {
		f = r.as
	}
	if bound != 0 || f.Bare || f.dir == Crossed || !leadsOut(f.point.Port) {
		return seen, false
	}
	seen.To, seen.From = uint64(macAt(f.Data)), uint64(macAt(f.Data[6:]))
	if r.reply {
		seen.To, seen.From = seen.From, seen.To
	}
	return seen, true
}

// sourcePort is the port that SNAT to an address gave the connection's first packet.
func (r *resumption) sourcePort(s *Run, addr [16]byte) (port uint16, ok bool) {
	if r.told {
		return r.left[0].port, r.left[0].addr == addr
	}
	ok = r.shown(s, func(l *Frame) bool {
		e := flowEnds(l.Data, l.Headers())
		port = e[0].port
		return e[0].addr == addr
	})
	return port, ok
}

// shown reports whether a frame by which the packet leaves is what is looked for.
func (r *resumption) shown(s *Run, is func(*Frame) bool) bool {
	if is(r.as) {
		return true
	}
	for l, n := s.alike(r.of.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if (l.dir == Left || l.dir == Crossed) && is(l) {
			return true
		}
	}
	return false
}

// resumed implements resumer.
func (hs handlers) resumed(f *Frame, at *Point) {
	for _, h := range hs {
		if r, ok := h.(resumer); ok {
			r.resumed(f, at)
		}
	}
}

// resumed implements resumer: the capture of where a connection was opened did
// not hold that.
func (v *Verifier) resumed(f *Frame, at *Point) {
	if !v.run.inferrer.captured[at.key()] {
		return
	}
	v.blame(v.unopened(f, at.key()), v.run.name(f), f.Number)
}

// unopened is why no capture shows how the connection of a frame was opened: what is
// answered was sent just before.
func (v *Verifier) unopened(f *Frame, at pointKey) Cause {
	if v.evidence.at(at).cut > 0 {
		return CauseSnaplen
	}
	const soon = conntrack.Second
	if v.Report.Lost > 0 && f.Time-v.begin > soon || answersFirst(f) && v.begun(at, f.Time-soon) {
		return CauseLost
	}
	return CauseLate
}

// begun reports whether a capture of a point had begun at a moment.
func (v *Verifier) begun(p pointKey, t conntrack.Time) bool {
	for i, tap := range v.run.Taps {
		if s := v.spans[i]; s != nil && s.first <= t && v.at(tap, p) {
			return true
		}
	}
	return false
}

// answersFirst reports whether a packet is the first answer on a connection, as far as it
// tells itself.
func answersFirst(f *Frame) bool {
	reply, ok := midway(f)
	return reply && ok
}
