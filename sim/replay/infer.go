package replay

import (
	"fmt"
	"slices"

	"ovnreplay/conntrack"
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
