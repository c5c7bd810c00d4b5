package southbound_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// build makes a network of rows, in the JSON of database files, under the
// schema of a recorded database whose path has the given part. A short UUID
// such as @d1@ stands for a whole one.
func build(t *testing.T, schemaOf, rows string) *network.Network {
	t.Helper()
	i := slices.IndexFunc(cases(t), func(path string) bool {
		return strings.Contains(path, schemaOf) &&
			strings.HasSuffix(path, ".db")
	})
	if i < 0 {
		t.Fatalf("no recorded database of %s", schemaOf)
	}
	text, err := os.ReadFile(cases(t)[i])
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.Index(text[1:], []byte("\nOVSDB ")) + 2
	path := filepath.Join(t.TempDir(), "sb.db")
	if err := os.WriteFile(path, append(text[:second:second], record(expand(rows))...), 0o600); err != nil {
		t.Fatal(err)
	}
	db, n := load(t, path)
	if len(db.Warnings) != 0 {
		t.Fatalf("the test's rows: %v", db.Warnings)
	}
	return n
}

func record(body string) string {
	return fmt.Sprintf("OVSDB JSON %d %x\n%s\n", len(body)+1, sha1.Sum([]byte(body+"\n")), body)
}

// uuid is the whole form of a short UUID.
func uuid(short string) string {
	return fmt.Sprintf("00000000-0000-0000-0000-%012x", []byte(fmt.Sprintf("%6s", short)))
}

func expand(rows string) string {
	parts := strings.Split(rows, "@")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = uuid(parts[i])
	}
	return strings.Join(parts, "")
}

