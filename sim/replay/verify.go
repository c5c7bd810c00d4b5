package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// VerifyOptions shape a verification.
type VerifyOptions struct {
	// Window is how long a prediction or an observation waits for its
	// counterpart on the captures' clock; 0 means 30 s.
	Window conntrack.Time
	// MaxWaiting is how many wait at most: beyond it the oldest are decided
	// about early, and Report.Early counts them; 0 means 131,072.
	MaxWaiting int
	// Ignore names fields that may differ.
	Ignore []string
	Strict bool
	// Matched, if not nil, is called with each observed frame that was predicted
	// and the packet that led to it, or that ovn-controller sent by itself: then
	// from is nil. The arguments are valid during the call.
	Matched func(observed *Item, from *Origin)
	// Conn, if not nil, numbers the connection of the packet that entered last, 0 if it has none.
	Conn func() int
	// MTU is that of ports, by name: longer frames do not leave there.
	MTU map[string]int
	// Causes are known before anything is replayed.
	Causes []Group
}

// Verifier is a Handler that holds predictions against observations.
//
// Two frames at one point match if they are the same bytes, as far as the
// captures hold them, and the same length. Which came first does not matter:
// clocks of captures differ. What has waited longer than the window is decided
// about, so memory is bounded by what the captures hold in that time.
type Verifier struct {
	Report Report

	opts    VerifyOptions
	run     *Run
	waiting map[waitKey]line   // linked by waiter.like
	byID    map[expectKey]line // linked by waiter.kin
	streams map[expectKey]*stream
	order   []*waiter // oldest first, from front on; those done stay until compacted
	front   int
	live    int
	asks    map[askedKey]int // how many that wait are ARP packets about an address
	free    []*waiter
	now     conntrack.Time
	auto    *autonomous
	former  *autonomous      // what it was before the network changed last
	changed conntrack.Time   // when that was
	spans   map[int]*held    // by capture
	ties    map[[2]int32]int // position in Report.Ties
	begin   conntrack.Time   // of all of them

	// What causes are told by.
	causes   map[Cause]*tally
	said     map[Cause]string
	doubts   []doubt
	losers   []pointKey // whose captures are proved to lack packets
	cameOut  []emerged
	evidence evidence
	patches  bool // conntrack.PatchesPartialSums

	undecided []*waiter // predictions that wait for the end, see postpone
	ending    bool
	basis     basis
	parsed    *why.Explainer // see facts
}

// held is when a capture's first and last frames are from.
type held struct{ first, last conntrack.Time }

type waitKey struct {
	point pointKey
	hash  uint64
}

// waiter is a prediction or an observation that has found no partner yet.
type waiter struct {
	predicted bool
	done      bool
	capture   int
	file      string
	number    int
	time      conntrack.Time
	at        conntrack.Time // when it began to wait
	where     *Point
	point     pointKey
	data      []byte
	wire      int
	bare      bool
	guess     bool
	seen      bool
	inferred  bool
	patched   bool // predicted: see conntrack.PatchesPartialSums
	own       bool
	called    bool // observed: the database calls for it, whatever was replayed
	keys      tunnelKeys
	outer     []Difference
	id        uint64
	form      form
	hash      uint64 // of its beginning, by which it is filed
	seg       segment
	rest      []span // of seg, what has found no partner
	parts     int    // how many partners it has
	offloaded bool   // by what its partners say
	short     bool
	like, kin *waiter // the next of the same beginning, of the same identity

	// Predictions only.
	origin   Origin
	original []byte
	way      fate
	said     *Item // to be listed, if it is
	copied   bool  // another of its copies to a group was observed

	heads packet.HeadersOnce // of data
}

// owned is a copy that stays as it is when w is used again.
func (w *waiter) owned() waiter {
	x := *w
	x.data, x.original, x.rest = slices.Clone(w.data), slices.Clone(w.original), nil
	x.way.nat = slices.Clone(w.way.nat)
	return x
}

// Headers returns the headers of w's frame, parsed when first asked for.
func (w *waiter) Headers() *packet.Headers { return w.heads.Of(w.data) }

