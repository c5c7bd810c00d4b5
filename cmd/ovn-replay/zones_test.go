package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const zonesCase = "../../testdata/cases/ic-warm/"

var bothZones = []string{"--db", zonesCase + "sb-node1.db.gz", "--db", zonesCase + "sb-node2.db.gz", "--ct-profile",
	"ovs-userspace:3.1"}

// Two zones of one node each are one network: packets cross from one's
// pipelines through the tunnel into the other's, and are what was recorded there.
func TestZonesJoined(t *testing.T) {
	captures := []string{"pod1.pcap", "pod2.pcap", "ext1.pcap@br-ex_node1", "ext2.pcap@br-ex_node2"}
	for name, underlay := range map[string][]string{
		"without the underlay": nil, "with it": {"ul1.pcap@underlay", "ul2.pcap@underlay"},
	} {
		args := bothZones
		for _, c := range append(captures, underlay...) {
			args = append(args, "-r", zonesCase+c)
		}
		status, r := verified(t, args...)
		if status != exitOK || r.Matched != 58 || r.Observed != 58 {
			t.Errorf("%s: status %d, %d of %d matched", name, status, r.Matched, r.Observed)
		}
		if underlay != nil && (r.Underlay == nil || r.Underlay.Matched != 37 || r.Underlay.Observed != 37) {
			t.Errorf("%s: underlay %+v", name, r.Underlay)
		}
		if _, out, _ := replayed(t, append([]string{"run"}, args...)...); strings.Contains(out, "dropped") {
			t.Errorf("%s: what went through is dropped:\n%s", name, out)
		}
	}
}

// The path of a packet shows both nodes, whether it is sent to the pod or to a
// service that has it.
func TestZonesPath(t *testing.T) {
	status, out, errs := replayed(t,
		append([]string{"run", "--format", "summary", "-r", zonesCase + "ext1.pcap@br-ex_node1",
			"--filter", "tcp.dst == 30007 && tcp.flags == 2"}, bothZones...)...)
	if status != exitOK {
		t.Fatal(errs)
	}
	for _, want := range []string{`dp="ext_node1"`, `dp="GR_node1"`, `outport="tstor-node2"`, `inport="rtots-node2"`,
		`dp="node2"`, `output to "pod2"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the nodePort's path over both nodes lacks %s:\n%s", want, out)
		}
	}
}

func TestZonesRefused(t *testing.T) {
	one := []string{"--db", zonesCase + "sb-node1.db.gz", "-r", zonesCase + "pod1.pcap"}
	for want, args := range map[string][]string{
		"are databases of one zone":  append([]string{"verify", "--db", zonesCase + "sb-node1.db.gz"}, one...),
		"/nonexistent: no such file": append([]string{"run", "--db", "/nonexistent"}, one...),
		"--watch follows one live server": append([]string{"run", "--watch", "-r", zonesCase + "pod1.pcap"},
			bothZones...),
	} {
		if status, _, errs := replayed(t, args...); status != exitBad || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %s; want %q", args, status, errs, want)
		}
	}
}

// An archive laid out as OVN-Kubernetes' must-gather holds every node's
// databases: they are joined by themselves.
func TestZonesOfAnArchive(t *testing.T) {
	dir := t.TempDir()
	for _, node := range []string{"node1", "node2"} {
		packTar(t, filepath.Join(dir, "network_logs", "ovnk_database_store", "ovnkube-"+node+".tar"),
			node+"_sbdb.gz", read(t, zonesCase+"sb-"+node+".db.gz"))
	}
	args := []string{"--db", dir, "--ct-profile", "ovs-userspace:3.1"}
	for _, c := range []string{"pod1.pcap", "pod2.pcap", "ext1.pcap@br-ex_node1", "ext2.pcap@br-ex_node2"} {
		args = append(args, "-r", zonesCase+c)
	}
	if status, r := verified(t, args...); status != exitOK || r.Matched != 58 {
		t.Errorf("status %d, %d matched", status, r.Matched)
	}
	status, out, errs := replayed(t, "db", "gather", dir)
	for _, want := range []string{"zone node1: ", "zone node2: ", "joined by transit_switch", "ports pod1"} {
		if status != exitOK || !strings.Contains(out, want) {
			t.Errorf("db gather lacks %q: %s%s", want, out, errs)
		}
	}
	status, _, errs = replayed(t, "verify", "--db", dir, "--db", zonesCase+"sb-node1.db.gz", "-r",
		zonesCase+"pod1.pcap")
	if status != exitBad || !strings.Contains(errs, "databases of one zone") {
		t.Errorf("a zone that the archive has already: status %d, %s", status, errs)
	}
}

// packTar writes a tar file with one member.
func packTar(t *testing.T, name, member string, content []byte) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: member, Mode: 0o600, Size: int64(len(content))}),
		writeAll(w, content), w.Close(),
		os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func writeAll(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// Of one node's database only that node's zones can be meant: the chassis of
// other zones are remote in it. A hostname is as good as a chassis' name.
func TestZonesOfTheOwnChassis(t *testing.T) {
	zones := zonesCase + "ct-zone-list-node1.txt"
	common := []string{"run", "-q", "--db", zonesCase + "sb-node1.db.gz", "-r", zonesCase + "pod1.pcap", "--ct-profile",
		"ovs-userspace:3.1", "--ct-zones"}
	for _, name := range []string{zones, zones + "@node1"} {
		if status, _, errs := replayed(t, append(common, name)...); status != exitOK {
			t.Errorf("%s: status %d, %s", name, status, errs)
		}
	}
	want := `no chassis "elsewhere" in the database; there is `
	if status, _, errs := replayed(t, append(common, zones+"@elsewhere")...); status != exitBad ||
		!strings.Contains(errs, want) {
		t.Errorf("status %d, %s; want %q", status, errs, want)
	}
}
