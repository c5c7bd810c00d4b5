package why

import (
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// way makes the outcome of a packet that met flows in order, the last of which
// ended it.
func way(flows ...*network.Flow) (*Explainer, *sim.Outcome) {
	d := &network.Datapath{Name: "sw"}
	for i, f := range flows {
		f.Index, f.Priority, f.UUID = i, 10, "flow-"+f.Stage
	}
	net := &network.Network{AZ: &network.AZ{}, Datapaths: []*network.Datapath{d}, Flows: flows,
		Chassis: []*network.Chassis{{Name: "c1"}}}
	x := &Explainer{Book: &trace.Book{Net: net, Zone: func(int32, uint16) string { return "" }}}
	out := &sim.Outcome{Verdict: sim.Dropped, Drop: trace.DropAction, DropAt: len(flows) + 1}
	out.Trace.Add(trace.Event{Kind: trace.Enter, Flow: -1})
	for i := range flows {
		out.Trace.Add(trace.Event{Kind: trace.Match, Flow: int32(i), Table: uint8(i)})
	}
	out.Trace.Add(trace.Event{Kind: trace.Drop, Flow: int32(len(flows) - 1), Reason: trace.DropAction})
	return x, out
}

func flow(stage, match, actions string) *network.Flow {
	return &network.Flow{Stage: stage, Match: match, Actions: actions}
}

// The flow to blame is the one that set what the dropping flow tests; a flow
// that tests the packet itself is to blame itself.
func TestBlame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flows []*network.Flow
		want  string // the stage of the flow named
	}{
		"an ACL's verdict, since OVN 23.06": {[]*network.Flow{
			flow("ls_in_acl_eval", "ip4.src == 10.0.0.0/8", "reg8[17] = 1; next;"),
			flow("ls_in_acl_action", "reg8[17] == 1", "reg8[16] = 0; reg8[17] = 0; reg8[18] = 0;"),
		}, "ls_in_acl_eval"},
		"a verdict of another bit": {[]*network.Flow{
			flow("ls_in_acl_eval", "ip4", "reg8[16] = 1; next;"),
			flow("ls_in_acl_action", "reg8[17] == 1", "drop;"),
		}, "ls_in_acl_action"},
		"the last of two, and not what takes it back": {[]*network.Flow{
			flow("ls_in_acl_after_lb_eval", "1", "reg8[17] = 1; next;"),
			flow("ls_in_acl_eval", "ip4", "reg8[17] = 1; next;"),
			flow("ls_in_other", "1", "reg8[17] = 0; next;"),
			flow("ls_in_acl_action", "reg8[17] == 1", "drop;"),
		}, "ls_in_acl_eval"},
		"port security": {[]*network.Flow{
			flow("ls_in_check_port_sec", "1", "reg0[15] = check_in_port_sec(); next;"),
			flow("ls_in_apply_port_sec", "reg0[15] == 1", "drop;"),
		}, "ls_in_check_port_sec"},
		"nobody has the address": {[]*network.Flow{
			flow("ls_in_l2_lkup", "1", "outport = get_fdb(eth.dst); next;"),
			flow("ls_in_l2_unknown", `outport == "none"`, "drop;"),
		}, "ls_in_l2_lkup"},
		"before OVN 23.06 the ACL drops itself": {[]*network.Flow{
			flow("ls_out_acl_hint", "ct.new && !ct.est", "reg0[7] = 1; reg0[9] = 1; next;"),
			flow("ls_out_acl", "reg0[9] == 1 && ip4", "drop;"),
		}, "ls_out_acl"},
	} {
		x, out := way(c.flows...)
		list := x.Decide(out)
		if len(list) != 1 || list[0].Flow == nil || list[0].Stage != c.want {
			t.Errorf("%s: %+v", name, list)
			continue
		}
		if !strings.Contains(list[0].Text, "of "+c.want+" of sw") {
			t.Errorf("%s: %s", name, list[0].Text)
		}
	}
}

// An ACL of a switch that looks nothing up says so.
func TestUnasked(t *testing.T) {
	t.Parallel()
	x, out := way(flow("ls_out_acl", "ip4", "drop;"))
	x.Conntrack = func(*network.Chassis) *conntrack.Table { return nil }
	if got := x.Decide(out)[0].Text; !strings.HasSuffix(got, "conntrack was never asked on sw: it has no "+
		"stateful ACL") {
		t.Error(got)
	}
	stateful := flow("ls_out_pre_acl", "ip", "reg0[0] = 1; next;")
	stateful.Priority = 100
	x, out = way(flow("ls_out_acl", "ip4", "drop;"))
	x.Book.Net.Datapaths[0].Flows[1] = [][]*network.Flow{{stateful}}
	if got := x.Decide(out)[0].Text; !strings.HasSuffix(got, "conntrack was not asked on sw") {
		t.Error(got)
	}
}

// What said no is told in words, by what the flow that decided is for.
func TestDenials(t *testing.T) {
	for name, c := range map[string]struct {
		flow *network.Flow
		want string
	}{
		"an ACL's name in its log": {flow("ls_in_acl", "ip4", `log(name="no-smtp", verdict=drop, severity=info);`),
			`by ACL "no-smtp", flow`},
		"no route": {flow("lr_in_ip_routing", "1", "drop;"), "sw has no route: flow"},
		"its own":  {flow("lr_in_arp_resolve", "ip4.dst == {10.0.0.1}", "drop;"), "the address is the router's own"},
		"no backend": {flow("ls_in_lb", "ip4.dst == 10.0.0.9 && tcp.dst == 80", "drop;"),
			"no backend: load balancer flow"},
		"no next hop":    {flow("lr_in_arp_resolve", "1", "drop;"), "no next hop: flow"},
		"port security":  {flow("ls_in_port_sec_l2", "1", "drop;"), "by port security: flow"},
		"a stray frame":  {flow("lr_in_admission", "vlan.present", "drop;"), "this router port takes no such"},
		"refused":        {flow("ls_out_acl", "ct.inv", "drop;"), "conntrack refused it: flow"},
		"a router's own": {flow("lr_in_ip_input", "ip4.mcast", "drop;"), "the router itself takes no such"},
	} {
		x, out := way(c.flow)
		if c.flow.Stage == "lr_in_ip_routing" {
			c.flow.Priority = 0
		}
		if list := x.Decide(out); len(list) != 1 || !strings.HasPrefix(list[0].Text, c.want) {
			t.Errorf("%s: %+v, want %s", name, list, c.want)
		}
	}
}

// A flow that drops what another does where a port is resident leads there.
func TestElsewhere(t *testing.T) {
	here := flow("lr_in_ip_input", "arp.op == 1 && arp.tpa == 10.0.0.1", "drop;")
	x, out := way(here)
	gateway := flow("lr_in_ip_input", `arp.op == 1 && arp.tpa == 10.0.0.1 && is_chassis_resident("cr")`, "next;")
	gateway.Priority = here.Priority + 1
	d := x.Book.Net.Datapaths[0]
	d.Flows[0] = [][]*network.Flow{{gateway, here}}
	if list := x.Decide(out); len(list) != 1 || !strings.HasSuffix(list[0].Text,
		"; it is for the chassis of cr, which is on none") {
		t.Errorf("%+v", list)
	}
	gateway.Match = `arp.op == 1 && arp.tpa == 10.0.0.2 && is_chassis_resident("cr")`
	if list := x.Decide(out); strings.Contains(list[0].Text, "it is for") {
		t.Errorf("another address: %+v", list)
	}
}
