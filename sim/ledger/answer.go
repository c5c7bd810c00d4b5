package ledger

import "ovnreplay/sim/replay"

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
