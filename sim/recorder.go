package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// recorder makes a stretch of the walk under way.
type recorder struct {
	table.Consulted
	on     bool
	at     *entrance
	kind   kind
	origin field.Key
	wire   int
	larger []int // lengths that the packet was compared with

	steps, depth, deeper int // where it began; the deepest so far
	zone                 [3]int32
	clearsCT, cloned     bool

	events []trace.Event
	values []field.Uint128
}

// observe begins a stretch where p is, at an entrance.
func (e *Engine) observe(p *pkt, at *entrance) {
	r := &e.paths.recorder
	*r = recorder{
		on: true, at: at, kind: kindOfKey(&p.Key), origin: p.Key, wire: p.longest(), larger: r.larger[:0],
		steps: e.steps, depth: p.depth, deeper: p.depth, zone: [3]int32{-1, -1, -1},
		events: r.events[:0], values: r.values[:0],
	}
	r.Mask = kindBits.Mask
}

// recording returns the recorder if a stretch is being made, else nil.
func (e *Engine) recording() *recorder {
	if e.paths.recorder.on {
		return &e.paths.recorder
	}
	return nil
}

// abandon gives the stretch up: what happens depends on more than the key.
func (e *Engine) abandon() { e.paths.recorder.on = false }

// lookup finds the flow of a stage that p matches.
func (e *Engine) lookup(p *pkt, s *table.Stage, res table.Resident) *table.Flow {
	return s.At(s.Find(&p.Key, res, e.noting()))
}

// noting is where what a look-up depends on is noted, nil if that is of no interest.
func (e *Engine) noting() *table.Consulted {
	if r := e.recording(); r != nil {
		return &r.Consulted
	}
	return nil
}

// takes notes what an operation about to be done on p reads and sets, or
// returns false if that is not a function of the key alone: the stretch then
// ends before it. rest is whether operations follow.
func (r *recorder) takes(e *Engine, p *pkt, op *table.Op, rest bool, at position) bool {
	switch op.Code {
	case lflow.OpNext:
		if rest {
			return false
		}
		if op.Egress != at.egress {
			r.Slice(field.Whole(field.Inport)) // the trace tells one of them
			r.Slice(field.Whole(field.Outport))
		}
	case lflow.OpOutput:
		return !rest && r.outputs(e, p, at)
	case lflow.OpDrop, lflow.OpNote:
	case lflow.OpLoad:
		if op.Mask != field.Ones(int(op.Dst.Width)) {
			r.Slice(op.Dst) // the bits left alone stay what they were
		}
		r.Set(op.Dst)
	case lflow.OpMove:
		r.Slice(op.A)
		r.Set(op.Dst)
	case lflow.OpExchange:
		r.Slice(op.A)
		r.Slice(op.B)
		r.Set(op.A)
		r.Set(op.B)
	case lflow.OpDecTTL:
		r.Slice(field.Whole(field.IPTTL))
		if p.Key.Get(field.IPTTL) <= 1 {
			return false
		}
		r.Set(field.Whole(field.IPTTL))
	case lflow.OpCTClear:
		r.clear(&ctMask)
		r.clearsCT = true
	case lflow.OpCTStateSave:
		r.Slice(field.Whole(field.CTState))
		r.Set(op.Dst)
	case lflow.OpCTOriginal:
		r.Slice(op.A)
		r.Set(op.Dst)
	case lflow.OpCheckPktLarger:
		r.larger = append(r.larger, int(op.N))
		r.Set(op.Dst)
	case lflow.OpResult:
		switch op.Result {
		case lflow.CheckInPortSec:
			r.Slice(field.Whole(field.Inport))
		case lflow.CheckOutPortSec:
			r.Slice(field.Whole(field.Outport))
		default:
			return false
		}
		r.Set(op.Dst)
	default:
		return false
	}
	return true
}

// clear notes that bits are set, to 0 or whatever follows.
func (r *recorder) clear(mask *field.Key) {
	for w := range mask {
		r.Known[w] |= mask[w]
	}
}

