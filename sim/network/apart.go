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
	// Together are those that can be joined, a list for each network, the one of most
	// zones first: of each zone the database that is the latest, by their places.
	Together [][]int
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
	groups := together(nets)
	for i := range nets {
		if first := groups[0]; !slices.Contains(first, i) {
			k, l := min(i, first[0]), max(i, first[0])
			return &Apart{fmt.Sprintf("nothing connects %s and %s: %s", names[k], names[l],
				disconnected(nets[k], nets[l], names[k], names[l])), groups}
		}
	}
	return nil
}

// together finds the networks that transit switches connect, the one of most zones
// first, no two databases in each of one zone: of a zone's the latest that is in none
// before. The first is there even if it is of one.
func together(nets []*Network) (groups [][]int) {
	places := make([]int, len(nets))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(i, j int) int {
		return cmp.Or(nets[j].AsOf.Compare(nets[i].AsOf), cmp.Compare(nets[j].Stamp, nets[i].Stamp))
	})
	for len(places) > 0 {
		group := largest(nets, places)
		if len(groups) > 0 && len(group) < 2 {
			break
		}
		places = slices.DeleteFunc(places, func(i int) bool { return slices.Contains(group, i) })
		slices.Sort(group)
		groups = append(groups, group)
	}
	return groups
}

// largest is the network of most zones among those at some places.
func largest(nets []*Network, places []int) (most []int) {
	for _, first := range places {
		group := []int{first}
		for k := 0; k < len(group); k++ {
			for _, i := range places {
				if nets[group[k]].joins(nets[i]) && !slices.ContainsFunc(group, func(j int) bool {
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
	return most
}

// joins reports whether two networks, none of them joined, are zones of one: a transit switch
// leads from one to the other, and there are tunnels for it, as one knows a chassis of the other.
// The names and keys of transit switches alone are the same in clusters that are built alike.
func (n *Network) joins(m *Network) bool { return n.meets(m) && (n.knows(m) || m.knows(n)) }

// knows reports whether a network has a chassis of another, or the other has none to be known.
func (n *Network) knows(m *Network) bool {
	own := 0
	for _, c := range m.Chassis {
		if !c.Remote() {
			own++
			if n.chassis[c.Name] != nil {
				return true
			}
		}
	}
	return own == 0
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
	if n.meets(m) {
		return "neither knows a chassis of the other: each network has a transit switch of that name and key"
	}
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
