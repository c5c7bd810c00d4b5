package table

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// place is where flows of one environment are.
type place struct {
	egress bool
	table  uint8
}

func envOf(net *network.Network, f *network.Flow) *lflow.Env {
	env := &lflow.Env{AddressSets: net.AddressSets, PortGroups: net.PortGroups, Pipeline: lflow.Ingress,
		Table: f.Table, Tables: 64}
	if f.Egress {
		env.Pipeline = lflow.Egress
	}
	env.Preparse()
	return env
}

// What is known of a flow by its shape is what compiling it says, for all recorded
// flows and for others made of them that are wrong as often as not: addresses, ports,
// numbers and whatever else is exchanged for others', taken out or put in twice.
func TestShapesTell(t *testing.T) {
	files, _ := filepath.Glob("../../testdata/cases/*/sb.db*")
	outlined, wrong, unfit := 0, 0, 0
	for i := 0; i < len(files); i += 6 {
		net, _, err := southbound.Open(t.Context(), files[i], store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(i), 7))
		makers := map[place]*Maker{}
		words := wordsOf(net.Flows, r)
		for round := range 4 {
			for _, f := range net.Flows {
				at := place{f.Egress, f.Table}
				if makers[at] == nil {
					makers[at] = NewMaker(envOf(net, f), ports{net}, NewSets())
				}
				if round > 0 {
					f = mutated(f, words, r)
				}
				got, want := makers[at].Flow(f), Compile(f, envOf(net, f), ports{net})
				switch {
				case got.maker != nil:
					outlined++
				case got.Err != nil:
					wrong++
				default:
					unfit++
				}
				same(t, f, got, want)
			}
		}
	}
	t.Logf("%d known by their shapes, %d wrong, %d compiled", outlined, wrong, unfit)
	if outlined < 10_000 || wrong < 10_000 {
		t.Errorf("%d flows were known by their shapes, %d wrong: too few to tell", outlined, wrong)
	}
}

// same holds a flow, of which more is asked as goes on, against the compiled one.
func same(t *testing.T, f *network.Flow, got, want *Flow) {
	t.Helper()
	if (got.Err != nil) != (want.Err != nil) {
		t.Fatalf("%q, %q: known by its shape as %v, compiling says %v", f.Match, f.Actions, got.Err, want.Err)
	}
	if want.Err != nil {
		return
	}
	if !slices.EqualFunc(got.cubes, want.cubes, slices.Equal[cube]) {
		t.Fatalf("%q is found by %v, compiled by %v", f.Match, got.cubes, want.cubes)
	}
	got.Made()
	if got.maker != nil || got.Err != nil || !reflect.DeepEqual(got.match, want.match) ||
		!reflect.DeepEqual(got.Ops, want.Ops) {
		t.Fatalf("%q, %q: made, it is another flow than compiled", f.Match, f.Actions)
	}
}

// wordsOf are words of flows, to be put into others.
func wordsOf(flows []*network.Flow, r *rand.Rand) (words []string) {
	for range 3000 {
		f := flows[r.IntN(len(flows))]
		text := f.Match
		if r.IntN(2) == 0 {
			text = f.Actions
		}
		for _, tok := range lflow.Lex(text) {
			words = append(words, text[tok.Pos:tok.End])
		}
	}
	return append(words, "1.2.3.4", "1.2.3.4/33", "10.0.0.0/24", "10.0.0.0/0", "fe80::1", "fe80::/10", "::/0",
		"01:02:03:04:05:06", "ff:ff:ff:ff:ff:ff/01:00:00:00:00:00", "70000", "0", "65536", "\"a\\\"b\"", "\"",
		"::1.2.3.4")
}

// mutated is a flow with a few words of its match or actions exchanged.
func mutated(f *network.Flow, words []string, r *rand.Rand) *network.Flow {
	g := *f
	for range 1 + r.IntN(2) {
		text := &g.Match
		if r.IntN(3) == 0 {
			text = &g.Actions
		}
		tokens := lflow.Lex(*text)
		if len(tokens) == 0 {
			continue
		}
		tok := tokens[r.IntN(len(tokens))]
		for i := 0; i < 20 && tok.Format == 0 && tok.Type != lflow.TokenString; i++ {
			tok = tokens[r.IntN(len(tokens))]
		}
		word := (*text)[tok.Pos:tok.End]
		switch r.IntN(20) {
		case 0:
			word = ""
		case 1:
			word += " " + word
		default:
			word = like(tok, words, r)
		}
		*text = (*text)[:tok.Pos] + word + (*text)[tok.End:]
	}
	return &g
}

// like is a word, more often than not one that is like another.
func like(tok lflow.Token, words []string, r *rand.Rand) string {
	for range 100 {
		w := words[r.IntN(len(words))]
		if r.IntN(20) == 0 {
			return w
		}
		if other := lflow.Lex(w); len(other) == 1 && other[0].Type == tok.Type && other[0].Format == tok.Format {
			return w
		}
	}
	return words[r.IntN(len(words))]
}
