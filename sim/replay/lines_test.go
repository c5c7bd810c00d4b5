package replay

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// On a terminal every line fits, verdict and cause are on it, and a translation
// is told once.
func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("very-", 20) + "long"
	records := []*Record{
		{Time: "2026-11-22T11:32:44.407899000Z", Capture: "/tmp/a/client.pcap", Frame: 1, Inport: "breth0_ovn-worker",
			Packet: "tcp 172.18.0.1:53642 > 172.18.0.4:30007 [S]", Verdict: "delivered",
			Outputs: []OutInfo{{Port: "default_nginx-deployment-9456bbbf9-x6pc6"}},
			NAT:     []NATInfo{{Kind: "DNAT", From: "172.18.0.4:30007", To: "10.244.1.3:80"}}},
		{Time: "2026-11-23T00:00:00.000001000Z", Capture: long, Frame: 123456, Inport: long, Packet: long,
			Verdict: "delivered",
			Outputs: []OutInfo{{Port: long}},
			NAT:     []NATInfo{{Kind: "DNAT", From: "172.18.0.4:30007", To: "10.244.1.3:80"}}},
		{Time: "2026-11-23T00:00:00.000002000Z", Capture: "c.pcap", Frame: 3, Inport: "p", Packet: "udp",
			Verdict: "dropped", Drop: &DropInfo{Stage: "ls_in_acl_eval", Reason: "drop"},
			Notes: []NoteInfo{{Reason: long + " " + long + " " + long}}},
	}
	for _, width := range []int{80, 120, 200} {
		for _, colour := range []bool{false, true} {
			l := Lines{Width: width, Colour: colour}
			all := ""
			for _, r := range records {
				all += l.Record(r)
			}
			plain := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(all, "")
			if colour == (plain == all) {
				t.Errorf("colours %v: %q", colour, all)
			}
			for line := range strings.Lines(plain) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d of %d characters: %q", n, width, line)
				}
			}
			for _, want := range []string{"2026-11-22 UTC\n", "2026-11-23 UTC\n", " client.pcap:1 ",
				"at ls_in_acl_eval"} {
				if strings.Count(plain, want) != 1 {
					t.Errorf("at %d, %q is not there once:\n%s", width, want, plain)
				}
			}
			if !strings.Contains(plain, " dropped") {
				t.Errorf("the verdict is not there:\n%s", plain)
			}
			if strings.Count(plain, "DNAT") != 1 {
				t.Errorf("a translation is not told once:\n%s", plain)
			}
		}
	}
}
