package replay_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
)

// recordsOf are a capture's first records, as if of one interface of a pcapng.
func recordsOf(t *testing.T, name, file string, i *pcap.Interface) (recs []pcap.Record) {
	t.Helper()
	r, err := pcap.Open(filepath.Join("..", "..", "testdata", "cases", name, file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for len(recs) < 200 {
		var rec, kept pcap.Record
		if r.Next(&rec) != nil {
			break
		}
		kept.CopyFrom(&rec)
		if i != nil {
			own := *i
			own.LinkType = rec.LinkType
			kept.Interface = &own
		}
		recs = append(recs, kept)
	}
	return recs
}

// An interface of a capture is placed by what it is called, by what is said of it, or
// by its packets.
func TestInterfacesArePlaced(t *testing.T) {
	t.Parallel()
	const wire, pod = "breth0_ovn-worker", "default_nginx-deployment-9456bbbf9-x6pc6"
	net := recorded(t, "nodeport", nil).Net
	owners := replay.NewOwners(net)
	for _, test := range []struct {
		what, file string
		i          pcap.Interface
		port, how  string
	}{
		{"its name is the port's", "client.pcap", pcap.Interface{Name: pod}, pod, "interface name"},
		{"its description", "client.pcap", pcap.Interface{Name: "eth0", Description: pod}, pod, "interface name"},
		{"a comment names it among others", "client.pcap",
			pcap.Interface{Comments: []string{"taken late", "mac=1, iface-id=" + pod + "; mtu=1400"}}, pod,
			"interface name"},
		{"a comment names what is no port", "client.pcap", pcap.Interface{Comments: []string{"iface-id=other"}}, wire,
			"packets' addresses"},
		{"nothing names it", "nginx.pcap", pcap.Interface{Name: "eth0"}, pod, "packets' addresses"},
	} {
		tap := &replay.Tap{Name: test.file}
		if err := owners.Locate(tap, recordsOf(t, "nodeport", test.file, &test.i), nil); err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		if s := tap.Sites()[0]; s.Port == nil || s.Port.Name != test.port || s.Found != test.how || s.Chassis == nil {
			t.Errorf("%s: %+v", test.what, s)
		}
	}
	both := append(recordsOf(t, "nodeport", "client.pcap", &pcap.Interface{Index: 0}),
		recordsOf(t, "nodeport", "nginx.pcap", &pcap.Interface{Index: 1})...)
	tap := &replay.Tap{Name: "both"}
	if err := owners.Locate(tap, both, nil); err != nil {
		t.Fatal(err)
	}
	if a, b := tap.Interfaces[0], tap.Interfaces[1]; a == nil || b == nil || a.Port.Name != wire || b.Port.Name != pod {
		t.Errorf("of two interfaces: %+v, %+v", a, b)
	}
}

// Which chassis' wire it is, and that a capture is of the tunnel network, is seen in the
// addresses of packets; where it is not, it has to be said.
func TestWiresArePlaced(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, kind, chassis, fails string }{
		{"cloud-l3-geneve", "underlay-c1.pcap", "underlay", "", ""},
		{"cloud-provider-vm", "provider-c1.pcap", "port", "000001", ""},
		{"cloud-gateway-router-26.03", "provider-c3.pcap", "", "", "on the wires of several chassis alike"},
		{"cloud-fip-to-fip", "provider-c3.pcap", "port", "000003", ""},
	} {
		j := recorded(t, test.name, nil)
		tap := &replay.Tap{Name: test.file}
		err := replay.NewOwners(j.Net).Locate(tap, recordsOf(t, test.name, test.file, nil), nil)
		switch {
		case err != nil && test.fails == "" || err == nil && test.fails != "":
			t.Errorf("%s of %s: %v", test.file, test.name, err)
		case err != nil && !strings.Contains(err.Error(), test.fails):
			t.Errorf("%s of %s: %v, want %s", test.file, test.name, err, test.fails)
		case err == nil && (tap.Site == nil || (tap.Site.Kind == replay.AtUnderlay) != (test.kind == "underlay") ||
			test.chassis != "" && !strings.HasSuffix(tap.Site.Chassis.Name, test.chassis)):
			t.Errorf("%s of %s: %v", test.file, test.name, tap.Sites())
		}
	}
}

// What may as well have been captured elsewhere is not guessed: at a mirror's sink, a network
// function, a member of a forwarding group, an l2gateway, the other chassis of a port that
// moves, another sender of forged addresses, another chassis' wire that shows as much.
func TestCopiesAreNotGuessed(t *testing.T) {
	t.Parallel()
	const several, wires = "at several ports alike", "on the wires of several chassis alike"
	for _, test := range []struct{ name, file, why, place string }{
		{"cloud-mirror-lport-26.03", "vm8.pcap", several, "@vm8"},
		{"cloud-mirror-lport-26.03", "vm9.pcap", several, "@vm9"},
		{"cloud-network-function-26.03", "nfin.pcap", several, "@nfin"},
		{"cloud-fwd-group-26.03", "vm3.pcap", several, "@vm3"},
		{"cloud-l2gateway", "bare.pcap", several, "@l2gw"},
		{"kube-forged-mac", "pod2.pcap", several, "@default_pod2"},
		{"cloud-migration", "vm2b.pcap", "at vm2 on several chassis alike", "@vm2@gateway-1"},
		{"cloud-vlan-tenant", "net-b-c1.pcap", wires, "@provnet-b@compute-1"},
	} {
		j := recorded(t, test.name, nil)
		tap := &replay.Tap{Name: test.file}
		err := replay.NewOwners(j.Net).Locate(tap, recordsOf(t, test.name, test.file, nil), nil)
		if err == nil || !strings.Contains(err.Error(), test.why) || !strings.Contains(err.Error(), test.place) {
			t.Errorf("%s of %s: %v, %v", test.file, test.name, tap.Sites(), err)
		}
	}
	for _, test := range []struct{ name, file, port, doubt string }{
		{"cloud-trunk", "vm2.pcap", "vm2", ""}, // all it holds is of a container behind it
		{"cloud-mirror-lport-26.03", "vm3.pcap", "vm3", ""},
		{"cloud-migration", "vm2.pcap", "vm2", "at compute-2 and at gateway-1"},
	} {
		j := recorded(t, test.name, nil)
		tap := &replay.Tap{Name: test.file}
		err := replay.NewOwners(j.Net).Locate(tap, recordsOf(t, test.name, test.file, nil), nil)
		if err != nil || tap.Site == nil || tap.Site.Port.Name != test.port ||
			!strings.Contains(tap.Site.Doubt, test.doubt) || test.doubt == "" && tap.Site.Doubt != "" {
			t.Errorf("%s of %s: %v, %v", test.file, test.name, tap.Sites(), err)
		}
	}
}

// All interfaces of a file are of one host, that of those which tell it: a wire that its
// packets say nothing of is its. Where they are of several hosts none tells for others.
func TestInterfacesAreOfOneHost(t *testing.T) {
	t.Parallel()
	const name = "cloud-mixed"
	net := recorded(t, name, nil).Net
	owners := replay.NewOwners(net)
	file := func(names ...string) (recs []pcap.Record) {
		for i, n := range names {
			recs = append(recs, recordsOf(t, name, n, &pcap.Interface{Index: i, Name: "tap" + n})...)
		}
		return recs
	}
	for _, test := range []struct {
		files []string
		on    string // the chassis of the last one, "" if it is not placed
	}{
		{[]string{"vm2.pcap", "vm3.pcap", "provider-c2.pcap"}, "000002"},
		{[]string{"vm1.pcap", "vm4.pcap", "provider-c1.pcap"}, "000001"},
		{[]string{"vm1.pcap", "vm2.pcap", "provider-c2.pcap"}, ""},
	} {
		tap := &replay.Tap{Name: "all"}
		if err := owners.Locate(tap, file(test.files...), nil); err != nil {
			t.Fatal(err)
		}
		last := tap.Interfaces[2]
		switch {
		case test.on == "":
			if last != nil || len(tap.Lost) != 1 || !strings.Contains(tap.Lost[0],
				"interface tapprovider-c2.pcap: its packets would be on the wires of several chassis alike") {
				t.Errorf("%v: %v, %q", test.files, last, tap.Lost)
			}
		case last == nil || !strings.HasSuffix(last.Chassis.Name, test.on) || len(tap.Lost) > 0:
			t.Errorf("%v: %v, %q", test.files, last, tap.Lost)
		}
	}
}

// The ports that a capture may be of are those whose addresses its packets have, most of all.
func TestCandidates(t *testing.T) {
	t.Parallel()
	net := recorded(t, "cloud-mixed", nil).Net
	owners := replay.NewOwners(net)
	for _, vm := range []string{"vm1", "vm2"} {
		found := owners.Candidates(recordsOf(t, "cloud-mixed", vm+".pcap", nil))
		if len(found) == 0 || len(found) > 4 || found[0].Name != vm {
			t.Errorf("%s: %v", vm, found)
		}
	}
	if found := owners.Candidates(nil); len(found) != 0 {
		t.Errorf("of no packets: %v", found)
	}
}

// A capture that was placed on one network is on another where ports and chassis have the
// same names, and nowhere else.
func TestTapsOnAnotherNetwork(t *testing.T) {
	t.Parallel()
	a, b := recorded(t, "nodeport", nil), recorded(t, "nodeport", nil)
	for _, tap := range a.Taps {
		moved, err := tap.On(b.Net)
		if err != nil {
			t.Fatal(err)
		}
		if moved.Name != tap.Name || moved.Site.Port != b.Net.Port(tap.Site.Port.Name) ||
			moved.Site.Chassis != b.Net.ChassisByName(tap.Site.Chassis.Name) || moved.Site.Port == tap.Site.Port {
			t.Errorf("%s is on %+v, was on %+v", tap.Name, moved.Site, tap.Site)
		}
		several := &replay.Tap{Name: tap.Name, Chassis: tap.Site.Chassis, Interfaces: map[int]*replay.Site{3: tap.Site}}
		if moved, err = several.On(b.Net); err != nil || moved.Interfaces[3].Port != b.Net.Port(tap.Site.Port.Name) ||
			moved.Chassis != b.Net.ChassisByName(tap.Site.Chassis.Name) {
			t.Errorf("%s: %+v, %v", tap.Name, moved, err)
		}
	}
	other := recorded(t, "cloud-mixed", nil).Net
	if _, err := a.Taps[0].On(other); err == nil || !strings.Contains(err.Error(), "no logical port") {
		t.Errorf("without the port: %v", err)
	}
	host := &replay.Tap{Site: &replay.Site{Kind: replay.AtHost, Chassis: a.Net.Chassis[0]}}
	if _, err := host.On(other); err == nil || !strings.Contains(err.Error(), "no chassis") {
		t.Errorf("without the chassis: %v", err)
	}
}

// A filter leaves of what differs that which it selects, and counts the rest: the verdict
// is of all.
func TestReportIsFiltered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter        string
		kept, omitted int
	}{{"", 18, 0}, {"tcp", 18, 0}, {"udp", 0, 18}, {"tcp.flags == 2", 2, 16}} {
		j := recorded(t, "nodeport", func(_ *recording.Spec, net *network.Network) {
			for _, f := range net.Flows { // nothing comes to the pod
				if f.Datapaths[0].Name == "GR_ovn-worker" && !f.Egress && f.Table == 0 {
					f.Actions = "drop;"
				}
			}
		})
		r := verified(t, j)
		filter, err := replay.NewFilter(j.Engine, test.filter)
		if err != nil {
			t.Fatal(err)
		}
		filter.Select(r)
		omitted := 0
		for _, n := range r.Omitted {
			omitted += n
		}
		kept := len(r.Missing) + len(r.Mismatched) + len(r.Unexpected)
		if kept != test.kept || omitted != test.omitted || r.OK() {
			t.Errorf("%q keeps %d and omits %d, want %d and %d", test.filter, kept, omitted, test.kept, test.omitted)
		}
	}
}
