package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// history remembers what became of the packets injected last, and what was
// observed last, to say why others are missing or unexpected. It is a ring: its
// memory is bounded.
type history struct {
	engine *sim.Engine
	ways   ways
	fates  ring[fate]
	newest *fate // of them
	seen   ring[sighting]
	links  ring[uint64] // identities, by what OVN's own answers show of a packet
	pieces arrivals     // of streams, by which packets that were cut up are known again
}

// historySize is how many packets are remembered.
const historySize = 1 << 13

// fate is what became of an injected packet.
type fate struct {
	*spot // where it entered
	*way  // until the drop, if it was dropped

	number   int
	time     conntrack.Time
	sum      uint64 // see payloadSum
	inferred bool
	late     bool
	verdict  sim.Verdict
	drop     trace.Reason
	conn     int32         // its connection's number, see VerifyOptions.Conn
	waits    bool          // ovn-controller asks for its next hop
	asks     *network.Port // by this wire, nil: by none
	loose    bool          // its connection began before the capture, or conntrack refused it
	unseen   bool          // of those the first
	refusal  conntrack.Refusal
	check    conntrack.Check
	metered  bool // ovn-controller may not have got it, see trace.NearRate
	original [2]endpoint
	sender   mac // it came over a wire, from this Ethernet address
	nat      []natStep
}

// spot is what frames have in common that a capture's file holds of one point.
type spot struct {
	capture int
	file    string
	port    string
	at      pointKey           // zero: it came out of a tunnel
	arrived *network.Chassis   // it came out of a tunnel there; nil: it entered at a port
	from    *network.Chassis   // where the tunnel begins, if it is known
	wire    bool               // the port leads out of OVN
	passed  []*network.Chassis // where a packet is that enters here
}

// spot returns what f has in common with the frames of its file at its point.
func (f *Frame) spot() *spot {
	p := f.point
	if x := p.spot; x != nil && x.capture == f.Capture && x.file == f.File {
		return x
	}
	x := &spot{capture: f.Capture, file: f.File, port: p.Name(), passed: []*network.Chassis{p.Chassis}}
	if p.Port == nil {
		x.arrived, x.from = p.Chassis, p.From
	} else {
		x.at, x.wire = p.key(), leadsOut(p.Port)
	}
	p.spot = x
	return x
}

// visit is a logical flow, or a table without one that matched.
type visit struct {
	flow     int32 // -1: none matched
	datapath int32
	egress   bool
	table    uint8
}

// step is a flow on a packet's way.
type step struct {
	visit
	chassis int32
}

type natStep struct {
	flow int32
	dst  bool
	to   endpoint
}

// endpoint is an address and port of a packet.
type endpoint struct {
	addr [16]byte
	port uint16
}

// sighting is an observed packet.
type sighting struct {
	*spot
	number int
	time   conntrack.Time
}

// maxPieces is how many pieces of streams are remembered.
const maxPieces = 1 << 14

func newHistory(e *sim.Engine) *history {
	return &history{engine: e, pieces: arrivals{ring[arrival]{size: maxPieces}}}
}

// add notes the fate of an injected frame.
func (h *history) add(f *Frame, out *sim.Outcome) {
	if f.id == 0 {
		f.id = identityHash(f.Data, f.Headers())
	}
	x := h.fates.push(f.id)
	h.newest = x
	*x = fate{
		spot: f.spot(), number: f.Number, time: f.Time, sum: payloadSum(f.Data, f.Headers(), f.Wire),
		inferred: f.Inferred, late: out.Late, verdict: out.Verdict, drop: out.Drop, waits: holds(out), nat: x.nat[:0],
	}
	if x.wire {
		x.sender = macAt(f.Data[6:])
	}
	for i := range out.Outputs {
		if o := &out.Outputs[i]; x.waits && o.Made && leadsOut(o.Port) {
			x.asks = o.Port
		}
	}
	heads := f.Headers()
	x.original = endpoints(heads)
	x.read(&h.ways, out, out.DropAt)
	if f.point.Port != nil {
		*h.links.push(askHash(x.at, &x.original)) = f.id
	}
	if q := quoteHash(f.Data, heads); q != 0 {
		*h.links.push(q) = f.id
	}
}

// was reports whether a packet was on a chassis of which something holds.
func (x *fate) was(on func(*network.Chassis) bool) bool {
	return slices.ContainsFunc(x.passed, on) || slices.ContainsFunc(x.crossed, on)
}

// left reports whether all that became of a packet is that it left OVN by wires,
// or the zones that are given.
func (x *fate) left() bool {
	return x.verdict == sim.Delivered && len(x.outs) > 0 && !slices.ContainsFunc(x.outs, func(p *network.Port) bool {
		return !leadsOut(p) && (p.Type != network.Remote || p.Twin != nil)
	})
}

