package ledger

import (
	"net/netip"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
)

// The load balancer of an address and port is another one for another protocol.
func TestServiceOfAProtocol(t *testing.T) {
	t.Parallel()
	n := network.New()
	add := func(name string, proto uint8, vip network.VIP) {
		n.LoadBalancers = append(n.LoadBalancers, &network.LoadBalancer{Name: name, Protocol: proto,
			VIPs: []network.VIP{vip}})
	}
	dns := netip.MustParseAddr("10.96.0.10")
	add("Service_default/dns_TCP_cluster", 0, network.VIP{Addr: dns, Port: 53})
	add("stats", header.ProtoUDP, network.VIP{Addr: dns, Port: 53})
	add("all", 0, network.VIP{Addr: netip.MustParseAddr("10.96.0.11")})
	names := NewNames(n, nil)
	for _, x := range []struct {
		proto uint8
		dst   string
		want  string
	}{
		{header.ProtoTCP, "10.96.0.10:53", "service default/dns"},
		{header.ProtoUDP, "10.96.0.10:53", "load balancer stats"},
		{header.ProtoSCTP, "10.96.0.10:53", ""}, {header.ProtoUDP, "10.96.0.11:80", "load balancer all"},
	} {
		at := netip.MustParseAddrPort(x.dst)
		tuple := nat.Tuple{Proto: x.proto, DstPort: at.Port()}
		copy(tuple.Dst[:], at.Addr().AsSlice())
		if got := names.Endpoint(&tuple, true); got != x.want {
			t.Errorf("protocol %d to %s: %q, want %q", x.proto, x.dst, got, x.want)
		}
		kept := map[string]string{}
		names.each(&tuple, func(key, name string) { kept[key] = name })
		later := NewNames(network.New(), nil)
		later.kept = func(key string, _ conntrack.Time) string { return kept[key] }
		if got := later.Endpoint(&tuple, true); got != x.want {
			t.Errorf("a session, protocol %d to %s: %q, want %q", x.proto, x.dst, got, x.want)
		}
	}
}

// Whoever has an address is told where no connection had it: load balancers too, of whatever port and
// protocol.
func TestWhose(t *testing.T) {
	t.Parallel()
	n := network.New()
	vip, other := netip.MustParseAddr("fd96::10"), netip.MustParseAddr("10.96.0.11")
	n.LoadBalancers = []*network.LoadBalancer{
		{Name: "web", VIPs: []network.VIP{{Addr: vip, Port: 80}, {Addr: vip, Port: 443}}},
		{Name: "dns", Protocol: header.ProtoUDP, VIPs: []network.VIP{{Addr: vip, Port: 53}}},
		{Name: "all", VIPs: []network.VIP{{Addr: other}}},
	}
	names := NewNames(n, nil)
	for _, x := range []struct {
		addr netip.Addr
		port uint16
		want string
	}{
		{vip, 0, "load balancer dns, load balancer web"}, {vip, 53, "load balancer dns"}, {vip, 54, ""},
		{other, 0, "load balancer all"}, {other, 9, "load balancer all"}, {netip.MustParseAddr("192.0.2.1"), 0, ""},
	} {
		if got := names.Whose(x.addr, x.port); got != x.want {
			t.Errorf("%s port %d: %q, want %q", x.addr, x.port, got, x.want)
		}
	}
}
