package main

import (
	"regexp"
	"strings"
	"testing"
)

// A packet that met flows made of a Northbound row that the snapshot beside them has no more is told so, and one
// that came after the change is not.
func TestRowsOfASnapshotAreToldAsOfIt(t *testing.T) {
	t.Parallel()
	const changed = "10:13:57"
	const said = "as of the snapshot, after a change at 2026-11-28T" + changed + "Z: udp 203.0.113.120:5353"
	row := regexp.MustCompile(`(?m)^# (\S{8}).* by load balancer "mv" of router r1 \((.*?)\)`)
	out := replayedWell(t, "run", "--format", "detailed", "--case", "../../testdata/reports/23.03/network-changes")
	found := row.FindAllStringSubmatch(out, -1)
	if len(found) == 0 {
		t.Fatalf("no packet is translated by the load balancer:\n%s", out)
	}
	for _, m := range found {
		if before := m[1] <= changed; strings.HasPrefix(m[2], said) != before {
			t.Errorf("at %s the row is told as %q", m[1], m[2])
		}
	}
}

// What coverage lists is as it was at the end of the captures.
func TestCoverageTellsRowsAsOfTheEnd(t *testing.T) {
	t.Parallel()
	out := replayedWell(t, "coverage", "--untouched", "--case", "../../testdata/reports/23.03/network-changes")
	if !strings.Contains(out, `load balancer "mv" of router r1 (udp 203.0.113.120:5353`) ||
		strings.Contains(out, "as of the snapshot") {
		t.Errorf("the rows are not told as they are in the end:\n%s", out)
	}
}
