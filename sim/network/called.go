package network

import (
	"cmp"
	"slices"
	"strings"
)

// Neutron calls switches and routers neutron-UUID, and ports by UUIDs. What people
// know of them stands in external_ids, which northd copies: the name of a network
// or router as name2, that of a port as name; the machine that a port is of as
// neutron:device_id. Kubernetes' ports are namespace_pod.

// Called is what people call a datapath: its second name, or its own.
func (d *Datapath) Called() string { return cmp.Or(d.Name2, d.Name) }

// Called is what people call a port, which leads to it alone: the name they gave
// it, or the machine that it is of, or its own name.
func (p *Port) Called() string { return cmp.Or(p.called, p.Name2, p.Name) }

// Call gives a port what Called returns, where the rest of its network is not at hand.
func (p *Port) Call(name string) { p.called = name }

// Host is what people call a chassis: its host's name, if it says.
func (c *Chassis) Host() string { return cmp.Or(c.Hostname, c.Name) }

// neutron is the beginning of the names of Neutron's switches and routers.
const neutron = "neutron-"

// otherNames are the names of a port beside its own, the best first.
func (p *Port) otherNames() (names []string) {
	ids := p.ExternalIDs
	add := func(name string) {
		if name != "" && name != p.Name && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(p.Name2)
	add(ids["neutron:port_name"])
	switch owner := ids["neutron:device_owner"]; {
	case strings.HasPrefix(owner, "compute:") || strings.HasPrefix(owner, "baremetal:"):
		add(ids["neutron:device_id"])
	case owner == "network:distributed" || owner == "network:dhcp":
		add("metadata of " + p.Datapath.Called())
	}
	// Neutron names these after rows of its own.
	switch {
	case p.Type == Localnet && strings.HasPrefix(p.Name, "provnet-"):
		add(p.Options[NetworkName])
	case p.Datapath.Router && strings.HasPrefix(p.Name, "lrp-") && p.Peer != nil:
		add(p.Datapath.Called() + " on " + p.Peer.Datapath.Called())
	case strings.HasPrefix(ids["neutron:device_owner"], "network:router") && p.Peer != nil:
		add(p.Datapath.Called() + " to " + p.Peer.Datapath.Called())
	}
	if ids["pod"] == "true" {
		if pod, ok := strings.CutPrefix(p.Name, ids["namespace"]+"_"); ok {
			names = append(names, ids["namespace"]+"/"+pod) // another way to write it
		}
	}
	return names
}

// fileNames files ports by their other names; one that several have leads to
// none. What the ports are called is the best name that leads to them alone, if
// they are Neutron's, or have a name that people gave them.
func (n *Network) fileNames() {
	clear(n.portByName2)
	for _, p := range n.Ports[1:] {
		if p.Twin != nil {
			continue // it is another zone's
		}
		for _, name := range p.otherNames() {
			if q, taken := n.portByName2[name]; taken && q != p {
				n.portByName2[name] = nil
			} else {
				n.portByName2[name] = p
			}
		}
	}
	for _, p := range n.Ports[1:] {
		p.called = p.Name
		for _, name := range p.otherNames() {
			if strings.Contains(name, "/") && p.ExternalIDs["pod"] == "true" {
				continue
			}
			if n.portByName2[name] != nil && n.Port(name) == n.portByName2[name] {
				p.called = name
				break
			}
		}
	}
}
