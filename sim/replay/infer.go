package replay

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// inferrer finds the packets that no capture shows: with captures of one side
// of OVN only, what is observed there says what must have entered on the other.
//
//   - An answer to a packet that was delivered to a port nobody captured came
//     from that port, to where the delivered packet came from.
//   - A packet from an address of a port nobody captured came from that port,
//     unless address translation hides the sender.
//   - Of a packet that reached an interface from a router, at least the way
//     from the router on is known.
//
// A packet is only inferred where it was observed, and what the replay then
// predicts is held against the observation like any other.
type inferrer struct {
	s         *Run
	captured  map[pointKey]bool
	answers   map[answerKey]*awaited
	older     map[answerKey]*awaited
	recent    recentAnswer
	ways      map[answerKey]*awaited // by what is observed, how it entered
	sought    map[answerKey]bool     // what the frames read ahead tell nothing about
	resumed   map[answerKey]bool     // flows from the middle of connections, see resume
	opened    map[answerKey]bool     // flows whose first packet came nowhere
	datagrams map[DatagramKey]*datagram
	puzzles   map[answerKey]bool // answers to what came by a way that no capture shows
	expected  expectations[expectKey]
	parts     ledger
	scratch   packet.Packet
}

// answerKey is what an answer looks like at the point where the packet it
// answers was seen.
type answerKey struct {
	point    pointKey
	proto    uint8
	src, dst endpoint
}

// awaited is how the answer must have looked where it was sent.
type awaited struct {
	port     *network.Port
	chassis  *network.Chassis
	ethSrc   uint64
	ethDst   uint64
	src, dst endpoint
	of       string // the packet that was delivered
	hops     int    // by how much its TTL shrinks on the way; -1: not known yet
	partial  bool   // not where it was sent: what it met before is not known
}

type expectKey struct {
	point pointKey
	id    uint64
}

// maxAnswers and maxExpected bound the inferrer's memory.
const (
	maxAnswers  = 1 << 17
	maxExpected = 1 << 16
)

func newInferrer(s *Run) *inferrer {
	inf := &inferrer{s: s, captured: map[pointKey]bool{}, answers: map[answerKey]*awaited{},
		ways: map[answerKey]*awaited{}, sought: map[answerKey]bool{}, resumed: map[answerKey]bool{},
		opened: map[answerKey]bool{}, puzzles: map[answerKey]bool{},
		datagrams: map[DatagramKey]*datagram{},
		expected:  expectations[expectKey]{open: map[expectKey]expectation{}},
		parts:     ledger{parts: map[expectKey][]piece{}}}
	inf.become()
	return inf
}

// become notes what is captured of the network as it is now.
func (inf *inferrer) become() {
	clear(inf.captured)
	for _, t := range inf.s.Taps {
		for _, site := range t.Sites() {
			inf.capture(site)
		}
	}
	if inf.s.wires != nil {
		inf.s.wires.share(inf.s.Engine.Net, inf.captured)
	}
}

// capture notes what a site captures.
func (inf *inferrer) capture(site *Site) {
	switch site.Kind {
	case AtPort:
		inf.captured[keyOf(site.Port, site.Chassis)] = true
		for _, c := range site.Port.Containers {
			inf.captured[keyOf(c, site.Chassis)] = true
		}
	case AtHost:
		for _, p := range inf.s.Engine.Net.Ports[1:] {
			if (p.Type == network.VIF || p.Type == network.Localport) && p.ResidentOn(site.Chassis) ||
				p.Type == network.Localnet {
				inf.captured[keyOf(p, site.Chassis)] = true
			}
		}
	}
}

// captures reports whether a port is captured wherever its packets are.
func (inf *inferrer) captures(p *network.Port) bool {
	c, err := ChassisOf(inf.s.Engine.Net, p)
	return err == nil && inf.captured[keyOf(p, c)]
}

// entered notes what an injected frame leads to: what to expect at captured
// points, and what answers to expect from others.
func (inf *inferrer) entered(f *Frame, out *sim.Outcome) {
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if inf.captured[keyOf(o.Port, o.Chassis)] {
			inf.expect(f, o)
		}
		if !o.Made && f.point.Port != nil {
			inf.remember(f, o)
		}
		if f.partial {
			inf.puzzle(keyOf(o.Port, o.Chassis), o.Data, o.Headers())
		}
	}
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		if f.point.Port != nil && inf.s.tunnels.shows(o) {
			inf.rememberWay(f, tunnelKey(o.From, o.To), o.Headers(), flowEnds(f.Data, f.Headers()),
				flowEnds(o.Data, o.Headers()))
		}
	}
}

