package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/microflow"
	"ovnreplay/sim/replay"
)

// sourcePort is the term of a microflow that a person leaves out, and what flags TCP needs.
var sourcePort = regexp.MustCompile(` && (?:tcp|udp|sctp)\.src == \d+| && tcp\.flags == \S+`)

// A packet that opened a connection in a recording, traced without its source port as a person
// asks, leaves where real OVN let the recorded one leave, with the same addresses and the same
// port of the server: only the source port is another.
func TestTraceWithoutPortsAgainstRecordings(t *testing.T) {
	t.Parallel()
	ports := regexp.MustCompile(`:(\d+) > `)
	traced, translated := 0, 0
	for _, name := range []string{"nodeport", "clusterip", "udp-service", "egress-snat", "kube-dnat",
		"kube-force-snat-ip", "kube-clusterip-v6", "kube-egress-v6", "kube-sctp", "cloud-lb", "cloud-fip-to-fip-26.03",
		"cloud-snat-collision", "cloud-nat-v6", "ic-nodeport"} {
		dir := filepath.Join(cases, name)
		frames, want := openings(t, dir)
		for i, r := range want {
			match := sourcePort.ReplaceAllString(microflow.Express(frames[i], r.Inport), "")
			args := []string{"trace", "--json", "--case", dir, "--all-chassis"}
			for _, n := range r.NAT {
				if n.Kind == "DNAT" {
					args = append(args, "--lb-dst", n.To)
				}
			}
			_, out, errs := replayed(t, append(args, match)...)
			var got []replay.OutInfo
			for line := range strings.Lines(out) {
				var x struct {
					Chassis string           `json:"chassis"`
					Outputs []replay.OutInfo `json:"outputs"`
				}
				if err := json.Unmarshal([]byte(line), &x); err != nil {
					t.Fatalf("%s frame %d: %s: %v %s", name, r.Frame, match, err, errs)
				}
				if x.Chassis == r.Chassis {
					got = x.Outputs
				}
			}
			if !strings.Contains(errs, "not in the microflow, and taken as a sender would: ") {
				t.Errorf("%s frame %d: nothing is said of what was taken:\n%s", name, r.Frame, errs)
			}
			traced++
			if len(r.NAT) > 0 {
				translated++
			}
			of := func(list []replay.OutInfo) (said []string) {
				for _, o := range list {
					said = append(said, o.Port+" "+ports.ReplaceAllString(o.Packet, " > "))
				}
				return said
			}
			if a, b := of(got), of(r.Outputs); !slices.Equal(a, b) {
				t.Errorf("%s frame %d: traced without ports it leaves as %q, recorded as %q\n%s", name, r.Frame, a, b,
					match)
			}
		}
	}
	if traced < 60 || translated < 40 {
		t.Errorf("%d packets, %d of them translated: the test tests less than it should", traced, translated)
	}
}

// openings are the packets of a recording that open connections and were delivered as predicted,
// each with its frame.
func openings(t *testing.T, dir string) (frames [][]byte, records []*replay.Record) {
	t.Helper()
	if v := verifiedCase(dir); v.status != exitOK {
		t.Fatalf("%s: %s", dir, v.errs)
	}
	captures := map[string][]frame{}
	seen := map[string]bool{}
	for line := range strings.Lines(replayedWell(t, "run", "--json", "--case", dir)) {
		r := &replay.Record{}
		if err := json.Unmarshal([]byte(line), r); err != nil {
			t.Fatal(err)
		}
		from, to, _ := strings.Cut(r.Packet, " > ")
		proto, rest, _ := strings.Cut(from, " ")
		answers := slices.ContainsFunc(r.CT, func(c replay.CTInfo) bool { return strings.Contains(c.State, "rpl") })
		opens := proto == "udp" && !answers && !seen[to+" "+rest] || proto == "tcp" && strings.HasSuffix(to, " [S]") ||
			proto == "sctp" && strings.Contains(to, "INIT") && !strings.Contains(to, "ACK")
		seen[rest+" "+to] = true
		if !opens || r.Verdict != "delivered" || len(r.Outputs) == 0 || strings.Contains(from, "fragment") ||
			r.Inferred != "" {
			continue
		}
		if captures[r.Capture] == nil {
			captures[r.Capture] = framesOf(t, r.Capture)
		}
		frames, records = append(frames, captures[r.Capture][r.Frame-1].data), append(records, r)
	}
	return frames, records
}
