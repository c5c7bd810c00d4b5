package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// What --json says flows did to a packet that goes on is in its comments, once and under a field of its own: who
// rerouted, marked and translated it, and which binding it passed by.
func TestCommentsTellWhatJSONDecides(t *testing.T) {
	for name, least := range map[string]map[string]int{
		"kube-policy-reroute-26.03": {"rerouted": 10},
		"kube-qos":                  {"marked": 3},
		"cloud-stale-26.03":         {"untranslated": 1, "translated": 4, "stale": 1},
		"cloud-lb-fip":              {"untranslated": 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := cases + "/" + name
			file := annotated(t, "--case", dir)
			told := map[string][]string{} // by where a packet is from
			for row := range strings.Lines(tsharked(t, file, "-Y", `ovn.verdict != "predicted" && ovn.from`, "-T",
				"fields", "-E", "aggregator=#", "-e", "ovn.from", "-e", "ovn.rerouted", "-e", "ovn.marked", "-e",
				"ovn.untranslated", "-e", "ovn.nat", "-e", "ovn.nat.by")) {
				c := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
				told[c[0]] = c[1:]
			}
			met := map[string]int{}
			for line := range strings.Lines(replayedWell(t, "run", "--json", "--case", dir)) {
				var r replay.Record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatal(err)
				}
				want := map[string][]string{}
				for _, d := range r.Decided {
					text := d.Text
					switch {
					case d.Kind == "translated" && d.Stale != "":
						met["stale"]++
						text = "its connection, which keeps it"
					case d.Kind == "translated" && d.Object != nil:
						text = d.Object.String()
					case d.Kind == "translated" || d.Kind == "rewritten":
						continue
					}
					met[d.Kind]++
					if !slices.Contains(want[d.Kind], text) {
						want[d.Kind] = append(want[d.Kind], text)
					}
				}
				from := fmt.Sprintf("%s:%d at %s", r.Capture, r.Frame, r.Inport)
				for i, kind := range []string{"rerouted", "marked", "untranslated"} {
					if got, want := told[from][i], strings.Join(want[kind], "#"); got != want {
						t.Errorf("%s: %s %q, want %q", from, kind, got, want)
					}
				}
				for _, by := range want["translated"] {
					if !strings.Contains("#"+told[from][4]+"#", "#"+by+"#") {
						t.Errorf("%s: translated by %q, want %q", from, told[from][4], by)
					}
				}
			}
			for kind, n := range least {
				if met[kind] < n {
					t.Errorf("%d packets are %s: the test tests nothing", met[kind], kind)
				}
			}
		})
	}
}