// asked finds the identity of the packet that OVN must have answered with the
// frame: one the other way at the same port, or one that an ICMP error quotes.
func (h *history) asked(w *waiter) (id uint64) {
	e := endpoints(w.Headers())
	e[0], e[1] = e[1], e[0]
	keys := []uint64{askHash(w.point, &e)}
	if q := quotedHash(w.data, w.Headers()); q != 0 {
		keys = []uint64{q}
	}
	for _, k := range keys {
		h.links.each(k, func(x *uint64) bool {
			id = *x
			return false
		})
	}
	return id
}

// entered reports whether a packet that an ICMP error quotes entered.
func (h *history) entered(quote uint64) (found bool) {
	h.links.each(quote, func(*uint64) bool {
		found = true
		return false
	})
	return found
}

// askHash is a key of packets at a port with given ends.
func askHash(p pointKey, e *[2]endpoint) uint64 {
	h := hashWord(hashWord(1, uint64(p.port)), uint64(p.chassis)<<32|uint64(e[0].port)<<16|uint64(e[1].port))
	return hashWords(hashWords(h, e[0].addr[:]), e[1].addr[:]) | 1
}

// quoteHash is a key of what translation leaves alone of the first 28 bytes of
// an IPv4 packet, or the first 48 of an IPv6 one, as ICMP errors quote them; 0
// if that tells nothing.
func quoteHash(frame []byte, h *packet.Headers) uint64 {
	k, l := &h.Key, &h.Layout
	if l.L4 == 0 {
		return 0
	}
	return quote(frame[l.L3:l.L3End], uint8(k.Get(field.IPProto)))
}

// quotedHash is the quoteHash of the packet that an ICMP error is about, 0 for
// any other frame.
func quotedHash(frame []byte, h *packet.Headers) uint64 {
	k, l := &h.Key, &h.Layout
	proto := uint8(k.Get(field.IPProto))
	if l.L4 == 0 || l.L3End-l.L4 < 8+28 {
		return 0
	}
	in := frame[l.L4+8 : l.L3End]
	switch {
	case proto == header.ProtoICMP && slices.Contains([]uint8{3, 11, 12}, icmpType(h)) && in[0]>>4 == 4:
		return quote(in, in[9])
	case proto == header.ProtoICMPv6 && icmpType(h) < 128 && in[0]>>4 == 6 && len(in) >= 48:
		return quote(in, in[6])
	}
	return 0
}

func quote(ip []byte, proto uint8) uint64 {
	id, part := quotedIdentity(ip)
	if part == nil {
		return 0
	}
	return hashBytes(hashBytes(hashByte(14695981039346656037, proto), id), part) | 1
}

// saw reports whether a packet was observed at another port than a prediction of it.
func (h *history) saw(w *waiter) (found bool) {
	h.seen.each(w.id, func(x *sighting) bool {
		found = x.at != w.point && max(x.time-w.time, w.time-x.time) < soonest
		return !found
	})
	return found
}

// note notes an observed frame.
func (h *history) note(f *Frame) {
	if f.id == 0 {
		return
	}
	*h.seen.push(f.id) = sighting{f.spot(), f.Number, f.Time}
}

// endpoints returns a packet's source and destination, zero if it is not IP.
func endpoints(h *packet.Headers) (e [2]endpoint) {
	k := &h.Key
	switch k.Get(field.EthType) {
	case header.EtherIPv4:
		s, d := header.IPv4(k.Get(field.IP4Src)).As4(), header.IPv4(k.Get(field.IP4Dst)).As4()
		copy(e[0].addr[:], s[:])
		copy(e[1].addr[:], d[:])
	case header.EtherARP:
		s, d := header.IPv4(k.Get(field.ARPSPA)).As4(), header.IPv4(k.Get(field.ARPTPA)).As4()
		copy(e[0].addr[:], s[:])
		copy(e[1].addr[:], d[:])
	case header.EtherIPv6:
		e[0].addr, e[1].addr = k.Get128(field.IP6Src).Bytes(), k.Get128(field.IP6Dst).Bytes()
	}
	e[0].port, e[1].port = uint16(k.Get(field.TpSrc)), uint16(k.Get(field.TpDst))
	return e
}

// opens reports whether a packet may open a connection: a TCP SYN, or anything
// of a protocol whose packets do not say, but for answers to an echo.
func opens(h *packet.Headers) bool {
	k := &h.Key
	switch k.Get(field.IPProto) {
	case header.ProtoTCP:
		const syn, ack = 2, 16
		return k.Get(field.TCPFlags)&(syn|ack) == syn
	case header.ProtoICMP:
		return icmpType(h) != 0
	case header.ProtoICMPv6:
		return icmpType(h) != 129
	}
	return true
}
