package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// The path cache. Between two points at which state decides (conntrack, what
// was learned, a choice, a packet that leaves) a packet's walk depends on
// nothing but the bits of its key that flows looked at, and on the network. A
// stretch is such a part of a walk: what it was found to depend on, what it leads
// to, and its trace. Where a packet begins a stretch that another took before it
// with the same bits, it takes the stretch instead of the stages.
//
// Stretches are recorded from the walk through the stages as it happens, so
// that one piece of code alone says what flows mean. What is not known to be
// a function of the key ends a stretch: see recorder.takes. The cache belongs
// to a network: when that changes it is emptied.
//
// Stretches follow one another as they did before: each knows which one came next
// the last time, and so the whole way of a packet of a known connection is found
// without looking its stretches up. It is a guess that is held against the packet
// like what a look-up finds (the place, the kind, and all bits depended on), after
// what decides between the two has been done for this packet: conntrack looked
// into, its connection's state advanced, what was learned asked. Nothing of that
// is remembered, and so nothing of it can be out of date.

// paths are the stretches of an engine.
type paths struct {
	most      int // stretches that are kept
	stretches int
	interned  map[uint64][]*trace.Path
	recorder  recorder
	last      *stretch // taken last by the packet in progress, nil: none yet
}

// defaultPaths bounds the stretches kept, and with them the memory: some two
// kilobytes each.
const defaultPaths = 1 << 13

// entrances are the stretches that begin in the tables of a pipeline.
type entrances [2][]*entrance

// entrance is the stretches that begin in one table of a datapath's pipeline on
// a chassis, by kind of packet.
type entrance struct {
	never bool // the table has flows that do not compile: each packet is to be told
	kinds []*kindOf

	chassis *chassis
	dp      *network.Datapath
	at      position
}

// kindOf is the stretches of one kind of packets, which all depend on the same
// bits, those of all of them together.
type kindOf struct {
	from    *entrance
	kind    kind
	mask    []wordMask
	larger  []int // lengths that packets were compared with
	slots   []*stretch
	n       int
	skip    int // packets that are not to be recorded, see settle
	hits    int
	records int
}

// kind is what tells packets apart that take other ways for certain.
type kind [3]uint64

var kindBits = func() (c table.Consulted) {
	for _, id := range [...]field.ID{field.EthType, field.IPProto, field.IPFrag, field.CTState} {
		c.Slice(field.Whole(id))
	}
	return c
}()

var (
	typeWord  = field.EthType.Word()
	protoWord = field.IPProto.Word()
	stateWord = field.CTState.Word()
)

func kindOfKey(k *field.Key) kind {
	m := &kindBits.Mask
	return kind{k[typeWord] & m[typeWord], k[protoWord] & m[protoWord], k[stateWord] & m[stateWord]}
}

// maxKinds bounds the kinds of packets at an entrance.
const maxKinds = 32

type wordMask struct {
	word uint8
	mask uint64
}

// stretch is a part of a walk that only bits of the key decide.
type stretch struct {
	of   *kindOf
	next *stretch // what followed it last, nil: not known

	hash   uint64
	values []uint64  // of the masked words of its kind, and the class of length
	origin field.Key // the key it was recorded with
	mask   field.Key // what it depends on
	wire   int

	path   *trace.Path
	writes []write
	steps  int
	depth  int // by how much the packet is deeper at the end
	deeper int // and at most in between

	dp       *network.Datapath // at the end
	zone     [3]int32          // port, dnat, snat; -1: as before
	clearsCT bool
	cloned   bool

	// How it ends: the packet goes on with the actions of flow from op on, the
	// first of which the path tells of; at a place, if flow is nil; or is gone.
	gone bool
	flow *table.Flow
	op   int
	at   position
}

type write struct {
	word        uint8
	mask, value uint64
}

// entrance returns where stretches begin that start in a table.
func (c *chassis) entrance(dp *network.Datapath, egress bool, tbl uint8) *entrance {
	if c.entrances == nil {
		c.entrances = make([]entrances, len(c.zones.dnat))
	}
	side := 0
	if egress {
		side = 1
	}
	list := c.entrances[dp.Index][side]
	if int(tbl) >= len(list) {
		list = append(list, make([]*entrance, int(tbl)+1-len(list))...)
		c.entrances[dp.Index][side] = list
	}
	if list[tbl] == nil {
		s := c.compiled.stage(dp, egress, tbl)
		list[tbl] = &entrance{never: s == nil || len(s.Broken()) > 0, chassis: c, dp: dp, at: position{egress, tbl}}
	}
	return list[tbl]
}

// forgetPaths empties the cache.
func (e *Engine) forgetPaths() {
	for _, c := range e.chassis {
		if c != nil {
			c.entrances = nil
		}
	}
	e.paths.stretches, e.paths.interned, e.paths.last = 0, map[uint64][]*trace.Path{}, nil
}

// BoundPaths forgets all stretches of walks, and bounds how many are remembered
// from now on: see Options.Paths.
func (e *Engine) BoundPaths(most int) {
	if e.paths.most = most; most == 0 {
		e.paths.most = defaultPaths
	}
	e.forgetPaths()
}

// mayShare reports whether p may take and record stretches now: nobody uses it
// when its walk is over, and no pause has ended a walk.
func (e *Engine) mayShare(p *pkt) bool {
	return !e.opts.Hops && e.paths.most > 0 && p.pinned == 0 && len(e.paused) == 0 && !e.quiet
}

