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

// Selection says which connections a flush is of, as Open vSwitch's NXT_CT_FLUSH
// does: what is zero, and bits of the label that are not in Mask, may be anything.
type Selection struct {
	Zone uint16
	// Orig and Reply are parts of the tuples; an address that is all zero is none.
	Orig, Reply nat.Tuple
	Label, Mask Label
}

// FlushSelected removes the connections that a selection is of, and returns how
// many lived.
func (t *Table) FlushSelected(now Time, s *Selection) int {
	return t.flush(now, func(c *conn) bool {
		return (s.Zone == 0 || c.zone == s.Zone) && partOf(&s.Orig, &c.tuple[0]) && partOf(&s.Reply, &c.tuple[1]) &&
			c.label.Hi&s.Mask.Hi == s.Label.Hi && c.label.Lo&s.Mask.Lo == s.Label.Lo
	})
}

// partOf reports whether a tuple has all that another asks for.
func partOf(want, t *nat.Tuple) bool {
	var any [16]byte
	return (want.Proto == 0 || want.Proto == t.Proto) &&
		(want.Src == any || want.V6 == t.V6 && want.Src == t.Src) && (want.SrcPort == 0 || want.SrcPort == t.SrcPort) &&
		(want.Dst == any || want.V6 == t.V6 && want.Dst == t.Dst) && (want.DstPort == 0 || want.DstPort == t.DstPort)
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
