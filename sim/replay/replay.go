// Package replay replays captures on a network: it decides for every captured
// frame whether it entered OVN or left it, injects the first and holds the
// second against what the engine predicted.
//
// Records are handed in one by one, in the order of the capture's clock, and
// results come out in the same order. The package reads no files and writes
// none.
package replay

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Frame is one captured frame, placed.
type Frame struct {
	Capture int    // which capture, an index into the run's taps
	File    string // the file it is in, where a capture is several
	Number  int    // of the frame in its file, from 1
	Time    conntrack.Time
	Data    []byte // from the Ethernet header on
	Wire    int    // length on the wire

	// Bare: the capture holds no Ethernet header; that of Data is worked out
	// from the network, and only what follows it was seen.
	Bare     bool
	homeless bool // Bare: sent by a host whose capture does not tell the interface, nor do its addresses
	aimless  bool // Bare: nor does it tell to which Ethernet address the frame was sent

	// Inferred: the frame is in no capture. What was observed elsewhere says
	// that it must have been; Capture and Number name that observation.
	Inferred bool
	Why      string // Inferred: how

	// Lost: it should be in a capture, which was taken where it entered.
	Lost bool

	Own bool // Inferred: ovn-controller sent it, on a timer of its own

	partial bool // it is injected on its way: what it met before is not replayed

	// Untagged: the capture holds it without its VLAN's tag, which a network
	// card took off; Data has it again.
	Untagged bool

	// Interface is where the capture has it from; nil if it is in none.
	Interface *pcap.Interface
	// Kept is what the capture says beside its bytes; nil if that is nothing.
	Kept *Kept

	point   *Point
	dir     Direction
	skip    string // why it is neither; empty if it is
	id      uint64 // see identityHash
	wired   uint64 // see wires.senders; 0: not known yet
	same    *Frame // the next of the same identity in the queue
	order   uint64 // in the queue
	peer    *Frame // the next that left and came from the same end, if it is filed
	filed   bool
	ofFlow  *Frame // the next of the same flow, if inFlow: see filedAs
	inFlow  bool
	request *Frame // the next that asks for the same address, if asks: see requestsFor
	asks    bool
	twinned
	played bool   // replayed already, before its turn
	rest   []span // what of a piece of a stream was not predicted where it was observed
	seg    segment
	hasSeg bool   // seg is known
	batch  *batch // nil: it is one datagram, or none
	tunnel *underlay
	spare  *underlay // to be used again

	rec    *pcap.Record // what it was read from, kept while the network may still change
	unread bool         // its link layer cannot be read
	sight  uint64       // AtHost: the packet's number among the capture's sightings
	noted  placeKey     // AtHost: where its tap notes to have seen it; zero: nowhere

	heads packet.HeadersOnce // of Data
}

// Headers returns the frame's headers, parsed when first asked for.
func (f *Frame) Headers() *packet.Headers { return f.heads.Of(f.Data) }

// Kept is what a pcapng carries with a frame, to be written again: the packet's
// comments and options, and the blocks before it.
type Kept struct {
	Comments []string
	Options  []pcap.Option
	Blocks   []pcap.Block

	size int // about the bytes of all, as it was read
}

// keptOf returns what a record carries, nil if that is nothing.
func keptOf(rec *pcap.Record) *Kept {
	if len(rec.Comments)+len(rec.Options)+len(rec.Blocks) == 0 {
		return nil
	}
	var copied pcap.Record
	copied.CopyFrom(rec)
	return &Kept{copied.Comments, copied.Options, copied.Blocks, copied.Size()}
}

// chain is frames of one identity, linked by Frame.same.
type chain struct{ first, last *Frame }

// Handler receives what a run finds. The arguments are valid during the call.
type Handler interface {
	// Entered is called for each frame that entered OVN, with its fate.
	Entered(f *Frame, p *Point, out *sim.Outcome)
	// Observed is called for each frame that left OVN.
	Observed(f *Frame, p *Point)
	// Skipped is called for each frame that could be neither, with the reason.
	Skipped(f *Frame, p *Point, why string)
}