const town = `{
"Chassis":{"@c1@":{"name":"one","encaps":["uuid","@e1@"],"other_config":["map",[["x","y"]]]},"@c2@":{"name":"two",
	"encaps":["set",[["uuid","@e2@"],["uuid","@e3@"]]],"external_ids":["map",[["old","style"]]]},
		"@c3@":{"name":"three"}},
"Encap":{"@e1@":{"type":"geneve","ip":"10.0.0.1"},"@e2@":{"type":"vxlan","ip":"10.0.0.2"},"@e3@":{"type":"geneve",
	"ip":"10.0.0.2"}},
"Datapath_Binding":{
 "@sw@":{"tunnel_key":2,"external_ids":["map",[["logical-switch","@nb@"],["name","sw"],["name2","switch"]]]},
 "@ro@":{"tunnel_key":1,"external_ids":["map",[["logical-router","@nc@"],["name","ro"],["snat-ct-zone","0"]]]},
 "@xx@":{"tunnel_key":3,"external_ids":["map",[["logical-router","@nd@"],["snat-ct-zone","much"]]]}},
"Logical_DP_Group":{"@g1@":{"datapaths":["set",[["uuid","@sw@"],["uuid","@ro@"]]]},
	"@g2@":{"datapaths":["uuid","@xx@"]}},
"HA_Chassis_Group":{"@h1@":{"name":"h","ha_chassis":["set",[["uuid","@m1@"],["uuid","@m2@"],["uuid","@m3@"]]]}},
"HA_Chassis":{"@m1@":{"chassis":["uuid","@c1@"],"priority":10},"@m2@":{"chassis":["uuid","@c2@"],"priority":30},
	"@m3@":{"priority":40}},
"Gateway_Chassis":{"@w1@":{"chassis":["uuid","@c3@"],"priority":5}},
"Port_Binding":{
 "@p1@":{"logical_port":"vm","datapath":["uuid","@sw@"],"tunnel_key":3,"chassis":["uuid","@c1@"],
	"additional_chassis":["uuid","@c3@"],"mac":["set",["00:00:00:00:00:01 10.1.0.1 fd00::1/64","unknown"]],"up":false,
		"external_ids":["map",[["name","pretty"]]]},
 "@p2@":{"logical_port":"sw-ro","type":"patch","datapath":["uuid","@sw@"],"tunnel_key":1,"mac":"router",
	"options":["map",[["peer","ro-sw"]]]},
 "@p3@":{"logical_port":"ro-sw","type":"patch","datapath":["uuid","@ro@"],"tunnel_key":1,
	"mac":"00:00:00:00:00:02 10.1.0.254/24","options":["map",[["peer","sw-ro"]]]},
 "@p4@":{"logical_port":"cr-ro-sw","type":"chassisredirect","datapath":["uuid","@ro@"],"tunnel_key":2,
	"ha_chassis_group":["uuid","@h1@"],"options":["map",[["distributed-port","ro-sw"]]]},
 "@p5@":{"logical_port":"cr-old","type":"chassisredirect","datapath":["uuid","@ro@"],"tunnel_key":3,
	"gateway_chassis":["uuid","@w1@"],"chassis":["uuid","@c1@"],"options":["map",[["distributed-port","ro-sw"]]]},
 "@p6@":{"logical_port":"ln","type":"localnet","datapath":["uuid","@sw@"],"tunnel_key":2,"tag":100,"mac":"unknown"},
 "@p7@":{"logical_port":"inner","datapath":["uuid","@sw@"],"tunnel_key":5,"parent_port":"vm","tag":7},
 "@p8@":{"logical_port":"gw","type":"l3gateway","datapath":["uuid","@xx@"],"tunnel_key":1,
	"options":["map",[["l3gateway-chassis","two"],["peer","nowhere"]]]},
 "@p9@":{"logical_port":"lost","datapath":["uuid","@zz@"],"tunnel_key":1},
 "@pa@":{"logical_port":"odd","type":"strange","datapath":["uuid","@sw@"],"tunnel_key":9,
	"mac":"00:00:00:00:00:03 10.1.0.9 nonsense"},
 "@pb@":{"logical_port":"twin","datapath":["uuid","@sw@"],"tunnel_key":10,"external_ids":["map",[["name","same"]]]},
 "@pc@":{"logical_port":"twin2","datapath":["uuid","@sw@"],"tunnel_key":11,"external_ids":["map",[["name","same"]]]}},
"Multicast_Group":{"@mg@":{"name":"_MC_flood","datapath":["uuid","@sw@"],"tunnel_key":32768,
	"ports":["set",[["uuid","@p1@"],["uuid","@p2@"],["uuid","@p3@"],["uuid","@zz@"]]]}},
"Logical_Flow":{
 "@f1@":{"pipeline":"ingress","table_id":0,"priority":50,"match":"1","actions":"next;",
	"logical_datapath":["uuid","@sw@"],"external_ids":["map",[["stage-name","ls_in"],["source","northd.c:1"],
		["stage-hint","abc"]]]},
 "@f2@":{"pipeline":"ingress","table_id":0,"priority":100,"match":"ip4","actions":"drop;",
	"logical_dp_group":["uuid","@g1@"]},
 "@f3@":{"pipeline":"egress","table_id":2,"priority":0,"match":"1","actions":"output;",
	"logical_dp_group":["uuid","@g1@"],"controller_meter":"m","tags":["map",[["in_out_port","vm"]]]},
 "@f4@":{"pipeline":"egress","table_id":2,"priority":0,"match":"1","actions":"output;",
	"logical_dp_group":["uuid","@zz@"]},
 "@f5@":{"pipeline":"egress","table_id":2,"priority":0,"match":"1","actions":"output;"}},
"Load_Balancer":{"@l1@":{"name":"lb","protocol":"udp","vips":["map",[["10.9.0.1:53","10.1.0.1:5353,10.1.0.2:5353"],
	["[fd00::9]:53","[fd00::1]:53"],["10.9.0.2","10.1.0.7"],["10.9.0.3:80",""],["bad:80","10.0.0.1:80"],["^vip:^port",
		"^backends"]]],"datapath_group":["uuid","@g1@"],"options":["map",[["hairpin_orig_tuple","true"]]]}},
"MAC_Binding":{"@b1@":{"logical_port":"ro-sw","ip":"10.1.0.9","mac":"00:00:00:00:00:09","datapath":["uuid","@ro@"],
	"timestamp":77},"@b2@":{"logical_port":"ro-sw","ip":"10.1.0.8","mac":"00:00:00:00:00:08",
		"datapath":["uuid","@ro@"]},"@b3@":{"logical_port":"none","ip":"10.1.0.8","mac":"00:00:00:00:00:08",
			"datapath":["uuid","@ro@"]}},
"Static_MAC_Binding":{"@s1@":{"logical_port":"ro-sw","ip":"fd00::8","mac":"00:00:00:00:00:18",
	"datapath":["uuid","@ro@"],"override_dynamic_mac":true}},
"FDB":{"@fd@":{"mac":"00:00:00:00:00:55","dp_key":2,"port_key":3},"@fe@":{"mac":"00:00:00:00:00:55","dp_key":2,
	"port_key":333}},
"Chassis_Template_Var":{"@t1@":{"chassis":"one","variables":["map",[["vip","10.3.0.1"]]]}},
"DNS":{"@dn@":{"records":["map",[["vm.example","10.1.0.1"]]],"datapaths":["uuid","@sw@"]}},
"Meter_Band":{"@m1@":{"action":"drop","rate":10,"burst_size":25},"@m2@":{"action":"drop","rate":-1}},
"Meter":{"@me@":{"name":"acl","unit":"kbps","bands":["set",[["uuid","@m1@"],["uuid","@m2@"],["uuid","@zz@"]]]}},
"_date":1}`

