package network

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Tie is two logical flows of one table that have the same priority, may match the
// same packets and act differently, in a datapath that both apply to: OVN leaves open
// which is used.
type Tie struct {
	Datapath *Datapath // the first of them
	Flows    [2]*Flow  // by UUID
}

// maxPairs bounds how many pairs of flows Ties looks at.
const maxPairs = 1 << 22

// Ties lists them, by datapath, pipeline, table and priority: flows of the same match,
// and of what people write matches for (ACLs, policies, QoS rules) those of different
// rows for which overlap says that packets may match both. all is false if there are
// too many flows for each pair of them to be looked at.
func (n *Network) Ties(overlap func(f, g *Flow) bool) (ties []Tie, all bool) {
	type key struct {
		egress   bool
		table    uint8
		priority uint16
		match    string // "": of any
	}
	same := map[key][]*Flow{}
	for _, f := range n.Flows {
		k := key{f.Egress, f.Table, f.Priority, f.Match}
		if f.Written() {
			k.match = ""
		}
		same[k] = append(same[k], f)
	}
	pairs := 0
	for _, flows := range same {
		if pairs += len(flows) * (len(flows) - 1) / 2; pairs > maxPairs {
			return nil, false
		}
	}
	for _, flows := range same {
		ties = append(ties, tiesAmong(flows, overlap)...)
	}
	slices.SortFunc(ties, func(a, b Tie) int {
		f, g := a.Flows[0], b.Flows[0]
		return cmp.Or(cmp.Compare(a.Datapath.Index, b.Datapath.Index), cmp.Compare(number(f.Egress), number(g.Egress)),
			cmp.Compare(f.Table, g.Table), cmp.Compare(g.Priority, f.Priority), cmp.Compare(f.UUID, g.UUID),
			cmp.Compare(a.Flows[1].UUID, b.Flows[1].UUID))
	})
	return ties, true
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Written reports whether the flow's match comes from a row that people write one in.
func (f *Flow) Written() bool {
	return f.StageHint != "" && (strings.Contains(f.Stage, "_acl") || strings.Contains(f.Stage, "_qos") ||
		strings.HasSuffix(f.Stage, "_policy"))
}

// tiesAmong lists the ties among flows of a table and priority: of two rows that
// became several flows each the first, and none if both became the same.
func tiesAmong(flows []*Flow, overlap func(f, g *Flow) bool) (ties []Tie) {
	does := map[string][]string{} // what the flows of a row do
	for _, f := range flows {
		if list := does[f.StageHint]; !slices.Contains(list, f.Actions) {
			does[f.StageHint] = append(list, f.Actions)
		}
	}
	for _, list := range does {
		slices.Sort(list)
	}
	known := map[[2]string]bool{}
	for i, f := range flows {
		for _, g := range flows[i+1:] {
			rows := [2]string{f.StageHint, g.StageHint}
			if f.Match != g.Match && (known[rows] || slices.Equal(does[rows[0]], does[rows[1]])) {
				continue
			}
			if t, ok := tieOf(f, g, overlap); ok {
				known[rows], known[[2]string{rows[1], rows[0]}] = true, true
				ties = append(ties, t)
			}
		}
	}
	return ties
}

// tieOf is the tie of two flows of a table and priority, if they are one.
func tieOf(f, g *Flow, overlap func(f, g *Flow) bool) (t Tie, ok bool) {
	if f.Actions == g.Actions || f.Match != g.Match && f.StageHint == g.StageHint {
		return t, false
	}
	for _, d := range f.Datapaths {
		if (t.Datapath == nil || d.Index < t.Datapath.Index) && slices.Contains(g.Datapaths, d) {
			t.Datapath = d
		}
	}
	if t.Datapath == nil || !overlap(f, g) {
		return t, false
	}
	t.Flows = [2]*Flow{f, g}
	if g.UUID < f.UUID {
		t.Flows = [2]*Flow{g, f}
	}
	return t, true
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