// outputs is takes for output: it is a function of the key where the packet as
// a whole goes on, here, to one pipeline.
func (r *recorder) outputs(e *Engine, p *pkt, at position) bool {
	r.Slice(field.Whole(field.Outport))
	port := e.port(uint32(p.Key.Get(field.Outport)))
	if port == nil || len(port.Additional) > 0 {
		return false
	}
	if at.egress {
		return r.leaves(port)
	}
	c := p.chassis.Chassis
	if port.Type == network.ChassisRedirect {
		if !e.resident(port, c) {
			return false
		}
		if port.Distributed != nil {
			port = port.Distributed
		}
	} else if !e.isHere(port, c) {
		if port = e.throughLocalnet(port); port == nil {
			return false
		}
	}
	r.Slice(field.Whole(field.Inport))
	r.Slice(field.Slice{Field: field.Flags, Ofs: 0, Width: 1})
	if p.Key.Get(field.Inport) == uint64(port.Index) && p.Key.Get(field.Flags)&flagLoopback == 0 {
		return false
	}
	r.Set(field.Whole(field.Outport))
	r.clear(&registerMask)
	return true
}

// leaves is outputs from an egress pipeline: on to the peer's datapath.
func (r *recorder) leaves(port *network.Port) bool {
	switch port.Type {
	case network.Patch, network.L3Gateway:
	default:
		return false
	}
	if port.Peer == nil || len(port.Peer.Additional) > 0 {
		return false
	}
	r.clear(&metadataMask)
	r.clearsCT, r.cloned = true, true
	return true
}

// event notes a step.
func (r *recorder) event(ev trace.Event) { r.events = append(r.events, ev) }

func (r *recorder) value(ev trace.Event, v field.Uint128) {
	ev.Arg = int32(len(r.values))
	r.values = append(r.values, v)
	r.event(ev)
}

// enters notes that p enters a pipeline.
func (r *recorder) enters(p *pkt) { r.deeper = max(r.deeper, p.depth) }

// ends makes the stretch recorded end before an operation of a flow, which p is
// about to do, as its trace tells.
func (e *Engine) ends(p *pkt, f *table.Flow, op int, at position) {
	e.close(p, &stretch{flow: f, op: op, at: at})
}

// stops makes the stretch recorded end in a table.
func (e *Engine) stops(p *pkt, at position) { e.close(p, &stretch{at: at}) }

// close completes a stretch that p has taken so far, and keeps it.
func (e *Engine) close(p *pkt, s *stretch) {
	r := &e.paths.recorder
	r.on = false
	if !s.gone {
		s.dp, s.zone, s.clearsCT, s.cloned, s.depth = p.dp, r.zone, r.clearsCT, r.cloned, p.depth-r.depth
		for w, m := range r.Known {
			if m != 0 {
				s.writes = append(s.writes, write{uint8(w), m, p.Key[w] & m})
			}
		}
	}
	s.origin, s.mask, s.wire = r.origin, r.Mask, r.wire
	clearBits(&s.mask, &kindBits.Mask)
	s.steps, s.deeper = e.steps-r.steps, r.deeper-r.depth
	s.path = e.intern(trace.NewPath(r.events, r.values, uint16(r.depth)))
	if e.paths.stretches >= e.paths.most {
		e.forgetPaths()
		return
	}
	e.paths.stretches++
	of := r.at.of(r.kind)
	of.records++
	s.of = of
	of.add(s, r.larger)
}

// of returns the stretches of a kind, made when first met.
func (x *entrance) of(k kind) *kindOf {
	for _, of := range x.kinds {
		if of.kind == k {
			return of
		}
	}
	if len(x.kinds) >= maxKinds {
		x.kinds = x.kinds[:0]
	}
	x.kinds = append(x.kinds, &kindOf{from: x, kind: k})
	return x.kinds[len(x.kinds)-1]
}

// intern returns the path kept that tells the same as p: many stretches differ in
// little but addresses.
func (e *Engine) intern(p *trace.Path) *trace.Path {
	h := p.Hash()
	for _, q := range e.paths.interned[h] {
		if p.Same(q) {
			return q
		}
	}
	e.paths.interned[h] = append(e.paths.interned[h], p)
	return p
}