// puzzle notes that a packet seen at a point came by a way of which the replay
// lacks a part: what becomes of an answer there may depend on that.
func (inf *inferrer) puzzle(p pointKey, data []byte, h *packet.Headers) {
	e := flowEnds(data, h)
	keep(inf.puzzles, answerKey{p, uint8(h.Key.Get(field.IPProto)), e[1], e[0]}, true)
}

// untold reports whether what ends a packet may be that the replay lacks a part
// of its connection's way: it answers a puzzle, and conntrack was asked about it.
func (inf *inferrer) untold(f *Frame, out *sim.Outcome) bool {
	ended := out.Verdict == sim.Dropped || holds(out) && (len(out.Outputs) == 0 || why.Instead(out))
	if !ended || len(out.Trace.CT) == 0 || len(inf.puzzles) == 0 || opensTCP(f.Headers()) {
		return false
	}
	at := f.point.key()
	if f.point.Port == nil && f.point.From != nil {
		at = tunnelKey(f.point.From, f.point.Chassis)
	}
	e, proto := flowEnds(f.Data, f.Headers()), uint8(f.Headers().Key.Get(field.IPProto))
	if p, ok := quotedIn(f); ok { // it answers what it quotes
		of := ends(&p.Inner.Tuple)
		e, proto = [2]endpoint{of[1], of[0]}, p.Inner.Tuple.Proto
	}
	return inf.puzzles[answerKey{at, proto, e[0], e[1]}]
}

func (inf *inferrer) expect(f *Frame, o *sim.Output) {
	form := outline(o.Data, o.Headers(), o.Wire)
	seg := f.ofBatch()
	if seg.stream != 0 {
		seg = seg.in(o.Data, &form)
	} else {
		seg = segmentOf(o.Data, &form)
	}
	inf.parts.add(keyOf(o.Port, o.Chassis), &seg, f.Time)
	inf.expected.addExact(expectKey{keyOf(o.Port, o.Chassis), identityHash(o.Data, o.Headers())}, f.Time,
		smallSum(o.Data, o.Headers())|payloadSum(o.Data, o.Headers(), o.Wire))
}

// due reports whether the frame was predicted where it was observed, and takes
// the prediction as met.
func (inf *inferrer) due(f *Frame) bool {
	k := expectKey{f.point.key(), f.id}
	x := inf.expected.open[k]
	found := (x.n > 1 || !differ(x.sum, payloadSum(f.Data, f.Headers(), f.Wire))) && inf.expected.met(k)
	if seg := f.segment(); seg.stream != 0 {
		f.rest = inf.parts.take(f.point.key(), &seg, f.rest)
		found = found || len(f.rest) == 0
	}
	return found
}

// remember notes how an answer to a delivered packet looks, and how the packet
// itself entered: so will others of its connection whose way in no capture shows.
func (inf *inferrer) remember(f *Frame, o *sim.Output) {
	in, out := &f.Headers().Key, &o.Headers().Key
	if _, ok := identify(o.Data, o.Headers()); !ok || out.Get(field.EthDst)>>40&1 == 1 {
		return
	}
	a, b := flowEnds(f.Data, f.Headers()), flowEnds(o.Data, o.Headers())
	proto := uint8(in.Get(field.IPProto))
	k := answerKey{f.point.key(), proto, a[1], a[0]}
	old := inf.answer(k)
	if old != nil && old.port == o.Port && old.dst == b[0] {
		return
	}
	inf.rememberWay(f, keyOf(o.Port, o.Chassis), o.Headers(), a, b)
	if len(inf.answers) >= maxAnswers {
		inf.answers, inf.older = map[answerKey]*awaited{}, inf.answers
		inf.recent = recentAnswer{}
	}
	to := out.Get(field.EthSrc)
	if o.Port.Type == network.VIF { // it answers its neighbours directly, whoever handed on what they sent
		src, dst := addrOf(o.Headers(), b[1]), addrOf(o.Headers(), b[0])
		if n := inf.s.owners.neighbour(o.Port, src, dst); n != 0 {
			to = uint64(n)
		}
	}
	inf.answers[k] = &awaited{
		port: o.Port, chassis: o.Chassis, ethSrc: out.Get(field.EthDst), ethDst: to,
		src: b[1], dst: b[0], hops: -1,
		of: fmt.Sprintf("%s frame %d", inf.s.name(f), f.Number),
	}
	inf.recent = recentAnswer{}
}