// Options of a run.
type Options struct {
	// Ahead is how long frames are held back: so that a choice the datapath
	// made at random can be read from the frame that shows it.
	Ahead conntrack.Time
	// AheadBytes bounds the memory of what is held back; 0 means 12 MiB.
	AheadBytes int
	// NoInference: never inject a packet that is in no capture.
	NoInference bool
	ofAnother   bool // see Run.OfAnother
	// Pins are connections of the real tables: they dictate choices.
	Pins []conntrack.Entry
	// Changes, if not nil, tells how the network changes meanwhile.
	Changes Changes
}

// Changes returns the network to go on with from a moment of the captures'
// clock on, nil if it is still the same, and when it became that. It is called until
// it returns nil: what was only for a while comes before what is. Moments never go back.
type Changes func(conntrack.Time) (net *network.Network, since conntrack.Time, err error)

// Run is one replay of captures.
type Run struct {
	Engine *sim.Engine
	Taps   []*Tap

	opts       Options
	owners     *Owners
	handler    Handler
	queue      []*Frame // frames read ahead, oldest first, from head on
	head       int
	held       int    // bytes of them
	orders     uint64 // how many frames were put into it
	free       []*Frame
	later      filed[chain]         // the queue's frames by identity
	flows      map[flowKey]chain    // the queue's frames by flow: see filedAs
	requests   map[requestKey]chain // those that ask for an address: see requestsFor
	clients    map[endpoint]chain   // those that left, by where they came from: see laterOf
	history    *history
	inferrer   *inferrer
	tunnels    *tunnels
	wires      *wires
	waiting    map[uint64]*Frame // injected packets that ovn-controller may hold
	waited     aging[uint64]     // of them
	pins       map[pinKey]*conntrack.Entry
	now        conntrack.Time
	turn       turn
	race       race
	trial      trial
	shows      *Frame            // what is being inferred, or goes on, comes out as this frame
	err        error             // of Changes
	asked      map[askKey]uint64 // requests that a racing packet accounts for, and which
	twins      twins
	resuming   *resumption // what is being opened
	resolves   [2]int      // frames of ARP, and of neighbor discovery, so far
	unfiltered [2]int      // those of them that a filter for them would have taken away
	premature  []premature
	hops       int // next hops that other frames told
	beyond     beyond
	hoisting   int // how deep causes are being replayed before what they led to
	sizes      segmentSizes
	batches    batches
}

// NewRun returns a run on an engine.
func NewRun(e *sim.Engine, taps []*Tap, h Handler, opts Options) *Run {
	if opts.AheadBytes == 0 {
		opts.AheadBytes = 12 << 20
	}
	s := &Run{
		Engine: e, Taps: taps, opts: opts, owners: NewOwners(e.Net), handler: h,
		history: newHistory(e), waiting: map[uint64]*Frame{},
		pins: pinsOf(opts.Pins),
	}
	s.batches.size = maxBatches
	s.inferrer = newInferrer(s)
	s.tunnels = newTunnels(s)
	s.wires = newWires(s)
	s.wires.share(s.Engine.Net, s.inferrer.captured)
	e.SetChooser(s)
	if a, ok := h.(attacher); ok {
		a.attach(s)
	}
	return s
}

// Add hands in the next record; it is copied.
func (s *Run) Add(rec *pcap.Record) {
	f := s.take()
	s.read(rec, f)
	f.twin = s.twins.again(f)
	s.Taps[f.Capture].countTwin(f)
	if f.skip == "" && len(f.Data) >= 14 {
		s.sizes.learn(f)
		s.resolving(f)
	}
	s.queue = append(s.queue, f)
	s.held += f.size()
	s.file(f)
	for s.head < len(s.queue) && (s.queue[s.head].Time+s.opts.Ahead <= f.Time || s.held > s.opts.AheadBytes) {
		s.pop()
	}
}

