package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ovnreplay/sim/replay"
	"ovnreplay/testdata/golden"
)

// docs/schema says what the JSON forms are, made from what is encoded; -update
// rewrites it. A field that is taken away or changes its type must come with
// another replay.FormVersion; one that is new is added by -update.
func TestSchema(t *testing.T) {
	for name, of := range map[string]struct {
		title string
		v     any
	}{
		"run.schema.json": {"One line of ovn-replay run --json: the fate of a packet that entered OVN",
			replay.Record{}},
		"verify.schema.json": {"What ovn-replay verify --json prints", replay.Report{}},
	} {
		s := schemaOf(reflect.TypeOf(of.v), map[reflect.Type]bool{})
		s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", of.title
		s["properties"].(map[string]any)["version"] = map[string]any{"const": replay.FormVersion}
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
			if now[key] != v {
				t.Errorf("%s: %s is %v, was %v: count up replay.FormVersion", at, key, now[key], v)
			}
		}
	}
}

// schemaOf describes a type as encoding/json encodes it.
func schemaOf(t reflect.Type, within map[reflect.Type]bool) map[string]any {
	switch {
	case t == reflect.TypeOf(replay.Moment(0)):
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
		if name == "" {
			name = f.Name
		}
		properties[name] = schemaOf(f.Type, within)
		if !strings.Contains(rest, "omitempty") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// What is printed satisfies the schema, as far as that says, and is plain: no
// \u003e, and times in RFC 3339.
func TestJSONIsPlain(t *testing.T) {
	dir := cases + "/nodeport"
	_, run, _ := replayed(t, "run", "--case", dir, "--json")
	_, verify, _ := replayed(t, "verify", "--db", dir+"/sb.db", "-r", dir+"/client.pcap@breth0_ovn-worker", "-r",
		dir+"/nginx.pcap", "--json", "--strict", "--no-infer")
	for name, text := range map[string]string{"run.schema.json": run, "verify.schema.json": verify} {
		schema, err := os.ReadFile("../../docs/schema/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(schema, &s); err != nil {
			t.Fatal(err)
		}
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
			satisfies(t, name, s, v)
		}
		if n == 0 {
			t.Errorf("%s: nothing printed", name)
		}
	}
}

// satisfies holds a value against a schema of schemaOf's forms.
func satisfies(t *testing.T, at string, s map[string]any, v any) {
	t.Helper()
	if c, ok := s["const"]; ok {
		if v != c {
			t.Errorf("%s: %v, want %v", at, v, c)
		}
		return
	}
	ok := false
	switch s["type"] {
	case "string":
		_, ok = v.(string)
	case "boolean":
		_, ok = v.(bool)
	case "integer":
		_, ok = v.(float64)
	case "array":
		var list []any
		if list, ok = v.([]any); ok {
			for _, e := range list {
				satisfies(t, at+"[]", s["items"].(map[string]any), e)
			}
		}
	case "object":
		var o map[string]any
		if o, ok = v.(map[string]any); !ok {
			break
		}
		p, _ := s["properties"].(map[string]any)
		for name, e := range o {
			if of, known := p[name].(map[string]any); known {
				satisfies(t, at+"."+name, of, e)
			}
		}
		for _, name := range asList(s["required"]) {
			if _, there := o[name.(string)]; !there {
				t.Errorf("%s: lacks %q", at, name)
			}
		}
	}
	if !ok {
		t.Errorf("%s: %v, want %v", at, v, s["type"])
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// verify --junit is XML with a test for each capture.
func TestJUnit(t *testing.T) {
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
