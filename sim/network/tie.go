package network

import (
	"cmp"
	"slices"
	"strconv"
)

// Tie is logical flows of one table that have the same priority and match and act
// differently, in a datapath that all of them apply to: OVN leaves open which is
// used.
type Tie struct {
	Datapath *Datapath // the first of them
	Flows    []*Flow   // by UUID
}

// Ties lists them, by datapath, pipeline, table and priority.
func (n *Network) Ties() (ties []Tie) {
	type key struct {
		egress   bool
		table    uint8
		priority uint16
		match    string
	}
	same := map[key][]*Flow{}
	for _, f := range n.Flows {
		k := key{f.Egress, f.Table, f.Priority, f.Match}
		same[k] = append(same[k], f)
	}
	for _, flows := range same {
		if len(flows) > 1 {
			ties = appendTies(ties, flows)
		}
	}
	slices.SortFunc(ties, func(a, b Tie) int {
		f, g := a.Flows[0], b.Flows[0]
		return cmp.Or(cmp.Compare(a.Datapath.Index, b.Datapath.Index), cmp.Compare(number(f.Egress), number(g.Egress)),
			cmp.Compare(f.Table, g.Table), cmp.Compare(g.Priority, f.Priority), cmp.Compare(f.UUID, g.UUID))
	})
	return ties
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// appendTies adds the ties among flows of the same table, priority and match:
// one for those that share a datapath, the first in which they do.
func appendTies(ties []Tie, flows []*Flow) []Tie {
	in := map[*Datapath][]*Flow{}
	var order []*Datapath
	for _, f := range flows {
		for _, d := range f.Datapaths {
			if in[d] == nil {
				order = append(order, d)
			}
			in[d] = append(in[d], f)
		}
	}
	slices.SortFunc(order, func(a, b *Datapath) int { return cmp.Compare(a.Index, b.Index) })
	first := len(ties)
	for _, d := range order {
		t := Tie{d, in[d]}
		differ := slices.ContainsFunc(t.Flows, func(f *Flow) bool { return f.Actions != t.Flows[0].Actions })
		known := slices.ContainsFunc(ties[first:], func(u Tie) bool { return slices.Equal(u.Flows, t.Flows) })
		if differ && !known {
			ties = append(ties, t)
		}
	}
	return ties
}

// AsOVNTrace orders flows of the same priority as ovn-trace comes to try them (a sim.Tie): it
// keeps rows in a table by the first 32 bits of their UUIDs, as many buckets as
// a power of two, at least four, of which at most two rows a bucket are full.
func (n *Network) AsOVNTrace() func(_ *Chassis, a, b *Flow) int {
	mask := uint64(3)
	for uint64(len(n.Flows))/2 > mask {
		mask = mask<<1 | 1
	}
	bucket := func(f *Flow) uint64 {
		v, err := strconv.ParseUint(f.UUID[:min(8, len(f.UUID))], 16, 32)
		if err != nil {
			return 0
		}
		return v & mask
	}
	return func(_ *Chassis, a, b *Flow) int { return cmp.Compare(bucket(a), bucket(b)) }
}
