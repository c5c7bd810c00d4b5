package replay

import (
	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// twins recognises frames that a capture shows twice: a span port that mirrors
// both ways, a bond and its member, the same file given twice. The bytes are
// the same to the last, a moment apart, and the packet was there once. What a
// host sends again comes later, and as another packet.
type twins struct {
	// When a frame was there last, by twinHash: those since turn, and those before
	// it, back to recurWindow before it if they are not too many.
	seen filed[twinSeen]
	old  filed[twinSeen]
	turn conntrack.Time // when seen began

	// Those of a moment ago that are replayed, from head on: frames that were only
	// read ahead are read again by a run that goes on from here.
	done []aged[uint64]
	head int
}

// twinSeen is when the same frame was there last, and the how manieth it was.
type twinSeen struct {
	last   conntrack.Time
	nth    int32
	tap    int32 // the capture that showed it last
	recurs bool  // it had been there more than twinWindow before: its sender makes the same again
	burst  bool  // there were more in a row than a capture shows copies
}

// twinned is what a frame has to do with those of the same bytes before it.
type twinned struct {
	twinKey uint64
	nth     int32 // the how manieth of the same it is
	twin    bool  // the same was there just before: see shownTwice
	recurs  bool  // and more than a moment before
	close   bool  // within twinClose
	copy    bool  // at the same time in another capture: of one file given twice, or two of one port
}

// replayed notes that a frame is.
func (t *twins) replayed(f *Frame) {
	if f.twinKey == 0 || f.Inferred {
		return
	}
	t.done = append(t.done, aged[uint64]{f.twinKey, f.Time})
	for f.Time-t.done[t.head].time > recurWindow || len(t.done)-t.head > maxTwins {
		t.head++
	}
	if 2*t.head >= len(t.done) {
		t.done, t.head = t.done[:copy(t.done, t.done[t.head:])], 0
	}
}

// twinHash is what twins have in common: all bytes, and where and which way they
// crossed. tap is the capture in the tunnel network, where two captures may well
// show a packet; else -1.
func twinHash(f *Frame, p pointKey, tap int) uint64 {
	h := hashWords(1, f.Data)
	for _, v := range [...]int{f.Wire, p.port, p.chassis, tap, int(f.dir)} {
		h = hashWord(h, uint64(v))
	}
	return h
}

const (
	// twinWindow is how far apart the two are at most.
	twinWindow = conntrack.Second / 1000
	// twinClose is how far apart they mostly are.
	twinClose = twinWindow / 10
	// recurWindow is within how long a sender that does not count makes the same frame again.
	recurWindow = conntrack.Second
	// twinsTurn is for how many frames it does not pay to forget those that are older.
	twinsTurn = 1 << 9
	// maxTwins bounds how many frames are remembered: those of a millisecond are
	// never as many.
	maxTwins = 1 << 13
	// mostCopies is how often a capture shows one packet at most: a bond and its member, both
	// ways. More in a row were sent so.
	mostCopies = 4
	// A capture that shows one frame in twinShare twice shows them so for a reason.
	twinShare = 4
	// A capture shows all frames twice if it does so with allTwins of a hundred, of
	// manyTwins at least.
	allTwins, manyTwins = 90, 4
)

// again notes a frame and reports whether it was there just before.
func (t *twins) again(f *Frame) bool {
	if f.skip != "" && !f.isCut() && len(f.Data) > 0 && !f.homeless { // what is cut looks like others
		return t.skippedAgain(f)
	}
	if f.skip != "" || f.id == 0 || f.point == nil {
		return false
	}
	var k uint64
	switch {
	case f.dir == Crossed:
		k = hashWords(twinHash(f, tunnelKey(f.tunnel.from, f.tunnel.to), f.Capture), f.tunnel.whole)
	case f.point.Port == nil:
		return false
	default:
		k = twinHash(f, f.point.key(), -1)
	}
	return t.note(k, f)
}

// skippedAgain notes a frame that is placed nowhere and reports whether it was there
// just before: nobody counts on it.
func (t *twins) skippedAgain(f *Frame) bool {
	k := twinHash(f, pointKey{}, f.Capture)
	if f.tunnel != nil {
		k = hashWords(k, f.tunnel.whole)
	}
	return t.note(k, f)
}

// note notes a frame and reports whether it was there just before.
func (t *twins) note(k uint64, f *Frame) bool {
	f.twinKey = k
	now := f.Time
	if now-t.turn > recurWindow && t.seen.n >= twinsTurn || t.seen.n >= maxTwins {
		t.old, t.seen, t.turn = t.seen, t.old, now
		t.seen.clear()
	}
	x := twinSeen{last: now, nth: 1, tap: int32(f.Capture)}
	f.close, f.copy = false, false
	if before := t.before(k); before != nil && now-before.last <= recurWindow {
		x.recurs = before.recurs || now-before.last > twinWindow
		if now-before.last <= twinWindow {
			x.nth, f.close = before.nth+1, now-before.last <= twinClose
			f.copy = now == before.last && x.tap != before.tap
		}
		x.burst = before.burst || x.nth > mostCopies
	}
	*t.seen.put(k) = x
	f.nth, f.recurs = x.nth, x.recurs
	return f.nth > 1
}

// before is when the same frame was there last, nil: it was not, or long ago.
func (t *twins) before(k uint64) *twinSeen {
	if x := t.seen.get(k); x != nil {
		return x
	}
	return t.old.get(k)
}

// burst reports whether a frame is one of more in a row than a capture shows copies.
func (t *twins) burst(f *Frame) bool {
	x := t.before(f.twinKey)
	return x != nil && x.burst && x.last-f.Time < recurWindow
}

// shownTwice decides about a frame that was there just before: is it the same
// packet, or was it sent twice? A capture that shows many so shows all so. Else
// what other places show decides: whoever sees it twice, got it twice.
func (s *Run) shownTwice(f *Frame) bool {
	t := s.Taps[f.Capture]
	switch all := t.doubles(); {
	case !f.twin:
		return false
	case f.copy:
		return true
	case all && f.nth%2 == 0:
		return true
	case s.isDue(f):
		return false
	case !all && t.twins*twinShare >= t.Frames:
		return true
	case s.twins.burst(f):
		return false
	case f.dir == Left:
		return !s.enters(f)
	case f.dir == Crossed:
		return f.unique()
	}
	seen := map[pointKey]int{}
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l != f && l.dir == Left && !s.copied(l) {
			seen[l.point.key()]++
		}
	}
	for p, n := range seen {
		if n > s.inferrer.expected.count(expectKey{p, f.id}) {
			return false // once more than what is predicted so far
		}
	}
	return len(seen) > 0 || f.unique()
}

