package conntrack

import (
	"encoding/binary"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Profile OVSUserspace: the connection tracker of Open vSwitch's userspace
// datapath (lib/conntrack.c of 3.1 to 4.0, its documentation in ovs-actions(7)).

// userCtx is one packet on its way through the userspace tracker.
type userCtx struct {
	m       *Meta
	r       *Request
	ip      []byte
	o       *Outcome
	key     nat.Tuple // by which the connection is looked up
	seg     *segment  // TCP only
	reply   bool
	related bool // ICMP error
	exp     *expectation
}

// verdict of a protocol's state machine.
type verdict uint8

const (
	verdictInvalid verdict = iota
	verdictValid
	verdictNew      // the connection is over: this packet opens another
	verdictValidNew // still unanswered
)

func (t *Table) executeUserspace(ip []byte, m *Meta, r *Request, o *Outcome) {
	k := userCtx{m: m, r: r, ip: ip, o: o, seg: &t.seg}
	if r.Helper == NoHelper {
		if c := t.get(m.conn); c != nil && c.zone == r.Zone && !r.Force && !t.watched(m.conn.idx, c) {
			t.userFast(&k, c)
			return
		}
	}
	if why := t.extractUserspace(&k); why != NotRefused {
		m.setInvalid(r.Zone)
		o.Refusal = why
		return
	}
	t.processUserspace(&k)
}

// userFast is the way of a packet that has been looked up in this zone: state stays as it was.
func (t *Table) userFast(k *userCtx, c *conn) {
	m := k.m
	if k.r.NAT.Kind != nat.None {
		k.reply, k.related = m.reply, m.related
		well := t.sight.again
		if !well && t.pkt.Parse(k.ip) == nat.NoFault {
			t.pkt.CheckSum(k.ip)
			well = true
		}
		if well {
			t.userNAT(k, c)
		}
		m.conn = connRef{}
	}
	m.Zone, m.Mark, m.Label = k.r.Zone, c.mark, c.label
	if k.r.Commit {
		k.userBits(c)
	}
}

// userBits is exec(): connections opened by a helper keep what they inherited.
func (k *userCtx) userBits(c *conn) {
	if c.status&expected == 0 {
		k.r.setBits(c, k.m)
	}
}

// extractUserspace checks the packet and makes the key it is looked up by.
func (t *Table) extractUserspace(k *userCtx) Refusal {
	p := &t.pkt
	if !t.sight.again {
		if why := t.readUserspace(k); why != NotRefused {
			return why
		}
	}
	k.key = p.Tuple
	if p.IsError {
		if p.Inner.Fragment && (p.Tuple.V6 || !t.has(ReadsQuotedFragments)) {
			return NoConnection
		}
		if p.Inner.Tuple.Src != p.Tuple.Dst {
			return NoConnection
		}
		if p.Inner.Tuple.ICMP() && !userQuery(&p.Inner.Tuple) {
			return NotForTracking
		}
		k.key = p.Inner.Tuple.Reverse()
		k.related = true
	}
	if why := t.userKey(&k.key); why != NotRefused {
		k.o.Check = Check{Of: PortCheck}
		return why
	}
	return NotRefused
}

// readUserspace reads the packet and checks what it says of itself.
func (t *Table) readUserspace(k *userCtx) Refusal {
	p := &t.pkt
	switch f := p.Parse(k.ip); {
	case f == nat.FaultQuote:
		return NoConnection
	case f != nat.NoFault:
		return BadHeader
	case p.Fragment:
		return LoneFragment
	case !t.opt.IgnoreChecksums && !p.HeaderSumOK(k.ip):
		return BadChecksum
	}
	if why := t.checkUserspaceL4(k); why != NotRefused {
		return why
	}
	summed := p.Tuple.Proto != header.ProtoSCTP || t.has(TracksSCTP)
	if !p.CheckSum(k.ip).Valid() && !t.opt.IgnoreChecksums && summed {
		return BadChecksum
	}
	t.keep()
	return NotRefused
}

// userKey removes what this tracker does not look at: only TCP, UDP, ICMP and
// since 3.2 SCTP have more than addresses.
func (t *Table) userKey(key *nat.Tuple) Refusal {
	switch {
	case key.Proto == header.ProtoTCP, key.Proto == header.ProtoUDP, key.Proto == header.ProtoSCTP && t.has(TracksSCTP):
		if key.SrcPort == 0 || key.DstPort == 0 {
			return BadHeader
		}
	case !key.ICMP():
		key.SrcPort, key.DstPort = 0, 0
	}
	return NotRefused
}

// userQuery is whether an ICMP message can belong to a connection of its own.
func userQuery(t *nat.Tuple) bool {
	if t.Code != 0 {
		return false
	}
	if t.V6 {
		return t.Type == 128 || t.Type == 129
	}
	switch t.Type {
	case 0, 8, 13, 14, 15, 16:
		return true
	}
	return false
}

func (t *Table) checkUserspaceL4(k *userCtx) Refusal {
	p := &t.pkt
	length := p.L4Length(k.ip)
	l4 := k.ip[p.L4:p.End]
	switch {
	case p.Tuple.Proto == header.ProtoTCP:
		if !k.seg.read(l4, length) {
			return BadHeader
		}
	case p.Tuple.Proto == header.ProtoUDP:
		if n := int(binary.BigEndian.Uint16(l4[4:])); n < 8 || n > length {
			return BadHeader
		}
	case p.Tuple.Proto == header.ProtoSCTP && t.has(TracksSCTP):
		if !k.r.Cut && !wholeChunks(l4) {
			return BadHeader
		}
	case p.Tuple.ICMP() && !p.IsError && !userQuery(&p.Tuple):
		return NotForTracking
	}
	return NotRefused
}

// wholeChunks reports whether an SCTP packet is a header and whole chunks, each
// padded to four bytes, the last as well (RFC 9260, section 3.2).
func wholeChunks(l4 []byte) bool {
	const header, chunk = 12, 4
	next := header
	for next+chunk <= len(l4) {
		n := int(binary.BigEndian.Uint16(l4[next+2:]))
		if n < chunk {
			return false
		}
		next += (n + 3) &^ 3
	}
	return next == len(l4)
}

// processUserspace is the slow path: look up, advance the state, translate, commit.
func (t *Table) processUserspace(k *userCtx) {
	m, r := k.m, k.r
	if m.State != 0 && m.Zone != r.Zone {
		m.State = 0
	}
	idx, found := t.userLookup(k)
	if found && t.pool.at(idx).status&stale != 0 {
		k.o.Refusal = NoConnection
		*m = Meta{State: m.State | Tracked | Invalid, Zone: r.Zone}
		return
	}
	if r.Force && k.reply && found {
		t.endUserspace(idx)
		k.o.Replaced = true
		found = false
	}
	open := false
	if found {
		open = t.userUpdate(k, idx)
		if r.NAT.Kind != nat.None && !open {
			t.userNAT(k, t.pool.at(idx))
		}
	} else if idx, found = t.userByOrig(k); found {
		open = t.userUpdate(k, idx)
	} else if k.related {
		m.State = Invalid
		k.o.Refusal = NoConnection
	} else {
		open = true
	}
	if open {
		if _, _, there := t.find(r.Zone, &k.key); !there {
			k.o.Expired = t.expiredAt(r.Zone, &k.key)
			idx, found = t.userOpen(k)
		}
		// Else a stale reply tuple is in the way: the packet is neither new nor anything else.
	}
	t.userMeta(k, idx, found)
}

// userMeta writes what the packet now knows.
func (t *Table) userMeta(k *userCtx, idx uint32, found bool) {
	m, r := k.m, k.r
	m.State |= Tracked
	m.Zone = r.Zone
	if !found {
		m.Orig = k.key
		m.Mark, m.Label, m.conn = 0, Label{}, connRef{}
		if k.exp != nil {
			m.showExpected(k.exp)
		}
		return
	}
	c := t.pool.at(idx)
	t.met = c
	k.o.Loose = c.status&pickedUp != 0
	m.Mark, m.Label = c.mark, c.label
	m.Orig = *t.origOf(idx, c)
	if r.Commit {
		k.userBits(c)
	}
	if r.Helper != NoHelper || c.helper != NoHelper {
		t.watchControl(k.ip, idx, k.reply, k.o)
	}
	m.conn = connRef{}
	if r.NAT.Kind == nat.None {
		m.conn, m.reply, m.related = t.pool.ref(idx), k.reply, k.related
	}
}

// userLookup finds the packet's connection. A packet translated earlier in
// this zone is found by what it looks like now, from the other side.
func (t *Table) userLookup(k *userCtx) (idx uint32, found bool) {
	natted := k.m.State&(SNAT|DNAT) != 0
	key := k.key
	if natted {
		key = k.key.Reverse()
	}
	idx, dir, found := t.find(k.r.Zone, &key)
	k.reply = dir == 1
	if natted && found {
		k.reply = !k.reply
		k.key = t.pool.at(idx).tuple[b2i(k.reply)]
	}
	return idx, found
}

// staleTime is how long a sweep may take to come round.
const staleTime = 20 * Second

// endUserspace ends a connection at once. Without FreshReplies some of it stays.
func (t *Table) endUserspace(idx uint32) {
	c := t.pool.at(idx)
	if t.has(FreshReplies) || c.status&natAsked == 0 || c.linked&2 == 0 {
		t.kill(idx)
		return
	}
	if plain := c.tuple[0].Reverse(); plain != c.tuple[1] {
		t.uncrowd(c)
		t.unlink(idx, 0)
	} // else one hash serves both directions, and both stay taken
	c.status |= stale
	t.stale++
	t.setExpiry(idx, t.now+staleTime)
}

// userByOrig looks a translated packet up by the original tuple it carries.
func (t *Table) userByOrig(k *userCtx) (uint32, bool) {
	m := k.m
	if m.State&(SNAT|DNAT) == 0 || m.Orig.Proto == 0 || k.r.NAT.Kind != nat.None {
		return 0, false
	}
	key := m.Orig
	if key.ICMP() {
		key.SrcPort, key.DstPort = k.key.SrcPort, k.key.DstPort
	}
	idx, _, ok := t.find(m.Zone, &key)
	return idx, ok
}

// userUpdate advances the connection's state and sets the packet's; true
// means that the connection is over and this packet opens a new one.
func (t *Table) userUpdate(k *userCtx, idx uint32) bool {
	m := k.m
	if k.related {
		m.State |= Related
		if k.reply {
			m.State |= Reply
		}
		return false
	}
	c := t.pool.at(idx)
	if c.status&expected != 0 {
		m.State |= Related
	}
	switch t.userProtocol(k, idx) {
	case verdictValid:
		m.State = m.State&^New | Established
		if k.reply {
			m.State |= Reply
		}
	case verdictValidNew:
		m.State |= New
	case verdictNew:
		t.endUserspace(idx)
		k.o.Replaced = true
		return true
	default:
		m.State = Invalid
	}
	return false
}

func (t *Table) userProtocol(k *userCtx, idx uint32) verdict {
	c := t.pool.at(idx)
	switch {
	case c.tuple[0].Proto == header.ProtoTCP:
		return t.userTCP(k, idx)
	case c.tuple[0].ICMP():
		return t.userICMP(k, idx)
	}
	return t.userOther(k, idx)
}

// States of ICMP and other connections.
const (
	userFirst uint8 = iota
	userAnswered
	userMultiple
)

func (t *Table) userICMP(k *userCtx, idx uint32) verdict {
	c := t.pool.at(idx)
	if k.reply {
		c.state = userAnswered
	}
	if c.state == userFirst {
		t.refresh(idx, ICMPFirst)
		return verdictValidNew
	}
	t.refresh(idx, ICMPReply)
	return verdictValid
}

// userOther is UDP and every protocol without a machine of its own.
func (t *Table) userOther(k *userCtx, idx uint32) verdict {
	c := t.pool.at(idx)
	switch {
	case k.reply:
		c.state = userAnswered
	case c.state == userFirst:
		c.state = userMultiple
	}
	if c.state == userAnswered {
		t.refresh(idx, UDPMultiple)
		return verdictValid
	}
	t.refresh(idx, UDPSingle)
	return verdictValidNew
}

// userNAT translates the packet unless that has been done in this zone.
func (t *Table) userNAT(k *userCtx, c *conn) {
	m := k.m
	if c.natSide == 0 || m.State&(SNAT|DNAT) != 0 && m.Zone == k.r.Zone {
		return
	}
	m.State &^= SNAT | DNAT
	t.userTranslate(k, c)
}

func (t *Table) userTranslate(k *userCtx, c *conn) {
	sides := c.natSide
	t.pkt.PatchCutTCP = true
	t.pkt.KeepQuote = !k.reply && !t.has(TranslatesQuotes)
	if t.has(TracksSCTP) {
		t.pkt.QuotedSCTP = nat.UpdateCRC
	}
	if k.reply {
		sides = sides.Reverse()
	}
	switch sides {
	case nat.Source:
		k.m.State |= SNAT
	case nat.Destination:
		k.m.State |= DNAT
	default:
		return
	}
	t.rewrite(k.ip, c, b2i(k.reply), sides, k.o)
	p := &t.pkt
	transport := p.Tuple.Proto == header.ProtoTCP || p.Tuple.Proto == header.ProtoUDP
	k.o.Completes = t.has(CompletesChecksums) && transport && p.Sum.Valid()
}

// userOpen handles a packet of no connection: new, and with commit remembered.
func (t *Table) userOpen(k *userCtx) (idx uint32, ok bool) {
	m, r := k.m, k.r
	if !k.userMayOpen() {
		m.State = Invalid
		if k.o.Refusal == NotRefused {
			k.o.Refusal = NotTrackable
			if k.key.Proto == header.ProtoTCP {
				k.o.Check = Check{Of: OpenCheck, Flags: k.seg.flags}
			}
		}
		return 0, false
	}
	m.State = New
	exp := t.expectation(&k.key)
	k.exp = exp
	if exp != nil {
		m.State |= Related
	}
	k.o.Loose = k.key.Proto == header.ProtoTCP && k.seg.flags&header.FlagSYN == 0
	if !r.Commit {
		return 0, false
	}
	switch {
	case !t.zoneRoom(r.Zone):
		k.o.Uncommitted = DropZoneLimit
		return 0, false
	case !t.room():
		k.o.Uncommitted = DropTableFull
		return 0, false
	}
	return t.userCommit(k, exp)
}

func (t *Table) userCommit(k *userCtx, exp *expectation) (uint32, bool) {
	r := k.r
	idx := t.pool.alloc()
	c := t.pool.at(idx)
	c.zone, c.created = r.Zone, t.now
	c.tuple = [2]nat.Tuple{k.key, k.key.Reverse()}
	if k.o.Loose {
		c.status |= pickedUp
	}
	t.userInit(k, idx)
	c.helper = t.userHelper(k)
	if exp != nil {
		t.inherit(idx, exp)
	}
	if r.NAT.Kind != nat.None {
		c.status |= natAsked
		if !t.userBind(k, c, exp) {
			t.pool.free(idx)
			k.o.Uncommitted = DropPortsTaken
			return 0, false
		}
		reply := k.reply // of the connection this one replaces, if any
		k.reply = false
		t.userTranslate(k, c)
		k.reply = reply
	}
	k.o.Clash = t.insert(idx)
	k.o.Created = true
	if exp != nil {
		t.linkMaster(idx, exp)
	}
	return idx, true
}

// userBind gives a new connection its reply tuple.
func (t *Table) userBind(k *userCtx, c *conn, exp *expectation) bool {
	b := &k.r.NAT
	switch b.Kind {
	case nat.Src:
		c.natSide = nat.Source
	case nat.Dst:
		c.natSide = nat.Destination
	}
	if exp != nil {
		exp.bindUserspace(c)
		return true
	}
	if pin, ok := t.pinned(k.r, &c.tuple[0]); ok {
		c.tuple[1] = pin
		return true
	}
	choice, ok := b.ChooseUserspace(&c.tuple[0], t, t.moves(c.tuple[0].Proto))
	c.tuple[1] = choice.Reply
	k.o.Guess = choice.Guess
	return ok
}

// moves reports whether NAT gives way with a protocol's ports, or ICMP's ID.
func (t *Table) moves(proto uint8) bool {
	switch proto {
	case header.ProtoTCP, header.ProtoUDP:
		return true
	case header.ProtoSCTP:
		return t.has(TracksSCTP)
	case header.ProtoICMP:
		return t.has(MovesICMPIDs)
	}
	return false
}

func (t *Table) userInit(k *userCtx, idx uint32) {
	switch {
	case k.key.Proto == header.ProtoTCP:
		t.userNewTCP(k, idx)
	case k.key.ICMP():
		t.refresh(idx, ICMPFirst)
	default:
		t.refresh(idx, UDPFirst)
	}
}

// userMayOpen is whether a connection may begin with this packet.
func (k *userCtx) userMayOpen() bool {
	switch {
	case k.key.Proto == header.ProtoTCP:
		if badUserFlags(k.seg.flags) {
			k.o.Refusal, k.o.Check = BadFlags, Check{Of: FlagsCheck, Flags: k.seg.flags}
			return false
		}
		return k.seg.flags&(header.FlagSYN|header.FlagACK) != header.FlagSYN|header.FlagACK
	case k.key.ICMP() && k.key.V6:
		return k.key.Type == 128
	case k.key.ICMP():
		return k.key.Type == 8 || k.key.Type == 13 || k.key.Type == 15
	}
	return true
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
