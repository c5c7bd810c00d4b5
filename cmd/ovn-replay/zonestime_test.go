package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ovnreplay/store"
)

// An amendment is a transaction that is added to a recorded database file.
type amendment struct {
	at      string // a moment in RFC 3339
	table   string
	column  string // by which a row is found, and its value
	value   string
	becomes string // JSON: what of the row changes, or null
}

// amended is a copy of a database file that goes on with transactions.
func amended(t *testing.T, file string, add ...amendment) string {
	t.Helper()
	db, err := store.Open(context.Background(), file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, file)
	if filepath.Ext(file) == ".gz" {
		text = gunzip(t, text)
	}
	for _, a := range add {
		at, err := time.Parse(time.RFC3339Nano, a.at)
		if err != nil {
			t.Fatal(err)
		}
		uuid := ""
		for _, r := range db.Table(a.table).Rows() {
			if r.Text(a.column) == a.value {
				uuid = r.UUID.String()
			}
		}
		if uuid == "" {
			t.Fatalf("%s has no %s of %s %s", file, a.table, a.column, a.value)
		}
		body := fmt.Sprintf("{%q:{%q:%s},\"_date\":%d}\n", a.table, uuid, a.becomes, at.UnixMilli())
		text = fmt.Appendf(text, "OVSDB JSON %d %x\n%s", len(body), sha1.Sum([]byte(body)), body)
	}
	name := filepath.Join(t.TempDir(), "sb.db")
	put(t, name, text)
	return name
}

// Zones that are followed may disagree for a while: it is said from when on and until
// when. With --db-time the moment decides.
func TestZonesDisagreeForAWhile(t *testing.T) {
	t.Parallel()
	const port = "tstor-node2"
	node1 := amended(t, zonesCase+"sb-node1.db.gz",
		amendment{"2026-11-28T04:49:02Z", "Port_Binding", "logical_port", port, `{"tunnel_key":77}`},
		amendment{"2026-11-28T04:49:04Z", "Port_Binding", "logical_port", port, `{"tunnel_key":3}`})
	args := []string{"run", "--db", node1, "--db", zonesCase + "sb-node2.db.gz", "-r", zonesCase + "pod1.pcap", "-r",
		zonesCase + "pod2.pcap"}
	const said = "zone node1 has no remote port of key 3 on transit switch transit_switch: it cannot reach port " +
		"tstor-node2 of zone node2"
	for moment, want := range map[string][]string{
		"":                     {said + " (since 2026-11-28T04:49:02Z)", said + " (until 2026-11-28T04:49:04Z)"},
		"last":                 nil,
		"2026-11-28T04:49:03Z": {said + "\n"},
		"2026-11-28T04:49:01Z": nil,
	} {
		status, _, errs := replayed(t, append(args, "--db-time", moment)...)
		if status != exitOK || strings.Count(errs, said) != len(want) {
			t.Errorf("--db-time %s: status %d, %s", moment, status, errs)
		}
		for _, w := range want {
			if !strings.Contains(errs, w) {
				t.Errorf("--db-time %s lacks %q: %s", moment, w, errs)
			}
		}
	}
}

// Of several zones one may be a snapshot: the others are followed all the same, and it is
// said which is not, and of when it is.
func TestZonesOfWhichOneIsFixed(t *testing.T) {
	t.Parallel()
	const of = cases + "/ic-changes/"
	shelf := filepath.Join(t.TempDir(), "store.db")
	if status, _, errs := replayed(t, "db", "snapshot", of+"sb-node2.db.gz", "n2", "--store", shelf); status != exitOK {
		t.Fatal(errs)
	}
	for _, node2 := range []string{"snapshot:n2", of + "sb-node2.db.gz"} {
		args := []string{"--store", shelf, "--ct-profile", "ovs-userspace:3.1", "--db", of + "sb-node1.db.gz",
			"--db", node2, "--db", of + "sb-node3.db.gz",
			"-r", of + "pod1.pcap", "-r", of + "pod2.pcap", "-r", of + "pod3.pcap"}
		want := "zone node2 (" + node2 + ") holds one state, of 2026-11-28T17:45:57.464Z: all packets meet that, " +
			"while other zones are followed\n"
		status, _, errs := replayed(t, append([]string{"verify"}, args...)...)
		if status != exitOK || !strings.Contains(errs, want) || strings.Contains(errs, "zone node1 (") {
			t.Errorf("%s: status %d, %q is not said, or of others: %s", node2, status, want, errs)
		}
		if _, out, errs := replayed(t, append([]string{"why", "3"}, args...)...); !strings.Contains(out,
			"node1 has no route to 10.244.2.0/24 of node2") {
			t.Errorf("%s: node1 is not followed: %s%s", node2, out, errs)
		}
	}
}

