package why

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// staleness knows what the load balancers have, as they were when it was made.
type staleness struct {
	of   []*network.LoadBalancer
	vips map[netip.AddrPort]*network.LoadBalancer
	has  map[[2]netip.AddrPort]bool
}

// refresh reads the load balancers anew when the network has become another.
func (s *staleness) refresh(net *network.Network) {
	if s.vips != nil && slices.Equal(s.of, net.LoadBalancers) {
		return
	}
	*s = staleness{
		of: slices.Clone(net.LoadBalancers), vips: map[netip.AddrPort]*network.LoadBalancer{},
		has: map[[2]netip.AddrPort]bool{},
	}
	for _, lb := range net.LoadBalancers {
		for i := range lb.VIPs {
			v := &lb.VIPs[i]
			at := netip.AddrPortFrom(v.Addr, v.Port)
			s.vips[at] = lb
			for _, b := range v.Backends {
				s.has[[2]netip.AddrPort{at, b}] = true
			}
		}
	}
}

// Stale says of a translation that a connection keeps, and that the network as
// it is now would not make, what is gone; "" if nothing is, or it cannot be
// told: the address is no load balancer's.
func (x *Explainer) Stale(n *trace.NATStep) string {
	vip, backend := netip.AddrPortFrom(n.From.DstAddr(), n.From.DstPort), netip.AddrPortFrom(n.To.DstAddr(), n.To.DstPort)
	switch {
	case n.Undo && !n.Dst:
		vip, backend = netip.AddrPortFrom(n.To.SrcAddr(), n.To.SrcPort), netip.AddrPortFrom(n.From.SrcAddr(), n.From.SrcPort)
	case n.Undo || !n.Dst:
		return ""
	}
	s := &x.balancers
	s.refresh(x.Book.Net)
	lb := s.vips[vip]
	if lb == nil {
		bare := netip.AddrPortFrom(vip.Addr(), 0)
		if lb = s.vips[bare]; lb == nil {
			return ""
		}
		vip, backend = bare, netip.AddrPortFrom(backend.Addr(), 0)
	}
	if s.has[[2]netip.AddrPort{vip, backend}] {
		return ""
	}
	return fmt.Sprintf("DNAT to %s, which load balancer %s no longer has", backend, lb.Name)
}
