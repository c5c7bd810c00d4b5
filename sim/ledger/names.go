package ledger

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/why"
)

// NewNames returns the names of a network's addresses. They follow the network
// as it changes.
//
// Of those for which NAT rows give packets another floating tells, if it is not nil.
func NewNames(net *network.Network, floating func() map[netip.Addr]netip.Addr) *Names {
	return &Names{net: net, floating: floating}
}

// Endpoint names an end of a connection: the service at its address and port,
// else the pod, VM, router or node that has the address; "" for one outside.
func (n *Names) Endpoint(t *nat.Tuple, dst bool) string {
	addr, port := t.SrcAddr(), t.SrcPort
	if dst {
		addr, port = t.DstAddr(), t.DstPort
	}
	if t.HasPorts() {
		if s := n.service(t.Proto, netip.AddrPortFrom(addr, port)); s != "" {
			return s
		}
	}
	return n.Address(addr)
}

// Address names who has an address, "" if nobody here has.
func (n *Names) Address(a netip.Addr) string {
	n.refresh()
	if name := n.by[a.String()]; name != "" {
		return name
	}
	return n.keptName(a.String())
}

// keptName is what a session calls an address at the moment, "" if it does not.
func (n *Names) keptName(key string) string {
	if n.kept == nil {
		return ""
	}
	return n.kept(key, n.now)
}

// Owner is the port that has an address, nil if none has.
func (n *Names) Owner(a netip.Addr) *network.Port {
	n.refresh()
	return n.owner[a]
}

// service names the load balancer of an address and port.
func (n *Names) service(proto uint8, at netip.AddrPort) string {
	n.refresh()
	for _, key := range [...]string{serviceKey(proto, at), at.Addr().String()} {
		if s := n.ports[key]; s != "" {
			return s
		}
	}
	return n.keptName(serviceKey(proto, at))
}

// Whose names who has an address and port, or, with port 0, the address: of a load balancer's
// address the load balancers, whatever their ports are. It is "" if nobody here has it.
func (n *Names) Whose(a netip.Addr, port uint16) string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if port != 0 {
		for _, proto := range [...]uint8{header.ProtoTCP, header.ProtoUDP, header.ProtoSCTP} {
			add(n.service(proto, netip.AddrPortFrom(a, port)))
		}
	}
	if len(names) == 0 {
		add(n.Address(a))
	}
	if len(names) == 0 && port == 0 {
		for _, key := range slices.Sorted(maps.Keys(n.ports)) {
			at, _, _ := strings.Cut(key, " ")
			if to, err := netip.ParseAddrPort(at); err == nil && to.Addr() == a || at == a.String() {
				add(n.ports[key])
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// serviceKey is what a service at an address and port is filed under: another protocol's may be
// another load balancer's.
func serviceKey(proto uint8, at netip.AddrPort) string {
	if proto == header.ProtoTCP {
		return at.String()
	}
	return at.String() + " " + packet.ProtoName(proto)
}

// each hands the names of a tuple's ends to keep, by what they are kept under.
func (n *Names) each(t *nat.Tuple, keep func(key, name string)) {
	for _, at := range [...]netip.AddrPort{netip.AddrPortFrom(t.SrcAddr(), t.SrcPort),
		netip.AddrPortFrom(t.DstAddr(), t.DstPort)} {
		if name := n.Address(at.Addr()); name != "" {
			keep(at.Addr().String(), name)
		}
		if name := n.service(t.Proto, at); name != "" && t.HasPorts() {
			keep(serviceKey(t.Proto, at), name)
		}
	}
}

// refresh reads the names anew when the network has become another.
func (n *Names) refresh() {
	if n.by != nil && n.of == n.net && n.became == n.net.Became {
		return
	}
	n.of, n.became, n.by, n.ports, n.owner = n.net, n.net.Became, map[string]string{}, map[string]string{},
		map[netip.Addr]*network.Port{}
	for _, c := range n.net.Chassis {
		for _, e := range c.Encaps {
			n.by[e.IP] = "node " + cmp.Or(c.Hostname, c.Name)
		}
	}
	for _, p := range n.net.Ports[min(1, len(n.net.Ports)):] {
		name := PortName(p)
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				if key := ip.Addr().String(); n.by[key] == "" || p.Type == network.VIF {
					n.by[key] = name
					n.owner[ip.Addr()] = p
				}
			}
		}
	}
	if n.floating != nil {
		for from, to := range n.floating() {
			if p := n.owner[to]; p != nil && n.by[from.String()] == "" {
				n.by[from.String()] = "floating IP of " + PortName(p)
			}
		}
	}
	for i := range n.net.ServiceMonitors {
		if m := &n.net.ServiceMonitors[i]; n.by[m.SrcIP] == "" && m.SrcIP != "" {
			n.by[m.SrcIP] = "OVN's health checks"
		}
	}
	for _, lb := range n.net.LoadBalancers {
		for v := range n.net.VIPs(lb) {
			key := v.Addr.String()
			if v.Port != 0 {
				key = serviceKey(cmp.Or(lb.Protocol, header.ProtoTCP), netip.AddrPortFrom(v.Addr, v.Port))
			}
			n.ports[key] = serviceName(lb.Name)
		}
	}
}

// Balancer is the load balancer of an address and port as a session's roster calls it, "" if it
// does not.
func Balancer(x *why.Explainer, proto uint8, at netip.AddrPort, now conntrack.Time) string {
	if x.Names == nil {
		return ""
	}
	for _, key := range [...]string{serviceKey(proto, at), at.Addr().String()} {
		name := x.Names(key, now)
		if balancer, is := strings.CutPrefix(name, balancerText); is {
			return balancer
		}
		if strings.HasPrefix(name, serviceText) {
			return name
		}
	}
	return ""
}

// What the names of services and of other load balancers begin with.
const (
	serviceText  = "service "
	balancerText = "load balancer "
)

// serviceName makes ovn-kubernetes' names readable: Service_default/web_TCP_cluster.
func serviceName(lb string) string {
	if s, ok := strings.CutPrefix(lb, "Service_"); ok {
		for _, proto := range [...]string{"_TCP_", "_UDP_", "_SCTP_"} {
			s, _, _ = strings.Cut(s, proto)
		}
		return serviceText + s
	}
	return balancerText + lb
}

// PortName says whose a port is, by external_ids as ovn-kubernetes and Neutron
// write them.
func PortName(p *network.Port) string {
	ids := p.ExternalIDs
	switch {
	case p.Datapath.Router:
		return "router " + cmp.Or(p.Datapath.Name2, p.Datapath.Name)
	case ids["pod"] == "true" && ids["namespace"] != "":
		return "pod " + ids["namespace"] + "/" + strings.TrimPrefix(p.Name, ids["namespace"]+"_")
	case ids["k8s.ovn.org/pod"] != "":
		return "pod " + ids["k8s.ovn.org/pod"]
	case ids["neutron:port_name"] != "" || p.Name2 != "":
		return "VM port " + cmp.Or(ids["neutron:port_name"], p.Name2)
	case ids["neutron:device_id"] != "":
		return "VM " + ids["neutron:device_id"]
	}
	return p.Name
}
