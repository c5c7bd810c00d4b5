package conntrack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Open vSwitch's own test program prints the state its userspace tracker
// gives each packet of a capture. Ours must say the same.

func ovstest(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("OVSTEST"); path != "" {
		return path
	}
	path, err := exec.LookPath("ovstest")
	if err != nil {
		t.Skip("SKIPPED: no ovstest in PATH or $OVSTEST (build tests/ovstest of Open vSwitch); nothing was " +
			"compared with it")
	}
	return path
}

func TestAgainstOVSTest(t *testing.T) {
	prog := ovstest(t)
	for seed := range uint64(200) {
		g := newGenerator(seed)
		var packets [][]byte
		for range 300 {
			packets = append(packets, g.next())
		}
		file := filepath.Join(t.TempDir(), "generated.pcap")
		if err := os.WriteFile(file, pcapOf(packets), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(prog, "test-conntrack", "pcap", file).Output()
		if err != nil {
			t.Fatalf("ovstest: %v", err)
		}
		os.Remove(file)
		theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
		ct := NewTable(Options{Profile: OVSUserspace})
		for i, ip := range packets {
			m, _ := do(t, ct, 1, ip, Request{Commit: true})
			ours := fmt.Sprintf("%d: %s", i+1, m.State)
			if ours != strings.TrimSpace(theirs[i]) {
				tup := tuple(t, ip)
				t.Fatalf("seed %d: %v\nours:   %s\ntheirs: %s\npacket: %x", seed, &tup, ours, theirs[i], ip)
			}
		}
	}
}