// rememberWay notes how a packet with these ends, that came to a point with
// those, entered.
func (inf *inferrer) rememberWay(f *Frame, at pointKey, h *packet.Headers, a, b [2]endpoint) {
	in, out := &f.Headers().Key, &h.Key
	k := answerKey{at, uint8(in.Get(field.IPProto)), b[0], b[1]}
	if old := inf.ways[k]; old != nil && old.port == f.point.Port && old.src == a[0] {
		return
	}
	if len(inf.ways) >= maxAnswers {
		clear(inf.ways)
		clear(inf.sought)
	}
	inf.ways[k] = &awaited{
		port: f.point.Port, chassis: f.point.Chassis, ethSrc: in.Get(field.EthSrc), ethDst: in.Get(field.EthDst),
		src: a[0], dst: a[1], hops: int(in.Get(field.IPTTL)) - int(out.Get(field.IPTTL)),
		of: fmt.Sprintf("%s frame %d", inf.s.name(f), f.Number),
	}
}

func (inf *inferrer) find(k answerKey) *awaited {
	if a := inf.answer(k); a != nil {
		return a
	}
	return inf.older[k]
}

// answer looks among those noted last.
func (inf *inferrer) answer(k answerKey) *awaited {
	if inf.recent.awaited == nil || inf.recent.key != k {
		inf.recent = recentAnswer{k, inf.answers[k]}
	}
	return inf.recent.awaited
}

// recentAnswer is what was looked for last: a packet asks for the same before it
// enters and when it has.
type recentAnswer struct {
	key     answerKey
	awaited *awaited // nil: not found
}

// name is the file a frame is in.
func (s *Run) name(f *Frame) string { return NameOf(s.Taps, f) }

// infer injects the packet that an observed frame must come from that was not
// predicted, if it is in no capture and can be known.
func (s *Run) infer(f *Frame) {
	inf := s.inferrer
	if s.originate(f) || s.opts.NoInference {
		return
	}
	if s.ask(f) {
		inf.due(f)
		return
	}
	if from := s.inferrer.neighbour(f); from != nil {
		s.enter(f, from)
		inf.due(f)
		return
	}
	_, ok := identify(f.Data, f.Headers())
	switch {
	case !ok:
		return
	case s.overWire(f, f.point.Chassis):
		inf.due(f)
		return
	case s.inferPieces(f):
		return
	}
	shown, gone := s.shownEntering(f)
	if shown {
		return
	}
	sent := inf.sibling(f)
	switch {
	case sent != nil:
	case f.Headers().Key.Get(field.IPFrag)&packet.FragLater != 0:
		return
	default:
		sent = inf.sender(f, gone)
	}
	switch {
	case sent != nil:
	case s.wires.auto.sent(f.point.key(), f.Data, f.Wire, f.Bare):
		return
	default:
		inf.puzzle(f.point.key(), f.Data, f.Headers())
		return
	}
	s.enter(f, sent)
	if !inf.due(f) {
		s.comesOut(f)
		inf.due(f)
	}
}

// comesOut goes on with a packet that was replayed just now, and is held, because a frame
// shows it.
func (s *Run) comesOut(f *Frame) {
	s.hurry(f)
	s.shows = f
	s.goOn(f.Time)
	s.shows = nil
}

// enter replays the packet of an observed frame where it must have entered.
func (s *Run) enter(f *Frame, sent *origin) {
	inf := s.inferrer
	g := inf.rebuild(f, sent)
	if h := *g; mid(&h) {
		h.Data = slices.Clone(g.Data) // g's own are the scratch's
		h.heads = packet.HeadersOnce{}
		if s.resume(&h, f) {
			g = inf.rebuild(f, sent)
		}
	}
	if inf.captured[g.point.key()] {
		g.Lost, g.Why = true, "in no capture: "+g.Why
	}
	s.shows = f
	inf.fragment(g)
	out := s.comesIn(g, f)
	s.shows = nil
	inf.settle(f, sent, out)
	s.fate(g, out)
	if out.Verdict == sim.Unknown && f.point.Port != nil {
		inf.puzzle(f.point.key(), f.Data, f.Headers())
	}
}

