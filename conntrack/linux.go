package conntrack

import (
	"encoding/binary"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Profile Linux: nf_conntrack and nf_nat as Open vSwitch's kernel datapath
// calls them (net/netfilter and net/openvswitch/conntrack.c of Linux 6).

// linuxVerdict is what a protocol's tracker says of a packet.
type linuxVerdict uint8

const (
	linuxAccept linuxVerdict = iota
	linuxRefuse
	linuxRepeat // delete the connection and look again
	linuxKill   // accept, and delete the connection
)

// ctinfo is the relation of a packet to its connection.
type ctinfo uint8

const (
	infoNone ctinfo = iota
	infoNew
	infoEstablished
	infoRelated
)

// linuxCtx is one packet on its way through nf_conntrack.
type linuxCtx struct {
	m     *Meta
	r     *Request
	ip    []byte
	o     *Outcome
	seg   *segment
	key   nat.Tuple
	c     *conn // nil for a packet of no connection, and until commit for a new one
	idx   uint32
	info  ctinfo
	reply bool
	exp   *expectation
}

func (k *linuxCtx) dir() int { return b2i(k.reply) }

func (t *Table) executeLinux(ip []byte, m *Meta, r *Request, o *Outcome) {
	k := linuxCtx{m: m, r: r, ip: ip, o: o, seg: &t.seg}
	cached := t.linuxCached(&k)
	if !cached && !t.linuxTrack(&k) {
		return
	}
	if k.info == infoNone {
		m.setInvalid(r.Zone)
		return
	}
	fresh := k.c == nil
	if fresh && r.Commit {
		t.linuxPrepare(&k)
	}
	if r.NAT.Kind != nat.None && m.State&(SNAT|DNAT) == 0 && k.c != nil {
		if o.Drop = t.linuxNAT(&k); o.Drop != NoDrop {
			t.linuxAbandon(&k, fresh)
			return
		}
	}
	if k.c != nil && (!fresh && !cached || fresh) && k.c.helper != NoHelper {
		t.watchControl(ip, k.idx, k.reply, o)
	}
	if k.c != nil && !fresh && !t.opt.Netfilter && k.c.state == tcpEstablished &&
		k.c.tuple[0].Proto == header.ProtoTCP && k.c.status&assured != 0 {
		k.c.peer[0].flags |= peerLiberal
		k.c.peer[1].flags |= peerLiberal
	}
	if r.Commit {
		t.linuxCommit(&k, fresh)
	}
}

// linuxAbandon gives up a connection that was never confirmed; the packet is dropped.
func (t *Table) linuxAbandon(k *linuxCtx, fresh bool) {
	if fresh && k.c != nil {
		t.pool.free(k.idx)
		k.c = nil
	}
}

// linuxCached is whether the packet has been through conntrack in this zone.
func (t *Table) linuxCached(k *linuxCtx) bool {
	m, r := k.m, k.r
	if m.State&Tracked == 0 || m.State&Invalid != 0 || m.Zone != r.Zone {
		return false
	}
	c := t.get(m.conn)
	if c == nil {
		return false // new so far, or gone: looking again gives the same
	}
	k.c, k.idx, k.reply = c, m.conn.idx, m.reply
	if r.Force && k.reply {
		t.kill(k.idx)
		k.o.Replaced = true
		k.c, k.reply = nil, false
		return false
	}
	switch {
	case m.related:
		k.info = infoRelated
	case m.State&Established != 0:
		k.info = infoEstablished
	case c.status&expected != 0 && c.status&seenReply == 0:
		k.info = infoRelated
	default:
		k.info = infoNew
	}
	if !t.sight.again && t.pkt.Parse(k.ip) != nat.NoFault {
		return false
	}
	if r.NAT.Kind != nat.None && !t.sight.again {
		t.pkt.CheckSum(k.ip)
	}
	k.key = t.pkt.Tuple
	return true
}

// linuxTrack is nf_conntrack_in: it finds the packet's connection, advances
// it and sets m. It is false when the packet is dropped.
func (t *Table) linuxTrack(k *linuxCtx) bool {
	if why := t.linuxExtract(k); why != NotRefused {
		k.o.Refusal = why
		return true
	}
	if t.pkt.IsError {
		t.linuxError(k)
	} else {
		for t.linuxResolve(k) == linuxRepeat {
			t.kill(k.idx)
			k.c = nil
			k.o.Replaced = true
		}
	}
	if k.o.Drop != NoDrop {
		return false
	}
	if k.info != infoNone {
		t.linuxMeta(k)
	}
	return true
}

// linuxExtract checks the packet and sets the key it is looked up by.
func (t *Table) linuxExtract(k *linuxCtx) Refusal {
	p := &t.pkt
	if t.sight.again {
		k.key = p.Tuple
		return NotRefused
	}
	switch f := p.Parse(k.ip); {
	case f == nat.FaultQuote:
		return NoConnection
	case f != nat.NoFault, p.Tuple.Proto == header.ProtoNoNext: // ipv6_skip_exthdr gives up there
		return BadHeader
	case p.Fragment:
		return LoneFragment
	case !t.opt.IgnoreChecksums && !p.HeaderSumOK(k.ip):
		return BadChecksum
	}
	k.key = p.Tuple
	if why := t.linuxHeader(k); why != NotRefused {
		return why
	}
	if !p.CheckSum(k.ip).Valid() && !t.opt.IgnoreChecksums {
		return BadChecksum
	}
	t.keep()
	return NotRefused
}

// linuxHeader is what each protocol demands of its header.
func (t *Table) linuxHeader(k *linuxCtx) Refusal {
	p := &t.pkt
	length, l4 := p.L4Length(k.ip), k.ip[p.L4:p.End]
	switch {
	case p.Tuple.Proto == header.ProtoTCP:
		if !k.seg.read(l4, length) {
			return BadHeader
		}
		if !goodFlags(k.seg.flags) {
			k.o.Check = Check{Of: FlagsCheck, Flags: k.seg.flags}
			return BadFlags
		}
	case p.Tuple.Proto == header.ProtoUDP:
		if n := int(binary.BigEndian.Uint16(l4[4:])); n < 8 || n > length {
			return BadHeader
		}
	case p.Tuple.ICMP() && !p.IsError:
		if p.Tuple.V6 && p.Tuple.Type >= 130 && p.Tuple.Type <= 137 || p.Tuple.V6 && p.Tuple.Type == 143 {
			return NotForTracking
		}
		if !p.Tuple.Reversible() {
			return NotTrackable
		}
	}
	return NotRefused
}

// linuxError finds the connection an ICMP error is about. It travels against the packet it quotes.
func (t *Table) linuxError(k *linuxCtx) {
	p := &t.pkt
	key := p.Inner.Tuple.Reverse()
	idx, dir, ok := t.find(k.r.Zone, &key)
	if !ok || !p.Inner.Tuple.Reversible() {
		k.o.Refusal = NoConnection
		k.o.Expired = t.expiredAt(k.r.Zone, &key)
		return
	}
	c := t.pool.at(idx)
	if c.tuple[dir].Dst != p.Tuple.Dst {
		k.o.Refusal = NoConnection // not sent to who sent the packet it quotes
		return
	}
	k.c, k.idx, k.info, k.reply = c, idx, infoRelated, dir == 1
}

// linuxResolve looks the packet's tuple up and lets its protocol judge it.
func (t *Table) linuxResolve(k *linuxCtx) linuxVerdict {
	idx, dir, ok := t.find(k.r.Zone, &k.key)
	if !ok {
		return t.linuxNew(k)
	}
	c := t.pool.at(idx)
	k.c, k.idx, k.reply = c, idx, dir == 1
	switch {
	case dir == 1, c.status&seenReply != 0:
		k.info = infoEstablished
	case c.status&expected != 0:
		k.info = infoRelated
	default:
		k.info = infoNew
	}
	v := t.linuxPacket(k)
	switch v {
	case linuxRefuse:
		k.c, k.info = nil, infoNone
		return v
	case linuxRepeat:
		return v
	}
	if k.info == infoEstablished && dir == 1 {
		c.status |= seenReply
	}
	if v == linuxKill {
		// The packet still carries the connection; it is only found no more.
		t.setExpiry(idx, t.now)
	}
	return linuxAccept
}

// linuxNew handles a packet of no connection.
func (t *Table) linuxNew(k *linuxCtx) linuxVerdict {
	k.c, k.reply = nil, false
	k.o.Expired = t.expiredAt(k.r.Zone, &k.key)
	if !k.key.Reversible() {
		k.o.Refusal = NotTrackable
		return linuxRefuse
	}
	if !t.room() && !t.evict(k.o) {
		k.o.Drop = DropTableFull
		return linuxAccept
	}
	var probe conn
	if !t.linuxFirst(k, &probe) {
		if k.o.Refusal == NotRefused {
			k.o.Refusal = NotTrackable
			if k.key.Proto == header.ProtoTCP {
				k.o.Check = Check{Of: OpenCheck, Flags: k.seg.flags}
			}
		}
		return linuxRefuse
	}
	k.info = infoNew
	if k.exp = t.expectation(&k.key); k.exp != nil {
		k.info = infoRelated
	}
	k.o.Loose = k.key.Proto == header.ProtoTCP && k.seg.flags&header.FlagSYN == 0
	return linuxAccept
}

// linuxFirst sets up the protocol's part of a connection from its first packet.
func (t *Table) linuxFirst(k *linuxCtx, c *conn) bool {
	switch {
	case k.key.Proto == header.ProtoTCP:
		return t.linuxNewTCP(c, k.seg)
	case k.key.Proto == header.ProtoSCTP:
		return t.linuxNewSCTP(k, c)
	case k.key.ICMP():
		return linuxQuery(&k.key)
	}
	return true
}

// linuxQuery is whether an ICMP message opens a connection: questions do.
func linuxQuery(t *nat.Tuple) bool {
	if t.V6 {
		return t.Type == 128 || t.Type == 139
	}
	return t.Type == 8 || t.Type == 13 || t.Type == 15 || t.Type == 17
}

// linuxPacket lets the protocol see one more packet of a connection.
func (t *Table) linuxPacket(k *linuxCtx) linuxVerdict {
	c := k.c
	switch {
	case k.key.Proto == header.ProtoTCP:
		return t.linuxTCP(c, k.idx, k.dir(), k.seg, k.o)
	case k.key.Proto == header.ProtoUDP, k.key.Proto == header.ProtoUDPLite:
		t.linuxUDP(k)
	case k.key.Proto == header.ProtoSCTP:
		return t.linuxSCTP(k)
	case k.key.Proto == header.ProtoGRE:
		if c.status&seenReply != 0 {
			c.status |= assured
			t.refresh(k.idx, GREStream)
		} else {
			t.refresh(k.idx, GRESingle)
		}
	case k.key.ICMP():
		t.refresh(k.idx, ICMPFirst)
	default:
		t.refresh(k.idx, Generic)
	}
	return linuxAccept
}

// linuxUDP: a flow both ways becomes a stream when it lives for two seconds.
func (t *Table) linuxUDP(k *linuxCtx) {
	c := k.c
	switch {
	case c.status&seenReply == 0:
		t.refresh(k.idx, UDPFirst)
	case t.now > c.created+2*Second:
		t.refresh(k.idx, UDPMultiple)
		c.status |= assured
	default:
		t.refresh(k.idx, UDPFirst)
	}
}

// linuxMeta writes what the packet now knows.
func (t *Table) linuxMeta(k *linuxCtx) {
	m := k.m
	*m = Meta{State: Tracked, Zone: k.r.Zone, Orig: k.key}
	if k.reply {
		m.State |= Reply
	}
	switch k.info {
	case infoNew:
		m.State |= New
	case infoEstablished:
		m.State |= Established
	case infoRelated:
		m.State |= Related
	}
	if k.c == nil {
		m.State |= New
		if k.exp != nil {
			m.showExpected(k.exp)
		}
		return
	}
	c := k.c
	k.o.Loose = c.status&pickedUp != 0
	if c.status&expected != 0 {
		m.State |= Related
	}
	m.Mark, m.Label, m.Orig = c.mark, c.label, *t.origOf(k.idx, c)
	m.conn, m.reply, m.related = t.pool.ref(k.idx), k.reply, t.pkt.IsError
}

// linuxPrepare makes the connection of a new packet that is to be committed.
func (t *Table) linuxPrepare(k *linuxCtx) {
	idx := t.pool.alloc()
	c := t.pool.at(idx)
	k.c, k.idx = c, idx
	c.zone, c.created, c.expires = k.r.Zone, t.now, t.now+1
	c.tuple = [2]nat.Tuple{k.key, k.key.Reverse()}
	if k.o.Loose {
		c.status |= pickedUp
	}
	t.linuxFirst(k, c)
	t.linuxPacket(k)
	c.helper = k.r.Helper
	if k.exp != nil {
		t.inherit(idx, k.exp)
	}
}

// linuxCommit confirms a new connection, or sets bits on an old one.
func (t *Table) linuxCommit(k *linuxCtx, fresh bool) {
	m, r, c := k.m, k.r, k.c
	if !fresh {
		r.setBits(c, m)
		if r.Helper != NoHelper && c.helper == NoHelper && c.status&offered == 0 {
			c.status |= offered
		}
		return
	}
	switch {
	case !t.zoneRoom(r.Zone):
		k.o.Drop = DropZoneLimit
	case t.Taken(c.tuple[0]), t.Taken(c.tuple[1]) && c.tuple[1] != c.tuple[0]:
		k.o.Drop = DropClash
		if k.r.NAT.Kind == nat.Src {
			k.o.Drop = DropPortsTaken
		}
	}
	if k.o.Drop != NoDrop {
		t.linuxAbandon(k, true)
		return
	}
	r.setBits(c, m)
	t.insert(k.idx)
	m.conn, m.reply, m.related = t.pool.ref(k.idx), k.reply, false
	k.o.Created = true
	if k.exp != nil {
		t.linkMaster(k.idx, k.exp)
	}
}

// evict makes room in a full table as the kernel does, by dropping one of a
// few connections that nobody answered yet. The kernel looks into eight hash
// buckets; here it is the next of 64 places in turn.
func (t *Table) evict(o *Outcome) bool {
	for range min(64, t.pool.size) {
		if t.sweep++; t.sweep >= t.pool.size {
			t.sweep = 0
		}
		c := t.pool.at(t.sweep)
		if c.linked != 0 && c.status&assured == 0 {
			t.remove(t.sweep)
			o.Evicted, o.Guess = true, true
			return true
		}
	}
	return false
}
