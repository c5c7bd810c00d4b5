package lflow

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// databases finds the recorded Southbound databases: those of testdata/cases
// and those beside the repository. It fails when there is none at all.
func databases(t testing.TB) []string {
	t.Helper()
	var files []string
	for dir, depth := ".", 0; depth < 8; dir, depth = filepath.Join(dir, ".."), depth+1 {
		for _, pattern := range []string{
			"testdata/cases/*/sb*.db*", "shared/cases/*/sb*.db*", "shared/sb/*.db*",
		} {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, found...)
		}
	}
	if len(files) == 0 {
		t.Fatal("no Southbound database found: neither testdata/cases/*/sb*.db nor shared/ in a parent directory")
	}
	return files
}

// rows is a table of a database file: UUID -> column -> value as in JSON.
type rows map[string]map[string]any

// readDatabase replays the transactions of a standalone database file.
func readDatabase(t testing.TB, name string) map[string]rows {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	br := bufio.NewReader(r)
	tables := map[string]rows{}
	for n := 0; ; n++ {
		header, err := br.ReadString('\n')
		if err == io.EOF && header == "" {
			return tables
		}
		var size int
		var sum string
		if _, err := fmt.Sscanf(header, "OVSDB JSON %d %s", &size, &sum); err != nil {
			t.Fatalf("%s: record %d: %q: %v", name, n, header, err)
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(br, body); err != nil {
			t.Fatalf("%s: record %d: %v", name, n, err)
		}
		if n == 0 {
			continue // the schema
		}
		applyTransaction(t, tables, body)
	}
}

func applyTransaction(t testing.TB, tables map[string]rows, body []byte) {
	t.Helper()
	var tx map[string]json.RawMessage
	if err := json.Unmarshal(body, &tx); err != nil {
		t.Fatal(err)
	}
	isDiff := string(tx["_is_diff"]) == "true"
	for table, raw := range tx {
		if strings.HasPrefix(table, "_") {
			continue
		}
		var changes map[string]map[string]any
		if err := json.Unmarshal(raw, &changes); err != nil {
			t.Fatal(err)
		}
		if tables[table] == nil {
			tables[table] = rows{}
		}
		for uuid, columns := range changes {
			old, exists := tables[table][uuid]
			switch {
			case columns == nil:
				delete(tables[table], uuid)
			case !exists:
				tables[table][uuid] = columns
			default:
				for c, v := range columns {
					if isDiff {
						v = applyDiff(old[c], v)
					}
					old[c] = v
				}
			}
		}
	}
}

// applyDiff changes sets and maps by their difference; scalars are replaced.
func applyDiff(old, diff any) any {
	kind := ""
	for _, v := range []any{old, diff} {
		if l, ok := v.([]any); ok && len(l) == 2 {
			if k, _ := l[0].(string); k == "set" || k == "map" {
				kind = k
			}
		}
	}
	if kind == "" {
		return diff
	}
	result := elements(old)
	for _, d := range elements(diff) {
		at := slices.IndexFunc(result, func(e any) bool {
			if kind == "map" {
				return reflect.DeepEqual(e.([]any)[0], d.([]any)[0])
			}
			return reflect.DeepEqual(e, d)
		})
		switch {
		case at < 0:
			result = append(result, d)
		case reflect.DeepEqual(result[at], d):
			result = slices.Delete(result, at, at+1)
		default:
			result[at] = d
		}
	}
	return []any{kind, result}
}

// elements are those of a set, the only one of a scalar, none of nothing.
func elements(v any) []any {
	if l, ok := v.([]any); ok && len(l) == 2 {
		if k, _ := l[0].(string); k == "set" || k == "map" {
			return slices.Clone(l[1].([]any))
		}
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

func stringsOf(v any) (out []string) {
	for _, e := range elements(v) {
		out = append(out, e.(string))
	}
	return out
}

func mapOf(v any) map[string]string {
	m := map[string]string{}
	for _, e := range elements(v) {
		if kv, ok := e.([]any); ok && len(kv) == 2 {
			m[kv[0].(string)] = fmt.Sprint(kv[1])
		}
	}
	return m
}

func uuidOf(v any) string {
	if l, ok := v.([]any); ok && len(l) == 2 && l[0] == "uuid" {
		return l[1].(string)
	}
	return ""
}

// databaseFlow is a logical flow with the Env of each datapath it is in.
type databaseFlow struct {
	uuid, match, actions string
	envs                 []*Env
}

// databaseEnv returns what a database's rows say of names in matches and actions.
func databaseEnv(db map[string]rows) *Env {
	env := &Env{
		AddressSets: map[string][]string{}, PortGroups: map[string][]string{}, Templates: map[string]string{},
		Tables: IngressTables,
	}
	for _, r := range db["Address_Set"] {
		env.AddressSets[text(r["name"])] = stringsOf(r["addresses"])
	}
	for _, r := range db["Port_Group"] {
		env.PortGroups[text(r["name"])] = stringsOf(r["ports"])
	}
	for _, r := range db["Chassis_Template_Var"] {
		for k, v := range mapOf(r["variables"]) {
			env.Templates[k] = v
		}
	}
	for table, defs := range map[string]*map[string]OptionDef{"DHCP_Options": &env.DHCPv4,
		"DHCPv6_Options": &env.DHCPv6} {
		if len(db[table]) > 0 {
			*defs = map[string]OptionDef{}
		}
		for _, r := range db[table] {
			code, _ := r["code"].(float64) // a log leaves out what is 0
			(*defs)[text(r["name"])] = OptionDef{uint8(code), text(r["type"])}
		}
	}
	env.Preparse()
	return env
}

// databaseFlows returns the flows of a database.
func databaseFlows(t testing.TB, name string) []databaseFlow {
	db := readDatabase(t, name)
	base := databaseEnv(db)
	if bad := base.BadElements(); bad != nil {
		t.Errorf("%s: %v", name, bad)
	}
	var flows []databaseFlow
	for uuid, r := range db["Logical_Flow"] {
		f := databaseFlow{uuid: uuid, match: text(r["match"]), actions: text(r["actions"])}
		for _, d := range flowDatapaths(db, r) {
			env := *base
			if dp := db["Datapath_Binding"][d]; dp != nil {
				env.DatapathKey = int64(dp["tunnel_key"].(float64))
			}
			env.Pipeline = Ingress
			if r["pipeline"] == "egress" {
				env.Pipeline = Egress
			}
			if n, ok := r["table_id"].(float64); ok {
				env.Table = uint8(n)
			}
			if mapOf(r["tags"])["acl_ct_translation"] == "true" {
				env.Symbols = ACLCTSymtab()
			}
			f.envs = append(f.envs, &env)
		}
		if f.envs == nil {
			t.Errorf("%s: %s is in no datapath", name, uuid)
		}
		flows = append(flows, f)
	}
	slices.SortFunc(flows, func(a, b databaseFlow) int { return strings.Compare(a.uuid, b.uuid) })
	return flows
}

// flowDatapaths returns the UUIDs of the datapaths that flow r is in.
func flowDatapaths(db map[string]rows, r map[string]any) []string {
	group := uuidOf(r["logical_dp_group"])
	if group == "" {
		return []string{uuidOf(r["logical_datapath"])}
	}
	members := db["Logical_DP_Group"][group]["datapaths"]
	if one := uuidOf(members); one != "" {
		return []string{one}
	}
	var all []string
	for _, d := range elements(members) {
		all = append(all, uuidOf(d))
	}
	return all
}

func text(v any) string { s, _ := v.(string); return s }

// Every logical flow of every recorded database must compile, and what is
// formatted must mean the same when read again.
func TestDatabases(t *testing.T) {
	t.Parallel()
	total := 0
	for _, name := range databases(t) {
		flows := databaseFlows(t, name)
		if len(flows) == 0 {
			t.Errorf("%s holds no logical flows", name)
		}
		total += len(flows)
		for _, f := range flows {
			for _, env := range f.envs {
				checkFlow(t, name+": "+f.uuid, f, env)
			}
		}
	}
	t.Logf("%d logical flows", total)
}

// refused are actions that ovn-northd writes and OVN's own parser refuses:
// ovn-controller logs "Syntax error at `drop' expecting action." and leaves
// the flow out.
var refused = map[string]bool{
	// 23.03, for a load balancer without backends that reports events.
	"flags.force_snat_for_lb = 1; drop;": true,
}

func checkFlow(t *testing.T, where string, f databaseFlow, env *Env) {
	e, err := ParseMatch(f.match, env)
	if err != nil {
		t.Errorf("%s: match: %v\n%s", where, err, err.(*Error).Caret())
		return
	}
	again, err := ParseMatch(e.Text(), env)
	if err != nil || again.Text() != e.Text() {
		t.Errorf("%s: %s becomes %v, %v", where, e.Text(), again, err)
	}
	actions, prereqs, err := ParseActions(f.actions, env)
	if refused[f.actions] && err != nil {
		return
	}
	if err != nil {
		t.Errorf("%s: actions: %v\n%s", where, err, err.(*Error).Caret())
		return
	}
	text := FormatActions(actions, env)
	actions2, _, err := ParseActions(text, env)
	if err != nil || !reflect.DeepEqual(actions, actions2) {
		t.Errorf("%s: actions change in formatting: %v\n  %s\n  %s\n%#v\n%#v", where, err, f.actions, text, actions,
			actions2)
	}
	if prereqs != nil {
		e = join(And, e, prereqs)
	}
	if e, err = Annotate(e, env); err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	checkSimple(t, where, Simplify(e), true)
}

// checkSimple requires the form that Simplify promises.
func checkSimple(t *testing.T, where string, e *Expr, top bool) {
	switch e.Kind {
	case And, Or:
		if len(e.Args) < 2 {
			t.Errorf("%s: %d operands", where, len(e.Args))
		}
		for _, sub := range e.Args {
			if sub.Kind == e.Kind {
				t.Errorf("%s: nested alike: %s", where, e.Text())
			}
			checkSimple(t, where, sub, false)
		}
	case Cmp:
		if e.Op != EQ && e.Op != NE || e.Symbol.Parent != nil || e.Symbol.Predicate != "" {
			t.Errorf("%s: not simple: %s", where, e.Text())
		}
	case Bool:
		if !top {
			t.Errorf("%s: constant inside", where)
		}
	case Condition:
	default:
		t.Errorf("%s: kind %d", where, e.Kind)
	}
}

func BenchmarkDatabase(b *testing.B) {
	files := databases(b)
	flows := databaseFlows(b, files[len(files)-1])
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f := &flows[n%len(flows)]
		n++
		e, _ := ParseMatch(f.match, f.envs[0])
		_, prereqs, _ := ParseActions(f.actions, f.envs[0])
		if prereqs != nil {
			e = join(And, e, prereqs)
		}
		e, _ = Annotate(e, f.envs[0])
		Simplify(e)
	}
}
