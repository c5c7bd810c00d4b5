package store

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// The database of a host is found where distributions and snaps have it: the
// socket of its server before its file, OVN's own folders before others.
func TestLocalSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		sockets, files []string
		run, dbs       string // the environment's
		want           string
	}{
		{"nothing", nil, nil, "", "", ""},
		{"OVN's own", []string{"var/run/ovn"}, []string{"var/lib/ovn"}, "", "", "unix:var/run/ovn/ovnsb_db.sock"},
		{"Debian's file", nil, []string{"var/lib/ovn"}, "", "", "var/lib/ovn/ovnsb_db.db"},
		{"MicroOVN", []string{"var/snap/microovn/common/run/ovn"},
			[]string{"var/snap/microovn/common/data/central/db"}, "", "",
			"unix:var/snap/microovn/common/run/ovn/ovnsb_db.sock"},
		{"MicroOVN of before", []string{"var/snap/microovn/common/run/central"}, nil, "", "",
			"unix:var/snap/microovn/common/run/central/ovnsb_db.sock"},
		{"MicroOVN that is stopped", nil, []string{"var/snap/microovn/common/data/central/db"}, "", "",
			"var/snap/microovn/common/data/central/db/ovnsb_db.db"},
		{"LXD is a client of MicroOVN", nil, []string{"var/snap/lxd/common/ovn",
			"var/snap/microovn/common/data/central/db"}, "", "",
			"var/snap/microovn/common/data/central/db/ovnsb_db.db"},
		{"a node of OpenShift", []string{"var/run/ovn-ic"}, []string{"var/lib/ovn-ic/etc"}, "", "",
			"unix:var/run/ovn-ic/ovnsb_db.sock"},
		{"a node of OpenShift that is stopped", nil, []string{"var/lib/ovn-ic/etc"}, "", "",
			"var/lib/ovn-ic/etc/ovnsb_db.db"},
		{"kube-ovn that is stopped", nil, []string{"etc/origin/ovn"}, "", "", "etc/origin/ovn/ovnsb_db.db"},
		{"old", nil, []string{"etc/openvswitch"}, "", "", "etc/openvswitch/ovnsb_db.db"},
		{"another folder", []string{"var/run/ovn", "x"}, nil, "x", "", "unix:x/ovnsb_db.sock"},
		{"another folder, empty", []string{"var/run/ovn"}, []string{"var/lib/ovn"}, "x", "", ""},
		{"another folder of files", []string{"var/run/ovn"}, []string{"y", "var/lib/ovn"}, "x", "y", "y/ovnsb_db.db"},
	} {
		root, err := os.MkdirTemp("", "local") // a socket's path is short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(root) })
		for _, dir := range append(append([]string{}, c.sockets...), c.files...) {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, dir := range c.sockets {
			l, err := net.Listen("unix", filepath.Join(root, dir, sbSocket))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}
		for _, dir := range c.files {
			if err := os.WriteFile(filepath.Join(root, dir, sbFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want := c.want
		if path, ok := cutUnix(want); ok {
			want = "unix:" + filepath.Join(root, path)
		} else if want != "" {
			want = filepath.Join(root, want)
		}
		if got := localSource(root, c.run, c.dbs); got != want {
			t.Errorf("%s: found %q, want %q", c.name, got, want)
		}
	}
}

func cutUnix(s string) (string, bool) {
	const unix = "unix:"
	if len(s) > len(unix) && s[:len(unix)] == unix {
		return s[len(unix):], true
	}
	return s, false
}
