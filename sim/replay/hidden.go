package replay

import (
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// What a machine sent past its capture, or where there is none, may have been
// translated on its way: what it was sent as is told by what else is seen of its
// connection.

// behindVIP finds the virtual address that an owner's packet was sent to, if what the
// owner is answered comes from there: of a load balancer that leads to the one
// whom the packet reached.
func (inf *inferrer) behindVIP(f *Frame, a *awaited) bool {
	h := f.Headers()
	proto := uint8(h.Key.Get(field.IPProto))
	if !inf.captured[keyOf(a.port, a.chassis)] || proto != header.ProtoTCP && proto != header.ProtoUDP &&
		proto != header.ProtoSCTP {
		return false
	}
	o := inf.s.owners
	to := a.dst
	if !o.serving(addrOf(h, to), to.port) {
		return false
	}
	for _, l := range inf.s.queue[inf.s.head:] {
		if l.dir != Left || l.skip != "" || l.point.Port != a.port ||
			uint8(l.Headers().Key.Get(field.IPProto)) != proto {
			continue
		}
		e := endpoints(l.Headers())
		if e[1] != a.src || !o.leads(addrOf(h, e[0]), e[0].port, addrOf(h, to), to.port) {
			continue
		}
		a.dst = e[0]
		if n := o.neighbour(a.port, addrOf(h, a.src), addrOf(h, a.dst)); n != 0 {
			a.ethDst = uint64(n)
		}
		return true
	}
	return false
}

// quoting finds how an ICMP error entered whose sender the packet reached that it is
// about: the other way than that packet, which says what was translated between them.
func (inf *inferrer) quoting(f *Frame) *awaited {
	h := f.Headers()
	var p nat.Packet
	if h.Layout.L3 == 0 || p.Parse(f.Data[h.Layout.L3:h.Layout.L3End]) != nat.NoFault || !p.IsError {
		return nil
	}
	q := p.Inner.Tuple.Reverse()
	k := answerKey{f.point.key(), q.Proto, endpoint{q.Src, q.SrcPort}, endpoint{q.Dst, q.DstPort}}
	a := inf.ways[k]
	if a == nil {
		a = inf.find(k)
	}
	if a == nil || p.Tuple.Src != q.Src || !inf.reached(quotedHash(f.Data, h), a.port) {
		return nil
	}
	x := *a
	x.hops = -1
	return &x
}

// reached reports whether a packet that an ICMP error is about was handed out at a port.
func (inf *inferrer) reached(quote uint64, port *network.Port) (found bool) {
	h := inf.s.history
	h.links.each(quote, func(id *uint64) bool {
		h.fates.each(*id, func(x *fate) bool {
			found = found || slices.Contains(x.outs, port)
			return !found
		})
		return !found
	})
	return found
}

// requote gives an ICMP error in scratch, and what it quotes, the addresses it
// enters with.
func (inf *inferrer) requote(from *origin) {
	p := &inf.scratch
	ip := p.IP()
	var own nat.Packet
	if ip == nil || own.Parse(ip) != nat.NoFault || !own.IsError {
		return
	}
	own.Sum = own.CheckSum(ip)
	was := own.Inner.Tuple.Reverse()
	is := was
	is.Src, is.SrcPort, is.Dst, is.DstPort = from.src.addr, from.src.port, from.dst.addr, from.dst.port
	nat.Rewrite(ip, &own, &was, &is, nat.Source|nat.Destination)
	p.Translated()
}

// neighbour finds where a frame entered that stays on its switch and so still has its
// sender's Ethernet address, as multicast, ARP and neighbor discovery do: the port
// that has the address, or, of an address that no port has, the only one that nobody
// captured and that could have sent it. What only its sender's capture lacks was lost
// there, unless it is an answer: OVN gives those too.
func (inf *inferrer) neighbour(f *Frame) *origin {
	p := f.point.Port
	if p == nil || p.Datapath.Router || len(f.Data) < 14 || !stays(f) || inf.s.entersNear(f) {
		return nil
	}
	src := macAt(f.Data[6:])
	if src == 0 || inf.s.wires.auto.sent(f.point.key(), f.Data, f.Wire, f.Bare) {
		return nil
	}
	o := inf.s.owners
	why := "from the port that has its sender's Ethernet address"
	if o.ports[src] == nil && o.send[src] == nil {
		why = "from the only port whose sender is not captured"
	}
	var from *network.Port
	for _, q := range p.Datapath.Ports {
		if q == p || inf.s.unbound(q) || !inf.mayBeFrom(q, src) || inf.captures(q) &&
			!(hasMAC(q, src) && (macAt(f.Data).multicast() || asksNeighbour(f))) {
			continue
		}
		if from != nil {
			return nil // several could
		}
		from = q
	}
	if from == nil {
		return nil
	}
	c, err := ChassisOf(o.net, from)
	if err != nil {
		c = f.point.Chassis
	}
	return &origin{awaited: &awaited{port: from, chassis: c, ethSrc: uint64(src), ethDst: uint64(macAt(f.Data)),
		hops: 0},
		keepIP: true, why: why}
}

// entersNear reports whether a packet with the frame's bytes enters within a moment:
// machines say the same again and again.
func (s *Run) entersNear(f *Frame) (found bool) {
	s.history.fates.each(f.id, func(x *fate) bool {
		found = found || !x.inferred && f.Time-x.time < soonest && x.time-f.Time < soonest && !s.accounted(f, x)
		return !found
	})
	return found || s.entersLater(f)
}

// mayBeFrom reports whether a frame with an Ethernet source may have entered at a
// port: its own, or one of nobody's where any may enter.
func (inf *inferrer) mayBeFrom(q *network.Port, src mac) bool {
	o := inf.s.owners
	if o.ports[src] != nil || o.send[src] != nil {
		return q.Type == network.VIF && hasMAC(q, src)
	}
	return o.passes(q)
}

// asksNeighbour reports whether a frame asks for an Ethernet address.
func asksNeighbour(f *Frame) bool {
	k := &f.Headers().Key
	return k.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 1 || k.Get(field.ICMP6Type) == 135
}

// stays reports whether no router hands a frame on: it is to a group, or asks for an
// address or answers that.
func stays(f *Frame) bool {
	k := &f.Headers().Key
	t := icmpType(f.Headers())
	return macAt(f.Data).multicast() || k.Get(field.EthType) == header.EtherARP ||
		k.Get(field.IPProto) == header.ProtoICMPv6 && (t == 135 || t == 136)
}
