package replay

import (
	"cmp"
	"fmt"
	"slices"

	"ovnreplay/conntrack/coding"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// memoryVersion is the number of the form in which Memory writes.
const memoryVersion = 9

// Memory returns what a run knows beyond its engine's state: what is
// expected where, and what was seen before. A run on the same network and
// captures of the same places that remembers it goes on as this one. It is
// meant for one that has paused.
//
// Not part of it: that a capture of a whole host has just shown a frame at
// another of its interfaces, and what was sent over wires a moment ago.
func (s *Run) Memory() []byte {
	m := memory{coding.NewWriter(nil), s, nil}
	m.code()
	return m.Bytes()
}

// Remember makes a new run know what another did. moved gives the indexes
// that captures of packets which are held have here, by those they had there.
func (s *Run) Remember(b []byte, moved map[int]int) error {
	m := memory{coding.NewReader(b), s, moved}
	m.code()
	if err := m.Finish(); err != nil {
		return fmt.Errorf("memory of a replay: %w", err)
	}
	return nil
}

// memory writes or reads what a run knows.
type memory struct {
	*coding.Coder
	s     *Run
	moved map[int]int
}

func (m memory) code() {
	version := uint8(memoryVersion)
	coding.Uint(m.Coder, &version)
	if version != memoryVersion {
		m.Fail("it is of form %d, this ovn-replay knows %d", version, memoryVersion)
		return
	}
	coding.Int(m.Coder, &m.s.now)
	t, inf := m.s.tunnels, m.s.inferrer
	codeMap(m, t.expected.open, memory.crossing, memory.expectation)
	m.seen(t)
	codeMap(m, inf.expected.open, func(m memory, k *expectKey) { m.point(&k.point); coding.Uint(m.Coder, &k.id) },
		memory.expectation)
	if m.Reading() && inf.older == nil {
		inf.older = map[answerKey]*awaited{}
	}
	codeMap(m, inf.answers, memory.answer, memory.awaited)
	codeMap(m, inf.older, memory.answer, memory.awaited)
	codeMap(m, inf.ways, memory.answer, memory.awaited)
	known := func(m memory, k *bool) { m.Bools(k) }
	codeMap(m, inf.resumed, memory.answer, known)
	codeMap(m, inf.opened, memory.answer, known)
	codeMap(m, inf.puzzles, memory.answer, known)
	m.datagrams()
	m.sent()
	m.fates()
	m.sightings()
	m.twins()
	m.sizes()
	m.pieces()
	m.waiting()
}

// sent codes what was sent onto wires, the latest of each frame.
func (m memory) sent() {
	w, by := m.s.wires, map[wireKey]wireSenders{}
	if !m.Reading() {
		for i := range w.sent.values {
			x := &w.sent.values[(w.sent.next+i)%len(w.sent.values)].value
			list := by[x.wireKey]
			copy(list[1:], list[:])
			list[0] = *x
			by[x.wireKey] = list
		}
	}
	codeMap(m, by, func(m memory, k *wireKey) {
		coding.Int(m.Coder, &k.port)
		coding.Uint(m.Coder, &k.hash)
	}, func(m memory, list *wireSenders) {
		for i := range list {
			coding.Int(m.Coder, &list[i].chassis)
			coding.Int(m.Coder, &list[i].time)
			m.Bools(&list[i].met)
		}
	})
	if !m.Reading() {
		return
	}
	var all []wireSent
	for k, list := range by {
		for _, x := range list {
			if x.time != 0 {
				x.wireKey = k
				all = append(all, x)
			}
		}
	}
	slices.SortFunc(all, func(x, y wireSent) int {
		return cmp.Or(cmp.Compare(x.time, y.time), cmp.Compare(x.hash, y.hash), x.chassis-y.chassis)
	})
	for i := range all {
		*w.sent.push(all[i].id()) = all[i]
	}
	w.from = make([]mac, maxFrom) // whoever sent them
}

// wireSenders are the chassis that sent a frame last, the latest first.
type wireSenders [maxSenders]wireSent

// datagrams codes how the fragments seen lately entered.
func (m memory) datagrams() {
	inf := m.s.inferrer
	if !m.Reading() {
		for k, d := range inf.datagrams {
			if m.s.now-d.time > maxDatagram {
				delete(inf.datagrams, k)
			}
		}
	}
	codeMap(m, inf.datagrams, func(m memory, k *DatagramKey) {
		coding.Uint(m.Coder, &k.id)
		coding.Uint(m.Coder, &k.proto)
		m.Bools(&k.v6)
	}, func(m memory, d **datagram) {
		if m.Reading() {
			*d = &datagram{}
		}
		x := *d
		a := &x.awaited
		m.awaited(&a)
		x.awaited = *a
		coding.Int(m.Coder, &x.time)
		coding.Uint(m.Coder, &x.ttl)
		coding.Int(m.Coder, &x.entered)
		coding.Int(m.Coder, &x.whole)
	})
}

// twins codes the frames replayed last, of which one that comes next may be
// another's duplicate.
func (m memory) twins() {
	t := &m.s.twins
	last := map[uint64]twinSeen{}
	if !m.Reading() {
		for _, x := range t.done[t.head:] {
			if m.s.now-x.time <= recurWindow {
				seen := t.before(x.key)
				last[x.key] = twinSeen{x.time, 1, -1, seen != nil && seen.recurs, seen != nil && seen.burst}
			}
		}
	}
	coding.Int(m.Coder, &t.turn)
	codeMap(m, last, memory.hash, func(m memory, x *twinSeen) {
		coding.Int(m.Coder, &x.last)
		m.Bools(&x.recurs, &x.burst)
	})
	if m.Reading() {
		for hash, x := range last {
			x.nth, x.tap = 1, -1
			*t.seen.put(hash) = x
			t.done = append(t.done, aged[uint64]{hash, x.last})
		}
		slices.SortFunc(t.done, func(x, y aged[uint64]) int { return cmp.Compare(x.time, y.time) })
	}
}

// codeRefs codes what a network numbers, by the numbers from the first on.
func codeRefs[T any](m memory, list *[]*T, all []*T, first int, index func(*T) int) {
	coding.Slice(m.Coder, list, 1, func(x **T) {
		i := 0
		if !m.Reading() {
			i = index(*x)
		}
		coding.Int(m.Coder, &i)
		if i < first || i >= len(all) {
			m.Fail("number %d of %d", i, len(all))
			return
		}
		*x = all[i]
	})
}

// pieces codes what of TCP streams is expected where, and what has entered.
func (m memory) pieces() {
	l := &m.s.inferrer.parts
	codeMap(m, l.parts, func(m memory, k *expectKey) { m.point(&k.point); coding.Uint(m.Coder, &k.id) },
		func(m memory, list *[]piece) {
			coding.Slice(m.Coder, list, 3, func(p *piece) {
				m.span(&p.span)
				coding.Int(m.Coder, &p.time)
			})
		})
	if m.Reading() {
		l.count()
	}
	r := &m.s.history.pieces
	n := m.Len(len(r.values), 4)
	start := 0
	if len(r.values) == r.capacity() {
		start = r.next
	}
	for i := range n {
		var key uint64
		var x arrival
		if !m.Reading() {
			e := &r.values[(start+i)%len(r.values)]
			key, x = e.id, e.value
		}
		coding.Uint(m.Coder, &key)
		m.span(&x.span)
		coding.Uint(m.Coder, &x.id)
		if m.Err() != nil {
			return
		}
		if m.Reading() {
			*r.push(key) = x
		}
	}
}

func (m memory) span(s *span) {
	coding.Uint(m.Coder, &s.start)
	coding.Uint(m.Coder, &s.end)
}

// waiting codes the frames whose packets ovn-controller holds.
func (m memory) waiting() {
	held := map[uint64]*Frame{}
	if !m.Reading() {
		m.s.Engine.Held(func(of *sim.Injection) {
			if f := m.s.waiting[of.Ref]; f != nil {
				held[of.Ref] = f
			}
		})
	}
	codeMap(m, held, memory.hash, memory.frame)
	for ref, f := range held {
		if !m.Reading() || m.Err() != nil {
			return
		}
		capture, rest := SplitRef(ref)
		to, ok := m.moved[capture]
		if !ok || to >= len(m.s.Taps) {
			continue // it is held no more
		}
		f.Capture, f.point.Capture = to, to
		m.s.waiting[JoinRef(to, rest)] = f
	}
}

func (m memory) frame(p **Frame) {
	if m.Reading() {
		*p = &Frame{point: &Point{}, dir: Entered}
	}
	f := *p
	port, chassis, from := 0, 0, -1
	if !m.Reading() {
		chassis = f.point.Chassis.Index
		if f.point.Port != nil {
			port = f.point.Port.Index
		}
		if f.point.From != nil {
			from = f.point.From.Index
		}
	}
	m.Text(&f.File)
	coding.Int(m.Coder, &f.Number)
	coding.Int(m.Coder, &f.Time)
	m.Blob(&f.Data)
	coding.Int(m.Coder, &f.Wire)
	m.Bools(&f.Bare, &f.Inferred, &f.partial)
	m.Text(&f.Why)
	coding.Int(m.Coder, &port)
	coding.Int(m.Coder, &chassis)
	coding.Int(m.Coder, &from)
	net := m.s.Engine.Net
	if port < 0 || port >= len(net.Ports) || chassis < 0 || chassis >= len(net.Chassis) || from < -1 ||
		from >= len(net.Chassis) {
		m.Fail("port %d at chassis %d", port, chassis)
		return
	}
	if m.Reading() {
		f.point.Port, f.point.Chassis = net.Ports[port], net.Chassis[chassis]
		if from >= 0 {
			f.point.From = net.Chassis[from]
		}
	}
}

// codeMap codes a map in an order that depends on nothing but its entries.
func codeMap[K comparable, V any](m memory, of map[K]V, key func(memory, *K), value func(memory, *V)) {
	coding.Map(m.Coder, of, 2, func(c *coding.Coder, k *K, v *V) bool {
		entry := memory{c, m.s, m.moved}
		key(entry, k)
		value(entry, v)
		return true
	})
}

// hash codes a key that is one number.
func (m memory) hash(k *uint64) { coding.Uint(m.Coder, k) }

func (m memory) point(p *pointKey) {
	coding.Int(m.Coder, &p.port)
	coding.Int(m.Coder, &p.chassis)
}

func (m memory) endpoint(e *endpoint) {
	m.Raw(e.addr[:])
	coding.Uint(m.Coder, &e.port)
}

func (m memory) crossing(k *crossing) {
	m.point(&k.point)
	coding.Uint(m.Coder, &k.keys.kind)
	coding.Uint(m.Coder, &k.keys.datapath)
	coding.Uint(m.Coder, &k.keys.inport)
	coding.Uint(m.Coder, &k.keys.outport)
	coding.Uint(m.Coder, &k.id)
	coding.Uint(m.Coder, &k.hash)
}

func (m memory) expectation(x *expectation) {
	coding.Int(m.Coder, &x.n)
	coding.Int(m.Coder, &x.time)
}

// seen codes the tunnel packets seen lately, oldest first. How often each of
// the captures that have ended showed one is of no more use, but the most is.
func (m memory) seen(t *tunnels) {
	coding.Slice(m.Coder, &t.aging, 8, func(k *crossing) {
		m.crossing(k)
		c := t.seen[*k]
		if c == nil {
			c = &crossings{count: map[int]int{}}
		}
		coding.Int(m.Coder, &c.time)
		coding.Int(m.Coder, &c.most)
		if m.Reading() {
			t.seen[*k] = c
		}
	})
}

func (m memory) answer(k *answerKey) {
	m.point(&k.point)
	coding.Uint(m.Coder, &k.proto)
	m.endpoint(&k.src)
	m.endpoint(&k.dst)
}

func (m memory) awaited(p **awaited) {
	port, chassis := 0, 0
	if m.Reading() {
		*p = &awaited{}
	} else {
		port, chassis = (*p).port.Index, (*p).chassis.Index
	}
	a, net := *p, m.s.Engine.Net
	coding.Int(m.Coder, &port)
	coding.Int(m.Coder, &chassis)
	coding.Uint(m.Coder, &a.ethSrc)
	coding.Uint(m.Coder, &a.ethDst)
	m.endpoint(&a.src)
	m.endpoint(&a.dst)
	m.Text(&a.of)
	coding.Int(m.Coder, &a.hops)
	m.Bools(&a.partial)
	switch {
	case port <= 0 || port >= len(net.Ports) || chassis < 0 || chassis >= len(net.Chassis):
		m.Fail("port %d at chassis %d", port, chassis)
	case m.Reading():
		a.port, a.chassis = net.Ports[port], net.Chassis[chassis]
	}
}

// fates codes what is needed of the packets injected last, oldest first: that
// they were, and which.
func (m memory) fates() {
	r := &m.s.history.fates
	n := m.Len(len(r.values), 6)
	start := 0
	if len(r.values) == historySize {
		start = r.next
	}
	for i := range n {
		var id uint64
		x := fate{}
		at, went := spot{}, way{}
		if !m.Reading() {
			e := &r.values[(start+i)%len(r.values)]
			id, x, at, went = e.id, e.value, *e.value.spot, *e.value.way
			at.passed = slices.Concat(at.passed, went.crossed)
		}
		coding.Uint(m.Coder, &id)
		m.Bools(&x.inferred, &x.late)
		coding.Uint(m.Coder, &x.verdict)
		if at.file == "" && !m.Reading() {
			at.file = m.s.Taps[at.capture].Name
		}
		m.Text(&at.file)
		coding.Int(m.Coder, &x.number)
		coding.Int(m.Coder, &x.time)
		m.Text(&at.port)
		m.Bools(&at.wire)
		coding.Uint(m.Coder, &x.sender)
		codeRefs(m, &went.outs, m.s.Engine.Net.Ports, 1, func(p *network.Port) int { return p.Index })
		codeRefs(m, &at.passed, m.s.Engine.Net.Chassis, 0, func(c *network.Chassis) int { return c.Index })
		if m.Err() != nil {
			return
		}
		if m.Reading() {
			if x.verdict > sim.Unknown {
				x.verdict = 0
			}
			x.spot, x.way = &at, &went
			*r.push(id) = x
		}
	}
}

// sightings codes where packets were observed that may be sent again, oldest first.
func (m memory) sightings() {
	r := &m.s.history.seen
	var late []*entry[sighting]
	for i := range r.values {
		if e := &r.values[(r.next+i)%len(r.values)]; !m.Reading() && m.s.now-e.value.time <= againTime {
			late = append(late, e)
		}
	}
	n, net := m.Len(len(late), 6), m.s.Engine.Net
	for i := range n {
		e, arrived := entry[sighting]{value: sighting{spot: &spot{}}}, -1
		if !m.Reading() {
			if e = *late[i]; e.value.arrived != nil {
				arrived = e.value.arrived.Index
			}
		}
		at := *e.value.spot
		if at.file == "" && !m.Reading() {
			at.file = m.s.Taps[at.capture].Name
		}
		coding.Uint(m.Coder, &e.id)
		m.Text(&at.file)
		m.Text(&at.port)
		m.point(&at.at)
		coding.Int(m.Coder, &arrived)
		coding.Int(m.Coder, &e.value.number)
		coding.Int(m.Coder, &e.value.time)
		if m.Err() != nil {
			return
		}
		if arrived >= len(net.Chassis) {
			m.Fail("chassis %d", arrived)
			return
		}
		if m.Reading() {
			if arrived >= 0 {
				at.arrived = net.Chassis[arrived]
			}
			at.capture = 0
			*r.push(e.id) = sighting{&at, e.value.number, e.value.time}
		}
	}
}
