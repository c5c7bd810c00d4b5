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
	case x.Conntrack == nil:
	case ev.Reason == trace.DropUnbound && p.Type == network.Patch && p.Peer == nil && p.Options["peer"] != "":
		return x.peerless(p)
	case len(x.Book.Net.AZs) < 2:
	case ev.Reason == trace.DropNotThere:
		return x.unkeyed(t, at, p)
	case twin == nil:
	case ev.Reason == trace.DropUnbound:
		if s := x.stranger(p.Datapath.AZ, twin.Datapath.AZ); s != "" || p.Chassis != nil {
			return s
		}
		return fmt.Sprintf(": zone %s has it at no chassis, though zone %s has it", p.Datapath.AZ.Name,
			twin.Datapath.AZ.Name)
	case ev.Reason == trace.DropStranger:
		if s := x.stranger(twin.Datapath.AZ, p.Datapath.AZ); s != "" {
			return s
		}
		return x.stranger(p.Datapath.AZ, twin.Datapath.AZ)
	}
	return ""
}

// unkeyed tells which of a tunnel's keys the zone does not have to which a packet went.
func (x *Explainer) unkeyed(t *trace.Trace, at int, p *network.Port) string {
	to := p.ActiveChassis()
	for j := at; j >= 0; j-- {
		if e := &t.Events()[j]; e.Kind == trace.Tunnel {
			to = x.Book.Net.Chassis[e.Arg]
			break
		}
	}
	if to == nil || to.AZ == nil {
		return ""
	}
	if p.Datapath.In(to.AZ) == nil {
		return fmt.Sprintf(": zone %s has no %s of tunnel key %d", to.AZ.Name, called(p.Datapath), p.Datapath.TunnelKey)
	}
	return fmt.Sprintf(": zone %s has no port of tunnel key %d on %s", to.AZ.Name, p.TunnelKey, called(p.Datapath))
}

// peerless tells that a port's peer is not there, and which zone knows it nevertheless.
func (x *Explainer) peerless(p *network.Port) string {
	name, z := p.Options["peer"], p.Datapath.AZ
	if z == nil || z.PortNamed(name) != nil {
		return ""
	}
	for _, other := range x.Book.Net.AZs {
		if q := other.PortNamed(name); q != nil && q.Datapath.TransitSwitch() {
			return fmt.Sprintf(": zone %s has no port %s on %s, as which zone %s knows it", z.Name, name,
				called(q.Datapath), other.Name)
		}
	}
	return fmt.Sprintf(": its peer %s is not there", name)
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

// nameless tells which port a packet was to leave by that its zone does not have, and
// which zone has it; "" if no flow named one.
func (x *Explainer) nameless(t *trace.Trace, at int) string {
	if x.Conntrack == nil { // a session knows no zones
		return ""
	}
	d := x.Book.Net.Datapaths[t.Events()[at].Datapath]
	name := ""
	for j := at; j >= 0 && name == ""; j-- {
		switch ev := &t.Events()[j]; {
		case ev.Kind == trace.Enter, int(ev.Datapath) != d.Index:
			j = 0 // another pipeline's
		case ev.Kind == trace.Match:
			name = x.of(x.Book.Net.Flows[ev.Flow]).aims
		}
	}
	if name == "" || d.AZ == nil || d.AZ.PortNamed(name) != nil {
		return ""
	}
	for _, z := range x.Book.Net.AZs {
		if p := z.PortNamed(name); p != nil && p.Twin == nil && d.In(z) == p.Datapath {
			return fmt.Sprintf("zone %s has no port %s on %s, where zone %s has it", d.AZ.Name, name,
				called(d), z.Name)
		}
	}
	return fmt.Sprintf("%s has no port %s", called(d), name)
}

// called names a datapath, a transit switch as one.
func called(d *network.Datapath) string {
	if d.TransitSwitch() {
		return "transit switch " + d.Called()
	}
	return d.Called()
}
