package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
)

// connected are recordings of connected zones: which captures belong to which
// zone's database.
type connected struct {
	name     string
	profile  string
	dbs      map[int]string
	captures map[string]capturedIn
}

type capturedIn struct {
	zone     int
	file     string
	underlay bool
}

var warm = connected{"ic-warm", "ovs-userspace:3.1", map[int]string{1: "sb-node1.db.gz", 2: "sb-node2.db.gz"},
	map[string]capturedIn{
		"pod1": {1, "pod1.pcap", false}, "pod2": {2, "pod2.pcap", false}, "ext1": {1, "ext1.pcap", false},
		"ext2": {2, "ext2.pcap", false},
		"ul1":  {0, "ul1.pcap", true}, "ul2": {0, "ul2.pcap", true},
	}}

// threeZones are the captures of the lab's topology ic.
func threeZones(t *testing.T, name string) connected {
	c := connected{name, "ovs-userspace:3.1", map[int]string{}, map[string]capturedIn{}}
	for zone := 1; zone <= 3; zone++ {
		c.dbs[zone] = fmt.Sprintf("sb-node%d.db.gz", zone)
		for _, what := range []string{"pod", "wire", "underlay"} {
			key := fmt.Sprint(what, zone)
			files, _ := filepath.Glob(filepath.Join(cases, name, key+".pcap*"))
			if len(files) != 1 {
				t.Fatalf("%s: %d captures called %s", name, len(files), key)
			}
			c.captures[key] = capturedIn{zone, filepath.Base(files[0]), what == "underlay"}
		}
	}
	return c
}

// args are what replays some captures on some zones.
func (c *connected) args(zones []int, captures []string) (args []string) {
	dir := filepath.Join(cases, c.name)
	args = []string{"--ct-profile", c.profile, "--json"}
	for _, z := range zones {
		args = append(args, "--db", filepath.Join(dir, c.dbs[z]))
	}
	for _, name := range captures {
		x := c.captures[name]
		file := filepath.Join(dir, x.file)
		if x.underlay {
			file += "@underlay"
		}
		args = append(args, "-r", file)
	}
	return args
}

// dropped are the frames that end somewhere, as run says.
func (c *connected) dropped(t *testing.T, zones []int, captures []string) map[string]string {
	t.Helper()
	status, out, errs := replayed(t, append([]string{"run"}, c.args(zones, captures)...)...)
	if status != exitOK {
		t.Fatalf("%v %v: %s", zones, captures, errs)
	}
	found := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var r replay.Record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Verdict == "dropped" {
			found[fmt.Sprintf("%s:%d", filepath.Base(r.Capture), r.Frame)] = r.Fate()
		}
	}
	return found
}

// holds checks what captures of a part may say: nothing but what all say.
func (c *connected) holds(t *testing.T, zones []int, captures []string, truth map[string]string) {
	t.Helper()
	_, r := verified(t, c.args(zones, captures)...)
	if n := len(r.Missing) + len(r.Mismatched) + len(r.Unexpected); n > 0 || r.Lost > 0 {
		t.Errorf("zones %v, captures %v: missing %d, mismatched %d, unexpected %d, lost %d",
			zones, captures, len(r.Missing), len(r.Mismatched), len(r.Unexpected), r.Lost)
	}
	for frame, why := range c.dropped(t, zones, captures) {
		if truth[frame] == "" {
			t.Errorf("zones %v, captures %v: %s is %s; with all captures it is not", zones, captures, frame, why)
		}
	}
}

// Whichever captures and databases of two zones are given: nothing that was
// observed is missing, nothing that went through is dropped. So a capture more
// never makes an answer worse.
func TestEverySubsetOfConnectedZones(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(warm.captures))
	truth := warm.dropped(t, []int{1, 2}, names)
	tried := 0
	for _, zones := range [][]int{{1}, {2}, {1, 2}} {
		for set := 1; set < 1<<len(names); set++ {
			var captures []string
			known := true
			for i, name := range names {
				if set>>i&1 == 1 {
					captures = append(captures, name)
					zone := warm.captures[name].zone
					known = known && (zone == 0 || slices.Contains(zones, zone))
				}
			}
			if known {
				tried++
				warm.holds(t, zones, captures, truth)
			}
		}
	}
	if tried != 15+15+63 {
		t.Errorf("%d subsets tried", tried)
	}
}

