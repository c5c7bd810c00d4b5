package main

import (
	"ovnreplay/sim"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/replay"
)

// accountant keeps a ledger, and notes which connections a filter selects.
type accountant struct {
	*ledger.Ledger
	filter   *replay.Filter
	selected map[*ledger.Conn]bool
}

// Entered implements replay.Handler.
func (a *accountant) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	c := a.Note(f, p, out)
	if c != nil && a.selected != nil && a.filter.Packet(f, p, out) {
		a.selected[c] = true
	}
}
