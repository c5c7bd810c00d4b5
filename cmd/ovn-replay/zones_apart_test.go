package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Databases that are not those of one network are not joined, however they are given: in a
// folder, or each named. Clusters that are built alike have transit switches of one name and
// key, but know nothing of each other's chassis.
func TestZonesApart(t *testing.T) {
	t.Parallel()
	const pods, warm = cases + "/ic-pods/", cases + "/ic-warm/"
	database := func(path string) []byte { return gunzip(t, read(t, path)) }
	otherKey := withoutText(t, database(pods+"sb-node2.db.gz"), `"tunnel_key":16711683`, `"tunnel_key":      99`)
	for name, x := range map[string]struct {
		files [][]byte
		want  []string
	}{
		"no transit switch": {[][]byte{database(pods + "sb-node1.db.gz"), database(cases + "/kube-mixed/sb.db.gz")},
			[]string{"they share no transit switch: DIR/0.db has transit_switch, DIR/1.db has no transit switch"}},
		"other key": {[][]byte{database(pods + "sb-node1.db.gz"), otherKey},
			[]string{"transit switch transit_switch has tunnel key 16711683 in one and 99 in the other"}},
		"built alike": {[][]byte{database(pods + "sb-node1.db.gz"), database(warm + "sb-node1.db.gz"),
			database(pods + "sb-node2.db.gz"), database(warm + "sb-node2.db.gz")},
			[]string{"neither knows a chassis of the other", "or those of one network: --db DIR/0.db --db DIR/2.db",
				"or of another: --db DIR/1.db --db DIR/3.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			named := []string{"verify", "-r", pods + "pod1.pcap"}
			for i, content := range x.files {
				file := filepath.Join(dir, strconv.Itoa(i)+".db")
				put(t, file, content)
				named = append(named, "--db", file)
			}
			for _, args := range [][]string{{"verify", "-r", pods + "pod1.pcap", "--db", dir}, named} {
				status, _, errs := replayed(t, args...)
				if errs = strings.ReplaceAll(errs, dir, "DIR"); status != exitBad {
					t.Errorf("%v: status %d: %s", args, status, errs)
				}
				for _, w := range append(x.want, "databases that cannot be joined: nothing connects DIR/0.db and ",
					"name one of them: DIR/0.db, DIR/1.db") {
					if !strings.Contains(errs, w) {
						t.Errorf("%v: %q is not said: %s", args, w, errs)
					}
				}
			}
			status, out, errs := replayed(t, "db", "gather", dir)
			if status != exitOK || strings.Contains(out, "zone ") || strings.Count(errs, "\n") != 1 {
				t.Errorf("db gather: status %d: %s%s", status, out, errs)
			}
		})
	}
}

// Of zones each of which knows only some of the others all are one network.
func TestZonesThatKnowSomeOthers(t *testing.T) {
	t.Parallel()
	const pods = cases + "/ic-pods/"
	dir := t.TempDir()
	for i, unknown := range []string{"3", "", "1"} {
		content := gunzip(t, read(t, pods+"sb-node"+strconv.Itoa(i+1)+".db.gz"))
		if unknown != "" { // the chassis there has another name
			const name = `"name":"7c1f5a1c-9a0e-4f5b-8a43-10c1a000000`
			content = withoutText(t, content, name+unknown, name+"9")
		}
		put(t, filepath.Join(dir, strconv.Itoa(i)+".db"), content)
	}
	status, out, errs := replayed(t, "db", "gather", dir)
	for _, want := range []string{"zone node1: ", "zone node2: ", "zone node3: "} {
		if status != exitOK || !strings.Contains(out, want) {
			t.Errorf("status %d, %q is missing: %s%s", status, want, out, errs)
		}
	}
	if want := "zone node1 does not know chassis "; !strings.Contains(errs, want) {
		t.Errorf("%q is not said: %s", want, errs)
	}
}
