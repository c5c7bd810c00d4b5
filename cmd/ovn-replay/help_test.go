package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/manual"
)

// Help fits 80 columns, and each command has an example that works as typed in an empty folder.
func TestHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	bin := filepath.Dir(program(t))
	_, noTshark := exec.LookPath("tshark")
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
		if !cmd.HasExample() {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		script := exec.Command("sh", "-ec", tried(cmd.Example, noTshark == nil))
		script.Dir = t.TempDir()
		script.Env = append(os.Environ(), "HOME="+script.Dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=",
			"PATH="+bin+":"+os.Getenv("PATH"), "NO_COLOR=1")
		if text, err := script.CombinedOutput(); err != nil || len(text) == 0 {
			t.Errorf("%s\n%s\n%v\n%s", cmd.CommandPath(), cmd.Example, err, text)
		}
	})
}

// tried is an example without what needs a screen, and without tshark if there is none.
func tried(example string, tshark bool) string {
	lines := strings.SplitAfter(example, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "  wireshark ") || strings.HasPrefix(line, "  tshark ") && !tshark
	}), "")
}

// Manual pages are there for every command, and have what help has.
func TestManuals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if status, _, errs := replayed(t, "man", dir); status != exitOK {
		t.Fatal(errs)
	}
	for page, want := range map[string]string{
		"ovn-replay.1": "\nExit status: 0 done;", "ovn-replay-run.1": `\fB\-w\fR, \fB\-\-write\fR \fIFILE\fR`,
		"ovn-replay-conntrack-list.1": ".SH EXAMPLES", "ovn-replay-demo.1": ".SH EXIT STATUS",
	} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q (%v)", page, want, err)
		}
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	for _, page := range pages {
		fitsTerminals(t, page)
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

// fitsTerminals has man's formatter show a page in 80 columns: prose is filled, and no line is longer.
func fitsTerminals(t *testing.T, page string) {
	t.Helper()
	if _, err := exec.LookPath("groff"); err != nil {
		return
	}
	shown, err := exec.Command("groff", "-man", "-ww", "-Tutf8", "-P-c", "-rLL=78n", page).CombinedOutput()
	if err != nil || strings.Contains(string(shown), "warning") {
		t.Errorf("%s: %v\n%s", page, err, shown)
	}
	overstruck := regexp.MustCompile(".\b|\x1b\\[[0-9;]*m")
	for line := range strings.Lines(overstruck.ReplaceAllString(string(shown), "")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%s: %d columns: %s", filepath.Base(page), n, line)
		}
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
		{[]string{"run", "--only", "unk"}, "unknown\n:6"},
		{[]string{"run", "--only", "dropped,d"}, "dropped,delivered\n:6"},
		{[]string{"verify", "--only", "mis"}, "mismatched\nmissing\n:6"},
		{[]string{"verify", "--ignore", "ip.ttl,ip.d"}, "ip.ttl,ip.dscp\n:6"},
		{append([]string{"verify"}, append(kept, "--mtu", "default_c")...), "default_client-pod=\n:2"},
		{append([]string{"verify"}, append(kept, "x.pcap@tun")...), "x.pcap@tunnel:\n:6"},
		{append([]string{"verify"}, append(kept, "x.pcap@tunnel:ovn-c")...), "x.pcap@tunnel:ovn-control-plane\n:4"},
		{append([]string{"run"}, append(kept, "-r", "x.pcap@underlay:")...),
			"x.pcap@underlay:ovn-worker\nx.pcap@underlay:ovn-control-plane\nx.pcap@underlay:ovn-worker2\n:4"},
		{append([]string{"run"}, append(kept, "-r", "x.pcap@any@ovn-w")...),
			"x.pcap@any@ovn-worker\nx.pcap@any@ovn-worker2\n:4"},
		{append([]string{"conntrack", "list"}, append(kept, "--chassis", "ovn-c")...), "ovn-control-plane\n:4"},
		{append([]string{"trace"}, append(db, "--inport", "default_c")...), "default_client-pod\n:4"},
		{[]string{"conntrack", "export", "--format", "d"}, "dpctl\ndpctl-m\ndpctl-s\ndpctl-m-s\n:0"},
		{[]string{"show", "s.db", "--format", "n"}, ":0"},
		{[]string{"connections", "--sort", "p"}, "packets\n:0"}, {[]string{"run", "--db-time", "l"}, "last\n:0"},
		{[]string{"diff", "--db-b", "snapshot:a"}, "snapshot:after\n:0"},
		{[]string{"diff", "--db-time-b", ""}, "follow\nlast\n:0"},
		{[]string{"run", "--ct-profile", "ovs-userspace:3."}, "ovs-userspace:3.0\novs-userspace:3.1\n" +
			"ovs-userspace:3.2\novs-userspace:3.3\novs-userspace:3.6\n:4"},
		{[]string{"veri"}, "verify\tReplay captures and hold every packet seen leaving OVN against the prediction\n:4"},
	} {
		_, out, _ := replayed(t, append([]string{"__complete"}, x.words...)...)
		if got, _, _ := strings.Cut(out, "\nCompletion ended"); strings.TrimSpace(got) != x.want {
			t.Errorf("%q completes\n%s\nwant\n%s", x.words, got, x.want)
		}
	}
}
