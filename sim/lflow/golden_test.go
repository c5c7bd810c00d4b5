package lflow

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ovnreplay/testdata/golden"
)

// goldenCase is an input and what is expected of it. The files explain themselves.
type goldenCase struct {
	before []string // comments and blank lines above it
	line   int
	input  string
	want   []string
	notes  []string // "only V" and "V: …"
}

func (c *goldenCase) inVersion(v string) bool {
	return !slices.ContainsFunc(c.notes, func(n string) bool {
		return strings.HasPrefix(n, "only ") && n != "only "+v
	})
}

func (c *goldenCase) differsIn(v string) bool {
	return slices.ContainsFunc(c.notes, func(n string) bool { return strings.HasPrefix(n, v+": ") })
}

func readGolden(t testing.TB, name string) (cases []goldenCase, tail []string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		text, isOutput := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || line[0] == '#':
			tail = append(tail, line)
		case !isOutput:
			cases = append(cases, goldenCase{before: tail, line: i + 1, input: line})
			tail = nil
		case len(cases) == 0:
			t.Fatalf("%s:%d: output before any input", name, i+1)
		default:
			c := &cases[len(cases)-1]
			if isNote(text) {
				c.notes = append(c.notes, text)
			} else {
				c.want = append(c.want, text)
			}
		}
	}
	return cases, tail
}

func isNote(text string) bool {
	for _, v := range ovnVersions {
		if strings.HasPrefix(text, v+": ") || text == "only "+v {
			return true
		}
	}
	return false
}