// Two states of connected zones are held against each other: each a folder, or the
// databases of each by --db and --db-b, or one recording at two moments.
func TestDiffOfZones(t *testing.T) {
	t.Parallel()
	const of = cases + "/ic-changes/"
	node1 := amended(t, of+"sb-node1.db.gz")
	text := read(t, node1)
	early := text // as it was before its last transactions, with the route to node2
	for range 2 {
		early = early[:bytes.LastIndex(early, []byte("OVSDB JSON "))]
	}
	before, after := t.TempDir(), t.TempDir()
	put(t, filepath.Join(before, "1.db"), early)
	put(t, filepath.Join(after, "1.db"), text[:bytes.LastIndex(text, []byte("OVSDB JSON "))])
	for _, dir := range []string{before, after} {
		put(t, filepath.Join(dir, "2.db.gz"), read(t, of+"sb-node2.db.gz"))
		put(t, filepath.Join(dir, "3.db.gz"), read(t, of+"sb-node3.db.gz"))
	}
	apart := func(dir, flag string) []string {
		return []string{flag, filepath.Join(dir, "1.db"), flag, filepath.Join(dir, "2.db.gz"), flag,
			filepath.Join(dir, "3.db.gz")}
	}
	const differ = 3 // packets to pod2, of which the route came back in the middle
	for name, x := range map[string]struct {
		args      []string
		different int
		said      int // which state is used
	}{
		"folders":     {[]string{"--db", before, "--db", after}, differ, 4},
		"one each":    {[]string{"--db", before, "--db-b", after}, differ, 4},
		"databases":   {append(apart(before, "--db"), apart(after, "--db-b")...), differ, 4},
		"of a case":   {append(apart(before, "--db"), "--db-b", after, "--case", of), differ, 4},
		"with a case": {[]string{"--db", before, "--case", of, "--db-time", "last"}, differ, 0},
		"one moment":  {[]string{"--db", before, "--db", after, "--db-time", "2026-11-28T17:46:00Z"}, 0, 0},
		"two moments": {[]string{"--db", after, "--db-time", "2026-11-28T17:46:00Z", "--db-time-b", "last"}, differ, 0},
	} {
		args := append([]string{"diff"}, x.args...)
		if !slices.Contains(args, "--case") {
			args = append(args, "-r", of+"pod1.pcap", "-r", of+"pod2.pcap", "-r", of+"pod3.pcap")
		}
		status, out, errs := replayed(t, args...)
		if want := fmt.Sprintf("%d fare differently\n", x.different); !strings.HasSuffix(out, want) ||
			(status == exitDifference) != (x.different > 0) || strings.Count(errs, ", is used (--db-time: ") != x.said {
			t.Errorf("%s: status %d, want %s%s\n%s", name, status, want, out, errs)
		}
		if x.different > 0 && !strings.Contains(out, "dropped: ovn_cluster_router has no route to 10.244.2.5") {
			t.Errorf("%s: that the route is missing is not said:\n%s", name, out)
		}
	}
	status, _, errs := replayed(t, append(append([]string{"diff", "-r", of + "pod1.pcap"}, apart(before, "--db")...),
		apart(after, "--db")...)...)
	if status != exitBad || !strings.Contains(errs, "name those of the second with --db-b") {
		t.Errorf("six databases: status %d, %s", status, errs)
	}
}

