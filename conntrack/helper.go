package conntrack

import (
	"bytes"
	"net/netip"
	"strconv"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Helpers announce the data connections of FTP (RFC 959, 2428) and TFTP (RFC
// 1350): an expectation makes the first packet of such a connection related
// to its control connection, from which it inherits mark and label.
//
// What real helpers do beyond that is not simulated: where the control
// connection is translated they rewrite the address in the payload, and move
// sequence numbers from then on. Outcome.Rewrites says when they would.

// expectation is a connection that a control connection has announced.
type expectation struct {
	zone   uint16
	key    nat.Tuple // of its first packet; the source port is not looked at
	master connRef
	parent nat.Tuple // the master's original tuple
	mark   uint32
	label  Label
	until  Time
	// OVSUserspace: how a translated data connection is translated.
	side nat.Sides
	addr [16]byte
}

type helperState struct {
	expects []expectation
	parents map[uint32]nat.Tuple // of connections that were expected
	met     expectation          // a copy of the one the packet under way meets
}

// The kernel forgets an expectation after this; userspace when its master goes.
const expectTime = 300 * Second

// maxExpects bounds what a hostile capture can pile up.
const maxExpects = 4096

// maxMessage is how far into an FTP message helpers look.
const maxMessage = 160

const (
	portFTP  = 21
	portTFTP = 69
)

// controlOf is the helper a packet is for by its ports.
func controlOf(t *nat.Tuple) Helper {
	switch {
	case t.Proto == header.ProtoTCP && (t.SrcPort == portFTP || t.DstPort == portFTP):
		return FTP
	case t.Proto == header.ProtoUDP && t.DstPort == portTFTP:
		return TFTP
	}
	return NoHelper
}

// watched is whether a connection's packets are looked into, so that userspace
// gives them the slow path every time.
func (t *Table) watched(idx uint32, c *conn) bool {
	return controlOf(&c.tuple[0]) != NoHelper || controlOf(&c.tuple[1]) == FTP
}

// userHelper is the helper a new connection keeps: the one asked for, unless
// its ports are for the other.
func (t *Table) userHelper(k *userCtx) Helper {
	if h := controlOf(&k.key); h != NoHelper && h != k.r.Helper {
		return NoHelper
	}
	return k.r.Helper
}

// expectation finds the one that a new connection's first packet meets.
func (t *Table) expectation(key *nat.Tuple) *expectation {
	for i := range t.helpers.expects {
		e := &t.helpers.expects[i]
		want := *key
		want.SrcPort = 0
		if e.zone == t.zone && e.key == want && e.until > t.now && t.get(e.master) != nil {
			t.helpers.met = *e
			return &t.helpers.met
		}
	}
	return nil
}

// inherit gives a new connection what it has from its master.
func (t *Table) inherit(idx uint32, e *expectation) {
	c := t.pool.at(idx)
	c.status |= expected
	c.mark, c.label, c.helper = e.mark, e.label, NoHelper
}

// linkMaster remembers whose a confirmed connection is. The kernel's
// expectations are good for one connection.
func (t *Table) linkMaster(idx uint32, e *expectation) {
	t.adopt(idx, e.parent)
	for i := range t.helpers.expects {
		if old := &t.helpers.expects[i]; t.opt.Profile == Linux && old.master == e.master && old.key == e.key {
			old.until = 0
		}
	}
}

func (t *Table) adopt(idx uint32, parent nat.Tuple) {
	if t.helpers.parents == nil {
		t.helpers.parents = map[uint32]nat.Tuple{}
	}
	t.helpers.parents[idx] = parent
}

// origOf is the original tuple a packet of the connection shows: its master's, if it has one.
func (t *Table) origOf(idx uint32, c *conn) *nat.Tuple {
	if c.status&expected != 0 {
		if p, ok := t.helpers.parents[idx]; ok {
			return &p
		}
	}
	return &c.tuple[0]
}

// forgetHelper drops what is known of a connection that goes.
func (t *Table) forgetHelper(idx uint32) {
	delete(t.helpers.parents, idx)
	kept := t.helpers.expects[:0]
	for _, e := range t.helpers.expects {
		if e.master.idx != idx {
			kept = append(kept, e)
		}
	}
	t.helpers.expects = kept
}

// showExpected makes a packet that is expected but not committed show its master.
func (m *Meta) showExpected(e *expectation) {
	m.Mark, m.Label, m.Orig = e.mark, e.label, e.parent
}

// bindUserspace translates a data connection as its control connection was.
func (e *expectation) bindUserspace(c *conn) {
	c.natSide = e.side
	if e.side == nat.Source {
		c.tuple[1].Dst = e.addr
	} else {
		c.tuple[1].Src = e.addr
	}
}

// bindLinux is nf_nat_follow_master for one side.
func (e *expectation) bindLinux(c *conn, side nat.Sides, bit status) {
	before := c.tuple[1]
	if e.side == side {
		if side == nat.Source {
			c.tuple[1].Dst = e.addr
		} else {
			c.tuple[1].Src = e.addr
		}
	}
	if c.tuple[1] != before {
		c.status |= bit
	}
}

// watchControl looks into a packet of a connection with a helper.
func (t *Table) watchControl(ip []byte, idx uint32, reply bool, o *Outcome) {
	c, p := t.pool.at(idx), &t.pkt
	if c.helper == NoHelper || p.IsError || p.Fragment {
		return
	}
	switch {
	case c.helper == TFTP && p.Tuple.Proto == header.ProtoUDP:
		t.watchTFTP(ip, idx, reply)
	case c.helper == FTP && p.Tuple.Proto == header.ProtoTCP && c.status&seenReply == 0 && t.opt.Profile == Linux:
	case c.helper == FTP && p.Tuple.Proto == header.ProtoTCP:
		l4 := ip[p.L4:p.End]
		header := int(l4[12]>>4) * 4
		if header > len(l4) {
			return
		}
		msg := make([]byte, min(len(l4)-header, maxMessage)) // a copy: packets must not escape
		copy(msg, l4[header:])
		addr, port, ok := ftpData(msg, reply, p.Tuple.V6)
		if !ok {
			return
		}
		if c.tuple[0].Reverse() != c.tuple[1] {
			o.Rewrites = true
		}
		t.expectFTP(idx, reply, addr, port)
	}
}

// watchTFTP expects the server's answer from another port than 69.
func (t *Table) watchTFTP(ip []byte, idx uint32, reply bool) {
	c, p := t.pool.at(idx), &t.pkt
	payload := ip[min(p.L4+8, p.End):p.End]
	if reply || len(payload) < 2 || payload[0] != 0 || payload[1] < 1 || payload[1] > 3 {
		return
	}
	e := t.newExpectation(idx, false)
	e.key.DstPort = c.tuple[1].DstPort
	t.expect(e)
}

// expectFTP expects a connection to the port one end has named. An address
// that is not that end's own is not believed.
func (t *Table) expectFTP(idx uint32, reply bool, addr netip.Addr, port uint16) {
	c := t.pool.at(idx)
	if own := c.tuple[b2i(reply)].SrcAddr(); addr.IsValid() && addr != own && addr != t.pkt.Tuple.SrcAddr() {
		return
	}
	e := t.newExpectation(idx, reply)
	e.key.DstPort = port
	t.expect(e)
}

// newExpectation expects a connection to the end that sent the packet: in
// reply direction to the server, else to the client.
func (t *Table) newExpectation(idx uint32, reply bool) expectation {
	c := t.pool.at(idx)
	e := expectation{zone: c.zone, master: t.pool.ref(idx), parent: c.tuple[0], mark: c.mark, label: c.label,
		until: t.now + expectTime}
	if t.opt.Profile == OVSUserspace {
		e.until = 1<<63 - 1
	}
	// The data connection goes the way packets to that end arrive.
	e.key = c.tuple[1]
	e.side, e.addr = nat.Destination, c.tuple[0].Src
	if reply {
		e.key = c.tuple[0]
		e.side, e.addr = nat.Source, c.tuple[1].Dst
	}
	e.key.SrcPort = 0
	return e
}

// expect adds an expectation in place of its master's older one.
func (t *Table) expect(e expectation) {
	for i := range t.helpers.expects {
		if old := &t.helpers.expects[i]; old.master == e.master || old.key == e.key && old.zone == e.zone {
			*old = e
			return
		}
	}
	if len(t.helpers.expects) < maxExpects {
		t.helpers.expects = append(t.helpers.expects, e)
	}
}

// ftpData finds the address and port an FTP message announces: PORT and EPRT
// from a client, 227 and 229 from a server. EPSV names no address.
func ftpData(b []byte, reply, v6 bool) (addr netip.Addr, port uint16, ok bool) {
	verb, rest := b[:min(4, len(b))], b[min(4, len(b)):]
	if end := bytes.IndexAny(rest, "\r\n"); end >= 0 && end < 128 {
		rest = rest[:end]
	} else {
		return addr, 0, false
	}
	switch v := string(bytes.ToUpper(verb)); {
	case !reply && v == "PORT" && !v6:
		return ftpNumbers(rest)
	case reply && v == "227 " && !v6:
		at := bytes.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' })
		return ftpNumbers(rest[max(at, 0):])
	case !reply && v == "EPRT":
		return ftpExtended(rest, true)
	case reply && v == "229 ":
		return ftpExtended(rest[max(bytes.IndexByte(rest, '('), 0):], false)
	}
	return addr, 0, false
}

// ftpNumbers reads h1,h2,h3,h4,p1,p2.
func ftpNumbers(b []byte) (addr netip.Addr, port uint16, ok bool) {
	b = bytes.TrimLeft(b, " ")
	if end := bytes.IndexAny(b, "). "); end >= 0 {
		b = b[:end]
	}
	var n [6]byte
	parts := bytes.Split(b, []byte{','})
	if len(parts) != 6 {
		return addr, 0, false
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(string(p), 10, 8)
		if err != nil {
			return addr, 0, false
		}
		n[i] = byte(v)
	}
	return netip.AddrFrom4([4]byte(n[:4])), uint16(n[4])<<8 | uint16(n[5]), n[4] != 0 || n[5] != 0
}

// ftpExtended reads |family|address|port|, any character being the delimiter.
func ftpExtended(b []byte, named bool) (addr netip.Addr, port uint16, ok bool) {
	b = bytes.TrimLeft(b, " (")
	if len(b) < 4 {
		return addr, 0, false
	}
	parts := bytes.Split(b[1:], b[:1])
	if len(parts) < 3 {
		return addr, 0, false
	}
	p, err := strconv.ParseUint(string(parts[2]), 10, 16)
	if err != nil || p == 0 {
		return addr, 0, false
	}
	if named {
		if addr, err = netip.ParseAddr(string(parts[1])); err != nil {
			return addr, 0, false
		}
	}
	return addr, uint16(p), true
}
