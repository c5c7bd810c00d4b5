package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Apart is why networks of several databases are not joined by themselves: which of
// them is meant only who asked can know.
type Apart struct {
	Reason string // a sentence about two of them
	// Together are those that can be joined: of each zone the database that is the
	// latest, by their places. Fewer than two: none can.
	Together []int
}

// ApartOf says why networks, none of them joined, are not those of one network, a zone
// each; nil if they are. Names are what the databases are called, in their order.
func ApartOf(nets []*Network, names []string) *Apart {
	for i, n := range nets {
		for j, m := range nets[:i] {
			if why := n.sameZone(m); why != "" {
				return &Apart{fmt.Sprintf("%s and %s are %s", names[j], names[i], why), together(nets)}
			}
		}
	}
	group := together(nets)
	for i := range nets {
		if !slices.Contains(group, i) {
			k, l := min(i, group[0]), max(i, group[0])
			return &Apart{fmt.Sprintf("nothing connects %s and %s: %s", names[k], names[l],
				disconnected(nets[k], nets[l], names[k], names[l])), group}
		}
	}
	return nil
}

// together finds the most networks that transit switches connect, no two of them of
// one zone: of its databases the latest.
func together(nets []*Network) (most []int) {
	places := make([]int, len(nets))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(i, j int) int {
		return cmp.Or(nets[j].AsOf.Compare(nets[i].AsOf), cmp.Compare(nets[j].Stamp, nets[i].Stamp))
	})
	for _, first := range places {
		group := []int{first}
		for k := 0; k < len(group); k++ {
			for _, i := range places {
				if nets[group[k]].meets(nets[i]) && !slices.ContainsFunc(group, func(j int) bool {
					return i == j || nets[i].sameZone(nets[j]) != ""
				}) {
					group = append(group, i)
				}
			}
		}
		if len(group) > len(most) {
			most = group
		}
	}
	slices.Sort(most)
	return most
}

// sameZone says how two networks are of one zone, "" if they are not.
func (n *Network) sameZone(m *Network) string {
	if d := n.AZ.shares(m.AZ); d != nil {
		return fmt.Sprintf("states of one database: both have datapath %s (%s)", d.Name, d.UUID)
	}
	for _, c := range n.Chassis {
		was := m.chassis[c.Name]
		if was != nil && !was.Remote() && !c.Remote() && n.houses(c) == m.houses(was) {
			return fmt.Sprintf("databases of one zone, made anew between them: both have chassis %s for their own",
				c.Host())
		}
	}
	return ""
}

// houses reports whether a chassis of a network has a port of the network's own zone. One that has none, and in
// another zone's network has some, is that zone's, whatever is said of it.
func (n *Network) houses(c *Chassis) bool {
	return slices.ContainsFunc(n.Ports[min(1, len(n.Ports)):], func(p *Port) bool {
		return p.Type != Remote && (p.Chassis == c || p.ActiveChassis() == c)
	})
}

// disconnected says why no transit switch leads from one network to another.
func disconnected(n, m *Network, nName, mName string) string {
	of := [2]map[string]uint32{n.transitKeys(), m.transitKeys()}
	for _, name := range slices.Sorted(maps.Keys(of[0])) {
		if key, both := of[1][name]; both {
			return fmt.Sprintf("transit switch %s has tunnel key %d in one and %d in the other", name, of[0][name],
				key)
		}
	}
	say := func(name string, keys map[string]uint32) string {
		if len(keys) == 0 {
			return name + " has no transit switch"
		}
		return name + " has " + strings.Join(slices.Sorted(maps.Keys(keys)), ", ")
	}
	if len(of[0]) == 0 && len(of[1]) == 0 {
		return "neither has a transit switch"
	}
	return "they share no transit switch: " + say(nName, of[0]) + ", " + say(mName, of[1])
}

// transitKeys are the tunnel keys of the transit switches by their names.
func (n *Network) transitKeys() map[string]uint32 {
	keys := map[string]uint32{}
	for _, d := range n.Datapaths {
		if d.TransitSwitch() {
			keys[d.Name] = d.TunnelKey
		}
	}
	return keys
}
