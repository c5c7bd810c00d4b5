package table

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// A key that has the same values as another in the bits noted meets the same flow.
func TestConsultedBitsDecide(t *testing.T) {
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

func decide(t *testing.T, r *rand.Rand, s *Stage) {
	t.Helper()
	res := make(Resident, 64)
	for range 20 {
		k := randomKey(r, s)
		var c Consulted
		f := s.LookupNoting(&k, res, &c)
		if want := s.linear(&k, res); f != want {
			t.Fatalf("noting: %v, want %v", f, want)
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
		}
	}
}
