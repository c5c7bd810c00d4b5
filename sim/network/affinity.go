package network

import (
	"slices"
	"strings"
)

// OldAffinity reports whether the logical flows look for the port of the backend
// that a client sticks to in reg8, as those of releases up to 24.03 do, and not
// in reg2. ovn-controller leaves it where they look.
func (n *Network) OldAffinity() bool {
	return slices.ContainsFunc(n.Flows, func(f *Flow) bool {
		return len(f.Datapaths) > 0 && strings.HasPrefix(f.Match, "reg9[6] == 1 && ") &&
			strings.Contains(f.Match, "reg8[0..15] == ")
	})
}

// Teaching are the flows of each datapath, by its Index, of the stage that teaches
// clients to stick to their backends (…_lb_aff_learn).
func (n *Network) Teaching() [][]*Flow {
	of := make([][]*Flow, len(n.Datapaths))
	for i, dp := range n.Datapaths {
		if dp == nil {
			continue
		}
		for _, flows := range dp.Flows[0] {
			if len(flows) > 0 && strings.HasSuffix(flows[0].Stage, "_lb_aff_learn") {
				of[i] = flows
			}
		}
	}
	return of
}
