package network

import "strings"

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
