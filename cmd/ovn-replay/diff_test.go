package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// The same packets on a network and on itself fare the same; on one where an
// ACL, a backend, an address or a route was changed some do not, and the flow
// that was changed is named.
func TestDiff(t *testing.T) {
	t.Parallel()
	c := openCase(t, cases+"/nodeport")
	args := []string{"diff", "--db", c.dir + "/sb.db", "--ct-profile", "ovs-userspace",
		"-r", c.dir + "/client.pcap@breth0_ovn-worker", "-r", c.dir + "/nginx.pcap"}
	if status, out, errs := replayed(t, append(args, "--db", c.dir+"/sb.db")...); status != exitOK ||
		!strings.Contains(out, " 0 fare differently") {
		t.Errorf("with itself: exit status %d\n%s%s", status, out, errs)
	}
	for _, m := range mutations {
		flows := c.visited(m)
		if len(flows) == 0 {
			t.Errorf("%s: the case has no such flow", m.name)
			continue
		}
		f := flows[0]
		other := filepath.Join(c.mutated(t, f.UUID, m.change(f)), c.db)
		status, out, errs := replayed(t, append(args, "--db", other, "--json")...)
		if status != exitDifference {
			t.Errorf("%s: exit status %d: %s", m.name, status, errs)
			continue
		}
		named := false
		d := json.NewDecoder(strings.NewReader(out))
		for d.More() {
			var x replay.FateDifference
			if err := d.Decode(&x); err != nil {
				t.Fatal(err)
			}
			named = named || x.A.Flow != nil && x.A.Flow.UUID == f.UUID && x.B.Flow.UUID == f.UUID
		}
		if !named {
			t.Errorf("%s: flow %s is not named in\n%.2000s", m.name, f.UUID, out)
		}
		_, text, _ := replayed(t, append(args, "--db", other)...)
		if !strings.Contains(text, "fare differently") || !strings.Contains(text, f.UUID) {
			t.Errorf("%s: for people:\n%.1000s", m.name, text)
		}
	}
}

func TestDiffNeedsTwoDatabases(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"diff", "--db", cases + "/nodeport/sb.db", "-r", cases + "/nodeport/client.pcap"},
		{"diff", "--case", cases + "/nodeport"},
	} {
		status, _, errs := replayed(t, args...)
		if status != exitBad || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "--db B") {
			t.Errorf("%v: exit status %d, %q", args, status, errs)
		}
	}
}

// A case's own network against another.
func TestDiffOfACase(t *testing.T) {
	t.Parallel()
	status, out, errs := replayed(t, "diff", "--case", cases+"/nodeport", "--db", cases+"/nodeport/sb.db")
	if status != exitOK {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}
