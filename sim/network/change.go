package network

import (
	"cmp"
	"fmt"
	"slices"
)

// Change is a change of OVN's behaviour that a packet can show. This file is the
// one place that knows in which release a change came; the rest asks for it by
// name.
type Change uint8

// Changes, in the order in which they came.
const (
	DNSAnyCase Change = iota
	DHCPInform
	HairpinLearned
	SilentOnResets
	FreshTOS
	GatewayPortZones
	DNSCountsAnew
	TransitPatches
	RemoteCopies
	SnoopedReports
	BuiltWithOVS3
	BindingAwaited
	FlushesBackends
	DNSIgnoresAdditional
	HoldsFour
	FlushesIfAsked
	DHCPv6Release
	AdvertHopLimit
	AdvertToAllNodes
	HealthReset
	DNSDropsAdditional
	DNSOwned
	DHCPEthernetOnly
	PrefixToAllServers
	CTNextZone
	ResolvesOtherFamily
	FlushesLabels
	StrictNeighbors
	DNSShuffles
	SolicitsForIPv4
	SolicitsNextHop
	changes // how many there are
)

// Release is a release of OVN: year, month, patch level.
type Release struct{ Year, Month, Patch int }

// known is what is known of a change. It came with a release; a backport brings
// it to the series of an earlier one with a patch release. until is the release
// that undid it, if one did.
type known struct {
	name      string
	what      string
	since     Release
	backports []Release
	until     Release
	authority string
}