func writeGolden(t *testing.T, name string, cases []goldenCase, tail []string) {
	t.Helper()
	var b strings.Builder
	for _, c := range cases {
		for _, l := range c.before {
			fmt.Fprintln(&b, l)
		}
		fmt.Fprintln(&b, c.input)
		for _, l := range append(c.want, c.notes...) {
			fmt.Fprintf(&b, "\t%s\n", l)
		}
	}
	for _, l := range tail {
		fmt.Fprintln(&b, l)
	}
	if err := os.WriteFile("testdata/"+name, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// testGolden holds the output of f for every case of a file against the file.
func testGolden(t *testing.T, name string, f func(string) []string) []goldenCase {
	t.Helper()
	cases, tail := readGolden(t, name)
	if len(cases) == 0 {
		t.Fatalf("%s holds no cases", name)
	}
	for i := range cases {
		c := &cases[i]
		got := f(c.input)
		if !*golden.Update && !slices.Equal(got, c.want) {
			t.Errorf("testdata/%s:%d: %s\n got: %s\nwant: %s", name, c.line, c.input,
				strings.Join(got, "\n      "), strings.Join(c.want, "\n      "))
		}
		c.want = got
	}
	if *golden.Update {
		writeGolden(t, name, cases, tail)
	}
	return cases
}

func lexText(src string) []string {
	var texts []string
	for _, t := range Lex(src) {
		texts = append(texts, t.String())
	}
	return []string{strings.Join(texts, " ")}
}

// matchText is the match after the given passes, or the error.
func matchText(env *Env, passes ...func(*Expr, *Env) (*Expr, error)) func(string) []string {
	return func(src string) []string {
		e, err := ParseMatch(src, env)
		for _, pass := range passes {
			if err == nil {
				e, err = pass(e, env)
			}
		}
		if err != nil {
			return []string{err.Error()}
		}
		return []string{e.Text()}
	}
}

func simplifyPass(e *Expr, _ *Env) (*Expr, error) { return Simplify(e), nil }

// actionsText is the actions and, on a second line, their prerequisites.
func actionsText(env *Env) func(string) []string {
	return func(src string) []string {
		actions, prereqs, err := ParseActions(src, env)
		if err != nil {
			return []string{err.Error()}
		}
		out := []string{FormatActions(actions, env)}
		if prereqs != nil {
			out = append(out, "needs "+prereqs.Text())
		}
		return out
	}
}

// ovnVersions are those whose tests' inputs testdata/ovn-*.txt hold.
var ovnVersions = []string{"23.03", "26.03"}

// The inputs of OVN's own tests of the language yield OVN's own outputs. The
// numbers say how many inputs each version tests and on how many we disagree;
// each disagreement is named in the file, beside what that version says:
// those with 23.03 are words that changed since, those with 26.03 the action
// ct_commit(…) that it no longer takes and we do.
func TestOVNCases(t *testing.T) {
	t.Parallel()
	env := Fixtures()
	for _, test := range []struct {
		file   string
		f      func(string) []string
		inputs [2]int // of 23.03 and 26.03
		differ [2]int
	}{
		{"ovn-lex.txt", lexText, [2]int{78, 78}, [2]int{}},
		{"ovn-match.txt", matchText(env), [2]int{128, 128}, [2]int{}},
		{"ovn-annotate.txt", matchText(env, Annotate), [2]int{24, 24}, [2]int{}},
		{"ovn-actions.txt", actionsText(env), [2]int{415, 509}, [2]int{8, 11}},
	} {
		cases := testGolden(t, test.file, test.f)
		for i, v := range ovnVersions {
			inputs, differ := 0, 0
			for _, c := range cases {
				if !c.inVersion(v) {
					continue
				}
				inputs++
				if c.differsIn(v) {
					differ++
					t.Logf("%s: OVN %s differs: %s", test.file, v, c.input)
				}
			}
			if inputs != test.inputs[i] || differ != test.differ[i] {
				t.Errorf("%s: OVN %s: %d inputs, %d differ; expected %d and %d",
					test.file, v, inputs, differ, test.inputs[i], test.differ[i])
			}
		}
	}
}

// Our own cases go on where OVN's end. They are not strict: they hold what
// only versions up to 20.03 and 21.06 take.
func TestOwnCases(t *testing.T) {
	t.Parallel()
	env := Fixtures()
	env.Strict = false
	env.Templates = map[string]string{"vip": "10.0.0.9", "backends": "10.0.0.1:80,10.0.0.2:80", "ports": `{"a", "b"}`}
	env.DatapathKey = 0
	testGolden(t, "lex.txt", lexText)
	testGolden(t, "match.txt", matchText(env))
	testGolden(t, "annotate.txt", matchText(env, Annotate))
	testGolden(t, "simplify.txt", matchText(env, Annotate, simplifyPass))
	testGolden(t, "actions.txt", actionsText(env))

	aclCT := *env
	aclCT.Symbols = ACLCTSymtab()
	testGolden(t, "acl-ct.txt", matchText(&aclCT, Annotate))
}

// Errors point at the place.
func TestCarets(t *testing.T) {
	t.Parallel()
	env := Fixtures()
	testGolden(t, "carets.txt", func(line string) []string {
		src := strings.ReplaceAll(line, `\n`, "\n")
		var err error
		if rest, ok := strings.CutPrefix(src, "do "); ok {
			src = rest
			_, _, err = ParseActions(src, env)
		} else {
			_, err = ParseMatch(src, env)
		}
		if err == nil {
			return []string{"no error"}
		}
		return append(strings.Split(err.(*Error).Caret(), "\n"), err.Error())
	})
}

// What every symbol stands for, its level, where it can be assigned and what
// it requires.
func TestSymbols(t *testing.T) {
	t.Parallel()
	for _, table := range []struct {
		file string
		tab  *Symtab
	}{{"symbols.txt", StandardSymtab()}, {"symbols-acl-ct.txt", ACLCTSymtab()}} {
		var b strings.Builder
		for _, s := range table.tab.All() {
			level := [...]string{Nominal: "nominal", Boolean: "Boolean", Ordinal: "ordinal"}[s.Level]
			scope := [...]string{"read-only", "read/write", "in ct_commit", "anywhere"}[s.Writable]
			if s.Predicate != "" {
				scope = "predicate"
			}
			fmt.Fprintf(&b, "%s = %s (%d bits, %s, %s)", s.Name, s.Definition(), s.Width, level, scope)
			if s.Prereqs != "" {
				fmt.Fprintf(&b, " needs %s", s.Prereqs)
			}
			b.WriteByte('\n')
			if s.ReadOnly != (s.Writable == 0) {
				t.Errorf("%s: ReadOnly %v, Writable %v", s.Name, s.ReadOnly, s.Writable)
			}
			if s.Prereqs != "" && s.prereqs == nil || s.Predicate != "" && (s.positive == nil || s.negated == nil) {
				t.Errorf("%s does not expand", s.Name)
			}
		}
		if *golden.Update {
			if err := os.WriteFile("testdata/"+table.file, []byte(b.String()), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + table.file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("symbols differ from testdata/%s; run with -update and read the difference", table.file)
		}
	}
}
