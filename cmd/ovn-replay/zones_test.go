package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const zonesCase = "../../testdata/cases/ic-warm/"

var bothZones = []string{"--db", zonesCase + "sb-node1.db.gz", "--db", zonesCase + "sb-node2.db.gz", "--ct-profile",
	"ovs-userspace:3.1"}

// Two zones of one node each are one network: packets cross from one's
// pipelines through the tunnel into the other's, and are what was recorded there.
func TestZonesJoined(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	one := []string{"--db", zonesCase + "sb-node1.db.gz", "-r", zonesCase + "pod1.pcap"}
	for want, args := range map[string][]string{
		"are states of one database": append([]string{"verify", "--db", zonesCase + "sb-node1.db.gz"}, one...),
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
	t.Parallel()
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
	if status != exitBad || !strings.Contains(errs, "are states of one database") ||
		!strings.Contains(errs, "or those of one network: --db ") {
		t.Errorf("a zone that the archive has already: status %d, %s", status, errs)
	}
}

// Databases that are not those of one network are not joined by themselves: gather and
// --db say which two are in the way and why, and which of them do belong together.
func TestZonesNotJoined(t *testing.T) {
	t.Parallel()
	const alone = cases + "/nodeport/sb.db"
	after := gunzip(t, read(t, cases+"/ic-changes/sb-node1.db.gz"))
	before := filepath.Join(t.TempDir(), "before.db")
	put(t, before, after[:bytes.LastIndex(after, []byte("OVSDB JSON "))])
	for name, x := range map[string]struct {
		files []string
		want  []string
	}{
		"two states": {[]string{before, cases + "/ic-changes/sb-node1.db.gz"},
			[]string{" are states of one database: both have datapath "}},
		"made anew": {[]string{cases + "/ic-az/sb-node1.db.gz", cases + "/ic-pods/sb-node1.db.gz",
			cases + "/ic-pods/sb-node2.db.gz"},
			[]string{"databases of one zone, made anew between them: both have chassis node1 for their own",
				"or those of one network: --db DIR/1.db.gz --db DIR/2.db.gz"}},
		"no switch": {[]string{alone, zonesCase + "sb-node1.db.gz"},
			[]string{"share no transit switch: DIR/0.db.gz has no transit switch, DIR/1.db.gz has transit_switch"}},
		"other switches": {[]string{cases + "/ic-az/sb-node1.db.gz", zonesCase + "sb-node2.db.gz"},
			[]string{"share no transit switch: DIR/0.db.gz has ts1, DIR/1.db.gz has transit_switch"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, file := range x.files {
				put(t, filepath.Join(dir, strconv.Itoa(i)+".db.gz"), read(t, file))
			}
			want := append(x.want, "name one of them: DIR/0.db.gz",
				"holds "+strconv.Itoa(len(x.files))+" OVN_Southbound databases that cannot be joined: ")
			for _, args := range [][]string{{"db", "gather", dir},
				{"verify", "--db", dir, "-r", zonesCase + "pod1.pcap"}, {"trace", "--db", dir, `inport == "pod1"`}} {
				status, _, errs := replayed(t, args...)
				if errs = strings.ReplaceAll(errs, dir, "DIR"); args[0] == "db" != (status == exitOK) {
					t.Errorf("%s: status %d", args[0], status)
				}
				for _, w := range want {
					if !strings.Contains(errs, w) {
						t.Errorf("%s lacks %q: %s", args[0], w, errs)
					}
				}
			}
		})
	}
}

// A zone whose database cannot be read is left out of a folder's, which is said by whoever
// reads the folder.
func TestZonesOfWhichOneIsDamaged(t *testing.T) {
	t.Parallel()
	const of = cases + "/ic-az/"
	dir := t.TempDir()
	for _, node := range []string{"1", "2"} {
		put(t, filepath.Join(dir, node+".db.gz"), read(t, of+"sb-node"+node+".db.gz"))
	}
	put(t, filepath.Join(dir, "3.db"), gunzip(t, read(t, of+"sb-node3.db.gz"))[:30000])
	for _, args := range [][]string{{"db", "gather", dir}, {"db", "info", dir}, {"db", "diff", dir, dir},
		{"verify", "--db", dir, "-r", of + "pod1.pcap"}, {"trace", "--db", dir, `inport == "pod1"`},
		{"diff", "--db", dir, "--db", dir, "-r", of + "pod1.pcap"}} {
		_, _, errs := replayed(t, args...)
		if want := dir + "/3.db: this database is left out: record 2, byte 30000: "; !strings.Contains(errs, want) {
			t.Errorf("%v: %q is not said: %s", args, want, errs)
		}
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
	t.Parallel()
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

// However the databases of zones that ovn-ic joined were collected, they are one
// network: sosreports of the nodes, kube-ovn's backups, files of clusters. All of
// them are what was recorded, with every packet.
func TestZonesLayouts(t *testing.T) {
	t.Parallel()
	const of = "../../testdata/cases/ic-az/"
	database := func(node string) []byte { return gunzip(t, read(t, of+"sb-"+node+".db.gz")) }
	for name, lay := range map[string]func(t *testing.T, dir, node string){
		"sosreports": func(t *testing.T, dir, node string) {
			packTar(t, filepath.Join(dir, "sosreport-"+node+"-2026-11-28-abcdefg.tar"),
				"sosreport-"+node+"-2026-11-28-abcdefg/var/lib/ovn/ovnsb_db.db", database(node))
		},
		"kube-ovn": func(t *testing.T, dir, node string) {
			put(t, filepath.Join(dir, node, "origin", "ovnsb_db.112826172200.backup"), database(node))
			put(t, filepath.Join(dir, node, "origin", "ovnnb_db.112826172200.backup"), []byte("OVSDB JSON 2 x\n{}\n"))
		},
		"clusters": func(t *testing.T, dir, node string) {
			needsTool(t, "ovsdb-tool")
			alone, file := filepath.Join(t.TempDir(), node), filepath.Join(dir, node, "etc", "ovnsb_db.db")
			put(t, alone, database(node))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("ovsdb-tool", "create-cluster", file, alone, "tcp:127.0.0.1:6644").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, node := range []string{"node1", "node2", "node3"} {
				lay(t, dir, node)
			}
			status, r := verified(t, "--case", of, "--db", dir)
			if status != exitOK || r.Matched != 46 || r.Underlay == nil || r.Underlay.Matched != 44 {
				t.Errorf("status %d, %d matched, underlay %+v", status, r.Matched, r.Underlay)
			}
			_, out, _ := replayed(t, "db", "gather", dir)
			for _, want := range []string{"zone node1: ", "zone node3: ", "joined by ts1", "ports pod2"} {
				if !strings.Contains(out, want) {
					t.Errorf("db gather lacks %q: %s", want, out)
				}
			}
		})
	}
}

// put writes a file and the folders that it is in.
func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, content, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// Zones that change while they are recorded are followed, each by its own history;
// as they were last they predict something else.
func TestZonesFollowed(t *testing.T) {
	t.Parallel()
	const of = "../../testdata/cases/ic-changes"
	status, r := verified(t, "--case", of)
	if status != exitOK || r.Matched != 6 {
		t.Errorf("status %d, %d matched", status, r.Matched)
	}
	if status, _ := verified(t, "--case", of, "--db-time", "last"); status != exitDifference {
		t.Errorf("as they were last: status %d", status)
	}
	for conn, want := range map[string]string{
		"1": "delivered to pod2", "3": "node1 has no route to 10.244.2.0/24 of node2", "4": "dropped at ls_out_acl",
		"5": "delivered to pod2",
	} {
		if _, out, errs := replayed(t, "why", conn, "--case", of); !strings.Contains(out, want) {
			t.Errorf("connection %s lacks %q: %s%s", conn, want, out, errs)
		}
	}
}

// What one zone lacks of another is named where a packet ends for it, and so is
// what takes no frames of a chassis that its zone does not know.
func TestZonesLacking(t *testing.T) {
	t.Parallel()
	const of = "../../testdata/questions/ic-lacking"
	for conn, want := range map[string]string{
		"1": "the next hop 100.88.0.3 is not known: zone node1 has no remote port for it on transit switch " +
			"transit_switch, where it is tstor-node2 of zone node2",
		"2": "node2 has no route to 10.244.3.0/24 of node3 over the transit switch",
		"3": "logical port is not bound, remote port tstor-node1 of transit_switch: zone node3 does not know chassis " +
			"node1 of zone node1",
		"4": "no tunnel takes it in: the chassis that it was sent to has none to the one that sent it",
	} {
		if _, out, errs := replayed(t, "why", conn, "--case", of); !strings.Contains(out, want) {
			t.Errorf("connection %s lacks %q: %s%s", conn, want, out, errs)
		}
	}
	const said = "ovn-replay: Chassis 488601a4-19f8-4772-a68a-a06d33e9d04c: zone node3 does not know chassis node1"
	if status, _, errs := replayed(t, "verify", "--case", of); status != exitOK || !strings.Contains(errs, said) {
		t.Errorf("status %d, %q is not said, though nothing of the zones is left out for it:\n%s", status, said, errs)
	}
}

// A capture more never makes an answer worse: of three zones, whichever of the captures
// are given, nothing that was recorded is missing. These combinations once said so: what
// a router asked for a packet that no capture shows comes in by the wire of another node,
// or a packet waits for its next hop in the replay when it had gone out and come back by
// a wire that is not captured.
func TestZonesByAnyCaptures(t *testing.T) {
	t.Parallel()
	const of = "../../testdata/cases/ic-egress-ip/"
	node := func(n string) string { return "7c1f5a1c-9a0e-4f5b-8a43-10c1a000000" + n }
	capture := func(name string) string {
		kind, n := name[:len(name)-1], name[len(name)-1:]
		switch kind {
		case "wire":
			return of + name + ".pcap@br-ex_node" + n + "@" + node(n)
		case "underlay":
			return of + name + ".pcap@underlay:" + node(n)
		}
		return of + name + ".pcap@" + name
	}
	for _, names := range []string{
		"wire1 wire3", "pod1 wire1 wire3", "wire1 pod2 wire3", "wire1 wire3 underlay1",
		"wire1 wire3 underlay2 underlay3", "pod1 pod3 wire3", "pod1 wire1 pod3 wire3", "pod1 pod2 pod3 wire3 underlay3",
		"pod1 wire1 pod2 pod3 wire3 underlay3", "pod1", "wire2 wire3", "pod3 underlay2",
	} {
		args := []string{"--ct-profile", "ovs-userspace:3.1"}
		for _, n := range []string{"1", "2", "3"} {
			args = append(args, "--db", of+"sb-node"+n+".db.gz")
		}
		for name := range strings.FieldsSeq(names) {
			args = append(args, "-r", capture(name))
		}
		if status, r := verified(t, args...); status != exitOK || r.Matched == 0 || len(r.Missing) > 0 {
			t.Errorf("%s: status %d, %d matched, missing %+v", names, status, r.Matched, r.Missing)
		}
	}
}

// A chassis takes nothing out of a tunnel from one that its zone does not know, whether
// the packet's way there is captured or the tunnel alone.
func TestZonesStranger(t *testing.T) {
	t.Parallel()
	const of = "../../testdata/questions/ic-lacking/"
	args := []string{"run", "-r", of + "underlay3.pcap@underlay"}
	for _, n := range []string{"1", "2", "3"} {
		args = append(args, "--db", of+"sb-node"+n+".db.gz")
	}
	_, out, _ := replayed(t, args...)
	for _, want := range []string{
		"tunnel node1 > node3 udp 10.244.1.5:45404 > 10.244.3.5:9999 | dropped: no tunnel takes it in: the chassis " +
			"that it was sent to has none to the one that sent it, remote port tstor-node1 of transit_switch: zone " +
			"node3 does not know chassis node1 of zone node1",
		"tunnel node3 > node2 udp 10.244.3.5:45405 > 10.244.2.5:9999 | delivered to pod2",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said in\n%s", want, out)
		}
	}
}

// Captures of joined zones as engineers have them, too: without ARP, a gateway of another
// zone is found by the frames that are sent to it.
func TestZonesInTheWild(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(cases + "/ic-*")
	if err != nil || len(dirs) < 8 {
		t.Fatalf("%q, %v", dirs, err)
	}
	mutations := strings.Fields("noarp skew=0.7 snap=128 dupall res=1000 lateall=0.5 csum")
	// An answer that only passes node3, where its connection has no entry, is taken for one
	// that had one there: what it answers is not seen any more.
	const untold = "ic-egress-moves-25.03/lateall=0.5"
	for _, dir := range dirs {
		for _, mutation := range mutations {
			t.Run(filepath.Base(dir)+"/"+mutation, func(t *testing.T) {
				t.Parallel()
				args := mutated(t, dir, mutation, 1).save(t, t.TempDir())
				if status, out, errs := replayed(t, append([]string{"verify", "-q"}, args...)...); (status != exitOK) !=
					strings.HasSuffix(t.Name(), untold) {
					t.Errorf("status %d\n%.1000s%.300s", status, out, errs)
				}
			})
		}
	}
}
