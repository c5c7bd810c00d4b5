package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// What a network lacks is named where a packet misses it, and what it has that the packet went
// by instead.
func TestWhatANetworkLacksIsNamed(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, stage, match, asked, want string }{
		{"nodeport", "lr_in_unsnat", "ip4.dst == 100.64.0.3", "1",
			"held at GR_ovn-worker; it answers tcp 172.18.0.1:53642 > 10.244.1.3:80, whose SNAT is in zone " +
				"GR_ovn-worker_snat, which was not looked up: flow "},
		{"egress-snat", "lr_in_ip_routing", "ip4.dst == 10.244.0.0/16", "1",
			"astray: pod default/client-pod asked from default_client-pod, and this answer does not go there; " +
				"GR_ovn-worker sends it by flow "},
		{"icmp", "ls_in_l2_lkup", "eth.dst == 0a:58:0a:f4:01:03", "client.pcap:13",
			"no port is known for Ethernet address 0a:58:0a:f4:01:03, which is that of default_nginx-deployment"},
	} {
		db := flowless(t, filepath.Join(cases, x.dir, "sb.db"), x.stage, x.match)
		for _, flag := range []string{"--case " + filepath.Join(cases, x.dir) + " --db " + db, "--session "} {
			if flag == "--session " {
				flag += filepath.Join(t.TempDir(), "s.db")
				replayedWell(t, append([]string{"run", "-q", "--case", filepath.Join(cases, x.dir), "--db", db},
					strings.Fields(flag)...)...)
			}
			out := replayedWell(t, append([]string{"why", x.asked}, strings.Fields(flag)...)...)
			if !strings.Contains(out, x.want) {
				t.Errorf("%s without %s of %s: %s does not say %s:\n%s", x.dir, x.match, x.stage, flag, x.want, out)
			}
		}
	}
	// Over a wire, or by way of a network function, an answer comes to who asked all the same.
	for _, dir := range []string{"cloud-fip-to-fip", "cloud-network-function-26.03", "cloud-vlan-tenant"} {
		for _, asked := range []string{"1", "2", "3"} {
			out := replayedWell(t, "why", asked, "--case", filepath.Join(cases, dir))
			if strings.Contains(out, "astray") {
				t.Errorf("%s: %s", dir, out)
			}
		}
	}
}

// flowless writes a copy of a database that lacks the flows of a stage whose matches have a
// part.
func flowless(t *testing.T, db, stage, match string) string {
	t.Helper()
	net, _, err := southbound.Open(context.Background(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, f := range net.Flows {
		if f.StageName() == stage && strings.Contains(f.Match, match) {
			gone = append(gone, `"`+f.UUID+`":null`)
		}
	}
	if len(gone) == 0 {
		t.Fatalf("%s has no flow of %s with %s", db, stage, match)
	}
	return changing(t, db, 1, `"Logical_Flow":{`+strings.Join(gone, ",")+`}`)
}

// A remote port that a zone has at no chassis is named where packets to it end.
func TestRemotePortAtNoChassis(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "ic-warm")
	db := filepath.Join(t.TempDir(), "plain.db")
	put(t, db, gunzip(t, read(t, filepath.Join(dir, "sb-node2.db.gz"))))
	net, _, err := southbound.Open(context.Background(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	port := net.Port("tstor-node1")
	db = changing(t, db, 1, `"Port_Binding":{"`+port.UUID+`":{"chassis":["set",[]]}}`)
	out := replayedWell(t, "why", "pod2.pcap:2", "--case", dir, "--db", filepath.Join(dir, "sb-node1.db.gz"),
		"--db", db)
	const want = "remote port tstor-node1 of transit_switch: zone node2 has it at no chassis, though zone node1 has it"
	if !strings.Contains(out, want) {
		t.Errorf("%q is not said:\n%s", want, out)
	}
}
