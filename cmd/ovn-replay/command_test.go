package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"ovnreplay/sim/replay"
)

const cases = "../../testdata/cases"

// replayed runs a command line and returns its exit status and output.
func replayed(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// program returns the path of the program, which is built once for all tests that want more
// of it than process gives: without libraries, as packaging/dist.sh builds it.
func program(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ovn-replay")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "ovn-replay")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	return path, nil
})

var builtIn string // a folder that goes when all tests have run

func TestMain(m *testing.M) {
	status := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(status)
}

// verifiedCase is what verify --json makes of a case: several tests ask, and it is done once.
func verifiedCase(dir string) (v verification) {
	once, _ := verifications.LoadOrStore(dir, sync.OnceValue(func() (v verification) {
		var out, errs bytes.Buffer
		args := []string{"verify", "--case", dir, "--json"}
		v.status = run(context.Background(), args, strings.NewReader(""), &out, &errs)
		v.out, v.errs = out.String(), errs.String()
		return v
	}))
	return once.(func() verification)()
}

type verification struct {
	status    int
	out, errs string
}

var verifications sync.Map // of what makes a verification, by folders

// needsTool returns the path of a program that `make test` installs. Without
// root it cannot; then, and only then, the test is skipped.
func needsTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getuid() == 0 {
			t.Fatalf("%s is not installed: run the tests with `make test`", name)
		}
		t.Skipf("*** SKIPPED: %s is not installed, and only root can install it ***", name)
	}
	return path
}

// unpredicted are recorded cases whose packets are not predicted yet, each
// with what is missing. A case that verifies must not be listed.
var unpredicted = map[string]string{}

func TestEveryCaseVerifies(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(cases + "/*/case.json")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases under %s (%v)", cases, err)
	}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			v := verifiedCase(dir)
			status, out, errs := v.status, v.out, v.errs
			why, pending := unpredicted[name]
			if pending {
				if status == exitOK {
					t.Fatalf("the case verifies now: take it off the list of unpredicted ones (%s)", why)
				}
				t.Skipf("*** NOT PREDICTED YET: %s ***", why)
			}
			var r replay.Report
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%v\n%s", err, errs)
			}
			if status != exitOK || r.Matched == 0 && r.Observed > 0 || r.Entered == 0 ||
				r.Matched+r.Autonomous != r.Observed || !r.OK() {
				_, text, _ := replayed(t, "verify", "--case", dir)
				t.Errorf("exit status %d\n%s%s", status, text, errs)
			}
		})
	}
}

// The capture points are found from the packets when nobody names them, but for a wire's that
// shows no address of its node.
func TestPortsAreFoundFromPackets(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{
		"nodeport":    {"client.pcap", "nginx.pcap"},
		"clusterip":   {"client.pcap@breth0_ovn-worker", "nginx.pcap", "pod2.pcap"},
		"icmp":        {"pod2.pcap", "client.pcap", "nginx.pcap"},
		"udp-service": {"weba.pcap", "client.pcap", "pod2.pcap"},
		"seed-21.12":  {"pod.pcap", "client.pcap"},
	} {
		dir := filepath.Join(cases, name)
		args := []string{"verify", "--db", dir + "/sb.db", "--ct-profile", "ovs-userspace", "--json"}
		for _, f := range files {
			args = append(args, "-r", filepath.Join(dir, f))
		}
		status, out, errs := replayed(t, args...)
		var r replay.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitOK || r.Matched == 0 {
			t.Errorf("%s: exit status %d, matched %d: %s %v", name, status, r.Matched, errs, err)
		}
	}
}

