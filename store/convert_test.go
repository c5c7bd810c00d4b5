package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A schema changed without rows (OVS 3.2 and later write it so) keeps the
// rows as far as the new schema has room for them.
func TestConvert(t *testing.T) {
	t.Parallel()
	old := `{"name":"OVN_Southbound","version":"1.0.0","tables":{
		"T":{"columns":{"same":{"type":"string"},"gone":{"type":"string"},"widened":{"type":"integer"},
			"narrowed":{"type":{"key":"string","min":0,"max":"unlimited"}},"retyped":{"type":"string"},
				"flag":{"type":"boolean"}}},
		"Gone":{"columns":{"x":{"type":"string"}}}}}`
	changed := `{"name":"OVN_Southbound","version":"2.0.0","tables":{
		"T":{"columns":{"added":{"type":"string"},"same":{"type":"string"},"widened":{"type":{"key":"integer","min":0,
			"max":1}},"narrowed":{"type":"string"},"retyped":{"type":"integer"},"flag":{"type":{"key":"boolean",
				"min":0,"max":1}}}},
		"New":{"columns":{"y":{"type":"string"}}}}}`
	row := `"same":"s","gone":"g","narrowed":["set",["b","a"]],"retyped":"r"`
	file := func(middle string) string {
		return record("CLUSTER", `{"prev_index":1,"prev_data":[`+old+`,{"T":{"`+uuidA+`":{`+row+
			`,"widened":7}},"Gone":{"`+uuidB+`":{"x":"y"}}}]}`) +
			record("CLUSTER", `{"term":1,"index":2,"eid":"`+uuidA+`","data":[`+changed+`,`+middle+`]}`) +
			record("CLUSTER", `{"term":1,"index":3,"eid":"`+uuidB+`","data":[null,{"New":{"`+uuidB+
				`":{"y":"z"}},"T":{"`+uuidA+`":{"added":"new"}}}]}`) +
			record("CLUSTER", `{"commit_index":3}`)
	}
	for _, c := range []struct {
		name, middle string
		want         map[string]string
	}{
		{"rows kept", `null`, map[string]string{"same": "s", "widened": "[7]", "narrowed": "a", "flag": "[false]",
			"added": "new"}},
		{"rows given anew", `{"T":{"` + uuidA + `":{"same":"other"}}}`,
			map[string]string{"same": "other", "added": "new"}},
	} {
		db := mustOpen(t, write(t, "db", file(c.middle)), Options{})
		want := contents{"T": {uuidA: c.want}, "New": {uuidB: {"y": "z"}}}
		if diff := cmp.Diff(want, contentsOf(db)); diff != "" || db.Version != "2.0.0" || len(db.Warnings) != 0 {
			t.Errorf("%s: version %s, warnings %v\n%s", c.name, db.Version, db.Warnings, diff)
		}
	}
}

// A schema change that is read ahead, but not applied, is not seen.
func TestConvertAhead(t *testing.T) {
	t.Parallel()
	old := `{"name":"OVN_Southbound","version":"1.0.0","tables":{"T":{"columns":{"a":{"type":"string"}}}}}`
	changed := `{"name":"OVN_Southbound","version":"2.0.0","tables":{"T":{"columns":{"b":{"type":"string"}}}}}`
	path := write(t, "db", record("CLUSTER",
		`{"prev_index":1,"prev_data":[`+old+`,{"T":{"`+uuidA+`":{"a":"x"}},"_date":1000}]}`)+
		record("CLUSTER", `{"term":1,"index":2,"eid":"`+uuidA+`","data":[`+changed+`,{"T":{"`+uuidA+
			`":{"b":"y"}},"_date":2000}]}`)+
		record("CLUSTER", `{"commit_index":2}`))
	h := mustHistory(t, path)
	if _, err := h.Next(); err != nil {
		t.Fatal(err)
	}
	before := h.Database().Clone()
	if next, err := h.NextTime(); err != nil || next.UnixMilli() != 2000 {
		t.Fatalf("next %v, %v", next, err)
	}
	if h.Database().Version != "1.0.0" || h.Database().Table("T").Rows()[0].Text("a") != "x" {
		t.Error("a transaction only looked at is applied")
	}
	if _, err := h.Next(); err != nil {
		t.Fatal(err)
	}
	if h.Database().Version != "2.0.0" || h.Database().Table("T").Rows()[0].Text("b") != "y" {
		t.Errorf("version %s", h.Database().Version)
	}
	if before.Version != "1.0.0" || before.Table("T").Rows()[0].Text("a") != "x" {
		t.Error("a clone changed")
	}
}
