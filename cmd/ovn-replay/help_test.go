package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/manual"
)

// Help fits 80 columns, and each command has an example that works as typed
// where the sources are.
func TestHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	bin := program(t)
	home := t.TempDir()
	root := newRootCommand(strings.NewReader(""), &out, &out)
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "completion" || cmd.Parent() != nil && cmd.Parent().Name() == "completion" ||
			cmd.Name() == "help" {
			return
		}
		out.Reset()
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > manual.Width {
				t.Errorf("%s: %d characters: %s", cmd.CommandPath(), n, line)
			}
		}
		if !cmd.HasAvailableSubCommands() && !cmd.HasExample() && !withoutExample[cmd.CommandPath()] {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if _, ours := manual.Examples[cmd.CommandPath()]; !ours {
			return
		}
		script := exec.Command("sh", "-ec", cmd.Example)
		script.Dir = "../.."
		script.Env = append(os.Environ(), "HOME="+home, "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"), "NO_COLOR=1")
		if text, err := script.CombinedOutput(); err != nil || len(text) == 0 && cmd.Name() != "list" {
			t.Errorf("%s\n%s\n%v\n%s", cmd.CommandPath(), cmd.Example, err, text)
		}
	})
}

// withoutExample are commands whose inputs the sources do not hold.
var withoutExample = map[string]bool{
	"ovn-replay conntrack import": true, "ovn-replay db snapshot": true, "ovn-replay db rm": true,
	"ovn-replay db diff": true, "ovn-replay db list": true, "ovn-replay db gather": true,
}

// Manual pages are there for every command, and have what help has.
func TestManuals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if status, _, errs := replayed(t, "man", dir); status != exitOK {
		t.Fatal(errs)
	}
	for page, want := range map[string]string{
		"ovn-replay.1": ".SH EXIT STATUS", "ovn-replay-run.1": `.B \-w, \-\-write FILE`,
		"ovn-replay-conntrack-list.1": ".SH EXAMPLES",
	} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q (%v)", page, want, err)
		}
	}
	// They are written as other outputs are: whole, and not into what is no folder.
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	page := filepath.Join(dir, "ovn-replay.1")
	if status, _, errs := replayed(t, "man", page); status != exitBad || !strings.Contains(errs, "not a directory") {
		t.Errorf("exit status %d, %s", status, errs)
	}
	if err := errors.Join(os.Remove(page), os.Symlink("/dev/full", page)); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := replayed(t, "man", dir); status != exitBad || !strings.Contains(errs, "cannot be written") {
		t.Errorf("a full disk: exit status %d, %s", status, errs)
	}
}

// Shells complete ports of the database after FILE@, what else flags take, and snapshots.
func TestCompletion(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	for _, name := range []string{"before", "after"} {
		replayedWell(t, "db", "snapshot", cases+"/nodeport/sb.db", name)
	}
	db, kept := []string{"--db", cases + "/nodeport/sb.db"}, []string{"--case", cases + "/nodeport"}
	for _, x := range []struct {
		words []string
		want  string
	}{
		{append([]string{"run"}, append(db, "-r", "client.pcap@breth0_ovn-w")...),
			"client.pcap@breth0_ovn-worker\nclient.pcap@breth0_ovn-worker2\n:4"},
		{append([]string{"run"}, append(db, "client.pcap@breth0_ovn-worker2")...),
			"client.pcap@breth0_ovn-worker2\n:4"},
		{append([]string{"verify"}, append(kept, "client.pcap@und")...), "client.pcap@underlay\n:4"},
		{append([]string{"report"}, append(kept, "client.pcap@default_c")...), "client.pcap@default_client-pod\n:4"},
		{append([]string{"why", "x"}, append(kept, "-r", "x.pcap@default_c")...), "x.pcap@default_client-pod\n:4"},
		{append([]string{"coverage"}, append(kept, "--port", "default_c")...), "default_client-pod\n:4"},
		{append([]string{"coverage", "--db", "snapshot:after"}, "--port", "default_c"), "default_client-pod\n:4"},
		{[]string{"run", "--db", "snap"}, "snapshot:after\nsnapshot:before\n:0"},
		{[]string{"run", "--db", "x"}, ":0"}, // files
		{[]string{"db", "rm", ""}, "after\nbefore\n:4"}, {[]string{"db", "rm", "after", ""}, "before\n:4"},
		{[]string{"db", "info", "snapshot:b"}, "snapshot:before\n:0"},
		{[]string{"db", "diff", "snapshot:before", "snapshot:a"}, "snapshot:after\n:0"},
		{[]string{"run", "--format", "det"}, "detailed\n:0"},
		{[]string{"run", "--ct-profile", "o"}, "ovs-userspace\n:0"},
		{[]string{"run", "--only", "unk"}, "unknown\n:0"},
		{[]string{"verify", "--only", "mis"}, "mismatched\nmissing\n:0"},
		{[]string{"connections", "--sort", "p"}, "packets\n:0"}, {[]string{"run", "--db-time", "l"}, "last\n:0"},
		{[]string{"veri"}, "verify\tReplay captures and hold every packet seen leaving OVN against the prediction\n:4"},
	} {
		_, out, _ := replayed(t, append([]string{"__complete"}, x.words...)...)
		if got, _, _ := strings.Cut(out, "\nCompletion ended"); strings.TrimSpace(got) != x.want {
			t.Errorf("%q completes\n%s\nwant\n%s", x.words, got, x.want)
		}
	}
}
