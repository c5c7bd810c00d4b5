package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the network no longer has is told of each packet that uses it: addresses
// that have become another's, too; in lines, JSON, annotated captures and sessions.
// A session lists the connections that use it as the replay does.
func TestStaleIsToldOfEachPacket(t *testing.T) {
	t.Parallel()
	dir := "../../testdata/reports/23.03/network-changes"
	session, file := filepath.Join(t.TempDir(), "s.db"), filepath.Join(t.TempDir(), "out.pcapng")
	const owner = "stale: 10.2.0.14 was vm4 until 10:13:57, and is vm4-again now"
	lines := replayedWell(t, "run", "--case", dir, "-w", file)
	if n := strings.Count(lines, owner); n != 2 {
		t.Errorf("%d packets tell of another owner:\n%s", n, lines)
	}
	all := strings.Count(lines, "(stale: ")
	json := 0
	for line := range strings.Lines(replayedWell(t, "run", "--json", "--case", dir)) {
		if strings.Contains(line, `stale: 10.2`) || strings.Contains(line, `"stale":"`) {
			json++
		}
	}
	if all != 8 || json != all {
		t.Errorf("%d packets use what is gone, in JSON %d:\n%s", all, json, lines)
	}
	got := strings.Count(tsharked(t, file, "-Y", `frame.comment contains "note: stale: "`), "\n")
	if got != all {
		t.Errorf("%d packets of the annotated capture say so, %d lines do", got, all)
	}
	replayedWell(t, "run", "--case", dir, "--format", "none", "--db-time", "follow", "--session", session)
	shown := 0
	for line := range strings.Lines(replayedWell(t, "show", session)) {
		if strings.Contains(line, "(stale: ") {
			shown++
		}
	}
	if shown != all {
		t.Errorf("%d packets of the session say so, %d lines do", shown, all)
	}
	stale := regexp.MustCompile(`(?m)^\d+|\| stale: [^|\n]*`)
	var listed [2][]string
	for i, of := range [][]string{{"--case", dir}, {"--session", session}} {
		out := replayedWell(t, append([]string{"connections", "--stale"}, of...)...)
		listed[i] = stale.FindAllString(out, -1)
	}
	if want, kept := listed[0], listed[1]; len(want) != 8 || !slices.Equal(want, kept) {
		t.Errorf("a session lists\n%q, the replay\n%q", kept, want)
	}
}
