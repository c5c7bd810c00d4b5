package replay

import (
	"encoding/binary"
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// form is what comparing a frame needs to know of it: how much of it is held,
// and the state of its transport checksum. A capture may cut frames short, and
// where a frame was captured its checksum may be left to a network card still.
type form struct {
	l3, l4, end int // of the IP packet, 0 if there is none; end: of what is held of it
	sum         int // where a TCP or UDP checksum is, 0 if there is none
	proto       uint8
	cut         bool // less is held than was on the wire
	partial     bool // the checksum is that of the pseudo-header alone
	fragment    bool
	quotes      bool // it is an ICMP error
}

// formOf looks at a frame.
func formOf(data []byte, h *packet.Headers, wire int) form {
	f := outline(data, h, wire)
	if f.sum != 0 {
		f.partial = f.leftToCard(data)
	}
	return f
}

// outline is formOf for who does not ask whether the checksum is partial.
func outline(data []byte, h *packet.Headers, wire int) form {
	k, l := &h.Key, &h.Layout
	f := form{l3: l.L3, l4: l.L4, end: l.L3End, proto: uint8(k.Get(field.IPProto)), cut: len(data) < wire,
		fragment: k.Get(field.IPFrag) != 0}
	if l.L3 == 0 {
		f.end = len(data)
		return f
	}
	if t := k.Get(field.EthType); t == header.EtherARP || t == header.EtherRARP {
		f.end = l.L3 + arpLength
		return f
	}
	if l.L4 == 0 || f.fragment {
		return f
	}
	f.quotes = len(data) > l.L4 && quotes(f.proto, data[l.L4])
	switch {
	case f.proto == header.ProtoTCP && l.L4+18 <= l.L3End:
		f.sum = l.L4 + 16
	case f.proto == header.ProtoUDP && l.L4+8 <= l.L3End:
		f.sum = l.L4 + 6
	}
	return f
}

// leftToCard reports whether the checksum is partial.
func (f *form) leftToCard(data []byte) bool {
	var p nat.Packet
	ip := data[f.l3:f.end]
	if p.Parse(ip) != nat.NoFault || binary.BigEndian.Uint16(data[f.sum:]) != p.Pseudo(ip) {
		return false
	}
	return p.CheckSum(ip) == nat.SumPartial
}

// completed is the checksum that the card would write; false if too little of
// the frame is held to know it.
func (f *form) completed(data []byte) (uint16, bool) {
	var p nat.Packet
	ip := data[f.l3:f.end]
	if f.cut || p.Parse(ip) != nat.NoFault || p.Cut {
		return 0, false
	}
	return p.Complete(ip), true
}

// filing is a hash of the beginning of a frame that all captures of it hold
// alike, whatever their link type, their snaplen, and who computes the checksum.
func (f *form) filing(data []byte) uint64 {
	const enough = 48
	if len(data) < 12 {
		return hashBytes(14695981039346656037, data)
	}
	end := min(f.end, 12+enough)
	if f.l4 != 0 {
		end = min(f.end, f.l4+f.fixed())
		if f.quotes {
			end = min(f.end, f.l4+2)
		}
	}
	return hashBytes(14695981039346656037, data[12:max(end, 12)])
}

// fixed is how much of a transport header comes before its checksum, or is all
// that is always there.
func (f *form) fixed() int {
	switch f.proto {
	case header.ProtoTCP:
		return 16
	case header.ProtoUDP:
		return 6
	}
	return 8
}

// likeness is how two frames of one point are the same.
type likeness struct {
	same      bool
	offloaded bool // the checksum of one at least was left to the card
	cut       bool // as far as both are held only
}

// likeFrames compares two frames; bare: from above their Ethernet addresses on,
// and without what fills up short frames.
func likeFrames(a, b *waiter, bare bool) (l likeness) {
	x, y := a.data, b.data
	l.cut = a.form.cut || b.form.cut
	l.offloaded = a.form.partial || b.form.partial
	from := 0
	switch {
	case bare && len(x) >= 14 && len(y) >= 14:
		from = 12
		x, y = x[:a.form.end], y[:b.form.end]
	case a.wire != b.wire:
		if x, y = a.unfilled(), b.unfilled(); len(x) != len(y) {
			return l
		}
	}
	if l.cut {
		n := min(len(x), len(y))
		x, y = x[:n], y[:n]
	}
	if l.cut && a.form.quotes && b.form.quotes {
		l.same = likeErrors(x[from:], y[from:], a.form.l4-from, b.form.l4-from)
		return l
	}
	at := a.form.sum
	if !l.offloaded || at != b.form.sum || at+2 > min(len(x), len(y)) {
		l.same = string(x[from:]) == string(y[from:])
		return l
	}
	l.same = string(x[from:at]) == string(y[from:at]) && string(x[at+2:]) == string(y[at+2:]) && sameSum(a, b)
	return l
}

// likeErrors compares ICMP errors of which less is held than there was: their
// own checksum is of bytes that OVN had and no capture has, and that of the packet
// they quote may have been left to a network card.
func likeErrors(x, y []byte, l4, m4 int) bool {
	if l4 != m4 || len(x) < l4+8 || len(y) < l4+8 || string(x[:l4+2]) != string(y[:l4+2]) {
		return false
	}
	q, sum := x[l4+8:], 0
	switch r := y[l4+8:]; {
	case len(q) >= 20 && q[0]>>4 == 4:
		sum = int(q[0]&15)*4 + sumOffset(q[9])
	case len(q) >= 40 && q[0]>>4 == 6:
		sum = 40 + sumOffset(q[6])
	default:
		return string(q) == string(r)
	}
	n := min(len(x), len(y)) - (l4 + 8)
	q, r := q[:n], y[l4+8:][:n]
	if sum+2 > n {
		return string(x[l4+4:l4+8]) == string(y[l4+4:l4+8]) && string(q[:min(sum, n)]) == string(r[:min(sum, n)])
	}
	return string(x[l4+4:l4+8]) == string(y[l4+4:l4+8]) && string(q[:sum]) == string(r[:sum]) &&
		string(q[sum+2:]) == string(r[sum+2:])
}

// sumOffset is where in its header a transport protocol's checksum is.
func sumOffset(proto uint8) int {
	switch proto {
	case header.ProtoTCP:
		return 16
	case header.ProtoUDP:
		return 6
	}
	return 1 << 16
}

// arpLength is that of ARP and RARP for IPv4 (RFC 826).
const arpLength = 28

// leastFrame is the least length of Ethernet, to which network cards fill frames up, so that
// captures of who sent one do not show it; with a tag that comes or goes it is vlanTag other.
const leastFrame, vlanTag = 60, 4

// unfilled is a frame without what fills it up.
func (w *waiter) unfilled() []byte {
	if len(w.data) != w.wire || w.wire > leastFrame+vlanTag || !zero(w.data[w.form.end:]) {
		return w.data
	}
	return w.data[:w.form.end]
}

func zero(b []byte) bool { return !slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) }

