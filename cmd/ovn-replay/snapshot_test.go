package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// laterUnknown are recordings whose snapshot of afterwards cannot tell what was not
// there yet, by what it lacks.
var laterUnknown = map[string]string{
	"cloud-unknown": "FDB rows have no timestamp before OVN 23.09",
}

// A snapshot taken after the captures has bindings that were not there when packets
// came: their timestamps and what captures show tell which.
func TestSnapshotTakenAfter(t *testing.T) {
	t.Parallel()
	dbs, err := filepath.Glob(filepath.Join(cases, "*", "sb-after.db*"))
	if err != nil || len(dbs) < 20 {
		t.Fatalf("%d recordings with a snapshot of afterwards, %v", len(dbs), err)
	}
	for _, db := range dbs {
		name := filepath.Base(filepath.Dir(db))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := replayed(t, "verify", "--case", filepath.Dir(db), "--db", db)
			if strings.Contains(name, "cold") && !strings.Contains(name, "22.03") &&
				!strings.Contains(stderr, "what the network was before is not known") {
				t.Errorf("not said that the snapshot is younger than the captures: %s", stderr)
			}
			if why, ok := laterUnknown[name]; ok {
				if status != 1 {
					t.Errorf("status %d, although %s", status, why)
				}
				return
			}
			if status != 0 {
				t.Errorf("status %d\n%.2000s", status, stdout)
			}
		})
	}
}
