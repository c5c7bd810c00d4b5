package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A microflow that names no protocol has the hop limit that one of a protocol has, and is not answered with an ICMP
// error; of TCP it is said that a SYN is sent, as the flow's line has ovn-trace's tcp_flags=0.
func TestTraceTellsTheHopLimitAndTheSYNThatItTakes(t *testing.T) {
	t.Parallel()
	const from = `inport == "vm3" && eth.dst == fa:16:3e:aa:0b:01 && ip4.dst == 203.0.113.50`
	dir := filepath.Join("..", "..", "testdata", "reports", "26.03", "r-fip-host-snat")
	for flow, says := range map[string]string{
		from:                        "ip.ttl is 64\n",
		from + " && ip.proto == 47": "ip.ttl is 64\n",
		from + " && tcp.dst == 80":  "ip.ttl is 64, tcp.src is 49152, tcp.flags is 2 (SYN)\n",
	} {
		status, out, errs := replayed(t, "trace", "--case", dir, "--json", flow)
		if status != exitOK || !strings.Contains(errs, says) || !strings.Contains(out, `"verdict":"delivered"`) {
			t.Errorf("%s: exit status %d, want %q: %s\n%.900s", flow, status, says, errs, out)
		}
	}
}