// file makes a frame that was read ahead findable by its identity.
func (s *Run) file(f *Frame) {
	s.orders++
	f.order = s.orders
	s.noteDatagram(f)
	s.byClient(f)
	s.byFlow(f)
	s.byRequest(f)
	s.beyond.note(f, s.owners)
	if f.id == 0 {
		return
	}
	if f.dir == Entered {
		s.inferrer.fragment(f)
		seg := f.segment()
		s.history.pieces.add(&seg, f.id)
	}
	c := s.alike(f.id).with(f, func(f *Frame) **Frame { return &f.same })
	*s.later.put(f.id) = c
}

// alike are the frames of an identity that were read ahead, oldest first.
func (s *Run) alike(id uint64) chain {
	if c := s.later.get(id); c != nil {
		return *c
	}
	return chain{}
}

// size is about what a frame held back takes.
func (f *Frame) size() int {
	n := frameSize + cap(f.Data)
	if f.rec != nil {
		n += frameSize + f.rec.Size()
	}
	if f.Kept != nil {
		n += f.Kept.size
	}
	return n
}

// frameSize is that of a Frame, of its Point and of what files it.
var frameSize = int(unsafe.Sizeof(Frame{})) + 200

// pop replays the queue's oldest frame and takes it out.
func (s *Run) pop() {
	f := s.queue[s.head]
	s.now = max(s.now, f.Time)
	s.change()
	s.head++
	s.unfileFlow(f)
	s.unfileRequest(f)
	if !f.played {
		s.play(f)
	}
	s.free = append(s.free, f)
	if 2*s.head >= len(s.queue) {
		s.queue = s.queue[:copy(s.queue, s.queue[s.head:])]
		s.head = 0
	}
}

// placeAgain places the frames that were read ahead in the network as it is
// now: each is replayed as its own moment's network has it.
func (s *Run) placeAgain() {
	s.later.clear()
	s.clients, s.flows, s.requests, s.held, s.beyond = nil, nil, nil, 0, beyond{}
	for _, f := range s.queue[s.head:] {
		if !f.played {
			s.Taps[f.Capture].forget(f)
		}
	}
	for _, f := range s.queue[s.head:] {
		if f.played {
			continue
		}
		s.again(f)
		s.held += f.size()
		s.file(f)
	}
}

// again places a frame as the network is now.
func (s *Run) again(f *Frame) {
	sight, twinned := f.sight, f.twinned
	f.reset()
	f.sight, f.twinned = sight, twinned
	s.place(f.rec, f)
}

// Err returns why the network could not be followed, nil if it could. The
// run then went on with the last one it had.
func (s *Run) Err() error { return s.err }

// Flush replays what was held back, and the rest of packets that
// ovn-controller holds.
func (s *Run) Flush() {
	s.Pause()
	for len(s.race.changes) > 0 {
		s.become()
	}
	s.goOn(math.MaxInt64)
}

// Until goes on to a moment after the last packet, for the network to become what it
// is then.
func (s *Run) Until(now conntrack.Time) {
	s.now = max(s.now, now)
	s.change()
	for len(s.race.changes) > 0 {
		s.become()
	}
}

// Pause replays what was held back. Packets that ovn-controller holds stay
// held: the engine can go on with them in another run.
func (s *Run) Pause() {
	for s.PauseSome(len(s.queue)) {
	}
}

// PauseSome replays n packets of those at most, and reports whether there are more.
func (s *Run) PauseSome(n int) bool {
	for ; n > 0 && s.head < len(s.queue); n-- {
		s.pop()
	}
	return s.head < len(s.queue)
}

func (s *Run) take() *Frame {
	if n := len(s.free); n > 0 {
		f := s.free[n-1]
		s.free = s.free[:n-1]
		f.reset()
		return f
	}
	return new(Frame)
}

