package conntrack

import "ovnreplay/nat"

// Execute does one ct action at the moment now with the packet in ip, which
// starts at its IP header and may have padding behind it. m is what the packet
// carries; it is updated. NAT rewrites ip in place and never changes its length.
//
// Moments must not go backwards; one that does is taken as the latest seen.
//
// A nat() of a Request without Commit applies what the connection has; a
// connection is only ever created, and Exec and NAT bindings only ever
// recorded, with Commit.
func (t *Table) Execute(now Time, ip []byte, m *Meta, r *Request) (o Outcome) {
	t.tick(now)
	t.sweepDue(t.now-memory, 2)
	t.zone = r.Zone
	t.look(ip, r.Sight)
	if t.sight.again || !fragmented(ip) {
		t.execute(ip, m, r, &o)
	} else {
		o = t.executeFragment(ip, m, r)
		t.sight.kept = false
	}
	t.looked(r.Sight, o.Rewritten)
	return o
}

func (t *Table) execute(ip []byte, m *Meta, r *Request, o *Outcome) {
	if t.opt.Profile == OVSUserspace {
		t.executeUserspace(ip, m, r, o)
		return
	}
	t.executeLinux(ip, m, r, o)
}

// invalid writes +inv into m.
func (m *Meta) setInvalid(zone uint16) {
	*m = Meta{State: Tracked | Invalid, Zone: zone}
}

// setBits applies exec(set mark/label) to a connection and the packet's copy.
func (r *Request) setBits(c *conn, m *Meta) {
	if r.MarkMask != 0 {
		c.mark = r.Mark&r.MarkMask | c.mark&^r.MarkMask
		m.Mark = c.mark
	}
	if r.LabelMask != (Label{}) {
		c.label.Hi = r.Label.Hi&r.LabelMask.Hi | c.label.Hi&^r.LabelMask.Hi
		c.label.Lo = r.Label.Lo&r.LabelMask.Lo | c.label.Lo&^r.LabelMask.Lo
		m.Label = c.label
	}
}

// rewrite turns the packet, which travels in direction dir of c, into what it
// looks like on the other side of the translation.
func (t *Table) rewrite(ip []byte, c *conn, dir int, sides nat.Sides, o *Outcome) {
	p := &t.pkt
	before := p.Tuple
	to := c.tuple[1-dir].Reverse()
	if nat.Rewrite(ip, p, &c.tuple[dir], &to, sides) {
		if !o.Rewritten {
			o.Before = before
		}
		o.Rewritten, o.After = true, p.Tuple
	}
}

// room makes sure that one more connection fits: expired ones go first.
func (t *Table) room() bool {
	if t.live >= t.opt.MaxConns {
		t.sweepDue(t.now, 64)
	}
	return t.live < t.opt.MaxConns
}

// zoneRoom is whether the zone's limit allows one more connection.
func (t *Table) zoneRoom(zone uint16) bool {
	limit, ok := t.opt.ZoneLimit[zone]
	if !ok || t.perZone[zone] < limit {
		return true
	}
	t.sweepDue(t.now, t.live)
	return t.perZone[zone] < limit
}

// pinned returns the reply tuple dictated from outside, if it is a possible one.
func (t *Table) pinned(r *Request, orig *nat.Tuple) (nat.Tuple, bool) {
	if r.Pin == nil || r.Pin.Proto != orig.Proto || r.Pin.V6 != orig.V6 || !t.giveFree(r.Pin) {
		return nat.Tuple{}, false
	}
	return *r.Pin, true
}

// giveFree reports whether a reply tuple is free. A connection that was picked up in the middle
// gives way: who dictates the tuple knows better what its packets belong to.
func (t *Table) giveFree(reply *nat.Tuple) bool {
	if !t.Taken(*reply) {
		return true
	}
	idx, _, ok := t.find(t.zone, reply)
	if !ok || t.pool.at(idx).status&pickedUp == 0 {
		return false
	}
	t.kill(idx)
	return true
}
