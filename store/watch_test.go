package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A watched database becomes what the server holds, change by change, and
// again after the server was gone for a while.
func TestOracleWatch(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "test.db")
	run(t, "ovsdb-tool", "create", file, "testdata/kinds.ovsschema")
	port := freePort(t)
	args := []string{"--remote=punix:" + dir + "/sock", fmt.Sprintf("--remote=ptcp:%d:127.0.0.1", port), file}
	s := startServer(t, dir, args...)
	awaitPort(t, port)
	source := fmt.Sprintf("tcp:127.0.0.1:%d", port)
	opts := Options{Database: "Kinds"}
	w, err := Watch(context.Background(), source, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	await := func(what string) {
		t.Helper()
		want := contentsOf(mustOpen(t, source, opts))
		deadline := time.After(20 * time.Second)
		for {
			db, err := w.Database()
			if err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(want, contentsOf(db)) {
				return
			}
			select {
			case <-w.Changed():
			case <-deadline:
				t.Fatalf("%s: server (-), watched (+):\n%s", what, cmp.Diff(want, contentsOf(db)))
			}
		}
	}
	await("at first")
	for i, txn := range kindsTransactions[:6] {
		run(t, "ovsdb-client", "transact", source, txn)
		await(fmt.Sprint("after transaction ", i))
	}
	s.stop(t)
	run(t, "ovsdb-tool", "transact", file, kindsTransactions[6])
	run(t, "ovsdb-tool", "transact", file, kindsTransactions[0])
	startServer(t, dir, args...)
	awaitPort(t, port)
	await("after the server was away")
	if !w.Connected() {
		t.Error("not connected")
	}
}

// A real Southbound database can be watched, whatever its version.
func TestWatchSouthbound(t *testing.T) {
	t.Parallel()
	for _, path := range plainRecorded(t) {
		dir := t.TempDir()
		file := filepath.Join(dir, "sb.db")
		copyFile(t, path, file)
		startServer(t, dir, "--remote=punix:"+dir+"/sock", file)
		w, err := Watch(context.Background(), "unix:"+dir+"/sock", Options{})
		if err != nil {
			t.Fatal(err)
		}
		db, err := w.Database()
		if err != nil {
			t.Fatal(err)
		}
		want := contentsOf(mustOpen(t, file, Options{}))
		if diff := cmp.Diff(want, contentsOf(db)); diff != "" || len(want["Logical_Flow"]) == 0 {
			t.Errorf("%s: file (-), watched (+):\n%s", path, diff)
		}
		w.Close()
	}
	if _, err := Watch(context.Background(), "sb.db", Options{}); err == nil {
		t.Error("a file is watched")
	}
}
