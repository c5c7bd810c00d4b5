package network

// Become makes n what m is, while everything that both have stays itself: a
// datapath, port, group or flow with the same UUID, and a chassis with the same
// name, keep their address in memory and their index, and take m's contents.
// What n does not have yet is added behind the rest. What m has no more keeps
// its index too, for whoever still knows it, but nothing leads to it: a port
// without addresses at no chassis, a datapath without ports and flows.
//
// m must not be used afterwards.
func (n *Network) Become(m *Network) {
	k := kept{
		chassis: map[*Chassis]*Chassis{}, datapaths: map[*Datapath]*Datapath{}, ports: map[*Port]*Port{},
		groups: map[*Group]*Group{}, flows: map[*Flow]*Flow{},
	}
	k.keepChassis(n, m)
	k.keepDatapaths(n, m)
	k.keepPorts(n, m)
	k.keepGroups(n, m)
	k.keepFlows(n, m)
	chassis, datapaths, ports, groups, flows := n.Chassis, n.Datapaths, n.Ports, n.Groups, n.Flows
	became := n.Became + 1
	*n = *m
	n.Became = became
	n.Chassis, n.Datapaths, n.Ports, n.Groups, n.Flows = chassis, datapaths, ports, groups, flows
	k.link(n)
}

// kept leads from each object of the new network to the one that stands for it.
type kept struct {
	chassis   map[*Chassis]*Chassis
	datapaths map[*Datapath]*Datapath
	ports     map[*Port]*Port
	groups    map[*Group]*Group
	flows     map[*Flow]*Flow
}

// keep makes the objects of list that are in with too what they are there, and
// appends the others of with; all leads from with's objects to those that stand
// for them. It returns the objects that with does not have, by what names them.
func keep[T any](list *[]*T, with []*T, all map[*T]*T, name func(*T) string, index func(*T) *int) (gone map[string]*T) {
	gone = map[string]*T{}
	for _, x := range *list {
		if x != nil { // no port has index 0
			gone[name(x)] = x
		}
	}
	for _, x := range with {
		was, ok := gone[name(x)]
		if ok {
			delete(gone, name(x))
			*index(x) = *index(was)
			*was = *x
		} else {
			was = x
			*index(was) = len(*list)
			*list = append(*list, was)
		}
		all[x] = was
	}
	return gone
}

func (k *kept) keepChassis(n, m *Network) {
	keep(&n.Chassis, m.Chassis, k.chassis, func(c *Chassis) string { return c.Name },
		func(c *Chassis) *int { return &c.Index })
}

func (k *kept) keepDatapaths(n, m *Network) {
	gone := keep(&n.Datapaths, m.Datapaths, k.datapaths, func(d *Datapath) string { return d.UUID },
		func(d *Datapath) *int { return &d.Index })
	for _, d := range gone {
		*d = Datapath{Index: d.Index, UUID: d.UUID, AZ: d.AZ, TunnelKey: d.TunnelKey, Name: d.Name, Router: d.Router,
			SNATCTZone: -1}
	}
}

func (k *kept) keepPorts(n, m *Network) {
	gone := keep(&n.Ports, m.Ports[1:], k.ports, func(p *Port) string { return p.UUID },
		func(p *Port) *int { return &p.Index })
	for _, p := range gone {
		*p = Port{Index: p.Index, UUID: p.UUID, Name: p.Name, Type: p.Type, TypeName: p.TypeName, Datapath: p.Datapath}
	}
}

func (k *kept) keepGroups(n, m *Network) {
	gone := keep(&n.Groups, m.Groups, k.groups, func(g *Group) string { return g.UUID },
		func(g *Group) *int { return &g.Index })
	for _, g := range gone {
		g.Ports = nil
	}
}

func (k *kept) keepFlows(n, m *Network) {
	gone := keep(&n.Flows, m.Flows, k.flows, func(f *Flow) string { return f.UUID },
		func(f *Flow) *int { return &f.Index })
	for _, f := range gone {
		f.Datapaths = nil
	}
}

// link makes everything in n refer to what n kept.
func (k *kept) link(n *Network) {
	for _, d := range k.datapaths {
		swap(d.Ports, k.ports)
		swap(d.Groups, k.groups)
		swap(d.Localnet, k.ports)
		for _, tables := range d.Flows {
			for _, flows := range tables {
				swap(flows, k.flows)
			}
		}
	}
	for _, p := range k.ports {
		k.linkPort(p)
	}
	for _, g := range k.groups {
		g.Datapath = of(k.datapaths, g.Datapath)
		swap(g.Ports, k.ports)
	}
	for _, f := range k.flows {
		swap(f.Datapaths, k.datapaths)
	}
	k.linkRows(n)
	for _, z := range n.AZs {
		swapMap(z.portByName, k.ports)
		swapMap(z.dpByKey, k.datapaths)
	}
	swapMap(n.portByName2, k.ports)
	swapMap(n.portByUUID, k.ports)
	swapMap(n.chassis, k.chassis)
}

func (k *kept) linkPort(p *Port) {
	p.Datapath = of(k.datapaths, p.Datapath)
	p.Peer, p.Distributed, p.Parent = of(k.ports, p.Peer), of(k.ports, p.Distributed), of(k.ports, p.Parent)
	p.MirrorTo, p.Twin = of(k.ports, p.MirrorTo), of(k.ports, p.Twin)
	p.Chassis, p.active = of(k.chassis, p.Chassis), of(k.chassis, p.active)
	swap(p.Additional, k.chassis)
	for i := range p.HAChassis {
		p.HAChassis[i].Chassis = of(k.chassis, p.HAChassis[i].Chassis)
	}
	swap(p.Containers, k.ports)
}

// linkRows links the tables whose rows nobody keeps.
func (k *kept) linkRows(n *Network) {
	for _, list := range [][]MACBinding{n.MACBindings, n.StaticMACs} {
		for i := range list {
			list[i].Datapath, list[i].Port = of(k.datapaths, list[i].Datapath), of(k.ports, list[i].Port)
		}
	}
	for _, lb := range n.LoadBalancers {
		swap(lb.Datapaths, k.datapaths)
	}
	for _, d := range n.DNS {
		swap(d.Datapaths, k.datapaths)
	}
	for i := range n.IPMulticast {
		n.IPMulticast[i].Datapath = of(k.datapaths, n.IPMulticast[i].Datapath)
	}
	for i := range n.FDB {
		n.FDB[i].Datapath = of(k.datapaths, n.FDB[i].Datapath)
	}
	for i := range n.BFD {
		n.BFD[i].Port = of(k.ports, n.BFD[i].Port)
	}
	for i := range n.ECMPNexthops {
		h := &n.ECMPNexthops[i]
		h.Port, h.Datapath = of(k.ports, h.Port), of(k.datapaths, h.Datapath)
	}
}

// of returns what stands for x: x itself if nothing else does.
func of[T any](kept map[*T]*T, x *T) *T {
	if was, ok := kept[x]; ok {
		return was
	}
	return x
}

// swap replaces the elements of a list. Doing it twice does no harm: lists
// that several objects share are met more than once.
func swap[T any](list []*T, kept map[*T]*T) {
	for i, x := range list {
		list[i] = of(kept, x)
	}
}

func swapMap[K comparable, T any](m map[K]*T, kept map[*T]*T) {
	for key, x := range m {
		m[key] = of(kept, x)
	}
}
