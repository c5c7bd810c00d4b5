package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What port security does not let in is told by what is not allowed of it: a VLAN tag, or a kind of frame, where
// the addresses are those that the port may have.
func TestWhyTellsWhatPortSecurityDoesNotAllow(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ dir, frame, says string }{
		{"kube-odd-packets-26.03", "pod2.pcap:16",
			"drop, this switch takes no frame with a VLAN tag, as this one's of VLAN 7: flow 03133625"},
		{"kube-odd-packets-26.03", "pod2.pcap:17", "fd00:128:1::12, not 0a:58:0a:80:01:0c with ethertype 0x88b5: flow"},
		{"kube-odd-packets-26.03", "pod2.pcap:18", "12, not 0a:58:0a:80:01:0c in a frame without an ethertype: flow"},
		{"cloud-flood", "vm1.pcap:3", "fd01:a::11, not fa:16:3e:0a:00:11 with ethertype 0x88b5: flow"},
		{"kube-port-security-26.03", "pod2.pcap:3", "12, not 0a:58:00:00:00:99 10.128.1.12: flow"},
	} {
		out := replayedWell(t, "why", x.frame, "--case", filepath.Join(cases, x.dir))
		if !strings.Contains(out, x.says) {
			t.Errorf("%s, %s: %q is not said in\n%s", x.dir, x.frame, x.says, out)
		}
	}
}
