package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A microflow without the sender's addresses is of the machine's whose port it names, which is said; what nothing
// tells is 0, which is said, too.
func TestTraceTakesTheSendersAddresses(t *testing.T) {
	t.Parallel()
	db := filepath.Join(cases, "egress-snat", "sb.db")
	for _, x := range []struct {
		flow, says string
		status     int
	}{
		{`inport == "default_client-pod" && eth.dst == 0a:58:0a:f4:01:01 && ip4.dst == 172.18.0.1 && tcp.dst == 80`,
			"taken as a sender would: eth.src is 0a:58:0a:f4:01:04, ip4.src is 10.244.1.4, ip.ttl is 64", exitOK},
		{`inport == "default_client-pod" && arp.op == 1 && arp.tpa == 10.244.1.1`,
			"eth.src is 0a:58:0a:f4:01:04, arp.sha is 0a:58:0a:f4:01:04, arp.spa is 10.244.1.4\n", exitOK},
		{`inport == "breth0_ovn-worker" && ip4.dst == 172.18.0.4 && tcp.dst == 80`,
			"nor told by the port that it enters at, and 0 here: eth.src, ip4.src, eth.dst\n", exitDropped},
	} {
		status, _, errs := replayed(t, "trace", "--db", db, "--minimal", x.flow)
		if status != x.status || !strings.Contains(errs, x.says) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", x.flow, status, x.status, x.says, errs)
		}
	}
}
