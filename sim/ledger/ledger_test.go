package ledger

import (
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

func TestParseQuestion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.1": "10.0.0.1 0", "10.0.0.1:80": "10.0.0.1 80", "fd00::1": "fd00::1 0", "[fd00::1]": "fd00::1 0",
		"[fd00::1]:80": "fd00::1 80",
		"10.0.0":       "", "host:80": "", "": "",
	} {
		q, err := ParseQuestion(text, "")
		got := ""
		if err == nil {
			got = q.Addr.String() + " " + itoa(q.Port)
		}
		if got != want {
			t.Errorf("%q: %q, want %q (%v)", text, got, want, err)
		}
	}
}

func itoa(n uint16) string {
	if n == 0 {
		return "0"
	}
	s := ""
	for ; n > 0; n /= 10 {
		s = string(rune('0'+n%10)) + s
	}
	return s
}

func TestMoment(t *testing.T) {
	t.Parallel()
	c := &Conn{First: 1795320000 * conntrack.Second} // 2026-11-22T04:00:00Z
	for at, want := range map[string]conntrack.Time{
		"": 0, "04:00:01": c.First + conntrack.Second, "2026-11-22T04:00:02Z": c.First + 2*conntrack.Second, "noon": -1,
	} {
		q := Question{At: at}
		got, err := q.moment(c)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("@%s: %d, want %d (%v)", at, got, want, err)
		}
	}
}

func TestCutConn(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]struct {
		rest string
		n    int
		bad  bool
	}{
		"ip4": {"ip4", 0, false}, "conn == 7": {"", 7, false}, "conn==7 && ip4": {"ip4", 7, false},
		"ip4 || ip6 && conn == 12": {"ip4 || ip6", 12, false},
		"conn || ip4":              {"", 0, true}, "conn == 0": {"", 0, true}, "!(conn == 7)": {"", 0, true},
		"": {"", 0, false},
	} {
		rest, n, err := CutConn(expr)
		if rest != want.rest || n != want.n || err != nil != want.bad {
			t.Errorf("%q: %q %d %v", expr, rest, n, err)
		}
	}
}

func TestIsFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"b.pcap": true, "a/b.pcap": true, "b.pcap.gz": true, "a/b.pcap.gz": true,
		"pcap": false, "x/b.pcap": false} {
		if isFile("a/b.pcap.gz", name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// A connection that is given two members of one group flaps: not one whose answers, a packet's second
// turn at the group or an error about it choose another.
func TestFlapping(t *testing.T) {
	t.Parallel()
	c := &Conn{Asked: nat.Tuple{Proto: header.ProtoTCP}}
	there := turn(&note{}, 0)
	for _, m := range []string{"a", "a", "b"} {
		c.chose("vip", m, "", there)
	}
	c.chose("route", "x", "", there)
	c.chose("route", "y", "", turn(&note{reply: true}, 0))
	c.chose("route", "z", "", turn(&note{}, 1))
	c.chose("route", "w", "", turn(&note{about: true}, 0))
	if got := c.Flapping(); len(got) != 1 || got[0] != "vip" {
		t.Errorf("%v", got)
	}
	if len(c.Members) != 6 || c.Members[0].Times != 2 {
		t.Errorf("%v", c.Members)
	}
	c.chose("route", "y", "", there)
	if got := c.Flapping(); len(got) != 2 {
		t.Errorf("after another: %v", got)
	}
}

// Shares hold what was seen beside what is configured, name who was given
// nothing, and the connections that flap.
func TestShares(t *testing.T) {
	t.Parallel()
	l := New(&why.Explainer{Book: &trace.Book{Net: &network.Network{}}}, nil)
	l.groups["r1 ip4"] = &why.Group{Members: []why.GroupMember{{Hop: "192.0.2.1", Weight: 10},
		{Hop: "192.0.2.2", Weight: 30}, {Hop: "192.0.2.3", Weight: 60}}}
	for i := range 4 {
		c := &Conn{ID: i + 1}
		c.chose("r1 ip4", "192.0.2.2", "f", 1)
		l.Conns = append(l.Conns, c)
	}
	l.Conns[2].chose("r1 ip4", "192.0.2.1", "f", 1)
	const want = "members of r1 ip4: 192.0.2.2 4 (80%) of weight 30 (30%), 192.0.2.1 1 (20%) of weight 10 (10%), " +
		"192.0.2.3 none of weight 60 (60%); conn 3 flaps"
	if got := l.Shares()[0].String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
