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

// fileFlows files each flow with its datapaths, by pipeline and table. Datapaths that have
// the same flows in a table share the list of them: thousands of switches have the same
// load balancers.
func (n *Network) fileFlows() {
	order := slices.Clone(n.Flows)
	// Most databases' are by UUID already; a stable sort by priority leaves that.
	if byUUID := func(a, b *Flow) int { return strings.Compare(a.UUID, b.UUID) }; !slices.IsSortedFunc(order, byUUID) {
		slices.SortFunc(order, byUUID)
	}
	order = byPriority(order)
	lists := flowLists{lists: make([]flowList, 1), made: map[int32][]*Flow{}}
	at := make([][2][]int32, len(n.Datapaths)) // the list of each table so far; 0: it is empty
	for _, f := range order {
		p := pipeline(f.Egress)
		lists.begin(f)
		for _, d := range f.Datapaths {
			tables := &at[d.Index][p]
			if short := int(f.Table) + 1 - len(*tables); short > 0 {
				*tables = append(*tables, make([]int32, short)...)
			}
			(*tables)[f.Table] = lists.longer((*tables)[f.Table])
		}
	}
	for i, d := range n.Datapaths {
		for p, tables := range at[i] {
			d.Flows[p] = make([][]*Flow, len(tables))
			for t, list := range tables {
				d.Flows[p][t] = lists.flows(list)
			}
		}
	}
}

// flowLists are lists of flows, each of which is another and one flow more. 0 is the
// empty one.
type flowLists struct {
	lists []flowList
	made  map[int32][]*Flow

	flow  *Flow // the one that is added
	first int32 // lists from here on have it
}

type flowList struct {
	flow   *Flow
	before int32 // what it was without the flow
	length int32
	longer int32 // what it became last
}

// begin says which flow is to be added.
func (l *flowLists) begin(f *Flow) { l.flow, l.first = f, int32(len(l.lists)) }

// longer returns a list with the flow added: the same for the same list.
func (l *flowLists) longer(list int32) int32 {
	switch longer := l.lists[list].longer; {
	case list >= l.first: // the flow names a datapath twice
		return list
	case longer >= l.first:
		return longer
	}
	longer := int32(len(l.lists))
	l.lists[list].longer = longer
	l.lists = append(l.lists, flowList{l.flow, list, l.lists[list].length + 1, 0})
	return longer
}

// flows returns a list's flows, in the order in which they were added.
func (l *flowLists) flows(list int32) []*Flow {
	if made, ok := l.made[list]; ok || list == 0 {
		return made
	}
	made := make([]*Flow, l.lists[list].length)
	for at := list; at != 0; at = l.lists[at].before {
		made[l.lists[at].length-1] = l.lists[at].flow
	}
	l.made[list] = made
	return made
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