// reset empties a frame; its buffers are to be used again.
func (f *Frame) reset() {
	spare := f.spare
	if f.tunnel != nil {
		spare = f.tunnel
	}
	*f = Frame{Data: f.Data[:0], spare: spare, rec: f.rec, rest: f.rest[:0]}
}

// next replays the queue's oldest frame.
func (s *Run) next(f *Frame) {
	s.held -= f.size()
	s.unfile(f)
	s.unlink(f)
	if f.isCut() && f.dir == Entered && s.complete(f) {
		f.skip = ""
	}
	if f.homeless {
		s.comesTo(f)
	}
	if f.dir == Left || f.dir == Crossed {
		s.comesOut(f) // with the choices that it shows
	} else {
		if answersSYN(f.Headers()) {
			s.Engine.Hurry(f.Time, 0, 0, f.answers) // what it answers has arrived
		}
		s.goOn(f.Time)
	}
	s.Taps[f.Capture].count(f)
	s.handle(f)
}

// handle decides what a frame is, and replays it or hands it on.
func (s *Run) handle(f *Frame) {
	switch {
	case f.skip != "" && !f.isCut() && f.twin:
		s.skip(f, whyTwice)
	case f.skip != "":
		s.skip(f, f.skip)
	case s.shownTwice(f):
		s.Taps[f.Capture].leaveOut(whyTwice)
		s.skip(f, whyTwice)
	case f.dir == Crossed:
		s.crossed(f)
	case f.dir == Entered && (leadsOut(f.point.Port) && s.wires.left(f) || s.delivered(f)):
		f.dir = Left
		s.left(f)
	case f.dir == Entered:
		s.addressed(f)
		s.inject(f)
	case f.dir == Left && leadsOut(f.point.Port) && s.wires.arrived(f):
		f.dir = Entered
		s.owners.redress(f)
		s.inject(f)
	case f.dir == Left && s.claims(f):
		f.dir = Entered
		s.inject(f)
	case f.dir == Left:
		s.left(f)
	}
}

// skip hands on a frame that is nothing, and why.
func (s *Run) skip(f *Frame, why string) {
	s.twins.replayed(f)
	s.handler.Skipped(f, f.point, why)
}

// left handles a frame that left OVN.
func (s *Run) left(f *Frame) {
	if !s.inferrer.due(f) {
		s.asksEarly(f)
		s.infer(f)
		if leadsOut(f.point.Port) && s.wires.arrived(f) {
			f.dir = Entered // from a chassis whose own capture lacks the packet
			s.owners.redress(f)
			s.inject(f)
			return
		}
	}
	s.Engine.Observe(f.point.Port, f.Data, f.Headers())
	s.observe(f)
}

// claims reports whether an interface sent the frame with an Ethernet address
// that seems to be another's, rather than that it was sent to it: that of a
// virtual port, a network function with anybody's, a port of unknown addresses
// with a router's (a routing daemon's). Nothing replayed leads to the frame here.
func (s *Run) claims(f *Frame) bool {
	p := f.point.Port
	x, due := s.inferrer.expected.open[expectKey{f.point.key(), f.id}]
	switch {
	case due && !s.betterComes(f, x.sum) || len(f.Data) < 14:
		return false
	case hasMAC(p, macAt(f.Data)) && !p.IsFunction(): // nobody sends to himself
		return false
	case p.IsFunction(), s.owners.mayClaim(p, macAt(f.Data[6:])):
		return true
	case s.forges(f):
		return true
	}
	return p.Type == network.VIF && p.Unknown && s.owners.ofNeighbour(p, macAt(f.Data[6:])) &&
		!s.wires.auto.sent(f.point.key(), f.Data, f.Wire, f.Bare) &&
		!s.replayed(f)
}

// betterComes reports whether what is predicted at a frame's place, and what the
// frame differs from, comes there just after: the host itself gave the same answer
// as OVN.
func (s *Run) betterComes(f *Frame, sum uint64) bool {
	if sum == 0 || sum == smallSum(f.Data, f.Headers()) {
		return false
	}
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l != f && l.point.Port == f.point.Port && l.point.Chassis == f.point.Chassis && l.Time-f.Time < wireWindow &&
			sum == smallSum(l.Data, l.Headers()) {
			return true
		}
	}
	return false
}

