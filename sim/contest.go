package sim

import (
	"ovnreplay/conntrack/coding"
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
	for i, g := range e.rivals {
		if e.compare(p.chassis.Chassis, g.Flow, f.Flow) < 0 {
			e.rivals[i], f = f, g
		}
	}
	return f
}

// compare is negative if a switch uses a where b matches as well, positive if it uses
// b, as far as that is known: captures showed it, or Options.Tie tells.
func (e *Engine) compare(on *network.Chassis, a, b *network.Flow) int {
	if len(e.preferred) > 0 {
		switch {
		case e.preferred[preference(on, a, b)]:
			return -1
		case e.preferred[preference(on, b, a)]:
			return 1
		}
	}
	if e.opts.Tie == nil {
		return 0
	}
	return e.opts.Tie(on, a, b)
}

// preference is the name of a chassis' using one flow where another matches too.
func preference(on *network.Chassis, used, other *network.Flow) string {
	return on.Name + " " + used.UUID + " " + other.UUID
}

// Prefer makes a chassis use a logical flow where another matches as well, from now
// on: both by index. It is part of the engine's state.
func (e *Engine) Prefer(chassis, used, other int32) {
	on, f, g := e.Net.Chassis[chassis], e.Net.Flows[used], e.Net.Flows[other]
	if e.preferred == nil {
		e.preferred = map[string]bool{}
	}
	delete(e.preferred, preference(on, g, f))
	e.preferred[preference(on, f, g)] = true
	e.forgetPaths()
}

// Settled reports whether it is known which of two flows a chassis uses.
func (e *Engine) Settled(chassis, a, b int32) bool {
	return e.compare(e.Net.Chassis[chassis], e.Net.Flows[a], e.Net.Flows[b]) != 0
}

// codePreferred writes or reads what captures showed of flows that both match.
func (s *snapshot) codePreferred() {
	if s.e.preferred == nil {
		s.e.preferred = map[string]bool{}
	}
	coding.Map(s.Coder, s.e.preferred, 3, func(c *coding.Coder, name *string, used *bool) bool {
		c.Text(name)
		*used = true
		return true
	})
	if s.Reading() && len(s.e.preferred) > 0 {
		s.e.forgetPaths()
	}
}

// noteRivals tells which flows might as well have applied as f: those of the same
// match, and of what people write matches for those of other rows. Where northd's own
// matches overlap is not told.
func (e *Engine) noteRivals(p *pkt, f *table.Flow) {
	for _, g := range e.rivals {
		if g.Match != f.Match && (!f.Written() || !g.Written() || f.StageHint == g.StageHint) {
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
