package network

import (
	"net/netip"
	"slices"
	"time"
)

// Departure is something that a network had until a moment of its database's
// history: a logical flow, in some datapaths, or a port with its addresses.
type Departure struct {
	Time      time.Time
	Flow      *Flow    // without Datapaths, or nil
	Datapaths []string // where it went from, by UUID
	Port      *Port    // without what other rows say of it, or nil
}

// Has reports whether an address is one of the port's.
func (p *Port) Has(a netip.Addr) bool {
	return slices.ContainsFunc(p.Addresses, func(at Address) bool {
		return slices.ContainsFunc(at.IPs, func(ip netip.Prefix) bool { return ip.Addr() == a })
	})
}