// forges reports whether an interface sent a multicast frame with an Ethernet
// address that nobody has, as a machine does before it is told its own: the
// frame comes from nowhere else, since nothing replayed leads to it and every
// other port by which it could have come is captured.
func (s *Run) forges(f *Frame) bool {
	p, src := f.point.Port, macAt(f.Data[6:])
	return p.Type == network.VIF && macAt(f.Data).multicast() && s.owners.ports[src] == nil &&
		s.owners.send[src] == nil &&
		!s.replayed(f) && !slices.ContainsFunc(p.Datapath.Ports, func(q *network.Port) bool {
		return q != p && s.owners.passes(q) && !s.inferrer.captures(q) && !s.unbound(q)
	})
}

// delivered reports whether a frame that an interface of unknown addresses
// seems to have sent, since it is not to its own, was predicted to be sent to it.
func (s *Run) delivered(f *Frame) bool {
	p := f.point.Port
	due := s.inferrer.expected.has(expectKey{f.point.key(), f.id})
	return due && p.Type == network.VIF && p.Unknown && len(f.Data) >= 14 && !hasMAC(p, macAt(f.Data[6:]))
}

// replayed reports whether a packet has just been replayed from elsewhere.
func (s *Run) replayed(f *Frame) (found bool) {
	s.history.fates.each(f.id, func(x *fate) bool {
		found = x.capture != f.Capture && f.Time-x.time < wireWindow && !s.floods(x)
		return !found
	})
	return found
}

// floods reports whether what became of a packet is that it came over a wire
// that chassis share and went nowhere: then another of them sent it.
func (s *Run) floods(x *fate) bool {
	p := s.Engine.Net.Port(x.port)
	return p != nil && leadsOut(p) && x.verdict == sim.Dropped
}

// hurry tells the engine of a packet it holds that a frame shows has left.
func (s *Run) hurry(f *Frame) {
	to, from := uint64(0), uint64(0)
	if !f.Bare && len(f.Data) >= 14 && s.owners.foreign(macAt(f.Data)) {
		to, from = uint64(macAt(f.Data)), uint64(macAt(f.Data[6:]))
	}
	s.Engine.Hurry(f.Time, to, from, f.shows)
}

// shows reports whether a frame is the packet that was injected, or what a router makes of
// an echo request to itself, which waits as its answer for the next hop.
func (f *Frame) shows(of *sim.Injection) bool {
	var h packet.Headers
	h.Read(of.Frame)
	a, ok1 := identify(of.Frame, &h)
	b, ok2 := identify(f.Data, f.Headers())
	return ok1 && ok2 && (a.same(&b) || echoes(f.Data, f.Headers(), of.Frame, &h))
}

// echoes reports whether a packet is the reply to an echo request.
func echoes(reply []byte, h *packet.Headers, request []byte, of *packet.Headers) bool {
	proto := h.Key.Get(field.IPProto)
	if !isEcho(uint8(proto), h) || !isEcho(uint8(of.Key.Get(field.IPProto)), of) ||
		proto != of.Key.Get(field.IPProto) || len(reply) < h.Layout.L4+8 || len(request) < of.Layout.L4+8 {
		return false
	}
	a, b := flowEnds(reply, h), flowEnds(request, of)
	asked := icmpType(of)
	return a[0] == b[1] && a[1] == b[0] && (asked == 8 || asked == 128) && icmpType(h) != asked &&
		bytes.Equal(reply[h.Layout.L4+4:h.Layout.L4+8], request[of.Layout.L4+4:of.Layout.L4+8])
}