// countTwin counts a frame by the how manieth of the same it is.
func (t *Tap) countTwin(f *Frame) {
	switch f.nth {
	case 0: // nothing tells it from others
	case 1:
		t.firsts++
	case 2:
		t.seconds++
	}
	if f.twin && (f.close || f.nth <= mostCopies && !f.recurs) {
		t.twins++
	}
}

// doubles reports whether a capture shows all its frames twice, one after the other.
func (t *Tap) doubles() bool { return t.firsts >= manyTwins && t.seconds*100 >= t.firsts*allTwins }

// copied reports whether a frame, to look at it by itself, is the copy of one before it.
func (s *Run) copied(f *Frame) bool {
	return f.twin && (f.nth%2 == 0 || !s.Taps[f.Capture].doubles())
}

// unique reports whether no sender makes another packet with the same bytes
// within a moment: they count, by the IP id or by TCP's sequence numbers. Who made the
// same before does not count.
func (f *Frame) unique() bool {
	return numbered(f.Data, f.Headers()) && (!f.recurs || f.Headers().Key.Get(field.IPProto) == header.ProtoTCP)
}

// numbered reports whether a packet's sender counts its packets: others are not told from
// those of other senders that carry the same.
func numbered(data []byte, h *packet.Headers) bool {
	id, ok := identify(data, h)
	return ok && (id.id != 0 || id.proto == header.ProtoTCP)
}

// isDue reports whether the frame is predicted where it left, once more than it
// was observed.
func (s *Run) isDue(f *Frame) bool {
	switch f.dir {
	case Left:
		return s.inferrer.expected.has(expectKey{f.point.key(), f.id})
	case Crossed:
		k := f.crossing()
		k.hash = 0
		return s.tunnels.expected.has(k)
	}
	return false
}

// enters reports whether the packet of a frame that left is still to enter.
func (s *Run) enters(f *Frame) (found bool) {
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike && !found; l, n = l.same, n+1 {
		found = (l.dir == Entered || l.dir == Crossed && l.tunnel.to == f.point.Chassis) && !s.copied(l)
	}
	return found
}
