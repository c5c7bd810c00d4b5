package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// brokenFlows is the nodeport case's database with flows that do not compile, in
// the first table of the switch at which its client enters. One names 20,000
// addresses.
func brokenFlows(t *testing.T, n int) (db string) {
	t.Helper()
	const worker = "a72824c0-aeba-4a9b-a86b-88445401535a" // ext_ovn-worker
	flows := make([]string, n)
	for i := range flows {
		match := fmt.Sprintf("ip4.src == 10.0.0.%d && tcp.src == {%d..", i, i)
		if i == 0 {
			match = "ip4.src == {10.0.0.1" + strings.Repeat(", 10.0.0.2", 20000) + "} && nonsense"
		}
		flows[i] = fmt.Sprintf(`"00000000-0000-0000-0000-%012x":{"logical_datapath":["uuid",%q],`+
			`"pipeline":"ingress","table_id":0,"priority":7,"match":%q,"actions":"next;","external_ids":["map",`+
			`[["stage-name","ls_in_broken"]]]}`,
			i+1, worker, match)
	}
	return changing(t, filepath.Join(cases, "nodeport", "sb.db"), 1, `"Logical_Flow":{`+strings.Join(flows, ",")+`}`)
}

// Flows that do not compile are told of once a run, with how often they were left
// out and cut to a line, however many packets and forms.
func TestBrokenFlowsAreSaidOnce(t *testing.T) {
	t.Parallel()
	nodeport := filepath.Join(cases, "nodeport")
	db, session := brokenFlows(t, 50), filepath.Join(t.TempDir(), "s.db")
	const told = "logical flow 00000000-0000-0000-0000-000000000002 of ls_in_broken does not compile and was " +
		"left out 20 times since 2026-11-22T10:00:35.5"
	inputs := " --db " + db + " -r " + nodeport + "/client.pcap@breth0_ovn-worker -r " + nodeport + "/nginx.pcap"
	for _, test := range []struct {
		args string
		most int // bytes more than of a database without such flows
	}{
		{"run" + inputs, 1000}, {"run --json" + inputs, 20000}, {"run --format detailed" + inputs, 1000},
		{"run --session " + session + inputs, 1000}, {"show " + session, 1000}, {"show --json " + session, 1000},
		{"verify" + inputs, 100}, {"connections" + inputs, 100}, {"coverage" + inputs, 100},
	} {
		status, out, errs := replayed(t, strings.Fields(test.args)...)
		whole := strings.ReplaceAll(strings.ReplaceAll(test.args, db, nodeport+"/sb.db"), session, session+".whole")
		_, want, _ := replayed(t, strings.Fields(whole)...)
		if status != exitOK || len(out) > len(want)+test.most || len(out) == 0 {
			t.Errorf("%s: exit status %d, %d bytes, without them %d", test.args, status, len(out), len(want))
		}
		if strings.HasPrefix(test.args, "show") {
			continue
		}
		if n := strings.Count(errs, told); n != 1 || !strings.Contains(errs, "40 more logical flows do not compile") ||
			len(errs) > 4000 {
			t.Errorf("%s: said %d times: %s", test.args, n, errs)
		}
	}
	_, out, _ := replayed(t, strings.Fields("run --json"+inputs)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var last boundsJSON
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(last.LeftOut) != 50 ||
		last.LeftOut[7].Count != 20 {
		t.Errorf("%v: %s", err, lines[len(lines)-1])
	}
	if n := strings.Count(out, "does not compile and is left out"); n != 1 {
		t.Errorf("JSON says it of %d packets", n)
	}
	_, out, _ = replayed(t, strings.Fields("verify --json"+inputs)...)
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Bounds == nil || len(r.Bounds.LeftOut) != 50 ||
		len(out) > 20000 {
		t.Errorf("%v: %.1000s", err, out)
	}
	_, out, _ = replayed(t, "db", "info", db)
	if n := strings.Count(out, "unparsed: "); n != 50 || len(out) > 15000 ||
		!strings.Contains(out, "…: Syntax error at `nonsense' expecting field name.") {
		t.Errorf("db info lists %d, %d bytes:\n%s", n, len(out), out)
	}
	_, out, _ = replayed(t, "trace", "--db", db, "-r", nodeport+"/client.pcap#1")
	if n := strings.Count(out, "does not compile"); n != 1 || !strings.Contains(out, "(and 49 more of this table)") {
		t.Errorf("trace says it %d times", n)
	}
}

// A session tells of broken flows once, however often it goes on: with a count
// and since when, both of all of it.
func TestBrokenFlowsAreSaidOnceInASession(t *testing.T) {
	t.Parallel()
	nodeport := filepath.Join(cases, "nodeport")
	db, session := brokenFlows(t, 5), filepath.Join(t.TempDir(), "s.db")
	args := []string{"run", "--json", "--session", session, "--db", db, "-r",
		nodeport + "/client.pcap@breth0_ovn-worker"}
	const since = "since 2026-11-22T10:00:35.5"
	if _, out, errs := replayed(t, args...); strings.Count(out, "does not compile and is left out") != 1 ||
		!strings.Contains(errs, "left out 20 times "+since) {
		t.Fatal(errs)
	}
	args[len(args)-1] = floodOf(t, "UDP", 30) + "@breth0_ovn-worker"
	_, out, errs := replayed(t, args...)
	if strings.Contains(out, "does not compile and is left out") ||
		!strings.Contains(errs, "left out 50 times "+since) {
		t.Errorf("a session that goes on says: %s", errs)
	}
}
