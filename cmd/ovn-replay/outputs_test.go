package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// copied copies files of the nodeport case into a folder of the test's own.
func copied(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), read(t, filepath.Join(cases, "nodeport", name)),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// No output takes the place of an input, whatever it is called and whichever
// flag names it; the input stays as it is.
func TestOutputsAreNeverInputs(t *testing.T) {
	const captures = " -r client.pcap@breth0_ovn-worker -r nginx.pcap"
	const replay = "run --db sb.db" + captures + " --ct-profile ovs-userspace --format none"
	for _, test := range []struct{ args, victim string }{
		{replay + " -w client.pcap", "client.pcap"},
		{replay + " -w ./nginx.pcap", "nginx.pcap"},
		{replay + " -w sb.db", "sb.db"},
		{replay + " -w link.pcap", "client.pcap"},
		{replay + " -w hard.pcap", "client.pcap"},
		{replay + " -w here/client.pcap", "client.pcap"},
		{replay + " --ct-import dump.txt -w dump.txt", "dump.txt"},
		{replay + " --pin dump.txt -w dump.txt", "dump.txt"},
		{replay + " --ct-zones zones.txt -w zones.txt", "zones.txt"},
		{replay + " --ovs=flows.txt -w flows.txt", "flows.txt"},
		{replay + " --cpuprofile client.pcap", "client.pcap"},
		{replay + " --session sb.db", "sb.db"},
		{replay + " --session empty.pcap -r empty.pcap", "empty.pcap"},
		{replay + " --session kept.db -w kept.db", "kept.db"},
		{replay + " --session kept.db -w kept-link.db", "kept.db"},
		{replay + " --session new.db -w new.db", ""},
		{replay + " --session kept.db --cpuprofile kept.db", ""},
		{"run --db sb.db --ct-profile profile.txt" + captures + " -w profile.txt --format none", "profile.txt"},
		{"run --db sb.db -r *.pcap --ct-profile ovs-userspace --format none -w nginx.pcap", "nginx.pcap"},
		{"run --case . -w case.json --format none", "case.json"},
		{"run --case . -w client.pcap --format none", "client.pcap"},
		{"run --case . -w sb.db --format none", "sb.db"},
		{"conntrack export --case . -o sb.db", "sb.db"},
		{"report --case . -o nginx.pcap", "nginx.pcap"},
		{"report --case . -o hard.pcap", "client.pcap"},
		{"report --db sb.db" + captures + " -o here/sb.db", "sb.db"},
		{"verify --case . --junit client.pcap", "client.pcap"},
		{"verify --case . --junit link.pcap", "client.pcap"},
		{"verify --case . --junit case.json", "case.json"},
		{"verify --case . --junit new.xml -w new.xml", ""},
		{"verify --case . -w sb.db", "sb.db"},
		{"conntrack export kept.db -o kept.db", "kept.db"},
		{"db snapshot sb.db name --store sb.db", "sb.db"},
		{"db snapshot empty.db name --store empty.db", "empty.db"},
	} {
		t.Run(test.args, func(t *testing.T) {
			dir := copied(t, "sb.db", "client.pcap", "nginx.pcap", "case.json")
			t.Chdir(dir)
			if status, _, errs := replayed(t,
				strings.Fields(strings.ReplaceAll(replay, "*", "")+" --session kept.db")...); status != exitOK {
				t.Fatal(errs)
			}
			os.Symlink("client.pcap", "link.pcap")
			os.Symlink("kept.db", "kept-link.db")
			os.Symlink(".", "here")
			os.Link("client.pcap", "hard.pcap")
			for name, text := range map[string]string{
				"dump.txt": "", "zones.txt": "", "flows.txt": "", "profile.txt": "profile ovs-userspace\n",
				"empty.pcap": "", "empty.db": "",
			} {
				os.WriteFile(name, []byte(text), 0o600)
			}
			var before []byte
			if test.victim != "" {
				before = read(t, test.victim)
			}
			status, _, errs := replayed(t, strings.Fields(test.args)...)
			if status != exitBad || errs == "" {
				t.Errorf("%s: exit status %d, %q", test.args, status, errs)
			}
			if test.victim != "" && !bytes.Equal(before, read(t, test.victim)) {
				t.Errorf("%s: %s is changed", test.args, test.victim)
			}
			if left, _ := filepath.Glob("*.part"); len(left) > 0 {
				t.Errorf("%s: leaves %v", test.args, left)
			}
		})
	}
}