// comesIn puts an inferred packet into OVN where it entered: at a port, or out of
// the tunnel from a zone whose database is not given.
func (s *Run) comesIn(g, f *Frame) *sim.Outcome {
	p := g.point.Port
	if p.Type == network.Remote && p.Twin == nil {
		to := macAt(g.Data)
		for _, q := range p.Datapath.Ports {
			if q == p || q.Peer == nil || !hasMAC(q.Peer, to) {
				continue
			}
			out, err := s.Engine.Arrive(sim.Arrival{
				Chassis:  chassisIn(s.Engine.Net, p.Datapath.AZ, f.point.Chassis),
				Datapath: p.Datapath.TunnelKey, Inport: p.TunnelKey, Outport: q.TunnelKey,
				Time: g.Time, Frame: g.Data, Headers: g.Headers(), Wire: g.Wire, Ref: reference(g),
			})
			if err == nil {
				return out
			}
		}
	}
	return s.Engine.Inject(sim.Injection{
		Port: p, Chassis: g.point.Chassis, Time: g.Time, Frame: g.Data, Headers: g.Headers(), Wire: g.Wire,
		Ref: reference(g),
	})
}

// shownEntering reports whether the packet is in a capture, on its way in: then
// nothing is to be inferred, however it fared. Of one that was sent out of OVN and
// may have come back it returns the ports by which it went.
func (s *Run) shownEntering(f *Frame) (found bool, gone []*network.Port) {
	sum := payloadSum(f.Data, f.Headers(), f.Wire)
	s.history.fates.each(f.id, func(x *fate) bool {
		// What came out of a tunnel goes on from there, not on the same way; and
		// into one goes what was where that begins.
		elsewhere := f.tunnel == nil || (x.arrived == nil || x.arrived == f.tunnel.from) &&
			x.was(func(c *network.Chassis) bool { return sameZone(c, f.tunnel.from) })
		switch {
		case f.Time-x.time > againTime && !numbered(f.Data, f.Headers()): // as another did before
		case x.inferred || !elsewhere || x.verdict == sim.Unknown && x.drop != trace.UnknownRest ||
			s.carried(f, x.at) || goesOn(f, x.wire, x.sender) || differ(x.sum, sum):
		case x.left() && !slices.Contains(x.outs, f.point.Port):
			gone = append(gone, x.outs...)
		case x.asks != nil && f.point.Port != nil && !leadsOut(f.point.Port):
			gone = append(gone, x.asks) // it went on by this wire before the replay lets it
		case s.accounted(f, x):
		default:
			found = true
		}
		return !found
	})
	found = found || s.entersLater(f)
	seg := f.segment()
	first, last := s.history.pieces.with(&seg, seg.start), s.history.pieces.with(&seg, seg.end-1)
	return found || first != 0 && last != 0 && (first != f.id || last != f.id), gone
}

// againTime is within what time a packet is sent again at first.
const againTime = 2 * conntrack.Second

// accounted reports whether a packet came to where a frame was observed that is not
// it: another was observed there before, and what is sent again enters again.
func (s *Run) accounted(f *Frame, x *fate) (found bool) {
	if x.verdict != sim.Delivered || f.point.Port != nil && !slices.Contains(x.outs, f.point.Port) {
		return false
	}
	if f.Time-x.time > againTime {
		return true
	}
	here := f.spot()
	s.history.seen.each(f.id, func(y *sighting) bool {
		found = y.at == here.at && y.arrived == here.arrived && f.Time-y.time > twinWindow && f.Time-y.time <= againTime
		return !found
	})
	return found
}

// entersLater reports whether a frame's packet is still to enter, among those read
// ahead: more often than it leaves there after this frame. What enters so much later that
// its sender may have repeated it is another.
func (s *Run) entersLater(f *Frame) bool {
	const repeats = conntrack.Second / 2
	enters, known := 0, numbered(f.Data, f.Headers())
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		switch {
		case !known && l.Time-f.Time > repeats:
		case l.dir == Entered && !s.carried(f, l.point.key()) && !differ(payloadSum(f.Data, f.Headers(), f.Wire),
			payloadSum(l.Data, l.Headers(), l.Wire)) &&
			!goesOn(f, leadsOut(l.point.Port), macAt(l.Data[6:])) &&
			(f.tunnel == nil || sameZone(l.point.Chassis, f.tunnel.from)):
			enters++
		case l != f && l.dir == f.dir && l.dir != Entered && l.skip == "" && !l.twin &&
			l.point.key() == f.point.key() && l.Time-f.Time > twinWindow:
			enters--
		}
	}
	return enters > 0
}

// sameZone reports whether two chassis are of one zone whose database is given.
func sameZone(a, b *network.Chassis) bool {
	return a == b || a.AZ == b.AZ && !a.Remote() && !b.Remote()
}

// goesOn reports whether a frame that left by a wire is the same frame as one that
// came over a wire from that sender: on its way on to another chassis.
func goesOn(f *Frame, wire bool, sender mac) bool {
	return wire && f.point.Port != nil && leadsOut(f.point.Port) && macAt(f.Data[6:]) == sender
}

