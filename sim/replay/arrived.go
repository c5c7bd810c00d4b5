package replay

import (
	"encoding/binary"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// What shows that a predicted packet came although the captures of its port lack it: that its
// flow had come before shows nothing, since OVN may have dropped it and all that followed.

// arrived reports whether something shows that it did.
func (v *Verifier) arrived(w *waiter, flow *flowSeen) bool {
	return flow.last > w.time || flow.acknowledges(w) || flow.provoked(w) || v.quieted(w, flow) ||
		v.answered(w) || v.withPieces(w) || v.sawBeyond(w) || v.heard(w)
}

// provoked reports whether the receiver of a predicted packet, the first of its flow, had
// sent nothing before it and then did.
func (x *flowSeen) provoked(w *waiter) bool {
	return x.matched == 0 && x.entries > 0 && x.began >= w.time && x.began-w.time < conntrack.Second
}

// quieted reports whether a receiver that is acknowledged what it sent did not send it
// again: TCP does within retransmits.
func (v *Verifier) quieted(w *waiter, flow *flowSeen) bool {
	const retransmits = conntrack.Second
	_, carries, ok := tcpEnd(w)
	if !ok || carries || w.Headers().Key.Get(field.TCPFlags)&header.FlagRST != 0 ||
		flow.entries == 0 || flow.entered > w.time {
		return false
	}
	for i, t := range v.run.Taps {
		if s := v.spans[i]; s != nil && v.at(t, w.point) && s.first <= w.time && s.last >= w.time+retransmits {
			return true
		}
	}
	return false
}

// replyKey is an answer that names what it answers: the type of an SCTP chunk, or an
// echo's sequence number.
type replyKey struct {
	flow answerKey // of what it answers
	what uint32
}

const echoReply = 1 << 16

// noteReply notes what a frame that entered answers.
func (v *Verifier) noteReply(p pointKey, f *Frame, flow *flowSeen) {
	h := f.Headers()
	if seq, reply, ok := echoOf(f.Data, h); ok && reply {
		keep(v.evidence.replies, replyKey{v.flowKey(p, f.Data, h, true), echoReply | uint32(seq)}, f.Time)
	}
	if q := quotedHash(f.Data, h); q != 0 {
		keep(v.evidence.quoted, expectKey{p, q}, f.Time)
	}
	if h.Key.Get(field.IPProto) != header.ProtoSCTP || h.Layout.L4 == 0 {
		return
	}
	k := v.flowKey(p, f.Data, h, true)
	for chunk := range header.Chunks(f.Data[h.Layout.L4:h.Layout.L3End]) {
		keep(v.evidence.replies, replyKey{k, uint32(chunk[0])}, f.Time)
		if chunk[0] == header.ChunkSACK && len(chunk) >= 8 {
			flow.acknowledge(binary.BigEndian.Uint32(chunk[4:]) + 1)
		}
	}
}

// answered reports whether a frame that names a predicted packet as what it answers entered
// after it, or an ICMP error that quotes it.
func (v *Verifier) answered(w *waiter) bool {
	h := w.Headers()
	if q := quoteHash(w.data, h); q != 0 && v.evidence.quoted[expectKey{w.point, q}] >= w.time {
		return true
	}
	k := replyKey{flow: v.flowKey(w.point, w.data, h, false)}
	if seq, reply, ok := echoOf(w.data, h); ok && !reply {
		k.what = echoReply | uint32(seq)
		return v.evidence.replies[k] >= w.time
	}
	if h.Key.Get(field.IPProto) != header.ProtoSCTP || h.Layout.L4 == 0 {
		return false
	}
	for chunk := range header.Chunks(w.data[h.Layout.L4:h.Layout.L3End]) {
		if what := header.ChunkAnswer(chunk[0]); what != 0 {
			k.what = uint32(what)
			return v.evidence.replies[k] >= w.time
		}
	}
	return false
}

// echoOf returns the sequence number of an echo request or reply.
func echoOf(data []byte, h *packet.Headers) (seq uint16, reply, ok bool) {
	at := h.Layout.L4
	if at == 0 || len(data) < at+8 {
		return 0, false, false
	}
	switch proto, t := h.Key.Get(field.IPProto), data[at]; {
	case proto == header.ProtoICMP && (t == 0 || t == 8):
		reply = t == 0
	case proto == header.ProtoICMPv6 && (t == 128 || t == 129):
		reply = t == 129
	default:
		return 0, false, false
	}
	return binary.BigEndian.Uint16(data[at+6:]), reply, true
}

// withPieces reports whether a packet is a fragment of a datagram of which others came:
// what is decided of one is decided of all.
func (v *Verifier) withPieces(w *waiter) bool {
	k, _, ok := DatagramOf(w.data, w.Headers())
	return ok && v.evidence.pieces[pieceKey{w.point, k}]
}

// loses reports whether captures of a point that are proved to have lost packets may
// well have lost so many more of a flow of which they show none: no more are open
// there than are proved, and of a flow one, or two where one in twenty is lost.
func (x *pointSeen) loses(ofFlow, open int) bool {
	const often = 20
	return x.lost > 0 && open <= x.lost && (ofFlow == 1 || ofFlow == 2 && x.lost*often >= x.left+x.lost)
}

// losesOne reports whether captures may well have lost one packet of a flow: they are proved
// to have lost as many as are open, or it is the last of a flow that had come, and nothing else
// is open at its point.
func (v *Verifier) losesOne(flow answerKey, ofFlow, atPoint, open int) bool {
	seen := v.evidence.flows[flow]
	return ofFlow == 1 && (open <= v.Report.Lost || seen != nil && seen.matched > 0 && atPoint == 1)
}

// losesCopy reports whether captures of a point may well have lost the one or two packets of a flow
// to a group that others of it got: as many packets to groups came there, too.
func (x *pointSeen) losesCopy(copied bool, ofFlow int) bool {
	return copied && ofFlow <= 2 && x.groups >= ofFlow
}

// acknowledges reports whether the flow acknowledged what a predicted packet of the
// other way carries.
func (x *flowSeen) acknowledges(w *waiter) bool {
	end, carries, ok := tcpEnd(w)
	if !ok {
		end, carries = sctpEnd(w)
	}
	return x.acks && carries && int32(x.acked-end) >= 0
}

// acknowledge notes that all before a number is acknowledged.
func (x *flowSeen) acknowledge(n uint32) {
	if !x.acks || int32(n-x.acked) > 0 {
		x.acks, x.acked = true, n
	}
}

// tcpEnd returns the sequence number after all that a TCP packet carries, if anything.
func tcpEnd(w *waiter) (end uint32, carries, ok bool) {
	h := w.Headers()
	at := h.Layout.L4
	if h.Key.Get(field.IPProto) != header.ProtoTCP || at == 0 || len(w.data) < at+14 {
		return 0, false, false
	}
	seq := binary.BigEndian.Uint32(w.data[at+4:])
	end = seq + uint32(max(0, header.Length(w.data[h.Layout.L3:])-(at-h.Layout.L3)-int(w.data[at+12]>>4)*4))
	if w.data[at+13]&(header.FlagSYN|header.FlagFIN) != 0 {
		end++
	}
	return end, end != seq, true
}

// sctpEnd returns the number after that of the last piece of data in an SCTP packet, if any.
func sctpEnd(w *waiter) (end uint32, carries bool) {
	h := w.Headers()
	if h.Key.Get(field.IPProto) != header.ProtoSCTP || h.Layout.L4 == 0 {
		return 0, false
	}
	for chunk := range header.Chunks(w.data[h.Layout.L4:h.Layout.L3End]) {
		if chunk[0] == header.ChunkData && len(chunk) >= 8 {
			end, carries = binary.BigEndian.Uint32(chunk[4:])+1, true
		}
	}
	return end, carries
}

// answersOnce reports whether a predicted packet answers one that its receiver
// sent, on a connection that is established, and that was not sent again: it may have
// got its answer.
func (v *Verifier) answersOnce(w *waiter) bool {
	proto := w.Headers().Key.Get(field.IPProto)
	flow := v.evidence.flows[v.flowKey(w.point, w.data, w.Headers(), false)]
	return proto != header.ProtoTCP && flow != nil && flow.entries == 1 && flow.entered != 0 &&
		w.time-flow.entered < conntrack.Second && w.time >= flow.entered
}

// hinges reports whether it depends on what else captures lost if they may have lost
// a predicted packet: its receiver sent nothing but one packet that it answers, or
// goes on to send.
func (v *Verifier) hinges(w *waiter) bool {
	flow := v.evidence.flows[v.flowKey(w.point, w.data, w.Headers(), false)]
	return flow != nil && (flow.entered >= w.time && flow.entered != 0 || v.answersOnce(w))
}

// lossy reports whether something proves that captures lost packets.
func (v *Verifier) lossy() bool {
	return v.Report.Lost > 0 || slices.ContainsFunc(v.doubts, func(d doubt) bool {
		vouched, _ := v.vouches(d.point, d.time)
		return vouched && v.evidence.at(d.point).cut == 0 && !v.run.filters(d.point, d.asks)
	})
}

// sawBeyond reports whether a packet predicted on a way between chassis was
// observed where that leads.
func (v *Verifier) sawBeyond(w *waiter) (found bool) {
	if w.point.port > 0 && !leadsOut(v.net().Ports[w.point.port]) {
		return false
	}
	v.run.history.seen.each(w.id, func(x *sighting) bool {
		found = x.at != w.point && x.time >= w.time-soonest &&
			(x.arrived == nil || w.point.port < 0 && x.arrived.Index != w.point.chassis)
		return !found
	})
	return found
}

// heard reports whether a predicted answer of ARP or neighbor discovery came,
// since its asker went on to send to the Ethernet address it tells.
func (v *Verifier) heard(w *waiter) bool {
	k := &w.Headers().Key
	answer := k.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 2 ||
		k.Get(field.IPProto) == header.ProtoICMPv6 && icmpType(w.Headers()) == 136
	return answer && v.evidence.speaks[speaker{w.point, macAt(w.data[6:])}] >= w.time
}

// stillOpen reports whether a packet that goes the way of a predicted one, to or from the
// same service, came out after it was to.
func (v *Verifier) stillOpen(w *waiter) bool {
	return max(v.evidence.ways[v.wayKey(w, 0)], v.evidence.ways[v.wayKey(w, 1)]) > w.time
}
