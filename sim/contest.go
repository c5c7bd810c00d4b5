package sim

import (
	"ovnreplay/conntrack/coding"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// contest is two logical flows by index that both match on a chassis.
type contest struct{ chassis, a, b int32 }

// contested is what is known of a contest: its order is negative if the switch uses the
// first, positive if it uses the second; and whether a packet that meets it tells.
type contested struct {
	order int
	told  bool
}

// maxContests bounds how many are known at a time.
const maxContests = 1 << 16

// applies returns which of a stage's flows applies to p, nil if none matches: the one
// that is found by its priority, or another that matches as well with the same one. Of
// these OVN leaves open which the switch uses: Options.Tie decides, else the order of
// table.NewStage.
func (e *Engine) applies(p *pkt, s *table.Stage) *table.Flow {
	noting := e.noting()
	found := s.Find(&p.Key, p.chassis.resident, noting)
	e.rivals = e.rivals[:0]
	if found < 0 {
		return nil
	}
	f := s.At(found)
	e.ranks = s.Rivals(e.ranks[:0], found, &p.Key, p.chassis.resident, noting)
	for _, rank := range e.ranks {
		g := s.At(rank)
		if e.contest(p.chassis.Chassis, g.Flow, f.Flow).order < 0 {
			f, g = g, f
		}
		e.rivals = append(e.rivals, g)
	}
	return f
}

// contest returns what is known of two flows that both match on a chassis.
func (e *Engine) contest(on *network.Chassis, a, b *network.Flow) contested {
	k := contest{int32(on.Index), int32(a.Index), int32(b.Index)}
	x, known := e.contests[k]
	if !known {
		x = e.examine(on, a, b)
		if e.contests == nil || len(e.contests) >= maxContests {
			e.contests = map[contest]contested{}
		}
		e.contests[k] = x
	}
	return x
}

// examine finds out, of what flows say, how they stand to each other on a chassis.
func (e *Engine) examine(on *network.Chassis, a, b *network.Flow) contested {
	return contested{e.compare(on, a, b), tells(a, b)}
}

// tells reports whether a packet that both flows match tells of it: they have the same
// match, or matches that people wrote for different rows. Where northd's own matches
// overlap is not told.
func tells(a, b *network.Flow) bool {
	return a.Match == b.Match || a.Written() && b.Written() && a.StageHint != b.StageHint
}

// compare is negative if a switch uses a where b matches as well, positive if it uses
// b, as far as that is known: captures showed it, or Options.Tie tells.
func (e *Engine) compare(on *network.Chassis, a, b *network.Flow) int {
	switch {
	case e.preferred[preference(on, a, b)]:
		return -1
	case e.preferred[preference(on, b, a)]:
		return 1
	case e.opts.Tie == nil:
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
	e.contests = nil
	e.forgetPaths()
}

// Settled reports whether it is known which of two flows a chassis uses.
func (e *Engine) Settled(chassis, a, b int32) bool {
	return e.compare(e.Net.Chassis[chassis], e.Net.Flows[a], e.Net.Flows[b]) != 0
}

// codePreferred writes or reads what captures showed of flows that both match.
func (s *saver) codePreferred() {
	if s.e.preferred == nil {
		s.e.preferred = map[string]bool{}
	}
	coding.Map(s.Coder, s.e.preferred, 3, func(c *coding.Coder, name *string, used *bool) bool {
		c.Text(name)
		*used = true
		return true
	})
	s.e.contests = nil
	if s.Reading() && len(s.e.preferred) > 0 {
		s.e.forgetPaths()
	}
}

// noteRivals tells which flows might as well have applied as f.
func (e *Engine) noteRivals(p *pkt, f *table.Flow) {
	for _, g := range e.rivals {
		if !e.contest(p.chassis.Chassis, f.Flow, g.Flow).told {
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
