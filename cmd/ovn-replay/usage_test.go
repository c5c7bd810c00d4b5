package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be meant is refused, with what to do, and in few words: an output without a name, a flag of what is
// written where nothing is, too few arguments.
func TestUselessUsageIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	long := "ip4 && (" + strings.Repeat("tcp.dst == 80 || ", 8000) + "nothing == 1)"
	page := filepath.Join(t.TempDir(), "v.html")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"run", "-q", "--case", dir, "-w", ""}, "--write: the name is empty; name a file"},
		{[]string{"run", "-q", "--case", dir, "--session="}, "--session: the name is empty; name a file"},
		{[]string{"verify", "--case", dir, "--junit", ""}, "--junit: the name is empty; name a file"},
		{[]string{"verify", "--case", dir, "--cpuprofile", ""}, "--cpuprofile: the name is empty; name a file"},
		{[]string{"conntrack", "export", "--case", dir, "-o", ""}, "--output: the name is empty; name a file"},
		{[]string{"run", "-q", "--case", dir, "--hops"}, "--hops: is of what is written: name a file with -w"},
		{[]string{"run", "-q", "--case", dir, "--epb-verdict"}, "--epb-verdict: is of what is written: name a file"},
		{[]string{"db", "snapshot", "list"}, `missing after "list"; usage: ovn-replay db snapshot SOURCE NAME`},
		{[]string{"db", "diff", "a"}, `an argument is missing after "a"; usage: `},
		{[]string{"run", "-q", "--case", dir, "--filter", long}, "--filter: "},
		{[]string{"report", "--case", dir, "--pcap-filter", "tcp port 1", "-o", page}, "--pcap-filter selects none"},
		{[]string{"verify", "--case", dir, "--pcap-filter", "tcp port 1"}, "--pcap-filter selects none"},
	} {
		status, out, errs := replayed(t, c.args...)
		if status != exitBad || !strings.Contains(errs, c.says) || len(errs) > 2000 {
			t.Errorf("%.100q: exit status %d, %d bytes: %.300q %.100q", c.args, status, len(errs), errs, out)
		}
	}
}
