package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ovnreplay/sim/coverage"
	"ovnreplay/sim/inventory"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/ovntrace"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/testdata/golden"
)

// schemas are the forms of JSON: of which type, and, but for "run" and "verify",
// whose printing TestJSONIsPlain looks at, too, command lines that print it. CASE is a
// recorded case.
func schemas() map[string]struct {
	title string
	v     any
	lines []string
} {
	return map[string]struct {
		title string
		v     any
		lines []string
	}{
		"run.schema.json": {"One line of ovn-replay run --json or show --json: the fate of a packet that entered OVN",
			replay.Record{},
			[]string{"run --json --hex --case CASE", "show --json SESSION", "show --json SESSION 1-3"}},
		"run-last.schema.json": {"The last line of ovn-replay run --json, where limits were reached or flows left out",
			boundsJSON{}, []string{"run --json BROKEN"}},
		"interrupted.schema.json": {"The last line of JSON of a command that a signal ended, but for verify: see " +
			"TestInterrupted", interruptedJSON{}, nil},
		"verify.schema.json": {"What ovn-replay verify --json prints", replay.Report{},
			[]string{"verify --json --case CASE", "verify --json --list --strict --no-infer --case CASE"}},
		"connections.schema.json": {"One line of ovn-replay connections --json: a connection", ledger.Row{},
			[]string{"connections --json --case CASE", "connections --json --session SESSION"}},
		"members.schema.json": {"One line of ovn-replay connections --members --json: a load balancer's address or " +
			"an ECMP route", ledger.Shares{}, []string{"connections --members --json --case CASE"}},
		"who.schema.json": {"One line of ovn-replay who --json: a connection that had an address", ledger.Whose{},
			[]string{"who ADDRESS --json --case CASE"}},
		"why.schema.json": {"What ovn-replay why --json prints: what became of a packet or connection, and why",
			ledger.Answer{}, []string{"why ASKED --json --case CASE", "why ASKED --json --session SESSION"}},
		"coverage.schema.json": {"One line of ovn-replay coverage --json: what packets met", coverage.Row{},
			[]string{"coverage --json --case CASE", "coverage --flows --json --case CASE"}},
		"diff.schema.json": {"One line of ovn-replay diff --json: a packet that fares differently on two networks",
			replay.FateDifference{}, []string{"diff --json --case " + cases + "/nodeport --db DROPPING"}},
		"trace.schema.json": {"One line of ovn-replay trace --json: a packet and its trace", ovntrace.Record{},
			[]string{"trace --json --case CASE -r FRAME"}},
		"db-info.schema.json": {"What ovn-replay db info --json prints", inventory.Inventory{},
			[]string{"db info --json DB", "db info --behaviour --json DB", "db info --json BROKENDB"}},
		"db-history.schema.json": {"One line of ovn-replay db history --json: a transaction", inventory.Transaction{},
			[]string{"db history --json DB"}},
		"db-gather.schema.json": {"One line of ovn-replay db gather --json: a file", inventory.Item{},
			[]string{"db gather --json CASE"}},
		"db-zones.schema.json": {"One of the last lines of ovn-replay db gather --json, where a source holds several " +
			"connected zones: a zone", inventory.AZ{},
			[]string{"db gather --json ../../testdata/questions/ic-lacking"}},
		"db-diff.schema.json": {"One line of ovn-replay db diff --json: a difference", inventory.Difference{},
			[]string{"db diff --json DB " + cases + "/nodeport/sb.db"}},
		"db-snapshot.schema.json": {
			"What ovn-replay db snapshot --json prints, and one line of db list --json: a snapshot",
			inventory.Snapshot{},
			[]string{"db snapshot --json DB NAME --store STORE", "db list --json --store STORE"}},
	}
}

// What the commands print over recordings, a library finds to be as the schemas
// say; and they name every field of it.
func TestJSONSatisfiesSchemas(t *testing.T) {
	t.Parallel()
	printed := map[string]int{} // objects, by schema
	for _, name := range []string{
		"nodeport", "cloud-ecmp", "cloud-lb", "kube-acl-verdicts", "kube-odd-packets", "cloud-arp-nd",
	} {
		dir := filepath.Join(cases, name)
		words := placesOf(t, dir)
		for name, of := range schemas() {
			strict, lax := compiled(t, name, true), compiled(t, name, false)
			for _, line := range of.lines {
				line = words.Replace(line)
				status, out, errs := replayed(t, strings.Fields(line)...)
				if status == exitBad && !strings.Contains(errs, "nothing was verified") {
					t.Errorf("%s: %s", line, errs)
				}
				for line2 := range lastOnly(name, out) {
					v, err := jsonschema.UnmarshalJSON(strings.NewReader(line2))
					if err = cmp.Or(err, lax.Validate(v), strict.Validate(v)); err != nil {
						t.Fatalf("%s: %v\n%.2000s", line, err, line2)
					}
					printed[name]++
				}
			}
		}
	}
	for name, of := range schemas() {
		if printed[name] == 0 && len(of.lines) > 0 {
			t.Errorf("%s: nothing was printed", name)
		}
	}
}

