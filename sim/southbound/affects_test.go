package southbound_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// Which transactions after the first make another network.
func TestAffects(t *testing.T) {
	t.Parallel()
	source := ""
	for _, path := range cases(t) {
		if strings.HasSuffix(path, "nodeport/sb.db") {
			source = path
		}
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	db, _ := load(t, source)
	row := func(table string) string { return db.Table(table).Rows()[0].UUID.String() }
	transactions := []struct {
		body string
		want bool
	}{
		{`{"SB_Global":{"` + row("SB_Global") + `":{"nb_cfg":99}},"Chassis":{"` + row("Chassis") +
			`":{"nb_cfg":99}},"_date":1}`, false},
		{`{"Chassis_Private":{"` + row("Chassis_Private") + `":{"nb_cfg":99}},"_date":1}`, false},
		{`{"Logical_Flow":{"` + row("Logical_Flow") + `":{"actions":"drop;"}},"_date":1}`, true},
		{`{"Logical_Flow":{"` + row("Logical_Flow") + `":null},"_date":1}`, true},
		{`{"SB_Global":{"` + row("SB_Global") + `":{"options":["map",[["x","y"]]]}},"_date":1}`, true},
		{`{"RBAC_Role":{"` + row("RBAC_Role") + `":null},"_date":1}`, false},
	}
	for _, txn := range transactions {
		text = append(text, record(txn.body)...)
	}
	path := filepath.Join(t.TempDir(), "sb.db")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := store.OpenHistory(context.Background(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Next(); err != nil {
		t.Fatal(err)
	}
	for _, txn := range transactions {
		next, err := h.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := southbound.Affects(next.Changes); got != txn.want {
			t.Errorf("%s: %v", txn.body, got)
		}
	}
	if _, err := h.Next(); err != io.EOF {
		t.Error(err)
	}
}
