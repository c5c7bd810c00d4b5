package why

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// Bare says why a packet left a router with the source that it came with, by the flow that it met where the
// router translates sources: no row is for the source, or the one that is asks for more.
func (x *Explainer) Bare(met *network.Flow, router *network.Datapath, source netip.Addr) string {
	if x.Conntrack == nil { // a session does not hold all of a router's flows
		return fmt.Sprintf("router %s did not translate it: %s passed it by", router.Called(), x.name(met, router))
	}
	said := fmt.Sprintf("router %s has no SNAT for %s", router.Called(), source)
	var others []string
	for _, f := range router.Flows[1][met.Table] {
		s := x.of(f)
		snat := slices.ContainsFunc(s.makes, func(m making) bool { return m.snat && !m.vip })
		if f == met || len(s.tests) > 0 || !snat { // what tests flags is for load balancers' packets
			continue
		}
		if s.asks.admit(0, netip.AddrPortFrom(source, 0), false) {
			return fmt.Sprintf("the SNAT of router %s did not match: %s", router.Called(), x.name(f, router))
		}
		for _, b := range s.asks.addr[0] {
			if p := b.prefix(source.Is4()); p.IsValid() && !slices.Contains(others, p.String()) {
				others = append(others, p.String())
			}
		}
	}
	if len(others) == 0 {
		return said + ", and none at all"
	}
	const most = 4
	said += ", only for " + strings.Join(others[:min(most, len(others))], ", ")
	if n := len(others) - most; n > 0 {
		said += fmt.Sprintf(" and %d more", n)
	}
	return said
}

// prefix is the network that a flow asks for, invalid if it is none of that kind of address.
func (b bits) prefix(v4 bool) netip.Prefix {
	width := 128
	if v4 {
		width = 32
	}
	free := min(width, b.mask.TrailingZeros())
	if b.set != nil || b.mask != field.Ones(width).AndNot(field.Ones(free)) {
		return netip.Prefix{}
	}
	at := netip.AddrFrom16(b.value.Bytes())
	if v4 {
		at = header.IPv4(b.value.Lo)
	}
	return netip.PrefixFrom(at, width-free)
}
