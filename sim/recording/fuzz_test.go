package recording

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/conntrack"
)

// files are read from where they are.
var files = Files{Open: func(name string) (io.ReadCloser, error) { return os.Open(name) }}

// FuzzCase reads a case.json, whose files are there or not.
func FuzzCase(f *testing.F) {
	f.Add(`{"db":"sb.db","captures":[{"file":"a.pcap","port":"p"}],"ct_zones":"zones","conntrack":["a","b"]}`)
	f.Add(`{"db":"sb.db","captures":[{}],"chassis":"hv1","ct_zones":{"hv1":"zones"},"conntrack":{"hv1":["a"]},` +
		`"underlay":[{"file":"u","underlay":"hv1"}],"ct_profile":"zones","openflow":"f"}`)
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		for name, content := range map[string]string{"case.json": text, "zones": "pod1 3\npod2 4\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := ReadCase(dir, files); err == nil && (len(s.DBs) == 0 || len(s.Captures) == 0) {
			t.Errorf("%q is taken for a case: %+v", text, s)
		}
	})
}

func TestCaseIsNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "case.json")
	if err := os.WriteFile(name, []byte(`{"db":"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCase(dir, files); err == nil || !strings.Contains(err.Error(), "longer than 1024 KiB") {
		t.Errorf("error %v", err)
	}
}

// FuzzZoneList reads a chassis' zones.
func FuzzZoneList(f *testing.F) {
	f.Add("pod1 3\npod2 4\n")
	f.Add("pod1 65536\n")
	f.Fuzz(func(t *testing.T, text string) {
		name := filepath.Join(t.TempDir(), "zones")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		zones, err := readZones(name, files)
		if lines := strings.Count(text, "\n") + 1; err == nil && len(zones) > lines {
			t.Errorf("%d zones on %d lines", len(zones), lines)
		}
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}

// FuzzProfile reads the settings of a connection tracker.
func FuzzProfile(f *testing.F) {
	f.Add("profile ovs-userspace\ntcp_established 7200\n")
	f.Add("net.netfilter.nf_conntrack_max = 262144\nnet.netfilter.nf_conntrack_tcp_loose = 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := conntrack.ReadProfile(strings.NewReader(text), "settings")
		if err != nil {
			if !strings.Contains(err.Error(), "settings") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if o.MaxConns < 0 {
			t.Errorf("%d connections at most", o.MaxConns)
		}
		conntrack.NewTable(o)
	})
}
