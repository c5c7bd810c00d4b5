package network

import (
	"net/netip"
	"slices"
	"strings"
)

// OldAffinity reports whether the logical flows look for the port of the backend
// that a client sticks to in reg8, as those of releases up to 24.03 do, and not
// in reg2. ovn-controller leaves it where they look.
func (n *Network) OldAffinity() bool {
	return slices.ContainsFunc(n.Flows, func(f *Flow) bool {
		return len(f.Datapaths) > 0 && strings.HasPrefix(f.Match, "reg9[6] == 1 && ") && strings.Contains(f.Match, "reg8[0..15] == ")
	})
}

// Taught is the VIP and backend of the commit_lb_aff that a flow's actions begin
// with; false if they begin with none. Port 0: all ports.
func Taught(actions string) (vip, backend netip.AddrPort, ok bool) {
	rest, ok := strings.CutPrefix(actions, `commit_lb_aff(vip = "`)
	if !ok {
		return vip, backend, false
	}
	v, rest, _ := strings.Cut(rest, `", backend = "`)
	b, _, _ := strings.Cut(rest, `"`)
	return taught(v), taught(b), true
}

func taught(text string) netip.AddrPort {
	ap, err := parseEndpoint(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return ap
}
