package conntrack

import "ovnreplay/nat"

// Flush removes every connection, as dpctl/flush-conntrack does, and returns how many lived.
func (t *Table) Flush(now Time) int {
	return t.flush(now, func(*conn) bool { return true })
}

// FlushZone removes the connections of one zone and returns how many lived.
func (t *Table) FlushZone(now Time, zone uint16) int {
	return t.flush(now, func(c *conn) bool { return c.zone == zone })
}

func (t *Table) flush(now Time, which func(*conn) bool) int {
	t.tick(now)
	n := 0
	for i := range t.pool.size {
		if c := t.pool.at(i); c.linked != 0 && which(c) {
			if c.expires > t.now && c.status&stale == 0 {
				n++
			}
			t.remove(i)
		}
	}
	return n
}

// FlushTuple removes the connection a packet with that tuple belongs to, in
// either direction. It is false when there is none.
func (t *Table) FlushTuple(now Time, zone uint16, tuple *nat.Tuple) bool {
	t.tick(now)
	idx, _, ok := t.find(zone, tuple)
	if ok {
		t.remove(idx)
	}
	return ok
}
