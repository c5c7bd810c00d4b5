package conntrack

import (
	"testing"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

var (
	look   = Request{Zone: 1}
	commit = Request{Zone: 1, Commit: true}
	unnat  = Request{Zone: 1, NAT: nat.Binding{Kind: nat.Apply}}
)

// do executes one ct action on an untracked packet and returns what it says.
func do(t *testing.T, ct *Table, now Time, ip []byte, r Request) (Meta, Outcome) {
	t.Helper()
	var m Meta
	o := ct.Execute(now*Second, ip, &m, &r)
	return m, o
}

func want(t *testing.T, what string, m Meta, flags string) {
	t.Helper()
	if got := m.State.flags(); got != flags || m.State&Tracked == 0 {
		t.Errorf("%s: ct_state %s, want %s", what, got, flags)
	}
}

// conversation is one of each protocol.
var conversation = []struct {
	name      string
	ask, tell func() []byte
}{
	{"udp", func() []byte { return udpPacket("10.0.0.1", 1000, "10.0.0.2", 53, "q") },
		func() []byte { return udpPacket("10.0.0.2", 53, "10.0.0.1", 1000, "a") }},
	{"icmp", func() []byte { return icmpPacket("10.0.0.1", "10.0.0.2", 8, 0, 7, nil) },
		func() []byte { return icmpPacket("10.0.0.2", "10.0.0.1", 0, 0, 7, nil) }},
	{"tcp", func() []byte { return tcpPacket("10.0.0.1", 1000, "10.0.0.2", 80, tcpSeg{flags: "S", seq: 100}) },
		func() []byte {
			return tcpPacket("10.0.0.2", 80, "10.0.0.1", 1000, tcpSeg{flags: "SA", seq: 500, ack: 101})
		}},
	{"udp6", func() []byte { return udpPacket("fd00::1", 1000, "fd00::2", 53, "q") },
		func() []byte { return udpPacket("fd00::2", 53, "fd00::1", 1000, "a") }},
	{"icmp6", func() []byte { return icmpPacket("fd00::1", "fd00::2", 128, 0, 7, nil) },
		func() []byte { return icmpPacket("fd00::2", "fd00::1", 129, 0, 7, nil) }},
}

func TestNewUntilCommittedAndAnswered(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		for _, c := range conversation {
			ct := NewTable(Options{Profile: p})
			m, _ := do(t, ct, 1, c.ask(), look)
			want(t, c.name+" first look", m, "new")
			m, _ = do(t, ct, 1, c.ask(), look)
			want(t, c.name+" not remembered", m, "new")
			if ct.Len(Second) != 0 {
				t.Fatal("remembered without commit")
			}
			m, o := do(t, ct, 1, c.ask(), commit)
			want(t, c.name+" committed", m, "new")
			if !o.Created {
				t.Error("not created")
			}
			m, _ = do(t, ct, 2, c.ask(), look)
			want(t, c.name+" unanswered", m, "new")
			m, _ = do(t, ct, 2, c.tell(), Request{Zone: 2})
			if m.State&(Established|Reply) != 0 {
				t.Errorf("%s: found in another zone", c.name)
			}
			m, _ = do(t, ct, 2, c.tell(), look)
			want(t, c.name+" reply", m, "est|rpl")
			if m.Orig != tuple(t, c.ask()) {
				t.Errorf("%s: original tuple %v", c.name, &m.Orig)
			}
			if c.name != "tcp" {
				m, _ = do(t, ct, 3, c.ask(), look)
				want(t, c.name+" answered", m, "est")
			}
		}
	})
}

func TestMarkAndLabel(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		ask, tell := conversation[0].ask(), conversation[0].tell()
		r := commit
		r.Mark, r.MarkMask = 0x0a, 0xff
		r.Label, r.LabelMask = Label{Hi: 1, Lo: 2}, Label{Hi: ^uint64(0), Lo: 3}
		m, _ := do(t, ct, 1, ask, r)
		if m.Mark != 0x0a || m.Label != (Label{1, 2}) {
			t.Errorf("at commit: %#x %v", m.Mark, m.Label)
		}
		m, _ = do(t, ct, 1, tell, look)
		if m.Mark != 0x0a || m.Label != (Label{1, 2}) {
			t.Errorf("reply: %#x %v", m.Mark, m.Label)
		}
		// Once more with other bits: the connection is there already.
		r = commit
		r.Mark, r.MarkMask = 0x100, 0x101
		ct.Execute(Second, ask, &m, &r)
		m, _ = do(t, ct, 2, ask, look)
		if m.Mark != 0x10a || m.Label != (Label{1, 2}) {
			t.Errorf("afterwards: %#x %v", m.Mark, m.Label)
		}
		m.Clear()
		if m != (Meta{}) {
			t.Errorf("cleared: %+v", m)
		}
	})
}

