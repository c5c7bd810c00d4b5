package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/pcap"
)

// Where a capture was taken is found from what only that place shows. What is flooded is
// on the wires of all chassis, and at every port of a switch, and what goes between two
// interfaces at both: a capture of nothing else is not guessed about, or the guess is said.
func TestPlacesOfFloodedFrames(t *testing.T) {
	t.Parallel()
	zones := func(of string) (args []string) {
		for _, n := range []string{"1", "2", "3"} {
			args = append(args, "--db", cases+"/"+of+"/sb-node"+n+".db.gz")
		}
		return args
	}
	one := func(of string) []string { return []string{"--db", cases + "/" + of + "/sb.db.gz"} }
	for name, x := range map[string]struct {
		db           []string
		capture      string
		placed, told string
	}{
		"a zone's wire": {zones("ic-az"), "ic-az/wire1.pcap", "br-ex_node1 of ext_node1", ""},
		"a zone's wire that shows others' ARP": {zones("ic-az"), "ic-az/wire2.pcap", "",
			"-r FILE@br-ex_node1@node1 or @br-ex_node2@node2 or @br-ex_node3@node3"},
		"a provider's": {one("cloud-gateway-router"), "cloud-gateway-router/provider-c1.pcap",
			"provnet of public on chassis 5b1f5a1c-9a0e-4f5b-8a43-10c1a0000001", ""},
		"a provider's that shows another chassis' ARP": {one("cloud-gateway-router"),
			"cloud-gateway-router/provider-c2.pcap", "", "-r FILE@provnet@compute-1 or @provnet@compute-2 or @provnet"},
		"a provider's with VLAN tags": {one("cloud-provider-vm"), "cloud-provider-vm/provider-c2.pcap",
			"provnet of public on chassis 5b1f5a1c-9a0e-4f5b-8a43-10c1a0000002", ""},
		"between two pods": {one("kube-qos"), "kube-qos/pod1.pcap", "", "-r FILE@default_pod1 or @default_pod4"},
		"a pod that speaks to all": {[]string{"--db", cases + "/nodeport/sb.db"}, "nodeport/pod2.pcap",
			"default_client-pod", "all that it holds default_client-pod sent to all of its switch"},
	} {
		args := append([]string{"run", "--format", "none", "--explain-points", "-r", cases + "/" + x.capture}, x.db...)
		status, _, errs := replayed(t, args...)
		if (status == exitOK) != (x.placed != "") || !strings.Contains(errs, x.told) ||
			!strings.Contains(errs, ": logical port "+x.placed) && x.placed != "" {
			t.Errorf("%s: status %d, %s", name, status, errs)
		}
	}
}

// A port that is no more is not placed at another one by an ARP request of that one's that
// its switch flooded; in a history that tells of it, it is found.
func TestPlacesOfPortsThatAreGone(t *testing.T) {
	t.Parallel()
	const of = cases + "/cloud-failover/"
	request, err := hex.DecodeString("ffffffffffff" + "fa163e0a0011" + "0806" + "0001080006040001" +
		"fa163e0a0011" + "0a01000b" + "000000000000" + "0a010063") // of vm1
	if err != nil {
		t.Fatal(err)
	}
	pcap := read(t, of+"vm2.pcap")
	seconds := binary.LittleEndian.Uint32(pcap[24:]) + 1
	for _, n := range []uint32{seconds, 0, uint32(len(request)), uint32(len(request))} {
		pcap = binary.LittleEndian.AppendUint32(pcap, n)
	}
	capture := filepath.Join(t.TempDir(), "vm2.pcap")
	put(t, capture, append(pcap, request...))
	gone := func(at string) string {
		return amended(t, of+"sb.db.gz", amendment{at, "Port_Binding", "logical_port", "vm2", "null"})
	}
	before, meanwhile := gone("2026-11-22T13:05:56.5Z"), gone("2026-11-22T13:05:59.5Z")
	for name, x := range map[string]struct {
		args   []string
		placed string
	}{
		"gone before":            {[]string{"--db", before}, ""},
		"gone since, as it is":   {[]string{"--db", meanwhile, "--db-time", "last"}, ""},
		"gone since, as it was":  {[]string{"--db", meanwhile}, "vm2 of net-a"},
		"still there, of course": {[]string{"--db", of + "sb.db.gz"}, "vm2 of net-a"},
	} {
		status, _, errs := replayed(t, append([]string{"run", "--format", "none", "--explain-points", "-r", capture},
			x.args...)...)
		if x.placed == "" && (status != exitBad || !strings.Contains(errs, "name the port with -r FILE@PORT")) ||
			x.placed != "" && (status != exitOK || !strings.Contains(errs, ": logical port "+x.placed)) {
			t.Errorf("%s: status %d, %s", name, status, errs)
		}
	}
}

