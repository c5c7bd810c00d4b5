package store

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// kindsTransactions exercise every kind of column: set, changed in part,
// emptied; rows inserted, modified, deleted; several at once.
var kindsTransactions = []string{
	`["Kinds", {"op":"insert","table":"Every","uuid-name":"a","row":{"i":1,"s":"one","b":true,"r":1.5,"oi":7,
		"ob":false,"os":"","si":["set",[3,1,20,-5]],"ss":["set",["x","y"]],"mss":["map",[["k","v"],["l","w"]]],
			"mis":["map",[[10,"ten"],[9,"nine"]]]}},
	  {"op":"insert","table":"Every","uuid-name":"b","row":{"i":2,"s":"t\u00e9l\u00e9 \"q\" \\ \n \ud83d\ude00",
		"ref":["named-uuid","a"],"su":["set",[["named-uuid","a"],["named-uuid","b"]]],
			"msu":["map",[["self",["named-uuid","b"]],["a",["named-uuid","a"]]]]}},
	  {"op":"insert","table":"Other","row":{"name":"row without anything to forget","gone":5}}]`,
	`["Kinds", {"op":"mutate","table":"Every","where":[["i","==",1]],"mutations":[["si","insert",["set",[4,100]]],` +
		`["si","delete",["set",[3]]],["mss","insert",["map",[["m","x"]]]],["mss","delete",["set",["k"]]]]}]`,
	`["Kinds", {"op":"update","table":"Every","where":[["i","==",1]],"row":{"mss":["map",[["l","other"],["m","x"]]],` +
		`"ss":["set",["y","z"]],"oi":["set",[]],"ob":true,"os":"text","b":false}}, {"op":"comment","comment":"a ` +
		`comment of the writer"}]`,
	`["Kinds", {"op":"update","table":"Every","where":[],"row":{"i":0,"s":"","r":0,"u":["uuid",` +
		`"00000000-0000-0000-0000-000000000000"]}},{"op":"update","table":"Other","where":[],` +
		`"row":{"name":"renamed"}}]`,
	`["Kinds", {"op":"update","table":"Every","where":[["os","==","text"]],"row":{"si":["set",[]],"mss":["map",[]],` +
		`"mis":["map",[[9,"NINE"]]],"r":-2.25e-7,"i":9007199254740993}}]`,
	`["Kinds", {"op":"delete","table":"Every","where":[["os","==","text"]]},{"op":"insert","table":"Other",` +
		`"row":{"name":"another"}}]`,
	`["Kinds", {"op":"delete","table":"Every","where":[]},{"op":"delete","table":"Other","where":[]},{"op":"insert",` +
		`"table":"Every","row":{"s":"last"}}]`,
}

// server is an ovsdb-server of the test's own.
type server struct{ cmd *exec.Cmd }

// startServer starts one in the foreground and waits for its sock in dir. It
// ends with the test.
func startServer(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	cmd := exec.Command(tool(t, "ovsdb-server"),
		append([]string{"-vconsole:off", "-vsyslog:off", "--unixctl=" + dir + "/ctl"}, args...)...)
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd}
	t.Cleanup(func() { s.stop(t) })
	for range 500 {
		if c, err := net.Dial("unix", filepath.Join(dir, "sock")); err == nil {
			c.Close()
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("ovsdb-server does not start: %s", out.String())
	return nil
}

func (s *server) stop(t testing.TB) {
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Errorf("cannot stop ovsdb-server: %v", err)
	}
	s.cmd.Wait()
	s.cmd = nil
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
