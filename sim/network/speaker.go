package network

import (
	"net/netip"

	"ovnreplay/nat/header"
)

// Delegated returns the addresses from which a router's port asks DHCPv6
// servers for a prefix (ovn-nb(5), options:prefix_delegation); false if it
// does not.
func (p *Port) Delegated() (mac [6]byte, addr netip.Addr, ok bool) {
	if p.Options["ipv6_prefix_delegation"] != "true" || p.Peer == nil || len(p.Addresses) == 0 {
		return mac, addr, false
	}
	mac = p.Addresses[0].MAC
	addr = netip.AddrFrom16(header.LinkLocal(mac))
	for _, ip := range p.Addresses[0].IPs {
		if ip.Addr().Is6() {
			return mac, ip.Addr(), true
		}
	}
	return mac, addr, true
}

// Speaker is the chassis whose ovn-controller speaks for a router's port: where
// its gateway is, nil if it has none.
func (n *Network) Speaker(p *Port) *Chassis {
	if p.Type == L3Gateway {
		return p.ActiveChassis()
	}
	if cr := p.Datapath.AZ.portByName["cr-"+p.Name]; cr != nil && cr.Type == ChassisRedirect {
		return cr.ActiveChassis()
	}
	return nil
}
