package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/ledger"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/why"
)

// ends are the decisions by which a packet does not leave.
var ends = map[string]bool{why.Dropped.String(): true, why.Answered.String(): true, why.Held.String(): true,
	why.Taken.String(): true, why.Unknown.String(): true}

// Where a packet ended is one stage, and what decided so another, of an ACL or port security an
// earlier one: run, connections, CSV and the plugin's fields say the same of both.
func TestStagesAreTheSameEverywhere(t *testing.T) {
	for _, name := range []string{
		"kube-acl-verdicts-26.03", "cloud-acl-tiers-26.03", "cloud-vrrp-26.03", "cloud-arp-nd", "kube-cold-ingress",
		"cloud-fragments", "cloud-activation-26.03",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			var want strings.Builder
			said, apart := map[string]bool{}, 0
			for _, r := range packets(t, name) {
				if r.Verdict == "delivered" {
					continue
				}
				var by replay.DecisionInfo
				for _, d := range r.Decided {
					if ends[d.Kind] {
						by = d
					}
				}
				end := cmp.Or(r.Drop, r.Unknown, &replay.DropInfo{Stage: by.At})
				if end.Stage != by.At || by.Stage == "" && by.Flow != "" {
					t.Errorf("frame %d: %q, decided %+v", r.Frame, end.Stage, by)
				}
				if by.At != by.Stage {
					apart++
				}
				stage := by.Stage
				if strings.HasPrefix(stage, "ls_") || strings.HasPrefix(stage, "lr_") || stage == "" {
					want.WriteString(by.At + "\t" + stage + "\n")
				}
				said[by.At+" "+by.Stage+" "+by.Text] = true
			}
			if apart == 0 && strings.Contains(name, "acl") {
				t.Error("no flow decided before the stage that drops")
			}
			file := annotated(t, "--case", dir)
			got := tsharked(t, file, "-Y", `ovn.reason`, "-T", "fields", "-e", "ovn.stage", "-e", "ovn.decided.stage")
			if got != want.String() {
				t.Errorf("the plugin has\n%s\nrun --json\n%s", got, want.String())
			}
			if got := tsharked(t, file, "-Y", `ovn.reason && !ovn.cause`); got != "" {
				t.Errorf("without a cause:\n%s", got)
			}
			rows := json.NewDecoder(strings.NewReader(replayedWell(t, "connections", "--json", "--case", dir)))
			table, err := csv.NewReader(strings.NewReader(replayedWell(t, "connections", "--csv", "--case",
				dir))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; rows.More(); n++ {
				var row ledger.Row
				if err := rows.Decode(&row); err != nil {
					t.Fatal(err)
				}
				for _, d := range append(row.Drops, row.Instead...) {
					if d.What != "not translated back" && !saidOf(said, d) {
						t.Errorf("connection %d: %+v is not what run says: %v", row.ID, d, said)
					}
				}
				var first ledger.RowDrop
				if len(row.Drops) > 0 {
					first = row.Drops[0]
				}
				if csvOf(table, n, "drop_stage") != first.Stage || csvOf(table, n, "decided_stage") != first.Decided {
					t.Errorf("connection %d: %v, want %+v", row.ID, table[n], first)
				}
			}
		})
	}
}

// saidOf reports whether run says of a packet what a connection's row says of those that ended alike.
func saidOf(said map[string]bool, d ledger.RowDrop) bool {
	for text := range said {
		head := d.Stage + " " + d.Decided + " "
		if rest, ok := strings.CutPrefix(text, head); ok && strings.HasSuffix(d.Reason, rest) {
			return true
		}
	}
	return false
}

// csvOf is a column's field of a row.
func csvOf(table [][]string, row int, column string) string {
	for i, name := range table[0] {
		if name == column {
			return table[row][i]
		}
	}
	return "no such column"
}

// run, show of a session, all of it or a part, and connections number connections alike, in JSON.
func TestConnectionsHaveTheirNumbersInJSON(t *testing.T) {
	t.Parallel()
	const name = "nodeport"
	file := filepath.Join(t.TempDir(), "s.db")
	replayedWell(t, "run", "-q", "--case", filepath.Join(cases, name), "--session", file)
	all := packets(t, name)
	conns := func(text string) (list []int) {
		for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
			var r replay.Record
			if err := d.Decode(&r); err != nil {
				t.Fatal(err)
			}
			list = append(list, r.Conn)
		}
		return list
	}
	var want []int
	of := map[int]int{} // packets, by connection
	for _, r := range all {
		want = append(want, r.Conn)
		of[r.Conn]++
	}
	if got := conns(replayedWell(t, "show", "--json", file)); !slices.Equal(got, want) || len(of) < 3 {
		t.Errorf("show: %v, want %v", got, want)
	}
	// The first three that are shown twice, before others: what was told does not count again.
	some := slices.Concat(want[8:12], want[4:5], want[6:7], want[:3], want[:3], want[14:])
	got := conns(replayedWell(t, "show", "--json", file, "9-12", "5", "7", "1-3", "1-3", "15-21"))
	if !slices.Equal(got, some) {
		t.Errorf("show of some: %v, want %v", got, some)
	}
	rows := json.NewDecoder(strings.NewReader(replayedWell(t, "connections", "--json", "--session", file)))
	for rows.More() {
		var row ledger.Row
		if err := rows.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if of[row.ID] < row.Original.Packets {
			t.Errorf("%d packets of connection %d, want %d at least", of[row.ID], row.ID, row.Original.Packets)
		}
	}
}
