package replay

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// origin is where an inferred packet entered and what differs there from the
// observed one.
type origin struct {
	*awaited
	to     uint64 // the Ethernet address it was sent to; 0: that of the answer
	why    string
	keepIP bool // its addresses are as observed
	quotes bool // but for those that it, an ICMP error, quotes
	piece  bool // a fragment: its ports, if it has any, are as observed
	tagged bool // its VLAN tag, if it has one, is as observed: it is the sender's own
}

// sender finds where an observed frame must have entered. One that was sent out of
// OVN by some ports has come back by none of them.
func (inf *inferrer) sender(f *Frame, gone []*network.Port) *origin {
	if gone != nil {
		return inf.cameBack(f, gone)
	}
	if a := inf.way(f); a != nil {
		return &origin{awaited: a, why: "as " + a.of + " of its connection"}
	}
	made := couldBeMade(f.Headers())
	if a := inf.answered(f); a != nil &&
		(!made || !inf.captured[keyOf(a.port, a.chassis)] || inf.handedOut(f, a.port)) {
		return &origin{awaited: a, to: inf.handedOn(f, a), why: "the answer to " + a.of}
	}
	if a := inf.quoting(f); a != nil {
		return &origin{awaited: a, to: inf.handedOn(f, a), keepIP: true, quotes: true,
			why: "the error about what reached its sender, as " + a.of + " was sent"}
	}
	if made {
		return nil
	}
	if a := inf.readAhead(f); a != nil {
		return &origin{awaited: a, to: inf.handedOn(f, a), why: "as " + a.of + " of its connection"}
	}
	if a := inf.fromOwner(f); a != nil {
		if inf.behindVIP(f, a) {
			return &origin{awaited: a, why: "from the port that has its sender's address, to the virtual address " +
				"that answers it"}
		}
		return &origin{awaited: a, to: inf.handedOn(f, a), keepIP: a.src.addr == endpoints(f.Headers())[0].addr,
			why: "from the port that has its sender's address"}
	}
	if a := inf.fromTranslated(f); a != nil {
		return &origin{awaited: a, to: inf.handedOn(f, a),
			why: "from the one sender whose packets leave with its address"}
	}
	return inf.passedOn(f, nil)
}

// handedOut reports whether what a frame answers was handed out at a port: then the
// answer came from there, and not from OVN.
func (inf *inferrer) handedOut(f *Frame, port *network.Port) (found bool) {
	e, h := endpoints(f.Headers()), inf.s.history
	e[0], e[1] = e[1], e[0]
	h.links.each(askHash(f.point.key(), &e), func(id *uint64) bool {
		h.fates.each(*id, func(x *fate) bool {
			found = found || x.verdict == sim.Delivered && slices.Contains(x.outs, port)
			return !found
		})
		return false
	})
	return found
}

// cameBack finds where a packet entered that was sent out of OVN before.
func (inf *inferrer) cameBack(f *Frame, gone []*network.Port) *origin {
	a := inf.answered(f)
	if a != nil && !inf.captured[keyOf(a.port, a.chassis)] && !slices.Contains(gone, a.port) {
		return &origin{awaited: a, to: inf.handedOn(f, a), why: "the answer to " + a.of}
	}
	return inf.passedOn(f, gone)
}

// passedOn finds by which router or remote port a packet came whose sender is not
// known.
func (inf *inferrer) passedOn(f *Frame, gone []*network.Port) *origin {
	a := inf.fromRouter(f, gone)
	switch {
	case a == nil:
		return nil
	case a.partial:
		return &origin{awaited: a, keepIP: true, why: "from its last router on: the sender is not known"}
	}
	return &origin{awaited: a, keepIP: true, why: "by the remote port to which an answer goes: its sender's zone is " +
		"not given"}
}

// way finds how another packet with the frame's ends entered at a captured
// port: so must this one, which the capture lost.
func (inf *inferrer) way(f *Frame) *awaited {
	h := f.Headers()
	proto := uint8(h.Key.Get(field.IPProto))
	if (proto == header.ProtoICMP || proto == header.ProtoICMPv6) && !echo(proto, icmpType(h)) {
		return nil
	}
	e := flowEnds(f.Data, h)
	a := inf.ways[answerKey{f.point.key(), proto, e[0], e[1]}]
	if a == nil || !inf.captured[keyOf(a.port, a.chassis)] {
		return nil
	}
	return a
}