// NewVerifier returns a verifier; it is to be given to NewSession.
func NewVerifier(opts VerifyOptions) *Verifier {
	if opts.Window == 0 {
		opts.Window = 30 * conntrack.Second
	}
	if opts.MaxWaiting == 0 {
		opts.MaxWaiting = 1 << 17
	}
	v := &Verifier{opts: opts, waiting: map[waitKey]line{}, byID: map[expectKey]line{},
		streams: map[expectKey]*stream{}, asks: map[askedKey]int{}, causes: map[Cause]*tally{},
		said:     map[Cause]string{},
		evidence: newEvidence(), spans: map[int]*held{}, basis: newBasis()}
	v.Report.Mismatched, v.Report.Missing, v.Report.Unexpected = []Item{}, []Item{}, []Item{}
	v.Report.Strict, v.Report.Version = opts.Strict, FormVersion
	return v
}

func (v *Verifier) attach(s *Run) {
	v.run, v.auto = s, newAutonomous(s.Engine.Net)
	v.patches = s.Engine.Tracks(conntrack.PatchesPartialSums)
}

// become takes what ovn-controller sends by itself in the network as it is since a
// moment.
// It sends what the database called for a moment before, or calls for now,
// before it has heard of the change or has the change committed.
func (v *Verifier) become(since conntrack.Time) {
	v.former, v.changed = v.auto, since
	v.auto = v.run.wires.auto
	for _, w := range v.order {
		if !w.done && !w.predicted && !w.called && w.time+changeTime > since {
			w.called = v.auto.sent(w.point, w.data, w.wire, w.bare)
		}
	}
}

// maxRaces bounds how many races are listed.
const maxRaces = 1000

// raced notes a packet that met the network as it was before a change.
func (v *Verifier) raced(r Race) {
	if len(v.Report.Races) < maxRaces {
		v.Report.Races = append(v.Report.Races, r)
	}
}

// changeTime is how long a change of the database takes at most to be what
// ovn-controller goes by.
const changeTime = conntrack.Second

// sendsOwn reports whether ovn-controller sends an observed frame by itself,
// as the database is at that moment.
func (v *Verifier) sendsOwn(w *waiter) bool {
	return v.auto.sent(w.point, w.data, w.wire, w.bare) ||
		v.former != nil && w.time < v.changed+changeTime && v.former.sent(w.point, w.data, w.wire, w.bare)
}

// Entered implements Handler.
func (v *Verifier) Entered(f *Frame, p *Point, out *sim.Outcome) {
	if v.opts.Conn != nil {
		v.run.history.newest.conn = int32(v.opts.Conn())
	}
	v.now = max(v.now, f.Time)
	switch {
	case out.Late, f.Inferred:
	case p.Port == nil:
		v.count(f)
		v.Report.Underlay.Entered++
		if f.partial {
			v.emerges(f)
		}
	default:
		v.count(f)
		v.Report.Entered++
	}
	v.noteTies(out)
	if p.Port != nil {
		flow := v.noteFlow(p.key(), f.Data, f.Headers(), true)
		if flow.entries == 0 {
			v.noteAsked(p.key(), f)
		}
		flow.came(f)
		flow.lacks = flow.lacks || f.Lost
		if !f.Own {
			v.evidence.entered(p.key(), f.Inferred)
		}
		v.noteReply(p.key(), f, flow)
		v.spoke(f, p)
		v.noteQuestion(p.key(), f)
		v.noteDied(p.key(), f, out)
		if f.Lost {
			v.doubt(doubt{p.key(), f.Time, v.run.name(f), f.Number, askingOf(f.Headers())})
		}
	}
	if !f.Inferred && !out.Late {
		v.basis.entered(out)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		k := keyOf(o.Port, o.Chassis)
		if !v.run.inferrer.captured[k] {
			continue
		}
		w := v.prediction(f, p, out, o.Event)
		w.where, w.point = v.run.Taps[f.Capture].point(o.Port, o.Chassis), k
		w.time, w.wire, w.guess, w.seen = o.Time, o.Wire, o.Guess, o.Seen
		if o.Headers().Key.Get(field.TCPFlags)&header.FlagSYN != 0 {
			v.noteFlow(k, o.Data, o.Headers(), false).opened++
		}
		v.meet(w, o.Data, o.Headers())
	}
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		if !v.run.tunnels.shows(o) {
			continue
		}
		w := v.prediction(f, p, out, o.Event)
		w.where, w.point = v.run.Taps[f.Capture].tunnel(o.From, o.To), tunnelKey(o.From, o.To)
		w.time, w.wire, w.guess, w.seen = o.Time, o.Wire, o.Guess, o.Seen
		w.keys = keysOf(o, pcap.Geneve)
		v.meet(w, o.Data, o.Headers())
	}
}

