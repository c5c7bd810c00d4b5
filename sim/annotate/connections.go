package annotate

import (
	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/trace"
)

// Connections numbers connections, from 1 in the order in which they are met:
// one over all zones, chassis and translations, known by its entries in them.
// A connection that no entry of a table is for has no number.
type Connections struct {
	last   uint64
	now    map[entry]uint64
	before map[entry]uint64 // those not met for long
}

// entry is a connection tracking entry.
type entry struct {
	chassis int32
	zone    uint16
	tuple   nat.Tuple // of the original direction
}

// maxEntries bounds the entries remembered: half of them are those met last.
const maxEntries = 1 << 18

// Number returns the number of the connection that a packet's passes through
// conntrack found or made, 0 if there is none.
func (c *Connections) Number(steps []trace.CTStep) uint64 {
	first := -1
	isNew := false
	for i := range steps {
		s := &steps[i]
		isNew = isNew || s.State&conntrack.New != 0
		if connected(s) && first < 0 {
			first = i
		}
	}
	if first < 0 {
		return 0
	}
	n := c.find(entryOf(&steps[first]))
	if n != 0 && !isNew {
		return n
	}
	if n == 0 || steps[first].Created {
		c.last++
		n = c.last
	}
	for i := range steps {
		if s := &steps[i]; connected(s) {
			c.set(entryOf(s), n)
		}
	}
	return n
}

// connected reports whether a pass through conntrack found or made an entry.
func connected(s *trace.CTStep) bool {
	return s.Connected || s.Created || s.State&(conntrack.Established|conntrack.Related) != 0
}

func entryOf(s *trace.CTStep) entry { return entry{s.Chassis, s.Zone, s.Orig} }

func (c *Connections) find(e entry) uint64 {
	if n, ok := c.now[e]; ok {
		return n
	}
	n := c.before[e]
	if n != 0 {
		c.set(e, n)
	}
	return n
}

func (c *Connections) set(e entry, n uint64) {
	if c.now == nil || len(c.now) >= maxEntries/2 {
		c.before, c.now = c.now, map[entry]uint64{}
	}
	c.now[e] = n
}
