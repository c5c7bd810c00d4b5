package table

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// A key that has the same values as another in the bits noted meets the same flow.
func TestConsultedBitsDecide(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nodeport", "nodeport-26.03"} {
		net := load(t, name)
		r := rand.New(rand.NewPCG(1, 2))
		for _, dp := range net.Datapaths {
			for _, pipeline := range dp.Flows {
				for _, flows := range pipeline {
					if len(flows) > 0 {
						decide(t, r, compileStage(t, net, flows))
					}
				}
			}
		}
	}
	decideMany(t)
}

// decideMany does so where a tuple has too many flows to tell it from each.
func decideMany(t *testing.T) {
	var flows []*Flow
	for i := range 400 {
		f := &network.Flow{
			UUID: fmt.Sprint(i), Priority: uint16(i % 3), Actions: "next;",
			Match: fmt.Sprintf("ip4.dst == 10.%d.%d.0/24 && tcp.dst == %d", i/200, i%200, 80+i%7),
		}
		flows = append(flows, Compile(f, &lflow.Env{Pipeline: lflow.Ingress, Tables: 64}, ports{&network.Network{}}))
	}
	decide(t, rand.New(rand.NewPCG(3, 4)), NewStage(flows))
}

// linearRivals is what Rivals means.
func (s *Stage) linearRivals(f *Flow, k *field.Key, res Resident) (list []*Flow) {
	for _, g := range s.flows {
		if g.Priority == f.Priority && g.Actions != f.Actions && g.Err == nil && g.match.eval(k, res) {
			list = append(list, g)
		}
	}
	return list
}

// sameFlows reports whether lists that hold a flow once have the same flows.
func sameFlows(a, b []*Flow) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(f *Flow) bool { return !slices.Contains(b, f) })
}

// TestRivals has flows of the same priority that overlap, for all of which that is so.
func TestRivals(t *testing.T) {
	var flows []*Flow
	for i, match := range []string{"ip4", "ip4.src == 10.0.0.1", "tcp.dst == 80", "ip4 && tcp", "ip4.dst == 10.0.0.0/8",
		"tcp.dst == {80, 81}", "inport == \"a\" && tcp.dst == 80", "ip4.src != 10.0.0.1", "tcp.src > 1000", "1"} {
		for p := range uint16(2) {
			f := &network.Flow{UUID: fmt.Sprint(i, p), Priority: p, Match: match}
			f.Actions = fmt.Sprintf("reg0 = %d; next;", i%4)
			c := Compile(f, &lflow.Env{Pipeline: lflow.Ingress, Tables: 64}, ports{&network.Network{}})
			if c.Err != nil {
				t.Fatal(c.Err)
			}
			flows = append(flows, c)
		}
	}
	s, r := NewStage(flows), rand.New(rand.NewPCG(5, 6))
	found := 0
	for range 200 {
		decide(t, r, s)
		k := randomKey(r, s)
		if f := s.Find(&k, nil, nil); f >= 0 {
			found += len(s.Rivals(nil, f, &k, nil, nil))
		}
	}
	if found < 100 {
		t.Errorf("%d rivals found: the flows hardly overlap", found)
	}
}

func decide(t *testing.T, r *rand.Rand, s *Stage) {
	t.Helper()
	res := make(Resident, 64)
	for range 20 {
		k := randomKey(r, s)
		var c Consulted
		rank := s.Find(&k, res, &c)
		f := s.At(rank)
		if want := s.linear(&k, res); f != want {
			t.Fatalf("noting: %v, want %v", f, want)
		}
		var rivals []*Flow
		if f != nil {
			for _, r := range s.Rivals(nil, rank, &k, res, &c) {
				rivals = append(rivals, s.At(r))
			}
			if want := s.linearRivals(f, &k, res); !sameFlows(rivals, want) {
				t.Fatalf("rivals of %s: %d, want %d", f.UUID, len(rivals), len(want))
			}
		}
		for range 20 {
			other := randomKey(r, s)
			if r.IntN(3) == 0 {
				for w := range other {
					other[w] = r.Uint64()
				}
			}
			var same field.Key
			for w := range same {
				same[w] = k[w]&c.Mask[w] | other[w]&^c.Mask[w]
			}
			if got := s.linear(&same, res); got != f {
				t.Fatalf("%x meets %v, %x with the same bits of %x %v", k, f.UUID, same, c.Mask, got)
			}
			if f != nil && !sameFlows(rivals, s.linearRivals(f, &same, res)) {
				t.Fatalf("%s has other rivals for %x, with the same bits of %x", f.UUID, same, c.Mask)
			}
		}
	}
}