// lastOnly are the values printed: each line, or all for the forms that are
// printed whole; where a form is of last lines, those, and else all but those.
func lastOnly(name, out string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if name == "verify.schema.json" {
			yield(out)
			return
		}
		for line := range strings.Lines(out) {
			last := !strings.Contains(line, `"frame":`) && !strings.Contains(line, `"verdict":`)
			if zone := strings.Contains(line, `"zone":`); strings.HasPrefix(name, "db-gather") && zone ||
				strings.HasPrefix(name, "db-zones") && !zone {
				continue
			}
			if strings.HasPrefix(name, "run") && last != (name == "run-last.schema.json") {
				continue
			}
			if !yield(line) {
				return
			}
		}
	}
}

// placesOf is what stands for what in the command lines of schemas, for a case.
func placesOf(t *testing.T, dir string) *strings.Replacer {
	t.Helper()
	spec, err := recording.ReadCase(dir, filesOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	session := filepath.Join(t.TempDir(), "s.db")
	replayedWell(t, "run", "--format", "none", "--case", dir, "--session", session)
	var row ledger.Row
	first, _, _ := strings.Cut(replayedWell(t, "connections", "--json", "--case", dir), "\n")
	if err := json.Unmarshal([]byte(cmp.Or(first, `{"client":{"address":"10.0.0.1"}}`)), &row); err != nil {
		t.Fatal(err)
	}
	var entered replay.Record
	if err := json.Unmarshal([]byte(replayedWell(t, "show", "--json", session, "1")), &entered); err != nil {
		t.Fatal(err)
	}
	broken := brokenFlows(t, 3)
	dropping := changing(t, filepath.Join(cases, "nodeport", "sb.db"), 1,
		`"Logical_Flow":{"00000000-0000-0000-0000-000000000001":`+
			`{"logical_datapath":["uuid","a72824c0-aeba-4a9b-a86b-88445401535a"],"pipeline":"ingress","table_id":0,`+
			`"priority":65000,"match":"tcp","actions":"drop;",`+
			`"external_ids":["map",[["stage-name","ls_in_check_port_sec"]]]}}`)
	return strings.NewReplacer("CASE", dir, "SESSION", session, "BROKENDB", broken,
		"BROKEN", "--db "+broken+" -r "+cases+"/nodeport/client.pcap@breth0_ovn-worker", "DROPPING", dropping,
		"FRAME", fmt.Sprintf("%s#%d", entered.Capture, entered.Frame), "ASKED", fmt.Sprintf("%s:%d", entered.Capture,
			entered.Frame), "DB", spec.DBs[0],
		"ADDRESS", row.Client.Address, "NAME", "one", "STORE", filepath.Join(t.TempDir(), "store.db"))
}

// compiled is a schema of docs/schema; strict, it allows no fields that it does not name.
func compiled(t *testing.T, name string, strict bool) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, "../../docs/schema/"+name)))
	if err != nil {
		t.Fatal(err)
	}
	if strict {
		closeObjects(v)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, v); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile(name)
}

func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			closeObjects(e)
		}
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, e := range v {
			closeObjects(e)
		}
	}
}

// docs/schema says what the JSON forms are, made from what is encoded, and what fields mean, from
// their comments; -update rewrites it. A field that is taken away or changes its type must come with
// another replay.FormVersion; one that is new is added by -update.
func TestSchema(t *testing.T) {
	t.Parallel()
	for name, of := range schemas() {
		s := schemaOf(reflect.TypeOf(of.v), map[reflect.Type]bool{})
		s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", of.title
		if p := s["properties"].(map[string]any); p["version"] != nil && !strings.HasPrefix(name, "db-") {
			p["version"] = map[string]any{"const": replay.FormVersion}
		}
		if p := s["properties"].(map[string]any); p["form_version"] != nil {
			p["form_version"] = map[string]any{"const": inventory.FormVersion}
		}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("../../docs/schema", name)
		if *golden.Update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var now, old map[string]any
		json.Unmarshal(text, &now)
		stored, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(stored, &old)
		}
		if err != nil {
			t.Fatal(err)
		}
		keeps(t, name, old, now)
	}
}

// keeps reports what an older schema has that the present one lacks or changes.
func keeps(t *testing.T, at string, old, now map[string]any) {
	t.Helper()
	for key, v := range old {
		switch v := v.(type) {
		case map[string]any:
			of, _ := now[key].(map[string]any)
			if of == nil {
				t.Errorf("%s: %s is gone: count up replay.FormVersion", at, key)
				continue
			}
			keeps(t, at+"."+key, v, of)
		case []any: // required: more may be
		default:
			if now[key] != v && key != "description" {
				t.Errorf("%s: %s is %v, was %v: count up replay.FormVersion", at, key, now[key], v)
			}
		}
	}
}