// nodePort: DNAT in one zone, forced SNAT in another, and the reply back through both.
func TestDNATThenSNATAndBack(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		for _, proto := range []string{"tcp", "udp"} {
			ct := NewTable(Options{Profile: p})
			pkt := func(src string, sport uint16, dst string, dport uint16, flags string) []byte {
				if proto == "udp" {
					return udpPacket(src, sport, dst, dport, "data")
				}
				return tcpPacket(src, sport, dst, dport, tcpSeg{flags: flags, seq: 100, ack: 101})
			}
			dnat := Request{Zone: 4, Commit: true, NAT: bind(nat.Dst, "10.244.1.3", 80), Mark: 10, MarkMask: 10}
			snat := Request{Zone: 0, Commit: true, NAT: bind(nat.Src, "100.64.0.3", 0)}
			ip := pkt("172.18.0.1", 47306, "172.18.0.4", 30007, "S")
			m, _ := do(t, ct, 1, ip, Request{Zone: 4, NAT: nat.Binding{Kind: nat.Apply}})
			want(t, "look-up", m, "new")
			o := ct.Execute(Second, ip, &m, &dnat)
			if !o.Rewritten || o.Drop != NoDrop {
				t.Fatalf("not translated: %+v", o)
			}
			if m.State&DNAT == 0 {
				t.Errorf("ct_state %s", m.State.flags())
			}
			if got := tuple(t, ip); got != tuple(t, pkt("172.18.0.1", 47306, "10.244.1.3", 80, "S")) {
				t.Fatalf("after DNAT: %v", &got)
			}
			goodSums(t, ip)
			ct.Execute(Second, ip, &m, &snat)
			if got := tuple(t, ip); got != tuple(t, pkt("100.64.0.3", 47306, "10.244.1.3", 80, "S")) {
				t.Fatalf("after SNAT: %v", &got)
			}
			goodSums(t, ip)

			back := pkt("10.244.1.3", 80, "100.64.0.3", 47306, "SA")
			m, o = do(t, ct, 2, back, Request{Zone: 0, NAT: nat.Binding{Kind: nat.Apply}})
			want(t, "un-SNAT", m, "est|rpl|dnat")
			if got := tuple(t, back); got != tuple(t, pkt("10.244.1.3", 80, "172.18.0.1", 47306, "SA")) {
				t.Fatalf("after un-SNAT: %v", &got)
			}
			ct.Execute(2*Second, back, &m, &Request{Zone: 4, NAT: nat.Binding{Kind: nat.Apply}})
			want(t, "un-DNAT", m, "est|rpl|snat")
			if got := tuple(t, back); got != tuple(t, pkt("172.18.0.4", 30007, "172.18.0.1", 47306, "SA")) {
				t.Fatalf("after un-DNAT: %v", &got)
			}
			goodSums(t, back)
			if m.Mark != 10 || m.Orig != tuple(t, pkt("172.18.0.1", 47306, "172.18.0.4", 30007, "S")) {
				t.Errorf("mark %d, original tuple %v", m.Mark, &m.Orig)
			}
			if o.Before != tuple(t, pkt("10.244.1.3", 80, "100.64.0.3", 47306, "SA")) ||
				o.After.Dst != ct.Entries(0)[1].Orig.Src {
				t.Errorf("before %v, after %v", &o.Before, &o.After)
			}
			es := ct.Entries(2 * Second)
			if len(es) != 2 || es[0].Zone != 4 ||
				es[0].Reply != tuple(t, pkt("10.244.1.3", 80, "172.18.0.1", 47306, "")) {
				t.Errorf("table: %+v", es)
			}
		}
	})
}

func TestUnNATOfNothing(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		ip := conversation[0].ask()
		m, o := do(t, ct, 1, ip, unnat)
		want(t, "nat without connection", m, "new")
		do(t, ct, 1, ip, commit)
		m, o = do(t, ct, 1, conversation[0].tell(), unnat)
		want(t, "nat of an un-NATed one", m, "est|rpl")
		if o.Rewritten {
			t.Error("rewritten")
		}
	})
}

