package main

import (
	"fmt"

	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/table"
)

// filter is an expression of the logical flow language that packets are
// selected by.
type filter struct{ stage *table.Stage }

// newFilter compiles an expression; the empty one selects everything, as nil.
func newFilter(e *sim.Engine, expr string) (*filter, error) {
	if expr == "" {
		return nil, nil
	}
	f := &network.Flow{Match: expr, Actions: "next;", Priority: 1}
	c := table.Compile(f, sim.NewEnv(e.Net, f), e)
	if c.Err != nil {
		return nil, fmt.Errorf("--filter: %w", c.Err)
	}
	return &filter{table.NewStage([]*table.Flow{c})}, nil
}

// packet reports whether the filter selects a frame as it entered, with its
// connection's state as any of its passes through conntrack found it.
func (f *filter) packet(fr *replay.Frame, p *replay.Point, out *sim.Outcome) bool {
	if f == nil {
		return true
	}
	k := fr.Headers().Key
	if p.Port != nil {
		k.Set(field.Inport, uint64(p.Port.Index))
	}
	if f.stage.Lookup(&k, nil) != nil {
		return true
	}
	for i := range out.Trace.CT {
		c := &out.Trace.CT[i]
		k.Set(field.CTState, uint64(c.State))
		k.Set(field.CTMark, uint64(c.Mark))
		k.Set128(field.CTLabel, field.Uint128{Hi: c.Label.Hi, Lo: c.Label.Lo})
		if f.stage.Lookup(&k, nil) != nil {
			return true
		}
	}
	return false
}

// items keeps those of a report's items that the filter selects.
func (f *filter) items(list []replay.Item) []replay.Item {
	if f == nil {
		return list
	}
	out := []replay.Item{}
	for i := range list {
		k := list[i].Key()
		if f.stage.Lookup(&k, nil) != nil {
			out = append(out, list[i])
		}
	}
	return out
}
