package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A profile is never written over what a command reads, whichever command reads it, however it is named and
// called; and that is said before the work is done, not after.
func TestProfileIsNeverAnInput(t *testing.T) {
	dir := copied(t, "sb.db", "client.pcap", "nginx.pcap", "pod2.pcap", "case.json", "ct-zone-list.txt",
		"br-int.flows.txt")
	t.Chdir(dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	for _, line := range []string{
		"run --case . --format none --session s.db", "db snapshot sb.db one --store st.db", "db snapshot sb.db one",
		"conntrack export s.db -o dump.txt --format dpctl",
	} {
		if status, _, errs := replayed(t, strings.Fields(line)...); status != exitOK {
			t.Fatalf("%s: %s", line, errs)
		}
	}
	os.Mkdir("folder", 0o755)
	os.Mkdir("links", 0o755)
	os.Link("sb.db", "folder/hard.db")
	os.Symlink("../sb.db", "links/soft.db")
	os.Symlink("sb.db", "soft.db")
	os.Link("sb.db", "hard.db")
	const port = "breth0_ovn-worker"
	for _, test := range []struct{ args, victim string }{
		{"db info sb.db", "sb.db"}, {"db info sb.db", "./sb.db"}, {"db info soft.db", "sb.db"},
		{"db info hard.db", "sb.db"}, {"db info sb.db", "soft.db"}, {"db info", "sb.db"},
		{"db history sb.db", "sb.db"}, {"db snapshot sb.db two --store st.db", "sb.db"},
		{"db snapshot sb.db two --store st.db", "st.db"}, {"db list --store=st.db", "st.db"},
		{"db list", "state/ovn-replay/store.db"}, {"db diff sb.db snapshot:one", "sb.db"},
		{"db diff snapshot:one sb.db", "sb.db"}, {"db gather folder", "sb.db"}, {"db gather links", "sb.db"},
		{"db gather folder", "folder/hard.db"}, {"lflow annotate --db sb.db", "sb.db"},
		{"conntrack states -r client.pcap", "client.pcap"}, {"conntrack states -rclient.pcap", "client.pcap"},
		{"conntrack import dump.txt", "dump.txt"}, {"conntrack list s.db", "s.db"},
		{"conntrack list s.db --compare dump.txt", "dump.txt"}, {"conntrack list s.db --compare dump.txt", "s.db"},
		{"trace --db sb.db -r client.pcap#1", "client.pcap"},
		{"trace --db sb.db -r client.pcap@" + port + "#1", "client.pcap"}, {"show s.db", "s.db"},
		{"why --session s.db 1", "s.db"}, {"who --session s.db 10.244.1.3", "s.db"},
		{"connections --session s.db", "s.db"}, {"coverage --session s.db", "s.db"},
		{"trace --session s.db --db sb.db x", "s.db"}, {"verify --case .", "nginx.pcap"},
		{"run --db sb.db -r *.pcap -q", "nginx.pcap"}, {"coverage --case .", "case.json"},
		{"why --case . 1", "pod2.pcap"}, {"trace --case . x", "sb.db"}, {"trace --case . -r client.pcap#1", "sb.db"},
		{"conntrack list --case .", "ct-zone-list.txt"},
		{"who --case . 10.244.1.3", "sb.db"},
		{"connections --case .", "nginx.pcap"}, {"report --case . -o x", "sb.db"},
		{"diff --case . --db sb.db", "client.pcap"},
		{"report --case . -o new.html", "new.html"}, {"run --case . -q -w new.pcapng", "./new.pcapng"},
	} {
		os.Unsetenv("OVN_SB_DB")
		if test.args == "db info" {
			t.Setenv("OVN_SB_DB", "sb.db")
		}
		before, _ := os.ReadFile(test.victim)
		status, out, errs := replayed(t, append(strings.Fields(test.args), "--cpuprofile", test.victim)...)
		after, _ := os.ReadFile(test.victim)
		if status != exitBad || !strings.Contains(errs, "name another file with --cpuprofile") &&
			!strings.Contains(errs, "is also what --cpuprofile writes") || out != "" {
			t.Errorf("%s --cpuprofile %s: exit status %d, %d bytes said, %q", test.args, test.victim, status, len(out),
				errs)
		}
		if before != nil && !bytes.Equal(before, after) {
			t.Errorf("%s --cpuprofile %s: it is changed", test.args, test.victim)
			os.WriteFile(test.victim, before, 0o600)
		}
	}
	for _, line := range []string{"db info sb.db --cpuprofile cpu", "verify --case . -q --cpuprofile=cpu",
		"--cpuprofile cpu db list"} {
		if status, _, errs := replayed(t, strings.Fields(line)...); status != exitOK {
			t.Errorf("%s: exit status %d, %s", line, status, errs)
		}
		if info, err := os.Stat("cpu"); err != nil || info.Size() == 0 {
			t.Errorf("%s: no profile: %v", line, err)
		}
	}
}
