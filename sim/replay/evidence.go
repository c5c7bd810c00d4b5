package replay

import (
	"encoding/binary"
	"net/netip"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// evidence is what captures show, point by point and flow by flow, of what others of
// them lack: one account of it, which every excuse asks.
type evidence struct {
	points  map[pointKey]*pointSeen
	ports   pointSeen // of all points that are ports
	kinds   kinds     // of frames there
	flows   map[answerKey]*flowSeen
	speaks  map[speaker]conntrack.Time
	ways    map[uint64]conntrack.Time    // when the last that came out as predicted was to, see wayKey
	replies map[replyKey]conntrack.Time  // when they entered last
	quoted  map[expectKey]conntrack.Time // when an ICMP error about a packet entered last, by quotedHash
	died    map[answerKey]conntrack.Time // by what answers look like: when what they answer last ended in OVN
	others  map[expectKey]bool           // frames that are no port's, for their VLAN tag
	asks    map[question]conntrack.Time  // of Ethernet addresses, when they entered last
	tooLong map[pieceKey]bool
	pieces  map[pieceKey]bool // of which some came out as predicted
	strays  map[twinKey]*stray
	cut     int // frames that were cut too short
	// By identity, when frames last were at interfaces that could not be placed.
	unplaced map[uint64]conntrack.Time
}

func newEvidence() evidence {
	return evidence{points: map[pointKey]*pointSeen{}, flows: map[answerKey]*flowSeen{},
		speaks: map[speaker]conntrack.Time{}, ways: map[uint64]conntrack.Time{},
		replies: map[replyKey]conntrack.Time{}, quoted: map[expectKey]conntrack.Time{},
		died:   map[answerKey]conntrack.Time{},
		others: map[expectKey]bool{}, asks: map[question]conntrack.Time{}, tooLong: map[pieceKey]bool{},
		pieces: map[pieceKey]bool{}, strays: map[twinKey]*stray{}, unplaced: map[uint64]conntrack.Time{}}
}

// pointSeen is what the captures of one point show of themselves.
type pointSeen struct {
	longest int // of what left there
	left    int // how many frames did
	cut     int // how many were cut too short
	groups  int // how many to groups of receivers left as predicted

	lost     int   // how many are proved not to be in them that left there
	missed   tally // by what proves it
	entered  int   // how many frames entered
	inferred int   // how many are inferred to have entered, of which there are captures
}

// at returns what is known of a point.
func (e *evidence) at(p pointKey) *pointSeen {
	x := e.points[p]
	if x == nil {
		x = &pointSeen{}
		e.points[p] = x
	}
	return x
}

// observed notes a frame that left at a point.
func (e *evidence) observed(k pointKey, f *Frame) {
	x := e.at(k)
	x.longest, x.left = max(x.longest, f.Wire), x.left+1
	if k.port > 0 {
		e.ports.left++
	}
}

// kinds are the protocols of the frames at ports: filters are often of one.
type kinds struct {
	frames int
	only   uint16 // EtherType, if not IP's, or the IP protocol
	mixed  bool   // there are others
}

func kindOf(h *packet.Headers) uint16 {
	if t := uint16(h.Key.Get(field.EthType)); t != header.EtherIPv4 && t != header.EtherIPv6 {
		return t
	}
	return uint16(h.Key.Get(field.IPProto))
}

func (k *kinds) add(h *packet.Headers) {
	kind := kindOf(h)
	k.mixed = k.mixed || k.frames > 0 && kind != k.only
	k.only = kind
	k.frames++
}

// filtered reports whether a user's filter keeps a packet of that kind out of captures of
// ports: all that they hold is of one other protocol, and not even of ARP.
func (e *evidence) filtered(p pointKey, h *packet.Headers) bool {
	const many = 16
	return p.port > 0 && e.kinds.frames >= many && !e.kinds.mixed && kindOf(h) != e.kinds.only
}

// leftOut reports whether a packet is at an interface that could not be placed: it may be the
// one where it entered, or that of the point.
func (e *evidence) leftOut(w *waiter) bool {
	at, ok := e.unplaced[w.id]
	return ok && max(at-w.time, w.time-at) < conntrack.Second
}

// entered notes that a frame entered at a port, or that it must have.
func (e *evidence) entered(k pointKey, inferred bool) {
	x := e.at(k)
	if inferred {
		x.inferred++
		e.ports.inferred++
	} else {
		x.entered++
		e.ports.entered++
	}
}

// flowSeen is what a point shows of a flow.
type flowSeen struct {
	opened  int            // TCP: how often a first packet was predicted
	matched int            // left there as predicted
	last    conntrack.Time // the last that did, by what led to it
	began   conntrack.Time // entered there first
	entered conntrack.Time // entered there last; 0: never
	entries int            // how often it did
	lacks   bool           // one that must have is not in the captures
	before  bool           // what decides about it is from before the captures, see fromBefore
	syn     bool           // TCP: the first packet of its connection entered there
	opens   conntrack.Time // and when it last did
	acks    bool           // TCP, SCTP: it acknowledged
	acked   uint32         // all before this number
}

// noteFlow returns what is known of a frame's flow at a point; answer: of the
// flow that answers it.
func (v *Verifier) noteFlow(p pointKey, data []byte, h *packet.Headers, answer bool) *flowSeen {
	k := v.flowKey(p, data, h, answer)
	f := v.evidence.flows[k]
	if f == nil {
		if len(v.evidence.flows) >= maxAnswers {
			clear(v.evidence.flows)
		}
		f = &flowSeen{}
		v.evidence.flows[k] = f
	}
	return f
}

// asked is the flow to one who asks, from an address that he asks, whatever its port.
func asked(p pointKey, proto uint8, address, by endpoint) answerKey {
	return answerKey{p, proto, endpoint{addr: address.addr}, by}
}

// noteAsked notes that a frame entered which an address may answer.
func (v *Verifier) noteAsked(p pointKey, f *Frame) {
	h := f.Headers()
	e := endpoints(h)
	k := asked(p, uint8(h.Key.Get(field.IPProto)), e[1], e[0])
	if v.evidence.flows[k] == nil {
		v.evidence.flows[k] = &flowSeen{entered: f.Time, entries: 1}
	}
}

// came notes a frame of the flow that entered.
func (x *flowSeen) came(f *Frame) {
	if x.entries == 0 {
		x.began = f.Time
	}
	x.entered, x.entries = max(x.entered, f.Time), x.entries+1
	h := f.Headers()
	if h.Key.Get(field.IPProto) != header.ProtoTCP || h.Key.Get(field.TCPFlags)&header.FlagACK == 0 {
		if opensTCP(h) {
			x.syn, x.opens = true, max(x.opens, f.Time)
		}
		return
	}
	_, n := tcpNumbers(f)
	x.acknowledge(n)
}

// flowKey is a flow at a point; echoes are told apart by their ids.
func (v *Verifier) flowKey(p pointKey, data []byte, h *packet.Headers, answer bool) answerKey {
	e := flowEnds(data, h)
	if answer {
		e[0], e[1] = e[1], e[0]
	}
	return answerKey{p, uint8(h.Key.Get(field.IPProto)), e[0], e[1]}
}

// speaker is a port whose owner sends to an Ethernet address.
type speaker struct {
	at pointKey
	to mac
}

// spoke notes that a unicast frame entered.
func (v *Verifier) spoke(f *Frame, p *Point) {
	if len(f.Data) < 14 || f.Bare || f.Inferred || macAt(f.Data).multicast() {
		return
	}
	keep(v.evidence.speaks, speaker{p.key(), macAt(f.Data)}, f.Time)
}

// noteDied notes that a packet which entered ended in OVN: nobody answers it. What ends
// for what the replay does not know of its connection may have gone on.
func (v *Verifier) noteDied(p pointKey, f *Frame, out *sim.Outcome) {
	if !ended(out) || f.Inferred || len(f.Data) < 14 {
		return
	}
	for i := range out.Trace.CT {
		if c := &out.Trace.CT[i]; c.Loose || c.State&conntrack.Invalid != 0 {
			return
		}
	}
	keep(v.evidence.died, v.answerTo(p, f), f.Time)
}

// ended reports whether all ends in OVN that a packet leads to: it, and what answers it.
func ended(out *sim.Outcome) bool {
	return (out.Verdict == sim.Dropped || out.Verdict == sim.Consumed && !waits(out)) &&
		len(out.Outputs) == 0
}

// answerTo is what an answer to a frame that entered looks like: one of DHCP goes to whoever
// has its Ethernet address.
func (v *Verifier) answerTo(p pointKey, f *Frame) answerKey {
	h := f.Headers()
	if port := endpoints(h)[1].port; udp(h) && (port == 67 || port == 547) {
		return dhcpTo(p, macAt(f.Data[6:]), port)
	}
	return v.flowKey(p, f.Data, h, true)
}

func udp(h *packet.Headers) bool { return h.Key.Get(field.IPProto) == header.ProtoUDP }

// dhcpTo is an answer of DHCP.
func dhcpTo(p pointKey, client mac, port uint16) answerKey {
	k := answerKey{point: p, proto: header.ProtoUDP, src: endpoint{port: port}}
	binary.BigEndian.PutUint64(k.dst.addr[:], uint64(client))
	return k
}

// refused reports whether an observed packet answers one that entered just before and ended
// in OVN: the replay knows where it would have come from, and it does not come.
func (v *Verifier) refused(w *waiter) bool {
	if len(w.data) < 14 || w.bare {
		return false
	}
	h := w.Headers()
	if resolution(h) {
		return false
	}
	k, told := v.answerOf(w, h)
	if !told {
		return false
	}
	at, ok := v.evidence.died[k]
	return ok && at <= w.time+soonest && w.time-at < 2*conntrack.Second
}

// answerOf is what a packet looks like as an answer, if it is one that OVN gives: of DHCP, an
// ICMP error, an echo's, a reset. Others a machine may have sent by itself.
func (v *Verifier) answerOf(w *waiter, h *packet.Headers) (k answerKey, told bool) {
	k = v.flowKey(w.point, w.data, h, false)
	switch port := endpoints(h)[0].port; {
	case udp(h) && (port == 67 || port == 547):
		return dhcpTo(w.point, macAt(w.data), port), true
	case quotes(k.proto, icmpType(h)):
		var p nat.Packet
		if h.Layout.L4 == 0 || p.Parse(w.data[h.Layout.L3:h.Layout.L3End]) != nat.NoFault || !p.IsError {
			return k, false
		}
		of := ends(&p.Inner.Tuple)
		k.proto, k.src, k.dst = p.Inner.Tuple.Proto, of[1], of[0]
		return k, true
	case k.proto == header.ProtoTCP:
		return k, h.Key.Get(field.TCPFlags)&header.FlagRST != 0
	}
	return k, k.proto == header.ProtoICMP || k.proto == header.ProtoICMPv6
}

// question is what somebody asked with ARP or neighbor discovery.
type question struct {
	at pointKey
	by mac
	of requestKey
}

// noteQuestion notes that a frame entered which asks for an Ethernet address.
func (v *Verifier) noteQuestion(p pointKey, f *Frame) {
	ip, v6, ok := askedFor(f.Headers())
	if !ok || len(f.Data) < 14 {
		return
	}
	keep(v.evidence.asks, question{p, macAt(f.Data[6:]), requestKey{ip, v6}}, f.Time)
}

// resolves returns the address of which a packet tells the Ethernet address to who had asked
// for it just before. False: it is no such answer.
func (v *Verifier) resolves(w *waiter) (addr netip.Addr, answers bool) {
	k := &w.Headers().Key
	var of requestKey
	switch {
	case k.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 2:
		of, addr = requestKey{ip: field.U64(k.Get(field.ARPSPA))}, header.IPv4(k.Get(field.ARPSPA))
	case k.Get(field.IPProto) == header.ProtoICMPv6 && icmpType(w.Headers()) == 136:
		of, addr = requestKey{k.Get128(field.NDTarget), true}, packet.Addr6(k.Get128(field.NDTarget))
	default:
		return addr, false
	}
	asked, ok := v.evidence.asks[question{w.point, macAt(w.data), of}]
	return addr, ok && w.time-asked < conntrack.Second
}

// wayKey is a packet's way through the logical network, with one of its ends:
// packets that go the same way to or from the same service fare alike.
func (v *Verifier) wayKey(w *waiter, side int) uint64 {
	h := 14695981039346656037 ^ w.way.way.hash()
	e := endpoints(w.Headers())[side]
	h = hashByte(hashByte(hashBytes(h, e.addr[:]), byte(e.port>>8)), byte(e.port))
	return hashByte(hashByte(h, byte(w.point.port)), byte(w.point.port>>8))
}

// noteWay notes a packet that came out where it was predicted.
func (v *Verifier) noteWay(w *waiter) {
	if len(v.evidence.ways) >= maxAnswers {
		clear(v.evidence.ways)
	}
	for side := range 2 {
		k := v.wayKey(w, side)
		v.evidence.ways[k] = max(v.evidence.ways[k], w.time)
	}
}

// pieceKey is a datagram's fragments at a point.
type pieceKey struct {
	point pointKey
	of    DatagramKey
}

// withLonger reports whether a packet is a fragment of a datagram of which others
// are too long for the port: a batch ends where one cannot be sent, and the kernel
// sends all of a datagram or nothing.
func (v *Verifier) withLonger(w *waiter) bool {
	k, _, ok := DatagramOf(w.data, w.Headers())
	return ok && v.evidence.tooLong[pieceKey{w.point, k}]
}

// notePieces notes the datagram of a fragment among those of which something is so.
func notePieces(pieces map[pieceKey]bool, w *waiter) {
	if k, _, ok := DatagramOf(w.data, w.Headers()); ok {
		keep(pieces, pieceKey{w.point, k}, true)
	}
}

// keep notes something in a map that is emptied when it is full.
func keep[K comparable, V any](m map[K]V, k K, v V) {
	if len(m) >= maxAnswers {
		clear(m)
	}
	m[k] = v
}
