package conntrack

import (
	"ovnreplay/nat"
)

// Table is the connection tracking of one chassis.
type Table struct {
	opt     Options
	behaves [behaviours]bool // what follows from opt
	timeout [timeouts]Time
	now     Time // latest moment seen; the clock never goes back

	pool    pool
	buckets []uint32 // first node of each chain; see node
	mask    uint64
	nodes   int // in chains
	due     dueHeap
	stale   int // of live, those with status stale
	live    int // connections in the table, expired ones not yet swept included
	perZone map[uint16]int
	seq     uint64
	sweep   uint32 // where the search for something to evict goes on

	crowds  crowds
	met     *conn      // the connection that the last packet of OVSUserspace was found to be of
	zone    uint16     // of the tuple search under way, for Taken
	pkt     nat.Packet // of the Execute under way
	seg     segment    // of it, where it is TCP
	sight   sight
	bind    nat.Binding // of the Execute under way
	helpers helperState
	frags   fragments
}

// NewTable makes an empty table.
func NewTable(o Options) *Table {
	o.setDefaults()
	t := &Table{opt: o, perZone: map[uint16]int{}}
	t.setBehaviour()
	t.setTimeouts()
	t.resize(1 << 6)
	return t
}

// Profile returns whose behaviour the table imitates.
func (t *Table) Profile() Profile { return t.opt.Profile }

// Len returns how many connections live at now.
func (t *Table) Len(now Time) int {
	t.tick(now)
	t.Expire(now)
	return t.live - t.stale
}

func (t *Table) tick(now Time) Time {
	t.now = max(t.now, now)
	return t.now
}

// A node is one direction of a connection in its hash chain: the
// connection's number shifted left, the direction in the lowest bit, plus 2
// so that 0 ends a chain.
type node uint32

func nodeOf(idx uint32, dir int) node { return node(idx<<1|uint32(dir)) + 2 }
func (n node) index() uint32          { return uint32(n-2) >> 1 }
func (n node) dir() int               { return int(n-2) & 1 }

// find returns the live connection in zone that owns tuple, and in which direction.
func (t *Table) find(zone uint16, tuple *nat.Tuple) (idx uint32, dir int, ok bool) {
	n := node(t.buckets[hashTuple(zone, tuple)&t.mask])
	for n != 0 {
		idx, dir = n.index(), n.dir()
		c := t.pool.at(idx)
		if c.zone == zone && c.expires > t.now && c.tuple[dir] == *tuple {
			return idx, dir, true
		}
		n = node(c.next[dir])
	}
	return 0, 0, false
}

// expiredAt returns when the latest connection with that tuple timed out, as long as it is remembered.
func (t *Table) expiredAt(zone uint16, tuple *nat.Tuple) Time {
	var at Time
	n := node(t.buckets[hashTuple(zone, tuple)&t.mask])
	for n != 0 {
		c := t.pool.at(n.index())
		if c.zone == zone && c.expires <= t.now && c.expires > at && c.tuple[n.dir()] == *tuple {
			at = c.expires
		}
		n = node(c.next[n.dir()])
	}
	return at
}

// Answers reports whether tuple is that of the answers to a connection of a zone.
func (t *Table) Answers(now Time, zone uint16, tuple *nat.Tuple) bool {
	t.tick(now)
	_, dir, ok := t.find(zone, tuple)
	return ok && dir == 1
}

// Taken implements nat.Taker for the zone of the Execute under way.
func (t *Table) Taken(reply nat.Tuple) bool {
	if c := t.crowd(&reply); c != nil {
		return t.takenIn(c, &reply)
	}
	_, _, ok := t.find(t.zone, &reply)
	t.crowds.note(ok)
	return ok
}

// insert puts a connection into the table. Tuples already owned by a live
// connection stay with it: the new one is not found by them.
func (t *Table) insert(idx uint32) (clash bool) {
	c := t.pool.at(idx)
	t.seq++
	c.seq = t.seq
	t.dropDead(c)
	t.link(idx, 0)
	if c.tuple[0] != c.tuple[1] {
		if _, _, clash = t.find(c.zone, &c.tuple[1]); !clash {
			t.link(idx, 1)
		}
	}
	t.live++
	t.perZone[c.zone]++
	t.due.push(&t.pool, idx)
	return clash
}

// dropDead removes expired connections that share a tuple with c.
func (t *Table) dropDead(c *conn) {
	for dir := range c.tuple {
		n := node(t.buckets[hashTuple(c.zone, &c.tuple[dir])&t.mask])
		for n != 0 {
			d := t.pool.at(n.index())
			next := node(d.next[n.dir()])
			if d.zone == c.zone && d.expires <= t.now && d.tuple[n.dir()] == c.tuple[dir] {
				if next != 0 && next.index() == n.index() {
					next = node(d.next[next.dir()])
				}
				t.remove(n.index())
			}
			n = next
		}
	}
}

func (t *Table) link(idx uint32, dir int) {
	if t.nodes >= len(t.buckets) {
		t.resize(2 * len(t.buckets))
	}
	c := t.pool.at(idx)
	b := &t.buckets[hashTuple(c.zone, &c.tuple[dir])&t.mask]
	c.next[dir], *b = *b, uint32(nodeOf(idx, dir))
	c.linked |= 1 << dir
	t.nodes++
}

func (t *Table) unlink(idx uint32, dir int) {
	c := t.pool.at(idx)
	if c.linked&(1<<dir) == 0 {
		return
	}
	at := &t.buckets[hashTuple(c.zone, &c.tuple[dir])&t.mask]
	for want := uint32(nodeOf(idx, dir)); *at != want; {
		n := node(*at)
		at = &t.pool.at(n.index()).next[n.dir()]
	}
	*at = c.next[dir]
	c.linked &^= 1 << dir
	t.nodes--
}

// remove takes a connection out of the table and frees its place.
func (t *Table) remove(idx uint32) {
	c := t.pool.at(idx)
	t.uncrowd(c)
	t.unlink(idx, 0)
	t.unlink(idx, 1)
	t.due.remove(&t.pool, idx)
	t.live--
	if c.status&stale != 0 {
		t.stale--
	}
	if t.perZone[c.zone]--; t.perZone[c.zone] == 0 {
		delete(t.perZone, c.zone)
	}
	t.forgetHelper(idx)
	t.pool.free(idx)
}

func (t *Table) resize(size int) {
	old := t.buckets
	t.buckets, t.mask = make([]uint32, size), uint64(size-1)
	for _, head := range old {
		for n := node(head); n != 0; {
			c, dir := t.pool.at(n.index()), n.dir()
			next := node(c.next[dir])
			b := &t.buckets[hashTuple(c.zone, &c.tuple[dir])&t.mask]
			c.next[dir], *b = *b, uint32(n)
			n = next
		}
	}
}

// get returns the connection a reference names, nil when it is gone or expired.
func (t *Table) get(r connRef) *conn {
	if r.gen == 0 || r.idx >= t.pool.size {
		return nil
	}
	c := t.pool.at(r.idx)
	if c.gen != r.gen || c.expires <= t.now || c.status&stale != 0 {
		return nil
	}
	return c
}