// noteTies counts the packets that met flows of which any may be used.
func (v *Verifier) noteTies(out *sim.Outcome) {
	if !v.run.Engine.Tied() {
		return
	}
	for _, ev := range out.Trace.Events() {
		if ev.Kind != trace.Note || ev.Reason != trace.TieUndefined {
			continue
		}
		k := [2]int32{ev.Flow, ev.Arg}
		at, known := v.ties[k]
		if !known {
			if v.ties == nil {
				v.ties = map[[2]int32]int{}
			}
			at = len(v.Report.Ties)
			v.ties[k] = at
			v.Report.Ties = append(v.Report.Ties, Tie{
				Used:     *v.ref(visit{flow: ev.Flow, datapath: ev.Datapath}),
				Other:    *v.ref(visit{flow: ev.Arg, datapath: ev.Datapath}),
				Priority: int(v.net().Flows[ev.Flow].Priority),
			})
		}
		v.Report.Ties[at].Packets++
	}
}

// prediction returns a waiter for something an injected frame leads to.
func (v *Verifier) prediction(f *Frame, p *Point, out *sim.Outcome, event int) *waiter {
	w := v.take()
	w.predicted, w.inferred, w.own = true, f.Inferred && !f.Own, f.Own
	w.capture, w.file, w.number = f.Capture, f.File, f.Number
	w.origin = Origin{Capture: v.run.name(f), Frame: f.Number, Port: p.Name()}
	if v.opts.Conn != nil {
		w.origin.Conn = v.opts.Conn()
	}
	w.original = append(w.original, f.Data...)
	w.patched, w.seg = v.patches, f.ofBatch()
	w.way.inferred = f.Inferred
	w.way.original = endpoints(f.Headers())
	w.way.read(&v.run.history.ways, out, event)
	return w
}

// Observed implements Handler.
func (v *Verifier) Observed(f *Frame, p *Point) {
	v.count(f)
	if p.Port == nil {
		v.Report.Underlay.Observed++
	} else {
		v.Report.Observed++
	}
	w := v.take()
	w.capture, w.file, w.number, w.time, w.where = f.Capture, f.File, f.Number, f.Time, p
	w.wire, w.bare, w.seg = f.Wire, f.Bare, f.ofBatch()
	if p.Port != nil {
		w.point = p.key()
	} else {
		w.point, w.keys = tunnelKey(p.From, p.Chassis), f.tunnel.keys
		w.outer = outerDifferences(f)
	}
	v.evidence.observed(w.point, f)
	v.basis.observed(w)
	v.meet(w, f.Data, f.Headers())
}

// tooShort notes a frame that its capture cut before the end of its headers.
func (v *Verifier) tooShort(f *Frame) {
	v.evidence.cut++
	switch {
	case f.tunnel != nil && f.tunnel.from != nil && f.tunnel.to != nil:
		v.evidence.at(tunnelKey(f.tunnel.from, f.tunnel.to)).cut++
	case f.point != nil && f.point.Port != nil:
		v.evidence.at(f.point.key()).cut++
	}
	v.blame(CauseSnaplen, v.run.name(f), f.Number)
}

// Skipped implements Handler.
func (v *Verifier) Skipped(f *Frame, p *Point, why string) {
	v.count(f)
	v.basis.skipped(why)
	switch {
	case why == whyTwice:
		v.blame(CauseTwice, v.run.name(f), f.Number)
		fallthrough
	case why == whyAgain, why == whyLoopback:
		v.Report.Repeated++
		return
	case why == whyNoSite:
		keep(v.evidence.unplaced, identityHash(f.Data, f.Headers()), f.Time)
	case why == whyVLAN:
		keep(v.evidence.others, whateverTag(p.key(), f.Data, f.Headers()), true)
	case why == whyCut:
		v.Report.TooShort++
		v.tooShort(f)
		return
	case why == whyBFD, why == whyForeign, why == whyLink, f.tunnel != nil && len(why) > len(whyNotTunnel) &&
		why[:len(whyNotTunnel)] == whyNotTunnel:
		v.Report.Foreign++
		return
	}
	v.Report.add("skipped", &v.Report.Skipped, Item{
		Capture: v.run.name(f), Frame: f.Number, Port: p.Name(), Time: Moment(f.Time), Reason: why,
		Packet: f.Headers().Describe(f.Data),
	})
}

