package sim

import (
	"encoding/binary"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// OVN's bits in ct_mark, and in ct_label for versions that used that.
const (
	ctNatted    = 1 << 1
	ctSkipSNAT  = 1 << 2
	ctForceSNAT = 1 << 3
)

// zoneOf returns the number of the zone that ct_next, ct_lb and the commits
// mean for p now: on a switch that of the port, whatever they name.
func (e *Engine) zoneOf(p *pkt, z lflow.ZoneName) uint16 {
	if !p.dp.Router {
		return p.zone.port
	}
	return natZone(p, z)
}

// natZone returns the zone that ct_dnat and ct_snat mean: the datapath's, on a
// switch too.
func natZone(p *pkt, z lflow.ZoneName) uint16 {
	switch z {
	case lflow.ZoneSNAT:
		return p.zone.snat
	case lflow.ZoneCommon:
		if p.dp.SNATCTZone >= 0 {
			return p.zone.snat
		}
	}
	return p.zone.dnat
}

// track runs an action that sends the packet through conntrack and on to the
// next table.
func (e *Engine) track(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	req := conntrack.Request{Zone: e.zoneOf(p, op.Zone)}
	switch op.Code {
	case lflow.OpCTNext:
	case lflow.OpCTCommitToZone:
		req.Commit = true
		if op.NAT {
			req.NAT.Kind = nat.Apply
		}
	case lflow.OpCTNAT:
		req.Zone = natZone(p, op.Zone)
		req.Commit = op.Commit
		req.NAT = binding(op)
		e.pinSource(p, f, &req)
		e.pinMoved(p, f, &req)
	case lflow.OpCTLB:
		if !e.balance(p, f, op.LB, &req) {
			return position{}, false
		}
	}
	if !e.conntrack(p, f, &req, true) || !e.recirculate(p, f) {
		return position{}, false
	}
	e.fresh(p)
	return at.next(), true
}

// binding is the nat() argument of ct_snat and ct_dnat.
func binding(op *table.Op) nat.Binding {
	if !op.Commit || op.Addr == [16]byte{} {
		return nat.Binding{Kind: nat.Apply}
	}
	b := nat.Binding{Kind: nat.Dst, V6: op.V6, AddrLo: op.Addr, AddrHi: op.Addr, PortLo: op.PortLo, PortHi: op.PortHi}
	if op.SNAT {
		b.Kind = nat.Src
	}
	if op.PortLo != 0 {
		b.Flags = nat.Random
	}
	return b
}

// mayOpen reports whether p may open a connection, as far as it knows: one that was picked up in
// another zone is established there.
func (p *pkt) mayOpen() bool {
	return p.ct.State&conntrack.New != 0 || p.ct.State == 0 || p.midway
}

// showsPorts reports whether conntrack sees the ports that p has: those of fragments it sees
// when all are there, and some profiles those of TCP and UDP only.
func (p *pkt) showsPorts() bool {
	proto := p.Key.Get(field.IPProto)
	return p.Key.Get(field.IPFrag) == 0 && (proto == header.ProtoTCP || proto == header.ProtoUDP)
}

// pinSource makes SNAT take the port, or ID of ICMP, that the datapath took by a
// hash or at random, where a capture shows it: of a range, or another one than the
// packet's own, if that was taken, which a connection from before the captures may
// have done. Open vSwitch's userspace then takes the next that is free.
func (e *Engine) pinSource(p *pkt, f *table.Flow, req *conntrack.Request) {
	fixed := req.NAT.PortLo == req.NAT.PortHi && req.NAT.PortLo != 0
	if req.NAT.Kind != nat.Src || fixed || e.opts.Choose == nil || !p.mayOpen() {
		return
	}
	var read nat.Packet
	if ip := p.IP(); ip == nil || read.Parse(ip) != nat.NoFault || read.IsError {
		return
	}
	port, ok := e.opts.Choose.SourcePort(req.NAT.AddrLo, req.NAT.V6, &p.Packet)
	switch {
	case !ok:
		return
	case req.NAT.PortLo != 0:
		if port < req.NAT.PortLo || port > req.NAT.PortHi {
			return
		}
	case port == read.Tuple.SrcPort && !p.showsPorts(),
		e.opts.Conntrack.Profile == conntrack.OVSUserspace &&
			(port < read.Tuple.SrcPort || port != read.Tuple.SrcPort && read.Tuple.ICMP()):
		return
	}
	e.pin = read.Tuple.Reverse()
	e.pin.Dst, e.pin.DstPort = req.NAT.AddrLo, port
	if e.pin.ICMP() {
		e.pin.SrcPort = port
	}
	e.takePin(p, f, req, req.NAT.PortLo != 0 || port != read.Tuple.SrcPort)
}

// takePin makes conntrack give a connection the reply tuple that a capture shows; another
// than it would have been given: that is told.
func (e *Engine) takePin(p *pkt, f *table.Flow, req *conntrack.Request, another bool) {
	req.Pin = &e.pin
	if another {
		p.seen = true
		e.note(p, trace.Note, trace.ObservedChoice, f)
	}
}

// pinMoved moves a source port beside DNAT as a capture shows it: a connection from before the
// captures may have had the reply tuple.
func (e *Engine) pinMoved(p *pkt, f *table.Flow, req *conntrack.Request) {
	if req.NAT.Kind != nat.Dst || e.opts.Choose == nil || !p.mayOpen() || !p.showsPorts() {
		return
	}
	var read nat.Packet
	if ip := p.IP(); ip == nil || read.Parse(ip) != nat.NoFault || read.IsError {
		return
	}
	port, ok := e.opts.Choose.MovedPort(&p.Packet)
	if !ok {
		return
	}
	e.pin = read.Tuple.Reverse()
	e.pin.Src, e.pin.DstPort = req.NAT.AddrLo, port
	if req.NAT.PortLo != 0 {
		e.pin.SrcPort = req.NAT.PortLo
	}
	e.takePin(p, f, req, port != read.Tuple.SrcPort)
}

// balance chooses a load balancer's backend; without backends the action only
// applies the connection's own NAT.
func (e *Engine) balance(p *pkt, f *table.Flow, lb *lflow.Balance, req *conntrack.Request) bool {
	if len(lb.Backends) == 0 {
		req.NAT.Kind = nat.Apply
		return true
	}
	b := e.backend(p, f, lb)
	if b == nil {
		e.drop(p, trace.DropNoBackend, f)
		return false
	}
	req.Commit = true
	req.NAT = nat.Binding{Kind: nat.Dst, V6: b.V6, AddrLo: b.Addr, AddrHi: b.Addr, PortLo: b.Port, PortHi: b.Port}
	bits := uint64(ctNatted)
	if lb.SkipSNAT {
		bits |= ctSkipSNAT
	}
	if lb.ForceSNAT {
		bits |= ctForceSNAT
	}
	if lb.Op == lflow.LB {
		req.Label.Lo, req.LabelMask.Lo = bits, bits
	} else {
		req.Mark, req.MarkMask = uint32(bits), uint32(bits)
	}
	e.pinMoved(p, f, req)
	return true
}

// commit is ct_commit: the connection is committed and its mark and label set.
// The flows that follow see a packet that is not tracked.
func (e *Engine) commit(p *pkt, f *table.Flow, op *table.Op) {
	req := conntrack.Request{
		Zone:   e.zoneOf(p, lflow.ZoneDNAT),
		Commit: true,
		// All-zero SNAT: if this connection would collide with a translated
		// one, its source port moves.
		NAT: nat.Binding{Kind: nat.Src, V6: p.Key.Get(field.EthType) == header.EtherIPv6},
	}
	for i := range op.Inner {
		setMarkOrLabel(&p.Key, &op.Inner[i], &req)
	}
	e.conntrack(p, f, &req, false)
}

// setMarkOrLabel adds one assignment of a ct_commit block to the request.
func setMarkOrLabel(k *field.Key, op *table.Op, req *conntrack.Request) {
	v, mask := op.Value, op.Mask
	if op.Code == lflow.OpMove {
		v, mask = k.Load(op.A), field.Ones(int(op.Dst.Width))
	}
	v, mask = v.And(mask).Lsh(uint(op.Dst.Ofs)), mask.Lsh(uint(op.Dst.Ofs))
	switch op.Dst.Field {
	case field.CTMark:
		req.Mark = req.Mark&^uint32(mask.Lo) | uint32(v.Lo)
		req.MarkMask |= uint32(mask.Lo)
	case field.CTLabel:
		old := field.Uint128{Hi: req.Label.Hi, Lo: req.Label.Lo}.AndNot(mask).Or(v)
		req.Label = conntrack.Label{Hi: old.Hi, Lo: old.Lo}
		req.LabelMask.Hi |= mask.Hi
		req.LabelMask.Lo |= mask.Lo
	}
}

// conntrack passes p through its chassis' table. With show, as where OVS
// recirculates the packet, flows see the result from here on: the ct_* fields
// and what NAT made of the packet. Without it they go on seeing the packet as
// it was, although its bytes may have been translated, but no ct_* field: these
// are there only where ct leads (ofproto's translation clears them after it).
// It returns false if the packet ended.
func (e *Engine) conntrack(p *pkt, f *table.Flow, req *conntrack.Request, show bool) bool {
	p.Flush()
	known := p.Key.Get(field.CTState)&uint64(conntrack.Tracked) != 0
	ip := p.IP()
	if ip == nil {
		p.ct.Clear()
		p.ct.State = conntrack.Tracked | conntrack.Invalid
		p.ct.Zone = req.Zone
		e.showCT(p)
		return true
	}
	ip = ip[:p.Layout.L3End-p.Layout.L3]
	req.Cut = p.Wire > len(p.Data)
	if p.Changed {
		p.sight, p.Changed = conntrack.Sight{}, false
	}
	req.Sight = &p.sight
	out := p.chassis.ct.Execute(e.now, ip, &p.ct, req)
	e.recordCT(p, f, req, &out)
	e.limitsOf(p.chassis, uint8(p.Key.Get(field.IPProto)), req, &out)
	p.completes, p.midway = p.completes || out.Completes, p.midway || out.Loose
	if out.Rewritten {
		p.Translated()
		e.recordNAT(p, f, &out)
	}
	if show {
		e.showCT(p)
		e.override(p, known)
	} else {
		clearBits(&p.Key, &ctMask)
	}
	if out.Drop != conntrack.NoDrop {
		e.drop(p, ctDrop(&out), f)
		p.broken = true
		e.held = out.Held
		return false
	}
	if len(out.Freed) > 0 {
		e.setFree(p, out.Freed, show)
		p.broken = true
		return false
	}
	if out.Reassembled != nil {
		e.reassembled(p, &out)
	}
	return true
}

// showCT makes what conntrack said visible to the flows that follow.
func (e *Engine) showCT(p *pkt) {
	k := &p.Key
	k.Set(field.CTState, uint64(p.ct.State))
	k.Set(field.CTMark, uint64(p.ct.Mark))
	k.Set128(field.CTLabel, field.Uint128{Hi: p.ct.Label.Hi, Lo: p.ct.Label.Lo})
	o := &p.ct.Orig
	k.Set(field.CTProto, uint64(o.Proto))
	k.Set(field.CTTpSrc, uint64(o.SrcPort))
	k.Set(field.CTTpDst, uint64(o.DstPort))
	if o.V6 {
		k.Set128(field.CTIP6Src, field.FromBytes(o.Src))
		k.Set128(field.CTIP6Dst, field.FromBytes(o.Dst))
		k.Set(field.CTNwSrc, 0)
		k.Set(field.CTNwDst, 0)
		return
	}
	k.Set128(field.CTIP6Src, field.Uint128{})
	k.Set128(field.CTIP6Dst, field.Uint128{})
	k.Set(field.CTNwSrc, uint64(binary.BigEndian.Uint32(o.Src[:])))
	k.Set(field.CTNwDst, uint64(binary.BigEndian.Uint32(o.Dst[:])))
}

func (e *Engine) recordCT(p *pkt, f *table.Flow, req *conntrack.Request, out *conntrack.Outcome) {
	t := &e.out.Trace
	t.CT = append(t.CT, trace.CTStep{})
	step := &t.CT[len(t.CT)-1]
	step.Chassis, step.Zone, step.Commit = int32(p.chassis.index), req.Zone, req.Commit
	step.Created, step.Guess, step.Loose, step.Refusal = out.Created, out.Guess, out.Loose, out.Refusal
	step.Check = out.Check
	step.State, step.Mark, step.Label, step.Orig = p.ct.State, p.ct.Mark, p.ct.Label, p.ct.Orig
	reply := p.chassis.ct.Reply(&p.ct)
	if reply == nil && p.ct.State&conntrack.Invalid == 0 {
		// A look-up that translates keeps no hold of the connection, which is still in
		// the table.
		reply = p.chassis.ct.ReplyOf(req.Zone, &p.ct.Orig)
	}
	if reply != nil {
		step.Reply, step.Connected = *reply, true
	}
	e.happens(p, trace.CT, position{}, int32(f.Index), int32(len(t.CT)-1), 0)
	if out.Guess {
		p.guess = true
		e.note(p, trace.Note, trace.GuessPort, f)
	}
	if out.Uncommitted != conntrack.NoDrop {
		e.note(p, trace.Note, notCommitted(out.Uncommitted), f)
	}
	if out.Expired != 0 {
		e.note(p, trace.Note, trace.Expired, f)
	}
	if out.Loose && out.Created { // a mere look-up tracks nothing from here on
		e.note(p, trace.Note, trace.LooseConnection, f)
	}
}

// recordNAT records what was translated: source, destination, or both.
func (e *Engine) recordNAT(p *pkt, f *table.Flow, out *conntrack.Outcome) {
	b, a := &out.Before, &out.After
	undo := p.ct.State&conntrack.Reply != 0
	src, dst := b.SrcPort != a.SrcPort, b.DstPort != a.DstPort
	if b.ICMP() { // the ID, which both have: only SNAT gives way with it
		src, dst = src && !undo, dst && undo
	}
	if b.Src != a.Src || src {
		e.addNAT(p, f, false, undo, out)
	}
	if b.Dst != a.Dst || dst {
		e.addNAT(p, f, true, undo, out)
	}
}

func (e *Engine) addNAT(p *pkt, f *table.Flow, dst, undo bool, out *conntrack.Outcome) {
	t := &e.out.Trace
	t.NAT = append(t.NAT, trace.NATStep{})
	s := &t.NAT[len(t.NAT)-1]
	s.Dst, s.Undo, s.Flow, s.From, s.To = dst, undo, int32(f.Index), out.Before, out.After
	e.happens(p, trace.NAT, position{}, int32(f.Index), int32(len(t.NAT)-1), 0)
}

// notCommitted is why conntrack lets a packet pass and remembers nothing of it.
func notCommitted(d conntrack.Drop) trace.Reason {
	switch d {
	case conntrack.DropZoneLimit:
		return trace.NotInZone
	case conntrack.DropPortsTaken:
		return trace.NotTranslated
	}
	return trace.NotCommitted
}

func ctDrop(out *conntrack.Outcome) trace.Reason {
	switch out.Drop {
	case conntrack.DropPortsTaken:
		return trace.DropPortsTaken
	case conntrack.DropTableFull:
		return trace.DropTableFull
	case conntrack.DropZoneLimit:
		return trace.DropZoneLimit
	case conntrack.DropFragment:
		if out.Held == 0 {
			return trace.DropPiece
		}
		return trace.DropFragment
	case conntrack.DropRedirect:
		return trace.DropRedirect
	}
	return trace.DropClash
}
