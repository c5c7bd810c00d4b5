package conntrack

import "ovnreplay/nat"

// A packet passes several zones, and its bytes change little between them. A
// Sight is what says that a packet's bytes are those which a table has read last,
// so that it need not read them again: who holds the packet keeps it beside the
// packet, copies it with the packet, and sets it to zero where anything but
// Execute changed more of the IP packet than a router does (TTL, DSCP, ECN, with
// the header's checksum mended by what changed).
//
// What is kept is the parse, which does not depend on these, and that the checksums
// were right: a checksum that is mended stays right. Of any other checksum, a
// fragment or a quoted packet nothing is kept.
type Sight struct {
	by *Table
	n  uint64
}

// sight is what a table knows of the packet read last.
type sight struct {
	n      uint64 // packets read, or changed
	length int    // of its bytes
	again  bool   // the packet of the Execute under way is the one read last
	kept   bool   // pkt and seg are good for the same packet
}

// look begins an Execute: is the packet the one that was read last?
func (t *Table) look(ip []byte, s *Sight) {
	x := &t.sight
	if x.again = s != nil && s.by == t && s.n == x.n && len(ip) == x.length; !x.again {
		x.n++
		x.length, x.kept = len(ip), false
	}
}

// looked ends it.
func (t *Table) looked(s *Sight, rewritten bool) {
	x := &t.sight
	if rewritten { // copies of the packet made before are not it any more
		x.n++
	}
	switch {
	case s == nil:
	case x.kept:
		*s = Sight{t, x.n}
	default:
		*s = Sight{}
	}
}

// keep notes that the packet was found to be well.
func (t *Table) keep() {
	p := &t.pkt
	t.sight.kept = !p.Fragment && !p.IsError && (p.Sum == nat.SumGood || p.Sum == nat.SumNone)
}
