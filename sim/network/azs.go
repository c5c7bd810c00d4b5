package network

import "cmp"

// AZSummary says what an availability zone has.
type AZSummary struct {
	Name    string   `json:"zone"`
	Source  string   `json:"path"`
	Chassis []string `json:"chassis"`       // hostname, or name without one
	Transit []string `json:"joined_by"`     // its transit switches
	Ports   []string `json:"logical_ports"` // interfaces of its own chassis
}

// AZSummaries says what each zone has, in the order in which they were joined.
func (n *Network) AZSummaries() []AZSummary {
	list := make([]AZSummary, len(n.AZs))
	for i, z := range n.AZs {
		list[i] = AZSummary{Name: z.Name, Source: z.Source, Chassis: []string{}, Transit: []string{},
			Ports: []string{}}
	}
	for _, c := range n.Chassis {
		if c.Remote() {
			continue
		}
		list[c.AZ.Index].Chassis = append(list[c.AZ.Index].Chassis, cmp.Or(c.Hostname, c.Name))
	}
	for _, d := range n.Datapaths {
		if d.TransitSwitch() {
			list[d.AZ.Index].Transit = append(list[d.AZ.Index].Transit, d.Name)
		}
	}
	for _, p := range n.Ports[1:] {
		if i := p.Datapath.AZ.Index; p.Type == VIF && p.Chassis != nil {
			list[i].Ports = append(list[i].Ports, p.Name)
		}
	}
	return list
}