// Two clients on one source port behind one address.
func TestSNATCollision(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		snat := Request{Zone: 1, Commit: true, NAT: bind(nat.Src, "1.1.1.1", 0)}
		for i, src := range []string{"10.0.0.1", "10.0.0.2"} {
			ip := udpPacket(src, 48001, "9.9.9.9", 53, "")
			_, o := do(t, ct, 1, ip, snat)
			if got := tuple(t, ip); int(got.SrcPort) != 48001+i || o.Drop != NoDrop {
				t.Errorf("client %d: %v", i, &got)
			}
			if guess := i == 1 && p == Linux; o.Guess != guess {
				t.Errorf("client %d: guess %v", i, o.Guess)
			}
		}
		pin := tuple(t, udpPacket("9.9.9.9", 53, "1.1.1.1", 50000, ""))
		snat.Pin = &pin
		ip := udpPacket("10.0.0.3", 48001, "9.9.9.9", 53, "")
		_, o := do(t, ct, 1, ip, snat)
		if got := tuple(t, ip); got.SrcPort != 50000 || o.Guess {
			t.Errorf("pinned: %v guess %v", &got, o.Guess)
		}
	})
}

// A colliding ICMP id: userspace passes the packet as it is, the kernel moves the id.
func TestSNATCollisionICMP(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		snat := Request{Zone: 1, Commit: true, NAT: bind(nat.Src, "1.1.1.1", 0)}
		do(t, ct, 1, icmpPacket("10.0.0.1", "9.9.9.9", 8, 0, 7, nil), snat)
		ip := icmpPacket("10.0.0.2", "9.9.9.9", 8, 0, 7, nil)
		m, o := do(t, ct, 1, ip, snat)
		got := tuple(t, ip)
		if p == OVSUserspace {
			want(t, "collision", m, "new")
			if o.Rewritten || o.Created || o.Uncommitted != DropPortsTaken || o.Drop != NoDrop ||
				got.SrcAddr().String() != "10.0.0.2" {
				t.Errorf("%v %+v", &got, o)
			}
			return
		}
		if got.SrcPort != 8 || !o.Guess || got.SrcAddr().String() != "1.1.1.1" {
			t.Errorf("%v %+v", &got, o)
		}
		goodSums(t, ip)
		back := icmpPacket("9.9.9.9", "1.1.1.1", 0, 0, 8, nil)
		do(t, ct, 1, back, unnat)
		if got := tuple(t, back); got.SrcPort != 7 || got.DstAddr().String() != "10.0.0.2" {
			t.Errorf("reply: %v", &got)
		}
		goodSums(t, back)
	})
}

// A SYN sent again is still new; userspace translates it at the look-up, the kernel does not.
func TestRetransmittedSYN(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		syn := func() []byte {
			return tcpPacket("172.18.0.1", 1000, "172.18.0.4", 30007, tcpSeg{flags: "S", seq: 100})
		}
		dnat := Request{Zone: 1, Commit: true, NAT: bind(nat.Dst, "10.244.1.3", 80)}
		ip := syn()
		m, _ := do(t, ct, 1, ip, unnat)
		ct.Execute(Second, ip, &m, &dnat)
		ip = syn()
		m, _ = do(t, ct, 2, ip, unnat)
		if p == OVSUserspace {
			want(t, "again", m, "new|dnat")
			if got := tuple(t, ip); got.DstPort != 80 {
				t.Errorf("again: %v", &got)
			}
			return
		}
		want(t, "again", m, "new")
		ct.Execute(2*Second, ip, &m, &dnat)
		if got := tuple(t, ip); got.DstPort != 80 || got.DstAddr().String() != "10.244.1.3" {
			t.Errorf("again, committed: %v", &got)
		}
		if ct.Len(2*Second) != 1 {
			t.Error("a second connection")
		}
	})
}