// readAhead finds how a later packet with the frame's ends enters, or how an
// answer to one leaves: where the first one of a connection is missing, the next
// tell.
func (inf *inferrer) readAhead(f *Frame) *awaited {
	k := flowOf(f)
	if inf.sought[k] || !isEcho(k.proto, f.Headers()) &&
		(k.proto == header.ProtoICMP || k.proto == header.ProtoICMPv6) || len(inf.sought) >= maxAnswers {
		return nil
	}
	inf.sought[k] = true
	for o := inf.s.filedAs(k).first; o != nil; o = o.ofFlow {
		if o.skip != "" || o.dir != f.dir || o.point.key() != k.point {
			continue
		}
		if a := inf.enteringAs(o); a != nil {
			return a
		}
	}
	for o := inf.s.filedAs(k.back()).first; o != nil; o = o.ofFlow {
		if o.skip != "" || o.dir != Entered || o.point.key() != k.point {
			continue
		}
		if l := inf.s.leaving(o); l != nil {
			answer := inf.s.turned(l, inf.s.end(l))
			answer.of = fmt.Sprintf("what %s frame %d answers", inf.s.name(l), l.Number)
			return answer
		}
	}
	return nil
}

// enteringAs finds how a frame that was read ahead and leaves enters.
func (inf *inferrer) enteringAs(o *Frame) *awaited {
	id := o.id
	if seg := o.segment(); seg.stream != 0 {
		if of := inf.s.history.pieces.with(&seg, seg.start); of != 0 {
			id = of
		}
	}
	for g, n := inf.s.alike(id).first, 0; g != nil && n < maxAlike; g, n = g.same, n+1 {
		if g.dir != Entered || g.skip != "" || g.point.Port == nil ||
			goesOn(o, leadsOut(g.point.Port), macAt(g.Data[6:])) {
			continue
		}
		in, ends := &g.Headers().Key, flowEnds(g.Data, g.Headers())
		return &awaited{port: g.point.Port, chassis: g.point.Chassis, ethSrc: in.Get(field.EthSrc),
			ethDst: in.Get(field.EthDst),
			src:    ends[0], dst: ends[1], hops: int(in.Get(field.IPTTL)) - int(o.Headers().Key.Get(field.IPTTL)),
			of: fmt.Sprintf("%s frame %d", inf.s.name(g), g.Number)}
	}
	return nil
}

// handedOn tells, within one switch, to whom the sender gave the frame: to the
// interface itself, or to the router whose address the frame has now. 0: it
// is not within one switch.
func (inf *inferrer) handedOn(f *Frame, a *awaited) uint64 {
	p, sent := f.point.Port, macAt(f.Data[6:])
	switch {
	case leadsOut(p) || leadsOut(a.port) || a.port.Datapath != p.Datapath || sent == 0:
		return 0
	case hasMAC(a.port, sent):
		return uint64(macAt(f.Data))
	}
	return uint64(sent)
}

// answered finds the packet the frame answers.
func (inf *inferrer) answered(f *Frame) *awaited {
	k := &f.Headers().Key
	e := flowEnds(f.Data, f.Headers())
	proto := uint8(k.Get(field.IPProto))
	if (proto == header.ProtoICMP || proto == header.ProtoICMPv6) && !echo(proto, icmpType(f.Headers())) {
		return nil // it quotes packets that are translated too
	}
	return inf.find(answerKey{f.point.key(), proto, e[0], e[1]})
}

// fromOwner finds an uncaptured interface that has the source address.
func (inf *inferrer) fromOwner(f *Frame) *awaited {
	o := inf.s.owners
	e := flowEnds(f.Data, f.Headers())
	src := addrOf(f.Headers(), e[0])
	if inner, ok := o.floating[src]; ok && leadsOut(f.point.Port) {
		src = inner
	}
	var found *network.Port
	for _, p := range o.byIP[src] {
		if p.Type == network.VIF && p != f.point.Port {
			if found != nil {
				return nil // several have it
			}
			found = p
		}
	}
	if found == nil {
		return nil
	}
	e[0].addr = header.Bytes(src)
	return inf.fromPort(found, src, e, f)
}

