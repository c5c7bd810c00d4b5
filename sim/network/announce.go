package network

import (
	"net/netip"
	"strings"
)

// Announcement is one entry of a router-type port's nat_addresses: addresses
// that ovn-controller announces with gratuitous ARP on the wire.
type Announcement struct {
	Address
	Resident *Port // announced only where this port is resident; nil: no such condition
}

// Announced returns a port's nat_addresses. Entries that are not an Ethernet
// address with IP addresses ("router", say) announce nothing themselves.
func (n *Network) Announced(p *Port) []Announcement {
	var out []Announcement
	for _, text := range p.NATAddresses {
		text, condition, _ := strings.Cut(text, "is_chassis_resident(")
		a, err := ParseAddress(text)
		if err != nil {
			continue
		}
		one := Announcement{Address: *a}
		if name := strings.Trim(condition, `") `); name != "" {
			one.Resident = n.Port(name)
			if one.Resident == nil {
				continue
			}
		}
		out = append(out, one)
	}
	return out
}

// HairpinSNAT returns the source address that hairpinned connections of one
// family get instead of the VIP, if the load balancer names one.
func (lb *LoadBalancer) HairpinSNAT(v4 bool) (netip.Addr, bool) {
	for _, word := range strings.Fields(lb.Options["hairpin_snat_ip"]) {
		if a, err := netip.ParseAddr(word); err == nil && a.Is4() == v4 {
			return a, true
		}
	}
	return netip.Addr{}, false
}
