package sim

import (
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// applies returns which of a stage's flows applies to p: f, which was found by its
// priority, or another that matches as well with the same one. Of these OVN leaves
// open which the switch uses: Options.Tie decides, else the order of table.NewStage.
// f may be nil.
func (e *Engine) applies(p *pkt, s *table.Stage, f *table.Flow) *table.Flow {
	if f == nil {
		return nil
	}
	var noting *table.Consulted
	if r := e.recording(); r != nil {
		noting = &r.Consulted
	}
	e.rivals = s.Rivals(e.rivals[:0], f, &p.Key, p.chassis.resident, noting)
	if tie := e.opts.Tie; tie != nil {
		for i, g := range e.rivals {
			if tie(p.chassis.Chassis, g.Flow, f.Flow) < 0 {
				e.rivals[i], f = f, g
			}
		}
	}
	return f
}

// noteRivals tells which flows might as well have applied as f: those of other
// rows of the northbound database, or of the same match. What northd writes by
// itself is not told.
func (e *Engine) noteRivals(p *pkt, f *table.Flow) {
	for _, g := range e.rivals {
		if g.Match != f.Match && (f.StageHint == "" || g.StageHint == "" || f.StageHint == g.StageHint) {
			continue
		}
		e.tied = true
		e.event(p, trace.Event{Kind: trace.Note, Reason: trace.TieUndefined, Flow: int32(f.Index), Arg: int32(g.Index)})
	}
}

// Tied reports whether packets have met logical flows of which OVN leaves open
// which is used; the trace of one that did says so (trace.TieUndefined).
func (e *Engine) Tied() bool { return e.tied }

// Tie orders logical flows of the same priority that both match a packet on a
// chassis, which OVN leaves undefined: the lesser is used; 0 if it does not know.
type Tie func(on *network.Chassis, a, b *network.Flow) int
