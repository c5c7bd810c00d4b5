package ledger

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// goesTo reports whether a packet leaves at a port.
func goesTo(out *sim.Outcome, port string) bool {
	return slices.ContainsFunc(out.Outputs, func(o sim.Output) bool { return o.Port.Name == port })
}

// strayed tells of an answer that left, but not to who asked: at other ports than that from
// which its connection was asked for, and by which route. It is "" if it did not, if others of its
// connection came there, over a wire or by way of a network function, and of what was asked from
// a wire: answers may leave for another.
func (s *Stories) strayed(x *told) string {
	if !x.reply || !x.arrived || x.conn.home || x.about || x.record == nil || len(x.record.Outputs) == 0 {
		return ""
	}
	from := x.conn.From
	port := s.why.Book.Net.Port(from.Port)
	if port == nil || port.Type != network.VIF {
		return ""
	}
	text := fmt.Sprintf("%s asked from %s, and this answer does not go there", x.conn.client, from.called)
	for _, at := range slices.Backward(x.way) {
		if at.flow == nil || !strings.HasPrefix(at.flow.Stage, "lr_in_ip_routing") ||
			strings.HasSuffix(at.flow.Stage, "_ecmp") {
			continue
		}
		text += fmt.Sprintf("; %s sends it by flow %.8s of %s: %s", at.datapath.Called(), at.flow.UUID,
			at.flow.StageName(), cut(at.flow.Match, 100))
		if at.object != nil {
			text += ", " + at.object.String()
		}
		break
	}
	return text
}