// Standard output that is led to a file which the command line names is refused by every command.
func TestStandardOutputIsNoInput(t *testing.T) {
	dir := copied(t, "sb.db", "client.pcap")
	t.Chdir(dir)
	const keep = "run --db sb.db -r client.pcap --session kept.db -q"
	if status, _, errs := replayed(t, strings.Fields(keep)...); status != exitOK {
		t.Fatal(errs)
	}
	os.Symlink("kept.db", "link.db")
	os.Link("client.pcap", "hard.pcap")
	for _, test := range []struct{ args, victim string }{
		{"db info sb.db", "sb.db"},
		{"db history sb.db", "sb.db"},
		{"run --db=sb.db -r client.pcap@breth0_ovn-worker", "hard.pcap"},
		{"run --db sb.db -r hard.pcap -w -", "client.pcap"},
		{"show link.db", "kept.db"},
		{"conntrack list kept.db", "link.db"},
		{"connections --session=kept.db", "kept.db"},
		{"who 172.18.0.4 --session kept.db", "kept.db"},
		{"conntrack states -r client.pcap", "client.pcap"},
	} {
		out, err := os.OpenFile(test.victim, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		before := read(t, test.victim)
		cmd := process(t.Context(), strings.Fields(test.args)...)
		var errs strings.Builder
		cmd.Stdout, cmd.Stderr = out, &errs
		cmd.Run()
		out.Close()
		if cmd.ProcessState.ExitCode() != exitBad || !strings.Contains(errs.String(), "is also standard output") ||
			!bytes.Equal(before, read(t, test.victim)) {
			t.Errorf("%s >> %s: %v, %q", test.args, test.victim, cmd.ProcessState, errs.String())
		}
	}
}

// What exists is replaced only by what is complete: not where an input is bad,
// the session does not fit, or the output cannot be written.
func TestOutputsAreReplacedWhole(t *testing.T) {
	dir := copied(t, "sb.db", "client.pcap")
	t.Chdir(dir)
	const replay = "run --db sb.db -r client.pcap@breth0_ovn-worker --format none "
	if status, _, errs := replayed(t, strings.Fields(replay+"--session s.db")...); status != exitOK {
		t.Fatal(errs)
	}
	os.WriteFile("keep.pcapng", []byte("kept"), 0o640)
	os.WriteFile("bad.db", []byte("no database"), 0o600)
	for _, args := range []string{
		"run --db bad.db -r client.pcap@breth0_ovn-worker --format none -w keep.pcapng",
		"run --db sb.db -r missing.pcap@breth0_ovn-worker --format none -w keep.pcapng",
		"run --db sb.db -r client.pcap@nowhere --format none -w keep.pcapng",
		replay + "--session s.db --ct-profile ovs-userspace -w keep.pcapng",
		replay + "--session bad.db -w keep.pcapng",
		replay + "--filter ip4.src== -w keep.pcapng",
		"conntrack export --db sb.db -r client.pcap@nowhere -o keep.pcapng",
		"conntrack export s.db --format nonsense -o keep.pcapng",
		"report --db sb.db -r client.pcap@nowhere -o keep.pcapng",
		"verify --db sb.db -r client.pcap@nowhere --junit keep.pcapng",
	} {
		if status, _, errs := replayed(t, strings.Fields(args)...); status != exitBad || errs == "" {
			t.Errorf("%s: exit status %d, %q", args, status, errs)
		}
		if got := string(read(t, "keep.pcapng")); got != "kept" {
			t.Fatalf("%s: the file holds %d bytes", args, len(got))
		}
	}
	os.Symlink("keep.pcapng", "link.pcapng")
	if status, _, errs := replayed(t, strings.Fields(replay+"-w link.pcapng")...); status != exitOK {
		t.Fatal(errs)
	}
	info, err := os.Stat("keep.pcapng")
	if link, _ := os.Readlink("link.pcapng"); link != "keep.pcapng" || err != nil || info.Mode().Perm() != 0o640 ||
		len(records(t, "keep.pcapng")) == 0 {
		t.Errorf("written through a link: %v, %v, the link leads to %q", info, err, link)
	}
	if left, _ := filepath.Glob("*.part"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// An error of writing is an error, however late it comes.
func TestWriteErrors(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	nodeport := filepath.Join(cases, "nodeport")
	for _, args := range []string{
		"run --case " + nodeport, "run --json --case " + nodeport, "run --format none -w - --case " + nodeport,
		"verify --case " + nodeport, "verify --json --case " + nodeport, "conntrack list --case " + nodeport,
		"conntrack export --case " + nodeport, "conntrack states -r " + nodeport + "/client.pcap",
		"db info " + nodeport + "/sb.db", "db history " + nodeport + "/sb.db", "diff --case " + nodeport + " --db " +
			nodeport + "/sb.db",
		"demo", "--help", "run --help", "db", "report -o - --case " + nodeport, "connections --csv --case " + nodeport,
		"coverage --case " + nodeport,
		"who 172.18.0.1 --case " + nodeport, "why 1 --case " + nodeport, "verify --junit - --case " + nodeport,
	} {
		var errs bytes.Buffer
		status := run(t.Context(), strings.Fields(args), strings.NewReader(""), full, &errs)
		if status != exitBad || !strings.Contains(errs.String(),
			"standard output: cannot be written: no space left on device") {
			t.Errorf("%s: exit status %d, %q", args, status, errs.String())
		}
	}
	for _, args := range []string{
		"run --format none -w /dev/full --case " + nodeport, "conntrack export -o /dev/full --case " + nodeport,
		"verify --cpuprofile /dev/full --case " + nodeport, "report -o /dev/full --case " + nodeport,
		"verify --junit /dev/full --case " + nodeport,
		"verify -w /dev/full --case " + nodeport,
	} {
		status, _, errs := replayed(t, strings.Fields(args)...)
		if status != exitBad || !strings.Contains(errs, "/dev/full: cannot be written: no space left on device") {
			t.Errorf("%s: exit status %d, %q", args, status, errs)
		}
	}
	status, _, errs := replayed(t, "run", "--format", "none", "--case", nodeport, "-w", t.TempDir()+"/no/such/folder")
	if status != exitBad || !strings.Contains(errs, "no such file or directory") {
		t.Errorf("no folder: exit status %d, %q", status, errs)
	}
}

// A reader that has seen enough ends the command quietly; what else it writes is complete.
func TestReaderGoesAway(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	file := filepath.Join(t.TempDir(), "out.pcapng")
	var errs bytes.Buffer
	status := run(t.Context(), []string{"run", "--case", filepath.Join(cases, "nodeport"), "-w", file},
		strings.NewReader(""), w, &errs)
	if status != exitSignal+int(syscall.SIGPIPE) || errs.Len() > 0 {
		t.Errorf("exit status %d, %q", status, errs.String())
	}
	records(t, file)
}

// A pipe is written as it is, and read once.
func TestNamedPipes(t *testing.T) {
	dir := copied(t, "sb.db", "client.pcap", "nginx.pcap")
	t.Chdir(dir)
	for _, name := range []string{"in", "out"} {
		if err := makeFifo(name); err != nil {
			t.Fatal(err)
		}
	}
	go os.WriteFile("in", read(t, "client.pcap"), 0)
	written := make(chan []byte)
	go func() {
		b, _ := os.ReadFile("out")
		written <- b
	}()
	if status, _, errs := replayed(t, strings.Fields("run --db sb.db -r nginx.pcap --format none "+
		"--session in")...); status != exitBad ||
		!strings.Contains(errs, "in: is not a session") {
		t.Errorf("a pipe as session: exit status %d, %s", status, errs)
	}
	status, _, errs := replayed(t,
		strings.Fields("run --db sb.db -r in@breth0_ovn-worker -r nginx.pcap --format none -w out")...)
	if status != exitOK {
		t.Fatal(errs)
	}
	select {
	case b := <-written:
		os.WriteFile("got.pcapng", b, 0o600)
		if n := len(records(t, "got.pcapng")); n < 20 {
			t.Errorf("%d packets went through the pipe", n)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came through the pipe")
	}
}

// A database that comes through a pipe is read once: it is not followed, which is said, nor waited
// for a second time.
func TestDatabaseThroughAPipe(t *testing.T) {
	dir := copied(t, "sb.db", "client.pcap", "nginx.pcap")
	for _, args := range []string{"verify", "verify --db-time follow", "diff --db " + dir + "/sb.db", "db info"} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := makeFifo(pipe); err != nil {
			t.Fatal(err)
		}
		go os.WriteFile(pipe, read(t, dir+"/sb.db"), 0)
		line := append(strings.Fields(args), "--db", pipe, "--ct-profile", "ovs-userspace",
			"-r", dir+"/client.pcap@breth0_ovn-worker", "-r", dir+"/nginx.pcap")
		want, says := exitOK, pipe+": a pipe is read once"
		switch args {
		case "db info":
			line, says = []string{"db", "info", pipe}, ""
		case "verify --db-time follow":
			want, says = exitBad, pipe+": is a pipe, which was read already"
		}
		if status, _, errs := replayed(t, line...); status != want || !strings.Contains(errs, says) {
			t.Errorf("%s: exit status %d, %s; want %d, %q", args, status, errs, want, says)
		}
	}
}

// Standard streams that are closed harm nothing: nothing of what is printed gets
// into files that are opened in their place, and those are complete.
func TestClosedStandardStreams(t *testing.T) {
	nodeport := filepath.Join(cases, "nodeport")
	dir := t.TempDir()
	for i, closed := range []string{"", ">&-", "2>&-", "<&- >&- 2>&-"} {
		file := filepath.Join(dir, fmt.Sprint(i))
		cmd := exec.Command("sh", "-c", `exec "$0" `+closed, os.Args[0])
		cmd.Env = append(os.Environ(), asCommand+"=run\n--case\n"+nodeport+"\n-w\n"+file)
		if err := cmd.Run(); err != nil {
			t.Errorf("%q: %v", closed, err)
		}
		if n, want := len(records(t, file)), len(records(t, filepath.Join(dir, "0"))); n != want || n == 0 {
			t.Errorf("%q: %d packets of %d", closed, n, want)
		}
	}
}

// Standard output carries one output, by whatever name: two are refused before anything is written, and
// where a capture or the result as XML is led there, it is not followed by text.
func TestStandardOutputIsOneOutput(t *testing.T) {
	const pcapng, xml, text = "\x0a\x0d\x0d\x0a", "<?xml", "10:00:35."
	nodeport, err := filepath.Abs(filepath.Join(cases, "nodeport"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	os.Symlink("/dev/stdout", "link")
	for _, test := range []struct{ args, begins string }{ // "": refused
		{"verify --json -w -", ""},
		{"verify -w -", ""},
		{"verify -w ./link", ""},
		{"verify --json --junit -", ""},
		{"verify --junit - -w -", ""},
		{"verify --junit /dev/stdout -w -", ""},
		{"verify --json -q -w /proc/self/fd/1", ""},
		{"run --json -w -", ""},
		{"run --json -w /dev/fd/1", ""},
		{"run --format detailed -w /dev//stdout", ""},
		{"run --cpuprofile /dev/stdout", ""},
		{"run -w -", pcapng},
		{"run -w /dev/stdout", pcapng},
		{"run -w link", pcapng},
		{"run --format none -w /dev/fd/1", pcapng},
		{"verify -q -w -", pcapng},
		{"verify --junit j.xml -w /dev/stdout", pcapng},
		{"verify --junit -", xml},
		{"run -w /dev/null", text},
	} {
		status, out, errs := replayed(t, append(strings.Fields(test.args), "--case", nodeport)...)
		switch {
		case test.begins == "" && (status != exitBad || out != "" || !strings.Contains(errs, "standard output")):
			t.Errorf("%s: exit status %d, %q, %.40q", test.args, status, errs, out)
		case test.begins != "" && (status != exitOK || !strings.HasPrefix(out, test.begins)):
			t.Errorf("%s: exit status %d, %q, %.40q", test.args, status, errs, out)
		case test.begins != text && strings.HasSuffix(out, "byte for byte\n"):
			t.Errorf("%s: text is among %.40q", test.args, out)
		}
	}
}

// A pipe that standard output is led to is standard output by its own name, too.
func TestStandardOutputIsOnePipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := makeFifo(fifo); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0) // both ends: nobody is waited for
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	cmd := process(t.Context(), "run", "--case", filepath.Join(cases, "nodeport"), "-w", "/dev/fd/3")
	var errs strings.Builder
	cmd.Stdout, cmd.ExtraFiles, cmd.Stderr = pipe, []*os.File{pipe}, &errs
	cmd.Run()
	if cmd.ProcessState.ExitCode() != exitBad || !strings.Contains(errs.String(), "both write to standard output") {
		t.Errorf("%v, %s", cmd.ProcessState, errs.String())
	}
}

// A pipe that a capture is read from is not written to, or the command would read what it wrote.
func TestPipesAreNotReadAndWritten(t *testing.T) {
	dir := copied(t, "sb.db")
	t.Chdir(dir)
	if err := makeFifo("fifo"); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"-w fifo", "-w ./fifo", "-w " + dir + "/fifo", "--session fifo"} {
		status, _, errs := replayed(t, strings.Fields("run --db sb.db -r fifo@breth0_ovn-worker "+out)...)
		if status != exitBad || !strings.Contains(errs, "is also an input") {
			t.Errorf("%s: exit status %d, %q", out, status, errs)
		}
	}
}

// What was written is said once it is there: not where it could not take its place, here because no file
// has so long a name.
func TestWrittenIsSaidOnceItIsThere(t *testing.T) {
	t.Chdir(copied(t, "sb.db", "client.pcap"))
	long := strings.Repeat("x", 300)
	for _, command := range []string{"run --format none -w ", "report -o ", "verify -w "} {
		status, _, errs := replayed(t,
			strings.Fields(command+long+" --db sb.db -r client.pcap@breth0_ovn-worker")...)
		if status != exitBad || strings.Contains(errs, "wrote ") || !strings.Contains(errs, "cannot be written") {
			t.Errorf("%s: exit status %d, %s", command, status, errs)
		}
	}
}