// Of two captures that hold one port's frames the one that shows them alone is of it, and
// the one that shows what it sent to all of its switch is of another port.
func TestPlacesOfSeveral(t *testing.T) {
	t.Parallel()
	const of = cases + "/cloud-lb/"
	args := []string{"run", "--format", "none", "--db", of + "sb.db.gz", "-r", of + "meta1.pcap"}
	const said = "meta1.pcap: all that it holds vm1 sent to all of its switch"
	if status, _, errs := replayed(t, args...); status != exitOK || !strings.Contains(errs, said+", whose every port") {
		t.Errorf("alone: status %d, %s", status, errs)
	}
	for _, vm1 := range []string{of + "vm1.pcap", of + "vm1.pcap@vm1"} {
		status, _, errs := replayed(t, append(args, "-r", vm1)...)
		want := said + ", and " + of + "vm1.pcap is of that port"
		if status != exitBad || !strings.Contains(errs, want) {
			t.Errorf("with %s: status %d, %s; want %q", vm1, status, errs, want)
		}
	}
}

// vm2Moves binds vm2 of cloud-failover to another chassis near the end of its history.
var vm2Moves = amendment{"2026-11-22T13:05:58.9Z", "Port_Binding", "logical_port", "vm2",
	`{"chassis":["uuid","7bf276e0-b71a-48cf-a8a1-8fefba80cdec"]}`}

// An interface that moved in the history that is followed has its capture where it was
// when that begins, whether its port is named or found.
func TestPlacesOfPortsThatMoved(t *testing.T) {
	t.Parallel()
	const of = cases + "/cloud-failover/"
	moved := amended(t, of+"sb.db.gz", vm2Moves)
	for _, capture := range []string{"vm2.pcap", "vm2.pcap@vm2"} {
		status, r := verified(t, "--db", moved, "-r", of+capture, "-r", of+"provider-c1.pcap@provnet@compute-1")
		if status != exitOK || r.Matched != 20 {
			t.Errorf("%s: status %d, %d matched, missing %+v", capture, status, r.Matched, r.Missing)
		}
	}
}

// A port that has another address by the end of the history has its capture where it had
// the one that the packets have.
func TestPlacesOfPortsWithFormerAddresses(t *testing.T) {
	t.Parallel()
	const of = cases + "/cloud-failover/"
	other := amended(t, of+"sb.db.gz", amendment{"2026-11-22T13:05:58.9Z", "Port_Binding", "logical_port", "vm2",
		`{"mac":"fa:16:3e:0a:00:77 10.1.0.77"}`})
	args := []string{"--db", other, "-r", of + "vm2.pcap", "-r", of + "provider-c1.pcap@provnet@compute-1"}
	if status, r := verified(t, args...); status != exitOK || r.Matched != 20 {
		t.Errorf("status %d, %d matched, missing %+v", status, r.Matched, r.Missing)
	}
	status, _, errs := replayed(t, append([]string{"verify", "--db-time", "last"}, args...)...)
	if status != exitBad || !strings.Contains(errs, "name the port with -r FILE@PORT") {
		t.Errorf("as it is at the end: status %d, %s", status, errs)
	}
}

