package why

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// Rewrite is an address that a flow gives packets in another's place, as stateless
// NAT rows do: no connection keeps it.
type Rewrite struct {
	Dst      bool       // destination, else source
	From, To netip.Addr // From is invalid if the flow does not ask for one
}

// Name names the kind as that of conntrack's translations.
func (r Rewrite) Name() string {
	if r.Dst {
		return "stateless DNAT"
	}
	return "stateless SNAT"
}

// Ends are the address before, "" if it is not known, and after.
func (r Rewrite) Ends() (from, to string) {
	if r.From.IsValid() {
		from = r.From.String()
	}
	return from, r.To.String()
}

// String is "stateless DNAT 203.0.113.5 -> 10.0.0.5".
func (r Rewrite) String() string {
	from, to := r.Ends()
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s -> %s", r.Name(), from, to)), " ")
}

// Rewrites reports whether a flow is a NAT row's that changes an address by itself.
func (x *Explainer) Rewrites(f *network.Flow) (Rewrite, bool) {
	if !strings.HasSuffix(f.Stage, "nat") {
		return Rewrite{}, false
	}
	s := x.of(f)
	if !s.rewrite.To.IsValid() {
		return Rewrite{}, false
	}
	r := s.rewrite
	if from := s.asks.addr[b2i(r.Dst)]; len(from) == 1 {
		r.From = from[0].whole(r.To.Is4())
	}
	return r, true
}

// Translates reports whether an address of a packet was changed, by conntrack or by a
// stateless NAT row.
func (x *Explainer) Translates(out *sim.Outcome) bool {
	t := &out.Trace
	if len(t.NAT) > 0 {
		return true
	}
	net := x.Book.Net
	if s := &x.stateless; s.rewrites == nil || s.of != net || s.became != net.Became {
		s.of, s.became, s.rewrites = net, net.Became, map[*network.Flow]bool{}
		for _, f := range net.Flows {
			if _, is := x.Rewrites(f); is {
				s.rewrites[f] = true
			}
		}
	}
	return len(x.stateless.rewrites) > 0 && slices.ContainsFunc(t.Events(), func(ev trace.Event) bool {
		return ev.Kind == trace.Match && x.stateless.rewrites[net.Flows[ev.Flow]]
	})
}

// stateless are the flows of a network that change addresses by themselves.
type stateless struct {
	of       *network.Network
	became   int
	rewrites map[*network.Flow]bool
}

// whole is the address that bits spell out, invalid if they leave some open.
func (b bits) whole(v4 bool) netip.Addr {
	switch {
	case v4 && b.mask == field.Ones(32):
		return header.IPv4(b.value.Lo)
	case !v4 && b.mask == field.Ones(128):
		return netip.AddrFrom16(b.value.Bytes())
	}
	return netip.Addr{}
}

// rewrites notes an address that an action gives.
func (s *sides) rewrites(a lflow.Action) {
	l, ok := a.(lflow.Load)
	if !ok || l.Dst.Symbol.OVNField != lflow.NoOVNField {
		return
	}
	switch to, v := l.Dst.Slice(), l.Value.Value; to {
	case field.Whole(field.IP4Src), field.Whole(field.IP4Dst):
		s.rewrite = Rewrite{Dst: to.Field == field.IP4Dst, To: header.IPv4(v.Lo)}
	case field.Whole(field.IP6Src), field.Whole(field.IP6Dst):
		s.rewrite = Rewrite{Dst: to.Field == field.IP6Dst, To: netip.AddrFrom16(v.Bytes())}
	}
}
