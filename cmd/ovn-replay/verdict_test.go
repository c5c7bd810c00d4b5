package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ovnreplay/sim/replay"
	"ovnreplay/store/output"
)

// What ends with a verdict ends with the same one, whatever form it is given in.
func TestReportEndsAsVerify(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	page := filepath.Join(t.TempDir(), "report.html")
	for args, want := range map[string]int{
		"--case " + dir: exitOK,
		"--db " + dir + "/sb.db -r " + dir + "/nginx.pcap --no-infer":                    exitDifference,
		"--db " + dir + "/sb.db -r " + dir + "/client.pcap@breth0_ovn-worker --no-infer": exitDifference,
		"--db " + dir + "/sb.db -r " + dir + "/client.pcap --pcap-filter icmp":           exitBad,
	} {
		verify, _, _ := replayed(t, strings.Fields("verify "+args)...)
		report, _, errs := replayed(t, strings.Fields("report -o "+page+" "+args)...)
		if verify != want || report != want || len(read(t, page)) < 1000 {
			t.Errorf("%s: verify ends with %d, report with %d, want %d; %s", args, verify, report, want, errs)
		}
		os.Remove(page)
	}
}

// A verdict needs something that was compared; what it rests on is told.
func TestNothingVerified(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	db, client, pod := dir+"/sb.db", dir+"/client.pcap@breth0_ovn-worker", dir+"/nginx.pcap"
	empty := filepath.Join(t.TempDir(), "empty.pcap")
	os.WriteFile(empty, read(t, dir+"/client.pcap")[:24], 0o600)
	for _, test := range []struct{ args, want string }{
		{"--db " + db + " -r " + empty + "@breth0_ovn-worker", "the captures hold no packets"},
		{"--db " + db + " -r " + client + " -r " + pod + " --pcap-filter host=9.9.9.9", "selects none"},
		{"--db " + db + " -r " + client + " --pcap-filter src=host=172.18.0.1=and=port=30007",
			"no packet was observed leaving OVN"},
		{"--case " + dir + " --db /nonexistent", "/nonexistent: no such file"},
		{"--db " + db + " -r - -r -", "standard input was given already"},
		{"--case " + dir + " --case " + dir, "was given already"},
	} {
		args := strings.Fields(test.args)
		for i := range args {
			if strings.Contains(args[i], "host=") {
				args[i] = strings.ReplaceAll(args[i], "=", " ")
			}
		}
		status, out, errs := replayed(t, append([]string{"verify"}, args...)...)
		if status != exitBad || !strings.Contains(errs, test.want) ||
			strings.Contains(out, "everything observed was predicted") {
			t.Errorf("%s: exit status %d\n%s%s", test.args, status, out, errs)
		}
	}
	status, out, errs := replayed(t, "diff", "--db", db, "--db", db, "-r", empty+"@breth0_ovn-worker")
	if status != exitBad || !strings.Contains(errs, "nothing was compared") {
		t.Errorf("diff of no packets: exit status %d\n%s%s", status, out, errs)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	status, _, errs = replayed(t, "report", "-o", page, "--db", db, "-r", client, "--pcap-filter", "icmp")
	if status != exitBad || !strings.Contains(errs, "nothing was verified: ") || len(read(t, page)) == 0 {
		t.Errorf("report of nothing: exit status %d\n%s", status, errs)
	}
	status, r := verified(t, "--case", dir)
	observed := 0
	for _, c := range r.Compared {
		observed += c.Observed
		if c.Observed != c.Compared || c.Compared != c.Full {
			t.Errorf("at %s: %+v", c.Port, c)
		}
	}
	if status != exitOK || observed != r.Observed || len(r.Compared) != 2 {
		t.Errorf("exit status %d: compared %+v, observed %d", status, r.Compared, r.Observed)
	}
	_, out, _ = replayed(t, "verify", "--case", dir)
	if !strings.Contains(out, "at breth0_ovn-worker: observed ") {
		t.Errorf("it does not say what was compared where:\n%s", out)
	}
}

// Interrupted by whichever signal, a replay has no verdict; what it wrote is whole.
func TestInterrupted(t *testing.T) {
	dir := filepath.Join(cases, "nodeport")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, command := range []string{"verify", "verify --json", "run --json", "diff --json --db " + dir + "/sb.db",
			"run --format json", "connections --json=true", "coverage --json", "who 172.18.0.1 --json", "why 1 --json",
			"run --format none -w FILE"} {
			ctx, stop := context.WithCancelCause(t.Context())
			in, feed := io.Pipe()
			wait := 20 * time.Millisecond
			if strings.Contains(command, "FILE") {
				wait = time.Second // something is to be in it
			}
			file := filepath.Join(t.TempDir(), "out.pcapng")
			args := append(strings.Fields(strings.ReplaceAll(command, "FILE", file)), "--db", dir+"/sb.db", "-r",
				"-@breth0_ovn-worker")
			go func() {
				feed.Write(read(t, dir+"/client.pcap"))
				time.Sleep(wait)
				stop(output.Signalled{Signal: sig})
			}()
			var out, errs strings.Builder
			status := run(ctx, args, in, &out, &errs)
			if status != exitSignal+int(sig) || !strings.Contains(errs.String(), "interrupted after ") ||
				!strings.Contains(errs.String(), ": no verdict") {
				t.Errorf("%v: %s: exit status %d, %q", sig, command, status, errs.String())
			}
			if strings.Contains(out.String(), "everything observed") {
				t.Errorf("%v: %s: %s", sig, command, out.String())
			}
			if said := strings.Count(strings.ReplaceAll(out.String(), " ", ""), `"interrupted":true`); said != 1 &&
				strings.Contains(command, "json") {
				t.Errorf("%v: %s: %s", sig, command, out.String())
			}
			for line := range strings.Lines(out.String()) {
				if !strings.HasPrefix(line, `{"version":1,"interrupted":true`) {
					continue
				}
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
				if err = cmp.Or(err, compiled(t, "interrupted.schema.json", true).Validate(v)); err != nil {
					t.Errorf("%v: %s: %v", sig, command, err)
				}
			}
			if command == "verify --json" {
				var r replay.Report
				if err := json.Unmarshal([]byte(out.String()), &r); err != nil || !r.Interrupted || r.OK() {
					t.Errorf("%v: %v, %s", sig, err, out.String())
				}
			}
			if strings.Contains(command, "FILE") && len(records(t, file)) == 0 {
				t.Errorf("%v: nothing is in the annotated capture", sig)
			}
		}
	}
}