var knowledge = [changes]known{
	DNSAnyCase: {
		name: "dns-any-case", what: "a DNS query finds its record whatever the case of its letters",
		since: Release{20, 6, 0}, authority: "OVN commit 9287f425e, DNS: Make DNS lookups case insensitive",
	},
	DHCPInform: {
		name: "dhcp-inform", what: "DHCPINFORM is answered",
		since: Release{20, 9, 0}, authority: "OVN commit e008a4d46, pinctrl: Support DHCPRELEASE and DHCPINFORM",
	},
	HairpinLearned: {
		name: "hairpin-learned", what: "only a packet that was hairpinned makes its answers known as such",
		since: Release{21, 3, 0}, authority: "OVN commit 022ea339c, lflow: Use learn() action to generate LB " +
			"hairpin reply flows",
	},
	SilentOnResets: {
		name: "silent-on-resets", what: "reject does not answer TCP resets and ICMP unreachables",
		since: Release{21, 12, 0}, backports: []Release{{21, 9, 2}},
		authority: "OVN commit bcd9a8fb1, Avoid infinite replying for TCP/ICMP connection reset messages",
	},
	FreshTOS: {
		name: "icmp-fresh-tos", what: "ICMP errors do not take over the packet's traffic class",
		since:     Release{21, 12, 1},
		authority: "OVN commit 69b9ccde0, pinctrl: Ensure packet headers are properly aligned for ICMP errors",
	},
	GatewayPortZones: {
		name: "gateway-port-zones", what: "l3gateway, chassisredirect and localnet ports have conntrack zones of " +
			"their own",
		since: Release{22, 3, 0}, authority: "zone lists recorded from chassis of OVN 21.12 and 22.03",
	},
	DNSCountsAnew: {
		name: "dns-counts-anew", what: "a DNS answer says that it has no additional records, even if the query " +
			"had some",
		since: Release{22, 3, 0}, backports: []Release{{21, 9, 2}, {21, 12, 1}},
		authority: "OVN commit f167c0bcd, Set additional header in DNS message explicitly",
	},
	TransitPatches: {
		name: "transit-patches", what: "a flood on a transit switch reaches the routers of the chassis it comes to " +
			"by tunnel",
		since: Release{22, 3, 0}, authority: "OVN commit 974618c61, ovn-ic: physical: Support multicast_group " +
			"flooding on IC transit switches",
	},
	RemoteCopies: {
		name: "remote-copies", what: "each remote port in a flood gets a tunnel packet of its own",
		since: Release{22, 6, 0}, authority: "OVN commit c6b20c994, ovn-ic: Support IGMP/MLD in multi-AZ deployments",
	},
	SnoopedReports: {
		name: "snooped-reports", what: "on a switch that snoops, IGMP and MLD reports go to multicast routers, " +
			"queries to every host",
		since: Release{22, 9, 0}, authority: "OVN commit 6aeeccdf2, multicast: Properly flood IGMP queries and reports",
	},
	BuiltWithOVS3: {
		name: "built-with-ovs-3", what: "it goes with Open vSwitch 3.0 or later, where a chassis does not tell better",
		since: Release{22, 12, 0}, authority: "the ovs submodule of each release of OVN",
	},
	BindingAwaited: {
		name: "binding-awaited", what: "a packet held for its next hop waits for a change of MAC_Binding, even if " +
			"the row is there",
		since: Release{23, 3, 0}, until: Release{23, 9, 0},
		authority: "OVN commit bbd5e0d81, controller: improve buffered packets management; recordings of seven " +
			"releases",
	},
	FlushesBackends: {
		name: "flushes-backends", what: "connections to a backend that its load balancer has no more are flushed",
		since: Release{23, 3, 0}, authority: "OVN commit e238662ca, controller: Flush CT for removed LB backends",
	},
	DNSIgnoresAdditional: {
		name: "dns-ignores-additional", what: "DNS queries with additional records are not answered",
		since: Release{23, 6, 0}, backports: []Release{{22, 3, 3}, {22, 9, 2}, {22, 12, 1}, {23, 3, 1}},
		authority: "OVN commit 4b10571aa, controller: Ignore DNS queries with RRs",
	},
	HoldsFour: {
		name: "holds-four-packets", what: "four packets, not three, are held for a next hop",
		since: Release{23, 6, 0}, authority: "OVN commit a2c2ed821, pinctrl: Simplify packet buffering structure",
	},
	FlushesIfAsked: {
		name: "flushes-if-asked", what: "connections to backends are flushed only for load balancers with ct_flush",
		since: Release{23, 6, 0}, backports: []Release{{23, 3, 1}},
		authority: "OVN commit 1ad77917d, controller: Add config option per LB to enable/disable CT flush",
	},
	DHCPv6Release: {
		name: "dhcpv6-release", what: "RELEASE of DHCPv6 is answered",
		since: Release{23, 9, 0}, authority: "OVN commit 96088d496, controller: Properly handle DHCPv6 Release message",
	},
	AdvertHopLimit: {
		name: "port-security-hop-limit", what: "port security wants a hop limit of 255, not 225, of neighbor " +
			"advertisements",
		since: Release{23, 9, 0}, backports: []Release{{22, 9, 3}, {22, 12, 2}, {23, 3, 2}, {23, 6, 2}},
		authority: "OVN commit bb7157467, Use correct nw_ttl=255 to match against legit NAs",
	},
	AdvertToAllNodes: {
		name: "ra-to-all-nodes", what: "a router solicitation from :: is answered at ff02::1, not at ::",
		since: Release{23, 9, 1}, backports: []Release{{22, 3, 5}, {23, 3, 3}, {23, 6, 3}},
		authority: "OVN commit 430c0fd32, pinctrl: Reply with correct destination for ICMPv6 RA packets",
	},
	HealthReset: {
		name: "health-check-reset", what: "health checks end with RST, not with RST and ACK",
		since: Release{23, 9, 1}, backports: []Release{{22, 3, 5}, {23, 3, 3}, {23, 6, 3}},
		authority: "OVN commit a35725a7a, pinctrl: send RST instead of RST_ACK bit for lb hc",
	},
	DNSDropsAdditional: {
		name: "dns-drops-additional", what: "DNS queries with additional records are answered, without those records",
		since: Release{24, 3, 0}, backports: []Release{{22, 3, 6}, {23, 3, 3}, {23, 6, 3}, {23, 9, 2}},
		authority: "OVN commit b7fe2c8b1, pinctrl: dns: Ignore additional records",
	},
	DNSOwned: {
		name: "dns-ovn-owned", what: "a query for an address family that a name of OVN's own does not have is refused",
		since: Release{24, 3, 0}, authority: "OVN commit 1622526ff, DNS: allow defining records that owned by OVN only",
	},
	DHCPEthernetOnly: {
		name: "dhcp-ethernet-only", what: "DHCP requests of clients that are not on Ethernet are not answered",
		since: Release{24, 9, 0}, authority: "OVN commit 683a3a36d, controller: DHCP Relay Agent support",
	},
	PrefixToAllServers: {
		name:  "prefix-to-all-servers",
		what:  "the DHCPv6 REQUEST for a delegated prefix goes to all servers, not to the one that offered it",
		since: Release{24, 9, 0}, backports: []Release{{23, 6, 4}, {23, 9, 4}, {24, 3, 2}},
		authority: "OVN commit a0ac4d1f9, controller: Use multicast for IPv6 Prefix Delegation",
	},
	CTNextZone: {
		name: "ct-next-zone", what: "ct_next names its zone",
		since: Release{25, 3, 0}, backports: []Release{{24, 3, 4}, {24, 9, 1}},
		authority: "OVN commit 8114a5c60, Use ct_next to get the CT state for direct SNAT",
	},
	ResolvesOtherFamily: {
		name: "resolves-other-family", what: "arp is sent for IPv6 packets too, nd_ns for IPv4 ones",
		since: Release{25, 3, 0}, authority: "OVN commit bcba1b74c, pinctrl: Handle arp/nd for other address families",
	},
	FlushesLabels: {
		name: "flushes-labels", what: "connections by an ECMP next hop or of an ACL that is gone are flushed, if the " +
			"chassis says that its Open vSwitch can",
		since:     Release{25, 3, 0},
		authority: "OVN's controller/ecmp-next-hop-monitor.c and controller/acl-ids.c, both new in 25.03",
	},
	StrictNeighbors: {
		name:  "port-security-strict-nd",
		what:  "port security checks the Ethernet source, and drops the other solicitations, of neighbor discovery",
		since: Release{26, 3, 0}, backports: []Release{{24, 3, 8}, {25, 3, 3}, {25, 9, 3}},
		authority: "OVN commits 49f46bf9c, 35144aba9 and 9e69b9627, on port security in lflow",
	},
	DNSShuffles: {
		name: "dns-shuffles", what: "the addresses of a DNS answer are in random order",
		since: Release{26, 3, 0}, authority: "OVN commit 4fa064dbc, pinctrl: Randomize DNS response IP order " +
			"for load balancing",
	},
	SolicitsForIPv4: {
		name: "nd-ns-for-ipv4", what: "nd_ns solicits the next hop in xxreg0 for an IPv4 packet, not an address of " +
			"all ones",
		since: Release{26, 3, 2}, backports: []Release{{25, 3, 4}, {25, 9, 4}},
		authority: "OVN commit d682437f9, pinctrl: Use correct IPv6 dst for nd_ns action for IPv4 over v6",
	},
	SolicitsNextHop: {
		name: "nd-ns-next-hop", what: "nd_ns solicits the next hop in xxreg0, not an IPv6 packet's destination",
		since: Release{26, 3, 3}, authority: "OVN commit 796071dc8, northd: Remove per-IPv6-route priority-200 " +
			"nd_ns flows",
	},
}