// count notes a captured frame.
func (v *Verifier) count(f *Frame) {
	if f.tunnel != nil {
		if v.Report.Underlay == nil {
			v.Report.Underlay = &UnderlayCounts{}
		}
		v.Report.Underlay.Packets++
	} else {
		v.Report.Packets++
		if !v.evidence.kinds.mixed {
			v.evidence.kinds.add(f.Headers())
		}
	}
	s := v.spans[f.Capture]
	if s == nil {
		s = &held{first: f.Time}
		if len(v.spans) == 0 || f.Time < v.begin {
			v.begin = f.Time
		}
		v.spans[f.Capture] = s
	}
	s.last = max(s.last, f.Time)
	if f.Untagged {
		v.blame(CauseVLAN, v.run.name(f), f.Number)
	}
	v.basis.frame(f, v.run.owners)
	v.now = max(v.now, f.Time)
}

// take returns a waiter whose buffers may be used.
func (v *Verifier) take() *waiter {
	n := len(v.free)
	if n == 0 {
		return &waiter{}
	}
	w := v.free[n-1]
	v.free = v.free[:n-1]
	*w = waiter{data: w.data[:0], original: w.original[:0], rest: w.rest[:0],
		way: fate{nat: w.way.nat[:0]}}
	return w
}

// meet pairs w with the oldest partner of the same bytes, or lets it wait.
func (v *Verifier) meet(w *waiter, data []byte, h *packet.Headers) {
	w.data = append(w.data, data...)
	w.heads.Set(h)
	if l3 := h.Layout.L3; l3 != 0 && header.HasJumbo(w.data[l3:h.Layout.L3End]) {
		w.data, w.wire, w.heads = header.WithoutJumbo(w.data, l3), w.wire-header.JumboSize, packet.HeadersOnce{}
		h = w.Headers()
	}
	w.form = formOf(w.data, h, w.wire)
	w.hash = w.form.filing(w.data)
	k := waitKey{w.point, w.hash}
	if other, l := v.nearest(k, w); other != nil {
		v.forget(other)
		v.compared(l)
		v.matched(w, other)
		v.free = append(v.free, w)
		v.expire()
		return
	}
	if w.seg.stream != 0 {
		w.seg = w.seg.in(w.data, &w.form)
	} else {
		w.seg = segmentOf(w.data, &w.form)
	}
	if w.seg.stream != 0 && v.overlap(w) {
		v.free = append(v.free, w)
		v.expire()
		return
	}
	if w.seg.stream != 0 {
		v.joinStream(w)
	}
	w.at, w.id = v.now, identityHash(w.data, h)
	w.called = !w.predicted && v.sendsOwn(w)
	v.waiting[k] = chained(v.waiting[k], w, likes)
	id := expectKey{w.point, w.id}
	v.byID[id] = chained(v.byID[id], w, kins)
	v.order = append(v.order, w)
	v.live++
	if q, ok := v.question(w); ok {
		v.asks[q]++
	}
	v.expire()
}

// nearest finds the partner of the same bytes, of several the nearest in time: the
// others may have been for an interface that was not up yet.
func (v *Verifier) nearest(k waitKey, w *waiter) (best *waiter, how likeness) {
	apart := func(o *waiter) conntrack.Time { return max(o.time-w.time, w.time-o.time) }
	other, alikes := v.waiting[k].first, 0
	for n := 0; other != nil && n < maxSameHead && alikes < maxAlike; other, n = other.like, n+1 {
		if other.parts > 0 {
			continue
		}
		l := alike(other, w)
		if !l.same {
			continue
		}
		if other.predicted == w.predicted {
			break // what could match w would have matched it
		}
		if alikes++; best == nil || apart(other) < apart(best) {
			best, how = other, l
		}
	}
	return best, how
}

// maxSameHead bounds how many frames with the same beginning are looked at.
const maxSameHead = 4096

