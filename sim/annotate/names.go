package annotate

import (
	"net/netip"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// maxNames bounds the names of a file.
const maxNames = 1 << 16

// names returns what the network calls addresses: after pods and machines, then
// routers' ports, services and chassis. An address that several of a kind have,
// as two tenants may, has no name.
func names(net *network.Network) []pcap.Name {
	var all []pcap.Name
	taken := map[netip.Addr]bool{}
	add := func(kind []pcap.Name) {
		count := map[netip.Addr]int{}
		for i, n := range kind {
			if i == 0 || kind[i-1] != n {
				count[n.Addr]++
			}
		}
		for _, n := range kind {
			if !taken[n.Addr] && count[n.Addr] == 1 && len(all) < maxNames {
				taken[n.Addr] = true
				all = append(all, n)
			}
		}
		for a := range count {
			taken[a] = true
		}
	}
	add(ports(net, false))
	add(ports(net, true))
	add(services(net))
	add(chassis(net))
	return all
}

// ports names the addresses of routers' ports, or of all others.
func ports(net *network.Network, routers bool) (out []pcap.Name) {
	for _, p := range net.Ports {
		if p == nil || p.Datapath.Router != routers || p.Type == network.ChassisRedirect {
			continue
		}
		if !routers && (p.Type == network.Patch || p.Type == network.L3Gateway || p.Type == network.Localnet) {
			continue
		}
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				out = append(out, pcap.Name{Addr: ip.Addr(), Name: clean(p.Called())})
			}
		}
	}
	return out
}

func services(net *network.Network) (out []pcap.Name) {
	for _, lb := range net.LoadBalancers {
		var last netip.Addr
		for v := range net.VIPs(lb) {
			if lb.Name != "" && v.Addr != last {
				out = append(out, pcap.Name{Addr: v.Addr, Name: clean(lb.Name)})
			}
			last = v.Addr
		}
	}
	return out
}

func chassis(net *network.Network) (out []pcap.Name) {
	for _, c := range net.Chassis {
		name := c.Hostname
		if name == "" {
			name = c.Name
		}
		for i, e := range c.Encaps {
			if a, err := netip.ParseAddr(e.IP); err == nil && (i == 0 || c.Encaps[i-1].IP != e.IP) {
				out = append(out, pcap.Name{Addr: a, Name: clean(name)})
			}
		}
	}
	return out
}