// Changes are the changes that one OVN has.
type Changes uint64

// Has reports whether one is among them.
func (c Changes) Has(x Change) bool { return c>>x&1 != 0 }

// Changes returns the changes that the network's OVN has. A database that does
// not say which OVN wrote it is taken to be of the newest.
func (z *AZ) Changes() (c Changes) {
	v, said := z.Release()
	for x := range knowledge {
		if applies, _ := knowledge[x].applies(v, said); applies {
			c |= 1 << x
		}
	}
	return c
}

// Has reports whether the network's OVN has a change.
func (z *AZ) Has(x Change) bool { return z.Changes().Has(x) }

// Behaviour says of one change whether it applies, and why.
type Behaviour struct {
	Name      string `json:"name"`
	Applies   bool   `json:"applies"`
	What      string `json:"what"`
	Why       string `json:"why"`
	Authority string `json:"authority"`
}

// Behaviours says of every change whether the network's OVN has it.
func (z *AZ) Behaviours() []Behaviour {
	v, said := z.Release()
	var list []Behaviour
	for _, k := range knowledge {
		applies, why := k.applies(v, said)
		list = append(list, Behaviour{k.name, applies, k.what, why, k.authority})
	}
	return list
}

// applies decides whether a release has a change.
func (k *known) applies(v Release, said bool) (applies bool, why string) {
	if !said {
		return k.until == Release{}, "the database does not say which OVN wrote it: taken for the newest"
	}
	if i := slices.IndexFunc(k.backports, func(r Release) bool {
		return r.Year == v.Year && r.Month == v.Month
	}); i >= 0 {
		r := k.backports[i]
		return !v.Before(r), fmt.Sprintf("%v brought it to this series", r)
	}
	switch {
	case v.Before(k.since):
		return false, fmt.Sprintf("came with %v", k.since)
	case k.until != Release{} && !v.Before(k.until):
		return false, fmt.Sprintf("came with %v and went with %v", k.since, k.until)
	}
	return true, fmt.Sprintf("came with %v", k.since)
}

// Before reports whether r is an earlier release than s.
func (r Release) Before(s Release) bool {
	return cmp.Or(cmp.Compare(r.Year, s.Year), cmp.Compare(r.Month, s.Month), cmp.Compare(r.Patch, s.Patch)) < 0
}

// String returns the release as OVN writes it.
func (r Release) String() string { return fmt.Sprintf("%d.%02d.%d", r.Year, r.Month, r.Patch) }

// Release returns the release of the OVN that wrote the database, of a Version
// such as "23.03.1-20.27.0-70.6"; false if the database does not say it.
func (z *AZ) Release() (r Release, said bool) {
	words, _ := fmt.Sscanf(z.Version, "%d.%d.%d", &r.Year, &r.Month, &r.Patch)
	return r, words >= 2
}
