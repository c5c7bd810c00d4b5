package replay

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// OVN answers ARP, neighbor discovery and echo requests itself, where they were
// asked. An answer whose question no capture shows was asked for nevertheless:
// the question is worked out from the answer and replayed, and what OVN then
// answers is held against the answer like any other prediction.

const whyAsked = "the question to what OVN answers here"

// ask replays the question that an observed frame answers, if the frame is an
// answer OVN gives, and the capture of its port lost the question. False: it is none.
func (s *Run) ask(f *Frame) bool {
	if !s.inferrer.captured[f.point.key()] {
		return false
	}
	data := s.owners.question(f)
	if data == nil {
		return false
	}
	g := &Frame{Capture: f.Capture, File: f.File, Number: f.Number, Time: f.Time, Data: data, Wire: len(data),
		Inferred: true, Lost: true, Why: "in no capture: " + whyAsked, dir: Entered,
		point: s.Taps[f.Capture].point(f.point.Port, f.point.Chassis)}
	if resolution(f.Headers()) || !s.wasAsked(f, g) {
		g.point.Found = "inferred"
		s.inject(g)
	}
	return true
}

// wasAsked reports whether a capture shows the question that an observed frame answers.
func (s *Run) wasAsked(f, question *Frame) (found bool) {
	at := question.point.key()
	s.history.fates.each(identityHash(question.Data, question.Headers()), func(x *fate) bool {
		found = x.at == at && !x.inferred && f.Time-x.time < againTime && x.time-f.Time < soonest
		return !found
	})
	return found
}

// question is the frame that asks for an answer of OVN's, nil if a frame is none.
func (o *Owners) question(f *Frame) []byte {
	k, p := &f.Headers().Key, f.point.Port
	proto := uint8(k.Get(field.IPProto))
	switch {
	case len(f.Data) < f.Wire || macAt(f.Data) == 0:
	case k.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 2:
		if o.answersAt(p, header.IPv4(k.Get(field.ARPSPA)), macAt(f.Data[6:])) {
			return arpQuestion(f.Data)
		}
	case proto == header.ProtoICMPv6 && icmpType(f.Headers()) == 136:
		if target := packet.Addr6(k.Get128(field.NDTarget)); o.answersAt(p, target, macAt(f.Data[6:])) {
			return solicitation(f, target)
		}
	case f.Headers().Layout.L4 != 0 && isEchoReply(proto, f.Headers()):
		if src := addrOf(f.Headers(), endpoints(f.Headers())[0]); slices.ContainsFunc(o.byIP[src],
			func(q *network.Port) bool { return q.Datapath.Router }) {
			return echoRequest(f)
		}
	}
	return nil
}

// answersAt reports whether OVN answers on a switch for an address that its
// holder has with an Ethernet address: a router's, or that of a port whose
// addresses are all known.
func (o *Owners) answersAt(p *network.Port, a netip.Addr, m mac) bool {
	if o.announced[a] == m || m != 0 && (o.outside[o.floating[a]] == m || o.checkers[a] == m) {
		return true
	}
	near := func(q *network.Port) bool {
		return q.Datapath == p.Datapath || q.Peer != nil && q.Peer.Datapath == p.Datapath
	}
	if o.virtual[a] || o.announced[a] != 0 { // the router beside answers with its own
		return slices.ContainsFunc(o.ports[m], func(q *network.Port) bool { return q.Datapath.Router && near(q) })
	}
	return slices.ContainsFunc(o.byIP[a], func(q *network.Port) bool {
		return near(q) && hasMAC(q, m) && (q.Datapath.Router || !q.Unknown)
	})
}

// arpQuestion is the request that an ARP reply answers.
func arpQuestion(reply []byte) []byte {
	d := slices.Clone(reply)
	at := 14
	if binary.BigEndian.Uint16(d[12:]) == header.EtherVLAN {
		at += 4
	}
	if len(d) < at+28 {
		return nil
	}
	copy(d, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	copy(d[6:12], reply[:6])
	arp, was := d[at:], reply[at:]
	arp[7] = 1
	copy(arp[8:18], was[18:28])
	copy(arp[18:24], make([]byte, 6))
	copy(arp[24:28], was[14:18])
	return d
}

// solicitation is the neighbor solicitation that an advertisement answers.
func solicitation(f *Frame, target netip.Addr) []byte {
	l := &f.Headers().Layout
	if l.L4 == 0 {
		return nil
	}
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	own := target.As16()
	copy(group[13:], own[13:])
	d := append(slices.Clone(f.Data[:l.L4]), 135, 0, 0, 0, 0, 0, 0, 0)
	d = append(append(d, own[:]...), 1, 1)
	d = append(d, f.Data[:6]...)
	dst := header.MACBytes(header.GroupMAC(netip.AddrFrom16(group)))
	copy(d, dst[:])
	copy(d[6:12], f.Data[:6])
	ip := d[l.L3:]
	binary.BigEndian.PutUint16(ip[4:], uint16(len(d)-l.L3-40))
	ip[7] = 255
	copy(ip[8:24], f.Data[l.L3+24:l.L3+40])
	copy(ip[24:40], group[:])
	sumICMPv6(ip)
	return d
}

// sumICMPv6 computes the checksum of an ICMPv6 packet without extension headers.
func sumICMPv6(ip []byte) {
	sum := header.Sum(uint64(header.ProtoICMPv6)+uint64(len(ip)-40), ip[8:40])
	ip[42], ip[43] = 0, 0
	binary.BigEndian.PutUint16(ip[42:], header.Checksum(sum, ip[40:]))
}

// echoRequest is the request that an echo reply answers; the hops it had left
// are not known.
func echoRequest(f *Frame) []byte {
	l := &f.Headers().Layout
	d := slices.Clone(f.Data)
	copy(d, f.Data[6:12])
	copy(d[6:12], f.Data[:6])
	ip, was := d[l.L3:], f.Data[l.L3:]
	l4 := l.L4 - l.L3
	if ip[0]>>4 == 6 {
		copy(ip[8:24], was[24:40])
		copy(ip[24:40], was[8:24])
		ip[7] = 64
		ip[l4] = 128
	} else {
		copy(ip[12:16], was[16:20])
		copy(ip[16:20], was[12:16])
		setTTL(d, l.L3, 64)
		ip[l4] = 8
	}
	old := binary.BigEndian.Uint16(was[l4:])
	binary.BigEndian.PutUint16(ip[l4+2:], header.UpdateWord(binary.BigEndian.Uint16(was[l4+2:]), old,
		binary.BigEndian.Uint16(ip[l4:])))
	return d
}