// origin is where an inferred packet entered and what differs there from the
// observed one.
type origin struct {
	*awaited
	to     uint64 // the Ethernet address it was sent to; 0: that of the answer
	why    string
	keepIP bool // its addresses are as observed
	quotes bool // but for those that it, an ICMP error, quotes
	piece  bool // a fragment: its ports, if it has any, are as observed
	tagged bool // its VLAN tag, if it has one, is as observed: it is the sender's own
}

// sender finds where an observed frame must have entered. One that was sent out of
// OVN by some ports has come back by none of them.
func (inf *inferrer) sender(f *Frame, gone []*network.Port) *origin {
	if gone != nil {
		return inf.cameBack(f, gone)
	}
	if a := inf.way(f); a != nil {
		return &origin{awaited: a, why: "as " + a.of + " of its connection"}
	}
	made := couldBeMade(f.Headers())
	if a := inf.answered(f); a != nil &&
		(!made || !inf.captured[keyOf(a.port, a.chassis)] || inf.handedOut(f, a.port)) {
		return &origin{awaited: a, to: inf.handedOn(f, a), why: "the answer to " + a.of}
	}
	if a := inf.quoting(f); a != nil {
		return &origin{awaited: a, to: inf.handedOn(f, a), keepIP: true, quotes: true,
			why: "the error about what reached its sender, as " + a.of + " was sent"}
	}
	if made {
		return nil
	}
	if a := inf.readAhead(f); a != nil {
		return &origin{awaited: a, to: inf.handedOn(f, a), why: "as " + a.of + " of its connection"}
	}
	if a := inf.fromOwner(f); a != nil {
		if inf.behindVIP(f, a) {
			return &origin{awaited: a, why: "from the port that has its sender's address, to the virtual address " +
				"that answers it"}
		}
		return &origin{awaited: a, to: inf.handedOn(f, a), keepIP: a.src.addr == endpoints(f.Headers())[0].addr,
			why: "from the port that has its sender's address"}
	}
	if a := inf.fromTranslated(f); a != nil {
		return &origin{awaited: a, to: inf.handedOn(f, a),
			why: "from the one sender whose packets leave with its address"}
	}
	return inf.passedOn(f, nil)
}

// handedOut reports whether what a frame answers was handed out at a port: then the
// answer came from there, and not from OVN.
func (inf *inferrer) handedOut(f *Frame, port *network.Port) (found bool) {
	e, h := endpoints(f.Headers()), inf.s.history
	e[0], e[1] = e[1], e[0]
	h.links.each(askHash(f.point.key(), &e), func(id *uint64) bool {
		h.fates.each(*id, func(x *fate) bool {
			found = found || x.verdict == sim.Delivered && slices.Contains(x.outs, port)
			return !found
		})
		return false
	})
	return found
}

// cameBack finds where a packet entered that was sent out of OVN before.
func (inf *inferrer) cameBack(f *Frame, gone []*network.Port) *origin {
	a := inf.answered(f)
	if a != nil && !inf.captured[keyOf(a.port, a.chassis)] && !slices.Contains(gone, a.port) {
		return &origin{awaited: a, to: inf.handedOn(f, a), why: "the answer to " + a.of}
	}
	return inf.passedOn(f, gone)
}

// passedOn finds by which router or remote port a packet came whose sender is not
// known.
func (inf *inferrer) passedOn(f *Frame, gone []*network.Port) *origin {
	a := inf.fromRouter(f, gone)
	switch {
	case a == nil:
		return nil
	case a.partial:
		return &origin{awaited: a, keepIP: true, why: "from its last router on: the sender is not known"}
	}
	return &origin{awaited: a, keepIP: true, why: "by the remote port to which an answer goes: its sender's zone is " +
		"not given"}
}

// way finds how another packet with the frame's ends entered at a captured
// port: so must this one, which the capture lost.
func (inf *inferrer) way(f *Frame) *awaited {
	h := f.Headers()
	proto := uint8(h.Key.Get(field.IPProto))
	if (proto == header.ProtoICMP || proto == header.ProtoICMPv6) && !echo(proto, icmpType(&h.Key)) {
		return nil
	}
	e := flowEnds(f.Data, h)
	a := inf.ways[answerKey{f.point.key(), proto, e[0], e[1]}]
	if a == nil || !inf.captured[keyOf(a.port, a.chassis)] {
		return nil
	}
	return a
}