// A packet that is traced meets the network of a moment: its own, if it was captured and
// a history tells, else the last, which is said; or that of --db-time.
func TestTraceOfAMoment(t *testing.T) {
	t.Parallel()
	const of = cases + "/ic-changes/"
	const captured = "(--db-time last: the last)"
	const last = "the last of the 5 states that it holds, of 2026-11-28T17:46:02.026Z"
	flow := `inport == "pod1" && eth.src == 0a:58:0a:f4:01:05 && eth.dst == 0a:58:0a:f4:01:01 && ` +
		`ip4.src == 10.244.1.5 && ip4.dst == 10.244.2.5 && ip.ttl == 64 && udp.src == 1 && udp.dst == 9999`
	const frame5 = of + "pod1.pcap#5" // sent while node1 had no route to node2
	for name, x := range map[string]struct {
		args   []string
		status int
		said   string
	}{
		"captured":            {[]string{"-r", frame5}, exitDropped, captured},
		"captured, last":      {[]string{"-r", frame5, "--db-time", "last"}, exitOK, ""},
		"captured, follow":    {[]string{"-r", frame5, "--db-time", "follow"}, exitDropped, captured},
		"captured, a moment":  {[]string{"-r", frame5, "--db-time", "2026-11-28T17:45:58Z"}, exitOK, ""},
		"described":           {[]string{flow}, exitOK, last},
		"described, last":     {[]string{flow, "--db-time", "last"}, exitOK, ""},
		"described, a moment": {[]string{flow, "--db-time", "2026-11-28T17:46:00Z"}, exitDropped, ""},
		"described, follow": {[]string{flow, "--db-time", "follow"}, exitBad,
			"the packet is of no capture, and has no moment"},
		"no moment": {[]string{flow, "--db-time", "noon"}, exitBad, "want follow, last, or a time such as"},
		"a frame there is not": {[]string{"-r", of + "pod1.pcap#5000"}, exitBad,
			"pod1.pcap#5000: the capture has only 8 frames"},
	} {
		status, out, errs := replayed(t, append([]string{"trace", "--case", of, "--minimal"}, x.args...)...)
		if status != x.status || !strings.Contains(errs, x.said) || x.said == "" && errs != "" {
			t.Errorf("%s: status %d, %s\n%s", name, status, errs, out)
		}
	}
}

// A chassis at which a port is not is told, and so is one of another zone than the port;
// one where the port was bound in the history that is followed is as good as the last.
func TestCapturesAtAnotherChassis(t *testing.T) {
	t.Parallel()
	const of = cases + "/cloud-failover/"
	moved := amended(t, of+"sb.db.gz", vm2Moves)
	node1, node2 := zonesCase+"sb-node1.db.gz", zonesCase+"sb-node2.db.gz"
	pod1, ext1 := zonesCase+"pod1.pcap", zonesCase+"ext1.pcap"
	for name, x := range map[string]struct {
		args []string
		want string // "": it is placed there
	}{
		"elsewhere": {[]string{"--db", of + "sb.db.gz", "-r", of + "vm2.pcap@vm2@gateway-1"},
			"port vm2 is at chassis compute-2, and not at gateway-1: give FILE@vm2@compute-2"},
		"where it is":   {[]string{"--db", of + "sb.db.gz", "-r", of + "vm2.pcap@vm2@compute-2"}, ""},
		"where it came": {[]string{"--db", moved, "-r", of + "vm2.pcap@vm2@gateway-1"}, ""},
		"where it was":  {[]string{"--db", moved, "-r", of + "vm2.pcap@vm2@compute-2"}, ""},
		"never there": {[]string{"--db", moved, "-r", of + "vm2.pcap@vm2@compute-1"},
			"port vm2 is at chassis gateway-1, and not at compute-1"},
		"not followed": {[]string{"--db", moved, "-r", of + "vm2.pcap@vm2@compute-2", "--db-time", "last"},
			"port vm2 is at chassis gateway-1, and not at compute-2"},
		"a wire's": {[]string{"--db", of + "sb.db.gz", "-r", of + "provider-c2.pcap@provnet@compute-2"}, ""},
		"another zone's chassis": {[]string{"--db", node1, "--db", node2, "-r", pod1 + "@pod1@node2"},
			"port pod1 is of zone node1, and chassis node2 of zone node2"},
		"another zone's wire": {[]string{"--db", node1, "--db", node2, "-r", ext1 + "@br-ex_node1@node2"},
			"port br-ex_node1 is of zone node1, and chassis node2 of zone node2"},
		"a zone not given": {[]string{"--db", node1, "-r", ext1 + "@br-ex_node1@node2"},
			"chassis node2 is of a zone whose database is not given, and has no port br-ex_node1: add"},
	} {
		status, _, errs := replayed(t, append([]string{"run", "-q", "--format", "none"}, x.args...)...)
		if x.want == "" && (status != exitOK || errs != "") ||
			x.want != "" && (status != exitBad || !strings.Contains(errs, x.want)) {
			t.Errorf("%s: status %d, %q; want %q", name, status, errs, x.want)
		}
	}
}

