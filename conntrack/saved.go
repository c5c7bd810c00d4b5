package conntrack

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"ovnreplay/conntrack/coding"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// savedVersion is the number of the form in which Save writes a table.
const savedVersion = 1

// Save appends the exact state of the table to buf: connections with
// their windows and timeouts, what helpers expect, fragments held. The same
// table always gives the same bytes. Options are not part of it.
func (t *Table) Save(buf []byte) []byte {
	c := coding.NewWriter(slices.Grow(buf, int(t.pool.size)*savedConn)) // growing, it would leave copies behind
	t.code(c)
	return c.Bytes()
}

// savedConn is about how many bytes a connection takes.
const savedConn = 90

// Restore returns the table that was saved. It goes on exactly as the one that was, if the
// options are the same; a zero Profile is the one that was saved. References that a Meta
// holds stay good (see Meta.Code).
//
// With zone, connections and fragments move to the zone it returns, and those
// for whose zone it returns false are gone.
func Restore(saved []byte, o Options, zone func(uint16) (uint16, bool)) (*Table, error) {
	c := coding.NewReader(saved)
	t := &Table{opt: o, perZone: map[uint16]int{}}
	t.code(c)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("saved state of a connection tracking table: %w", err)
	}
	t.opt.setDefaults()
	t.setBehaviour()
	t.setTimeouts()
	if zone != nil {
		t.rezone(zone)
	}
	return t, nil
}

// code writes the table, or reads it into an empty one.
func (t *Table) code(c *coding.Coder) {
	version, profile := uint8(savedVersion), t.opt.Profile
	coding.Uint(c, &version)
	if version != savedVersion {
		c.Fail("it is of form %d, this ovn-replay knows %d", version, savedVersion)
	}
	coding.Uint(c, &profile)
	switch {
	case profile != Linux && profile != OVSUserspace:
		c.Fail("no profile has number %d", profile)
	case t.opt.Profile == 0:
		t.opt.Profile = profile
	case profile != t.opt.Profile:
		c.Fail("it is of profile %v, not %v", profile, t.opt.Profile)
	}
	coding.Int(c, &t.now)
	coding.Uint(c, &t.seq)
	coding.Uint(c, &t.sweep)
	t.pool.code(c)
	t.codeChains(c)
	if c.Reading() && c.Err() == nil {
		t.count(c)
	}
	t.codeHelpers(c)
	t.frags.code(c)
}

// Numbers below are the least bytes an element takes.
const (
	spareSize = 8
	connSize  = 2*coding.TupleSize + 24
)

// code writes every connection under its number, and the numbers that are
// free, in the order in which they will be given out.
func (p *pool) code(c *coding.Coder) {
	spare := c.Len(len(p.spare), spareSize)
	used := c.Len(int(p.size)-len(p.spare), connSize)
	if c.Reading() {
		p.grow(uint32(spare + used))
		p.spare = make([]uint32, spare)
	}
	for i := range p.spare {
		c.Fixed(&p.spare[i])
		if p.spare[i] >= p.size {
			c.Fail("no connection has number %d", p.spare[i])
			return
		}
		free := p.at(p.spare[i])
		if free.gen != 0 && c.Reading() {
			c.Fail("number %d is free twice", p.spare[i])
		}
		c.Fixed(&free.gen)
		if free.gen%2 != 0 || free.gen == 0 {
			c.Fail("number %d is free, but in use", p.spare[i])
		}
	}
	for i := range p.size {
		if x := p.at(i); c.Err() == nil && (x.gen%2 == 1 || x.gen == 0) {
			x.code(c)
		}
	}
}

// grow makes room for connections numbered below size.
func (p *pool) grow(size uint32) {
	p.size = size
	for n := uint32(0); n < size; n += 1 << chunkBits {
		p.chunks = append(p.chunks, make([]conn, 1<<chunkBits))
	}
}

func (x *conn) code(c *coding.Coder) {
	coding.Uint(c, &x.gen)
	if x.gen%2 == 0 {
		c.Fail("a connection that is not in use")
	}
	c.Tuple(&x.tuple[0])
	c.Tuple(&x.tuple[1])
	coding.Uint(c, &x.label.Hi)
	coding.Uint(c, &x.label.Lo)
	coding.Int(c, &x.expires)
	coding.Int(c, &x.due)
	coding.Int(c, &x.created)
	coding.Uint(c, &x.seq)
	coding.Uint(c, &x.mark)
	coding.Uint(c, &x.zone)
	coding.Uint(c, &x.status)
	for i := range x.peer {
		x.peer[i].code(c)
	}
	x.last.code(c)
	coding.Uint(c, &x.state)
	coding.Uint(c, &x.helper)
	coding.Uint(c, &x.natSide)
	if int(x.helper) >= len(helperNames) {
		c.Fail("no helper has number %d", x.helper)
	}
}

