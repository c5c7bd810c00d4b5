package sim

import (
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// made runs the actions in which ovn-controller makes a packet of its own from
// p and runs the block on it.
func (e *Engine) made(p *pkt, f *table.Flow, op *table.Op, at place) {
	e.note(p, trace.Note, trace.ApproxAction, f)
	e.drop(p, trace.DropConsumed, f)
}
