package sim

import (
	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// Gap is a network of one availability zone to which a router of another has no
// route over the transit switch that connects the two.
type Gap struct {
	Zone    *network.AZ       // which lacks the route
	Router  *network.Datapath // there
	Home    *network.AZ       // whose network it is
	Network netip.Prefix
	Switch  *network.Datapath
}

// String says so in a sentence.
func (g Gap) String() string {
	return g.Zone.Name + " has no route to " + g.Network.String() + " of " + g.Home.Name +
		" over the transit switch (" + g.Switch.Name + ", by " + g.Router.Name + ")"
}

// Gaps finds the networks with interfaces that one zone has on a router at a
// transit switch and that another's router there would send elsewhere. Nothing is
// replayed.
func (e *Engine) Gaps() (gaps []Gap) {
	for _, sw := range e.Net.Datapaths {
		if !sw.TransitSwitch() {
			continue
		}
		for _, home := range routersAt(sw) {
			for _, n := range networksOf(home) {
				for _, z := range e.Net.AZs {
					there := sw.In(z)
					if z == sw.AZ || there == nil {
						continue
					}
					for _, router := range routersAt(there) {
						if !e.leadsOver(there, router, n.host) {
							gaps = append(gaps, Gap{z, router.Datapath, sw.AZ, n.prefix, there})
						}
					}
				}
			}
		}
	}
	return gaps
}

// routersAt are the routers' ports on a switch.
func routersAt(sw *network.Datapath) (list []*network.Port) {
	for _, p := range sw.Ports {
		if p.Peer != nil && p.Peer.Datapath.Router && p.Type == network.Patch {
			list = append(list, p.Peer)
		}
	}
	return list
}

// attached is a network of a router's port, and an interface's address in it.
type attached struct {
	prefix netip.Prefix
	host   netip.Addr
}

// networksOf are the networks with interfaces on the switches of a router.
func networksOf(router *network.Port) (list []attached) {
	for _, p := range router.Datapath.Ports {
		if p == router || p.Peer == nil || p.Peer.Datapath.Router {
			continue
		}
		for _, a := range p.Addresses {
			for _, prefix := range a.IPs {
				if host := hostIn(p.Peer.Datapath, prefix); host.IsValid() {
					list = append(list, attached{prefix.Masked(), host})
				}
			}
		}
	}
	return list
}

// hostIn is an interface's address on a switch in a network; invalid: none has one.
func hostIn(sw *network.Datapath, prefix netip.Prefix) netip.Addr {
	for _, p := range sw.Ports {
		if p.Type != network.VIF {
			continue
		}
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				if prefix.Contains(ip.Addr()) {
					return ip.Addr()
				}
			}
		}
	}
	return netip.Addr{}
}

// leadsOver reports whether a router sends what its own interfaces send to an
// address over a transit switch. Without interfaces it is not asked.
func (e *Engine) leadsOver(sw *network.Datapath, router *network.Port, to netip.Addr) bool {
	for _, p := range router.Datapath.Ports {
		if p == router || p.Peer == nil || p.Peer.Datapath.Router {
			continue
		}
		for _, a := range p.Addresses {
			for _, prefix := range a.IPs {
				from := hostIn(p.Peer.Datapath, prefix)
				if !from.IsValid() || from.Is4() != to.Is4() {
					continue
				}
				k := keyBetween(from, to)
				k.Set(field.Inport, uint64(p.Index))
				out, _ := e.Route(homeChassis(e.Net, router.Datapath.AZ), router.Datapath, k)
				return out != nil && out.Peer != nil && out.Peer.Datapath == sw
			}
		}
	}
	return true
}

// homeChassis is a zone's first chassis that is not remote to it.
func homeChassis(net *network.Network, z *network.AZ) *network.Chassis {
	for _, c := range net.Chassis {
		if c.AZ == z && !c.Remote() {
			return c
		}
	}
	return net.Chassis[0]
}

// keyBetween is a TCP packet from one address to another.
func keyBetween(from, to netip.Addr) (k field.Key) {
	k.Set(field.IPProto, header.ProtoTCP)
	if from.Is4() {
		a, b := header.Bytes(from), header.Bytes(to)
		k.Set(field.EthType, header.EtherIPv4)
		k.Set(field.IP4Src, field.FromBytes(a).Rsh(96).Lo)
		k.Set(field.IP4Dst, field.FromBytes(b).Rsh(96).Lo)
		return k
	}
	k.Set(field.EthType, header.EtherIPv6)
	k.Set128(field.IP6Src, field.FromBytes(from.As16()))
	k.Set128(field.IP6Dst, field.FromBytes(to.As16()))
	return k
}
