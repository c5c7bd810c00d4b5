package main

import (
	"strings"
	"testing"
)

const zonesCase = "../../testdata/cases/ic-warm/"

var bothZones = []string{"--db", zonesCase + "sb-node1.db.gz", "--db", zonesCase + "sb-node2.db.gz", "--ct-profile", "ovs-userspace:3.1"}

// Two zones of one node each are one network: packets cross from one's
// pipelines through the tunnel into the other's, and are what was recorded there.
func TestZonesJoined(t *testing.T) {
	captures := []string{"pod1.pcap", "pod2.pcap", "ext1.pcap@br-ex_node1", "ext2.pcap@br-ex_node2"}
	for name, underlay := range map[string][]string{
		"without the underlay": nil, "with it": {"ul1.pcap@underlay", "ul2.pcap@underlay"},
	} {
		args := bothZones
		for _, c := range append(captures, underlay...) {
			args = append(args, "-r", zonesCase+c)
		}
		status, r := verified(t, args...)
		if status != exitOK || r.Matched != 58 || r.Observed != 58 {
			t.Errorf("%s: status %d, %d of %d matched", name, status, r.Matched, r.Observed)
		}
		if underlay != nil && (r.Underlay == nil || r.Underlay.Matched != 37 || r.Underlay.Observed != 37) {
			t.Errorf("%s: underlay %+v", name, r.Underlay)
		}
		if _, out, _ := replayed(t, append([]string{"run"}, args...)...); strings.Contains(out, "dropped") {
			t.Errorf("%s: what went through is dropped:\n%s", name, out)
		}
	}
}

// The path of a packet shows both nodes, whether it is sent to the pod or to a
// service that has it.
func TestZonesPath(t *testing.T) {
	status, out, errs := replayed(t, append([]string{"run", "--format", "summary", "-r", zonesCase + "ext1.pcap@br-ex_node1",
		"--filter", "tcp.dst == 30007 && tcp.flags == 2"}, bothZones...)...)
	if status != exitOK {
		t.Fatal(errs)
	}
	for _, want := range []string{`dp="ext_node1"`, `dp="GR_node1"`, `outport="tstor-node2"`, `inport="rtots-node2"`, `dp="node2"`, `output to "pod2"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the nodePort's path over both nodes lacks %s:\n%s", want, out)
		}
	}
}

func TestZonesRefused(t *testing.T) {
	one := []string{"--db", zonesCase + "sb-node1.db.gz", "-r", zonesCase + "pod1.pcap"}
	for want, args := range map[string][]string{
		"are databases of one zone":       append([]string{"verify", "--db", zonesCase + "sb-node1.db.gz"}, one...),
		"/nonexistent: no such file":      append([]string{"run", "--db", "/nonexistent"}, one...),
		"a session is of one database":    append([]string{"run", "--session", t.TempDir() + "/s", "-r", zonesCase + "pod1.pcap"}, bothZones...),
		"--watch follows one live server": append([]string{"run", "--watch", "-r", zonesCase + "pod1.pcap"}, bothZones...),
	} {
		if status, _, errs := replayed(t, args...); status != exitBad || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %s; want %q", args, status, errs, want)
		}
	}
}
