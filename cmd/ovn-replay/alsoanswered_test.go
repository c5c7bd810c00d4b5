package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// A packet that OVN answers and lets go on as well, such as a request that is flooded, has not arrived where its
// answer did: the answer is told, and the flow that gives it, in a replay and in a session.
func TestAnswersBesideDeliveryAreTold(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, frame, fate string }{
		{"cloud-lb", "vm1.pcap:1", "delivered to meta-a, vm2; answered: arp 10.1.0.200 is-at fa:16:3e:aa:0a:01, " +
			"delivered to vm1, by flow c9b7f387 of lr_in_ip_input of r1, priority 90: "},
		{"cloud-dhcpv6-ra-25.03", "vm2.pcap:18", "delivered to meta-a; answered: icmp6 fe80::f816:3eff:feaa:a01 > " +
			"fe80::f816:3eff:fe0a:12 router advertisement, delivered to vm2, by flow 04ab1174 of lr_in_nd_ra_options"},
	} {
		dir := filepath.Join(cases, x.dir)
		session := filepath.Join(t.TempDir(), "s.db")
		lines := replayedWell(t, "run", "--case", dir, "--session", session)
		if !strings.Contains(lines, x.frame+" vm"+x.frame[2:3]+" ") || !strings.Contains(lines, " | "+x.fate) {
			t.Errorf("%s: %q is not in\n%s", x.dir, x.fate, lines)
		}
		here := replayedWell(t, "why", x.frame, "--case", dir)
		if kept := replayedWell(t, "why", x.frame, "--session", session); !strings.Contains(here, "\n"+x.fate) ||
			kept != here {
			t.Errorf("%s: the replay says\n%s\nand its session\n%s", x.dir, here, kept)
		}
	}
	for line := range strings.Lines(replayedWell(t, "run", "--json", "--case", filepath.Join(cases, "cloud-lb"))) {
		var r replay.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(r.Capture) != "vm1.pcap" || r.Frame != 1 {
			continue
		}
		for _, o := range r.Outputs {
			if o.Answer != (o.Port == "vm1") {
				t.Errorf("%+v", o)
			}
		}
		if n := len(r.Decided); r.Verdict != "delivered" || n != 1 || r.Decided[0].Kind != "also answered" {
			t.Errorf("%s, decided: %+v", r.Verdict, r.Decided)
		}
	}
}
