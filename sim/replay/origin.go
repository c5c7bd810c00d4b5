package replay

import (
	"slices"

	"net/netip"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// entrance is where packets of a sender come into OVN, as the routes to it say.
type entrance struct {
	ports  []*network.Port // any of these: wires, or an interface
	remote *network.Port   // or it comes from a zone whose database is not given
	into   *network.Port   // remote: to this port of a router
	hops   int             // routers between there and where the packet was observed
}

// maxHops bounds how many routers are passed on the way to a sender.
const maxHops = 16

// entranceOf finds where a packet came in from a sender, which a router handed to
// where it was observed: by the way that an answer would take which enters the
// router by the port. False: that cannot be told.
func (inf *inferrer) entranceOf(f *Frame, sender endpoint, router *network.Port) (in entrance, ok bool) {
	k := f.Headers().Key
	src := addrOf(f.Headers(), sender)
	setAddr(&k, field.IP4Src, field.IP6Src, endpoints(f.Headers())[1])
	setAddr(&k, field.IP4Dst, field.IP6Dst, sender)
	for at := router; in.hops < maxHops; {
		in.hops++
		if hasRouterIP(at.Datapath, src) { // translated there: it came by any of its wires
			in.ports = wiresBeside(at.Datapath)
			return in, len(in.ports) > 0
		}
		k.Set(field.Inport, uint64(at.Index))
		out, hop := inf.s.Engine.Route(chassisIn(inf.s.Engine.Net, at.Datapath.AZ, f.point.Chassis), at.Datapath, k)
		if out == nil || out.Peer == nil {
			return in, false
		}
		if at = out.Peer; at.Datapath.Router {
			continue
		}
		if hop.IsUnspecified() {
			hop = src
		}
		next := neighbourWith(out.Peer, hop)
		switch {
		case next == nil:
			in.ports = wiresOf(out.Peer.Datapath)
			return in, len(in.ports) > 0
		case next.Peer != nil:
			at = next.Peer
		case next.Type == network.Remote && next.Twin == nil:
			in.remote, in.into = next, out
			return in, true
		case next.Type == network.Remote && next.Twin.Peer != nil:
			at = next.Twin.Peer
		case next.Type == network.Remote:
			return in, false
		default:
			in.ports = []*network.Port{next}
			return in, true
		}
	}
	return in, false
}

// chassisIn is the chassis itself if it is of the zone, else the zone's first.
func chassisIn(net *network.Network, z *network.AZ, c *network.Chassis) *network.Chassis {
	if c.AZ == z {
		return c
	}
	for _, other := range net.Chassis {
		if other.AZ == z && !other.Remote() {
			return other
		}
	}
	return c
}

// hasRouterIP reports whether an address is one of a router's ports'.
func hasRouterIP(router *network.Datapath, a netip.Addr) bool {
	return slices.ContainsFunc(router.Ports, func(p *network.Port) bool { return hasIP(p, a) })
}

// neighbourWith returns the port of a switch behind which an address is,
// seen from a port of it: one that has the address, or whose router has.
func neighbourWith(from *network.Port, a netip.Addr) *network.Port {
	for _, q := range from.Datapath.Ports {
		if q != from && (hasIP(q, a) || q.Peer != nil && hasIP(q.Peer, a)) {
			return q
		}
	}
	return nil
}

// wiresOf returns the ports by which a switch leads out of OVN.
func wiresOf(sw *network.Datapath) (list []*network.Port) {
	for _, p := range sw.Ports {
		if leadsOut(p) {
			list = append(list, p)
		}
	}
	return list
}

// wiresBeside returns the ports by which a router's switches lead out of OVN.
func wiresBeside(router *network.Datapath) (list []*network.Port) {
	for _, p := range router.Ports {
		if p.Peer != nil {
			list = append(list, wiresOf(p.Peer.Datapath)...)
		}
	}
	return list
}

// shown reports whether a capture shows what enters at one of some ports at a
// moment: it tells nothing of the time before its first packet.
func (inf *inferrer) shown(ports []*network.Port, at conntrack.Time) bool {
	for _, t := range inf.s.Taps {
		if t.Frames == 0 || at < t.first {
			continue
		}
		for _, site := range t.Sites() {
			if slices.ContainsFunc(ports, site.covers) {
				return true
			}
		}
	}
	return false
}

// covers reports whether a site shows what enters at a port.
func (s *Site) covers(p *network.Port) bool {
	switch s.Kind {
	case AtPort:
		return s.Port == p || slices.Contains(s.Port.Containers, p)
	case AtHost:
		return leadsOut(p) || p.ResidentOn(s.Chassis)
	}
	return false
}

// fromRemote is a packet that comes into the zones given from another.
func fromRemote(net *network.Network, f *Frame, in *entrance) *awaited {
	if len(in.remote.Addresses) == 0 || len(in.into.Addresses) == 0 {
		return nil
	}
	c := in.remote.ActiveChassis()
	if c == nil {
		c = chassisIn(net, in.remote.Datapath.AZ, f.point.Chassis)
	}
	e := flowEnds(f.Data, f.Headers())
	return &awaited{port: in.remote, chassis: c, ethSrc: uint64(macOf(in.remote.Addresses[0].MAC)),
		ethDst: uint64(macOf(in.into.Addresses[0].MAC)), src: e[0], dst: e[1], hops: in.hops}
}

// fromTranslated finds the one interface whose packets a router sends on with
// an address of its own, if there is no other that a capture does not show.
func (inf *inferrer) fromTranslated(f *Frame) *awaited {
	if !leadsOut(f.point.Port) {
		return nil
	}
	e := flowEnds(f.Data, f.Headers())
	outside := addrOf(f.Headers(), e[0])
	var found *network.Port
	var inside netip.Addr
	for _, p := range inf.s.Engine.Net.Ports[1:] {
		if p.Type != network.VIF || inf.captures(p) {
			continue
		}
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				if inf.s.owners.translates(ip.Addr(), outside) {
					if found != nil {
						return nil
					}
					found, inside = p, ip.Addr()
				}
			}
		}
	}
	if found == nil {
		return inf.fromAbroad(f, outside)
	}
	e[0].addr = header.Bytes(inside)
	return inf.fromPort(found, inside, e, f)
}

// fromAbroad finds the remote port behind which the one address is for which
// another stands on a wire: that of an egress IP's pod on another node.
func (inf *inferrer) fromAbroad(f *Frame, outside netip.Addr) *awaited {
	inside, ok := inf.s.owners.floating[outside]
	if !ok || len(inf.s.owners.byIP[inside]) > 0 {
		return nil
	}
	sender := flowEnds(f.Data, f.Headers())[0]
	sender.addr = header.Bytes(inside)
	for _, q := range f.point.Port.Datapath.Ports {
		if q.Peer == nil {
			continue
		}
		if in, known := inf.entranceOf(f, sender, q.Peer); known && in.remote != nil {
			if a := fromRemote(inf.s.Engine.Net, f, &in); a != nil {
				a.src, a.hops = sender, -1
				return a
			}
		}
	}
	return nil
}
