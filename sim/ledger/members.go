package ledger

import (
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/trace"
)

// Member is a backend or a next hop that was chosen for a connection.
type Member struct {
	Group  string // the load balancer's address, or the route
	Member string // the backend, or the next hop
	Flow   string // of the flow that chose
	Times  int
}

// members notes which backends and next hops a packet was given. A connection
// that was given several of one group flaps.
func (l *Ledger) members(c *Conn, out *sim.Outcome) {
	t := &out.Trace
	net := l.why.Book.Net
	for i := range t.NAT {
		s := &t.NAT[i]
		if s.Undo || !s.Dst || s.Flow < 0 {
			continue
		}
		from, to := s.Ends()
		c.chose(from, to, net.Flows[s.Flow].UUID)
	}
	group := ""
	for _, ev := range t.Events() {
		if ev.Kind != trace.Match {
			continue
		}
		f := net.Flows[ev.Flow]
		switch {
		case strings.Contains(f.Actions, "= select("):
			group = net.Datapaths[ev.Datapath].Name + " " + f.Match
		case group != "" && strings.Contains(f.Stage, "_ecmp") && strings.Contains(f.Actions, "outport = "):
			c.chose(group, nextHop(f.Actions), f.UUID)
			group = ""
		}
	}
}

// nextHop reads the next hop that a flow's actions set.
func nextHop(actions string) string {
	for _, reg := range [...]string{"reg0 = ", "xxreg0 = "} {
		if _, rest, ok := strings.Cut(actions, reg); ok {
			hop, _, _ := strings.Cut(rest, ";")
			return hop
		}
	}
	return actions
}

func (c *Conn) chose(group, member, flow string) {
	const most = 16
	for i := range c.Members {
		if m := &c.Members[i]; m.Group == group && m.Member == member {
			m.Times++
			return
		}
	}
	if len(c.Members) < most {
		c.Members = append(c.Members, Member{group, member, flow, 1})
	}
}

// Flapping returns the groups of which a connection was given several members.
func (c *Conn) Flapping() (groups []string) {
	n := map[string]int{}
	for _, m := range c.Members {
		if n[m.Group]++; n[m.Group] == 2 {
			groups = append(groups, m.Group)
		}
	}
	return groups
}
