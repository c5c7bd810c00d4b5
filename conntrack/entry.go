package conntrack

import (
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Entry is a connection as listings and dumps show it.
type Entry struct {
	Zone        uint16
	Orig, Reply nat.Tuple
	Mark        uint32
	Label       Label
	Timeout     Time       // what is left of it; negative: the dump does not say
	State       string     // of TCP and SCTP, by the profile's own names; else empty
	PeerState   [2]string  // TCP, OVSUserspace: each end
	Scale       [2]uint8   // TCP window scale of each end
	TCPFlags    [2]TCPFlag // as dumps show them
	VTag        [2]uint32  // SCTP
	Status      Status
	Helper      string
	Parent      nat.Tuple // of the connection whose helper expected this one; zero for others
	ID          uint32    // the kernel's; 0 in a Table of ours
	Seq         uint64    // order of creation
}

// Status is the condition of a connection with the bits of the kernel's ct->status.
type Status uint32

const (
	StatusExpected Status = 1 << iota
	StatusSeenReply
	StatusAssured
	StatusConfirmed
	StatusSNAT
	StatusDNAT
	StatusSeqAdjust
	StatusSNATDone
	StatusDNATDone
	StatusDying
	StatusFixedTimeout
	StatusTemplate
	StatusUntracked
)

// TCPFlag are what dumps show of one end of a TCP connection.
type TCPFlag uint8

const (
	TCPWindowScale TCPFlag = 1 << iota
	TCPSackPerm
	TCPCloseInit
	TCPBeLiberal
	TCPDataUnacknowledged
	TCPMaxAckSet
)

// Entries returns the connections that live at now, oldest first.
func (t *Table) Entries(now Time) []Entry {
	var out []Entry
	for _, i := range t.living(now) {
		out = append(out, t.entry(i, t.pool.at(i)))
	}
	return out
}

// living are the numbers of the connections that live at now, oldest first.
func (t *Table) living(now Time) (order []uint32) {
	t.tick(now)
	for i := range t.pool.size {
		if c := t.pool.at(i); c.linked != 0 && c.expires > t.now && c.status&stale == 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j uint32) int { return int(int64(t.pool.at(i).seq) - int64(t.pool.at(j).seq)) })
	return order
}

func (t *Table) entry(idx uint32, c *conn) Entry {
	e := Entry{
		Zone: c.zone, Orig: c.tuple[0], Reply: c.tuple[1], Mark: c.mark, Label: c.label,
		Timeout: c.expires - t.now, Helper: helperNames[c.helper], Seq: c.seq,
	}
	if c.status&expected != 0 {
		e.Parent = *t.origOf(idx, c)
	}
	if t.opt.Profile == Linux {
		e.Status = StatusConfirmed
		for i, s := range [...]status{expected, seenReply, assured, 0, srcNAT, dstNAT, 0, srcNATDone, dstNATDone} {
			if s != 0 && c.status&s != 0 {
				e.Status |= 1 << i
			}
		}
	}
	t.entryState(&e, c)
	return e
}

var helperNames = [...]string{NoHelper: "", FTP: "ftp", TFTP: "tftp"}

func (t *Table) entryState(e *Entry, c *conn) {
	switch {
	case c.tuple[0].Proto == header.ProtoTCP && t.opt.Profile == OVSUserspace:
		for i, p := range c.peer {
			e.PeerState[i], e.Scale[i] = endNames[p.flags], p.scale&scaleMask
			e.TCPFlags[i] = TCPFlag(p.scale>>7) | TCPFlag(p.scale>>6&1)*TCPBeLiberal
		}
		e.State = shownState(max(c.peer[0].flags, c.peer[1].flags))
	case c.tuple[0].Proto == header.ProtoTCP:
		e.State = tcpNames[c.state]
		for i, p := range c.peer {
			e.Scale[i], e.TCPFlags[i] = p.scale, TCPFlag(p.flags&(peerMaxAck<<1-1))
		}
	case c.tuple[0].Proto == header.ProtoSCTP && t.opt.Profile == Linux:
		e.State = sctpNames[c.state]
		e.VTag = [2]uint32{c.peer[0].maxAck, c.peer[1].maxAck}
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

// Answered returns the translated connections of any zone that a packet with
// the tuple would be the answer in, in the order of the zones. It changes nothing.
func (t *Table) Answered(tuple *nat.Tuple) (list []Entry) {
	for zone := range t.perZone {
		idx, dir, ok := t.find(zone, tuple)
		if !ok || dir != 1 {
			continue
		}
		c := t.pool.at(idx)
		if c.status&stale == 0 && c.tuple[0].Reverse() != c.tuple[1] {
			list = append(list, t.entry(idx, c))
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return int(a.Zone) - int(b.Zone) })
	return list
}

// Knows reports whether a live connection of any zone has the tuple of an IP
// packet, whichever way it goes. It changes nothing.
func (t *Table) Knows(ip []byte) bool {
	var p nat.Packet
	if p.Parse(ip) != nat.NoFault {
		return false
	}
	for zone := range t.perZone {
		if _, _, ok := t.find(zone, &p.Tuple); ok {
			return true
		}
	}
	return false
}

// ReplyOf returns the reply tuple of the live connection in a zone that has a
// tuple in its original direction, nil if there is none. It changes nothing; the tuple is valid
// until the table does.
func (t *Table) ReplyOf(zone uint16, orig *nat.Tuple) *nat.Tuple {
	if c := t.met; c != nil && c.zone == zone && c.linked&1 != 0 && c.expires > t.now && c.tuple[0] == *orig {
		return &c.tuple[1]
	}
	idx, dir, ok := t.find(zone, orig)
	if !ok || dir != 0 {
		return nil
	}
	return &t.pool.at(idx).tuple[1]
}
