package main

import (
	"context"
	"crypto/sha1"
	"fmt"
	"path/filepath"
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
	node1 := amended(t, zonesCase+"sb-node1.db.gz",
		amendment{"2026-11-28T04:49:02Z", "Port_Binding", "logical_port", "tstor-node2", `{"tunnel_key":77}`},
		amendment{"2026-11-28T04:49:04Z", "Port_Binding", "logical_port", "tstor-node2", `{"tunnel_key":3}`})
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
		args := []string{"--store", shelf, "--ct-profile", "ovs-userspace:3.1", "--db", of + "sb-node1.db.gz", "--db", node2,
			"--db", of + "sb-node3.db.gz", "-r", of + "pod1.pcap", "-r", of + "pod2.pcap", "-r", of + "pod3.pcap"}
		want := "zone node2 (" + node2 + ") holds one state, of 2026-11-28T17:45:57.464Z: all packets meet that, while " +
			"other zones are followed\n"
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
