package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A case replays the same, to the byte, from whatever its database is read.
func TestSourcesAgree(t *testing.T) {
	for _, name := range []string{"ovsdb-server", "ovsdb-tool", "ovsdb-client"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %s is not installed; install openvswitch-switch", name)
		}
	}
	file := ""
	for _, path := range recordedDatabases(t) {
		if strings.HasSuffix(path, "/nodeport/sb.db") {
			file = path
		}
	}
	if file == "" {
		t.Fatal("no recorded case nodeport")
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := filepath.Dir(file)
	alone := filepath.Join(t.TempDir(), "sb.db") // beside no Northbound database, as the others
	if err := os.WriteFile(alone, read(t, file), 0o600); err != nil {
		t.Fatal(err)
	}
	replay := func(source string) string {
		t.Helper()
		var out, errs bytes.Buffer
		status := run(context.Background(), []string{
			"run", "--db", source, "--format", "detailed", "-r", dir + "/client.pcap@breth0_ovn-worker", "-r", dir +
				"/nginx.pcap", "-r", dir + "/pod2.pcap",
		}, strings.NewReader(""), &out, &errs)
		if status != exitOK {
			t.Fatalf("%s: status %d: %s", source, status, errs.String())
		}
		return out.String()
	}
	want := replay(alone)
	if len(want) < 1000 {
		t.Fatalf("the replay says only %q", want)
	}
	for what, source := range sourcesOf(t, alone) {
		if got := replay(source); got != want {
			t.Errorf("from %s (%s) the replay differs: %d bytes, %d from the file", what, source, len(got), len(want))
		}
	}
}

// sourcesOf makes of a database file all the other sources there are.
func sourcesOf(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sources") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	sources := map[string]string{"snapshot": "snapshot:nodeport"}
	if out, stderr, err := db(t, "snapshot", file, "nodeport"); err != nil {
		t.Fatal(out, stderr, err)
	}
	for _, how := range []string{"gz", "xz", "zst"} {
		sources[how] = filepath.Join(dir, "sb.db."+how)
		if err := os.WriteFile(sources[how], pack(t, how, text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	served := filepath.Join(dir, "sb.db")
	if err := os.WriteFile(served, text, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	sources["unix"] = "unix:" + dir + "/sock"
	sources["tcp"] = fmt.Sprintf("tcp:127.0.0.1:%d", port)
	serve(t, dir, served, fmt.Sprintf("--remote=ptcp:%d:127.0.0.1", port))
	for i := range 3 {
		member := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(member, 0o700); err != nil {
			t.Fatal(err)
		}
		address := func(i int) string { return fmt.Sprintf("unix:%s/%d/raft", dir, i) }
		if i == 0 {
			command(t, "ovsdb-tool", "create-cluster", member+"/db", file, address(0))
		} else {
			command(t, "ovsdb-tool", "join-cluster", member+"/db", "OVN_Southbound", address(i), address(0))
		}
		serve(t, member, member+"/db")
		command(t, "ovsdb-client", "--timeout=20", "wait", "unix:"+member+"/sock", "OVN_Southbound", "connected")
		sources[fmt.Sprint("member ", i, "'s file")] = member + "/db"
	}
	sources["cluster"] = fmt.Sprintf("unix:%s/2/sock,unix:%s/1/sock,unix:%s/0/sock", dir, dir, dir)
	dump := command(t, "ovsdb-client", "-f", "json", "dump", sources["unix"], "OVN_Southbound")
	sources["dump"] = filepath.Join(dir, "dump.json")
	if err := os.WriteFile(sources["dump"], dump, 0o600); err != nil {
		t.Fatal(err)
	}
	return sources
}

func pack(t *testing.T, how string, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := interface {
		Write([]byte) (int, error)
		Close() error
	}(gzip.NewWriter(&out))
	var err error
	switch how {
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// serve starts an ovsdb-server at DIR/sock that ends with the test.
func serve(t *testing.T, dir, file string, args ...string) {
	t.Helper()
	cmd := exec.Command("ovsdb-server",
		append([]string{"-vconsole:off", "-vsyslog:off", "--unixctl=" + dir + "/ctl", "--remote=punix:" + dir + "/sock",
			file}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 500 {
		if c, err := net.Dial("unix", dir+"/sock"); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("ovsdb-server does not start")
}

func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, stderr.String())
	}
	return out
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