// fromPort is a packet between two ends that an interface sent.
func (inf *inferrer) fromPort(p *network.Port, src netip.Addr, e [2]endpoint, f *Frame) *awaited {
	if len(p.Addresses) == 0 {
		return nil
	}
	c, err := ChassisOf(inf.s.Engine.Net, p)
	if err != nil {
		return nil
	}
	dst := inf.s.owners.neighbour(p, src, addrOf(f.Headers(), e[1]))
	if dst == 0 && f.point.Port != nil && f.point.Port.Datapath == p.Datapath {
		dst = macAt(f.Data)
	}
	if dst == 0 {
		return nil
	}
	return &awaited{port: p, chassis: c, ethSrc: uint64(macOf(p.Addresses[0].MAC)), ethDst: uint64(dst),
		src: e[0], dst: e[1], hops: -1}
}

// fromRouter finds the remote port by which a packet came from a zone that is not
// given, or the switch port by which it came from a router to an interface,
// provided that its sender cannot be in a capture.
func (inf *inferrer) fromRouter(f *Frame, gone []*network.Port) *awaited {
	p := f.point.Port
	if leadsOut(p) {
		return nil
	}
	src := macAt(f.Data[6:])
	if f.Bare && src == 0 {
		return nil
	}
	e := endpoints(f.Headers())
	for _, q := range p.Datapath.Ports {
		if q.Peer == nil || !hasMAC(q.Peer, src) {
			continue
		}
		in, known := inf.entranceOf(f, e[0], q.Peer)
		switch {
		case known && inf.shown(in.ports, f.Time), !known && inf.wireCaptured(f.Time),
			inf.s.owners.balancedOn(p.Datapath, addrOf(f.Headers(), e[0]), e[0].port):
			return nil
		case gone != nil && (!known || slices.ContainsFunc(in.ports, func(p *network.Port) bool {
			return slices.Contains(gone, p)
		})):
			return nil
		case in.remote != nil:
			if a := fromRemote(inf.s.Engine.Net, f, &in); a != nil {
				return a
			}
		}
		return &awaited{port: q, chassis: f.point.Chassis, ethSrc: uint64(src), ethDst: uint64(macAt(f.Data)),
			src: e[0], dst: e[1], hops: 0, partial: true}
	}
	return nil
}

// wireCaptured reports whether any point that leads out of OVN is captured at a
// moment: a capture tells nothing of the time before its first packet.
func (inf *inferrer) wireCaptured(at conntrack.Time) bool {
	for _, t := range inf.s.Taps {
		if t.Frames == 0 || at < t.first {
			continue
		}
		for _, site := range t.Sites() {
			if site.Kind == AtHost && inf.wired() || site.Port != nil && leadsOut(site.Port) {
				return true
			}
		}
	}
	return false
}

// wired reports whether any port leads out of OVN: captures of whole hosts show
// what goes there.
func (inf *inferrer) wired() bool {
	for k := range inf.captured {
		if leadsOut(inf.s.Engine.Net.Ports[k.port]) {
			return true
		}
	}
	return false
}

// couldBeMade reports whether OVN itself may have made the packet: ICMP errors,
// resets, and answers to DHCP and DNS.
func couldBeMade(h *packet.Headers) bool {
	k := &h.Key
	proto := uint8(k.Get(field.IPProto))
	switch proto {
	case header.ProtoICMP, header.ProtoICMPv6:
		return !echo(proto, icmpType(h))
	case header.ProtoTCP:
		return k.Get(field.TCPFlags)&header.FlagRST != 0
	case header.ProtoUDP:
		src := k.Get(field.TpSrc)
		return src == 53 || src == 67 || src == 547
	case header.ProtoSCTP, header.ProtoIGMP:
		return proto == header.ProtoIGMP
	}
	return false
}

// icmpType is a packet's type of ICMP or ICMPv6, 0 without one.
func icmpType(h *packet.Headers) uint8 { return h.Layout.ICMPType }
