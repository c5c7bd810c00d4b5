package replay

import (
	"net/netip"
	"testing"

	"ovnreplay/sim/network"
)

// What logical flows say of addresses, told by their actions and not their text.
func TestFlowsSay(t *testing.T) {
	t.Parallel()
	const none = mac(0)
	for _, c := range []struct {
		match, actions string
		sends          mac    // 0: nothing
		on             string // the chassis that sends alone, "" every one
		inside         string // for which 192.0.2.1 stands
	}{
		{"ip4", "eth.src = 0a:00:00:00:00:09; next;", 0x0a0000000009, "", ""},
		{"ip4", "eth.src=0a:00:00:00:00:09; next;", 0x0a0000000009, "", ""},
		{"arp", "eth.dst = eth.src; eth.src = 0a:00:00:00:00:09; output;", 0x0a0000000009, "", ""},
		{"ip4", "icmp4 { eth.src = 0a:00:00:00:00:09; next; };", 0x0a0000000009, "", ""},
		{"ip4", "eth.src <-> eth.dst; next;", none, "", ""},
		{"ip4", "eth.src = eth.dst; eth.src = 0a:00:00:00:00:09; next;", none, "", ""},
		{`ip4 && is_chassis_resident("vm")`, "eth.src = 0a:00:00:00:00:09; next;", 0x0a0000000009, "one", ""},
		{`ip4 && !is_chassis_resident("vm")`, "eth.src = 0a:00:00:00:00:09; next;", 0x0a0000000009, "", ""},
		{`ip4 && (ip4.src == 10.0.0.1)`, "ct_snat(192.0.2.1);", none, "", "10.0.0.1"},
		{`ip4.src==10.0.0.1/32 && ip4`, "ct_snat_in_czone(192.0.2.1);", none, "", "10.0.0.1"},
		{`ip && ip4.src == 10.0.0.0/24`, "ct_snat(192.0.2.1);", none, "", ""},
		{`ip && ip4.src == {10.0.0.1, 10.0.0.2}`, "ct_snat(192.0.2.1);", none, "", ""},
		{`ip && ip4.src == 10.0.0.1`, "ct_snat(192.0.2.1,1000-2000);", none, "", ""},
		{`ip && ip4.src == 10.0.0.1`, "ct_dnat(192.0.2.1);", none, "", ""},
		{`ip && ip4.src == 10.0.0.1`, "ct_snat(192.0.2.1", none, "", ""}, // does not parse
	} {
		n := network.New()
		one := &network.Chassis{Name: "one"}
		n.AddChassis(one)
		d := &network.Datapath{Name: "sw", TunnelKey: 1}
		n.AddDatapath(d)
		n.AddPort(&network.Port{Name: "vm", Type: network.VIF, Datapath: d, TunnelKey: 1, Chassis: one})
		n.AddFlow(&network.Flow{Datapaths: []*network.Datapath{d}, Egress: true, Match: c.match, Actions: c.actions})
		n.Complete()
		o := NewOwners(n)
		var sends mac
		on := ""
		for m, s := range o.send {
			sends = m
			if len(s.named) == 1 {
				on = s.named[0].Name
			}
		}
		inside := ""
		if a, ok := o.floating[netip.MustParseAddr("192.0.2.1")]; ok {
			inside = a.String()
		}
		if sends != c.sends || on != c.on || inside != c.inside {
			t.Errorf("%s: %s: sends %012x on %q, stands for %q; want %012x on %q, %q", c.match, c.actions, sends, on,
				inside, c.sends, c.on, c.inside)
		}
	}
}
