package sim

import (
	"cmp"
	"maps"
	"slices"

	"ovnreplay/conntrack/coding"
	"ovnreplay/sim/field"
	"ovnreplay/sim/table"
)

// codeHeld codes the packets that wait for something, with where they go on.
// It names things by their numbers: the network is the same.
func (s *saver) codeHeld() {
	e := s.e
	count := len(e.fragments.parked)
	e.Held(func(*Injection) { count++ })
	coding.Int(s.Coder, &count)
	coding.Uint(s.Coder, &e.walks)
	coding.Slice(s.Coder, &e.waiting.queues, 6, func(q **waitQueue) {
		if s.Reading() {
			*q = new(waitQueue)
		}
		s.queue(*q)
	})
	coding.Slice(s.Coder, &e.waiting.ready, 20, s.held)
	s.parked()
}

func (s *saver) queue(q *waitQueue) {
	s.index(&q.chassis, len(s.e.chassis))
	coding.Uint(s.Coder, &q.hop.port)
	s.number(&q.hop.ip)
	s.Bools(&q.hop.v6)
	coding.Slice(s.Coder, &q.packets, 20, s.held)
	coding.Int(s.Coder, &q.expires)
	coding.Int(s.Coder, &q.goesOn)
	coding.Uint(s.Coder, &q.mac)
}

// index codes a number that is less than n.
func (s *saver) index(p *int, n int) {
	coding.Int(s.Coder, p)
	if *p < 0 || *p >= n {
		s.Fail("%d of %d", *p, n)
		*p = 0
	}
}

func (s *saver) held(h **held) {
	if s.Reading() {
		*h = new(held)
	}
	x := *h
	s.packet(&x.p)
	s.injection(&x.of)
	s.compiled(x.p, &x.flow)
	s.rest(x.flow, &x.rest)
	s.position(&x.at)
	coding.Int(s.Coder, &x.due)
}

// parked codes the fragments that conntrack holds.
func (s *saver) parked() {
	m := s.e.fragments.parked
	keys := slices.SortedFunc(maps.Keys(m), func(a, b parkedKey) int {
		return cmp.Or(cmp.Compare(a.chassis, b.chassis), cmp.Compare(a.held, b.held))
	})
	if s.Reading() {
		m = map[parkedKey]*parked{}
		s.e.fragments.parked = m
	}
	coding.Slice(s.Coder, &keys, 20, func(k *parkedKey) {
		s.index(&k.chassis, len(s.e.chassis))
		coding.Uint(s.Coder, &k.held)
		x := m[*k]
		if s.Reading() {
			x = new(parked)
			m[*k] = x
		}
		s.packet(&x.p)
		s.compiled(x.p, &x.flow)
		s.op(x.flow, &x.op)
		s.rest(x.flow, &x.rest)
		s.position(&x.at)
	})
}

func (s *saver) position(at *position) {
	s.Bools(&at.egress)
	coding.Uint(s.Coder, &at.table)
}

func (s *saver) injection(in *Injection) {
	port, chassis := 0, 0
	if !s.Reading() {
		chassis = in.Chassis.Index
		if in.Port != nil {
			port = in.Port.Index
		}
	}
	s.index(&port, len(s.e.Net.Ports))
	s.index(&chassis, len(s.e.Net.Chassis))
	coding.Int(s.Coder, &in.Time)
	s.Blob(&in.Frame)
	coding.Int(s.Coder, &in.Wire)
	coding.Int(s.Coder, &in.Segment)
	coding.Uint(s.Coder, &in.Ref)
	if s.Reading() && s.Err() == nil {
		in.Port, in.Chassis = s.e.Net.Ports[port], s.e.Net.Chassis[chassis]
	}
}

// packet codes a packet on its way.
func (s *saver) packet(to **pkt) {
	if s.Reading() {
		*to = new(pkt)
	}
	p := *to
	dp, chassis := 0, 0
	if !s.Reading() {
		dp, chassis = p.dp.Index, p.chassis.index
	}
	s.index(&dp, len(s.e.Net.Datapaths))
	s.index(&chassis, len(s.e.Net.Chassis))
	s.Blob(&p.Data)
	coding.Int(s.Coder, &p.Wire)
	for w := range p.Key {
		coding.Uint(s.Coder, &p.Key[w])
	}
	p.ct.Code(s.Coder)
	coding.Uint(s.Coder, &p.zone.port)
	coding.Uint(s.Coder, &p.zone.dnat)
	coding.Uint(s.Coder, &p.zone.snat)
	coding.Slice(s.Coder, &p.stack, 2, s.number)
	s.index(&p.depth, maxDepth+2)
	s.Bools(&p.broken, &p.guess, &p.seen, &p.made, &p.cloned, &p.completes, &p.midway, &p.hashed)
	coding.Uint(s.Coder, &p.walk)
	coding.Int(s.Coder, &p.mru)
	coding.Int(s.Coder, &p.segment)
	coding.Int(s.Coder, &p.recirculated)
	if !s.Reading() || s.Err() != nil {
		return
	}
	p.dp, p.chassis = s.e.Net.Datapaths[dp], s.e.on(s.e.Net.Chassis[chassis])
	key := p.Key // may differ from the frame, into which it is written later
	p.Reparse()
	p.Key = key
	out := uint32(key.Get(field.Outport))
	bound := int(key.Get(field.Inport)) < len(s.e.Net.Ports)
	if !bound || s.e.port(out) == nil && out != 0 && s.e.group(p.dp, out) == nil || p.Wire < len(p.Data) {
		s.Fail("%v", errHeld)
	}
}

// compiled codes the flow at whose actions p is.
func (s *saver) compiled(p *pkt, f **table.Flow) {
	n := 0
	if !s.Reading() && *f != nil {
		n = (*f).Index + 1
	}
	s.index(&n, len(s.e.Net.Flows)+1)
	if s.Reading() && s.Err() == nil && n > 0 {
		*f = p.chassis.compiled.flow(s.e.Net.Flows[n-1])
	}
}

// op codes one of a flow's operations.
func (s *saver) op(f *table.Flow, op **table.Op) {
	seq := uint16(0)
	if !s.Reading() {
		seq = (*op).Seq
	}
	coding.Uint(s.Coder, &seq)
	if !s.Reading() || s.Err() != nil {
		return
	}
	if f != nil {
		*op = f.Op(int(seq))
	}
	if *op == nil {
		s.Fail("%v", errHeld)
	}
}

// rest codes the operations of a flow from one to the end of its block, by
// that one's number; 0 for none.
func (s *saver) rest(f *table.Flow, rest *[]table.Op) {
	seq := 0
	if len(*rest) > 0 {
		seq = int((*rest)[0].Seq) + 1
	}
	coding.Int(s.Coder, &seq)
	if !s.Reading() || s.Err() != nil || seq == 0 {
		return
	}
	if f != nil {
		*rest = from(f.Ops, seq-1)
	}
	if *rest == nil {
		s.Fail("%v", errHeld)
	}
}

// from returns the operations of a block from the one numbered seq on.
func from(ops []table.Op, seq int) []table.Op {
	for i := range ops {
		if int(ops[i].Seq) == seq {
			return ops[i:]
		}
		if found := from(ops[i].Inner, seq); found != nil {
			return found
		}
	}
	return nil
}
