package table

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// sizedStage is a stage of about so many flows as northd writes them for load
// balancers and routes, in shapes of which there are few.
func sizedStage(t testing.TB, flows int) *Stage {
	var all []*network.Flow
	add := func(priority uint16, format string, args ...any) {
		all = append(all, &network.Flow{UUID: fmt.Sprintf("%08x", len(all)), Priority: priority,
			Match: fmt.Sprintf(format, args...), Actions: "next;"})
	}
	for i := range flows / 4 {
		ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		add(120, "ct.new && ip4.dst == %s && tcp.dst == %d", ip, 1+i%60000)
		add(110, "ct.new && ip4.dst == %s", ip)
		add(100, "reg7 == %d && ip4.src == %s/31", i%7, ip)
		add(50, "eth.dst == 0a:58:%02x:%02x:%02x:01", i>>16, i>>8&255, i&255)
	}
	add(0, "1")
	return compileStage(t, network.New(), all)
}

// keysIn are packets that match flows of the stage, or nearly.
func keysIn(n int) []field.Key {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]field.Key, n)
	for i := range keys {
		k := &keys[i]
		k.Set(field.EthType, 0x800)
		k.Set(field.IPProto, 6)
		k.Set(field.CTState, r.Uint64N(64))
		k.Set(field.IP4Dst, 10<<24|r.Uint64N(250))
		k.Set(field.IP4Src, 10<<24|r.Uint64N(250))
		k.Set(field.TpDst, 1+r.Uint64N(250))
	}
	return keys
}

// A look-up searches as many tables in a large stage as in a small one, and
// finds in each a flow or two to try.
func TestLookupDoesNotGrow(t *testing.T) {
	t.Parallel()
	small, large := sizedStage(t, 400), sizedStage(t, 20_000)
	if len(small.tuple) != len(large.tuple) {
		t.Errorf("%d tables for %d flows, %d for %d", len(small.tuple), len(small.flows), len(large.tuple),
			len(large.flows))
	}
	tried := func(s *Stage) (n int) {
		keys := keysIn(200)
		for i := range keys {
			for j := range s.tuple {
				n += len(s.tuple[j].find(&keys[i]))
			}
		}
		return n
	}
	if a, b := tried(small), tried(large); b > 2*a {
		t.Errorf("%d flows are tried among %d, %d among %d", a, len(small.flows), b, len(large.flows))
	}
}

// The same packets in stages of a thousand flows to a million.
func BenchmarkLookupBySize(b *testing.B) {
	for _, flows := range []int{1000, 30_000, 1_000_000} {
		s := sizedStage(b, flows)
		keys := keysIn(64)
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Lookup(&keys[i%len(keys)], nil)
				i++
			}
		})
	}
}