// sameSum reports whether completing a partial checksum gives the other one.
// Where too little is held to complete it, a partial one is like any.
func sameSum(a, b *waiter) bool {
	x, y := binary.BigEndian.Uint16(a.data[a.form.sum:]), binary.BigEndian.Uint16(b.data[b.form.sum:])
	if x == y {
		return true
	}
	for _, w := range [...]*waiter{a, b} {
		other := x ^ y ^ binary.BigEndian.Uint16(w.data[w.form.sum:])
		if w.patched && w.form.partial && w.patchedSum() == other {
			return true
		}
	}
	if a.form.partial && b.form.partial {
		return false
	}
	p, other := a, y
	if b.form.partial {
		p, other = b, x
	}
	full, known := p.form.completed(p.data)
	return !known || full == other || min(full, other) == 0 && max(full, other) == 0xffff // both are zero
}

// patchedSum is the checksum that a predicted packet leaves with if the partial one
// that it entered with was changed for its new addresses and ports as a complete one is.
func (w *waiter) patchedSum() uint16 {
	var h packet.Headers
	h.Read(w.original)
	f := outline(w.original, &h, len(w.original))
	if f.sum == 0 || f.proto != w.form.proto || f.l4-f.l3 != w.form.l4-w.form.l3 {
		return 0
	}
	was, is := w.original[f.l3:], w.data[w.form.l3:]
	from, to, ports := 12, 20, f.l4-f.l3
	if was[0]>>4 == 6 {
		from, to = 8, 40
	}
	sum := header.Update16(binary.BigEndian.Uint16(w.original[f.sum:]), was[from:to], is[from:to])
	return header.Update16(sum, was[ports:ports+4], is[ports:ports+4])
}
