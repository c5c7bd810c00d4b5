package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// member is one server of a cluster.
type member struct {
	dir, file, remote string
	server            *server
}

// startCluster starts three servers that hold contents, a schema or a
// standalone database, of the named database.
func startCluster(t *testing.T, database, contents string) []*member {
	t.Helper()
	tool(t, "ovsdb-tool")
	base, err := os.MkdirTemp("", "raft") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	var members []*member
	address := func(i int) string { return fmt.Sprintf("unix:%s/%d/raft", base, i) }
	for i := range 3 {
		dir := fmt.Sprintf("%s/%d", base, i)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m := &member{dir: dir, file: dir + "/db", remote: "unix:" + dir + "/sock"}
		if i == 0 {
			run(t, "ovsdb-tool", "create-cluster", m.file, contents, address(0))
		} else {
			run(t, "ovsdb-tool", "join-cluster", m.file, database, address(i), address(0))
			if _, err := Open(context.Background(), m.file, Options{Database: database}); err == nil ||
				!strings.Contains(err.Error(), "has not joined its cluster yet") {
				t.Errorf("a member before it joins: %v", err)
			}
		}
		m.server = startServer(t, dir, "--remote=p"+m.remote, m.file)
		run(t, "ovsdb-client", "--timeout=20", "wait", m.remote, database, "connected")
		members = append(members, m)
	}
	return members
}

