package replay

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/testdata/golden"
)

// Every reason of the engine, and every verdict, as the line of a packet says it:
// of an end with the flow that decided, or where none did; of what was made,
// learned, guessed or assumed, the note. They are counted in the source: one
// that is added without a sentence, or that this test does not reach, fails it.
func TestReasonSentences(t *testing.T) {
	t.Parallel()
	d := &network.Datapath{Name: "sw"}
	flow := &network.Flow{UUID: "0123456789ab", Stage: "ls_in_test", Match: "ip4.dst == 10.0.0.1", Priority: 7,
		StageHint: "89abcdef"}
	d.Flows[0] = [][]*network.Flow{{flow}}
	net := &network.Network{AZ: &network.AZ{}, Datapaths: []*network.Datapath{d}, Flows: []*network.Flow{flow},
		Chassis: []*network.Chassis{{Name: "c1"}}}
	book := &trace.Book{Net: net, Zone: func(int32, uint16) string { return "" }}
	point := &Point{Port: &network.Port{Name: "vm1"}, Chassis: net.Chassis[0]}

	var got bytes.Buffer
	seen := map[sim.Verdict]bool{}
	for i, name := range constants(t, "../trace/trace.go", "NoReason")[1:] {
		r := trace.Reason(i + 1)
		if text := r.String(); text == "" || text == "unknown reason" {
			t.Errorf("%s has no sentence", name)
		}
		out := &sim.Outcome{Verdict: sim.Dropped, Drop: r, DropAt: 1}
		switch {
		case r == trace.UnknownWay:
			out.Verdict, out.DropAt = sim.Dropped, 0
			out.Trace.Add(trace.Event{Kind: trace.Match})
			out.Untold(r)
		case !r.Ends():
			out.Verdict, out.Drop, out.DropAt = sim.Delivered, trace.NoReason, -1
			out.Trace.Add(trace.Event{Kind: trace.Match})
			out.Trace.Add(trace.Event{Kind: trace.Note, Reason: r})
		case r == trace.DropNoMatch:
			out.Trace.Add(trace.Event{Kind: trace.Miss, Flow: -1})
			out.Trace.Add(trace.Event{Kind: trace.Drop, Flow: -1, Reason: r})
		case r == trace.DropNoAction:
			out.DropAt = 0
			out.Trace.Add(trace.Event{Kind: trace.Match})
		default:
			out.Trace.Add(trace.Event{Kind: trace.Match})
			out.Trace.Add(trace.Event{Kind: trace.Drop, Reason: r})
		}
		if r == trace.DropWaits || r == trace.DropConsumed || r == trace.DropFragment {
			out.Verdict = sim.Consumed
		}
		line := NewRecord(&why.Explainer{Book: book}, &Frame{Data: make([]byte, 14)}, point, "x.pcap", out,
			false).Line()
		_, fate, _ := strings.Cut(line, " | ")
		fmt.Fprintln(&got, fate)
		if words := sentence(r); !strings.Contains(fate, words) {
			t.Errorf("%s: %q lacks %q", name, fate, words)
		}
		seen[out.Verdict] = true
	}
	for i, name := range constants(t, "../outcome.go", "Delivered") {
		if v := sim.Verdict(i + 1); v.String() == "none" || !seen[v] {
			t.Errorf("no reason ends as %s", name)
		}
	}
	golden.Equal(t, "testdata/reasons.txt", got.Bytes())
}

// sentence is a reason's text as lines have it; of what ends everywhere the same
// way, how they put it.
func sentence(r trace.Reason) string {
	switch r {
	case trace.DropWaits:
		return "held at sw; the next hop's Ethernet address is not known"
	case trace.DropFragment:
		return "held at sw; conntrack holds it until its datagram is complete"
	case trace.DropNoAction:
		return "drop, by flow 01234567"
	case trace.LooseConnection:
		return "its connection was never committed"
	}
	return r.String()
}

// constants are the names of a block of constants in a file, which begins with one.
func constants(t *testing.T, file, first string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST || g.Specs[0].(*ast.ValueSpec).Names[0].Name != first {
			continue
		}
		for _, s := range g.Specs {
			names = append(names, s.(*ast.ValueSpec).Names[0].Name)
		}
	}
	if len(names) < 2 {
		t.Fatalf("%s has no constants from %s on", file, first)
	}
	return names
}

// Every reason is given by the engine, or by what infers: none is left over.
func TestReasonsAreGiven(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for _, dir := range []string{"..", "."} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && fmt.Sprint(s.X) == "trace" {
					given[s.Sel.Name] = true
				}
				return true
			})
		}
	}
	for _, name := range constants(t, "../trace/trace.go", "NoReason")[1:] {
		if !given[name] {
			t.Errorf("nothing ends or notes a packet with trace.%s", name)
		}
	}
}
