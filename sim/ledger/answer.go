package ledger

import (
	"net/netip"

	"ovnreplay/sim/replay"
)

// Answer is what is told of the packet or connection that is asked about.
type Answer struct {
	Version int      `json:"version"` // of this form, see replay.FormVersion
	Asked   string   `json:"asked"`   // as it was asked for
	Lines   []string `json:"lines"`   // for people, ten at most
	// Packet is the one that the lines are about: of a connection, the first that did
	// not arrive, else the first. There is none where it is not known what entered.
	Packet     *replay.Record `json:"packet,omitempty"`
	Connection *Row           `json:"connection,omitempty"`
}

// answer is what is told in lines of x, nil if it is not known what entered.
func (s *Stories) answer(lines []string, x *told) *Answer {
	a := &Answer{Version: replay.FormVersion, Asked: s.asked, Lines: lines}
	if x == nil {
		return a
	}
	if x.conn != nil {
		a.Connection = s.Row(x.conn)
	}
	if x.record == nil {
		return a
	}
	r := *x.record
	r.Path = make([]replay.PathInfo, 0, len(x.way))
	for _, at := range x.way {
		if f := at.flow; f != nil { // where none matched is in what decided
			pipeline := "ingress"
			if f.Egress {
				pipeline = "egress"
			}
			r.Path = append(r.Path, replay.PathInfo{Datapath: at.datapath.Name, Pipeline: pipeline, Table: f.Table,
				Stage: f.StageName(), Flow: f.UUID})
		}
	}
	a.Packet = &r
	return a
}

// strange tells, of a packet that ended at the address to which another connection was
// translated, that it is no answer of that one: it comes from another address or port than
// was asked.
func (s *Stories) strange(x *told, add func(string, ...any)) {
	if x.arrived || x.reply || x.about || x.conn == nil || x.binding != "" {
		return
	}
	to := &x.conn.Asked
	for _, c := range s.Conns[:x.conn.ID-1] {
		from := &c.Sent
		if from.Proto != to.Proto || from.Src != to.Dst || from.SrcPort != to.DstPort || from.Src == c.Asked.Src ||
			!to.HasPorts() {
			continue
		}
		row := s.Row(c)
		add("no answer of conn %d, which left from this address: %s %s asked %s, and this comes from %s", c.ID,
			row.Proto, row.Client, row.Asked, netip.AddrPortFrom(to.SrcAddr(), to.SrcPort))
		return
	}
}