// Numbers of zones in a dump mean nothing without the list of zones: it is said, once.
func TestImportWithoutZones(t *testing.T) {
	t.Parallel()
	args := append([]string{"run", "--format", "none", "-r", zonesCase + "pod1.pcap"}, bothZones...)
	dump := func(node string) string { return zonesCase + "conntrack-before-" + node + ".txt@" + node }
	args = append(args, "--ct-import", dump("node1"), "--ct-import", dump("node2"))
	zones := func(node string) []string {
		return []string{"--ct-zones", zonesCase + "ct-zone-list-" + node + ".txt@" + node}
	}
	const said = ": which zones the numbers there are is not known"
	for want, more := range map[string][]string{
		"--ct-import " + dump("node1") + ", " + dump("node2") + said: nil,
		"--ct-import " + dump("node2") + said:                        zones("node1"),
		"":                                                           append(zones("node1"), zones("node2")...),
	} {
		status, _, errs := replayed(t, append(args, more...)...)
		if status != exitOK || !strings.Contains(errs, want) || want == "" && errs != "" ||
			strings.Count(errs, said) > 1 {
			t.Errorf("status %d, %q; want %q", status, errs, want)
		}
	}
}

// A port of the transit switch that a zone's database lost, while its flows still name it,
// is told as what the zone lacks: another's, and its own.
func TestZonesLackingTransitPorts(t *testing.T) {
	t.Parallel()
	const gone = "2026-11-28T04:48:59Z"
	for name, x := range map[string]struct{ node, port, want, warned string }{
		"another's": {"node1", "tstor-node2", "output without an outport, zone node1 has no port tstor-node2 on " +
			"transit switch transit_switch, where zone node2 has it", "zone node1 has no remote port of key 3 on"},
		"another's, for the answer": {"node2", "tstor-node1", "output without an outport, zone node2 has no port " +
			"tstor-node1 on transit switch transit_switch, where zone node1 has it",
			"zone node2 has no remote port of key 2 on"},
		"its own": {"node1", "tstor-node1", "patch port rtots-node1 of ovn_cluster_router: zone node1 has no port " +
			"tstor-node1 on transit switch transit_switch, as which zone node2 knows it",
			"zone node1 has no port of key 2 on transit switch transit_switch, which is tstor-node1 to zone node2"},
		"that of where it went": {"node2", "tstor-node2", "remote port tstor-node2 of transit_switch: zone node2 " +
			"has no port of tunnel key 3 on transit switch transit_switch",
			"zone node2 has no port of key 3 on transit switch transit_switch, which is tstor-node2 to zone node1"},
	} {
		args := []string{"--ct-profile", "ovs-userspace:3.1", "-r", zonesCase + "pod1.pcap",
			"-r", zonesCase + "pod2.pcap"}
		for _, node := range []string{"node1", "node2"} {
			db := zonesCase + "sb-" + node + ".db.gz"
			if node == x.node {
				db = amended(t, db, amendment{gone, "Port_Binding", "logical_port", x.port, "null"})
			}
			args = append(args, "--db", db)
		}
		_, out, errs := replayed(t, append([]string{"run"}, args...)...)
		if !strings.Contains(out, x.want) || !strings.Contains(errs, x.warned) {
			t.Errorf("%s: %q or %q is not said: %s%s", name, x.want, x.warned, errs, out)
		}
	}
}

// Zones of different releases are one network, each with what its release does: db info
// tells it of each, and what was recorded of either release is what they predict.
func TestZonesOfSeveralReleases(t *testing.T) {
	t.Parallel()
	const old, later = cases + "/ic-az/", cases + "/ic-az-26.03/"
	dir := t.TempDir()
	for node, of := range map[string]string{"1": old, "2": later, "3": later} {
		put(t, filepath.Join(dir, "sb-node"+node+".db.gz"), read(t, of+"sb-node"+node+".db.gz"))
	}
	for of, matched := range map[string]int{old: 46, later: 44} {
		if status, r := verified(t, "--case", of, "--db", dir); status != exitOK || r.Matched != matched {
			t.Errorf("%s: status %d, %d matched, missing %+v", of, status, r.Matched, r.Missing)
		}
	}
	status, out, errs := replayed(t, "db", "info", "--behaviour", dir)
	rest := out
	for _, want := range []string{"sb-node1.db.gz: OVN_Southbound", "written by OVN 23.03.1",
		"\nchanges of OVN that 23.03", "sb-node2.db.gz: OVN_Southbound", "written by OVN 26.03.1",
		"\nchanges of OVN that 26.03", "Open vSwitch 3.6 on 1 chassis", "sb-node3.db.gz: OVN_Southbound"} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("status %d, %q is not there, or not in its place: %s%.3000s", status, want, errs, out)
		}
		rest = after
	}
}