// askedKey is what an ARP packet asks or tells about.
type askedKey struct {
	point     pointKey
	predicted bool
	op, addr  uint64
}

// question returns what w asks or tells about, if it is an ARP packet.
func (v *Verifier) question(w *waiter) (askedKey, bool) {
	k := &w.Headers().Key
	return askedKey{w.point, w.predicted, k.Get(field.ARPOp), k.Get(field.ARPTPA)},
		k.Get(field.EthType) == header.EtherARP
}

// alike reports whether two frames at one point are the same.
func alike(a, b *waiter) (l likeness) {
	if !alikeTunnels(a, b) {
		return l
	}
	return likeFrames(a, b, a.bare || b.bare)
}

// alikeTunnels reports whether two frames are in the same tunnel, or in none.
func alikeTunnels(a, b *waiter) bool {
	vxlan := a.keys.kind == pcap.VXLAN || b.keys.kind == pcap.VXLAN
	return a.keys.datapath == b.keys.datapath && a.keys.outport == b.keys.outport &&
		(a.keys.inport == b.keys.inport || vxlan)
}

// compared counts how two frames were found to be the same.
func (v *Verifier) compared(l likeness) {
	if l.offloaded {
		v.Report.Offloaded++
	}
	if l.cut {
		v.Report.Cut++
	}
}

// forget takes a waiter out of the indexes.
func (v *Verifier) forget(w *waiter) {
	w.done = true
	v.live--
	if w.seg.stream != 0 {
		v.leaveStream(w)
	}
	k := waitKey{w.point, w.hash}
	if l := unchained(v.waiting[k], w, likes); l.first == nil {
		delete(v.waiting, k)
	} else {
		v.waiting[k] = l
	}
	id := expectKey{w.point, w.id}
	if l := unchained(v.byID[id], w, kins); l.first == nil {
		delete(v.byID, id)
	} else {
		v.byID[id] = l
	}
	if q, ok := v.question(w); ok {
		if v.asks[q]--; v.asks[q] == 0 {
			delete(v.asks, q)
		}
	}
}

// line is waiters one after the other, oldest first.
type line struct{ first, last *waiter }

// likes and kins are the two lines a waiter is in.
func likes(w *waiter) **waiter { return &w.like }
func kins(w *waiter) **waiter  { return &w.kin }

// chained returns a line with w at its end.
func chained(l line, w *waiter, next func(*waiter) **waiter) line {
	if l.first == nil {
		return line{w, w}
	}
	*next(l.last) = w
	return line{l.first, w}
}

// unchained returns a line without w.
func unchained(l line, w *waiter, next func(*waiter) **waiter) line {
	var before *waiter
	for at := l.first; at != nil; before, at = at, *next(at) {
		if at != w {
			continue
		}
		if before == nil {
			l.first = *next(w)
		} else {
			*next(before) = *next(w)
		}
		if l.last == w {
			l.last = before
		}
		*next(w) = nil
		return l
	}
	return l
}

func (v *Verifier) matched(a, b *waiter) {
	flow := v.noteFlow(a.point, a.data, a.Headers(), false)
	flow.matched++
	if len(a.data) >= 14 && macAt(a.data).multicast() {
		v.evidence.at(a.point).groups++
	}
	for _, w := range [...]*waiter{a, b} {
		if w.predicted {
			flow.last = max(flow.last, w.time)
			v.noteWay(w)
			notePieces(v.evidence.pieces, w)
		}
	}
	v.basis.compared(a, b)
	if b.outer == nil {
		b, a = a, b
	}
	if len(b.outer) > 0 && !v.ignored(b.outer) {
		it := v.item(b)
		it.Fields = b.outer
		it.Reason = "the tunnel's outer headers differ"
		v.Report.add("mismatched", &v.Report.Mismatched, it)
		return
	}
	v.tell(a, b)
	if a.point.port < 0 {
		v.Report.Underlay.Matched++
		return
	}
	if a.own || b.own {
		v.Report.Autonomous++
		return
	}
	v.Report.Matched++
	if a.guess || a.seen || b.guess || b.seen {
		v.Report.Guessed++
	}
	if a.inferred || b.inferred {
		v.Report.Inferred++
		if a.predicted {
			a = b
		}
		v.noteStray(a, true)
	}
}

