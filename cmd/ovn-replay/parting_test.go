package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Where the ways of two packets part in a stage that only prepares for ACLs, what decided is what is compared.
func TestPartingIsWhereItIsDecided(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, asked, there, here string }{
		{"kube-acl-verdicts-25.03", "3", ` of ls_out_acl_eval of worker: (outport == "default_pod4" && udp.dst == 53`,
			" of ls_out_acl_eval of worker: reg0[9] == 1 && (outport == \"default_pod4\" && tcp.dst == 8080)"},
		{"cloud-ctl-dns", "1", " of ls_out_acl of net-b: reg0[7] == 1 && (outport == @default",
			" of ls_out_acl of net-b: ct.inv || (ct.est && ct.rpl && ct_mark.blocked == 1) -> drop;"},
		{"cloud-cold", "1", " of lr_in_arp_request of r1: 1 -> output;",
			" of lr_in_arp_request of r1: eth.dst == 00:00:00:00:00:00 && ip4 -> arp"},
	} {
		out := replayedWell(t, "why", x.asked, "--case", filepath.Join(cases, x.dir))
		_, compared, _ := strings.Cut(out, "compared with")
		there, here, _ := strings.Cut(compared, "  here flow ")
		if !strings.Contains(there, x.there) || !strings.Contains(here, x.here) {
			t.Errorf("%s: want there %q, here %q:\n%s", x.dir, x.there, x.here, out)
		}
	}
}
