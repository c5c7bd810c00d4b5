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