// An ICMP error about a translated connection comes back translated inside and outside.
func TestICMPErrorRelated(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		for _, v6 := range []bool{false, true} {
			client, out, server, router := "10.0.0.1", "1.1.1.1", "9.9.9.9", "5.5.5.5"
			typ := uint8(11)
			if v6 {
				client, out, server, router = "fd00::1", "2001:db8::1", "2001:db8::9", "2001:db8::5"
				typ = 3
			}
			ct := NewTable(Options{Profile: p})
			ip := udpPacket(client, 5000, server, 53, "query")
			do(t, ct, 1, ip, Request{Zone: 1, Commit: true, NAT: bind(nat.Src, out, 0)})
			err := icmpPacket(router, out, typ, 0, 0, ip)
			m, _ := do(t, ct, 1, err, unnat)
			want(t, "error", m, "rel|rpl|dnat")
			plain := icmpPacket(router, client, typ, 0, 0, udpPacket(client, 5000, server, 53, "query"))
			if string(err) != string(plain) {
				t.Errorf("error is\n%x, want\n%x", err, plain)
			}
			stray := icmpPacket(router, out, typ, 0, 0, udpPacket(out, 5001, server, 53, "query"))
			m, o := do(t, ct, 1, stray, unnat)
			want(t, "stray error", m, "inv")
			if o.Refusal != NoConnection {
				t.Errorf("refusal: %v", o.Refusal)
			}
		}
	})
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	bad := func(ip []byte, f func([]byte)) []byte { f(ip); return ip }
	for _, tt := range []struct {
		name string
		ip   []byte
		why  Refusal
	}{
		{"tcp checksum", bad(conversation[2].ask(), func(b []byte) { b[36] ^= 1 }), BadChecksum},
		{"ip checksum", bad(conversation[2].ask(), func(b []byte) { b[8]-- }), BadChecksum},
		{"udp length", bad(conversation[0].ask(), func(b []byte) { b[25] = 200 }), BadHeader},
		{"short tcp", ipPacket(header.ProtoTCP, "10.0.0.1", "10.0.0.2", make([]byte, 18)), BadHeader},
		{"no ip", []byte{0x45, 0, 0}, BadHeader},
		{"empty", nil, BadHeader},
		{"xmas", tcpPacket("10.0.0.1", 1, "10.0.0.2", 2, tcpSeg{flags: "SF"}), BadFlags},
		{"syn-ack out of nowhere", conversation[2].tell(), NotTrackable},
		{"echo reply out of nowhere", conversation[1].tell(), NotTrackable},
		{"neighbour solicitation", icmpPacket("fe80::1", "ff02::1", 135, 0, 0, make([]byte, 16)), NotForTracking},
	} {
		profiles(t, func(t *testing.T, p Profile) {
			ct := NewTable(Options{Profile: p})
			m, o := do(t, ct, 1, tt.ip, commit)
			want(t, tt.name, m, "inv")
			if o.Refusal != tt.why || ct.Len(0) != 0 {
				t.Errorf("%s: refused because %q, want %q", tt.name, o.Refusal, tt.why)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p           Profile
		lives, dead Time // seconds after an unanswered UDP packet
	}{{Linux, 29, 30}, {OVSUserspace, 59, 60}} {
		ct := NewTable(Options{Profile: tt.p})
		do(t, ct, 100, conversation[0].ask(), commit)
		if n := len(ct.Entries((100 + tt.lives) * Second)); n != 1 {
			t.Errorf("%d: gone too early", tt.p)
		}
		m, o := do(t, ct, 100+tt.dead, conversation[0].tell(), look)
		want(t, "late reply", m, "new")
		if o.Expired != (100+tt.dead)*Second {
			t.Errorf("expired at %d", o.Expired)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, p := range []Profile{Linux, OVSUserspace} {
		ct := NewTable(Options{Profile: p, MaxConns: 10, ZoneLimit: map[uint16]int{7: 2}})
		for i := range 4 {
			_, o := do(t, ct, 1, udpPacket("10.0.0.1", uint16(1000+i), "10.0.0.2", 53, ""),
				Request{Zone: 7, Commit: true})
			full := i >= 2
			if o.Created == full || p == Linux && (o.Drop == DropZoneLimit) != full || p == OVSUserspace &&
				(o.Uncommitted == DropZoneLimit) != full {
				t.Errorf("profile %d, connection %d: %+v", p, i, o)
			}
		}
		for i := range 100 {
			do(t, ct, 1, udpPacket("10.0.0.1", uint16(1000+i), "10.0.0.2", 53, ""), commit)
			if n := ct.Len(0); n > 10 {
				t.Fatalf("profile %d: %d connections", p, n)
			}
		}
	}
}

// The steady state: a look-up that finds its connection, with and without NAT.
func TestEstablishedAllocatesNothing(t *testing.T) {
	profiles(t, func(t *testing.T, p Profile) {
		for _, c := range conversation {
			ct := NewTable(Options{Profile: p})
			ask, tell := c.ask(), c.tell()
			do(t, ct, 1, c.ask(), Request{Zone: 1, Commit: true})
			do(t, ct, 1, c.ask(), Request{Zone: 2, Commit: true, NAT: bind(nat.Src, addrOf(t, ask), 0)})
			do(t, ct, 1, c.tell(), look)
			var m Meta
			n := testing.AllocsPerRun(100, func() {
				m.Clear()
				ct.Execute(2*Second, ask, &m, &unnat)
				m.Clear()
				ct.Execute(2*Second, tell, &m, &look)
				ct.Execute(2*Second, tell, &m, &unnat)
			})
			if n != 0 {
				t.Errorf("%s: %v allocations", c.name, n)
			}
		}
	})
}

func addrOf(t *testing.T, ip []byte) string {
	tup := tuple(t, ip)
	return tup.SrcAddr().String()
}