// packets returns the records that run --json prints for a case.
func packets(t *testing.T, name string, more ...string) []replay.Record {
	t.Helper()
	status, out, errs := replayed(t, append([]string{"run", "--case", filepath.Join(cases, name), "--json"},
		more...)...)
	if status != exitOK {
		t.Fatalf("run: exit status %d: %s", status, errs)
	}
	var all []replay.Record
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		var r replay.Record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// The story the project began with: the reply of the nodePort session is
// un-NATed on the gateway router and leaves as the client expects it.
func TestReplyIsUnNATedOnTheGatewayRouter(t *testing.T) {
	t.Parallel()
	all := packets(t, "seed-21.12")
	forward, reply := all[0], all[1]
	if got := natAt(forward, "lr_out_snat"); got != "SNAT 172.18.0.1:53642 -> 100.64.0.3:53642" {
		t.Errorf("forward: at lr_out_snat %q, want the forced SNAT to 100.64.0.3", got)
	}
	if got := natAt(forward, "lr_in_dnat"); got != "DNAT 172.18.0.4:30007 -> 10.244.1.3:80" {
		t.Errorf("forward: at lr_in_dnat %q", got)
	}
	if !visits(reply, "GR_ovn-worker", "lr_in_unsnat") {
		t.Errorf("reply does not reach lr_in_unsnat of GR_ovn-worker: %v", reply.Path)
	}
	if got := natAt(reply, "lr_in_unsnat"); got != "un-SNAT 100.64.0.3:53642 -> 172.18.0.1:53642" {
		t.Errorf("reply: at lr_in_unsnat %q", got)
	}
	if len(reply.Outputs) != 1 || reply.Outputs[0].Port != "breth0_ovn-worker" ||
		reply.Outputs[0].Packet != "tcp 172.18.0.4:30007 > 172.18.0.1:53642 [S.]" {
		t.Errorf("reply leaves as %v", reply.Outputs)
	}
}

func natAt(r replay.Record, stage string) string {
	for _, n := range r.NAT {
		if n.Stage == stage {
			return n.Kind + " " + n.From + " -> " + n.To
		}
	}
	return ""
}

func visits(r replay.Record, datapath, stage string) bool {
	for _, p := range r.Path {
		if p.Datapath == datapath && p.Stage == stage {
			return true
		}
	}
	return false
}

// tshark must read back every interface, frame and comment.
func TestAnnotatedCaptureReadsInTshark(t *testing.T) {
	t.Parallel()
	tshark := needsTool(t, "tshark")
	file := filepath.Join(t.TempDir(), "out.pcapng")
	if status, _, errs := replayed(t, "run", "--case", cases+"/nodeport", "--format", "none", "-w",
		file); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs)
	}
	cmd := exec.Command(tshark, "-r", file, "-T", "fields", "-e", "frame.number", "-e", "frame.interface_name",
		"-e", "frame.packet_flags_direction", "-e", "frame.comment")
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 41 { // 21 packets entered, 20 left
		t.Errorf("tshark reads %d frames, want 41", len(lines))
	}
	for _, want := range []string{
		"2\tbreth0_ovn-worker\t0x00000001\tovn-replay: delivered to default_nginx",
		"3\tdefault_nginx-deployment-9456bbbf9-x6pc6\t0x00000002\tovn-replay: predicted output",
		"nat: DNAT dst 172.18.0.4:30007 -> 10.244.1.3:80 at lr_in_dnat",
		"nat: un-SNAT dst 100.64.0.3:53642 -> 172.18.0.1:53642 at lr_in_unsnat",
		"drop: ls_in_",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("tshark does not show %q in\n%.3000s", want, text)
		}
	}
}

// The same input gives the same bytes, however many cores there are.
func TestOutputIsReproducible(t *testing.T) {
	outputs := func(procs string) string {
		t.Setenv("GOMAXPROCS", procs)
		var all strings.Builder
		for _, format := range []string{"json", "line", "detailed", "summary", "minimal"} {
			_, out, _ := replayed(t, "run", "--case", cases+"/clusterip", "--format", format, "--hex")
			all.WriteString(out)
		}
		_, out, _ := replayed(t, "run", "--case", cases+"/clusterip", "-w", "-")
		return all.String() + out
	}
	if outputs("1") != outputs("2") {
		t.Error("two runs differ")
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	status, out, errs := replayed(t, "demo")
	for line := range strings.Lines(out) {
		if utf8.RuneCountInString(line) > 121 || strings.Contains(line, os.TempDir()) {
			t.Errorf("does not fit: %q", line)
		}
	}
	if status != exitOK || !strings.Contains(out, "un-SNAT 100.64.0.3:53642 -> 172.18.0.1:53642") ||
		!strings.Contains(out, "everything observed was predicted") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}

// A profile file's timeouts decide what becomes of a connection that pauses:
// with an entry that lives shorter than the pause, here made to be five
// seconds, the answer is not un-NATed.
func TestProfileFile(t *testing.T) {
	t.Parallel()
	short := write(t, "short.profile", []byte("profile ovs-userspace\nudp_first 1\nudp_single 1\nudp_multiple 1\n"))
	dir := cases + "/udp-service"
	args := []string{"run", "--db", dir + "/sb.db", "-r", dir + "/pod2.pcap", "-r", dir + "/weba.pcap",
		"--offset", dir +
			"/weba.pcap=+5s", "--no-align", "--no-infer", "--json"}
	unNATed := func(profile string) int {
		status, out, errs := replayed(t, append(args, "--ct-profile", profile)...)
		if status != exitOK {
			t.Fatalf("%s: exit status %d: %s", profile, status, errs)
		}
		return strings.Count(out, `"kind":"un-DNAT"`)
	}
	if n := unNATed("ovs-userspace"); n != 3 {
		t.Errorf("%d answers un-NATed with the default timeouts, want 3", n)
	}
	if n := unNATed(short); n != 0 {
		t.Errorf("%d answers un-NATed although their connections had timed out", n)
	}
}
