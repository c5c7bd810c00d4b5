package why

import (
	"fmt"
	"net/netip"

	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// Where availability zones are connected, each has to know of the others: their
// ports on the transit switch, their chassis, routes to their networks. A packet
// ends where one zone lacks what another has; which it is, is told.

// strange tells that the address of a next hop is a port's of another zone, which
// the zone of a router does not know: "" if that is not so.
func (x *Explainer) strange(hop netip.Addr, router *network.Datapath) string {
	if x.Conntrack == nil { // a session knows no zones
		return ""
	}
	for _, p := range x.Book.Net.Ports[min(1, len(x.Book.Net.Ports)):] {
		if p.Datapath.AZ == router.AZ || p.Peer == nil || !p.Datapath.Router || !p.Peer.Datapath.TransitSwitch() ||
			!p.Has(hop) {
			continue
		}
		here := p.Peer.Datapath.In(router.AZ)
		if here == nil {
			return fmt.Sprintf(": zone %s has no transit switch %s, on which zone %s has it", router.AZ.Name,
				p.Peer.Datapath.Called(), p.Datapath.AZ.Name)
		}
		if here.PortByKey(p.Peer.TunnelKey) == nil {
			return fmt.Sprintf(": zone %s has no remote port for it on transit switch %s, where it is %s of zone %s",
				router.AZ.Name, here.Called(), p.Peer.Called(), p.Datapath.AZ.Name)
		}
	}
	return ""
}

// lacking tells which zone lacks what a packet needs at a port where it ended, for
// the reason that it ended.
func (x *Explainer) lacking(t *trace.Trace, at int, p *network.Port) string {
	twin := p.Twin
	switch ev := &t.Events()[at]; {
	case len(x.Book.Net.AZs) < 2 || twin == nil || x.Conntrack == nil:
	case ev.Reason == trace.DropUnbound:
		return x.stranger(p.Datapath.AZ, twin.Datapath.AZ)
	case ev.Reason == trace.DropStranger:
		if s := x.stranger(twin.Datapath.AZ, p.Datapath.AZ); s != "" {
			return s
		}
		return x.stranger(p.Datapath.AZ, twin.Datapath.AZ)
	case ev.Reason == trace.DropNotThere:
		for j := at; j >= 0; j-- {
			if e := &t.Events()[j]; e.Kind == trace.Tunnel {
				return fmt.Sprintf(": zone %s has none of its tunnel key %d", x.Book.Net.Chassis[e.Arg].AZ.Name,
					p.TunnelKey)
			}
		}
	}
	return ""
}

// stranger names a chassis of one zone that another does not know by any of its
// addresses, or that takes no part in interconnection; "" if there is none.
func (x *Explainer) stranger(z, of *network.AZ) string {
	for _, c := range x.Book.Net.Chassis {
		switch {
		case c.Remote() || c.AZ != of:
		case !z.Reaches(c):
			return fmt.Sprintf(": zone %s does not know chassis %s of zone %s, or not at the address that it has",
				z.Name, c.Host(), of.Name)
		}
	}
	for _, c := range x.Book.Net.Chassis {
		if c.AZ == z && !c.Remote() && !c.Interconn() {
			return fmt.Sprintf(": chassis %s of zone %s has no is-interconn=true", c.Host(), z.Name)
		}
	}
	return ""
}
