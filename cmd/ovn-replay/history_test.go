package main

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// changing writes a copy of a case's database to which a transaction is added
// that takes effect at a moment (milliseconds since the Unix epoch).
func changing(t *testing.T, db string, at int64, change string) string {
	t.Helper()
	data, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{%s,"_date":%d,"_comment":"changed by the test"}`+"\n", change, at)
	data = append(data, fmt.Sprintf("OVSDB JSON %d %x\n%s", len(body), sha1.Sum([]byte(body)), body)...)
	file := filepath.Join(t.TempDir(), "sb.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The service's backend changes after the captured session: the last state of
// the database predicts other packets than were seen, the state of their own
// moment the right ones.
func TestEachPacketMeetsTheNetworkOfItsMoment(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	flow := ""
	for _, r := range packets(t, "nodeport") {
		for _, n := range r.NAT {
			if n.Stage == "lr_in_dnat" && n.Kind == "DNAT" {
				flow = n.Flow
			}
		}
	}
	if flow == "" {
		t.Fatal("no flow translates the nodePort")
	}
	// 10:00:35.7, between the two sessions of the capture.
	between := int64(1795341635700)
	db := changing(t, dir+"/sb.db", between,
		`"Logical_Flow":{"`+flow+`":{"actions":"flags.force_snat_for_lb = 1; ct_lb_mark(backends=10.244.1.9:80; `+
			`force_snat);"}}`)
	args := []string{"verify", "--db", db, "-r", dir + "/client.pcap@breth0_ovn-worker", "-r", dir + "/nginx.pcap",
		"--ct-profile", "ovs-userspace", "--json", "--no-infer"}
	report := func(more ...string) (int, replay.Report) {
		status, out, errs := replayed(t, append(args, more...)...)
		var r replay.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s", err, errs)
		}
		return status, r
	}
	whole, last := report()
	_, followed := report("--db-time", "follow")
	if whole != exitDifference || last.Matched >= followed.Matched || followed.Matched < 10 {
		t.Errorf("matched %d with the last state, %d following the history", last.Matched, followed.Matched)
	}
	if last.Outdated == 0 || !strings.Contains(last.Missing[0].Reason, "--db-time follow") {
		t.Errorf("%d differences are explained by the change; the first: %+v", last.Outdated, last.Missing)
	}
	before, _ := report("--db-time", "2026-11-22T10:00:00Z")
	if before != exitOK {
		t.Error("the network of before the change does not predict the capture")
	}
	if status, _, errs := replayed(t, append(args, "--db-time", "yesterday")...); status != exitBad ||
		!strings.Contains(errs, "--db-time") {
		t.Errorf("exit status %d: %s", status, errs)
	}
}