// sound reports whether the states of a connection that was read exist.
func (x *conn) sound(p Profile) bool {
	switch proto := x.tuple[0].Proto; {
	case p == OVSUserspace && proto == header.ProtoTCP:
		return int(max(x.peer[0].flags, x.peer[1].flags)) < len(endNames)
	case p == OVSUserspace:
		return x.state <= userMultiple
	case proto == header.ProtoTCP:
		return int(x.state) < len(tcpNames) && x.last.index <= segNone && x.last.dir <= 1
	case proto == header.ProtoSCTP:
		return int(x.state) < len(sctpNames)
	}
	return true
}

func (p *peer) code(c *coding.Coder) {
	coding.Uint(c, &p.end)
	coding.Uint(c, &p.maxEnd)
	coding.Uint(c, &p.maxWin)
	coding.Uint(c, &p.maxAck)
	coding.Uint(c, &p.scale)
	coding.Uint(c, &p.flags)
}

func (l *lastSeg) code(c *coding.Coder) {
	coding.Uint(c, &l.seq)
	coding.Uint(c, &l.ack)
	coding.Uint(c, &l.end)
	coding.Uint(c, &l.win)
	for _, p := range [...]*uint8{&l.index, &l.dir, &l.scale, &l.flags, &l.retrans} {
		coding.Uint(c, p)
	}
}

// codeChains writes the hash chains, each from its end: where connections
// share a tuple, the order decides which is found.
func (t *Table) codeChains(c *coding.Coder) {
	size := uint8(bits.TrailingZeros(uint(len(t.buckets))))
	coding.Uint(c, &size)
	if c.Reading() {
		t.readChains(c, size)
		return
	}
	c.Len(t.nodes, 1)
	var chain []node
	for _, head := range t.buckets {
		chain = chain[:0]
		for n := node(head); n != 0; n = node(t.pool.at(n.index()).next[n.dir()]) {
			chain = append(chain, n)
		}
		for _, n := range slices.Backward(chain) {
			coding.Uint(c, &n)
		}
	}
}

const minBuckets = 1 << 6

func (t *Table) readChains(c *coding.Coder, size uint8) {
	nodes := c.Len(0, 1)
	// A table grows when it holds as many nodes as buckets, two a connection.
	most := bits.Len(max(minBuckets, 4*uint(t.pool.size)))
	if size >= uint8(most) || 1<<size < max(minBuckets, nodes) {
		c.Fail("%d connections in 2^%d buckets", t.pool.size, size)
		return
	}
	t.resize(1 << size)
	for range nodes {
		var n node
		coding.Uint(c, &n)
		if c.Err() != nil {
			return
		}
		if n < 2 || n.index() >= t.pool.size || t.pool.at(n.index()).gen%2 == 0 ||
			t.pool.at(n.index()).linked>>n.dir()&1 == 1 {
			c.Fail("chain of no connection")
			return
		}
		t.link(n.index(), n.dir())
	}
}

// count works out what follows from the connections.
func (t *Table) count(c *coding.Coder) {
	for i := range t.pool.size {
		x := t.pool.at(i)
		if x.gen%2 == 0 {
			continue
		}
		if x.linked == 0 || x.tuple[0].Proto != x.tuple[1].Proto || !x.sound(t.opt.Profile) {
			c.Fail("connection %d is impossible", i)
			return
		}
		t.live++
		t.perZone[x.zone]++
		if x.status&stale != 0 {
			t.stale++
		}
		t.due = append(t.due, i)
	}
	slices.SortFunc(t.due, func(a, b uint32) int {
		x, y := t.pool.at(a), t.pool.at(b)
		return cmp.Or(cmp.Compare(x.due, y.due), cmp.Compare(x.seq, y.seq))
	})
	for i, idx := range t.due {
		t.pool.at(idx).pos = uint32(i)
	}
}

// codeHelpers writes what helpers expect, and whose the connections are that
// were expected.
func (t *Table) codeHelpers(c *coding.Coder) {
	h := &t.helpers
	coding.Slice(c, &h.expects, coding.TupleSize+10, func(e *expectation) {
		coding.Uint(c, &e.zone)
		c.Tuple(&e.key)
		coding.Uint(c, &e.master.idx)
		coding.Uint(c, &e.master.gen)
		c.Tuple(&e.parent)
		coding.Uint(c, &e.mark)
		coding.Uint(c, &e.label.Hi)
		coding.Uint(c, &e.label.Lo)
		coding.Int(c, &e.until)
		coding.Uint(c, &e.side)
		c.Raw(e.addr[:])
	})
	idx, more := uint32(0), c.Len(len(h.parents), coding.TupleSize)
	for ; more > 0 && idx < t.pool.size; idx++ {
		parent, ok := h.parents[idx]
		c.Bools(&ok)
		if !ok {
			continue
		}
		c.Tuple(&parent)
		if c.Reading() {
			t.adopt(idx, parent)
		}
		more--
	}
	if more > 0 {
		c.Fail("%d connections of helpers too many", more)
	}
}

