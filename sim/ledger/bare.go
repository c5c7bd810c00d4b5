package ledger

import (
	"slices"
	"strings"

	"ovnreplay/nat"
	"ovnreplay/sim/network"
)

// bare says why a connection's packets left the network, at a wire, with the source that they entered with at a
// port: which router had no SNAT for it. It is "" if they did not, or passed no router that translates sources.
// To such a source there may be no way back, and an answer to an address of the router's answers another.
func (s *Stories) bare(c *Conn) string {
	from, to := s.why.Book.Net.Port(c.From.Port), s.why.Book.Net.Port(c.To.Port)
	if c.Sent == (nat.Tuple{}) || c.Sent.Src != c.Asked.Src || from == nil || to == nil || from.Type != network.VIF ||
		to.Type != network.Localnet {
		return ""
	}
	i := slices.IndexFunc(s.all, func(x told) bool {
		return x.conn == c && !x.reply && !x.about && x.arrived && x.way != nil
	})
	if i < 0 {
		return ""
	}
	for _, at := range slices.Backward(s.all[i].way) {
		if at.flow != nil && at.datapath.Router && strings.HasPrefix(at.flow.Stage, "lr_out_snat") {
			return s.why.Bare(at.flow, at.datapath, c.Asked.SrcAddr())
		}
	}
	return ""
}

// unnatted tells of a connection that left with its own source, if it has no answer or x is one that did not arrive.
func (s *Stories) unnatted(x *told, add func(string, ...any)) {
	if x.about || x.conn == nil || x.reply && (x.arrived || len(x.record.NAT) > 0) ||
		!x.reply && x.conn.Dir[1].Packets > 0 {
		return
	}
	if why := s.bare(x.conn); why != "" {
		add("no SNAT: conn %d left with its own source %s: %s", x.conn.ID, x.conn.Asked.SrcAddr(), why)
	}
}

// unsent tells, of a packet that ended at an address to which nothing that left was translated, that it would
// answer a connection which left with its own source: its SNAT is what lacks.
func (s *Stories) unsent(x *told, add func(string, ...any)) {
	if x.arrived || x.about || x.conn == nil || x.binding != "" || x.reply && x.conn.Dir[0].Packets > 0 {
		return
	}
	asked := x.conn.Asked // of the connection that it answers, had the source been this
	if !x.reply {
		asked = asked.Reverse()
	}
	for _, c := range s.Conns {
		if c == x.conn || c.Sent.Proto != asked.Proto || c.Sent.Dst != asked.Dst || c.Sent.DstPort != asked.DstPort ||
			c.Sent.SrcPort != asked.SrcPort || c.Sent.V6 != asked.V6 {
			continue
		}
		if why := s.bare(c); why != "" {
			row := s.Row(c)
			add("no SNAT: it would answer conn %d, %s %s asked %s, had that left as %s, not with its own source: %s",
				c.ID, row.Proto, row.Client, row.Asked, asked.SrcAddr(), why)
			return
		}
	}
}
