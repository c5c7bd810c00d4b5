package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
)

// Member is a backend or a next hop that was chosen for a connection.
type Member struct {
	Group  string // the protocol and load balancer's address, or the route
	Member string // the backend, or the next hop
	Flow   string // of the flow that chose
	Times  int

	turns uint16 // at which it was chosen: see turn
}

// turn is when a packet of a connection meets a group: a bit for each direction and each
// time on one packet's way. What is chosen at one is the same for all packets, unless it flaps; errors
// about them have addresses of their own.
func turn(x *note, met int) uint16 {
	bit := 2*min(met, 2) + b2i(x.reply)
	if x.about {
		bit += 6
	}
	return 1 << bit
}

// members notes which backends and next hops a packet was given.
func (l *Ledger) members(c *Conn, x *note, out *sim.Outcome) {
	t := &out.Trace
	net := l.why.Book.Net
	met := map[string]int{}
	chose := func(group, member, flow string) {
		c.chose(group, member, flow, turn(x, met[group]))
		met[group]++
	}
	for i := range t.NAT {
		s := &t.NAT[i]
		if s.Undo || !s.Dst || s.Flow < 0 || l.why.Fixed(net.Flows[s.Flow]) {
			continue
		}
		from, to := s.Ends()
		chose(packet.ProtoName(s.From.Proto)+" "+from, to, net.Flows[s.Flow].UUID)
	}
	group := ""
	for _, ev := range t.Events() {
		if ev.Kind != trace.Match {
			continue
		}
		f, d := net.Flows[ev.Flow], net.Datapaths[ev.Datapath]
		if g, ok := l.why.Chooses(f, d); ok {
			group = d.Called() + " " + f.Match
			l.groups[group] = g
		} else if hop, ok := l.why.Leads(f); ok && group != "" {
			chose(group, hop, f.UUID)
			group = ""
		}
	}
}

func (c *Conn) chose(group, member, flow string, at uint16) {
	const most = 16
	for i := range c.Members {
		if m := &c.Members[i]; m.Group == group && m.Member == member {
			m.Times++
			m.turns |= at
			return
		}
	}
	if len(c.Members) < most {
		c.Members = append(c.Members, Member{group, member, flow, 1, at})
	}
}

// Flapping returns the groups of which a connection was given several members at one turn.
func (c *Conn) Flapping() (groups []string) {
	given := map[string]uint16{}
	for _, m := range c.Members {
		if given[m.Group]&m.turns != 0 && !slices.Contains(groups, m.Group) {
			groups = append(groups, m.Group)
		}
		given[m.Group] |= m.turns
	}
	return groups
}

// Share is how often one member of a group was chosen.
type Share struct {
	Member      string `json:"member"`
	Connections int    `json:"connections"`
	Percent     int    `json:"percent"`
	Weight      int    `json:"weight,omitempty"`     // as configured; of a load balancer's backends there is none
	Configured  int    `json:"configured,omitempty"` // percent, by the weights
}

// Shares is a load balancer's address or an ECMP route with how the connections
// were shared among its members.
type Shares struct {
	Version  int     `json:"version"` // of this form, see replay.FormVersion
	Group    string  `json:"group"`
	Members  []Share `json:"members"`  // in the order in which they were first chosen, then those that never were
	Flapping []int   `json:"flapping"` // the numbers of connections that were given several of them
}

// PrintShares prints how members were chosen.
func (l *Ledger) PrintShares(w io.Writer, asJSON bool) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, g := range l.Shares() {
		var err error
		if asJSON {
			err = e.Encode(g)
		} else {
			_, err = printable.Fprintf(w, "%s\n", g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Shares counts the members chosen.
func (l *Ledger) Shares() []*Shares {
	var groups []*Shares
	by := map[string]*Shares{}
	for _, c := range l.Conns {
		for _, m := range c.Members {
			g := by[m.Group]
			if g == nil {
				g = &Shares{Version: replay.FormVersion, Group: m.Group, Flapping: []int{}}
				by[m.Group], groups = g, append(groups, g)
			}
			g.member(m.Member).Connections++
		}
		for _, name := range c.Flapping() {
			by[name].Flapping = append(by[name].Flapping, c.ID)
		}
	}
	for _, g := range groups {
		l.complete(g)
	}
	return groups
}

func (g *Shares) member(name string) *Share {
	i := slices.IndexFunc(g.Members, func(s Share) bool { return s.Member == name })
	if i < 0 {
		i = len(g.Members)
		g.Members = append(g.Members, Share{Member: name})
	}
	return &g.Members[i]
}

// complete adds the members that nothing was given, weights and percentages.
func (l *Ledger) complete(g *Shares) {
	route := l.groups[g.Group]
	if route != nil {
		for _, m := range route.Members {
			s := g.member(m.Hop)
			s.Weight, s.Configured = m.Weight, 100*m.Weight/max(route.Weight(), 1)
		}
	}
	for _, lb := range l.why.Book.Net.LoadBalancers {
		proto := packet.ProtoName(cmp.Or(lb.Protocol, header.ProtoTCP))
		for v := range l.why.Book.Net.VIPs(lb) {
			if route == nil && proto+" "+v.Text == g.Group {
				for _, b := range v.Backends {
					g.member(b.String())
				}
			}
		}
	}
	total := 0
	for _, s := range g.Members {
		total += s.Connections
	}
	for i := range g.Members {
		g.Members[i].Percent = 100 * g.Members[i].Connections / max(total, 1)
	}
}

// String is the group in one line.
func (g *Shares) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "members of %s:", g.Group)
	for i, s := range g.Members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %s", s.Member)
		if s.Connections == 0 {
			b.WriteString(" none")
		} else {
			fmt.Fprintf(&b, " %d (%d%%)", s.Connections, s.Percent)
		}
		if s.Weight > 0 {
			fmt.Fprintf(&b, " of weight %d (%d%%)", s.Weight, s.Configured)
		}
	}
	switch n := len(g.Flapping); n {
	case 0:
	case 1:
		fmt.Fprintf(&b, "; conn %d flaps", g.Flapping[0])
	default:
		fmt.Fprintf(&b, "; %d connections flap: conn %s", n, numbers(g.Flapping))
	}
	return b.String()
}

// numbers lists the first of a list of numbers.
func numbers(list []int) string {
	const most = 8
	var parts []string
	for i, n := range list {
		if i == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprint(n))
	}
	return strings.Join(parts, ", ")
}