// A network to which a zone lost its route is named: where the zones are told, and
// where a packet for it ends.
func TestZoneWithoutARoute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(cases, "ic-pods")
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lost := write("sb-node1.db", withoutText(t, gunzip(t, read(t, from+"/sb-node1.db.gz")), "ip4.dst == 10.244.3.0/24",
		"ip4.dst == 10.245.3.0/24"))
	args := []string{"run", "--ct-profile", "ovs-userspace:3.1", "--db", lost, "-r", from + "/pod1.pcap"}
	for _, node := range []string{"node2", "node3"} {
		args = append(args, "--db", write("sb-"+node+".db", gunzip(t, read(t, from+"/sb-"+node+".db.gz"))))
	}
	const want = "node1 has no route to 10.244.3.0/24 of node3 over the transit switch"
	status, out, errs := replayed(t, args...)
	if n := strings.Count(out, want); status != exitOK || n == 0 ||
		n != strings.Count(out, "dropped at lr_in_ip_routing") {
		t.Errorf("status %d: %q is said %d times\n%s%s", status, want, n, out, errs)
	}
	if status, _, errs := replayed(t, "db", "gather", dir); status != exitOK || strings.Count(errs, "no route") != 1 ||
		!strings.Contains(errs, want) {
		t.Errorf("db gather: status %d, %s", status, errs)
	}
	for _, name := range []string{"ic-pods", "ic-nodeport", "ic-egress-ip", "ic-warm"} {
		files, _ := filepath.Glob(filepath.Join(cases, name, "sb-node*.gz"))
		whole := t.TempDir()
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(whole, filepath.Base(f)), read(t, f), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, errs := replayed(t, "db", "gather", whole); strings.Contains(errs, "no route") {
			t.Errorf("%s: every zone has its routes, but %s", name, errs)
		}
	}
}

// withoutText replaces a text in a standalone database by one of the same length.
func withoutText(t *testing.T, data []byte, old, by string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(old)) || len(old) != len(by) {
		t.Fatalf("no %q to be replaced by %q", old, by)
	}
	var out bytes.Buffer
	for len(data) > 0 {
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		var size int
		if _, err := fmt.Sscanf(string(head), "OVSDB JSON %d", &size); err != nil || size > len(rest) {
			t.Fatalf("not a standalone database record: %.60q (%v)", head, err)
		}
		body := bytes.ReplaceAll(rest[:size], []byte(old), []byte(by))
		fmt.Fprintf(&out, "OVSDB JSON %d %x\n%s", len(body), sha1.Sum(body), body)
		data = rest[size:]
	}
	return out.Bytes()
}

// The same of three zones: each capture alone, all but one, and those of one zone
// or two.
func TestPartsOfThreeZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ic-pods", "ic-nodeport"} {
		t.Run(name, func(t *testing.T) {
			c := threeZones(t, name)
			names := slices.Sorted(maps.Keys(c.captures))
			truth := c.dropped(t, []int{1, 2, 3}, names)
			for _, zones := range [][]int{{1}, {3}, {1, 3}, {1, 2, 3}} {
				var here []string
				for _, n := range names {
					if slices.Contains(zones, c.captures[n].zone) {
						here = append(here, n)
					}
				}
				c.holds(t, zones, here, truth)
				for i, n := range here {
					if len(zones) == 3 {
						c.holds(t, zones, []string{n}, truth)
						c.holds(t, zones, slices.Delete(slices.Clone(here), i, i+1), truth)
					}
				}
			}
		})
	}
}
