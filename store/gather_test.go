package store

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// member file of a tree.
type treeFile struct{ name, text string }

func writeTree(t *testing.T, files []treeFile) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func tarOf(t testing.TB, files []treeFile) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: "./" + f.name, Typeflag: tar.TypeReg, Mode: 0o644,
			Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(f.text))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// gatheredFiles are what a collection may hold, beside things of no use.
func gatheredFiles(t *testing.T) []treeFile {
	nb := record("JSON", strings.Replace(smallSchema, "OVN_Southbound", "OVN_Northbound", 1))
	return []treeFile{
		{"README", "nothing\n"},
		{"network_logs/leader_nbdb.gz", compressAs(t, "gzip", nb)},
		{"network_logs/leader_sbdb.gz", compressAs(t, "gzip", strings.Join(small(), ""))},
		{"sos_commands/openvswitch/ovs-appctl_dpctl.dump-conntrack",
			"tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=2),reply=(src=10.0.0.2,dst=10.0.0.1,sport=2,dport=1)," +
				"zone=3\n"},
		{"sos_commands/networking/conntrack_-L",
			"tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 " +
				"sport=2 dport=1 [ASSURED] mark=0 use=1\n"},
		{"sos_commands/openvswitch/ovs-ofctl_dump-flows_br-int",
			"NXST_FLOW reply (xid=0x4):\n cookie=0x1, duration=1s, table=0, n_packets=0, n_bytes=0, priority=1 " +
				"actions=drop\n"},
		{"sos_commands/ovn_host/ovn-appctl_ct-zone-list", "pod1 3\npod2 4\n"},
		{"captures/node.pcap", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00"},
		{"broken.gz", "\x1f\x8b\x00\x00"},
	}
}

func TestGather(t *testing.T) {
	t.Parallel()
	files := gatheredFiles(t)
	dir := writeTree(t, files)
	plain := write(t, "must-gather.tar", tarOf(t, files))
	packed := write(t, "must-gather.tar.xz", compressAs(t, "xz", tarOf(t, files)))
	nested := write(t, "outer.tar", tarOf(t, []treeFile{{"a/inner.tar.gz", compressAs(t, "gzip", tarOf(t, files))}}))
	for _, c := range []struct{ source, prefix string }{{dir, dir + "/"}, {plain, plain + "!"}, {packed, packed + "!"},
		{nested, nested + "!a/inner.tar.gz!"}} {
		items, _, err := Gather(context.Background(), c.source)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range items {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s: %s %s", strings.TrimPrefix(i.Path, c.prefix), i.Kind,
				i.Detail)))
		}
		want := []string{
			"captures/node.pcap: capture",
			"network_logs/leader_nbdb.gz: database OVN_Northbound",
			"network_logs/leader_sbdb.gz: database OVN_Southbound",
			"sos_commands/networking/conntrack_-L: conntrack dump",
			"sos_commands/openvswitch/ovs-appctl_dpctl.dump-conntrack: conntrack dump",
			"sos_commands/openvswitch/ovs-ofctl_dump-flows_br-int: OpenFlow dump",
			"sos_commands/ovn_host/ovn-appctl_ct-zone-list: zone list",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.source, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, source := range []string{c.source, c.prefix + "network_logs/leader_sbdb.gz"} {
			db := mustOpen(t, source, Options{})
			if db.Table("Meter").Len() != 2 || db.Source != c.prefix+"network_logs/leader_sbdb.gz" {
				t.Errorf("%s: %d rows from %s", source, db.Table("Meter").Len(), db.Source)
			}
		}
		if _, err := Open(context.Background(), c.prefix+"network_logs/leader_nbdb.gz", Options{}); err == nil ||
			!strings.Contains(err.Error(), "this is the OVN_Northbound database") {
			t.Errorf("the other database: %v", err)
		}
	}
	if _, err := Open(context.Background(), plain+"!none", Options{}); err == nil ||
		!strings.Contains(err.Error(), "no such file in") {
		t.Errorf("no such member: %v", err)
	}
	if items, _, err := Gather(context.Background(), write(t, "cut.tar", tarOf(t, files)[:5000])); err != nil ||
		len(items) == 0 {
		t.Errorf("a tar file cut short: %v, %v", items, err)
	}
}

// Of several databases the user must choose, unless they are one cluster's:
// then the newest is taken.
func TestGatherSeveral(t *testing.T) {
	t.Parallel()
	one := strings.Join(small(), "")
	dir := writeTree(t, []treeFile{{"a", one}, {"b", one}, {"c.gz", compressAs(t, "gzip", one)}})
	if db := mustOpen(t, dir, Options{}); db.Source != dir+"/a" {
		t.Errorf("%s taken of three copies", db.Source)
	}
	dir = writeTree(t, []treeFile{{"a", one}, {"b", strings.Join(small()[:3], "")}})
	if _, err := Open(context.Background(), dir, Options{}); err == nil ||
		!strings.Contains(err.Error(), "holds 2 OVN_Southbound databases; name one of them: "+dir+"/a, "+dir+"/b") {
		t.Errorf("two databases: %v", err)
	}
	older := clusterFile(entryOf(5, "five"), `{"commit_index":5}`)
	newer := clusterFile(entryOf(5, "five"), entryOf(6, "six"), `{"commit_index":6}`)
	dir = writeTree(t, []treeFile{{"a", older}, {"b", newer}, {"c", older}})
	if db := mustOpen(t, dir, Options{}); db.Source != dir+"/b" {
		t.Errorf("%s taken of a cluster's members", db.Source)
	}
	other := strings.ReplaceAll(newer, `"cluster_id":"`+uuidB, `"cluster_id":"`+uuidA)
	header, rest, _ := strings.Cut(other, "\n")
	body, rest, _ := strings.Cut(rest, "\n")
	_ = header
	dir = writeTree(t, []treeFile{{"a", older}, {"b", record("CLUSTER", body) + rest}})
	if _, err := Open(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "holds 2") {
		t.Errorf("two clusters: %v", err)
	}
}
