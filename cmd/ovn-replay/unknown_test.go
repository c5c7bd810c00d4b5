package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A command that does not exist says which was meant, whatever follows it.
func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"rn --db sb.db -r client.pcap": "run?", "verfy": "did you mean verify?", "nonsense": "--help lists them",
	} {
		if status, _, errs := replayed(t, strings.Fields(args)...); status != exitBad || !strings.Contains(errs, want) {
			t.Errorf("%s: exit status %d, %q", args, status, errs)
		}
	}
	if status, out, _ := replayed(t, "--version"); status != exitOK || !strings.Contains(out, "go1.") {
		t.Errorf("--version: exit status %d, %q", status, out)
	}
}

// A capture without packets is passed over; the others are replayed.
func TestEmptyCapture(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(cases, "nodeport")
	empty := filepath.Join(t.TempDir(), "empty.pcap")
	if err := os.WriteFile(empty, read(t, dir+"/client.pcap")[:24], 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--db", dir + "/sb.db", "-r", dir + "/client.pcap", "-r", empty, "-r", dir + "/nginx.pcap",
		"--ct-profile", "ovs-userspace"}
	status, out, errs := replayed(t, append([]string{"verify"}, args...)...)
	if status != exitOK || !strings.Contains(errs, "empty.pcap: it holds no packets") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", empty); status != exitBad ||
		!strings.Contains(errs, "the captures hold no packets") {
		t.Errorf("alone: exit status %d, %q", status, errs)
	}
	zipped := gzipped(t, "", "", 0, "")
	folder := t.TempDir()
	for name, data := range map[string][]byte{"0.pcap": nil, "1.pcap": read(t, dir+"/client.pcap"), "2.pcap": nil} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nothing := filepath.Join(folder, "0.pcap")
	for _, none := range []string{nothing, zipped} {
		args[3+2] = none // without even a header
		status, out, errs := replayed(t, append([]string{"verify"}, args...)...)
		if status != exitOK || !strings.Contains(errs, none+": it is empty") {
			t.Errorf("exit status %d\n%s%s", status, out, errs)
		}
	}
	if status, _, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", nothing, "-r", zipped); status != exitBad ||
		!strings.Contains(errs, ": is empty; a capture has a header at least") {
		t.Errorf("nothing else: exit status %d, %q", status, errs)
	}
	if status, out, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", folder+"/?.pcap"); status != exitOK {
		t.Errorf("in a set: exit status %d\n%s%s", status, out, errs)
	}
}