// code writes the datagrams that are not complete, oldest first. What the
// fragments' bytes say is read from them again.
func (f *fragments) code(c *coding.Coder) {
	coding.Uint(c, &f.next)
	order := f.inOrder()
	coding.Slice(c, &order, 3, func(p **fragmentList) {
		if c.Reading() {
			*p = new(fragmentList)
		}
		(*p).code(c)
	})
	if !c.Reading() || c.Err() != nil {
		return
	}
	f.lists = make(map[fragmentKey]*fragmentList, len(order))
	for _, l := range order {
		if f.lists[l.key] != nil {
			c.Fail("two datagrams of the same name")
			return
		}
		f.add(l)
	}
}

// add takes a datagram in as the newest.
func (f *fragments) add(l *fragmentList) {
	f.lists[l.key] = l
	l.before, l.after = nil, nil
	f.append(l)
	f.count += len(l.frags)
	for i := range l.frags {
		f.bytes += len(l.frags[i].IP)
	}
}

func (l *fragmentList) code(c *coding.Coder) {
	coding.Int(c, &l.until)
	coding.Uint(c, &l.key.zone)
	coding.Slice(c, &l.frags, 4, func(h *heldFragment) {
		coding.Uint(c, &h.Held)
		c.Blob(&h.IP)
		h.Meta.Code(c)
		if c.Reading() && c.Err() == nil {
			l.take(c, h)
		}
	})
	if len(l.frags) == 0 {
		c.Fail("a datagram without fragments")
	}
	if end := 0; c.Reading() {
		l.total = 0
		for i := range l.frags {
			h := &l.frags[i]
			if h.offset < end {
				c.Fail("fragments out of order")
			}
			end = h.offset + h.length
			l.total += h.length
		}
	}
}

// take works out what a fragment's bytes say of it and of its datagram.
func (l *fragmentList) take(c *coding.Coder, h *heldFragment) {
	var p nat.Packet
	if p.Parse(h.IP) != nat.NoFault || !p.Fragment || p.Total <= p.L4 {
		c.Fail("not a fragment")
		return
	}
	h.offset, h.length, h.l4 = p.FragOffset, p.Total-p.L4, p.L4
	if len(l.frags) == 0 {
		l.key = datagramOf(&p, l.key.zone)
	}
	if l.key != datagramOf(&p, l.key.zone) {
		c.Fail("a fragment of another datagram")
	}
	if !p.More {
		l.last = h.offset + h.length
	}
}

// datagramOf names the datagram that a fragment is of.
func datagramOf(p *nat.Packet, zone uint16) fragmentKey {
	k := fragmentKey{p.Tuple.Src, p.Tuple.Dst, p.FragID, zone, p.Tuple.Proto, p.Tuple.V6}
	if k.v6 {
		k.proto = 0
	}
	return k
}

// Code writes or reads what a packet carries; its connection is that of the
// same number in the table whose saved state belongs with it.
func (m *Meta) Code(c *coding.Coder) {
	coding.Uint(c, &m.State)
	coding.Uint(c, &m.Zone)
	coding.Uint(c, &m.Mark)
	coding.Uint(c, &m.Label.Hi)
	coding.Uint(c, &m.Label.Lo)
	c.Tuple(&m.Orig)
	coding.Uint(c, &m.conn.idx)
	coding.Uint(c, &m.conn.gen)
	c.Bools(&m.reply, &m.related)
}

// rezone moves everything to other zones.
func (t *Table) rezone(zone func(uint16) (uint16, bool)) {
	var gone []uint32
	t.crowds = crowds{}
	clear(t.perZone)
	for _, idx := range t.due {
		x := t.pool.at(idx)
		to, ok := zone(x.zone)
		if !ok {
			gone = append(gone, idx)
		}
		x.zone = to
		t.perZone[to]++
	}
	// Resizing turns the order of connections that share a tuple around.
	t.resize(len(t.buckets))
	t.resize(len(t.buckets))
	for _, idx := range gone {
		t.remove(idx)
	}
	for i := range t.helpers.expects { // those of connections gone are gone
		e := &t.helpers.expects[i]
		e.zone, _ = zone(e.zone)
	}
	lists := t.frags.inOrder()
	t.frags = fragments{next: t.frags.next, lists: map[fragmentKey]*fragmentList{}}
	for _, l := range lists {
		to, ok := zone(l.key.zone)
		if l.key.zone = to; ok && t.frags.lists[l.key] == nil {
			t.frags.add(l)
		}
	}
}

// Restore makes t the table that was saved, with t's own options; see the
// function Restore. After an error t is as before.
func (t *Table) Restore(saved []byte, zone func(uint16) (uint16, bool)) error {
	restored, err := Restore(saved, t.opt, zone)
	if err == nil {
		*t = *restored
	}
	return err
}

// Zones returns the zones that have connections or fragments, in order.
func (t *Table) Zones() []uint16 {
	zones := slices.Collect(maps.Keys(t.perZone))
	for _, l := range t.frags.inOrder() {
		zones = append(zones, l.key.zone)
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}
