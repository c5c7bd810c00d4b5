package lflow

import (
	"testing"

	"ovnreplay/sim/field"
)

func parsed(t *testing.T, match string) *Expr {
	t.Helper()
	env := Fixtures()
	e, err := ParseMatch(match, env)
	if err == nil {
		e, err = Annotate(e, env)
	}
	if err != nil {
		t.Fatal(match, err)
	}
	return Simplify(e)
}

func TestReadsAndCould(t *testing.T) {
	t.Parallel()
	const opening, established = 1<<5 | 1, 1<<5 | 2
	for _, c := range []struct {
		match              string
		reads              bool // something of the connection's state
		untracked, new, is bool // could match such packets
	}{
		{"1", false, true, true, true},
		{"0", false, false, false, false},
		{"ip4", false, true, true, true},
		{"ct.est", true, false, false, true},
		{"!ct.est", true, false, true, false},
		{"ct.new && !ct.est", true, false, true, false},
		{"!ct.new && ct.est && !ct.rpl && ct_mark.blocked == 0", true, false, false, true},
		{"(ct.new && !ct.est) || (!ct.new && ct.est && !ct.rpl && ct_mark.blocked == 1)", true, false, true, true},
		{"!ct.trk || !ct.est || (ct.est && ct_mark.blocked == 1)", true, true, true, true},
		{"ct.trk && ip4 && (tcp.dst == 80 || ct.inv)", true, false, true, true},
		{"ct_state == 0x21/0x21", true, false, true, false},
		{"(ip && ct.new) || 0", true, false, true, false},
		{`inport == "eth0" && ip4.dst == 10.0.0.1`, false, true, true, true},
	} {
		e := parsed(t, c.match)
		could := func(state uint64) bool { return e.Could(field.CTState, field.U64(state)) }
		if e.Reads(field.CTState) != c.reads || could(0) != c.untracked || could(opening) != c.new ||
			could(established) != c.is {
			t.Errorf("%s: reads %v, could match untracked %v, new %v, established %v; want %v, %v, %v, %v", c.match,
				e.Reads(field.CTState), could(0), could(opening), could(established), c.reads, c.untracked, c.new, c.is)
		}
	}
}

func TestWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		actions string
		id      field.ID
		writes  bool
	}{
		{`outport = "eth0"; next;`, field.Outport, true},
		{`next;`, field.Outport, false},
		{`outport <-> inport; output;`, field.Outport, true},
		{`outport <-> inport; output;`, field.Inport, true},
		{`outport = inport; output;`, field.Inport, false},
		{`icmp4 { eth.dst <-> eth.src; outport = inport; output; };`, field.Outport, true},
		{`arp { eth.dst = ff:ff:ff:ff:ff:ff; output; };`, field.EthDst, true},
		{`push(eth.dst); pop(eth.src); next;`, field.EthSrc, true},
		{`push(eth.dst); pop(eth.src); next;`, field.EthDst, false},
		{`reg0[5] = put_dhcp_opts(offerip = 1.2.3.4); next;`, field.XXReg0, true},
		{`reg8[0..15] = select(1, 2);`, field.XReg4, true},
		{`icmp4 { icmp4.frag_mtu = 1500; next; };`, field.XXReg0, false},
	} {
		actions, _, err := ParseActions(c.actions, Fixtures())
		if err != nil {
			t.Error(c.actions, err)
		} else if got := Writes(actions, c.id); got != c.writes {
			t.Errorf("%s: writes %v: %v", c.actions, c.id, got)
		}
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, word string
		uses       bool
	}{
		{"eth.src = eth.dst;", "eth.src", true}, {"eth.src=0a:00:00:00:00:01;", "eth.src", true},
		{"eth.src", "eth.src", true}, {"inner.eth.src = 1;", "eth.src", false}, {"eth.src2 = 1;", "eth.src", false},
		{"eth.src2 = eth.src;", "eth.src", true}, {"ct_snat(1.2.3.4);", "ct_snat", true},
		{"ct_snat_in_czone(1.2.3.4);", "ct_snat", false}, {"reg9[6] == 1", "reg9", true}, {"xreg9", "reg9", false},
		{"", "a", false},
	} {
		if Uses(c.text, c.word) != c.uses {
			t.Errorf("%q uses %s: %v", c.text, c.word, !c.uses)
		}
	}
}
