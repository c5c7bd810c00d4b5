package network

import "net/netip"

// Delegated returns the addresses from which a router's port asks DHCPv6
// servers for a prefix (ovn-nb(5), options:prefix_delegation); false if it
// does not.
func (p *Port) Delegated() (mac [6]byte, addr netip.Addr, ok bool) {
	if p.Options["ipv6_prefix_delegation"] != "true" || p.Peer == nil || len(p.Addresses) == 0 {
		return mac, addr, false
	}
	mac = p.Addresses[0].MAC
	addr = LinkLocal(mac)
	for _, ip := range p.Addresses[0].IPs {
		if ip.Addr().Is6() {
			return mac, ip.Addr(), true
		}
	}
	return mac, addr, true
}

// LinkLocal is the link-local address of an Ethernet address (RFC 4291, appendix A).
func LinkLocal(mac [6]byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

// Speaker is the chassis whose ovn-controller speaks for a router's port: where
// its gateway is, nil if it has none.
func (n *Network) Speaker(p *Port) *Chassis {
	if p.Type == L3Gateway {
		return p.ActiveChassis()
	}
	if cr := n.portByName["cr-"+p.Name]; cr != nil && cr.Type == ChassisRedirect {
		return cr.ActiveChassis()
	}
	return nil
}