// hostFile writes what captures of one host hold as one pcapng, as dumpcap does of several
// interfaces; their names say nothing.
func hostFile(t *testing.T, file string, captures []*wildCapture) {
	t.Helper()
	type packet struct {
		wildFrame
		of int
	}
	var b bytes.Buffer
	w, err := pcap.NewWriter(&b, pcap.Section{})
	if err != nil {
		t.Fatal(err)
	}
	var all []packet
	for i, x := range captures {
		info := pcap.InterfaceInfo{Name: fmt.Sprint("veth", i), LinkType: pcap.LinkType(x.link)}
		if _, err := w.AddInterface(info); err != nil {
			t.Fatal(err)
		}
		for _, f := range x.frames {
			all = append(all, packet{f, i})
		}
	}
	slices.SortStableFunc(all, func(a, b packet) int { return cmp.Compare(a.ts, b.ts) })
	for _, p := range all {
		if err := w.WritePacket(&pcap.Packet{Interface: p.of, Time: p.ts, Data: p.data, OrigLen: p.wire}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// All interfaces of each host in one file, by names that say nothing: where tunnels end tells
// the host, what an interface alone can show its port, and the others are of the ports left.
// What is at one whose only frame is an announcement of an address that is no port's is left out.
func TestHostsInOneFileVerify(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cloud-fragments", "cloud-virtual", "cloud-vlan-tenant", "cloud-vtep",
		"cloud-localport", "cloud-sg-drop", "cloud-fip-distributed", "cloud-ecmp", "cloud-mixed", "kube-mixed-26.03"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := mutated(t, filepath.Join(cases, name), "", 1)
			args := c.save(t, t.TempDir())
			dir := args[1]
			observed := 0
			if _, r := verified(t, args...); len(r.Missing)+len(r.Unexpected)+len(r.Mismatched) > 0 || r.Matched == 0 {
				t.Fatalf("its files apart: %d matched, missing %+v", r.Matched, r.Missing)
			} else {
				observed = r.Matched
			}
			args = []string{"--db", filepath.Join(dir, c.json["db"].(string))}
			if profile, ok := c.json["ct_profile"].(string); ok {
				args = append(args, "--ct-profile", profile)
			}
			hosts := map[string][]*wildCapture{}
			for _, x := range c.captures {
				hosts[x.chassis] = append(hosts[x.chassis], x)
			}
			for i, h := range slices.Sorted(maps.Keys(hosts)) {
				file := filepath.Join(dir, fmt.Sprintf("host%d.pcapng", i))
				hostFile(t, file, hosts[h])
				args = append(args, "-r", file)
			}
			if name == "cloud-virtual" {
				observed--
			}
			if status, r := verified(t, args...); status != exitOK || r.Matched != observed {
				t.Errorf("status %d, %d matched of %d, missing %+v, unexpected %+v", status, r.Matched, observed,
					r.Missing, r.Unexpected)
			}
		})
	}
}

// What an interface shows that could not be placed explains what others lack.
func TestInterfacesThatAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cloud-virtual", "cloud-vlan-tenant", "cloud-cold", "random-cloud-10"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := mutated(t, filepath.Join(cases, name), "", 1)
			dir := c.save(t, t.TempDir())[1]
			file := filepath.Join(dir, "all.pcapng")
			hostFile(t, file, c.captures)
			status, out, errs := replayed(t, "verify", "--list", "-r", file, "--db",
				filepath.Join(dir, c.json["db"].(string)), "--ct-profile", c.json["ct_profile"].(string))
			if status == exitDifference || !strings.Contains(out, "not placed: ") ||
				!strings.Contains(errs, "its frames are left out") {
				t.Errorf("status %d:\n%.1500s%.500s", status, out, errs)
			}
		})
	}
}

// Interfaces of all hosts in one file, under names that say nothing: what cannot be placed for
// certain is left out, and no port is two interfaces that differ.
func TestAllHostsInOneFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cloud-lb", "cloud-mixed", "cloud-ecmp"} {
		c := mutated(t, filepath.Join(cases, name), "", 1)
		dir := c.save(t, t.TempDir())[1]
		file := filepath.Join(dir, "all.pcapng")
		empty := func(x *wildCapture) bool { return len(x.frames) == 0 }
		hostFile(t, file, slices.DeleteFunc(slices.Clone(c.captures), empty))
		args := []string{"verify", "--db", filepath.Join(dir, c.json["db"].(string)), "--ct-profile",
			c.json["ct_profile"].(string), "-r", file}
		if status, out, errs := replayed(t, args...); status != exitOK ||
			name == "cloud-lb" && strings.Count(errs, "another interface is of that port") != 2 {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
	}
}
