package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Standard error that is led to an input is refused by every command, without a word into it: that is said on
// standard output, or nowhere if it is the same.
func TestStandardErrorIsNoInput(t *testing.T) {
	dir := copied(t, "sb.db", "client.pcap", "case.json", "nginx.pcap", "pod2.pcap", "ct-zone-list.txt",
		"br-int.flows.txt")
	t.Chdir(dir)
	replayedWell(t, strings.Fields("run --db sb.db -r client.pcap --session kept.db -q")...)
	os.Link("client.pcap", "hard.pcap")
	for _, test := range []struct {
		args, victim string
		both         bool // standard output, too
	}{
		{"run --db sb.db -r client.pcap@breth0_ovn-worker", "client.pcap", false},
		{"run --db sb.db -r client.pcap@breth0_ovn-worker", "client.pcap", true},
		{"run --db=sb.db -r hard.pcap --explain-points", "client.pcap", false},
		{"db info sb.db", "sb.db", false},
		{"show kept.db", "kept.db", false},
		{"verify --case .", "nginx.pcap", false},
		{"verify --case .", "sb.db", true},
		{"run --no-such-flag client.pcap", "client.pcap", false},
	} {
		to, err := os.OpenFile(test.victim, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		before := read(t, test.victim)
		cmd := process(t.Context(), strings.Fields(test.args)...)
		var out strings.Builder
		if cmd.Stdout, cmd.Stderr = &out, to; test.both {
			cmd.Stdout = to
		}
		cmd.Run()
		to.Close()
		said := strings.Contains(out.String(), "is also standard error; lead that elsewhere")
		if cmd.ProcessState.ExitCode() != exitBad || said == test.both || !bytes.Equal(before, read(t, test.victim)) {
			t.Errorf("%s 2>> %s: %v, %q", test.args, test.victim, cmd.ProcessState, out.String())
		}
	}
	// A log beside what is looked through is none of it.
	log, err := os.Create(filepath.Join(dir, "log.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := process(t.Context(), "verify", "--case", ".")
	cmd.Stderr = log
	if err := cmd.Run(); err != nil {
		t.Errorf("with a log in the case's folder: %v: %s", err, read(t, log.Name()))
	}
}
