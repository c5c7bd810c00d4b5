package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A session tells what its packets met as the replay does: each flow with where it is, each
// backend with its load balancer. It does not know what else the network has, or has no more.
func TestCoverageOfSessions(t *testing.T) {
	t.Parallel()
	was := regexp.MustCompile(` of the network as it was, flow (\w+)`)
	met := regexp.MustCompile(`packets, (of \d+ logical flows (\d+)|(\d+) logical flows) were met`)
	for _, name := range []string{"ic-egress-moves-25.03", "ic-nodeport", "kube-clusterip-v6"} {
		dir, session := cases+"/"+name, filepath.Join(t.TempDir(), "session")
		if status, _, errs := replayed(t, "run", "-q", "--case", dir, "--session", session); status != exitOK {
			t.Fatal(errs)
		}
		replay := replayedWell(t, "coverage", "--case", dir)
		kept := replayedWell(t, "coverage", "--session", session)
		for _, line := range was.FindAllStringSubmatch(replay, -1) {
			if row := lineWith(kept, "flow "+line[1]); row == "" || strings.Contains(row, "of the network") {
				t.Errorf("%s: where flow %s was met is not said: %s", name, line[1], row)
			}
		}
		for line := range strings.Lines(replay) {
			if !was.MatchString(line) && !met.MatchString(line) && !strings.Contains(kept, line) {
				t.Errorf("%s: the session lacks %s", name, line)
			}
		}
		if a, b := strings.Count(replay, "\n"), strings.Count(kept, "\n"); a != b {
			t.Errorf("%s: %d lines of the replay, %d of the session", name, a, b)
		}
		a, b := met.FindStringSubmatch(replay), met.FindStringSubmatch(kept)
		if a == nil || b == nil || a[2] != b[3] {
			t.Errorf("%s: the replay says %q, the session %q", name, a, b)
		}
	}
}
