package replay

import (
	"testing"

	"ovnreplay/sim/network"
)

// A port that moved from one zone to another is one, of which a capture may be taken in both.
func TestMovedPortIsNoRival(t *testing.T) {
	t.Parallel()
	one, other := &network.AZ{Name: "node1"}, &network.AZ{Name: "node2"}
	mac := []network.Address{{MAC: [6]byte{0x0a, 0x58, 1, 2, 3, 4}}}
	port := func(name string, z *network.AZ) *network.Port {
		return &network.Port{Name: name, Type: network.VIF, Addresses: mac, Datapath: &network.Datapath{AZ: z}}
	}
	o := &Owners{}
	for _, x := range []struct {
		name  string
		zone  *network.AZ
		rival bool
	}{{"pod1", other, false}, {"pod2", other, true}, {"pod2", one, true}} {
		if got := o.isRival(port("pod1", one), port(x.name, x.zone)); got != x.rival {
			t.Errorf("%s of %s: a rival is %v", x.name, x.zone.Name, got)
		}
	}
}