// answers reports whether a frame is the answer to the packet that was injected, which
// opened a connection.
func (f *Frame) answers(of *sim.Injection) bool {
	var h packet.Headers
	h.Read(of.Frame)
	if !opensTCP(&h) || len(of.Frame) < h.Layout.L4+8 {
		return false
	}
	_, acked := tcpNumbers(f)
	return acked == binary.BigEndian.Uint32(of.Frame[h.Layout.L4+4:])+1
}

// answersSYN reports whether a packet is the answer to one that opens a TCP connection.
func answersSYN(h *packet.Headers) bool {
	const both = header.FlagSYN | header.FlagACK
	return h.Key.Get(field.IPProto) == header.ProtoTCP && h.Key.Get(field.TCPFlags)&both == both
}

// observe hands on a frame that left OVN.
func (s *Run) observe(f *Frame) {
	s.history.note(f)
	s.twins.replayed(f)
	s.handler.Observed(f, f.point)
}

// inject puts a frame into OVN where it entered.
func (s *Run) inject(f *Frame) {
	s.wires.reached(f)
	if s.Engine.Blocked(f.point.Port, f.point.Chassis) && !s.opts.NoInference && s.leaving(f) != nil {
		s.Engine.Activate(f.point.Port, f.point.Chassis) // it went on, so the port was
	}
	s.resume(f, nil)
	s.allowSmall(f)
	if !s.tries(f) && !s.quotes(f) && !s.continued(f) && !s.decides(f) {
		s.fate(f, s.put(s.Engine, f, f.point.Port, f.point.Chassis))
	}
}

// put is inject up to what becomes of the frame, on an engine of a network that has
// the port and chassis.
func (s *Run) put(e *sim.Engine, f *Frame, port *network.Port, chassis *network.Chassis) *sim.Outcome {
	in := sim.Injection{
		Port: port, Chassis: chassis, Time: f.Time, Frame: f.Data, Headers: f.Headers(), Wire: f.Wire,
		Ref: reference(f), Segment: s.segmentSize(f),
	}
	if s.nowhere(port, chassis) && !s.passedOn(f) {
		return e.Refuse(in)
	}
	return e.Inject(in)
}

// passedOn reports whether a capture shows that OVN took a frame although its port
// is not bound yet, or no more, as far as the database says: what ovn-controller
// does and what it commits are a moment apart.
func (s *Run) passedOn(f *Frame) bool {
	for l, n := s.alike(f.id).first, 0; f.id != 0 && l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir == Left && l.Capture != f.Capture && l.Time-f.Time < changeTime {
			return true
		}
	}
	return false
}

// unbound reports whether at this moment an interface is at no chassis: nothing
// comes from there.
func (s *Run) unbound(p *network.Port) bool {
	return s.opts.Changes != nil && p.Type == network.VIF && p.ActiveChassis() == nil && len(p.Additional) == 0
}

// nowhere reports whether at this moment an interface is not OVN's: the network is
// followed, and its port is not bound there, or no bridge is mapped to its network yet.
func (s *Run) nowhere(p *network.Port, c *network.Chassis) bool {
	return s.opts.Changes != nil && (p.Type == network.VIF && !p.ResidentOn(c) || p.Unmapped(c))
}

// fate hands on what became of an injected frame.
func (s *Run) fate(f *Frame, out *sim.Outcome) {
	switch {
	case out.Drop == trace.DropFragment && s.inferrer.incomplete(f.Data, f.Headers()):
		out.Untold(trace.UnknownRest)
	case s.inferrer.untold(f, out), s.cameThrough(f, out):
		out.Untold(trace.UnknownWay)
	}
	s.inferrer.entered(f, out)
	s.inferrer.tried(f, out)
	s.tunnels.predicted(out)
	s.wires.predicted(out)
	s.history.add(f, out)
	if holds(out) && len(s.waiting) < maxWaiting {
		kept := *f
		kept.Data = append([]byte(nil), f.Data...)
		s.waiting[reference(f)] = &kept
	}
	if !out.Late {
		s.twins.replayed(f)
	}
	out.Of.Headers = f.Headers()
	s.handler.Entered(f, f.point, out)
}

