package sim

import (
	"testing"

	"ovnreplay/sim/network"
)

// Where the port of the backend that a client sticks to is left is what a zone's
// flows compare, however they are written, and no other zone's.
func TestOldAffinity(t *testing.T) {
	t.Parallel()
	for match, old := range map[string]bool{
		"reg9[6] == 1 && ct.new && ip4 && reg4 == 10.1.0.2 && reg8[0..15] == 80": true,
		"ip4 && reg8[0..15]==80 && reg9[6]==1":                                   true,
		"reg9[6] && ip4 && reg8[0..15] == 80":                                    true,
		"reg9[6] == 1 && ct.new && ip4 && reg4 == 10.1.0.2 && reg2[0..15] == 80": false,
		"reg9[6] == 1 && ip4 && reg8[16] == 1":                                   false,
		"reg9[5] == 1 && ip4 && reg8[0..15] == 80":                               false,
		"reg9[6] == 0 && ip4 && reg8[0..15] != 80":                               false,
		"reg9[6] == 1 && ip4 && reg8[0..15] == 80 &&":                            false, // does not parse
		`inport == "reg9[6] == 1 && reg8[0..15] == 80" && reg9[7] && reg8[17]`:   false,
	} {
		net := &network.Network{AZs: []*network.AZ{{}, {Index: 1}}}
		net.AZ = net.AZs[0]
		d := &network.Datapath{AZ: net.AZs[1]}
		net.Flows = []*network.Flow{{Match: match, Datapaths: []*network.Datapath{d}}, {Match: match}}
		if got := oldAffinity(net); got[1] != old || got[0] {
			t.Errorf("%s: %v, want %v of the second zone", match, got, old)
		}
	}
}