// settled reads the member's file until it is as wanted: a follower learns a
// little later than the leader what is committed.
func (m *member) settled(t *testing.T, database string, want contents) *Database {
	t.Helper()
	var db *Database
	for range 100 {
		db = mustOpen(t, m.file, Options{Database: database})
		if cmp.Equal(want, contentsOf(db)) {
			return db
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s (-server, +store):\n%s", m.file, cmp.Diff(want, contentsOf(db)))
	return nil
}

// Each member's file holds what the servers hold: while transactions come,
// after a log is compacted into a snapshot, and after the schema changes.
func TestOracleCluster(t *testing.T) {
	members := startCluster(t, "Kinds", "testdata/kinds.ovsschema")
	check := func() contents {
		db := mustOpen(t, members[0].file, Options{Database: "Kinds"})
		want := contentsOfReply(t, db, run(t, "ovsdb-client", "transact", members[0].remote, selects(db)))
		for _, m := range members {
			if got := m.settled(t, "Kinds", want); got.Format != "clustered" {
				t.Errorf("format %s", got.Format)
			}
		}
		return want
	}
	transact := func(txn string) {
		if reply := run(t, "ovsdb-client", "transact", members[0].remote, txn); strings.Contains(reply, `"error"`) {
			t.Fatal(reply)
		}
	}
	var states []contents
	for _, txn := range kindsTransactions {
		transact(txn)
		states = append(states, check())
	}
	h, err := OpenHistory(context.Background(), members[0].file, Options{Database: "Kinds"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Next(); err != nil { // the snapshot the cluster began with, empty
		t.Fatal(err)
	}
	for i, want := range states {
		txn, err := h.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, contentsOf(h.Database())); diff != "" || txn.Time.IsZero() {
			t.Errorf("history at transaction %d, of %v (-server +store):\n%s", i, txn.Time, diff)
		}
	}

	for _, m := range members {
		run(t, "ovs-appctl", "-t", m.dir+"/ctl", "ovsdb-server/compact")
	}
	check()
	transact(kindsTransactions[0])
	check()

	schema, err := os.ReadFile("testdata/kinds.ovsschema")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(`"1.2.3"`, `"1.3.0"`, `"i": {"type": "integer"},`, "", `"s": {"type": "string"}`,
		`"s": {"type": {"key": "string", "min": 0, "max": 2}}`).Replace(string(schema))
	run(t, "ovsdb-client", "convert", members[0].remote, write(t, "new.ovsschema", changed))
	check()
	db := members[1].settled(t, "Kinds", check())
	if db.Version != "1.3.0" || db.Table("Every").HasColumn("i") {
		t.Errorf("schema version %s after the conversion", db.Version)
	}
	transact(`["Kinds", {"op":"insert","table":"Every","row":{"s":["set",["p","q"]]}}]`)
	check()
}

// clusterFile makes a member's file of transactions; commit says up to which
// index the member knows them committed.
func clusterFile(records ...string) string {
	text := record("CLUSTER", `{"server_id":"`+uuidA+`","cluster_id":"`+uuidB+`","name":"OVN_Southbound",`+
		`"local_address":"tcp:1.1.1.1:1","prev_index":4,"prev_term":1,"prev_eid":"`+uuidA+`","prev_data":[`+smallSchema+
		`,{"Meter":{"`+uuidA+`":{"name":"first"}}}],"prev_servers":{}}`)
	for _, r := range records {
		text += record("CLUSTER", r)
	}
	return text
}

func entryOf(index int, name string) string {
	return fmt.Sprintf(`{"term":1,"index":%d,"eid":"%s","data":[null,{"Meter":{"%s":{"name":"%s"}},"_date":%d000,`+
		`"_is_diff":true}]}`, index, uuidA, uuidA, name, index)
}

// Only what is committed counts, and an entry written again replaces the one
// before and all after it.
func TestClusterCommit(t *testing.T) {
	t.Parallel()
	const commit = `{"commit_index":%d}`
	for _, c := range []struct {
		what    string
		records []string
		want    string
		warning string
	}{
		{"only the snapshot", nil, "first", ""},
		{"not committed", []string{entryOf(5, "five")}, "first",
			"the last 1 transaction is not known to this member to be committed"},
		{"committed", []string{entryOf(5, "five"), fmt.Sprintf(commit, 5)}, "five", ""},
		{"committed in part", []string{entryOf(5, "five"), entryOf(6, "six"), fmt.Sprintf(commit, 5),
			entryOf(7, "seven")},
			"five", "the last 2 transactions are"},
		{"replaced", []string{entryOf(5, "five"), entryOf(6, "six"), entryOf(5, "other"), fmt.Sprintf(commit, 5)},
			"other", ""},
		{"written again after its commit", []string{entryOf(5, "five"), fmt.Sprintf(commit, 5), entryOf(5, "other")},
			"five", ""},
		{"terms, votes, notes and servers between", []string{`{"term":2}`, `{"term":2,"vote":"` + uuidA + `"}`,
			`{"note":"transfer leadership"}`, `{"term":2,"index":5,"servers":{"` + uuidA + `":"tcp:1.1.1.1:1"}}`,
			`{"term":2,"leader":"` + uuidA + `"}`, entryOf(6, "six"), fmt.Sprintf(commit, 6)}, "six", ""},
		{"a gap", []string{entryOf(7, "seven")}, "first", "holds entry 7, but the newest before it is 4"},
		{"a commit of nothing", []string{fmt.Sprintf(commit, 9)}, "first", "commits entry 9, but the newest is 4"},
		{"broken JSON in an entry", []string{`{"term":1,"index":5,"data":[null,{"Meter":7}]}`, fmt.Sprintf(commit, 5)},
			"first", "record 2"},
	} {
		db := mustOpen(t, write(t, "db", clusterFile(c.records...)), Options{})
		if got := db.Table("Meter").Rows()[0].Text("name"); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		switch {
		case c.warning == "" && len(db.Warnings) > 0:
			t.Errorf("%s: warnings %v", c.what, db.Warnings)
		case c.warning != "" && (len(db.Warnings) != 1 || !strings.Contains(db.Warnings[0].Error(), c.warning)):
			t.Errorf("%s: warnings %v, want %s", c.what, db.Warnings, c.warning)
		}
	}
}

// A damaged tail of a member's file is reported, and what comes before used.
func TestClusterDamage(t *testing.T) {
	t.Parallel()
	text := clusterFile(entryOf(5, "five"), `{"commit_index":5}`, entryOf(6, "six"), `{"commit_index":6}`)
	db := mustOpen(t, write(t, "db", text[:len(text)-5]), Options{})
	var d *DamageError
	if len(db.Warnings) != 1 || !errors.As(db.Warnings[0], &d) || d.Damage != Truncated || d.Record != 5 {
		t.Errorf("warnings %v", db.Warnings)
	}
	if got := db.Table("Meter").Rows()[0].Text("name"); got != "five" {
		t.Errorf("%s, want five", got)
	}
}

// A dump in JSON reads as the file it was taken from, though it tells no
// schema.
func TestOracleDump(t *testing.T) {
	tool(t, "ovsdb-client")
	path := ""
	for _, p := range recorded(t) {
		if strings.HasSuffix(p, ".db") {
			path = p
		}
	}
	want := mustOpen(t, path, Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "sb.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, dir, "--remote=punix:"+dir+"/sock", file)
	out := run(t, "ovsdb-client", "-f", "json", "dump", "unix:"+dir+"/sock", Southbound)
	got := mustOpen(t, write(t, "dump.json", out), Options{})
	if got.Format != "dump" || got.Name != Southbound {
		t.Errorf("%s of %s", got.Format, got.Name)
	}
	// Types are inferred: a set in which no row has but one element looks a scalar.
	bare := func(c contents) contents {
		for _, rows := range c {
			for _, row := range rows {
				for name, v := range row {
					if row[name] = strings.TrimSuffix(strings.TrimPrefix(v, "["), "]"); row[name] == `""` {
						delete(row, name) // as a scalar, the default
					}
				}
			}
		}
		return c
	}
	a, b := bare(contentsOf(want)), bare(contentsOf(got))
	delete(a, "SB_Global") // nb_cfg and connections change when a server serves it
	delete(b, "SB_Global")
	if diff := cmp.Diff(a, b); diff != "" || len(a["Logical_Flow"]) == 0 {
		t.Errorf("file (-), dump (+):\n%s", diff)
	}
	text2 := run(t, "ovsdb-client", "dump", "unix:"+dir+"/sock", Southbound)
	if _, err := Open(context.Background(), write(t, "dump.txt", text2), Options{}); err == nil ||
		!strings.Contains(err.Error(), "dump in text form") {
		t.Errorf("a dump in text form: %v", err)
	}
	_, err = Open(context.Background(), write(t, "cut.json", out[:len(out)/2]), Options{})
	var d *DamageError
	if !errors.As(err, &d) || d.Damage != Truncated {
		t.Errorf("a dump cut short: %v", err)
	}
}

// A recorded Southbound database made a cluster's: each member's file holds
// what the recording does, snapshot and all.
func TestOracleClusterSouthbound(t *testing.T) {
	path := plainRecorded(t)[0]
	want := contentsOf(mustOpen(t, path, Options{}))
	copied := filepath.Join(t.TempDir(), "sb.db")
	copyFile(t, path, copied)
	for _, m := range startCluster(t, Southbound, copied) {
		if db := m.settled(t, Southbound, want); db.Cluster == "" {
			t.Error("the cluster's ID is not known")
		}
	}
}
