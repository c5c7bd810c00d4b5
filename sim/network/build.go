package network

import (
	"slices"
	"strings"
)

// New returns a network with nothing in it. Its parts are added in the order
// in which Network lists them; Complete ends that. An archive adds only the
// parts that are needed to name what a packet met, and does not complete it.
func New() *Network {
	z := newAZ()
	return &Network{
		AZ: z, AZs: []*AZ{z},
		Ports: []*Port{nil}, portByName2: map[string]*Port{}, portByUUID: map[string]*Port{},
		chassis: map[string]*Chassis{},
	}
}

// AddChassis adds a chassis. Of several of one name the first has it.
func (n *Network) AddChassis(c *Chassis) {
	c.Index, c.AZ = len(n.Chassis), n.AZ
	n.Chassis = append(n.Chassis, c)
	if n.chassis[c.Name] == nil {
		n.chassis[c.Name] = c
	}
}

// AddDatapath adds a datapath. Of several of one tunnel key the first has it.
func (n *Network) AddDatapath(d *Datapath) {
	d.Index, d.AZ = len(n.Datapaths), n.AZ
	n.Datapaths = append(n.Datapaths, d)
	if n.dpByKey[d.TunnelKey] == nil {
		n.dpByKey[d.TunnelKey] = d
	}
}

// AddPort adds a port. Of several of one logical port name the first has it.
func (n *Network) AddPort(p *Port) {
	p.Index = len(n.Ports)
	n.Ports = append(n.Ports, p)
	n.portByUUID[p.UUID] = p
	if n.portByName[p.Name] == nil {
		n.portByName[p.Name] = p
	}
}

// AddGroup adds a multicast group.
func (n *Network) AddGroup(g *Group) {
	g.Index = len(n.Groups)
	n.Groups = append(n.Groups, g)
}

// AddFlow adds a logical flow.
func (n *Network) AddFlow(f *Flow) {
	f.Index = len(n.Flows)
	n.Flows = append(n.Flows, f)
}

// Complete files ports by their other names, every port, group and flow with
// its datapaths, and works out where each port is. What ports, groups and flows
// refer to is known by now.
func (n *Network) Complete() {
	for _, p := range n.Ports[1:] {
		d := p.Datapath
		d.Ports = append(d.Ports, p)
		if p.Type == Localnet {
			d.Localnet = append(d.Localnet, p)
		}
		d.HasVTEP = d.HasVTEP || p.Type == VTEP
	}
	for _, p := range n.Ports[1:] {
		p.settle(n)
	}
	n.fileNames()
	for _, g := range n.Groups {
		g.Datapath.Groups = append(g.Datapath.Groups, g)
	}
	n.fileFlows()
}

// fileFlows files each flow with its datapaths, by pipeline and table.
func (n *Network) fileFlows() {
	order := slices.Clone(n.Flows)
	// Most databases' are by UUID already; a stable sort by priority leaves that.
	if byUUID := func(a, b *Flow) int { return strings.Compare(a.UUID, b.UUID) }; !slices.IsSortedFunc(order, byUUID) {
		slices.SortFunc(order, byUUID)
	}
	order = byPriority(order)
	// Counting first, every list has just the room it needs.
	counts := make([][2][256]int32, len(n.Datapaths))
	tables := make([][2]int, len(n.Datapaths))
	for _, f := range order {
		p := pipeline(f.Egress)
		for _, d := range f.Datapaths {
			counts[d.Index][p][f.Table]++
			tables[d.Index][p] = max(tables[d.Index][p], int(f.Table)+1)
		}
	}
	for i, d := range n.Datapaths {
		for p := range d.Flows {
			d.Flows[p] = make([][]*Flow, tables[i][p])
			for t := range d.Flows[p] {
				d.Flows[p][t] = make([]*Flow, 0, counts[i][p][t])
			}
		}
	}
	for _, f := range order {
		p := pipeline(f.Egress)
		for _, d := range f.Datapaths {
			d.Flows[p][f.Table] = append(d.Flows[p][f.Table], f)
		}
	}
}

// byPriority returns flows by priority, highest first, else in their order.
func byPriority(flows []*Flow) []*Flow {
	at := make([]int32, 1<<16) // how many flows of higher priority there are
	for _, f := range flows {
		at[f.Priority]++
	}
	n := int32(0)
	for p := len(at) - 1; p >= 0; p-- {
		n, at[p] = n+at[p], n
	}
	sorted := make([]*Flow, len(flows))
	for _, f := range flows {
		sorted[at[f.Priority]] = f
		at[f.Priority]++
	}
	return sorted
}

func pipeline(egress bool) int {
	if egress {
		return 1
	}
	return 0
}
