package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/inventory"
	"ovnreplay/sim/replay"
)

// Flows of equal priority that match the same packets: the dump of a switch's flows
// tells which it uses, and without one what the captures show; either way it is said.
func TestEqualPriorities(t *testing.T) {
	t.Parallel()
	const name = "cloud-equal-priorities"
	without := t.TempDir()
	if err := os.CopyFS(without, os.DirFS(filepath.Join(cases, name))); err != nil {
		t.Fatal(err)
	}
	dropDumps(t, filepath.Join(without, "case.json"))
	for _, dir := range []string{filepath.Join(cases, name), without} {
		status, stdout, stderr := replayed(t, "verify", "--case", dir, "--json")
		if status != 0 {
			t.Fatalf("%s: status %d\n%.500s%.2000s", dir, status, stderr, stdout)
		}
		var r replay.Report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		used := map[string]string{}
		for _, x := range r.Ties {
			used[x.Used.Match] = x.Other.Match
		}
		for match, other := range map[string]string{
			"reg0[7] == 1 && (udp.dst == 5353)": "reg0[9] == 1 && (ip4.src == 10.1.0.11 && udp.src == 47001)",
			"reg0[7] == 1 && (udp.dst == 9999)": "reg0[9] == 1 && (ip4.src == 10.1.0.11 && udp.src == 47002)",
			"udp.src == 47013":                  "ip4.src == 10.1.0.12",
		} {
			if used[match] != other {
				t.Errorf("%s: %q is said to be used, not %q; want %q", dir, match, used[match], other)
			}
		}
	}
}

// dropDumps makes a case forget the dumps of its switches' flows.
func dropDumps(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if _, ok := c["openflow"]; !ok {
		t.Fatalf("%s has no dumps", file)
	}
	delete(c, "openflow")
	if text, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// db info lists such pairs of northbound rows, once each, and none of a network that
// has several ACLs of one priority with the same verdict.
func TestTiesAreListed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]int{
		"cloud-equal-priorities": {"ls_in_acl": 4, "lr_in_policy": 3, "lr_in_dnat": 1},
		"cloud-ctl-dns":          {}, // DNS flows of one match, for IPv4 and for IPv6
	} {
		status, stdout, stderr := replayed(t, "db", "info", "--json", filepath.Join(cases, name, "sb.db.gz"))
		if status != 0 {
			t.Fatalf("%s: status %d %s", name, status, stderr)
		}
		var i inventory.Inventory
		if err := json.Unmarshal([]byte(stdout), &i); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, x := range i.Ties {
			got[x.Stage]++
			if len(x.Flows) != 2 || len(x.Matches) != 2 || x.Actions[0] == x.Actions[1] {
				t.Errorf("%s: %+v", name, x)
			}
		}
		if len(got) != len(want) || !i.AllTies {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for stage, n := range want {
			if got[stage] != n {
				t.Errorf("%s: %d in %s, want %d", name, got[stage], stage, n)
			}
		}
	}
}

// trace takes ovn-trace's choice where no packet decides, and says that it is one.
func TestTraceSaysTies(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := replayed(t, "trace", "--db", filepath.Join(cases, "cloud-equal-priorities", "sb.db.gz"),
		`inport == "vm1" && eth.src == fa:16:3e:0a:00:11 && eth.dst == fa:16:3e:0a:00:12 && ip4.src == 10.1.0.11 && `+
			`ip4.dst == 10.1.0.12 && ip.ttl == 64 && udp.src == 47001 && udp.dst == 5353`)
	if status > 1 || !strings.Contains(stdout, "tie-undefined") {
		t.Errorf("status %d, %s\n%.3000s", status, stderr, stdout)
	}
}
