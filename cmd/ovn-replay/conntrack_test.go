package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// conntrackCommand runs a conntrack command and returns what it printed.
func conntrackCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, talk bytes.Buffer
	cmd := newConntrackCommand(strings.NewReader(""), &out, &talk)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&talk)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

// After each recorded case the table equals the real one, up to timeouts.
func TestConntrackTableEqualsTheRealOne(t *testing.T) {
	t.Parallel()
	dumps, _ := filepath.Glob("../../testdata/cases/*/conntrack-after.txt")
	if len(dumps) < 5 {
		t.Fatalf("only %d cases with a dump", len(dumps))
	}
	for _, dump := range dumps {
		dir := filepath.Dir(dump)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			out, err := conntrackCommand(t, "list", "--case", dir, "--compare", dump)
			if err != nil || out != "" {
				t.Errorf("%v\n%s", err, out)
			}
			text, err := os.ReadFile(dump)
			if err != nil {
				t.Fatal(err)
			}
			out, err = conntrackCommand(t, "export", "--case", dir)
			if got, want := strings.Count(out, "\n"), strings.Count(string(text), "\n"); err != nil || got != want {
				t.Errorf("%v: %d lines, the real table has %d", err, got, want)
			}
		})
	}
}

// guessedTables are cases in which a backend, or an ICMP id, was chosen that no capture shows,
// or a label holds the OpenFlow number of a tunnel's port, which is in no database; of
// cloud-stale-26.03 a connection between machines is in the dump and not in the replay.
var guessedTables = map[string]bool{"kube-affinity": true, "kube-affinity-udp": true, "cloud-network-function": true,
	"random-kube-4": true, "random-cloud-10": true, "random-kube-changing-105": true,
	"random-cloud-changing-113": true,
	"cloud-stale-26.03":         true}

// The same for what the lab keeps: a table of every chassis after each case.
func TestConntrackTablesEqualTheLabs(t *testing.T) {
	t.Parallel()
	cases, _ := filepath.Glob("../../testdata/cases/*/case.json")
	compared := 0
	for _, file := range cases {
		dir := filepath.Dir(file)
		compare := labTables(t, file)
		if name, _, _ := strings.Cut(filepath.Base(dir), "-2"); len(compare) == 0 ||
			guessedTables[name] || guessedTables[filepath.Base(dir)] {
			continue
		}
		compared++
		out, err := conntrackCommand(t, append([]string{"list", "--case", dir}, compare...)...)
		if err != nil || out != "" {
			t.Errorf("%s: %v\n%s", dir, err, out)
		}
	}
	if compared < 100 {
		t.Errorf("only %d cases with tables", compared)
	}
}

// labTables returns the --compare arguments for the tables that a case of the
// lab's keeps, named after its chassis as the lists of zones are.
func labTables(t *testing.T, file string) (args []string) {
	var c struct {
		Zones any `json:"ct_zones"`
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	zones, ok := c.Zones.(map[string]any)
	if name, one := c.Zones.(string); one {
		zones, ok = map[string]any{"": name}, true
	}
	for chassis, list := range zones {
		dump := filepath.Join(filepath.Dir(file), strings.Replace(list.(string), "ct-zone-list", "conntrack-after", 1))
		if _, err := os.Stat(dump); err != nil || !ok {
			continue
		}
		if chassis != "" {
			dump += "@" + chassis
		}
		args = append(args, "--compare", dump)
	}
	return args
}

func TestConntrackCompareFindsDifferences(t *testing.T) {
	t.Parallel()
	out, err := conntrackCommand(t, "list", "--case", "../../testdata/cases/nodeport", "--compare",
		"../../testdata/cases/icmp/conntrack-after.txt")
	if !errors.Is(err, errDifference) || !strings.Contains(out, "stale: tcp,") ||
		!strings.Contains(out, "missing: icmp,") {
		t.Errorf("%v\n%s", err, out)
	}
}

// An exported table is a dump that can be imported again.
func TestConntrackExportImport(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"dpctl", "dpctl-m", "dpctl-s"} {
		out, err := conntrackCommand(t, "export", "--case", "../../testdata/cases/nodeport", "--format", format)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "dump.txt")
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		again, err := conntrackCommand(t, "import", file, "--format", format, "--ct-profile", "ovs-userspace")
		if err != nil || again != out {
			t.Errorf("%s: %v\n%s, want\n%s", format, err, again, out)
		}
	}
}

// ovstest prints the same states for every recorded capture that it can read.
func TestConntrackStatesAgainstOVSTest(t *testing.T) {
	prog := os.Getenv("OVSTEST")
	if prog == "" {
		var err error
		if prog, err = exec.LookPath("ovstest"); err != nil {
			t.Skip("SKIPPED: no ovstest in PATH or $OVSTEST (build tests/ovstest of Open vSwitch); nothing was " +
				"compared with it")
		}
	}
	files, _ := filepath.Glob("../../testdata/cases/*/*.pcap")
	compared := 0
	for _, file := range files {
		theirs, err := exec.Command(prog, "test-conntrack", "pcap", file).Output()
		if err != nil || len(theirs) == 0 {
			continue // cooked captures are not for ovstest
		}
		ours, err := conntrackCommand(t, "states", "-r", file, "--ct-profile", "ovs-userspace")
		if err != nil || ours != string(theirs) {
			t.Errorf("%s: %v\n%s, want\n%s", file, err, ours, theirs)
		}
		compared++
	}
	if compared < 10 {
		t.Errorf("only %d captures compared", compared)
	}
}
