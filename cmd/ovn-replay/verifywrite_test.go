package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// In what verify -w writes, the word selects exactly the packets that --json
// lists: here a capture with another TTL in its first packet, and without its second.
func TestVerifyWrites(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	file := filepath.Join(t.TempDir(), "out.pcapng")
	pod := filepath.Join(t.TempDir(), "pod.pcap")
	text, err := os.ReadFile(dir + "/nginx.pcap")
	if err != nil {
		t.Fatal(err)
	}
	const first, ttl = 24 + 16, 14 + 8
	text[first+ttl]++
	second := first + int(binary.LittleEndian.Uint32(text[24+8:]))
	third := second + 16 + int(binary.LittleEndian.Uint32(text[second+8:]))
	if err := os.WriteFile(pod, append(text[:second:second], text[third:]...), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--db", dir + "/sb.db", "-r", dir + "/client.pcap@breth0_ovn-worker", "-r", pod, "--no-infer"}
	status, out, errs := replayed(t, append([]string{"verify", "--json", "-w", file}, args...)...)
	if status != exitDifference {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	var report replay.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Mismatched) == 0 || len(report.Missing) == 0 {
		t.Fatal("nothing is mismatched: the test tests nothing")
	}
	for word, n := range map[string]int{
		"mismatched": len(report.Mismatched), "missing": len(report.Missing), "unexpected": len(report.Unexpected),
		"matched": -1,
	} {
		got := tsharked(t, file, "-Y", `frame.comment contains "`+word+`"`, "-T", "fields", "-e", "frame.number")
		if strings.Count(got, "\n") != n && n >= 0 {
			t.Errorf("frame.comment contains %q selects %d frames, want %d", word, strings.Count(got, "\n"), n)
		}
		got = tsharked(t, file, "-Y", `ovn.verdict == "`+word+`"`, "-T", "fields", "-e", "frame.number")
		if n < 0 {
			n = report.Matched + report.Autonomous
		}
		if strings.Count(got, "\n") != n {
			t.Errorf("ovn.verdict == %q selects %d frames, want %d", word, strings.Count(got, "\n"), n)
		}
	}
	inOrderOfTime(t, "verify", file)
	// Everything that a packet of a connection led to has the connection's number, as the packet has in
	// what run -w writes.
	conns := map[string]string{}
	for row := range strings.Lines(tsharked(t, annotated(t, args...), "-Y", `ovn.verdict != "predicted"`, "-T",
		"fields", "-e", "ovn.from", "-e", "ovn.conn")) {
		from, conn, _ := strings.Cut(strings.TrimSuffix(row, "\n"), "\t")
		conns[from] = conn
	}
	for row := range strings.Lines(tsharked(t, file, "-Y", `ovn.verdict != "unexpected" && ovn.inport`, "-T",
		"fields", "-e", "ovn.from", "-e", "ovn.conn", "-E", "occurrence=l")) {
		if from, conn, _ := strings.Cut(strings.TrimSuffix(row, "\n"), "\t"); conn == "" || conn != conns[from] {
			t.Errorf("connection %q of what comes from %s, want %q", conn, from, conns[from])
		}
	}
	only := filepath.Join(t.TempDir(), "only.pcapng")
	replayed(t, append([]string{"verify", "-q", "-w", only, "--only", "mismatched"}, args...)...)
	if n, all := len(report.Mismatched), len(records(t, only)); all != 2*n || // beside what was predicted
		strings.Count(tsharked(t, only, "-Y", `ovn.verdict == "mismatched"`), "\n") != n {
		t.Errorf("--only mismatched writes %d packets, want %d", all, 2*n)
	}
	for command, want := range map[string]string{"run": "use verify -w FILE --only mismatched", "verify": "matched"} {
		kind := map[string]string{"run": "mismatched", "verify": "wrong"}[command]
		if status, _, errs := replayed(t, append([]string{command, "--only", kind}, args...)...); status != exitBad ||
			!strings.Contains(errs, want) {
			t.Errorf("%s: exit status %d, %s", command, status, errs)
		}
	}
	got := tsharked(t, file, "-Y", `ovn.verdict == "mismatched"`, "-T", "fields", "-e", "ovn.difference", "-E",
		"aggregator=;")
	for cause := range strings.Lines(tsharked(t, file, "-Y", `ovn.cause && !ovn.reason`, "-T", "fields", "-e",
		"ovn.cause")) {
		if !strings.HasPrefix(cause, "flow ") && !strings.HasPrefix(cause, "no packet ") {
			t.Errorf("cause %q", cause)
		}
	}
	want := report.Mismatched[0].Fields[0]
	if !strings.HasPrefix(got, want.Field+" predicted "+want.Predicted+" observed "+want.Observed) {
		t.Errorf("differences %.300q, want %+v first", got, want)
	}
}

// What is written is in the order of time, as those who read captures expect it: what differs, which is
// known at the end, and packets that waited for their next hop.
func TestWritesInTheOrderOfTime(t *testing.T) {
	for _, name := range []string{"cloud-bfd-26.03", "cloud-cold-26.09", "cloud-l2gateway-24.03", "kube-cold-ingress"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"run", "verify"} {
				file := filepath.Join(t.TempDir(), command+".pcapng")
				status, _, errs := replayed(t, command, "-q", "--case", filepath.Join(cases, name), "-w", file)
				if status == exitBad {
					t.Fatal(errs)
				}
				inOrderOfTime(t, command, file)
			}
		})
	}
}

func inOrderOfTime(t *testing.T, what, file string) {
	t.Helper()
	list := records(t, file)
	if len(list) < 4 {
		t.Errorf("%s -w: %d packets", what, len(list))
	}
	for i := 1; i < len(list); i++ {
		if list[i].Time < list[i-1].Time {
			t.Errorf("%s -w: packet %d is %d ns before the one before it", what, i+1, list[i-1].Time-list[i].Time)
			return
		}
	}
}