// schemaOf describes a type as encoding/json encodes it.
func schemaOf(t reflect.Type, within map[reflect.Type]bool) map[string]any {
	switch {
	case t == reflect.TypeOf(replay.Moment(0)), t == reflect.TypeOf(time.Time{}):
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), within)
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), within)}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), within)}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Interface:
		return map[string]any{}
	case t.Kind() == reflect.Float64:
		return map[string]any{"type": "number"}
	case t.Kind() != reflect.Struct:
		return map[string]any{"type": "integer"}
	case within[t]:
		return map[string]any{"type": "object"}
	}
	within[t] = true
	defer delete(within, t)
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if f.Anonymous && name == "" {
			of := schemaOf(f.Type, within)
			maps.Copy(properties, of["properties"].(map[string]any))
			required = append(required, of["required"].([]string)...)
			continue
		}
		if name == "" {
			name = f.Name
		}
		of := schemaOf(f.Type, within)
		if text := meaning(t, f.Name); text != "" {
			of["description"] = text
		}
		properties[name] = of
		if !strings.Contains(rest, "omitempty") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// meaning is the comment on a type's field, in one line.
func meaning(t reflect.Type, field string) string {
	pkg, ours := strings.CutPrefix(t.PkgPath(), "ovnreplay/")
	if !ours {
		return ""
	}
	once, _ := meanings.LoadOrStore(pkg, sync.OnceValue(func() map[string]string { return commentsOf(pkg) }))
	return once.(func() map[string]string)()[t.Name()+"."+field]
}

var meanings sync.Map // of what reads the comments of a package, by its folder

// commentsOf are the comments on fields of a package's types.
func commentsOf(pkg string) map[string]string {
	found := map[string]string{}
	files, _ := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue // it would not have compiled
		}
		ast.Inspect(file, func(n ast.Node) bool {
			of, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			fields, ok := of.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range fields.Fields.List {
				text := f.Doc.Text()
				if text == "" {
					text = f.Comment.Text()
				}
				for _, id := range f.Names {
					found[of.Name.Name+"."+id.Name] = strings.Join(strings.Fields(text), " ")
				}
			}
			return true
		})
	}
	return found
}

// What is printed satisfies the schema, as far as that says, and is plain: no
// \u003e, and times in RFC 3339.
func TestJSONIsPlain(t *testing.T) {
	t.Parallel()
	dir := cases + "/nodeport"
	_, run, _ := replayed(t, "run", "--case", dir, "--json")
	_, verify, _ := replayed(t, "verify", "--db", dir+"/sb.db", "-r", dir+"/client.pcap@breth0_ovn-worker", "-r",
		dir+"/nginx.pcap", "--json", "--strict", "--no-infer")
	for name, text := range map[string]string{"run.schema.json": run, "verify.schema.json": verify} {
		if strings.Contains(text, `\u00`) {
			t.Errorf("%s: escapes in %.500s", name, text)
		}
		d := json.NewDecoder(strings.NewReader(text))
		n := 0
		for ; d.More(); n++ {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			if err := compiled(t, name, true).Validate(v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n == 0 {
			t.Errorf("%s: nothing printed", name)
		}
	}
}

// verify --junit is XML with a test for each capture.
func TestJUnit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "junit.xml")
	dir := cases + "/nodeport"
	status, _, errs := replayed(t, "verify", "--db", dir+"/sb.db", "-r", dir+"/client.pcap@breth0_ovn-worker", "-r",
		dir+"/pod2.pcap@default_nginx-deployment-9456bbbf9-x6pc6",
		"--junit", file)
	text, err := os.ReadFile(file)
	if err != nil || status == exitBad {
		t.Fatalf("exit status %d: %s %v", status, errs, err)
	}
	for _, test := range []struct{ args, want string }{
		{"--db " + dir + "/sb.db -r " + dir + "/nginx.pcap --strict", `failures="1"`},
		{"--db " + dir + "/sb.db -r " + dir + "/client.pcap@breth0_ovn-worker --pcap-filter icmp", `errors="1"`},
		{"--case " + dir, `failures="0" errors="0"`},
	} {
		status, _, _ := replayed(t, append([]string{"verify", "--junit", file + "2"}, strings.Fields(test.args)...)...)
		text := string(read(t, file+"2"))
		if green := strings.Contains(text, `failures="0" errors="0"`); green != (status == exitOK) ||
			!strings.Contains(text, test.want) {
			t.Errorf("%s: exit status %d\n%s", test.args, status, text)
		}
	}
	for _, want := range []string{`<testsuite name="ovn-replay verify" tests="3" failures="`, `name="` + dir +
		`/client.pcap"`, `<failure message="`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("lacks %s in\n%s", want, text)
		}
	}
}
