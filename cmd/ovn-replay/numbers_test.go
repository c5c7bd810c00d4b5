package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A connection has one number: in what connections, who and why say, as a filter,
// in annotated captures, reports and sessions, those that went on too.
func TestConnectionsHaveOneNumber(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "kube-affinity", "cloud-lb", "cloud-ttl-exceeded", "ic-warm"} {
		dir := filepath.Join(cases, name)
		file, session := filepath.Join(t.TempDir(), "out.pcapng"), filepath.Join(t.TempDir(), "s.db")
		replayedWell(t, "run", "--case", dir, "--format", "none", "-w", file)
		annotated := numbered(t, file)
		listed := map[string]int{} // "number" of connections, to its packets
		for line := range strings.Lines(replayedWell(t, "connections", "--json", "--case", dir)) {
			var c struct {
				Number int `json:"id"`
			}
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			listed[strconv.Itoa(c.Number)]++
		}
		if len(listed) == 0 || !maps.Equal(keys(annotated), keys(listed)) {
			t.Errorf("%s: annotated are connections %v, listed %v", name, sorted(annotated), sorted(listed))
		}
		for n, frames := range annotated {
			lines := strings.Count(replayedWell(t, "run", "--case", dir, "--filter", "conn == "+n), "\n")
			if lines != frames {
				t.Errorf("%s: conn == %s selects %d packets, %d are annotated so", name, n, lines, frames)
			}
		}
		replayedWell(t, "run", "--case", dir, "--format", "none", "--session", session)
		one := replayedWell(t, "connections", "--case", dir)
		other := replayedWell(t, "connections", "--session", session)
		if a, b := tuples(one), tuples(other); !slices.Equal(a, b) {
			t.Errorf("%s: a session numbers otherwise:\n%s\n%s", name, one, other)
		}
	}
}

// A session that goes on numbers on.
func TestSessionsNumberOn(t *testing.T) {
	t.Parallel()
	nodeport := filepath.Join(cases, "nodeport")
	session, file := filepath.Join(t.TempDir(), "s.db"), filepath.Join(t.TempDir(), "out.pcapng")
	args := []string{"run", "--format", "none", "--session", session, "--db", nodeport + "/sb.db", "-r"}
	replayedWell(t, append(args, nodeport+"/client.pcap@breth0_ovn-worker")...)
	replayedWell(t, append(args, floodOf(t, "UDP", 3)+"@breth0_ovn-worker", "-w", file)...)
	rows := tuples(replayedWell(t, "connections", "--session", session))
	if got := sorted(numbered(t, file)); len(rows) != 5 || !slices.Equal(got, []string{"3", "4", "5"}) {
		t.Errorf("the second run numbers its connections %v; the session has %q", got, rows)
	}
}

// replayedWell is what a command line that must work prints.
func replayedWell(t *testing.T, args ...string) string {
	t.Helper()
	status, out, errs := replayed(t, args...)
	if status != exitOK {
		t.Fatalf("%s: exit status %d: %s", strings.Join(args, " "), status, errs)
	}
	return out
}

// numbered are the connections' numbers of an annotated capture, to how many
// packets entered with each.
func numbered(t *testing.T, file string) map[string]int {
	t.Helper()
	found := map[string]int{}
	const entered = "ovn.conn && frame.packet_flags_direction == 1"
	for line := range strings.Lines(tsharked(t, file, "-Y", entered, "-T", "fields", "-e", "ovn.conn")) {
		found[strings.TrimSpace(line)]++
	}
	return found
}

// tuples are the numbers of listed connections with what they begin with.
func tuples(listed string) (out []string) {
	for _, m := range regexp.MustCompile(`(?m)^(\d+) +(\S+ \S+ \S+)`).FindAllStringSubmatch(listed, -1) {
		out = append(out, fmt.Sprint(m[1], " ", m[2]))
	}
	return out
}

func keys(m map[string]int) map[string]int {
	out := map[string]int{}
	for k := range m {
		out[k] = 1
	}
	return out
}

func sorted(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
