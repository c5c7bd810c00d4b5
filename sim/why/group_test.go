package why

import (
	"fmt"
	"testing"

	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// A flow that selects has the members that the next table's flows lead to, with
// the weights of its action.
func TestChooses(t *testing.T) {
	t.Parallel()
	choose := flow("lr_in_ip_routing", "ip4.dst == 10.0.0.0/8",
		"ip.ttl--; reg8[0..15] = 3; reg8[16..31] = select(1=10, 2=30, 3);")
	hop := func(group, member int, actions string) *network.Flow {
		return flow("lr_in_ip_routing_ecmp", fmt.Sprintf("reg8[0..15] == %d && reg8[16..31] == %d", group, member),
			actions)
	}
	d := &network.Datapath{Flows: [2][][]*network.Flow{{{choose}, {
		hop(2, 1, `reg0 = 192.0.2.9; outport = "p"; next;`),
		hop(3, 1, `reg0 = 192.0.2.1; outport = "p"; next;`),
		hop(3, 2, `xxreg0 = fd00::2; outport = "p"; next;`),
		flow("lr_in_ip_routing_ecmp", "reg8[0..15] == 0", "next;"),
	}}}}
	x := &Explainer{Book: &trace.Book{Net: &network.Network{AZ: &network.AZ{}}}}
	g, ok := x.Chooses(choose, d)
	if !ok {
		t.Fatal("it does not choose")
	}
	if got, want := fmt.Sprint(g.Members, g.Weight()), "[{192.0.2.1 10} {fd00::2 30} {3 100}] 140"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, ok := x.Chooses(d.Flows[0][1][0], d); ok {
		t.Error("a member's flow chooses")
	}
	if hop, ok := x.Leads(d.Flows[0][1][1]); !ok || hop != "192.0.2.1" {
		t.Error(hop, ok)
	}
}
