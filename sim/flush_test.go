package sim_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim/network"
)

const flushingChassis = "4da007a6-ed1d-45ff-bcf4-62ae8914bbbc"

// What ovn-controller flushes when the network changes: of load balancers that ask
// for it, connections to backends that are gone; by labels, those of next hops and
// ACLs that are gone; zones that are let go of, or newly given.
func TestFlushedByChanges(t *testing.T) {
	t.Parallel()
	const other = "udp,orig=(src=9.9.9.9,dst=8.8.8.8,sport=1,dport=2)," +
		"reply=(src=8.8.8.8,dst=9.9.9.9,sport=2,dport=1),zone=%d%s"
	const ofHop, ofOther = ",labels=0xf0123456789a00000000", ",labels=0xf0123456789b00000000"
	type changes = []func(*network.Network)
	router := func(n *network.Network) *network.Datapath { return n.Port("rtoe-GR_ovn-worker").Datapath }
	hop := func(n *network.Network) {
		n.ECMPNexthops = []network.ECMPNexthop{{
			UUID: "1", Nexthop: netip.MustParseAddr("10.0.0.1"), Datapath: router(n), MAC: "f0:12:34:56:78:9a",
		}}
	}
	acl := func(n *network.Network) { n.ACLIDs = []network.ACLID{{UUID: "1", AZ: n.AZ, ID: 7}} }
	lessBackends := func(n *network.Network) {
		for _, lb := range n.LoadBalancers {
			lb.Options["ct_flush"] = "true"
			for i := range lb.VIPs {
				lb.VIPs[i].Backends, lb.VIPs[i].BackendText = nil, ""
			}
		}
	}
	asks := func(n *network.Network) {
		for _, lb := range n.LoadBalancers {
			lb.Options["ct_flush"] = "true"
		}
	}
	release := func(version string) func(*network.Network) { return func(n *network.Network) { n.Version = version } }
	for _, tt := range []struct {
		name          string
		before, after []func(*network.Network)
		extra         string // a connection that is there too
		zoned         bool   // in the gateway router's zone
		left          string // which connections are: of the session, and the extra one
	}{
		{name: "nothing changes", left: "session extra"},
		{name: "backends go unasked", after: changes{lessBackends}, left: "session extra"},
		{name: "backends go", before: changes{asks}, after: changes{lessBackends}, left: "extra"},
		{name: "backends go, in 23.03.0", before: changes{release("23.03.0")},
			after: changes{release("23.03.0"), lessBackends}, left: "extra"},
		{name: "backends go, in 22.12", before: changes{asks, release("22.12.0")},
			after: changes{release("22.12.0"), lessBackends}, left: "session extra"},
		{name: "next hop stays", before: changes{hop}, after: changes{hop}, zoned: true,
			extra: ofHop, left: "session extra"},
		{name: "next hop goes", before: changes{hop}, zoned: true, extra: ofHop,
			left: "session"},
		{name: "another next hop's", before: changes{hop}, zoned: true,
			extra: ofOther, left: "session extra"},
		{name: "next hop goes, another zone", before: changes{hop}, extra: ofHop,
			left: "session extra"},
		{name: "ACL goes", before: changes{acl}, extra: ",labels=0x700000000000000000000", left: "session"},
		{name: "another ACL's", before: changes{acl}, extra: ",labels=0x800000000000000000000",
			left: "session extra"},
		{name: "zone is given anew", after: changes{
			func(n *network.Network) { router(n).SNATCTZone = 777 }}, left: "session"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made := func(changes []func(*network.Network)) *network.Network {
				n := load(t, nodeport+"sb.db")
				n.Version = "26.03.1"
				n.ChassisByName(flushingChassis).Options["ct-label-flush"] = "true"
				for _, change := range changes {
					change(n)
				}
				return n
			}
			e, in := sessionOn(t, made(tt.before))
			e.Inject(in)
			c := e.Net.ChassisByName(flushingChassis)
			zone := uint16(777)
			for z := uint16(1); tt.zoned && z < 777; z++ {
				if e.ZoneName(int32(c.Index), z) == "GR_ovn-worker_dnat" {
					zone = z
				}
			}
			es, err := conntrack.ReadDump(strings.NewReader(fmt.Sprintf(other, zone, tt.extra)), "a dump")
			if err == nil {
				err = e.Conntrack(c).Import(in.Time, es)
			}
			if err != nil || tt.zoned && zone == 777 {
				t.Fatal(err, zone)
			}
			e.Become(made(tt.after))
			left := map[string]bool{}
			for _, x := range e.Conntrack(c).Entries(in.Time) {
				if x.Orig.SrcAddr().String() == "9.9.9.9" {
					left["extra"] = true
				} else if x.Orig.Dst != x.Reply.Src { // that to the load balancer
					left["session"] = true
				}
			}
			for _, name := range []string{"session", "extra"} {
				if left[name] != strings.Contains(tt.left, name) {
					t.Errorf("%s left: %v", name, left[name])
				}
			}
		})
	}
}
