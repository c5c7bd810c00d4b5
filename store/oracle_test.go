package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tool finds an OVS program, the oracle of most tests here. Without them the
// tests say so and do not run.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed; install openvswitch-common and openvswitch-switch", name)
	}
	return path
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// recorded finds the recorded databases: those in the repository and, in the
// place they are recorded, those beside it.
func recorded(t testing.TB) []string {
	t.Helper()
	var found []string
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		for _, pattern := range []string{"testdata/cases/*/sb*.db", "testdata/cases/*/sb*.db.gz",
			"shared/cases/*/sb*.db", "shared/cases/*/sb*.db.gz", "shared/sb/*.db"} {
			match, _ := filepath.Glob(filepath.Join(dir, pattern))
			found = append(found, match...)
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	if len(found) == 0 {
		t.Fatal("no recorded databases found")
	}
	return found
}

func mustOpen(t testing.TB, source string, opts Options) *Database {
	t.Helper()
	db, err := Open(context.Background(), source, opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// contents is a database as plain data: table, UUID, column, value in text.
// Columns of default value are left out.
type contents map[string]map[string]map[string]string

// contentsOf takes them from a Database by its accessors.
func contentsOf(db *Database) contents {
	c := make(contents)
	for _, t := range db.Tables() {
		for _, r := range t.Rows() {
			row := make(map[string]string)
			for _, name := range t.Columns() {
				if r.Has(name) && name != "gone" {
					row[name] = r.Display(name)
				}
			}
			put(c, t.Name, r.UUID.String(), row)
		}
	}
	return c
}

func put(c contents, table, uuid string, row map[string]string) {
	if c[table] == nil {
		c[table] = make(map[string]map[string]string)
	}
	c[table][uuid] = row
}

// selects is the transaction that selects every row of every table of db.
func selects(db *Database) string {
	ops := []any{db.Name}
	for _, t := range db.Tables() {
		ops = append(ops, map[string]any{"op": "select", "table": t.Name, "where": []any{}})
	}
	text, _ := json.Marshal(ops)
	return string(text)
}

// contentsOfReply takes them from the reply to selects.
func contentsOfReply(t testing.TB, db *Database, reply string) contents {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(reply))
	dec.UseNumber()
	var results []struct {
		Rows []map[string]any `json:"rows"`
	}
	if err := dec.Decode(&results); err != nil {
		t.Fatalf("%v in %.200q", err, reply)
	}
	c := make(contents)
	for i, table := range db.Tables() {
		for _, in := range results[i].Rows {
			row := make(map[string]string)
			uuid := in["_uuid"].([]any)[1].(string)
			for name, v := range in {
				if name[0] == '_' || name == "gone" { // it is ephemeral: not every file has it
					continue
				}
				// What a column's default is, the oracle does not say; a
				// scalar of these values is one, and no set or map is
				// written so.
				text := plain(v, db.Table(table.Name).columns[db.Table(table.Name).index[name]].typ.scalar())
				switch text {
				case "", "0", "false", "[]", "{}", "00000000-0000-0000-0000-000000000000":
				default:
					row[name] = text
				}
			}
			put(c, table.Name, uuid, row)
		}
	}
	return c
}

// plain writes a JSON value as Row.Display does. Sets and maps stay in the
// order the server wrote them: that is part of what is compared.
func plain(v any, scalar bool) string {
	atom := func(v any) string {
		if a, ok := v.([]any); ok {
			return a[1].(string)
		}
		if v == "" && !scalar {
			return `""`
		}
		return fmt.Sprint(v)
	}
	var parts []string
	if a, ok := v.([]any); ok && a[0] == "map" {
		for _, p := range a[1].([]any) {
			kv := p.([]any)
			parts = append(parts, atom(kv[0])+"="+atom(kv[1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if scalar {
		return atom(v)
	}
	if a, ok := v.([]any); ok && a[0] == "set" {
		for _, m := range a[1].([]any) {
			parts = append(parts, atom(m))
		}
	} else {
		parts = []string{atom(v)}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Every value of every row of a recorded database reads as ovsdb-tool reads it.
func TestOracleRecorded(t *testing.T) {
	tool(t, "ovsdb-tool")
	for _, path := range recorded(t) {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			db := mustOpen(t, path, Options{})
			file := path
			if strings.HasSuffix(path, ".gz") {
				file = filepath.Join(t.TempDir(), "sb.db")
				plain := gunzip(t, path)
				if err := os.WriteFile(file, plain, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := contentsOfReply(t, db, run(t, "ovsdb-tool", "query", file, selects(db)))
			if diff := cmp.Diff(want, contentsOf(db)); diff != "" {
				t.Errorf("ovsdb-tool (-), store (+):\n%s", diff)
			}
			if len(want["Logical_Flow"]) == 0 {
				t.Error("the oracle saw no logical flows: this test compares nothing")
			}
			if len(db.Warnings) != 0 {
				t.Errorf("warnings: %v", db.Warnings)
			}
		})
	}
}

// A log of many transactions, as a server writes it with and without column
// differences, ends in what the server itself holds; and so does the log cut
// after any transaction.
func TestOracleTransactions(t *testing.T) {
	for _, differences := range []bool{true, false} {
		t.Run(fmt.Sprintf("differences=%v", differences), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "test.db")
			run(t, "ovsdb-tool", "create", file, "testdata/kinds.ovsschema")
			args := []string{"--remote=punix:" + dir + "/sock"}
			if !differences {
				args = append(args, "--disable-file-column-diff")
			}
			s := startServer(t, dir, append(args, file)...)
			var states []contents
			for i, txn := range kindsTransactions {
				reply := run(t, "ovsdb-client", "transact", "unix:"+dir+"/sock", txn)
				if strings.Contains(reply, `"error"`) {
					t.Fatalf("transaction %d: %s", i, reply)
				}
				db := mustOpen(t, file, Options{Database: "Kinds"})
				want := contentsOfReply(t, db, run(t, "ovsdb-client", "transact", "unix:"+dir+"/sock", selects(db)))
				if diff := cmp.Diff(want, contentsOf(db)); diff != "" {
					t.Errorf("after transaction %d: server (-), store (+):\n%s", i, diff)
				}
				states = append(states, want)
			}
			s.stop(t)
			h, err := OpenHistory(context.Background(), file, Options{Database: "Kinds"})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			for i, want := range states {
				txn, err := h.Next()
				if err != nil {
					t.Fatalf("transaction %d: %v", i, err)
				}
				if len(txn.Changes) == 0 || txn.Time.IsZero() {
					t.Errorf("transaction %d: %d changes at %v", i, len(txn.Changes), txn.Time)
				}
				if diff := cmp.Diff(want, contentsOf(h.Database())); diff != "" {
					t.Errorf("history at transaction %d (-server +store):\n%s", i, diff)
				}
			}
			if txn, err := h.Next(); txn != nil || err == nil {
				t.Errorf("a transaction too many: %v", txn)
			}
		})
	}
}
