package why

import (
	"net/netip"
	"testing"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

func tuple(src, dst string) nat.Tuple {
	t := nat.Tuple{Proto: 17}
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	a, b := s.Addr().As4(), d.Addr().As4()
	copy(t.Src[:], a[:])
	copy(t.Dst[:], b[:])
	t.SrcPort, t.DstPort = s.Port(), d.Port()
	return t
}

// What a connection keeps is the same by its packets of both directions.
func TestKeptBy(t *testing.T) {
	t.Parallel()
	dnat := trace.NATStep{Dst: true, From: tuple("1.1.1.1:1", "2.2.2.2:2"), To: tuple("1.1.1.1:1", "3.3.3.3:3")}
	undnat := trace.NATStep{Undo: true, From: dnat.To.Reverse(), To: dnat.From.Reverse()}
	snat := trace.NATStep{From: tuple("1.1.1.1:1", "2.2.2.2:2"), To: tuple("4.4.4.4:4", "2.2.2.2:2")}
	unsnat := trace.NATStep{Dst: true, Undo: true, From: snat.To.Reverse(), To: snat.From.Reverse()}
	for _, c := range []struct {
		ways    [2]*trace.NATStep
		snat    bool
		was, is string
	}{{[2]*trace.NATStep{&dnat, &undnat}, false, "2.2.2.2:2", "3.3.3.3:3"},
		{[2]*trace.NATStep{&snat, &unsnat}, true, "1.1.1.1:1", "4.4.4.4:4"}} {
		for _, n := range c.ways {
			if k := keptBy(n, nil); k.snat != c.snat || k.was.String() != c.was || k.is.String() != c.is {
				t.Errorf("%+v: %+v", n, k)
			}
		}
	}
}

// A translation is stale if no flow of its datapath would make it now; since
// when, the flow that made it last tells.
func TestStale(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 11, 27, 4, 33, 52, 0, time.UTC)
	now := conntrack.Time(clock.Add(time.Minute).UnixNano())
	lb := func(backends string) *network.Flow {
		return flow("lr_in_dnat", "ct.new && ip4.dst == 10.96.0.53 && udp && udp.dst == 53",
			"ct_lb_mark(backends="+backends+");")
	}
	dnat := func(to string) *network.Flow {
		return flow("lr_in_dnat", "ip && ip4.dst == 10.96.0.53", "ct_dnat_in_czone("+to+");")
	}
	old := lb("10.1.0.13:5353")
	for name, c := range map[string]struct {
		flows []*network.Flow
		past  []network.Departure
		is    string
		want  string
	}{
		"what a flow makes":   {flows: []*network.Flow{lb("10.1.0.12:5353,10.1.0.13:5353")}, is: "10.1.0.13:5353"},
		"a NAT row's address": {flows: []*network.Flow{dnat("10.1.0.13")}, is: "10.1.0.13:53"},
		"another backend": {flows: []*network.Flow{lb("10.1.0.12:5353")}, is: "10.1.0.13:5353",
			want: "DNAT to 10.1.0.13:5353, which load balancer dns no longer has"},
		"since when": {flows: []*network.Flow{lb("10.1.0.12:5353")}, is: "10.1.0.13:5353",
			past: []network.Departure{{Time: clock, Flow: old, Datapaths: []string{"r"}}},
			want: "DNAT to 10.1.0.13:5353, which load balancer dns has not had since 04:33:52"},
		"it went from another router": {flows: []*network.Flow{lb("10.1.0.12:5353")}, is: "10.1.0.13:5353",
			past: []network.Departure{{Time: clock, Flow: old, Datapaths: []string{"r2"}}},
			want: "DNAT to 10.1.0.13:5353, which load balancer dns no longer has"},
		"it goes only later": {flows: []*network.Flow{lb("10.1.0.12:5353")}, is: "10.1.0.13:5353",
			past: []network.Departure{{Time: clock.Add(time.Hour), Flow: old, Datapaths: []string{"r"}}},
			want: "DNAT to 10.1.0.13:5353, which load balancer dns no longer has"},
		"a day before": {flows: nil, is: "10.1.0.13:5353",
			past: []network.Departure{{Time: clock.AddDate(0, 0, -1), Flow: old, Datapaths: []string{"r"}}},
			want: "DNAT to 10.1.0.13:5353, which load balancer dns has not had since 2026-11-26T04:33:52Z"},
		"each chassis has its own": {flows: []*network.Flow{flow("lr_in_dnat", "ip4.dst == ^vip",
			"ct_lb_mark(backends=^b);")}, is: "10.1.0.13:5353"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &network.Datapath{Name: "r1", UUID: "r", Router: true, SNATCTZone: -1,
				Flows: [2][][]*network.Flow{{c.flows}}}
			vip := network.VIP{Addr: netip.MustParseAddr("10.96.0.53"), Port: 53}
			net := &network.Network{AZ: &network.AZ{}, Datapaths: []*network.Datapath{d},
				LoadBalancers: []*network.LoadBalancer{{Name: "dns", VIPs: []network.VIP{vip}}}}
			x := &Explainer{Book: &trace.Book{Net: net}, Conntrack: func(*network.Chassis) *conntrack.Table {
				return nil
			},
				Past: func(keep func(*network.Flow) bool) []network.Departure {
					for _, p := range c.past {
						if !keep(p.Flow) {
							t.Error("a flow that translates is not kept")
						}
					}
					return c.past
				}}
			k := kept{d, false, true, netip.MustParseAddrPort("10.96.0.53:53"), netip.MustParseAddrPort(c.is)}
			if got := x.stale(k, now); got != c.want {
				t.Errorf("%q\nwant %q", got, c.want)
			}
			// What the network has become is asked anew.
			net.Became++
			d.Flows[0] = [][]*network.Flow{{dnat("10.1.0.13")}}
			if got := x.stale(k, now); got != "" {
				t.Errorf("after the change: %q", got)
			}
		})
	}
}

// Registers in which routers kept what was asked for count as addresses.
func TestAsksOfRegisters(t *testing.T) {
	t.Parallel()
	x := &Explainer{Book: &trace.Book{Net: &network.Network{AZ: &network.AZ{}}}}
	side := x.of(flow("lr_in_dnat", "ct.new && ip4 && reg0 == 10.96.0.10 && tcp && reg9[16..31] == 80",
		"ct_lb(backends=10.1.0.1:80);"))
	for at, want := range map[string]bool{"10.96.0.10:80": true, "10.96.0.10:81": false, "10.96.0.11:80": false} {
		if got := side.asks.admit(1, netip.MustParseAddrPort(at), true); got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
}
