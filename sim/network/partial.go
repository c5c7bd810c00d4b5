package network

// Partial returns a network with nothing in it. Parts of another network are
// added to it, as many as are needed to name what a packet met there; their
// Index fields are set to where they are in this one.
func Partial() *Network {
	return &Network{Ports: []*Port{nil}, portByName: map[string]*Port{}, chassis: map[string]*Chassis{}}
}

// AddPort adds a port to a partial network.
func (n *Network) AddPort(p *Port) {
	p.Index = len(n.Ports)
	n.Ports = append(n.Ports, p)
	n.portByName[p.Name] = p
}

// AddDatapath adds a datapath to a partial network.
func (n *Network) AddDatapath(d *Datapath) {
	d.Index = len(n.Datapaths)
	n.Datapaths = append(n.Datapaths, d)
}

// AddChassis adds a chassis to a partial network.
func (n *Network) AddChassis(c *Chassis) {
	c.Index = len(n.Chassis)
	n.Chassis = append(n.Chassis, c)
	n.chassis[c.Name] = c
}

// AddGroup adds a multicast group to a partial network.
func (n *Network) AddGroup(g *Group) {
	g.Index = len(n.Groups)
	n.Groups = append(n.Groups, g)
}

// AddFlow adds a logical flow to a partial network.
func (n *Network) AddFlow(f *Flow) {
	f.Index = len(n.Flows)
	n.Flows = append(n.Flows, f)
}
