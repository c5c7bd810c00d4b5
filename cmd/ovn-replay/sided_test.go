package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
	"ovnreplay/sim/inventory"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
)

// verified runs verify --json and returns its exit status and report.
func verified(t *testing.T, args ...string) (int, replay.Report) {
	t.Helper()
	status, out, errs := replayed(t, append([]string{"verify", "--json"}, args...)...)
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, errs)
	}
	return status, r
}

// With the captures of one side only, the packets of the other are inferred;
// what cannot be known is missing, with its reason.
func TestOneSide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, files                                 string
		entered, observed, matched, inferred, alone int
		missing                                     int
	}{
		// From outside: the pod's answers are inferred from what was delivered to it.
		{"seed-21.12", "client.pcap", 6, 5, 5, 5, 0, 0},
		{"nodeport", "client.pcap", 12, 9, 8, 8, 1, 0},
		{"nodeport-21.12", "client.pcap", 12, 8, 8, 8, 0, 0},
		{"nodeport-26.03", "client.pcap", 12, 8, 8, 8, 0, 0},
		{"udp-service", "client.pcap", 3, 3, 3, 3, 0, 0},
		// Pods that call out are behind one address: nobody outside can tell which.
		{"egress-snat", "client.pcap", 10, 14, 0, 0, 0, 0},
		{"icmp", "client.pcap", 9, 9, 6, 3, 0, 0},
		// From the pod: the client's packets are inferred, from the router on.
		{"seed-21.12", "pod.pcap", 5, 6, 6, 6, 0, 0},
		{"nodeport", "nginx.pcap", 8, 12, 12, 12, 0, 0},
		{"nodeport", "nginx.any.pcap", 8, 12, 12, 12, 0, 0},
		{"nodeport-26.03", "nginx.pcap", 8, 12, 12, 12, 0, 0},
		// From the pod that calls: the server's answers are inferred.
		{"egress-snat", "pod2.pcap", 8, 6, 6, 6, 0, 0},
		{"egress-snat", "nginx.pcap", 6, 4, 4, 4, 0, 0},
		{"icmp", "pod2.pcap", 8, 8, 8, 6, 0, 0},
		// Between pods of one switch, by way of a virtual address.
		{"clusterip", "pod2.pcap", 25, 17, 17, 16, 0, 0},
		{"clusterip", "nginx.pcap", 17, 25, 25, 24, 0, 0},
		{"udp-service", "weba.pcap", 7, 7, 7, 6, 0, 0},
	} {
		t.Run(c.name+" "+c.files, func(t *testing.T) {
			dir := filepath.Join(cases, c.name)
			_, r := verified(t, "--db", dir+"/sb.db", "--ct-profile", "ovs-userspace", "-r",
				filepath.Join(dir, c.files))
			got := [...]int{r.Entered, r.Observed, r.Matched, r.Inferred, r.Autonomous, len(r.Missing),
				len(r.Mismatched), len(r.Unexpected)}
			want := [...]int{c.entered, c.observed, c.matched, c.inferred, c.alone, c.missing, 0, 0}
			if got != want {
				t.Errorf("entered, observed, matched, inferred, autonomous, missing, mismatched, unexpected:\ngot  "+
					"%v\nwant %v",
					got, want)
			}
		})
	}
}

// An inferred answer is held against what un-NAT predicts: a client that sees
// another address than the one it called is told so.
func TestInferredAnswerIsChecked(t *testing.T) {
	t.Parallel()
	dir := cases + "/seed-21.12"
	capture := read(t, dir+"/client.pcap")
	changed := replaceFrames(t, capture, func(n int, frame []byte) {
		if n == 2 { // the first answer: from port 30007
			frame[14+20+1]++
		}
	})
	status, r := verified(t, "--db", dir+"/sb.db", "-r", write(t, "client.pcap", changed))
	if status != exitDifference || r.Matched == r.Observed {
		t.Errorf("exit status %d, matched %d of %d: a wrong source port goes unnoticed", status, r.Matched, r.Observed)
	}
}

// Without inference, and strictly, what was inferred does not pass.
func TestInferenceIsMarked(t *testing.T) {
	t.Parallel()
	dir := cases + "/seed-21.12"
	args := []string{"--db", dir + "/sb.db", "-r", dir + "/client.pcap"}
	if status, r := verified(t, append(args, "--strict")...); status != exitDifference || r.Inferred != 5 {
		t.Errorf("--strict: exit status %d, inferred %d", status, r.Inferred)
	}
	if status, r := verified(t, append(args, "--no-infer")...); status != exitDifference || len(r.Missing) != 5 {
		t.Errorf("--no-infer: exit status %d, missing %d", status, len(r.Missing))
	}
	_, out, _ := replayed(t, append([]string{"run"}, args...)...)
	if n := strings.Count(out, "inferred: the answer to "); n != 5 {
		t.Errorf("run marks %d packets as inferred, want 5\n%s", n, out)
	}
	_, out, _ = replayed(t, append([]string{"run", "--json"}, args...)...)
	if n := strings.Count(out, `"inferred":"the answer to `); n != 5 {
		t.Errorf("run --json marks %d packets as inferred, want 5", n)
	}
}

// cloudCase is a recorded case with captures of the underlay.
func cloudCases(t *testing.T) map[string]recording.Case {
	t.Helper()
	files, _ := filepath.Glob(cases + "/*/case.json")
	found := map[string]recording.Case{}
	for _, file := range files {
		var c recording.Case
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		if len(c.Underlay) > 0 {
			found[filepath.Dir(file)] = c
		}
	}
	if len(found) == 0 {
		t.Fatal("no case has captures of the underlay")
	}
	return found
}

