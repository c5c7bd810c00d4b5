package sim

import (
	"fmt"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/network"
)

// A limit is told once, with how often and since when it was reached.
func TestLimitsAreToldOnce(t *testing.T) {
	t.Parallel()
	e := &Engine{Net: &network.Network{}}
	c := &chassis{Chassis: &network.Chassis{Name: "hv1"}, zones: zones{names: map[uint16]string{7: "lr_snat"}},
		ct: conntrack.NewTable(conntrack.Options{MaxConns: 9})}
	e.chassis, e.Net.Chassis = []*chassis{c}, []*network.Chassis{c.Chassis}
	e.now = 1795341635e9
	request := func(zone uint16, kind nat.Kind) *conntrack.Request {
		return &conntrack.Request{Zone: zone, NAT: nat.Binding{Kind: kind}}
	}
	e.limitsOf(c, 6, request(7, nat.Src), &conntrack.Outcome{Drop: conntrack.DropTableFull})
	e.now += 5e9
	for range 3 {
		e.limitsOf(c, 6, request(7, nat.Src), &conntrack.Outcome{Uncommitted: conntrack.DropPortsTaken})
		e.limitsOf(c, 6, request(8, nat.None), &conntrack.Outcome{Evicted: true})
		e.limitsOf(c, 17, request(8, nat.None), &conntrack.Outcome{})
	}
	for proto, kind := range map[uint8]nat.Kind{1: nat.Src, 58: nat.Src, 17: nat.Dst} {
		e.limitsOf(c, proto, request(7, kind), &conntrack.Outcome{Uncommitted: conntrack.DropPortsTaken})
	}
	want := []Reached{
		{ConnectionsFull, c.Chassis, "", "", 9, 4, 1795341635e9},
		{PortsTaken, c.Chassis, "lr_snat", "", 0, 3, 1795341640e9},
		{IDsTaken, c.Chassis, "lr_snat", "", 0, 2, 1795341640e9},
		{TupleTaken, c.Chassis, "lr_snat", "", 0, 1, 1795341640e9},
	}
	got := e.Limits()
	if len(got) != len(want) {
		t.Fatalf("%d limits, want %d", len(got), len(want))
	}
	for i, r := range got {
		if *r != want[i] {
			t.Errorf("%+v, want %+v", *r, want[i])
		}
	}
}

// More ports than there are zones: a chassis' own have theirs, and that packets met the zone that
// the others share is told.
func TestZonesTaken(t *testing.T) {
	t.Parallel()
	az := &network.AZ{}
	c := &network.Chassis{Name: "hv1", AZ: az}
	net := &network.Network{AZ: az, AZs: []*network.AZ{az}, Datapaths: []*network.Datapath{{Name: "sw", AZ: az}},
		Chassis: []*network.Chassis{c}}
	for i := range maxZones + 10 {
		p := &network.Port{Name: fmt.Sprint("p", i), Type: network.VIF, Datapath: net.Datapaths[0], Index: i}
		if i > maxZones {
			p.Type = network.Localport // which every chassis has
		}
		net.Ports = append(net.Ports, p)
	}
	z := numberZones(net, c, nil, nil)
	for _, p := range net.Ports[maxZones+1:] {
		if n := z.port[p.Index]; n <= 0 || z.names[uint16(n)] != p.Name {
			t.Errorf("%s of the chassis has zone %d, of %q", p.Name, n, z.names[uint16(n)])
		}
	}
	if z.port[maxZones] != 0 || !z.lacking {
		t.Errorf("the last of the others has zone %d, lacking %v", z.port[maxZones], z.lacking)
	}
	on := &chassis{Chassis: c, zones: z}
	e := &Engine{Net: net, chassis: []*chassis{on}}
	for range 2 {
		e.limitsOf(on, 6, &conntrack.Request{Zone: 7}, &conntrack.Outcome{})
		e.limitsOf(on, 6, &conntrack.Request{}, &conntrack.Outcome{})
	}
	if got := e.Limits(); len(got) != 1 || *got[0] != (Reached{ZonesTaken, c, "", "", maxZones, 2, 0}) {
		t.Errorf("limits %v", got)
	}
	net.Ports = net.Ports[:maxZones-2]
	if z := numberZones(net, c, nil, nil); z.lacking {
		t.Error("as many as there are zones are too many")
	}
}

// ovn-controller takes 1,000 bindings at a time and forgets the others.
func TestLearnsSoMuchAtOnce(t *testing.T) {
	t.Parallel()
	var l learned
	taken := 0
	for range 3 * maxPending {
		if l.room(pendingMACs, 0, 1) {
			taken++
		}
	}
	if taken != maxPending || !l.room(pendingMACs, 1, 1) || !l.room(pendingFDB, 0, 1) {
		t.Errorf("%d were taken at once, want %d of each kind on each chassis", taken, maxPending)
	}
	if !l.room(pendingMACs, 0, 1+learnDelay) {
		t.Error("nothing is taken later either")
	}
}
