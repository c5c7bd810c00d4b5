package conntrack

import "ovnreplay/nat"

// Where hundreds of connections differ in one port only, as those of many
// clients behind one SNAT address do, a search for a free port tries one tuple
// after the other. A crowd remembers for each port of such a set until when it
// is surely taken, so that a try costs no look into the table:
//
//	crowd.until[port] > now  the tuple with that port has a live connection
//	otherwise                look it up
//
// It is only a memory of look-ups: what is forgotten is looked up again.
// Connections only ever end earlier than was remembered in setExpiry, remove
// and unlink, which call uncrowd.
type crowd struct {
	until [1 << 16]Time
}

// crowdKey is a set of tuples that differ in their destination port; of ICMP,
// in the ID.
type crowdKey struct {
	tuple nat.Tuple
	zone  uint16
}

type crowds struct {
	by   map[crowdKey]*crowd
	last *crowd // of lastKey, nil if there is none
	key  crowdKey
	run  int // tuples taken in a row without a crowd
}

const (
	crowdRun  = 24 // so many tries in vain make a crowd
	maxCrowds = 32 // of 512 KiB; beyond, all are forgotten
)

func crowdOf(zone uint16, tuple *nat.Tuple) crowdKey {
	k := crowdKey{*tuple, zone}
	k.tuple.DstPort = 0
	if k.tuple.ICMP() {
		k.tuple.SrcPort = 0
	}
	return k
}

// note counts tries in vain.
func (c *crowds) note(taken bool) {
	if !taken {
		c.run = 0
		return
	}
	c.run++
}

// crowd returns the crowd of a tuple, nil if it is in none.
func (t *Table) crowd(tuple *nat.Tuple) *crowd {
	c := &t.crowds
	if c.by == nil && c.run < crowdRun {
		return nil
	}
	if k := crowdOf(t.zone, tuple); k != c.key {
		c.key, c.last = k, c.by[k]
	}
	if c.last == nil && c.run >= crowdRun {
		if len(c.by) >= maxCrowds {
			clear(c.by)
		}
		if c.by == nil {
			c.by = map[crowdKey]*crowd{}
		}
		c.last = &crowd{}
		c.by[c.key] = c.last
		c.run = 0
	}
	return c.last
}

func (t *Table) takenIn(c *crowd, tuple *nat.Tuple) bool {
	until := &c.until[tuple.DstPort]
	if *until > t.now {
		return true
	}
	idx, _, ok := t.find(t.zone, tuple)
	if ok {
		*until = t.pool.at(idx).expires
	}
	return ok
}

// TakenRun implements nat.RunTaker.
func (t *Table) TakenRun(reply *nat.Tuple, n int) int {
	c := t.crowd(reply)
	if c == nil {
		return 0
	}
	run := 0
	for _, until := range c.until[reply.DstPort:min(int(reply.DstPort)+n, len(c.until))] {
		if until <= t.now {
			break
		}
		run++
	}
	return run
}

// uncrowd forgets how long a connection's tuples are taken.
func (t *Table) uncrowd(c *conn) {
	if t.crowds.by == nil {
		return
	}
	for dir := range c.tuple {
		tuple := &c.tuple[dir]
		if k := crowdOf(c.zone, tuple); t.crowds.by[k] != nil {
			t.crowds.by[k].until[tuple.DstPort] = 0
		}
	}
}
