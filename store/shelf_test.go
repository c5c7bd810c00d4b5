package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

var shelfTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func openShelf(t *testing.T, path string) *Shelf {
	t.Helper()
	s, err := OpenShelf(path, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A snapshot holds what its source held, of every kind of column.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b", "store.db")
	dbs := map[string]*Database{}
	for i, p := range recorded(t) {
		dbs[fmt.Sprintf("case%d", i)] = mustOpen(t, p, Options{})
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "kinds.db")
	run(t, "ovsdb-tool", "create", file, "testdata/kinds.ovsschema")
	for _, txn := range kindsTransactions[:5] {
		run(t, "ovsdb-tool", "transact", file, txn)
	}
	dbs["kinds"] = mustOpen(t, file, Options{Database: "Kinds"})
	s := openShelf(t, path)
	for name, db := range dbs {
		if _, err := s.Put(db, name, shelfTime); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	for name, want := range dbs {
		got := mustOpen(t, "snapshot:"+name, Options{Shelf: path, Database: want.Name})
		if diff := cmp.Diff(contentsOf(want), contentsOf(got)); diff != "" {
			t.Errorf("%s: source (-), snapshot (+):\n%s", name, diff)
		}
		if got.Name != want.Name || got.Version != want.Version || !got.Time.Equal(want.Time) {
			t.Errorf("%s: %s %s of %v, want %s %s of %v", name, got.Name, got.Version, got.Time, want.Name,
				want.Version, want.Time)
		}
	}
	if _, err := Open(context.Background(), "snapshot:kinds", Options{Shelf: path}); err == nil ||
		!strings.Contains(err.Error(), "this is the Kinds database") {
		t.Errorf("a snapshot of another database: %v", err)
	}
	if _, err := Open(context.Background(), "snapshot:none", Options{Shelf: path}); err == nil ||
		!strings.Contains(err.Error(), "no such snapshot") || !strings.Contains(err.Error(), "there is case0") {
		t.Errorf("no such snapshot: %v", err)
	}
}

// A hundred snapshots of a database that changes a little each time cost
// little more than one, and removing all but one leaves that one whole.
func TestSnapshotsShare(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openShelf(t, path)
	db := mustOpen(t, recorded(t)[0], Options{})
	flows := db.Table("Logical_Flow").Rows()
	first, err := s.Put(db, "s0", shelfTime)
	if err != nil {
		t.Fatal(err)
	}
	if first.Own != first.Bytes || first.Bytes == 0 {
		t.Errorf("the first: %d bytes, %d its own", first.Bytes, first.Own)
	}
	var later int64
	d := &decoder{db: db}
	for i := 1; i < 100; i++ {
		d.ops = append(d.ops, operation{table: db.Table("Logical_Flow"), uuid: flows[i].UUID, delete: true})
		d.apply(false)
		n, err := s.Put(db, fmt.Sprintf("s%d", i), shelfTime)
		if err != nil {
			t.Fatal(err)
		}
		later += n.Own
	}
	if later > 4*first.Bytes || later == 0 {
		t.Errorf("99 more snapshots cost %d bytes, the first %d", later, first.Bytes)
	}
	t.Logf("first %d bytes, 99 more %d", first.Bytes, later)
	want := contentsOf(db)
	for i := range 99 {
		if err := s.Remove(fmt.Sprintf("s%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Get("s99")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, contentsOf(got)); diff != "" {
		t.Error(diff)
	}
	if list, err := s.List(); err != nil || len(list) != 1 || list[0].Rows == 0 || !list[0].Taken.Equal(shelfTime) {
		t.Errorf("%v, %v", list, err)
	}
	if err := s.Remove("s99"); err != nil {
		t.Fatal(err)
	}
	s.file.db.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket(piecesBucket).Stats().KeyN; n != 0 {
			t.Errorf("%d pieces left of no snapshot", n)
		}
		return nil
	})
	if err := s.Remove("s99"); err == nil {
		t.Error("removed twice")
	}
}

func TestShelfErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	if _, err := OpenShelf(path, false); err == nil || !strings.Contains(err.Error(), "there are no snapshots yet") {
		t.Errorf("no file: %v", err)
	}
	s := openShelf(t, path)
	db := mustOpen(t, write(t, "sb.db", strings.Join(small(), "")), Options{})
	if _, err := s.Put(db, "a", shelfTime); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(db, "a", shelfTime); err == nil || !strings.Contains(err.Error(), "already a snapshot") {
		t.Errorf("a name taken: %v", err)
	}
	if _, err := s.Put(db, "a b", shelfTime); err == nil {
		t.Error("a name with a space")
	}

	start := time.Now()
	_, err := OpenShelf(path, true)
	if err == nil || !strings.Contains(err.Error(), "holds this file") || time.Since(start) > 10*time.Second {
		t.Errorf("held: %v after %v", err, time.Since(start))
	}
	if err != nil && !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("who holds it is not told: %v", err)
	}

	var key []byte
	s.file.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(piecesBucket)
		k, v := b.Cursor().First()
		key = append(key, k...)
		v = append([]byte(nil), v...)
		v[len(v)-1] ^= 1
		return b.Put(key, v)
	})
	if _, err := s.Get("a"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged piece: %v", err)
	}
	s.file.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(piecesBucket).Delete(key) })
	if _, err := s.Get("a"); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a missing piece: %v", err)
	}
	s.file.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(formatBucket).Put(versionKey, []byte("99")) })
	s.Close()
	if _, err := OpenShelf(path, false); err == nil || !strings.Contains(err.Error(), `format "99"`) {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := OpenShelf(write(t, "x", strings.Repeat("not a store ", 1000)), false); err == nil ||
		!strings.Contains(err.Error(), "is not a store") {
		t.Errorf("another file: %v", err)
	}
	other := filepath.Join(dir, "other.db")
	foreign, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
	foreign.Close()
	if _, err := OpenShelf(other, true); err == nil || !strings.Contains(err.Error(), "is not a store") {
		t.Errorf("another program's file: %v", err)
	}
}
