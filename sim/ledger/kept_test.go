package ledger_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim/job"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/why"
	"ovnreplay/store"
)

// A session tells of every packet and every connection what the captures tell: which binding an
// answer needed, which flow would have given a backend, whose Ethernet address it was, what a
// zone lacks, that a switch has no stateful ACL, what the network no longer has, what people
// called an address when it was met, which packets fared otherwise, what never left.
func TestSessionsTellAll(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, dir := range []string{
		"cases/cloud-equal-priorities", "cases/cloud-lb-fip", "cases/ic-changes", "cases/kube-sctp",
		"cases/kube-fragments", "cases/random-cloud-10", "cases/random-kube-changing-105-26.03",
		"reports/23.03/network-changes", "reports/23.03/r-frag-est", "reports/26.03/r-lb-own-network",
	} {
		dir = filepath.Join("../../testdata", dir)
		here, kept := told(t, dir, ""), told(t, dir, keep(t, dir))
		if len(here) != len(kept) {
			t.Fatalf("%s: %d packets and lines, its session has %d", dir, len(here), len(kept))
		}
		for i := range here {
			if here[i] != kept[i] {
				t.Errorf("%s: its session says\n%s\nthe captures\n%s", dir, kept[i], here[i])
			}
			for _, s := range tellingAll {
				said[s] = said[s] || strings.Contains(here[i], s)
			}
		}
	}
	for _, s := range tellingAll {
		if !said[s] {
			t.Errorf("nothing says %q: the test tests less than it should", s)
		}
	}
}

var tellingAll = []string{
	"needed: ", "not given a backend: ", "which is that of ", "has no route to ", " of node2 over the",
	"it has no stateful ACL", "by its connection, which keeps it", "(vm4)", "(vm4-again)", "compared with ",
	"not seen to leave at ",
}

// told is what is told of every packet of a case or, if it is named, of a session of it, and of
// its connections.
func told(t *testing.T, dir, session string) []string {
	t.Helper()
	var s *ledger.Stories
	spec := job.Spec{Case: dir, Quiet: true, Stderr: &strings.Builder{}}
	if session != "" {
		spec = job.Spec{}
	}
	err := spec.Each(context.Background(), session, func(x *why.Explainer, j *job.Job) (replay.Handler, error) {
		var taps []*replay.Tap
		if j != nil {
			taps = j.Taps
		}
		s = ledger.NewStories(x, taps, "")
		return s, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var rows bytes.Buffer
	if err := s.Print(&rows, s.Conns, ledger.Full); err != nil {
		t.Fatal(err)
	}
	return append(s.All(), strings.Split(rows.String(), "\n")...)
}

// keep replays a case into a session.
func keep(t *testing.T, dir string) (session string) {
	t.Helper()
	ctx := context.Background()
	session = filepath.Join(t.TempDir(), "s.db")
	j, err := (&job.Spec{Case: dir, Quiet: true, Stderr: &strings.Builder{}}).Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	file, err := store.OpenSession(session, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := j.KeepIn(ctx, file, replay.Handlers(), conntrack.Time(job.LookAhead)); err != nil {
		t.Fatal(err)
	}
	return session
}
