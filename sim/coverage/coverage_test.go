package coverage

import (
	"strings"
	"testing"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// An ACL whose flows are several counts once, with the sum of them; what nothing
// met is listed when it is asked for.
func TestRows(t *testing.T) {
	t.Parallel()
	zone := &network.AZ{PortGroups: map[string][]string{"pg": {"vm1"}, "pg2": {"vm2"}}}
	d := &network.Datapath{Name: "sw", AZ: zone}
	p := &network.Port{Index: 1, Name: "vm1", Datapath: d}
	acl := func(hint, match string) *network.Flow {
		return &network.Flow{UUID: hint + match, Stage: "ls_in_acl", Match: match, Priority: 2001, StageHint: hint,
			Datapaths: []*network.Datapath{d}}
	}
	net := &network.Network{
		Datapaths: []*network.Datapath{d}, Ports: []*network.Port{nil, p},
		AZ: zone, AZs: []*network.AZ{zone},
		Flows: []*network.Flow{
			acl("aaaaaaaa", `reg0[7] == 1 && inport == "vm1"`), acl("aaaaaaaa", `reg0[8] == 1 && inport == "vm1"`),
			acl("bbbbbbbb", "inport == @pg2"), acl("cccccccc", "inport == @pg && tcp"), acl("", "ct.est"),
		},
	}
	c := New(&why.Explainer{Book: &trace.Book{Net: net}})
	enter := func(c *Coverage, port uint32, met ...int32) {
		var out sim.Outcome
		out.Trace.Add(trace.Event{Kind: trace.Enter, Port: port, Flow: -1})
		for _, f := range met {
			out.Trace.Add(trace.Event{Kind: trace.Match, Flow: f})
		}
		c.Entered(nil, nil, &out)
	}
	for _, met := range [][]int32{{0, 4}, {1, 1}, {2}} {
		enter(c, 1, met...)
	}
	told := func(o Options) string {
		var b strings.Builder
		for _, r := range c.Rows(o) {
			b.WriteString(r.Name + " " + string(rune('0'+r.Packets)) + "\n")
		}
		return b.String()
	}
	if got, want := told(Options{}),
		"priority 2001: reg0[7] == 1 && inport == \"vm1\" 2\npriority 2001: inport == @pg2 1\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	want := "priority 2001: reg0[7] == 1 && inport == \"vm1\" 2\npriority 2001: inport == @pg && tcp 0\n"
	c = New(c.why)
	c.Port = p
	enter(c, 1, 0, 1) // two flows of one row, by one packet
	enter(c, 2, 0)    // of another port
	enter(c, 1, 1)
	if got := told(Options{Untouched: true}); got != want {
		t.Errorf("of the port: got\n%swant\n%s", got, want)
	}
}