func TestNetworkLinks(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport/", town)
	p := n.Port
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"datapaths by key", []string{n.Datapaths[0].Name, n.Datapaths[1].Name, n.Datapaths[2].Name},
			[]string{"ro", "sw", uuid("xx")}},
		{"kinds", []bool{n.Datapaths[0].Router, n.Datapaths[1].Router}, []bool{true, false}},
		{"northbound UUID", n.Datapaths[1].NBUUID, uuid("nb")},
		{"second name", n.Datapaths[1].Name2, "switch"},
		{"SNAT zones", []int{n.Datapaths[0].SNATCTZone, n.Datapaths[1].SNATCTZone, n.Datapaths[2].SNATCTZone},
			[]int{0, -1, -1}},
		{"peer", p("sw-ro").Peer, p("ro-sw")},
		{"peer's peer", p("ro-sw").Peer, p("sw-ro")},
		{"distributed port", p("cr-ro-sw").Distributed, p("ro-sw")},
		{"parent", p("inner").Parent, p("vm")},
		{"tags", []int{p("inner").Tag, p("ln").Tag, p("vm").Tag}, []int{7, 100, 0}},
		{"localnet", n.Datapaths[1].Localnet, []*network.Port{p("ln")}},
		{"up", []bool{p("vm").Up, p("inner").Up}, []bool{false, true}},
		{"unknown", []bool{p("vm").Unknown, p("inner").Unknown}, []bool{true, false}},
		{"addresses", p("vm").Addresses,
			[]network.Address{{MAC: [6]byte{5: 1}, IPs: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/32"),
				netip.MustParsePrefix("fd00::1/64")}}}},
		{"router's word is no address", p("sw-ro").Addresses, []network.Address(nil)},
		{"addresses before nonsense", len(p("odd").Addresses[0].IPs), 1},
		{"port zero is none", n.Ports[0], (*network.Port)(nil)},
		{"first port", n.Ports[1].Name, "ro-sw"},
		{"second name of a port", p("pretty"), p("vm")},
		{"ambiguous second name", p("same"), (*network.Port)(nil)},
		{"port by UUID", n.PortByUUID(uuid("p1")), p("vm")},
		{"port by key", n.DatapathByKey(2).PortByKey(3), p("vm")},
		{"no port by key", n.DatapathByKey(2).PortByKey(4), (*network.Port)(nil)},
		{"group by key, in the order of the ports' UUIDs", n.DatapathByKey(2).GroupByKey(32768).Ports,
			[]*network.Port{p("vm"), p("sw-ro")}},
		{"group elsewhere", n.DatapathByKey(1).GroupByKey(32768), (*network.Group)(nil)},
		{"encapsulations", n.ChassisByName("two").Encaps, []network.Encap{{Type: "geneve", IP: "10.0.0.2"},
			{Type: "vxlan", IP: "10.0.0.2"}}},
		{"chassis options", []string{n.ChassisByName("one").Options["x"], n.ChassisByName("two").Options["old"]},
			[]string{"y", "style"}},
		{"HA members", len(p("cr-ro-sw").HAChassis), 2},
		{"HA order", p("cr-ro-sw").HAChassis[0].Chassis.Name, "two"},
		{"gateway chassis", p("cr-old").HAChassis[0].Chassis.Name, "three"},
		{"templates", n.Templates["one"]["vip"], "10.3.0.1"},
		{"DNS", n.DatapathByKey(2).DNS[0].Records["vm.example"], "10.1.0.1"},
		{"meters", n.Meters["acl"], network.Meter{Kilobits: true, Bands: []network.Band{{Rate: 10, Burst: 25}}}},
		{"MAC bindings", []string{n.MACBindings[0].IP.String(), n.MACBindings[1].IP.String()},
			[]string{"10.1.0.8", "10.1.0.9"}},
		{"MAC binding's age", n.MACBindings[1].Timestamp, int64(77)},
		{"static MAC", n.StaticMACs[0].Override, true},
		{"FDB", n.FDB, []network.FDBEntry{{Datapath: n.DatapathByKey(2), DatapathKey: 2, PortKey: 3,
			MAC: [6]byte{5: 0x55}}}},
	} {
		if !cmp.Equal(c.got, c.want, cmp.Comparer(func(a, b *network.Port) bool { return a == b }),
			cmp.Comparer(func(a, b *network.Datapath) bool { return a == b }),
			cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestNetworkFlows(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport/", town)
	sw, ro := n.DatapathByKey(2), n.DatapathByKey(1)
	names := func(flows []*network.Flow) (list []string) {
		for _, f := range flows {
			list = append(list, f.UUID)
		}
		return list
	}
	if got, want := names(sw.Flows[0][0]), []string{uuid("f2"), uuid("f1")}; !slices.Equal(got, want) {
		t.Errorf("switch's first table: %v, want %v", got, want)
	}
	if got, want := names(ro.Flows[0][0]), []string{uuid("f2")}; !slices.Equal(got, want) {
		t.Errorf("router's first table: %v, want %v", got, want)
	}
	if len(sw.Flows[1]) != 3 || len(sw.Flows[1][2]) != 1 || sw.Flows[1][2][0] != ro.Flows[1][2][0] {
		t.Error("a group's flow is not shared")
	}
	f := sw.Flows[0][0][1]
	if f.Stage != "ls_in" || f.Source != "northd.c:1" || f.StageHint != "abc" || f.Match != "1" ||
		f.Actions != "next;" {
		t.Errorf("flow %+v", f)
	}
	if g := sw.Flows[1][2][0]; g.Meter != "m" || g.Tags["in_out_port"] != "vm" || !g.Egress || len(g.Datapaths) != 2 ||
		g.Datapaths[0] != ro {
		t.Errorf("flow %+v", g)
	}
}

func TestLoadBalancers(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport/", town)
	lb := n.LoadBalancers[0]
	ap := netip.MustParseAddrPort
	want := []network.VIP{
		{Addr: netip.MustParseAddr("10.9.0.1"), Port: 53, Backends: []netip.AddrPort{ap("10.1.0.1:5353"),
			ap("10.1.0.2:5353")}, Text: "10.9.0.1:53", BackendText: "10.1.0.1:5353,10.1.0.2:5353"},
		{Addr: netip.MustParseAddr("10.9.0.2"), Backends: []netip.AddrPort{ap("10.1.0.7:0")}, Text: "10.9.0.2",
			BackendText: "10.1.0.7"},
		{Addr: netip.MustParseAddr("10.9.0.3"), Port: 80, Text: "10.9.0.3:80"},
		{Addr: netip.MustParseAddr("fd00::9"), Port: 53, Backends: []netip.AddrPort{ap("[fd00::1]:53")},
			Text: "[fd00::9]:53", BackendText: "[fd00::1]:53"},
		{Text: "^vip:^port", BackendText: "^backends"},
	}
	equal := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}
	if diff := cmp.Diff(want, lb.VIPs, equal); diff != "" {
		t.Error(diff)
	}
	if lb.Protocol != 17 || !lb.Template() || len(lb.Datapaths) != 2 || n.DatapathByKey(2).LoadBalancers[0] != lb {
		t.Errorf("%+v", lb)
	}
}

// Which datapaths a load balancer is on was written in five ways.
func TestLoadBalancerVersions(t *testing.T) {
	t.Parallel()
	dp := `"Datapath_Binding":{"@d1@":{"tunnel_key":1%s},"@d2@":{"tunnel_key":2}},` +
		`"Logical_DP_Group":{"@g1@":{"datapaths":["uuid","@d1@"]},"@g2@":{"datapaths":["uuid","@d2@"]}}`
	for _, c := range []struct{ schema, datapath, lb string }{
		{"nodeport-21.12/", ``, `"datapaths":["set",[["uuid","@d1@"],["uuid","@d2@"]]]`},
		{"nodeport-21.12/", `,"load_balancers":["uuid","@l1@"]`, `"datapaths":["uuid","@d2@"]`},
		{"nodeport-26.03/", ``, `"ls_datapath_group":["uuid","@g1@"],"lr_datapath_group":["uuid","@g2@"]`},
		{"nodeport-26.03/", ``, `"datapath_group":["uuid","@g2@"],"datapaths":["set",[["uuid","@d2@"],["uuid",` +
			`"@d1@"]]]`},
	} {
		n := build(t, c.schema, "{"+fmt.Sprintf(dp, c.datapath)+`,"Load_Balancer":{"@l1@":{"name":"lb",`+c.lb+`}}}`)
		if got := n.LoadBalancers[0].Datapaths; len(got) != 2 || got[0].TunnelKey != 1 || got[1].TunnelKey != 2 ||
			len(n.Problems) != 0 {
			t.Errorf("%s: %s: on %d datapaths, problems %v", c.schema, c.lb, len(got), n.Problems)
		}
	}
}

// From 25.09 a datapath's kind has a column of its own.
func TestDatapathTypeColumn(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport-26.03/",
		`{"Datapath_Binding":{"@d1@":{"tunnel_key":1,"type":"logical-router","nb_uuid":["uuid","@nb@"]},`+
			`"@d2@":{"tunnel_key":2,"type":"logical-switch","nb_uuid":["uuid","@nc@"]}}}`)
	if !n.Datapaths[0].Router || n.Datapaths[0].NBUUID != uuid("nb") || n.Datapaths[1].Router ||
		n.Datapaths[1].NBUUID != uuid("nc") {
		t.Errorf("%+v, %+v", n.Datapaths[0], n.Datapaths[1])
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport/", town)
	var got []string
	for _, p := range n.Problems {
		got = append(got, p.Table+" "+p.UUID+" "+p.Reason)
	}
	zz := uuid("zz")
	want := []string{
		"Datapath_Binding " + uuid("xx") + ` snat-ct-zone "much" is not a zone number`,
		"FDB " + uuid("fe") + " no port of datapath sw has the tunnel key 333",
		"Load_Balancer " + uuid("l1") + ` VIP "bad:80" = "10.0.0.1:80": "bad:80" is not an IP address, ` +
			"with a port or without",
		"Logical_Flow " + uuid("f4") + " its datapath group " + zz + " does not exist",
		"Logical_Flow " + uuid("f4") + " it applies to no datapath",
		"Logical_Flow " + uuid("f5") + " it applies to no datapath",
		"MAC_Binding " + uuid("b3") + ` its port "none" does not exist`,
		"Meter_Band " + uuid("m2") + " rate -1 and burst size 0 are not both between 0 and 4294967295",
		"Multicast_Group " + uuid("mg") + " its port ro-sw belongs to datapath ro, not sw",
		"Multicast_Group " + uuid("mg") + " its port " + zz + " does not exist",
		"Port_Binding " + uuid("p8") + ` its peer "nowhere" does not exist`,
		"Port_Binding " + uuid("p9") + " its datapath " + zz + " does not exist",
		"Port_Binding " + uuid("pa") + ` its type "strange" is not known; packets to it are not followed`,
		"Port_Binding " + uuid("pa") + ` mac "00:00:00:00:00:03 10.1.0.9 nonsense": "nonsense" is not an IP address`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestResident(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport/", town)
	for _, c := range []struct{ port, resident, bound string }{
		{"vm", "one three", "one"},
		{"inner", "one", "one"},
		{"sw-ro", "one two three", ""},
		{"ln", "one two three", ""},
		{"cr-ro-sw", "two", "two"}, // unclaimed: the highest priority that is a chassis
		{"cr-old", "one", "one"},   // claimed elsewhere than its priorities say
		{"gw", "two", "two"},
		{"twin", "", ""},
	} {
		var resident, bound []string
		for _, name := range []string{"one", "two", "three"} {
			if n.Port(c.port).ResidentOn(n.ChassisByName(name)) {
				resident = append(resident, name)
			}
			if n.Port(c.port).BoundTo(n.ChassisByName(name)) {
				bound = append(bound, name)
			}
		}
		if got := strings.Join(resident, " "); got != c.resident {
			t.Errorf("%s is resident on %q, want %q", c.port, got, c.resident)
		}
		if got := strings.Join(bound, " "); got != c.bound {
			t.Errorf("%s is bound to %q, want %q", c.port, got, c.bound)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport/", town)
	for _, c := range []struct{ text, want string }{
		{"vm", "vm"}, {"pretty", "vm"}, {uuid("p1"), "vm"},
		{"same", "several ports are named same"},
		{"0000", "11 ports begin with 0000"},
		{"nope", "no logical port is named nope"},
		{"twi", "no logical port is named twi; there is twin, twin2"},
	} {
		p, err := n.FindPort(c.text)
		if err != nil && !strings.Contains(err.Error(), c.want) || err == nil && p.Name != c.want {
			t.Errorf("port %s: %v, %v; want %s", c.text, p, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"sw", "sw"}, {"switch", "sw"}, {uuid("sw"), "sw"}, {strings.ToUpper(uuid("nb")), "sw"},
		{"0000", "3 datapaths begin with 0000"},
		{"", "no datapath is named"},
		{"ab", "no datapath is named ab"},
	} {
		d, err := n.FindDatapath(c.text)
		if err != nil && !strings.Contains(err.Error(), c.want) || err == nil && d.Name != c.want {
			t.Errorf("datapath %s: %v, %v; want %s", c.text, d, err, c.want)
		}
	}
}

// Two loads of one database give the same network, in the same order.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	path := cases(t)[0]
	describe := func() string {
		db, err := store.Open(context.Background(), path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := southbound.Load(db)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, d := range n.Datapaths {
			fmt.Fprintln(&b, d.UUID, d.ExternalIDs, len(d.Ports), len(d.Groups))
			for p := range d.Flows {
				for i := range d.Flows[p] {
					for _, f := range d.Flows[p][i] {
						fmt.Fprintln(&b, f.UUID, f.Priority, f.Match, f.Actions, f.Stage)
					}
				}
			}
		}
		for _, p := range n.Ports[1:] {
			fmt.Fprintln(&b, p.UUID, p.Options, p.Addresses)
		}
		for _, lb := range n.LoadBalancers {
			fmt.Fprintln(&b, lb.UUID, lb.VIPs, len(lb.Datapaths))
		}
		return b.String()
	}
	if first, second := describe(), describe(); first != second {
		t.Error("two loads differ")
	}
}

// The tables behind what ovn-controller does of itself.
func TestServices(t *testing.T) {
	t.Parallel()
	n := build(t, "nodeport-26.03/", `{
"Datapath_Binding":{"@ro@":{"tunnel_key":1,"type":"logical-router"}},
"Port_Binding":{"@p1@":{"logical_port":"lrp","type":"patch","datapath":["uuid","@ro@"],"tunnel_key":1},
	"@p2@":{"logical_port":"l2","type":"l2gateway","datapath":["uuid","@ro@"],"tunnel_key":2,
		"options":["map",[["l2gateway-chassis","one"]]]}},
"Chassis":{"@c1@":{"name":"one"}},
"BFD":{"@b1@":{"logical_port":"lrp","dst_ip":"10.0.0.1","src_port":50000,"disc":7,"min_tx":1000,"min_rx":900,
	"detect_mult":5,"status":"up"},"@b2@":{"logical_port":"none"}},
"ECMP_Nexthop":{"@e1@":{"nexthop":"fd00::1","port":["uuid","@p1@"],"datapath":["uuid","@ro@"],
	"mac":"00:00:00:00:00:01"},"@e2@":{"nexthop":"bad"}},
"IP_Multicast":{"@i1@":{"datapath":["uuid","@ro@"],"enabled":true,"querier":false,"eth_src":"00:00:00:00:00:02",
	"query_interval":60}},
"Service_Monitor":{"@m1@":{"ip":"10.0.0.9","port":80,"protocol":"tcp","logical_port":"lrp","status":"online"}},
"Logical_Flow":{"@f1@":{"pipeline":"sideways","logical_datapath":["uuid","@ro@"]},"@f2@":{"pipeline":"ingress",
	"table_id":300,"logical_datapath":["uuid","@ro@"]},"@f3@":{"pipeline":"ingress","priority":70000,
		"logical_datapath":["uuid","@ro@"]}}}`)
	if len(n.BFD) != 2 || n.BFD[0].Port != n.Port("lrp") || n.BFD[0].DstIP != "10.0.0.1" || n.BFD[0].DetectMult != 5 ||
		n.BFD[0].MinRX != 900 {
		t.Errorf("BFD %+v", n.BFD)
	}
	if e := n.ECMPNexthops; len(e) != 1 || e[0].Nexthop != netip.MustParseAddr("fd00::1") ||
		e[0].Datapath != n.Datapaths[0] || e[0].Port != n.Port("lrp") {
		t.Errorf("ECMP next hops %+v", e)
	}
	if m := n.IPMulticast; len(m) != 1 || !m[0].Enabled || m[0].Querier || m[0].QueryInterval != 60 ||
		m[0].EthSrc != "00:00:00:00:00:02" {
		t.Errorf("IP multicast %+v", m)
	}
	if m := n.ServiceMonitors; len(m) != 1 || m[0].Port != 80 || m[0].Status != "online" {
		t.Errorf("service monitors %+v", m)
	}
	if c := n.Port("l2").ActiveChassis(); c != n.ChassisByName("one") || n.Port("lrp").ActiveChassis() != nil {
		t.Errorf("active chassis %v", c)
	}
	var got []string
	for _, p := range n.Problems {
		got = append(got, p.Table+": "+p.Reason)
	}
	want := []string{
		`BFD: its port "none" does not exist`,
		`ECMP_Nexthop: "bad" is not an IP address`,
		`Logical_Flow: its pipeline is "sideways", neither ingress nor egress`,
		`Logical_Flow: table 300 is not between 0 and 255`,
		`Logical_Flow: priority 70000 is not between 0 and 65535`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