// find returns the stretches of a packet's kind, and its own if there is one.
func (x *entrance) find(p *pkt) (*kindOf, *stretch) {
	k := kindOfKey(&p.Key)
	for _, of := range x.kinds {
		if of.kind == k {
			return of, of.find(p)
		}
	}
	return nil, nil
}

// follows returns the stretch that followed the last one before, if p, at a place,
// takes it again.
func (e *Engine) follows(p *pkt, at position) *stretch {
	if e.paths.last == nil || e.paths.last.next == nil {
		return nil
	}
	s := e.paths.last.next
	if x := s.of.from; x.at != at || x.dp != p.dp || x.chassis != p.chassis || s.of.kind != kindOfKey(&p.Key) ||
		!s.of.matches(s, p) {
		return nil
	}
	return s
}

func (of *kindOf) find(p *pkt) *stretch {
	h := of.hash(&p.Key, p.longest())
	last := uint64(len(of.slots) - 1)
	for i := h & last; ; i = (i + 1) & last {
		s := of.slots[i]
		if s == nil || s.hash == h && of.matches(s, p) {
			return s
		}
	}
}

func (of *kindOf) hash(k *field.Key, wire int) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for i := range of.mask {
		m := &of.mask[i]
		h ^= k[m.word&(field.Words-1)] & m.mask
		h *= 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	if len(of.larger) > 0 {
		h = (h ^ of.length(wire)) * 0xff51afd7ed558ccd
		h ^= h >> 32
	}
	return h
}

// length is how many of the lengths compared with a packet is larger than.
func (of *kindOf) length(wire int) (n uint64) {
	for _, l := range of.larger {
		if wire > l {
			n++
		}
	}
	return n
}

func (of *kindOf) matches(s *stretch, p *pkt) bool {
	for i := range of.mask {
		m := &of.mask[i]
		if p.Key[m.word&(field.Words-1)]&m.mask != s.values[i] {
			return false
		}
	}
	return len(of.larger) == 0 || of.length(p.longest()) == s.values[len(of.mask)]
}

// file gives a stretch its place.
func (of *kindOf) file(s *stretch) {
	s.values = s.values[:0]
	for _, m := range of.mask {
		s.values = append(s.values, s.origin[m.word]&m.mask)
	}
	if len(of.larger) > 0 {
		s.values = append(s.values, of.length(s.wire))
	}
	s.hash = of.hash(&s.origin, s.wire)
	last := uint64(len(of.slots) - 1)
	i := s.hash & last
	for of.slots[i] != nil {
		i = (i + 1) & last
	}
	of.slots[i] = s
}

// add files a new stretch. If it depends on bits that none did before, all are
// filed anew: each then asks for more than it need, but for what it was found with.
func (of *kindOf) add(s *stretch, larger []int) {
	grown := of.grow(s, larger)
	of.n++
	if !grown && 2*of.n <= len(of.slots) {
		of.file(s)
		return
	}
	size := max(len(of.slots), 4)
	for size < 2*of.n {
		size *= 2
	}
	old := of.slots
	of.slots = make([]*stretch, size)
	for _, x := range old {
		if x != nil {
			of.file(x)
		}
	}
	of.file(s)
}

// grow makes the kind's bits include those of a stretch.
func (of *kindOf) grow(s *stretch, larger []int) (grown bool) {
	var all field.Key
	for _, m := range of.mask {
		all[m.word] = m.mask
	}
	for w := range all {
		grown = grown || s.mask[w]&^all[w] != 0
		all[w] |= s.mask[w]
	}
	for _, l := range larger {
		known := false
		for _, have := range of.larger {
			known = known || have == l
		}
		if !known {
			of.larger = append(of.larger, l)
			grown = true
		}
	}
	if grown {
		of.mask = of.mask[:0]
		for w, m := range all {
			if m != 0 {
				of.mask = append(of.mask, wordMask{uint8(w), m})
			}
		}
	}
	return grown
}

// worthRecording reports whether to record a packet's walk: not every time where
// hardly a packet takes what another recorded.
func (of *kindOf) worthRecording() bool {
	if of.skip > 0 {
		of.skip--
		return false
	}
	if of.records >= 256 && of.hits < of.records {
		of.skip, of.records, of.hits = 1024, 0, 0
		return false
	}
	return true
}

// take moves p along a stretch. It returns false if the walk is over.
func (e *Engine) take(p *pkt, s *stretch) (position, bool) {
	if e.paths.last != nil {
		e.paths.last.next = s
	}
	e.paths.last = s
	s.of.hits++
	e.steps += s.steps
	e.out.Trace.AddPath(s.path, uint16(p.depth))
	if s.gone {
		return position{}, false
	}
	for i := range s.writes {
		w := &s.writes[i]
		k := &p.Key[w.word&(field.Words-1)]
		*k = *k&^w.mask | w.value
	}
	p.depth += s.depth
	p.dp = s.dp
	p.zone.load(&s.zone)
	if s.clearsCT {
		p.ct.Clear()
	}
	p.cloned = p.cloned || s.cloned
	if s.flow == nil {
		return s.at, true
	}
	return e.execFrom(p, s.flow, s.flow.Ops[s.op:], s.at, true)
}

// fits reports whether a stretch goes over no bound from where p is.
func (e *Engine) fits(p *pkt, s *stretch) bool {
	return p.depth+s.deeper <= maxDepth && e.steps+s.steps <= maxSteps
}
