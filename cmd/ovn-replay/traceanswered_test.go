package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/ovntrace"
)

// What OVN sends in a packet's place is no delivery of it: trace calls it what run does, and ends well only if the
// packet got the answer that it asks for. Nobody replies to it.
func TestTraceTellsAnswersFromDelivery(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "testdata", "reports", "26.03", "r-traceroute")
	const from = `inport == "vm2" && eth.dst == fa:16:3e:aa:0a:01 && `
	for name, x := range map[string]struct {
		flow, verdict, kind, told string
		status                    int
	}{
		"an ICMP error": {from + "ip4.dst == 203.0.113.50 && ip.ttl == 1 && udp.dst == 33434", "consumed", "answered",
			": answered: icmp 10.1.0.1 > 10.1.0.12 time exceeded at vm2 of ", exitDropped},
		"an echo reply": {from + "ip4.dst == 10.1.0.1 && icmp4", "consumed", "answered",
			": answered: icmp 10.1.0.1 > 10.1.0.12 echo reply at vm2 of ", exitOK},
		"the packet": {from + "ip4.dst == 203.0.113.50 && udp.dst == 33434", "delivered", "",
			": delivered: udp 203.0.113.", exitOK},
	} {
		status, out, errs := replayed(t, "trace", "--case", dir, "--json", x.flow)
		var r ovntrace.Record
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%s: %v: %s", name, err, errs)
		}
		kind := ""
		if n := len(r.Decided); n > 0 && r.Verdict != "delivered" {
			kind = r.Decided[n-1].Kind
		}
		if status != x.status || r.Verdict != x.verdict || kind != x.kind {
			t.Errorf("%s: exit status %d, %s, decided: %+v", name, status, r.Verdict, r.Decided)
		}
		if made := slices.ContainsFunc(r.Outputs, func(o ovntrace.Output) bool { return o.Made }); made !=
			(name == "an ICMP error") {
			t.Errorf("%s: %+v", name, r.Outputs)
		}
		if _, out, _ = replayed(t, "trace", "--case", dir, "--all-chassis", "--minimal", x.flow); !strings.Contains(out,
			x.told) {
			t.Errorf("%s: %q is not in\n%s", name, x.told, out)
		}
		if x.verdict == "delivered" {
			continue
		}
		status, out, errs = replayed(t, "trace", "--case", dir, "--reply", x.flow)
		if status != x.status || !strings.Contains(errs, "nobody answers it") || strings.Count(out, "# ") != 1 {
			t.Errorf("%s, --reply: exit status %d: %s\n%s", name, status, errs, out)
		}
	}
}