// Captures of the underlay alone: every packet in a tunnel is injected once,
// where it comes out, however many captures show it; what OVN answers to it is
// observed on its way back. What a gateway made of a connection the underlay
// does not show (SNAT to an address of its own) it cannot know, and says so.
// With the captures of the sending side too, the same packets are
// observations, and none is injected but those of chassis without captures.
func TestUnderlay(t *testing.T) {
	t.Parallel()
	injected, observed := 0, 0
	for dir, c := range cloudCases(t) {
		if status, _, _ := replayed(t, "verify", "--case", dir, "-q"); status != exitOK {
			continue // TestEveryCaseVerifies says so
		}
		name := filepath.Base(dir)
		if before, _, _ := strings.Cut(name, "-2"); beyondUnderlay[before] {
			continue
		}
		args := []string{"--ct-profile", "ovs-userspace"}
		for _, db := range c.DB {
			args = append(args, "--db", filepath.Join(dir, db))
		}
		for _, u := range c.Underlay {
			args = append(args, "-r", filepath.Join(dir, u.File)+"@underlay:"+u.Chassis)
		}
		status, alone := verified(t, args...)
		status = afterUnknown(status, alone)
		if status != exitOK || alone.Underlay == nil || alone.Underlay.Observed != alone.Underlay.Matched {
			t.Errorf("%s: underlay alone: exit status %d, %+v", name, status, alone.Underlay)
			continue
		}
		_, all := verified(t, "--case", dir)
		if all.Underlay.Matched != all.Underlay.Observed ||
			all.Underlay.Entered != 0 && everyChassisCaptured(t, dir, c) ||
			all.Underlay.Entered+all.Underlay.Observed != alone.Underlay.Entered+alone.Underlay.Observed {
			t.Errorf("%s: with all captures %+v, underlay alone %+v", name, all.Underlay, alone.Underlay)
		}
		injected += alone.Underlay.Entered
		observed += all.Underlay.Observed
	}
	if injected == 0 || observed == 0 {
		t.Errorf("%d packets were injected from tunnels, %d observed there: the test shows nothing", injected, observed)
	}
}

// beyondUnderlay are cases in which a packet from a tunnel goes into another,
// as the connection at the chassis between them demands: who opened it there is
// not in the underlay.
var beyondUnderlay = map[string]bool{"cloud-mirror-lport": true, "cloud-network-function": true,
	"random-cloud-changing-302": true}

// afterUnknown is the exit status but for packets predicted of connections that
// began before the capture, or out of its sight.
func afterUnknown(status int, r replay.Report) int {
	if status == exitBad && r.Unverified != "" {
		return exitOK // nothing was sent by a chassis whose side was replayed
	}
	if status != exitDifference || len(r.Mismatched)+len(r.Missing) != 0 {
		return status
	}
	for _, it := range r.Unexpected {
		if !strings.Contains(it.Reason, "its connection began before the capture") {
			return status
		}
	}
	return exitOK
}

// everyChassisCaptured reports whether a case has captures of ports on each
// chassis of its database.
func everyChassisCaptured(t *testing.T, dir string, c recording.Case) bool {
	t.Helper()
	out, _, err := db(t, "info", "--json", filepath.Join(dir, c.DB[0]))
	if err != nil {
		t.Fatal(err)
	}
	var info inventory.Inventory
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	captured := map[string]bool{}
	for _, capture := range c.Captures {
		captured[capture.Chassis] = true
	}
	return len(captured) >= info.Tables["Chassis"]
}

// VXLAN carries the datapath's and the outport's keys only: the same packets,
// encapsulated that way, come out at the same ports.
func TestUnderlayInVXLAN(t *testing.T) {
	t.Parallel()
	dir := cases + "/cloud-l3-geneve"
	c, ok := cloudCases(t)[dir]
	if !ok {
		t.Fatalf("%s has no captures of the underlay", dir)
	}
	outputs := func(files []string) (ports []string) {
		args := []string{"run", "--json", "--db", filepath.Join(dir, c.DB[0]), "--ct-profile", "ovs-userspace"}
		for _, f := range files {
			args = append(args, "-r", f)
		}
		status, out, errs := replayed(t, args...)
		if status != exitOK {
			t.Fatal(errs)
		}
		d := json.NewDecoder(strings.NewReader(out))
		for d.More() {
			var r replay.Record
			if err := d.Decode(&r); err != nil {
				t.Fatal(err)
			}
			for _, o := range r.Outputs {
				ports = append(ports, o.Port+" "+o.Packet)
			}
		}
		return ports
	}
	var geneve, vxlan []string
	for _, u := range c.Underlay {
		file := filepath.Join(dir, u.File)
		geneve = append(geneve, file+"@underlay:"+u.Chassis)
		var frames []frame
		for _, f := range framesOf(t, file) {
			tunnel, fault := pcap.Decap(f.data)
			if fault != pcap.TunnelOK || tunnel.VNI == 0 {
				continue
			}
			tunnel.Kind, tunnel.Inport, tunnel.HasPorts, tunnel.DstPort = pcap.VXLAN, 0, false, 0
			data, err := tunnel.AppendEncap(nil)
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, frame{f.time, data, len(data)})
		}
		vxlan = append(vxlan, write(t, "vxlan.pcap", classic(t, pcap.LinkEthernet, frames))+"@underlay:"+u.Chassis)
	}
	a, b := outputs(geneve), outputs(vxlan)
	if len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("in Geneve %d leave:\n%s\nin VXLAN %d:\n%s", len(a), strings.Join(a, "\n"), len(b),
			strings.Join(b, "\n"))
	}
}
