package replay

import (
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// Filter is an expression of the logical flow language that packets are
// selected by.
type Filter struct{ stage *table.Stage }

// NewFilter compiles an expression; the empty one selects everything, as nil.
func NewFilter(e *sim.Engine, expr string) (*Filter, error) {
	if expr == "" {
		return nil, nil
	}
	f := &network.Flow{Match: expr, Actions: "next;", Priority: 1}
	c := table.Compile(f, sim.NewEnv(e.Net, f), e)
	if c.Err != nil {
		return nil, meant(c.Err)
	}
	return &Filter{table.NewStage([]*table.Flow{c})}, nil
}

// Packet reports whether the filter selects a frame as it entered, with its
// connection's state as any of its passes through conntrack found it, and a port where it left.
func (f *Filter) Packet(fr *Frame, p *Point, out *sim.Outcome) bool {
	if f == nil {
		return true
	}
	k := fr.Headers().Key
	if p.Port != nil {
		k.Set(field.Inport, uint64(p.Port.Index))
	}
	if f.leaves(&k, out) {
		return true
	}
	for i := range out.Trace.CT {
		c := &out.Trace.CT[i]
		k.Set(field.CTState, uint64(c.State))
		k.Set(field.CTMark, uint64(c.Mark))
		k.Set128(field.CTLabel, field.Uint128{Hi: c.Label.Hi, Lo: c.Label.Lo})
		if f.leaves(&k, out) {
			return true
		}
	}
	return false
}

// leaves reports whether the filter selects a packet by its key, alone or with a port where it left.
func (f *Filter) leaves(k *field.Key, out *sim.Outcome) bool {
	k.Set(field.Outport, 0)
	if f.stage.Lookup(k, nil) != nil {
		return true
	}
	for i := range out.Outputs {
		k.Set(field.Outport, uint64(out.Outputs[i].Port.Index))
		if f.stage.Lookup(k, nil) != nil {
			return true
		}
	}
	return false
}

// Select keeps those of a report's items that the filter selects, and counts
// the others as omitted: the verdict is about all of them.
func (f *Filter) Select(r *Report) {
	if f == nil {
		return
	}
	for name, list := range map[string]*[]Item{"mismatched": &r.Mismatched, "missing": &r.Missing,
		"unexpected": &r.Unexpected, "skipped": &r.Skipped} {
		kept := (*list)[:0]
		for i := range *list {
			k := (*list)[i].Key()
			if f.stage.Lookup(&k, nil) != nil {
				kept = append(kept, (*list)[i])
			} else {
				r.omit(name)
			}
		}
		*list = kept
	}
}
