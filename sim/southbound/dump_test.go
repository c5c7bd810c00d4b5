package southbound_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ovnreplay/sim/network"
)

// A dump tells no schema, and yet the network of it is that of the database.
func TestOracleDump(t *testing.T) {
	for _, name := range []string{"ovsdb-server", "ovsdb-client"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %s is not installed; install openvswitch-switch", name)
		}
	}
	seen := make(map[string]bool)
	for _, path := range cases(t) {
		if !strings.HasSuffix(path, ".db") {
			continue
		}
		_, want := load(t, path)
		if seen[want.Version] {
			continue
		}
		seen[want.Version] = true
		dump := filepath.Join(t.TempDir(), "dump.json")
		if err := os.WriteFile(dump, dumpOf(t, path), 0o600); err != nil {
			t.Fatal(err)
		}
		_, got := load(t, dump)
		for _, d := range network.Diff(want, got) {
			t.Errorf("%s: %v", path, d)
		}
		if len(got.Problems) != 0 || len(got.Flows) != len(want.Flows) || len(got.Flows) == 0 {
			t.Errorf("%s: %d flows, problems %v", path, len(got.Flows), got.Problems)
		}
		for i, f := range want.Flows {
			if g := got.Flows[i]; g.UUID != f.UUID || fmt.Sprint(g.Tags) != fmt.Sprint(f.Tags) || g.Meter != f.Meter {
				t.Errorf("%s: flow %d: %+v, want %+v", path, i, g, f)
			}
		}
	}
	if len(seen) < 2 {
		t.Errorf("databases of %d versions only", len(seen))
	}
}

// dumpOf serves a copy of a database and dumps it.
func dumpOf(t *testing.T, path string) []byte {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, sock := filepath.Join(dir, "sb.db"), filepath.Join(dir, "sock")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command("ovsdb-server", "-vconsole:off", "-vsyslog:off", "--unixctl="+dir+"/ctl",
		"--remote=punix:"+sock, file)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	for range 500 {
		if c, err := net.Dial("unix", sock); err == nil {
			c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cmd := exec.Command("ovsdb-client", "-f", "json", "dump", "unix:"+sock, "OVN_Southbound")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ovsdb-client: %v: %s", err, stderr.String())
	}
	return out
}
