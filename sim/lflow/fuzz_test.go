package lflow

import (
	"reflect"
	"strings"
	"testing"
)

// seed adds the inputs of golden files to a fuzz target's corpus.
func seed(f *testing.F, files ...string) {
	for _, name := range files {
		cases, _ := readGolden(f, name)
		if len(cases) == 0 {
			f.Fatalf("testdata/%s holds no cases", name)
		}
		for _, c := range cases {
			f.Add(c.input)
		}
	}
}

// Every token that is no error is lexed again from its own text, and tokens
// cover the input in order.
func FuzzLex(f *testing.F) {
	seed(f, "ovn-lex.txt", "lex.txt", "ovn-match.txt")
	f.Fuzz(checkLex)
}

func checkLex(t *testing.T, src string) {
	last := 0
	for _, tok := range Lex(src) {
		if tok.Pos < last || tok.End <= tok.Pos || tok.End > len(src) {
			t.Fatalf("%q: token %v at %d..%d after %d", src, tok, tok.Pos, tok.End, last)
		}
		last = tok.End
		if tok.Type == TokenError {
			continue
		}
		again := Lex(tok.String())
		if len(again) != 1 || again[0].Type != tok.Type || again[0].String() != tok.String() ||
			again[0].Text != tok.Text {
			t.Fatalf("%q: token %v becomes %v", src, tok, again)
		}
	}
}

func FuzzMatch(f *testing.F) {
	seed(f, "ovn-match.txt", "match.txt", "ovn-annotate.txt", "annotate.txt", "simplify.txt")
	env := Fixtures()
	f.Fuzz(func(t *testing.T, src string) { checkMatch(t, src, env) })
}

func checkMatch(t *testing.T, src string, env *Env) {
	e, err := ParseMatch(src, env)
	if err != nil {
		checkError(t, src, err)
		return
	}
	text := e.Text()
	again, err := ParseMatch(text, env)
	switch {
	case err != nil && unreadable(e, err):
	case err != nil:
		t.Fatalf("%q formats as %q: %v", src, text, err)
	case again.Text() != text:
		t.Fatalf("%q formats as %q, then %q", src, text, again.Text())
	}
	a, err := Annotate(e, env)
	if err != nil {
		return // the faulty symbols of the fixtures
	}
	checkSimple(t, src, Simplify(a), true)
}

// unreadable reports whether OVN's canonical form of e is one that OVN itself
// refuses with err: a set inside the deepest parentheses gets a pair of its
// own, and a nominal field under a mask is shown as bits it may not have.
func unreadable(e *Expr, err error) bool {
	if e.Kind == And || e.Kind == Or {
		for _, sub := range e.Args {
			if unreadable(sub, err) {
				return true
			}
		}
		return err.Error() == "Parentheses nested too deeply."
	}
	_, n := bitRange(e.Mask)
	return e.Kind == Cmp && e.Symbol.Level == Nominal && n > 0 && n < e.Symbol.Width &&
		strings.HasPrefix(err.Error(), "Cannot select subfield of nominal field")
}

// checkError requires an error that can be shown.
func checkError(t *testing.T, src string, err error) {
	e, ok := err.(*Error)
	if !ok || e.Msg == "" || e.Pos < 0 || e.Pos > e.End || e.End > len(e.Src) {
		t.Fatalf("%q: unusable error %#v", src, err)
	}
	e.Caret()
}

func FuzzActions(f *testing.F) {
	seed(f, "ovn-actions.txt", "actions.txt")
	env := Fixtures()
	env.Strict = false
	f.Fuzz(func(t *testing.T, src string) { checkActions(t, src, env) })
}

func checkActions(t *testing.T, src string, env *Env) {
	actions, prereqs, err := ParseActions(src, env)
	if err != nil {
		checkError(t, src, err)
		return
	}
	text := FormatActions(actions, env)
	again, prereqs2, err := ParseActions(text, env)
	if err != nil {
		t.Fatalf("%q formats as %q: %v", src, text, err)
	}
	if text2 := FormatActions(again, env); text2 != text {
		t.Fatalf("%q formats as %q, then %q", src, text, text2)
	}
	if (prereqs == nil) != (prereqs2 == nil) || prereqs != nil && prereqs.Text() != prereqs2.Text() {
		t.Fatalf("%q and %q have other prerequisites", src, text)
	}
}

// What the golden files hold survives formatting as the same actions.
func TestActionsSurviveFormatting(t *testing.T) {
	t.Parallel()
	env := Fixtures()
	env.Strict = false
	n := 0
	for _, name := range []string{"ovn-actions.txt", "actions.txt"} {
		cases, _ := readGolden(t, name)
		for _, c := range cases {
			checkActions(t, c.input, env)
			actions, _, err := ParseActions(c.input, env)
			if err != nil || c.input == "icmp6.frag_mtu = 70000;" { // printed with 16 bits
				continue
			}
			again, _, err := ParseActions(FormatActions(actions, env), env)
			if err != nil || !reflect.DeepEqual(actions, again) {
				t.Errorf("%s becomes %#v, not %#v: %v", c.input, again, actions, err)
			}
			n++
		}
	}
	if n < 300 {
		t.Errorf("only %d actions parsed", n)
	}
}
