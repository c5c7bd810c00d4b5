package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// A database that begins after the captures may be of another network: that is said where
// something differs, and only there.
func TestDatabaseOfAfterTheCapturesIsSaid(t *testing.T) {
	t.Parallel()
	const name = "117-acl-reject"
	dir := filepath.Join(unpackSystemTests(t, name), name)
	db := filepath.Join(t.TempDir(), "sb.db")
	put(t, db, read(t, filepath.Join(dir, "sb.db")))
	if out, err := exec.Command(needsTool(t, "ovsdb-tool"), "compact", db).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r, status := verdictOf(t, "--case", dir, "--db", db)
	if status != exitDifference {
		t.Fatalf("status %d: the recording does not need its history any more", status)
	}
	var said []string
	for _, g := range r.Groups {
		if g.Cause == replay.CauseDatabase {
			said = append(said, strings.Join(g.Evidence, "; ")+" "+g.Advice)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "after the captures") || !strings.Contains(said[0], "history") {
		t.Errorf("said %q", said)
	}
	if r, status := verdictOf(t, "--case", filepath.Join(cases, "nodeport")); status != exitOK || len(r.Groups) > 0 {
		t.Errorf("status %d, groups %v where nothing differs", status, r.Groups)
	}
}

// --db-time off is the last state, as last is.
func TestFollowingIsTurnedOff(t *testing.T) {
	t.Parallel()
	const name = "117-acl-reject"
	dir := filepath.Join(unpackSystemTests(t, name), name)
	_, last := verdictOf(t, "--case", dir, "--db-time", "last")
	_, off := verdictOf(t, "--case", dir, "--db-time", "off")
	if last != exitDifference || off != last {
		t.Errorf("status %d with last, %d with off", last, off)
	}
}

// A change of just before the captures may not be installed yet when they begin.
func TestNetworkChangedJustBeforeTheCaptures(t *testing.T) {
	t.Parallel()
	const name = "149-test-packet-drops-due-to-incorrect-flows-in-physical-table-3"
	dir := filepath.Join(unpackSystemTests(t, name), name)
	args := mutated(t, dir, "lateall=0.861", 1).save(t, t.TempDir())
	status, out, errs := replayed(t, append([]string{"verify"}, args...)...)
	if status != exitOK || !strings.Contains(errs, "since just before the captures") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}
