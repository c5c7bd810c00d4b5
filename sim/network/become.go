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
	*n = *m
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

func (k *kept) keepChassis(n, m *Network) {
	old := map[string]*Chassis{}
	for _, c := range n.Chassis {
		old[c.Name] = c
	}
	for _, c := range m.Chassis {
		was, ok := old[c.Name]
		if ok {
			c.Index = was.Index
			*was = *c
		} else {
			was = c
			was.Index = len(n.Chassis)
			n.Chassis = append(n.Chassis, was)
		}
		k.chassis[c] = was
	}
}

func (k *kept) keepDatapaths(n, m *Network) {
	old := map[string]*Datapath{}
	for _, d := range n.Datapaths {
		old[d.UUID] = d
	}
	for _, d := range m.Datapaths {
		was, ok := old[d.UUID]
		if ok {
			delete(old, d.UUID)
			d.Index = was.Index
			*was = *d
		} else {
			was = d
			was.Index = len(n.Datapaths)
			n.Datapaths = append(n.Datapaths, was)
		}
		k.datapaths[d] = was
	}
	for _, gone := range old {
		*gone = Datapath{Index: gone.Index, UUID: gone.UUID, TunnelKey: gone.TunnelKey, Name: gone.Name, Router: gone.Router, SNATCTZone: -1}
	}
}

func (k *kept) keepPorts(n, m *Network) {
	old := map[string]*Port{}
	for _, p := range n.Ports[1:] {
		old[p.UUID] = p
	}
	for _, p := range m.Ports[1:] {
		was, ok := old[p.UUID]
		if ok {
			delete(old, p.UUID)
			p.Index = was.Index
			*was = *p
		} else {
			was = p
			was.Index = len(n.Ports)
			n.Ports = append(n.Ports, was)
		}
		k.ports[p] = was
	}
	for _, gone := range old {
		*gone = Port{Index: gone.Index, UUID: gone.UUID, Name: gone.Name, Type: gone.Type, TypeName: gone.TypeName, Datapath: gone.Datapath}
	}
}

func (k *kept) keepGroups(n, m *Network) {
	old := map[string]*Group{}
	for _, g := range n.Groups {
		old[g.UUID] = g
	}
	for _, g := range m.Groups {
		was, ok := old[g.UUID]
		if ok {
			delete(old, g.UUID)
			g.Index = was.Index
			*was = *g
		} else {
			was = g
			was.Index = len(n.Groups)
			n.Groups = append(n.Groups, was)
		}
		k.groups[g] = was
	}
	for _, gone := range old {
		gone.Ports = nil
	}
}

func (k *kept) keepFlows(n, m *Network) {
	old := map[string]*Flow{}
	for _, f := range n.Flows {
		old[f.UUID] = f
	}
	for _, f := range m.Flows {
		was, ok := old[f.UUID]
		if ok {
			delete(old, f.UUID)
			f.Index = was.Index
			*was = *f
		} else {
			was = f
			was.Index = len(n.Flows)
			n.Flows = append(n.Flows, was)
		}
		k.flows[f] = was
	}
	for _, gone := range old {
		gone.Datapaths = nil
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
	swapMap(n.portByName, k.ports)
	swapMap(n.portByName2, k.ports)
	swapMap(n.portByUUID, k.ports)
	swapMap(n.dpByKey, k.datapaths)
	swapMap(n.chassis, k.chassis)
}

func (k *kept) linkPort(p *Port) {
	p.Datapath = of(k.datapaths, p.Datapath)
	p.Peer, p.Distributed, p.Parent = of(k.ports, p.Peer), of(k.ports, p.Distributed), of(k.ports, p.Parent)
	p.MirrorTo = of(k.ports, p.MirrorTo)
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
