package ledger

import (
	"ovnreplay/sim"
	"ovnreplay/sim/replay"
)

// Select returns a handler that keeps a ledger, and notes in selected, if that is
// not nil, the connections of which a filter selects a packet.
func Select(l *Ledger, filter *replay.Filter, selected map[*Conn]bool) replay.Handler {
	return &selector{l, filter, selected}
}

type selector struct {
	*Ledger
	filter   *replay.Filter
	selected map[*Conn]bool
}

// Entered implements replay.Handler.
func (a *selector) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	c := a.Note(f, p, out)
	if c != nil && a.selected != nil && a.filter.Packet(f, p, out) {
		a.selected[c] = true
	}
}