// tell hands on a frame that was observed as predicted.
func (v *Verifier) tell(a, b *waiter) {
	if v.opts.Matched == nil {
		return
	}
	o, p := a, b
	if o.predicted {
		o, p = b, a
	}
	if o.predicted {
		return
	}
	it := Item{Capture: v.fileOf(o.capture, o.file), Frame: o.number, Port: o.where.Name(),
		Chassis: o.where.Chassis.Name, Time: Moment(o.time), data: o.data, wire: o.wire}
	if p == nil || p == o {
		v.opts.Matched(&it, nil)
		return
	}
	v.opts.Matched(&it, &p.origin)
}

// expire decides about what has waited too long, or is too much, and keeps the
// order short.
func (v *Verifier) expire() {
	for v.front < len(v.order) {
		w := v.order[v.front]
		late := w.at+v.opts.Window < v.now
		if !w.done && !late && v.live <= v.opts.MaxWaiting {
			break
		}
		if !w.done {
			if !late {
				v.Report.Early++
			}
			v.settle(w)
		}
		v.free = append(v.free, w)
		v.front++
	}
	if 2*v.front >= len(v.order) {
		v.order = v.order[:copy(v.order, v.order[v.front:])]
		v.front = 0
	}
	if n := len(v.order) - v.front; n > 1024 && n > 4*v.live {
		v.order = slices.DeleteFunc(v.order[v.front:], func(w *waiter) bool {
			if w.done {
				v.free = append(v.free, w)
			}
			return w.done
		})
		v.front = 0
	}
}

// Interrupt tells that the captures were not read to their end: what has found
// no partner yet might have found one.
func (v *Verifier) Interrupt() {
	v.Report.Interrupted = true
	v.order, v.front = nil, 0
}

// Finish decides about everything that has found no partner.
func (v *Verifier) Finish() *Report {
	v.ending = true
	for _, w := range v.order[v.front:] {
		if !w.done && !w.predicted {
			v.settle(w)
		}
	}
	for _, w := range v.order[v.front:] {
		if !w.done {
			v.settle(w)
		}
	}
	v.order, v.front = nil, 0
	v.settleDoubts()
	v.decide()
	v.Report.sort()
	v.Report.Groups = v.groups()
	v.basis.report(&v.Report, v.net())
	return &v.Report
}

// decide decides about the predictions that waited for the end: those first that
// something shows to have come, which tells how many the captures lost.
func (v *Verifier) decide() {
	open := slices.DeleteFunc(v.undecided, v.excuse)
	v.undecided = nil
	flows, points := map[answerKey]int{}, map[pointKey]int{}
	for _, w := range open {
		flows[v.flowKey(w.point, w.data, w.Headers(), false)]++
		if !w.copied {
			points[w.point]++
		}
	}
	for _, w := range open {
		flow := v.flowKey(w.point, w.data, w.Headers(), false)
		at, ofFlow := v.evidence.at(w.point), flows[flow]
		if v.opts.Strict || v.otherwise(w) || v.repeats(w) || !at.loses(ofFlow, points[w.point]) &&
			!at.losesCopy(w.copied, ofFlow) && !v.losesOne(flow, ofFlow, points[w.point], len(open)) {
			v.leftUnseen(w, w.said)
			continue
		}
		v.Report.Lost++
		v.blame(CauseLost, v.fileOf(w.capture, w.file), w.number)
	}
}

// settle decides about a waiter whose time is over.
func (v *Verifier) settle(w *waiter) {
	v.forget(w)
	other := v.byID[expectKey{w.point, w.id}].first
	for n := 0; other != nil && n < maxSameHead; other, n = other.kin, n+1 {
		if other.predicted != w.predicted && w.parts+other.parts == 0 && samePacket(w, other) {
			v.forget(other)
			v.differ(w, other)
			return
		}
	}
	if other := v.counterpart(w); other != nil && w.parts+other.parts == 0 {
		v.forget(other)
		v.differ(w, other)
		return
	}
	if other := v.sameQuestion(w); other != nil {
		v.forget(other)
		v.differ(w, other)
		return
	}
	if w.called {
		v.tell(w, nil)
		v.basis.compared(w, w)
		v.Report.Autonomous++
		return
	}
	if v.hangs(w) && v.postpone(w) || v.excuse(w) {
		return
	}
	if !w.predicted || !v.postpone(w) {
		v.report(w)
	}
}