// cameThrough reports whether conntrack refuses a packet of a connection of which nothing
// was replayed before, and a capture shows that it came through all the same: the captures
// lack how the connection began. Where a table was full, that is why.
func (s *Run) cameThrough(f *Frame, out *sim.Outcome) bool {
	n := len(out.Trace.CT)
	if out.Verdict != sim.Dropped || n == 0 || out.Trace.CT[n-1].State&conntrack.Invalid == 0 || f.point.Port == nil {
		return false
	}
	if f.Inferred {
		return !f.Own
	}
	e, k := flowEnds(f.Data, f.Headers()), &f.Headers().Key
	if s.inferrer.known(answerKey{f.point.key(), uint8(k.Get(field.IPProto)), e[0], e[1]}) {
		return false
	}
	if len(s.Engine.Limits()) > 0 {
		return false
	}
	for l, i := s.alike(f.id).first, 0; l != nil && i < maxAlike; l, i = l.same, i+1 {
		came := l.dir == Left || l.dir == Crossed && len(out.Tunnels) == 0
		if came && l.skip == "" && l.point.Port != f.point.Port && l.Time-f.Time < wireWindow {
			return true
		}
	}
	return false
}

// maxWaiting bounds how many frames are kept because ovn-controller holds them.
const maxWaiting = 4096

// goOn replays the rest of packets that ovn-controller held and that go on
// by a moment. Handlers are called for each as for a frame that entered, with
// Outcome.Late set.
func (s *Run) goOn(by conntrack.Time) {
	for out := s.Engine.Advance(by); out != nil; out = s.Engine.Advance(by) {
		f := s.waiting[out.Of.Ref]
		if f == nil {
			of := &out.Of
			f = &Frame{Capture: int(of.Ref >> 40), Number: int(of.Ref >> 1 & 0x7fffffffff), Time: of.Time,
				Data: of.Frame, Wire: of.Wire}
			f.point = s.Taps[f.Capture].point(of.Port, of.Chassis)
		}
		s.fate(f, out)
	}
	s.forgetWaiting(by)
}

// forgetWaiting drops frames whose packets ovn-controller holds no more, once
// there are many.
func (s *Run) forgetWaiting(now conntrack.Time) {
	if len(s.waiting) <= maxWaiting/2 {
		return
	}
	all := func(yield func(uint64, conntrack.Time) bool) {
		for ref, f := range s.waiting {
			if !yield(ref, f.Time) {
				return
			}
		}
	}
	s.waited.forget(now-60*conntrack.Second, all, func(ref uint64) (conntrack.Time, bool) {
		if f := s.waiting[ref]; f != nil {
			return f.Time, true
		}
		return 0, false
	}, func(ref uint64) {
		if len(s.waiting) > maxWaiting/2 {
			delete(s.waiting, ref)
		}
	})
}

// reference is what an injected frame is known by.
func reference(f *Frame) uint64 {
	r := uint64(f.Capture)<<40 | uint64(f.Number)<<1
	if f.Inferred {
		r |= 1
	}
	return r
}

// holds reports whether ovn-controller may go on with the packet later.
func holds(out *sim.Outcome) bool {
	return out.Trace.Has(trace.DropWaits)
}

// waits reports whether a packet may go on later: see holds, and it may be a fragment that
// conntrack keeps until it has all of its datagram.
func waits(out *sim.Outcome) bool { return holds(out) || out.Trace.Has(trace.DropFragment) }

// SplitRef takes the index of the capture out of what an injected frame is
// known by (sim.Injection.Ref).
func SplitRef(ref uint64) (capture int, rest uint64) { return int(ref >> 40), ref & (1<<40 - 1) }

// JoinRef is what the frame is known by that SplitRef took apart, in another
// capture.
func JoinRef(capture int, rest uint64) uint64 { return uint64(capture)<<40 | rest&(1<<40-1) }
