package openflow_test

import (
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/openflow"
)

const dump = `NXST_FLOW reply (xid=0x4): flags=[more]
 cookie=0x8eb0872, duration=1.041s, table=9, n_packets=0, n_bytes=0, idle_age=1, priority=0,metadata=0x4 actions=load:0x1->OXM_OF_PKT_REG4[2],resubmit(,10)
NXST_FLOW reply (xid=0x4):
 cookie=0x8eb0872, duration=1.041s, table=9, n_packets=0, n_bytes=0, priority=0,metadata=0x5 actions=mod_dl_src:0a:58:64:40:00:03,mod_dl_dst:0a:58:64:40:00:01,load:0x2->NXM_NX_REG15[],drop
 cookie=0x153dd539, table=8 actions=load:0x242ac120004->NXM_NX_XXREG0[64..111],load:0->NXM_NX_REG10[12],load:0xa000001->NXM_OF_IP_DST[],load:0x50->NXM_OF_TCP_DST[]
 cookie=0x153dd540, table=8 actions=learn(table=69,priority=100,load:0x1->NXM_NX_REG10[7]),load:0x1->NXM_NX_REG10[7],load:0x1->NXM_NX_UNKNOWN[],load:what->NXM_NX_REG1[],load:1->NXM_NX_REG1[40]
 cookie=0x0, table=0 actions=drop
`

func TestDump(t *testing.T) {
	t.Parallel()
	d, err := openflow.Read(strings.NewReader(dump), "dump")
	if err != nil {
		t.Fatal(err)
	}
	for uuid, want := range map[string][]string{
		"08eb0872-1111-2222-3333-444455556666": {
			"cookie=0x8eb0872, duration=1.041s, table=9, n_packets=0, n_bytes=0, idle_age=1, priority=0,metadata=0x4 " +
				"actions=set_field:0x4/0x4->xreg4,resubmit(,10)",
			"cookie=0x8eb0872, duration=1.041s, table=9, n_packets=0, n_bytes=0, priority=0,metadata=0x5 " +
				"actions=set_field:0a:58:64:40:00:03->eth_src,set_field:0a:58:64:40:00:01->eth_dst," +
				"set_field:0x2->reg15,drop",
		},
		"153dd539": {
			"cookie=0x153dd539, table=8 " +
				"actions=set_field:0x242ac1200040000000000000000/0xffffffffffff0000000000000000->xxreg0," +
				"set_field:0/0x1000->reg10,set_field:10.0.0.1->ip_dst,set_field:80->tcp_dst",
		},
		"153dd540": { // what is unknown, and what learn holds, stays as it is
			"cookie=0x153dd540, table=8 " +
				"actions=learn(table=69,priority=100,load:0x1->NXM_NX_REG10[7]),set_field:0x80/0x80->reg10," +
				"load:0x1->NXM_NX_UNKNOWN[],load:what->NXM_NX_REG1[],load:1->NXM_NX_REG1[40]",
		},
		"ffffffff": nil,
		"not hex!": nil,
	} {
		if got := d.Of(uuid); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", uuid, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if n := d.Len(); n != 5 {
		t.Errorf("%d flows, want 5", n)
	}
}

func TestBadDump(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "f: no OpenFlow flows; give the output of ovs-ofctl dump-flows",
		"table=0 actions=drop":        "f: no OpenFlow flows; give the output of ovs-ofctl dump-flows",
		"\ncookie=0xzz, actions=drop": `f: line 2: cookie "0xzz" is no number`,
	} {
		if _, err := openflow.Read(strings.NewReader(text), "f"); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(dump)
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := openflow.Read(strings.NewReader(text), "f"); err == nil && d.Len() == 0 {
			t.Error("neither flows nor an error")
		}
	})
}

// A dump is a part of a bridge's flows if a line is cut, at its end or its beginning, more was
// announced, or nothing is in the table that packets come from, or in the one they leave by.
func TestPart(t *testing.T) {
	t.Parallel()
	const only = " cookie=0x1, table=65, priority=100,reg15=0x1 actions=output:1\n"
	const last = " cookie=0x0, table=0, priority=0 actions=drop\n" + only
	for text, want := range map[string]string{
		dump + last:                  "",
		last:                         "",
		only:                         "it has no flows of table 0, in which every bridge of OVN has some",
		"0x1, actions=drop\n" + last: "line 1 is cut short",
		dump:                         "it has no flows of table 65, in which every bridge of OVN has some",
		"NXST_FLOW reply (xid=0x4): flags=[more]\n" + last: "its last heading says that more follows",
		last + " cookie=0x2, table=65, prio":               "line 3 is cut short",
		last + " cookie=0x2":                               "line 3 is cut short",
		last + " cookie=0x2, table=8 actions=resubmit(,":   "line 3 is cut short",
	} {
		d, err := openflow.Read(strings.NewReader(text), "f")
		if err != nil || d.Part != want {
			t.Errorf("%q: %+v, %v, want %q", text, d, err, want)
		}
	}
}