// samePacket reports whether two frames of one identity are one packet that may have
// been changed on its way: OVN changes nothing of what a packet carries, unless it made it.
// Of what is cut the length tells more than the little that is held.
func samePacket(a, b *waiter) bool {
	if couldBeMade(a.Headers()) && !a.form.cut && !b.form.cut {
		return true
	}
	i, ok := identify(a.data, a.Headers())
	j, both := identify(b.data, b.Headers())
	if !ok || !both {
		return ok == both
	}
	return i.same(&j) && (!a.form.cut && !b.form.cut || a.wire-a.form.l3 == b.wire-b.form.l3)
}

// hangs reports whether it is known at the end only why a prediction was not
// observed: it comes after the last packet so far of its capture, which may go on or
// have ended, or only what else captures lost can tell whether they lost it.
func (v *Verifier) hangs(w *waiter) bool {
	if v.ending || !w.predicted {
		return false
	}
	_, why := v.vouches(w.point, w.time)
	return why == CauseEarly || why == CauseFlight || why == CauseEmpty || v.hinges(w)
}

// postpone keeps a prediction until the end, and what is to be said of it if nothing
// explains it then.
func (v *Verifier) postpone(w *waiter) bool {
	if len(v.undecided) >= maxUndecided {
		return false
	}
	x := w.owned()
	it := v.item(w)
	v.explainUnexpected(w, &it)
	x.said, x.copied = &it, len(w.data) >= 14 && macAt(w.data).multicast() && v.run.history.saw(w)
	v.undecided = append(v.undecided, &x)
	return true
}

// maxUndecided bounds what is kept until the end.
const maxUndecided = 1 << 12

// report lists a prediction or an observation that nothing explains.
func (v *Verifier) report(w *waiter) {
	it := v.item(w)
	if w.predicted {
		v.explainUnexpected(w, &it)
		v.leftUnseen(w, &it)
		return
	}
	v.explainMissing(w, &it)
	v.Report.add("missing", &v.Report.Missing, it)
}

// leftUnseen lists a prediction that no capture shows, if the captures of its point show at all
// what leaves there.
func (v *Verifier) leftUnseen(w *waiter, it *Item) {
	if !v.opts.Strict && v.hidesLeaving(w.point) {
		v.blame(CauseOneWay, v.fileOf(w.capture, w.file), w.number)
		return
	}
	v.Report.add("unexpected", &v.Report.Unexpected, *it)
}

// sameQuestion finds a waiting ARP packet that asks or tells about the same
// address as w.
func (v *Verifier) sameQuestion(w *waiter) *waiter {
	q, ok := v.question(w)
	if q.predicted = !q.predicted; !ok || v.asks[q] == 0 {
		return nil
	}
	for _, other := range v.order[v.front:] {
		if !other.done && other.predicted != w.predicted && other.point == w.point &&
			sameARP(w.Headers(), other.Headers()) {
			return other
		}
	}
	return nil
}

// differ reports a prediction and an observation of one packet that differ.
func (v *Verifier) differ(a, b *waiter) {
	p, o := a, b
	if o.predicted {
		p, o = b, a
	}
	if v.aboutCut(p, &p.way) && !v.opts.Strict {
		v.explained(o)
		v.blame(CauseSnaplen, v.fileOf(o.capture, o.file), o.number)
		return
	}
	if !v.opts.Strict && v.hidesOther(p) {
		v.explained(o)
		v.blame(CauseOneWay, v.fileOf(o.capture, o.file), o.number)
		return
	}
	it := v.mismatch(p, o)
	if v.ignored(it.Fields) {
		v.matched(p, o)
		return
	}
	if why := v.fromBefore(p, o, it.Fields); why != "" && !v.opts.Strict {
		v.explained(o)
		v.blame(why, v.fileOf(o.capture, o.file), o.number)
		return
	}
	v.basis.compared(p, o)
	v.Report.add("mismatched", &v.Report.Mismatched, it)
}

// ignored reports whether all fields that differ may.
func (v *Verifier) ignored(fields []Difference) bool {
	return !slices.ContainsFunc(fields, func(d Difference) bool { return !slices.Contains(v.opts.Ignore, d.Field) })
}
