package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every bad input is one line that says what is wrong, where, and what to do.
func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	db, client := dir+"/sb.db", dir+"/client.pcap"
	data, capture := read(t, db), read(t, client)
	damaged := bytes.Replace(data, []byte("northd_internal_version"), []byte("northd_internal_versiom"), 1)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no arguments": {[]string{"run"}, []string{"--db"}},
		"no capture":   {[]string{"run", "--db", db}, []string{"-r FILE@PORT"}},
		"no such database": {[]string{"run", "--db", "/nonexistent/sb.db", "-r", client},
			[]string{"/nonexistent/sb.db"}},
		"no such capture": {[]string{"run", "--db", db, "-r", "/nonexistent/x.pcap"}, []string{"/nonexistent/x.pcap"}},
		"not a capture": {[]string{"run", "--db", db, "-r", write(t, "x.pcap", []byte("hello, world, this is text"))},
			[]string{"x.pcap", "not a"}},
		"empty capture":  {[]string{"run", "--db", db, "-r", write(t, "empty.pcap", nil)}, []string{"empty.pcap"}},
		"not a database": {[]string{"run", "--db", client, "-r", client}, []string{"client.pcap"}},
		"northbound": {[]string{"run", "--db", dir + "/nb.db", "-r", client},
			[]string{"nb.db", "OVN_Northbound", "Southbound"}},
		"bad checksum": {[]string{"run", "--db", write(t, "sb.db", damaged), "-r", client},
			[]string{"sb.db", "checksum"}},
		"unknown port": {[]string{"run", "--db", db, "-r", client + "@nosuchport"},
			[]string{"client.pcap", "nosuchport"}},
		"unknown chassis": {[]string{"run", "--db", db, "-r", client + "@breth0_ovn-worker@nowhere"},
			[]string{"nowhere"}},
		"unknown profile": {[]string{"run", "--db", db, "-r", client, "--ct-profile", "bsd"}, []string{"bsd", "linux"}},
		"unknown format":  {[]string{"run", "--db", db, "-r", client, "--format", "xml"}, []string{"xml", "detailed"}},
		"link type": {[]string{"run", "--db", db, "-r", write(t, "raw.pcap", linkType(capture, 101)) +
			"@breth0_ovn-worker"}, []string{"raw.pcap", "frame 1"}},
		"no case":            {[]string{"verify", "--case", "/nonexistent"}, []string{"/nonexistent"}},
		"unknown flag":       {[]string{"verify", "--frobnicate"}, []string{"--frobnicate"}},
		"unknown command":    {[]string{"frobnicate"}, []string{"frobnicate"}},
		"unknown subcommand": {[]string{"db", "inof", "x"}, []string{`"inof" of ovn-replay db; did you mean info?`}},
		"no argument":        {[]string{"show"}, []string{"an argument is missing; usage: ovn-replay show SESSION"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, errs := replayed(t, c.args...)
			if status != exitBad {
				t.Errorf("exit status %d, want %d", status, exitBad)
			}
			if strings.Count(errs, "\n") != 1 {
				t.Errorf("want one line, got %q", errs)
			}
			for _, w := range c.want {
				if !strings.Contains(errs, w) {
					t.Errorf("%q does not say %q", errs, w)
				}
			}
		})
	}
}

func linkType(capture []byte, n byte) []byte {
	c := bytes.Clone(capture)
	c[20] = n
	return c
}

// What comes before a truncation is replayed and reported; then the exit
// status says that the input was bad.
func TestTruncatedCapture(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	capture := read(t, dir+"/client.pcap")
	cut := write(t, "cut.pcap", capture[:len(capture)/2])
	status, out, errs := replayed(t, "run", "--db", dir+"/sb.db", "-r", cut+"@breth0_ovn-worker", "--json")
	if status != exitBad || !strings.Contains(errs, "cut.pcap") || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
	if n := strings.Count(out, "\n"); n < 3 {
		t.Errorf("%d packets were replayed before the cut", n)
	}
}

// A database whose tail is missing is used as far as it goes, as ovsdb-server does.
func TestTruncatedDatabase(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	data := read(t, dir+"/sb.db")
	whole := bytes.LastIndex(data, []byte("OVSDB JSON"))
	if bytes.Count(data, []byte("OVSDB JSON")) < 2 {
		t.Fatal("the database has one record only")
	}
	damaged := append(bytes.Clone(data), data[whole:whole+(len(data)-whole)/2]...)
	cut := write(t, "cut.db", damaged)
	status, out, errs := replayed(t, "verify", "--db", cut, "-r", dir+"/client.pcap@breth0_ovn-worker",
		"-r", dir+"/nginx.pcap", "--json")
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Matched == 0 {
		t.Errorf("matched %d before the cut (%v)", r.Matched, err)
	}
	if status != exitBad || !strings.Contains(errs, "cut.db") || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit status %d, stderr %q", status, errs)
	}
}

// What is read line by line and cannot be names the file, and where it has no end, says what it is not.
func TestFilesOfLinesAreNamed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(bytes.Repeat([]byte("# a line of text\n"), 100))
	w.Close()
	cut := written(t, "cut.gz", packed.Bytes()[:10])
	long := written(t, "long", bytes.Repeat([]byte("x"), 16<<20))
	for _, flag := range []string{"--ct-zones", "--ct-import", "--pin", "--ct-profile", "--ovs"} {
		for file, want := range map[string]string{cut: "unexpected EOF", long: "too long"} {
			status, _, errs := replayed(t, "run", "--db", dir+"/sb.db", "-r", dir+"/client.pcap@breth0_ovn-worker",
				flag+"="+file)
			if status != exitBad || !strings.Contains(errs, file) || !strings.Contains(errs, want) ||
				strings.Contains(errs, "bufio") {
				t.Errorf("%s %s: exit status %d, %s", flag, file, status, errs)
			}
		}
	}
}

// A file's name that is no UTF-8 is told in JSON by its bytes, as it is on a terminal.
func TestNameThatIsNoUTF8(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a\xafb.pcap")
	put(t, file, read(t, cases+"/nodeport/client.pcap"))
	for _, args := range [][]string{
		{"run", "--json"}, {"run"}, {"verify", "--list", "--json"}, {"connections", "--json"},
	} {
		_, out, errs := replayed(t, append(args, "--db", cases+"/nodeport/sb.db", "-r", file+"@breth0_ovn-worker")...)
		if strings.Contains(out+errs, `\ufffd`) || strings.Contains(out+errs, "\xaf") {
			t.Errorf("%v: %.300s%.300s", args, out, errs)
		}
		if args[0] == "run" && !strings.Contains(out, `\xafb.pcap`) {
			t.Errorf("%v does not name the file: %.300s", args, out)
		}
	}
}
