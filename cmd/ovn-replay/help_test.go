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

// Shells complete ports of the database after FILE@.
func TestCompletion(t *testing.T) {
	t.Parallel()
	_, out, _ := replayed(t, "__complete", "run", "--db", cases+"/nodeport/sb.db", "-r", "client.pcap@breth0")
	if !strings.HasPrefix(out, "client.pcap@breth0_ovn-") {
		t.Errorf("completes %q", out)
	}
	_, out, _ = replayed(t, "__complete", "run", "--format", "")
	if !strings.Contains(out, "detailed\n") {
		t.Errorf("completes %q", out)
	}
}
