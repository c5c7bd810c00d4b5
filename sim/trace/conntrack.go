package trace

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/sim/lflow"
)

// track tells of a pass through conntrack: where ovn-trace says what it
// assumes, we say what was found.
func (g *grower) track(ev *Event) {
	f := g.of(ev)
	s := &g.trace.CT[ev.Arg]
	if f.op != nil {
		if _, ok := f.op.Action.(lflow.CTCommit); ok {
			g.say(f, ActionNode, "/* %s */", g.book.CT(s)).ct = s
			return
		}
	}
	n := g.lead(f, TransformNode, "")
	n.ct = s
	n.Text = g.trackText(f, n)
}

// translate adds a translation to the pass through conntrack that made it.
func (g *grower) translate(ev *Event) {
	f := g.of(ev)
	n := f.next
	if n.ct == nil {
		if k := len(f.at.Children); k > 0 {
			n = f.at.Children[k-1]
		}
		if n.ct == nil {
			return
		}
		n.Text = strings.TrimSuffix(n.Text, " */") + ", " + g.book.NAT(&g.trace.NAT[ev.Arg]) + " */"
		return
	}
	n.nats = append(n.nats, &g.trace.NAT[ev.Arg])
	n.Text = g.trackText(f, n)
}

func (g *grower) trackText(f *strand, n *Node) string {
	if f.op == nil {
		return "ct"
	}
	switch a := f.op.Action.(type) {
	case lflow.CTNext:
		return fmt.Sprintf("ct_next(ct_state=%s%s)", flags(n.ct), g.comment(n, "", false))
	case lflow.CTNAT:
		return g.natText(a, n)
	case lflow.CTLB:
		name := "ct_lb"
		switch a.Op {
		case lflow.LBMark:
			name = "ct_lb_mark"
		case lflow.LBMarkLocal:
			name = "ct_lb_mark_local"
		}
		return name + g.comment(n, "", true)
	case lflow.CTCommitToZone:
		if a.NAT {
			return "ct_commit_nat" + g.comment(n, "no un-nat entry, so no change", true)
		}
		return "ct_commit_to_zone" + g.comment(n, "", true)
	case lflow.CTSNATToVIP:
		return "ct_snat_to_vip" + g.comment(n, "", true)
	}
	return "ct" + g.comment(n, "", true)
}

func (g *grower) natText(a lflow.CTNAT, n *Node) string {
	kind, field := "d", "dst"
	if a.SNAT {
		kind, field = "s", "src"
	}
	text := "ct_" + kind + "nat"
	if a.InCommonZone {
		text += "in_czone" // as ovn-trace spells it
	}
	if !a.Addr.IsValid() {
		return text + g.comment(n, fmt.Sprintf("no un-%snat entry, so no change", kind), true)
	}
	family := "ip4"
	if a.Addr.Is6() {
		family = "ip6"
	}
	return fmt.Sprintf("%s(%s.%s=%s)%s", text, family, field, formatAddr(a.Addr), g.comment(n, "", true))
}

// comment says what conntrack found: the zone, the state unless the text has
// it, and the translations, or unchanged if there are none.
func (g *grower) comment(n *Node, unchanged string, state bool) string {
	s := n.ct
	if s.Override && n.nats == nil {
		return ""
	}
	text := fmt.Sprintf(" /* zone %d", s.Zone)
	if name := g.book.Zone(s.Chassis, s.Zone); name != "" {
		text += fmt.Sprintf(" (%s)", g.book.zoneName(name))
	}
	var said []string
	if state {
		said = append(said, flags(s))
	}
	for _, x := range n.nats {
		said = append(said, g.book.NAT(x))
	}
	if len(n.nats) == 0 && unchanged != "" {
		said = append(said, unchanged)
	}
	if len(said) > 0 {
		text += ": " + strings.Join(said, ", ")
	}
	return text + " */"
}

// flags writes ct_state as ovn-trace does.
func flags(s *CTStep) string {
	if s.State == 0 {
		return "0"
	}
	return StateString(s.State)
}

// formatAddr writes an address as OVN does.
func formatAddr(a netip.Addr) string { return a.String() }
