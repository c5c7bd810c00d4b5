package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// value records a number that an action met: what it assigned or found.
func (e *Engine) value(p *pkt, kind trace.Kind, f *table.Flow, v field.Uint128) {
	if e.quiet {
		return
	}
	t := &e.out.Trace
	arg, ev := t.Value(v), t.Next(kind)
	here(p, ev)
	ev.Flow, ev.Arg = int32(f.Index), arg
	if r := e.recording(); r != nil {
		r.value(*ev, v)
	}
}

// assigned records what a field of the packet becomes. Registers and other
// metadata are not worth it: nothing outside OVN sees them.
func (e *Engine) assigned(p *pkt, f *table.Flow, dst field.Slice, v field.Uint128) {
	if dst.Field > field.Flags {
		e.value(p, trace.Set, f, v)
	}
}

// found records the answer of an action that looks something up, and the
// Ethernet address it is about.
func (e *Engine) found(p *pkt, f *table.Flow, ok bool, mac uint64) {
	kind := trace.Lost
	if ok {
		kind = trace.Found
	}
	e.value(p, kind, f, field.U64(mac))
}

// jump records that p moves to the other pipeline of its datapath.
func (e *Engine) jump(p *pkt, f *table.Flow, egress bool) {
	id := field.Inport
	if egress {
		id = field.Outport
	}
	e.event(p, trace.Event{Kind: trace.Jump, Egress: egress, Flow: int32(f.Index), Port: uint32(p.Key.Get(id))})
}

// logged records the packet as an ACL's log action shows it.
func (e *Engine) logged(p *pkt, f *table.Flow, _ *table.Op) {
	t := &e.out.Trace
	t.Keys = append(t.Keys, p.Key)
	e.event(p, trace.Event{Kind: trace.Log, Flow: int32(f.Index), Arg: int32(len(t.Keys) - 1)})
}