// readAhead finds how a later packet with the frame's ends enters, or how an
// answer to one leaves: where the first one of a connection is missing, the next
// tell.
func (inf *inferrer) readAhead(f *Frame) *awaited {
	k := flowOf(f)
	if inf.sought[k] || !isEcho(k.proto, f.Headers()) &&
		(k.proto == header.ProtoICMP || k.proto == header.ProtoICMPv6) || len(inf.sought) >= maxAnswers {
		return nil
	}
	inf.sought[k] = true
	for o := inf.s.filedAs(k).first; o != nil; o = o.ofFlow {
		if o.skip != "" || o.dir != f.dir || o.point.key() != k.point {
			continue
		}
		if a := inf.enteringAs(o); a != nil {
			return a
		}
	}
	for o := inf.s.filedAs(k.back()).first; o != nil; o = o.ofFlow {
		if o.skip != "" || o.dir != Entered || o.point.key() != k.point {
			continue
		}
		if l := inf.s.leaving(o); l != nil {
			answer := inf.s.turned(l, inf.s.end(l))
			answer.of = fmt.Sprintf("what %s frame %d answers", inf.s.name(l), l.Number)
			return answer
		}
	}
	return nil
}

// enteringAs finds how a frame that was read ahead and leaves enters.
func (inf *inferrer) enteringAs(o *Frame) *awaited {
	id := o.id
	if seg := o.segment(); seg.stream != 0 {
		if of := inf.s.history.pieces.with(&seg, seg.start); of != 0 {
			id = of
		}
	}
	for g, n := inf.s.alike(id).first, 0; g != nil && n < maxAlike; g, n = g.same, n+1 {
		if g.dir != Entered || g.skip != "" || g.point.Port == nil ||
			goesOn(o, leadsOut(g.point.Port), macAt(g.Data[6:])) {
			continue
		}
		in, ends := &g.Headers().Key, flowEnds(g.Data, g.Headers())
		return &awaited{port: g.point.Port, chassis: g.point.Chassis, ethSrc: in.Get(field.EthSrc),
			ethDst: in.Get(field.EthDst),
			src:    ends[0], dst: ends[1], hops: int(in.Get(field.IPTTL)) - int(o.Headers().Key.Get(field.IPTTL)),
			of: fmt.Sprintf("%s frame %d", inf.s.name(g), g.Number)}
	}
	return nil
}

// handedOn tells, within one switch, to whom the sender gave the frame: to the
// interface itself, or to the router whose address the frame has now. 0: it
// is not within one switch.
func (inf *inferrer) handedOn(f *Frame, a *awaited) uint64 {
	p, sent := f.point.Port, macAt(f.Data[6:])
	switch {
	case leadsOut(p) || leadsOut(a.port) || a.port.Datapath != p.Datapath || sent == 0:
		return 0
	case hasMAC(a.port, sent):
		return uint64(macAt(f.Data))
	}
	return uint64(sent)
}

// answered finds the packet the frame answers.
func (inf *inferrer) answered(f *Frame) *awaited {
	k := &f.Headers().Key
	e := flowEnds(f.Data, f.Headers())
	proto := uint8(k.Get(field.IPProto))
	if (proto == header.ProtoICMP || proto == header.ProtoICMPv6) && !echo(proto, icmpType(k)) {
		return nil // it quotes packets that are translated too
	}
	return inf.find(answerKey{f.point.key(), proto, e[0], e[1]})
}

// fromOwner finds an uncaptured interface that has the source address.
func (inf *inferrer) fromOwner(f *Frame) *awaited {
	o := inf.s.owners
	e := flowEnds(f.Data, f.Headers())
	src := addrOf(f.Headers(), e[0])
	if inner, ok := o.floating[src]; ok && leadsOut(f.point.Port) {
		src = inner
	}
	var found *network.Port
	for _, p := range o.byIP[src] {
		if p.Type == network.VIF && p != f.point.Port {
			if found != nil {
				return nil // several have it
			}
			found = p
		}
	}
	if found == nil {
		return nil
	}
	e[0].addr = header.Bytes(src)
	return inf.fromPort(found, src, e, f)
}

// fromPort is a packet between two ends that an interface sent.
func (inf *inferrer) fromPort(p *network.Port, src netip.Addr, e [2]endpoint, f *Frame) *awaited {
	if len(p.Addresses) == 0 {
		return nil
	}
	c, err := ChassisOf(inf.s.Engine.Net, p)
	if err != nil {
		return nil
	}
	dst := inf.s.owners.neighbour(p, src, addrOf(f.Headers(), e[1]))
	if dst == 0 && f.point.Port != nil && f.point.Port.Datapath == p.Datapath {
		dst = macAt(f.Data)
	}
	if dst == 0 {
		return nil
	}
	return &awaited{port: p, chassis: c, ethSrc: uint64(macOf(p.Addresses[0].MAC)), ethDst: uint64(dst),
		src: e[0], dst: e[1], hops: -1}
}

