package why

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// kept is a translation that a connection keeps: what its first packet's source
// or destination was, and became, in a datapath.
type kept struct {
	datapath *network.Datapath
	snat     bool
	ported   bool // the ports are known: it is not by an ICMP error that we see it
	was, is  netip.AddrPort
}

// keptBy turns a translated packet's addresses to those of the direction in
// which its connection began.
func keptBy(n *trace.NATStep, d *network.Datapath) kept {
	at := func(t *nat.Tuple) netip.AddrPort {
		if n.Dst {
			return netip.AddrPortFrom(t.DstAddr(), t.DstPort)
		}
		return netip.AddrPortFrom(t.SrcAddr(), t.SrcPort)
	}
	k := kept{datapath: d, snat: n.Dst == n.Undo, ported: n.From.HasPorts(), was: at(&n.From), is: at(&n.To)}
	if n.Undo {
		k.was, k.is = k.is, k.was
	}
	return k
}

// staleness knows what the flows translate, as they were when it was made.
type staleness struct {
	became int
	made   map[*network.Datapath]makers
	told   map[kept]string

	past     []network.Departure // oldest first
	pastRead bool
}

// maxTold is how many answers are remembered.
const maxTold = 1 << 14

// makers are the sides of a datapath's flows that translate.
type makers struct {
	all    []*sides
	varies bool // there are others that translate to other addresses on each chassis
}

// refresh forgets what was of another network.
func (s *staleness) refresh(net *network.Network) {
	if s.told == nil || s.became != net.Became || len(s.told) >= maxTold {
		s.became, s.made, s.told = net.Became, map[*network.Datapath]makers{}, map[kept]string{}
	}
}

// Stale says of a packet's translation in a datapath what the network no longer
// has that made it; "" if nothing, or it is none of a connection's own packets:
// an ICMP error's addresses are another's.
func (x *Explainer) Stale(n *trace.NATStep, datapath int32, now conntrack.Time) string {
	if !n.From.HasPorts() && !n.From.Reversible() {
		return ""
	}
	return x.stale(keptBy(n, x.Book.Net.Datapaths[datapath]), now)
}

// stale says of a translation that a connection keeps, and that the network as
// it is now would not make, what is gone; "" if nothing is.
func (x *Explainer) stale(k kept, now conntrack.Time) string {
	if k.was.Addr() == k.is.Addr() || x.Conntrack == nil { // a session does not hold all flows
		return ""
	}
	s := &x.staleness
	s.refresh(x.Book.Net)
	text, known := s.told[k]
	if !known {
		text = x.gone(k, now)
		s.told[k] = text
	}
	return text
}

// makers reads a datapath's flows, once.
func (x *Explainer) makers(d *network.Datapath) makers {
	m, known := x.staleness.made[d]
	if known {
		return m
	}
	for _, tables := range d.Flows {
		for _, flows := range tables {
			for _, f := range flows {
				if f.Varies() {
					m.varies = true
				} else if side := x.of(f); len(side.makes) > 0 {
					m.all = append(m.all, side)
				}
			}
		}
	}
	x.staleness.made[d] = m
	return m
}

// translates reports whether a flow with these sides makes a translation, and
// otherwise whether it makes another of the same packets.
func (s *sides) translates(k kept) (same, other *making) {
	side := b2i(!k.snat)
	if !s.asks.admit(side, k.was, k.ported) {
		return nil, nil
	}
	for i := range s.makes {
		m := &s.makes[i]
		switch {
		case m.snat != k.snat:
		case m.vip, m.to.Addr() == k.is.Addr() && (m.to.Port() == 0 || m.to.Port() == k.is.Port() || !k.ported):
			return m, nil
		case s.asks.exactly(side, k.was.Addr()):
			other = m
		}
	}
	return nil, other
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// gone says what the network does not have that a translation needs.
func (x *Explainer) gone(k kept, now conntrack.Time) string {
	var instead *making
	made := x.makers(k.datapath)
	for _, side := range made.all {
		same, other := side.translates(k)
		if same != nil {
			return ""
		}
		instead = cmp.Or(instead, other)
	}
	left, had := x.departed(k, now)
	if left == nil && (made.varies || instead == nil && k.datapath.SNATCTZone >= 0) {
		return "" // the zone is also the host's, which translates as well
	}
	since := ""
	if left != nil {
		since = clock(left.Time, now)
	}
	what := "DNAT"
	if k.snat {
		what = "SNAT"
	}
	lb := x.balancer(k, left)
	if lb == "" && (had == nil || !had.lb) && (instead == nil || !instead.lb) {
		row := ""
		if left != nil && left.Flow.StageHint != "" {
			row = fmt.Sprintf(" (NAT row %s)", left.Flow.StageHint)
		}
		return fmt.Sprintf("%s of %s to %s, which %s %s %s%s", what, k.was.Addr(), k.is.Addr(), kindOf(k.datapath),
			k.datapath.Called(), hasNot(since), row)
	}
	to := k.is.String()
	if !k.ported || had != nil && had.to.Port() == 0 || instead != nil && instead.to.Port() == 0 {
		to = k.is.Addr().String()
	}
	return fmt.Sprintf("%s to %s, which load balancer %s %s", what, to, cmp.Or(lb, "of "+k.was.String()), hasNot(since))
}

func kindOf(d *network.Datapath) string {
	if d.Router {
		return "router"
	}
	return "switch"
}

func hasNot(since string) string {
	if since == "" {
		return "no longer has"
	}
	return "has not had since " + since
}

// clock writes a moment of the past as the packet's lines do: the time of day,
// with the date if that is another.
func clock(t time.Time, now conntrack.Time) string {
	if t = t.UTC(); t.Format(time.DateOnly) == time.Unix(0, int64(now)).UTC().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.RFC3339)
}

// balancer names the load balancer of an address that was asked for, or that the
// flow which is gone was made of; "" if there is none.
func (x *Explainer) balancer(k kept, left *network.Departure) string {
	if left != nil {
		if o := x.Object(left.Flow); o != nil && o.Table == "Load_Balancer" {
			return o.Name
		}
	}
	for _, lb := range x.Book.Net.LoadBalancers {
		for v := range x.Book.Net.VIPs(lb) {
			if v.Addr == k.was.Addr() && (v.Port == 0 || v.Port == k.was.Port() || !k.ported) {
				return lb.Name
			}
		}
	}
	return ""
}

// departed finds the flow, last gone before a moment, that made a translation.
func (x *Explainer) departed(k kept, now conntrack.Time) (*network.Departure, *making) {
	for i, d := range slices.Backward(x.past()) {
		if d.Flow == nil || d.Time.UnixNano() > int64(now) || !slices.Contains(d.Datapaths, k.datapath.UUID) {
			continue
		}
		if same, _ := x.of(d.Flow).translates(k); same != nil {
			return &x.staleness.past[i], same
		}
	}
	return nil, nil
}

// Owned finds who had an address until a moment before now, if that is known:
// the port that lost it last.
func (x *Explainer) Owned(a netip.Addr, now conntrack.Time) (p *network.Port, until string) {
	for _, d := range slices.Backward(x.past()) {
		if d.Port != nil && d.Time.UnixNano() <= int64(now) && d.Port.Has(a) {
			return d.Port, clock(d.Time, now)
		}
	}
	return nil, ""
}

// past is what the database's history says that went, of flows those that
// translate.
func (x *Explainer) past() []network.Departure {
	s := &x.staleness
	if s.pastRead || x.Past == nil {
		return s.past
	}
	s.pastRead = true
	s.past = x.Past(func(f *network.Flow) bool { return len(x.of(f).makes) > 0 })
	return s.past
}
