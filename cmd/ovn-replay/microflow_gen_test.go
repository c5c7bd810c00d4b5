package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/sim/network"
)

// microflows makes up microflows that are likely to get somewhere in a
// network: addresses and ports that its ports, bindings, load balancers and
// logical flows know, mixed with some that they do not.
type microflows struct {
	rand  *rand.Rand
	net   *network.Network
	ports []*network.Port
	ips4  []netip.Addr
	ips6  []netip.Addr
	l4    []uint16
}

func newMicroflows(net *network.Network, seed uint64) *microflows {
	g := &microflows{rand: rand.New(rand.NewPCG(seed, 42)), net: net}
	for _, p := range net.Ports[1:] {
		if p.Type != network.ChassisRedirect {
			g.ports = append(g.ports, p)
		}
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				g.addIP(ip.Addr())
			}
		}
	}
	for _, b := range net.MACBindings {
		g.addIP(b.IP)
	}
	for _, lb := range net.LoadBalancers {
		for _, v := range lb.VIPs {
			g.addIP(v.Addr)
			if v.Port != 0 && !slices.Contains(g.l4, v.Port) {
				g.l4 = append(g.l4, v.Port)
			}
			for _, b := range v.Backends {
				g.addIP(b.Addr())
			}
		}
	}
	for _, f := range net.Flows {
		for _, w := range strings.FieldsFunc(f.Match, func(r rune) bool { return strings.ContainsRune(" {},()/", r) }) {
			if ip, err := netip.ParseAddr(w); err == nil {
				g.addIP(ip)
			}
		}
	}
	g.l4 = append(g.l4, 53, 68, 67, 80, 12345)
	g.ips4 = append(g.ips4, netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("224.0.0.251"),
		netip.MustParseAddr("255.255.255.255"), netip.IPv4Unspecified())
	g.ips6 = append(g.ips6, netip.MustParseAddr("2001:db8::99"), netip.MustParseAddr("ff02::1"),
		netip.MustParseAddr("fe80::1"))
	return g
}

func (g *microflows) addIP(ip netip.Addr) {
	list := &g.ips4
	if ip.Is6() {
		list = &g.ips6
	}
	if ip.IsValid() && !slices.Contains(*list, ip) {
		*list = append(*list, ip)
	}
}

func pick[T any](g *microflows, list []T) T { return list[g.rand.IntN(len(list))] }

func (g *microflows) mac(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// near returns an Ethernet address of the port's datapath.
func (g *microflows) near(p *network.Port) string {
	var all []string
	for _, q := range p.Datapath.Ports {
		for _, a := range q.Addresses {
			all = append(all, g.mac(a.MAC))
		}
		if q.Peer != nil {
			for _, a := range q.Peer.Addresses {
				all = append(all, g.mac(a.MAC))
			}
		}
	}
	if p.Datapath.Router && len(p.Addresses) > 0 && g.rand.IntN(3) > 0 {
		return g.mac(p.Addresses[0].MAC)
	}
	if len(all) == 0 {
		return "00:00:00:00:00:99"
	}
	return pick(g, all)
}

func (g *microflows) destination(p *network.Port) string {
	switch g.rand.IntN(12) {
	case 0:
		return "ff:ff:ff:ff:ff:ff"
	case 1:
		return "01:00:5e:00:00:fb"
	case 2:
		return "33:33:00:00:00:01"
	case 3:
		return "0e:00:00:00:00:99"
	}
	return g.near(p)
}

// next returns a microflow.
func (g *microflows) next() string {
	p := pick(g, g.ports)
	src := g.near(p)
	if len(p.Addresses) > 0 && !p.Datapath.Router && g.rand.IntN(6) > 0 {
		src = g.mac(pick(g, p.Addresses).MAC)
	}
	m := fmt.Sprintf("inport == %q && eth.src == %s && eth.dst == %s", p.Name, src, g.destination(p))
	switch g.rand.IntN(8) {
	case 0:
		return m
	case 1:
		return m + g.arp(src)
	case 2, 3:
		return m + g.ip6(p)
	}
	return m + g.ip4(p)
}

func (g *microflows) arp(src string) string {
	return fmt.Sprintf(" && arp.op == %d && arp.sha == %s && arp.spa == %s && arp.tha == 00:00:00:00:00:00 && arp.tpa "+
		"== %s",
		1+g.rand.IntN(2), src, pick(g, g.ips4), pick(g, g.ips4))
}

func (g *microflows) ttl() string {
	if g.rand.IntN(10) == 0 {
		return fmt.Sprintf(" && ip.ttl == %d", g.rand.IntN(3))
	}
	return " && ip.ttl == 64"
}

func (g *microflows) source(p *network.Port, v6 bool) netip.Addr {
	for _, a := range p.Addresses {
		for _, ip := range a.IPs {
			if ip.Addr().Is6() == v6 && g.rand.IntN(4) > 0 {
				return ip.Addr()
			}
		}
	}
	if v6 {
		return pick(g, g.ips6)
	}
	return pick(g, g.ips4)
}

func (g *microflows) ip4(p *network.Port) string {
	m := fmt.Sprintf(" && ip4.src == %s && ip4.dst == %s%s", g.source(p, false), pick(g, g.ips4), g.ttl())
	switch g.rand.IntN(6) {
	case 0:
		return m
	case 1:
		return m + fmt.Sprintf(" && icmp4.type == %d && icmp4.code == 0", []int{0, 8, 8, 8, 3, 11}[g.rand.IntN(6)])
	}
	return m + g.transport()
}

func (g *microflows) transport() string {
	proto := pick(g, []string{"tcp", "tcp", "udp", "sctp"})
	return fmt.Sprintf(" && %s.src == %d && %s.dst == %d", proto, pick(g, g.l4), proto, pick(g, g.l4))
}

func (g *microflows) ip6(p *network.Port) string {
	m := fmt.Sprintf(" && ip6.src == %s && ip6.dst == %s", g.source(p, true), pick(g, g.ips6))
	switch g.rand.IntN(5) {
	case 0:
		return m + g.ttl()
	case 1:
		return m + fmt.Sprintf(" && nd_ns && nd.target == %s && nd.sll == %s", pick(g, g.ips6), g.near(p))
	case 2:
		return m + fmt.Sprintf(" && nd_na && nd.target == %s && nd.tll == %s", pick(g, g.ips6), g.near(p))
	case 3:
		return m + g.ttl() + fmt.Sprintf(" && icmp6.type == %d && icmp6.code == 0",
			[]int{128, 128, 129, 133, 143}[g.rand.IntN(5)])
	}
	return m + g.ttl() + g.transport()
}