// fromRouter finds the remote port by which a packet came from a zone that is not
// given, or the switch port by which it came from a router to an interface,
// provided that its sender cannot be in a capture.
func (inf *inferrer) fromRouter(f *Frame, gone []*network.Port) *awaited {
	p := f.point.Port
	if leadsOut(p) {
		return nil
	}
	src := macAt(f.Data[6:])
	if f.Bare && src == 0 {
		return nil
	}
	e := endpoints(f.Headers())
	for _, q := range p.Datapath.Ports {
		if q.Peer == nil || !hasMAC(q.Peer, src) {
			continue
		}
		in, known := inf.entranceOf(f, e[0], q.Peer)
		switch {
		case known && inf.shown(in.ports, f.Time), !known && inf.wireCaptured(f.Time),
			inf.s.owners.balancedOn(p.Datapath, addrOf(f.Headers(), e[0]), e[0].port):
			return nil
		case gone != nil && (!known || slices.ContainsFunc(in.ports, func(p *network.Port) bool {
			return slices.Contains(gone, p)
		})):
			return nil
		case in.remote != nil:
			if a := fromRemote(inf.s.Engine.Net, f, &in); a != nil {
				return a
			}
		}
		return &awaited{port: q, chassis: f.point.Chassis, ethSrc: uint64(src), ethDst: uint64(macAt(f.Data)),
			src: e[0], dst: e[1], hops: 0, partial: true}
	}
	return nil
}

// wireCaptured reports whether any point that leads out of OVN is captured at a
// moment: a capture tells nothing of the time before its first packet.
func (inf *inferrer) wireCaptured(at conntrack.Time) bool {
	for _, t := range inf.s.Taps {
		if t.Frames == 0 || at < t.first {
			continue
		}
		for _, site := range t.Sites() {
			if site.Kind == AtHost && inf.wired() || site.Port != nil && leadsOut(site.Port) {
				return true
			}
		}
	}
	return false
}

// wired reports whether any port leads out of OVN: captures of whole hosts show
// what goes there.
func (inf *inferrer) wired() bool {
	for k := range inf.captured {
		if leadsOut(inf.s.Engine.Net.Ports[k.port]) {
			return true
		}
	}
	return false
}

// couldBeMade reports whether OVN itself may have made the packet: ICMP errors,
// resets, and answers to DHCP and DNS.
func couldBeMade(h *packet.Headers) bool {
	k := &h.Key
	proto := uint8(k.Get(field.IPProto))
	switch proto {
	case header.ProtoICMP, header.ProtoICMPv6:
		return !echo(proto, icmpType(k))
	case header.ProtoTCP:
		const rst = 4
		return k.Get(field.TCPFlags)&rst != 0
	case header.ProtoUDP:
		src := k.Get(field.TpSrc)
		return src == 53 || src == 67 || src == 547
	case header.ProtoSCTP, header.ProtoIGMP:
		return proto == header.ProtoIGMP
	}
	return false
}

func icmpType(k *field.Key) uint8 {
	return uint8(k.Get(field.ICMP4Type) | k.Get(field.ICMP6Type))
}

// rebuild returns the frame as it must have entered.
func (inf *inferrer) rebuild(f *Frame, from *origin) *Frame {
	p := &inf.scratch
	p.SetRead(f.Data, f.Wire, f.Headers())
	p.Key.Set(field.IPTTL, startTTL(p.Key.Get(field.IPTTL), from.hops))
	from.tagged = f.tunnel != nil || f.point.Port.Tag == 0 && f.point.Port.Type == network.VIF &&
		f.point.Port.Datapath == from.port.Datapath
	inf.address(from)
	if from.quotes {
		inf.requote(from)
	}
	point := inf.s.Taps[f.Capture].point(from.port, from.chassis)
	point.Found = "inferred"
	return &Frame{
		Capture: f.Capture, File: f.File, Number: f.Number, Time: f.Time, Data: p.Data, Wire: p.Wire,
		Inferred: true, Why: from.why, point: point, dir: Entered, partial: from.partial,
	}
}

