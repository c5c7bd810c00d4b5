package trace_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/trace"
)

// stretch is events in a row with the values that they are about.
type stretch struct {
	events []trace.Event
	values []field.Uint128
	shared bool
	depth  uint16
}

// stretches are made up: any kinds in any order, at depths from where they begin.
func stretches(r *rand.Rand) (list []stretch) {
	kinds := []trace.Kind{trace.Match, trace.Match, trace.Match, trace.Miss, trace.Act, trace.Set, trace.Found,
		trace.Lost, trace.Drop, trace.Note, trace.Learn, trace.Made, trace.Out}
	reasons := []trace.Reason{trace.DropAction, trace.DropConsumed, trace.DropTTL, trace.GuessPort, trace.LearnFDB}
	for range 1 + r.IntN(6) {
		s := stretch{shared: r.IntN(2) == 0, depth: uint16(r.IntN(3))}
		for range 1 + r.IntN(5) {
			ev := trace.Event{Kind: kinds[r.IntN(len(kinds))], Flow: int32(r.IntN(9)), Table: uint8(r.IntN(30)),
				Depth: s.depth + uint16(r.IntN(2)), Reason: reasons[r.IntN(len(reasons))]}
			if ev.Valued() {
				ev.Arg = int32(len(s.values))
				s.values = append(s.values, field.Uint128{Hi: r.Uint64(), Lo: r.Uint64()})
			}
			s.events = append(s.events, ev)
		}
		list = append(list, s)
	}
	return list
}

// A trace of which stretches are shared tells just what one does to which each event was
// added: the paths are a way to keep it, and nothing else.
func TestPathsTellWhatEventsDo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 7))
	for range 500 {
		list := stretches(r)
		var one, shared trace.Trace
		one.Reset()
		shared.Reset()
		for _, s := range list {
			for _, ev := range s.events {
				if ev.Valued() {
					one.AddValue(ev, s.values[ev.Arg])
				} else {
					one.Add(ev)
				}
			}
			if !s.shared {
				for _, ev := range s.events {
					if ev.Valued() {
						shared.AddValue(ev, s.values[ev.Arg])
					} else {
						shared.Add(ev)
					}
				}
				continue
			}
			p, q := trace.NewPath(s.events, s.values, s.depth), trace.NewPath(s.events, s.values, s.depth)
			if !p.Same(q) || p.Hash() != q.Hash() || p.Len() != len(s.events) || len(p.Events()) != p.Len() {
				t.Fatalf("a path is not the same as itself: %+v", s)
			}
			shared.AddPath(p, s.depth)
		}
		alike(t, &one, &shared)
	}
}

// alike holds two traces against each other in all that they tell.
func alike(t *testing.T, one, shared *trace.Trace) {
	t.Helper()
	if one.Len() != shared.Len() || !slices.Equal(one.Events(), shared.Events()) ||
		!slices.Equal(one.Values(), shared.Values()) || !slices.Equal(one.Values(), shared.AppendValues(nil)) {
		t.Fatalf("events\n%+v\nwith paths\n%+v", one.Events(), shared.Events())
	}
	if one.Ending() != shared.Ending() || one.Noted() != shared.Noted() {
		t.Errorf("ending %+v, noted %v; with paths %+v, %v", one.Ending(), one.Noted(), shared.Ending(), shared.Noted())
	}
	for _, why := range []trace.Reason{trace.DropAction, trace.DropConsumed, trace.DropTTL, trace.DropNoOutport} {
		if one.Has(why) != shared.Has(why) {
			t.Errorf("%v: %v, with paths %v", why, one.Has(why), shared.Has(why))
		}
	}
	var whole trace.Trace
	whole.Put(slices.Clone(shared.Events()), slices.Clone(shared.Values()))
	if !slices.Equal(whole.Events(), one.Events()) || !slices.Equal(whole.Values(), one.Values()) {
		t.Error("put as a whole it is another")
	}
	if last := shared.Last(trace.Match); last != nil && !slices.ContainsFunc(one.Events(), func(ev trace.Event) bool {
		return ev.Kind == trace.Match && ev.Flow == last.Flow && ev.Table == last.Table
	}) {
		t.Errorf("the last that matched is %+v, which never did", *last)
	}
	hash := func(of *trace.Trace) (h uint64) {
		of.Each(func(path *trace.Path, _ uint16, own []trace.Event) {
			if path != nil {
				h = path.HashFlows(h)
			}
			for _, ev := range own {
				if ev.Kind == trace.Match || ev.Kind == trace.Miss {
					h = trace.HashFlow(h, ev.Flow)
				}
			}
		})
		return h
	}
	if hash(one) != hash(shared) {
		t.Error("the hash of the flows depends on what is shared")
	}
	var firsts []int
	shared.Parts(func(first int, path *trace.Path, own []trace.Event) {
		firsts = append(firsts, first)
		if path != nil {
			own = path.Events()
		}
		if own[0].Kind != one.Events()[first].Kind {
			t.Errorf("the stretch at %d begins with another event", first)
		}
	})
	if !slices.IsSorted(firsts) {
		t.Errorf("stretches begin at %v", firsts)
	}
}

// What a connection uses that is gone is told once.
func TestUses(t *testing.T) {
	t.Parallel()
	var tr trace.Trace
	tr.Reset()
	for range 3 {
		tr.Uses("an address")
	}
	tr.Uses("a backend")
	if !reflect.DeepEqual(tr.Texts, []string{"an address", "a backend"}) || tr.Len() != 2 || !tr.Noted() {
		t.Errorf("%d events, %q", tr.Len(), tr.Texts)
	}
}

// Formats go by the names that the command line has.
func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"detailed", "summary", "minimal", "line", "json", "none"} {
		if _, ok := trace.ParseFormat(name); !ok {
			t.Errorf("%s is no format", name)
		}
	}
	if _, ok := trace.ParseFormat("Detailed"); ok {
		t.Error("Detailed is a format")
	}
}
