package table

import (
	"context"
	"math/rand/v2"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// ports resolves names by a network's port bindings, groups as numbers above.
type ports struct{ net *network.Network }

func (p ports) Port(name string) (uint32, bool) {
	if port := p.net.Port(name); port != nil {
		return uint32(port.Index), true
	}
	for _, g := range p.net.Groups {
		if g.Name == name {
			return 1<<31 | uint32(g.Index), true
		}
	}
	return 0, name == "none"
}

func load(t testing.TB, name string) *network.Network {
	t.Helper()
	net, _, err := southbound.Open(context.Background(), "../../testdata/cases/"+name+"/sb.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func compileStage(t testing.TB, net *network.Network, flows []*network.Flow) *Stage {
	var compiled []*Flow
	for _, f := range flows {
		env := &lflow.Env{AddressSets: net.AddressSets, PortGroups: net.PortGroups, Pipeline: lflow.Ingress,
			Table: f.Table, Tables: 64}
		if f.Egress {
			env.Pipeline = lflow.Egress
		}
		c := Compile(f, env, ports{net})
		if c.Err != nil {
			t.Fatalf("flow %s: %v", f.UUID, c.Err)
		}
		compiled = append(compiled, c)
	}
	return NewStage(compiled)
}

// linear is what a look-up means: the first flow, by priority, that matches.
func (s *Stage) linear(k *field.Key, res Resident) *Flow {
	for _, f := range s.flows {
		if f.match.eval(k, res) {
			return f
		}
	}
	return nil
}

// randomKey returns a key that has good chances of matching the stage's flows:
// the values their cubes ask for, in part, and noise.
func randomKey(r *rand.Rand, s *Stage) (k field.Key) {
	for range 1 + r.IntN(4) {
		f := s.flows[r.IntN(len(s.flows))]
		if len(f.cubes) == 0 {
			continue
		}
		for _, t := range f.cubes[r.IntN(len(f.cubes))] {
			k[t.Word] = k[t.Word]&^t.Mask | t.Value
		}
	}
	if r.IntN(2) == 0 {
		k[r.IntN(len(k))] ^= 1 << r.IntN(64)
	}
	return k
}

// The classifier finds what a search through all flows finds.
func TestLookupIsLinearSearch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"nodeport", "nodeport-26.03", "seed-21.12"} {
		net := load(t, name)
		res := make(Resident, len(net.Ports)/64+1)
		for _, p := range net.Ports[1:] {
			if r.IntN(2) == 0 {
				res.Add(uint32(p.Index))
			}
		}
		hits := 0
		for _, dp := range net.Datapaths {
			for _, pipeline := range dp.Flows {
				for _, flows := range pipeline {
					if len(flows) == 0 {
						continue
					}
					s := compileStage(t, net, flows)
					for range 200 {
						k := randomKey(r, s)
						got, want := s.Lookup(&k, res), s.linear(&k, res)
						if got != want {
							t.Fatalf("%s %s table %d: found %v, linear search %v", name, dp.Name, flows[0].Table,
								got, want)
						}
						if got != nil && got.Priority > 0 {
							hits++
						}
					}
				}
			}
		}
		if hits < 1000 {
			t.Errorf("%s: only %d keys matched a flow above priority 0: the test tests nothing", name, hits)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	net := load(t, "nodeport")
	s := compileStage(t, net, net.Datapaths[0].Flows[0][0])
	var k field.Key
	if n := testing.AllocsPerRun(100, func() { s.Lookup(&k, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// one compiles a single match.
func one(t *testing.T, match string) *Flow {
	t.Helper()
	f := Compile(&network.Flow{Match: match, Actions: "next;"}, &lflow.Env{Pipeline: lflow.Ingress, Tables: 2},
		ports{&network.Network{}})
	if f.Err != nil {
		t.Fatalf("%s: %v", match, f.Err)
	}
	return f
}

func TestMatch(t *testing.T) {
	t.Parallel()
	tcp := func(port uint64) (k field.Key) {
		k.Set(field.EthType, 0x800)
		k.Set(field.IPProto, 6)
		k.Set(field.TpDst, port)
		return k
	}
	for _, c := range []struct {
		match string
		key   field.Key
		want  bool
	}{
		{"1", field.Key{}, true},
		{"0", field.Key{}, false},
		{"tcp.dst == 80", tcp(80), true},
		{"tcp.dst == 80", tcp(81), false},
		{"udp.dst == 80", tcp(80), false}, // a prerequisite fails
		{"tcp.dst != 80", tcp(81), true},
		{"!(tcp.dst == 80)", tcp(80), false},
		{"tcp.dst >= 80 && tcp.dst < 90", tcp(89), true},
		{"tcp.dst >= 80 && tcp.dst < 90", tcp(90), false},
		{"tcp.dst == {1, 2, 3, 4, 5, 6, 7, 80}", tcp(80), true},
		{"tcp.dst == {1, 2, 3, 4, 5, 6, 7, 80}", tcp(8), false},
		{"tcp.dst != {1, 2, 3, 4, 5, 6, 7, 80}", tcp(80), false},
		{"ip4.src == 0.0.0.0/8 || tcp.dst == 7", tcp(9), true},
		{"inport == \"nosuchport\"", field.Key{}, false},
		{"is_chassis_resident(\"nosuchport\")", field.Key{}, false},
		{"!is_chassis_resident(\"nosuchport\")", field.Key{}, true},
	} {
		f := one(t, c.match)
		if got := f.match.eval(&c.key, nil); got != c.want {
			t.Errorf("%s: %v, want %v", c.match, got, c.want)
		}
		if found := NewStage([]*Flow{f}).Lookup(&c.key, nil) != nil; found != c.want {
			t.Errorf("%s: look-up finds it: %v, want %v", c.match, found, c.want)
		}
	}
}

// A flow that does not compile matches nothing and is not forgotten.
func TestBrokenFlow(t *testing.T) {
	t.Parallel()
	f := Compile(&network.Flow{Match: "ip4.src ==", Actions: "next;"}, &lflow.Env{Tables: 2}, ports{&network.Network{}})
	if f.Err == nil {
		t.Fatal("compiled")
	}
	s := NewStage([]*Flow{f})
	if s.Lookup(&field.Key{}, nil) != nil || len(s.Broken()) != 1 {
		t.Error("the broken flow matches, or is lost")
	}
}

func BenchmarkLookup(b *testing.B) {
	net := load(b, "nodeport-26.03")
	var s *Stage
	for _, dp := range net.Datapaths {
		for _, flows := range dp.Flows[0] {
			if s == nil || len(flows) > len(s.flows) {
				s = compileStage(b, net, flows)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]field.Key, 64)
	for i := range keys {
		keys[i] = randomKey(r, s)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Lookup(&keys[i%len(keys)], nil)
		i++
	}
}