// address gives the packet in scratch the addresses it enters with.
func (inf *inferrer) address(from *origin) {
	p := &inf.scratch
	k := &p.Key
	proto := uint8(k.Get(field.IPProto))
	k.Set(field.EthSrc, from.ethSrc)
	k.Set(field.EthDst, from.ethDst)
	if from.to != 0 {
		k.Set(field.EthDst, from.to)
	}
	if !from.keepIP {
		setAddr(k, field.IP4Src, field.IP6Src, from.src)
		setAddr(k, field.IP4Dst, field.IP6Dst, from.dst)
		if !from.piece && (proto == header.ProtoTCP || proto == header.ProtoUDP || proto == header.ProtoSCTP) {
			k.Set(field.TpSrc, uint64(from.src.port))
			k.Set(field.TpDst, uint64(from.dst.port))
		}
		if !from.piece {
			inf.echoID(from.src.port)
		}
	}
	switch {
	case from.port.Tag != 0:
		k.Set(field.VLANTCI, uint64(from.port.Tag)|1<<12)
	case !from.tagged:
		k.Set(field.VLANTCI, 0)
	}
	p.Flush()
}

// echoID gives an echo in scratch the id it enters with.
func (inf *inferrer) echoID(id uint16) {
	p := &inf.scratch
	if l4 := p.Layout.L4; l4 != 0 && len(p.Data) >= l4+6 && isEcho(uint8(p.Key.Get(field.IPProto)), p.Headers()) {
		at := p.Data[l4:]
		old := binary.BigEndian.Uint16(at[4:])
		binary.BigEndian.PutUint16(at[4:], id)
		binary.BigEndian.PutUint16(at[2:], header.UpdateWord(binary.BigEndian.Uint16(at[2:]), old, id))
	}
}

// startTTL is the TTL a packet began with that was observed with another: as
// many more as it passes routers, or while that is not known the next that
// hosts begin with.
func startTTL(observed uint64, hops int) uint64 {
	if hops >= 0 {
		return min(observed+uint64(hops), 255)
	}
	for _, usual := range [...]uint64{32, 64, 128} {
		if observed <= usual {
			return usual
		}
	}
	return 255
}

// settle gives the predicted frames of one that entered in no capture their TTL, since
// the sender's own is not known, as the observed frame shows it: all copies of it began
// with the same. It notes how many routers the packet passed.
func (inf *inferrer) settle(f *Frame, from *origin, out *sim.Outcome) {
	seen, sent := f.Headers().Key.Get(field.IPTTL), inf.scratch.Key.Get(field.IPTTL)
	was := seen
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		if tunnelKey(o.From, o.To) == f.point.key() && identityHash(o.Data, o.Headers()) == f.id {
			was = o.Headers().Key.Get(field.IPTTL)
		}
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if keyOf(o.Port, o.Chassis) == f.point.key() && !o.Made && identityHash(o.Data, o.Headers()) == f.id {
			was = o.Headers().Key.Get(field.IPTTL)
			from.hops = int(sent) - int(was)
		}
	}
	if was == seen {
		return
	}
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		addTTL(o.Data, o.Headers(), int(seen)-int(was))
	}
	for i := range out.Outputs {
		if o := &out.Outputs[i]; !o.Made {
			addTTL(o.Data, o.Headers(), int(seen)-int(was))
		}
	}
}

// addTTL changes the TTL of a frame that has one, and that in its headers.
func addTTL(data []byte, h *packet.Headers, by int) {
	was := int(h.Key.Get(field.IPTTL))
	ttl := was + by
	if was == 0 || ttl <= 0 || ttl > 255 {
		return
	}
	setTTL(data, h.Layout.L3, uint8(ttl))
	h.Key.Set(field.IPTTL, uint64(ttl))
}

// setTTL writes a TTL or hop limit, and IPv4's header checksum (RFC 1624).
func setTTL(frame []byte, l3 int, ttl uint8) {
	if frame[l3]>>4 == 6 {
		frame[l3+7] = ttl
		return
	}
	old := binary.BigEndian.Uint16(frame[l3+8:])
	frame[l3+8] = ttl
	at := frame[l3+10:]
	binary.BigEndian.PutUint16(at, header.UpdateWord(binary.BigEndian.Uint16(at), old,
		binary.BigEndian.Uint16(frame[l3+8:])))
}

func setAddr(k *field.Key, v4, v6 field.ID, e endpoint) {
	if k.Get(field.EthType) == header.EtherIPv4 {
		k.Set(v4, uint64(binary.BigEndian.Uint32(e.addr[:])))
		return
	}
	k.Set128(v6, field.FromBytes(e.addr))
}

// addrOf returns an endpoint's address as the frame's family has it.
func addrOf(h *packet.Headers, e endpoint) netip.Addr {
	if h.Key.Get(field.EthType) == header.EtherIPv4 {
		return netip.AddrFrom4([4]byte(e.addr[:4]))
	}
	return netip.AddrFrom16(e.addr)
}