// The signals are caught before any library is set up, but for Go's own: what takes
// milliseconds until then would be ended without a word.
func TestSignalsAreCaughtFirst(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for line := range strings.Lines(string(said)) {
		name, ok := strings.CutPrefix(line, "init ")
		name, _, _ = strings.Cut(name, " ")
		switch {
		case !ok:
		case name == "ovnreplay/cmd/interrupts":
			return
		case strings.Contains(line, " 0 allocs"):
		case strings.Contains(strings.SplitN(name, "/", 2)[0], "."), strings.HasPrefix(name, "ovnreplay/"):
			t.Errorf("%s is set up before the signals are caught", name)
		}
	}
	t.Error("the signals are not caught by a package of their own")
}

// What would be ignored is refused: a session was replayed already.
func TestNothingIsIgnoredBesideASession(t *testing.T) {
	t.Parallel()
	nodeport := filepath.Join(cases, "nodeport")
	session := filepath.Join(t.TempDir(), "s.db")
	if status, _, errs := replayed(t, "run", "--format", "none", "--case", nodeport, "--session",
		session); status != exitOK {
		t.Fatal(errs)
	}
	for _, command := range []string{"connections --session", "coverage --session", "who 172.18.0.1 --session",
		"why 1 --session", "conntrack list", "conntrack export"} {
		args := append(strings.Fields(command), session)
		if status, out, errs := replayed(t, args...); status != exitOK || out == "" {
			t.Errorf("%s: exit status %d, %s", command, status, errs)
		}
		for _, more := range []string{
			"--db /nonexistent", "--db " + nodeport + "/sb.db", "-r /nonexistent", "--case " + nodeport,
			"--nb /nonexistent", "--ct-import /nonexistent",
			"--ct-zones /nonexistent", "--ct-profile linux", "--pin /nonexistent", "--offset x=1s", "--filter ip4",
			"--pcap-filter tcp", "--no-infer",
			"--no-align", "--db-time last", "--watch", "--explain-points",
		} {
			flag, _, _ := strings.Cut(strings.Replace(more, "-r", "--read", 1), " ")
			status, out, errs := replayed(t, append(args, strings.Fields(more)...)...)
			if status != exitBad || out != "" ||
				!strings.Contains(errs, flag+" says what to replay, and a session is asked about") {
				t.Errorf("%s %s: exit status %d, %s", command, more, status, errs)
			}
		}
	}
	if status, _, errs := replayed(t, "connections", "--case", nodeport, "--db", "/nonexistent"); status != exitBad ||
		!strings.Contains(errs, "/nonexistent") {
		t.Errorf("--db beside --case: exit status %d, %s", status, errs)
	}
}
