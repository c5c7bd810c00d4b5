package conntrack

import (
	"slices"

	"ovnreplay/nat"
)

// Entry is a connection as listings and dumps show it.
type Entry struct {
	Zone        uint16
	Orig, Reply nat.Tuple
	Mark        uint32
	Label       Label
	Timeout     Time      // what is left of it
	State       string    // of TCP and SCTP by the profile's own names; else empty
	PeerState   [2]string // TCP, OVSUserspace: each end
	Scale       [2]uint8  // TCP window scale of each end
	SeenReply   bool
	Assured     bool
	SNAT, DNAT  bool
	Helper      Helper
	Parent      nat.Tuple // of the connection whose helper expected this one; zero for others
	Seq         uint64    // order of creation
}

// Entries returns the connections that live at now, oldest first.
func (t *Table) Entries(now Time) []Entry {
	t.tick(now)
	var out []Entry
	for i := range t.pool.size {
		if c := t.pool.at(i); c.linked != 0 && c.expires > t.now {
			out = append(out, t.entry(i, c))
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return out
}

func (t *Table) entry(idx uint32, c *conn) Entry {
	e := Entry{
		Zone: c.zone, Orig: c.tuple[0], Reply: c.tuple[1], Mark: c.mark, Label: c.label,
		Timeout: c.expires - t.now, SeenReply: c.status&seenReply != 0, Assured: c.status&assured != 0,
		SNAT: c.status&srcNAT != 0, DNAT: c.status&dstNAT != 0, Helper: c.helper, Seq: c.seq,
	}
	if c.status&expected != 0 {
		e.Parent = t.origOf(idx, c)
	}
	if t.opt.Profile == OVSUserspace {
		e.SNAT, e.DNAT = c.natSide == nat.Source, c.natSide == nat.Destination
	}
	t.entryState(&e, c)
	return e
}

func (t *Table) entryState(e *Entry, c *conn) {
	switch {
	case c.tuple[0].Proto == nat.ProtoTCP && t.opt.Profile == OVSUserspace:
		for i, p := range c.peer {
			e.PeerState[i], e.Scale[i] = endNames[p.flags], p.scale&scaleMask
		}
		e.State = shownState(max(c.peer[0].flags, c.peer[1].flags))
	case c.tuple[0].Proto == nat.ProtoTCP:
		e.State = tcpNames[c.state]
		e.Scale = [2]uint8{c.peer[0].scale, c.peer[1].scale}
	}
}

// shownState is the one state a short dump prints for the two ends.
func shownState(s uint8) string {
	switch s {
	case endFinWait2:
		s = endTimeWait
	case endSynRecv:
		s = endEstablished
	}
	return endNames[s]
}
