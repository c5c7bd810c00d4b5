package sim

import (
	"ovnreplay/nat/header"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// made runs the actions in which ovn-controller makes a packet of its own from
// p and runs the block on it. The packet is injected where the block stands,
// with p's registers, ports, zones and flags but untracked.
//
// The action takes p to ovn-controller and p goes no further, unless other
// actions follow in its flow. arp{} and nd_ns{} keep it there until the next
// hop answers.
func (e *Engine) made(p *pkt, f *table.Flow, op *table.Op, at position) {
	if e.beyondRate(p, f) {
		return
	}
	p.Flush()
	p.Upcall()
	frame, why, ok := e.compose(p, op.Block)
	if ok {
		e.note(p, trace.Made, why, f)
		c := e.injected(p, frame)
		c.depth++
		e.event(c, trace.Event{Kind: trace.Block, Flow: int32(f.Index), Arg: int32(op.Seq),
			Port: uint32(c.Key.Get(field.IPProto))})
		e.follow(c, f, op.Inner, at)
		e.put(c)
	}
	if ok && (op.Block == lflow.ARP || op.Block == lflow.NDNS) {
		e.hold(p, f, op, at)
		return
	}
	e.drop(p, trace.DropConsumed, f)
}

// compose builds the packet that an action with a block begins with; false if
// ovn-controller sends none for p.
func (e *Engine) compose(p *pkt, block lflow.NestedOp) (answer.Frame, trace.Reason, bool) {
	var frame answer.Frame
	var ok bool
	why := trace.MadeICMP
	style := answer.Style{KeepTOS: !e.has(p.chassis.AZ, network.FreshTOS)}
	v4 := p.Key.Get(field.EthType) == header.EtherIPv4
	switch block {
	case lflow.ARP:
		why = trace.MadeARP
		if v4 || e.has(p.chassis.AZ, network.ResolvesOtherFamily) {
			frame, ok = answer.ARP(&p.Packet)
		}
	case lflow.NDNS:
		why = trace.MadeNDNS
		target := answer.Destination(&p.Packet)
		if e.has(p.chassis.AZ, network.SolicitsNextHop) || v4 && e.has(p.chassis.AZ, network.SolicitsForIPv4) {
			target = p.Key.Get128(field.XXReg0).Bytes()
		}
		if !v4 || e.has(p.chassis.AZ, network.ResolvesOtherFamily) {
			frame, ok = answer.NeighborSolicitation(&p.Packet, target)
		}
	case lflow.NDNA, lflow.NDNARouter:
		why = trace.MadeNDNA
		frame, ok = answer.NeighborAdvertisement(&p.Packet, block == lflow.NDNARouter)
	case lflow.ICMP4, lflow.ICMP6:
		frame, ok = answer.ICMP(&p.Packet, style, true)
	case lflow.ICMP4Error, lflow.ICMP6Error:
		frame, ok = answer.ICMP(&p.Packet, style, false)
	case lflow.TCPReset:
		why = trace.MadeReset
		frame, ok = answer.Reset(&p.Packet, style)
	case lflow.SCTPAbort:
		why = trace.MadeReset
		frame, ok = answer.Abort(&p.Packet, style)
	case lflow.Reject:
		if isConnection(p) {
			why = trace.MadeReset
		}
		frame, ok = answer.Reject(&p.Packet, style, e.has(p.chassis.AZ, network.SilentOnResets))
	}
	return frame, why, ok
}

func isConnection(p *pkt) bool {
	proto := p.Key.Get(field.IPProto)
	return proto == header.ProtoTCP || proto == header.ProtoSCTP
}

// injected returns a packet from the pool that ovn-controller puts back where
// p is: another frame, with p's metadata but without its connection.
func (e *Engine) injected(p *pkt, frame answer.Frame) *pkt {
	c := e.copyOf(p)
	e.reframe(c, frame)
	clearBits(&c.Key, &ctMask)
	c.Key.Set(field.PktMark, 0)
	c.ct.Clear()
	c.stack = c.stack[:0]
	c.made = true
	c.completes, c.midway, c.recirculated, c.hashed = false, false, 0, false
	e.fresh(c)
	return c
}

// answerAt sends another frame out of a port, as ovn-controller does with what it
// answers there for itself: nothing of p's metadata goes with it.
func (e *Engine) answerAt(p *pkt, f *table.Flow, frame answer.Frame, port *network.Port, flags uint64) {
	c := e.injected(p, frame)
	clearMetadata(&c.Key)
	c.zone.port, c.zone.dnat, c.zone.snat = 0, 0, 0
	c.Key.Set(field.Flags, flags)
	c.Key.Set(field.Outport, uint64(port.Index))
	c.depth++
	e.toPort(c, f, port)
	e.put(c)
}

// reframe gives p another frame and leaves its metadata alone.
func (e *Engine) reframe(p *pkt, frame answer.Frame) {
	kept := p.Key
	p.Set(frame.Data, frame.Wire)
	for w := range kept {
		p.Key[w] |= kept[w] & metadataMask[w]
	}
	if frame.Wire > len(frame.Data) {
		p.guess = true // a checksum over bytes that were not captured
	}
}

// loadOVNField is an assignment to a part of the packet that the flow key does
// not have; ovn-controller writes it.
func (e *Engine) loadOVNField(p *pkt, f *table.Flow, op *table.Op) {
	p.Flush()
	ok := false
	switch op.OVNField {
	case lflow.ICMP4FragMTU, lflow.ICMP6FragMTU:
		ok = answer.SetFragMTU(&p.Packet, uint32(op.Value.Lo))
	case lflow.ICMP4InnerIP4Src:
		ok = answer.SetInnerSource(&p.Packet, uint32(op.Value.Lo))
	}
	if ok {
		p.Reparse()
	}
}

// has reports whether the OVN of a zone has a change.
func (e *Engine) has(z *network.AZ, x network.Change) bool { return e.changes[z.Index].Has(x) }

// changesOf are the changes of the OVN of each zone, by its Index: zones that are
// joined may run different releases.
func changesOf(net *network.Network) []network.Changes {
	if len(net.AZs) == 0 { // made by hand
		return []network.Changes{net.Changes()}
	}
	list := make([]network.Changes, len(net.AZs))
	for i, z := range net.AZs {
		list[i] = z.Changes()
	}
	return list
}
