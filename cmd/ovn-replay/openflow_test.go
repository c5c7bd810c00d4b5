package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sameFlow are cases in which two logical flows make one OpenFlow flow, which
// has the cookie of one of them only.
var sameFlow = map[string]bool{"cloud-lb": true}

// Every logical flow that the packets of a case used is in the switch's tables
// as they were recorded.
func TestSwitchesHaveTheFlowsUsed(t *testing.T) {
	t.Parallel()
	dumps, _ := filepath.Glob("../../testdata/cases/*/br-int.flows*.gz")
	done := map[string]bool{}
	for _, dump := range dumps {
		dir := filepath.Dir(dump)
		if done[dir] || sameFlow[filepath.Base(dir)] {
			continue
		}
		done[dir] = true
		status, out, errs := replayed(t, "run", "--case", dir, "--ovs")
		if status != exitOK || strings.Contains(errs, "that packets used\n") ||
			strings.Contains(errs, "is a part of") || strings.Contains(out, "finding") {
			t.Errorf("%s: status %d, %s", dir, status, errs)
		}
	}
	if len(done) < 100 {
		t.Errorf("only %d cases with a dump", len(done))
	}
}

// without writes a dump of the switch's flows that lacks those of one logical flow.
func without(t *testing.T, cookie string) string {
	t.Helper()
	var kept []string
	for line := range strings.SplitSeq(text(t, cases+"/nodeport/br-int.flows.txt"), "\n") {
		if !strings.Contains(line, "cookie=0x"+cookie+",") {
			kept = append(kept, line)
		}
	}
	file := filepath.Join(t.TempDir(), "flows.txt")
	if err := os.WriteFile(file, []byte(strings.Join(kept, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// run and show tell which flows a packet used that the switch lacks, in every form.
func TestRunAndShowOpenFlow(t *testing.T) {
	t.Parallel()
	const found = "finding: the switch lacks the OpenFlow flows of 1 logical flow(s) that packets used\n    " +
		"b58a56f7-28d2-49b2-8819-478b2663ac5b, ls_in_l2_lkup: "
	session := filepath.Join(t.TempDir(), "session.db")
	dump := without(t, "b58a56f7")
	_, out, errs := replayed(t, "run", "--case", cases+"/nodeport", "--session", session, "--ovs="+dump)
	if !strings.Contains(out, " | finding: no OpenFlow flows of 1 logical flows on its way\n") ||
		!strings.Contains(errs, found) {
		t.Errorf("run: %s", errs)
	}
	_, out, errs = replayed(t, "show", session, "--ovs="+dump+"@4da007a6-ed1d-45ff-bcf4-62ae8914bbbc", "--format",
		"detailed")
	if !strings.Contains(out, "uuid b58a56f7\n    *** no OpenFlow flows\n") ||
		!strings.Contains(out, "\n    cookie=0x") || !strings.Contains(errs, found) {
		t.Errorf("show: %s", errs)
	}
	_, out, _ = replayed(t, "show", session, "--ovs="+dump, "--json")
	lacking, flows := 0, 0
	for line := range strings.Lines(out) {
		var r struct {
			Path []struct {
				Flow     string   `json:"flow"`
				OpenFlow []string `json:"openflow"`
				Lacking  bool     `json:"no_openflow"`
			} `json:"path"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Path {
			flows += len(p.OpenFlow)
			if p.Lacking {
				lacking++
				if !strings.HasPrefix(p.Flow, "b58a56f7") {
					t.Errorf("lacks %s", p.Flow)
				}
			}
		}
	}
	if lacking == 0 || flows == 0 {
		t.Errorf("%d flows lacking, %d flows", lacking, flows)
	}
}

func TestOpenFlowSources(t *testing.T) {
	t.Parallel()
	dump := recorded + "br-int.flows.txt"
	for name, tt := range map[string]struct{ arg, want string }{
		"no such file":  {"no/such.txt", "no such file"},
		"no such table": {cases + "/nodeport/case.json", "no OpenFlow flows"},
		"two for all":   {dump, "there is one already for every chassis"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, errs := replayed(t, "run", "--case", cases+"/nodeport", "--ovs="+dump, "--ovs="+tt.arg)
			if status != exitBad || !strings.Contains(errs, tt.want) {
				t.Errorf("status %d, %s", status, errs)
			}
		})
	}
}

// What a cut dump lacks is no finding, wherever it was cut.
func TestCutDumpIsNoFinding(t *testing.T) {
	t.Parallel()
	whole := text(t, cases+"/nodeport/br-int.flows.txt")
	file := filepath.Join(t.TempDir(), "flows.txt")
	line := strings.LastIndex(whole[:len(whole)/2], "\n") + 1
	for _, at := range []int{len(whole) / 10, len(whole) / 2, len(whole)/2 + 7, line, line + 12, len(whole) * 9 / 10} {
		if err := os.WriteFile(file, []byte(whole[:at]), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{"run", "run --format none", "run --json", "trace -r " + cases +
			"/nodeport/client.pcap#1"} {
			status, out, errs := replayed(t, append(strings.Fields(args), "--case", cases+"/nodeport",
				"--ovs="+file)...)
			if status != exitOK || strings.Contains(out+errs, "finding:") || strings.Contains(out, "no OpenFlow") ||
				strings.Count(errs, "warning: "+file+" is a part of a switch's flows (") != 1 {
				t.Errorf("cut at %d of %d, %s: exit status %d, %s", at, len(whole), args, status, errs)
			}
		}
	}
}

// A finding does not depend on how packets are shown. Here it is of two flows of
// which OVN leaves open which applies: the switch has one.
func TestFindingIsNeverSilent(t *testing.T) {
	t.Parallel()
	const found = "finding: the switch lacks the OpenFlow flows of 2 logical flow(s) with the priority and " +
		"match of one that packets used: OVN leaves open which applies\n    8bda5088-255b-46e5-8666-7e67a7430f50, " +
		"lr_in_dnat (9c06eb53-aa34-4007-aa84-6f125175c526 was used): "
	for _, format := range []string{"line", "none", "json", "detailed", "minimal"} {
		status, _, errs := replayed(t, "run", "--case", cases+"/kube-affinity", "--ovs", "--format", format)
		if status != exitOK || strings.Count(errs, "finding") != 1 || !strings.Contains(errs, found) {
			t.Errorf("--format %s: exit status %d, %s", format, status, errs)
		}
	}
}
