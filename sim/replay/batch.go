package replay

import (
	"encoding/binary"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// A sender may hand its kernel several UDP datagrams in one (UDP_SEGMENT), which the
// card, or Linux in its place, cuts up: each has the ports and as many bytes as the
// others, the last one what is left, and IPv4 ids count up
// (net/ipv4/udp_offload.c, __udp_gso_segment). A receiver may put such together.
// Captures before that show one packet longer than any frame, those behind it several.

// batch is datagrams in one packet.
type batch struct {
	seg     segment // its numbers are made up
	time    conntrack.Time
	id      uint16 // IPv4
	payload []byte // as far as it is held
	length  int
	size    int    // of its datagrams, at least, where they were seen; 0: they were not
	entered uint64 // the identity of the frame by which it entered OVN, 0 if it did not
	next    []placed
}

// placed is up to where a capture has shown a batch of late.
type placed struct {
	capture, upTo int
}

// batches knows those of the last frames.
type batches struct{ ring[*batch] }

const (
	// maxBatches bounds how many are remembered, maxDatagrams how many datagrams
	// one has (UDP_MAX_SEGMENTS).
	maxBatches, maxDatagrams = 64, 128
	// batchWindow is how far apart a batch and its datagrams are at most.
	batchWindow = conntrack.Second
	// maxBefore bounds how far back the datagrams of a batch are looked for.
	maxBefore = 512
)

// datagramIn returns a frame's UDP packet, if it has a whole one.
func datagramIn(f *Frame) (udp []byte, length int, ok bool) {
	h := f.Headers()
	l4 := h.Layout.L4
	if h.Key.Get(field.IPProto) != header.ProtoUDP || l4 == 0 || h.Key.Get(field.IPFrag) != 0 {
		return nil, 0, false
	}
	udp, length = f.Data[l4:h.Layout.L3End], int(binary.BigEndian.Uint16(f.Data[l4+4:]))-8
	return udp, length, length > 0 && header.Length(f.Data[h.Layout.L3:]) == l4-h.Layout.L3+8+length
}

// noteDatagram files a batch, or finds out which one a datagram is of.
func (s *Run) noteDatagram(f *Frame) {
	if f.point == nil || f.dir == Unknown || f.skip != "" && !f.isCut() || len(f.Data) < 14 {
		return
	}
	b := &s.batches
	if f.Wire <= longestFrame {
		if len(b.values) > 0 {
			s.partOfBatch(f)
		}
		return
	}
	udp, length, ok := datagramIn(f)
	if !ok {
		return
	}
	x := b.of(f, udp, length)
	f.batch = x
	if f.dir == Entered && x.entered == 0 {
		x.entered = f.id
	}
	for i := len(s.queue) - 1; i >= max(s.head, len(s.queue)-maxBefore); i-- {
		g := s.queue[i]
		if f.Time-g.Time > batchWindow {
			break
		}
		if g.Wire <= longestFrame && g.seg.stream == 0 && !g.played && len(g.Data) >= 14 {
			s.partOfBatch(g)
		}
	}
}

// of returns the batch that a frame is.
func (b *batches) of(f *Frame, udp []byte, length int) (x *batch) {
	key, id := batchKey(f, 0)
	h := hashBytes(hashWord(key, uint64(length)<<16|uint64(id)), udp[8:min(16, len(udp))])
	b.each(key, func(old **batch) bool {
		if (*old).seg.stream == h|1 && (*old).id == id {
			x = *old
		}
		return x == nil
	})
	if x != nil {
		x.time = f.Time
		return x
	}
	start := uint32(h >> 32)
	x = &batch{seg: segment{start: start, end: start + uint32(length), stream: h | 1}, time: f.Time, id: id,
		payload: append([]byte(nil), udp[8:]...), length: length}
	*b.push(key) = x
	if after, _ := batchKey(f, maxDatagrams-1); after != key {
		*b.push(after) = x
	}
	return x
}

// batchKey is what a batch is filed by and its datagrams are looked up by, and the IPv4 id.
func batchKey(f *Frame, ahead uint16) (key uint64, id uint16) {
	h := f.Headers()
	if h.Key.Get(field.EthType) == header.EtherIPv6 {
		return hashWord(6, h.Key.Get(field.IP6Label)), 0
	}
	id = binary.BigEndian.Uint16(f.Data[h.Layout.L3+4:])
	return hashWord(4, uint64((id+ahead)/maxDatagrams)), id
}

// partOfBatch finds out which batch a frame is a datagram of, and which part.
func (s *Run) partOfBatch(f *Frame) {
	udp, length, ok := datagramIn(f)
	if !ok {
		return
	}
	key, id := batchKey(f, 0)
	s.batches.each(key, func(of **batch) bool {
		x := *of
		at, size, found := x.find(udp[8:], length, f, id)
		if !found || max(f.Time-x.time, x.time-f.Time) > batchWindow {
			return true
		}
		f.seg, f.hasSeg = x.seg, true
		f.seg.start, f.seg.payload = x.seg.start+uint32(at), f.Headers().Layout.L4+8
		f.seg.end = f.seg.start + uint32(length)
		x.show(f.Capture, (at+length)%x.length)
		if x.size == 0 && x.entered != 0 {
			s.history.pieces.add(&x.seg, x.entered)
		}
		x.size = max(x.size, size)
		if f.dir == Entered {
			s.history.pieces.add(&f.seg, f.id)
		}
		return false
	})
}

// find tells where in a batch a datagram is, and how long the others are at least.
func (x *batch) find(payload []byte, length int, f *Frame, id uint16) (at, size int, found bool) {
	if length >= x.length {
		return 0, 0, false
	}
	if f.Headers().Key.Get(field.EthType) == header.EtherIPv4 {
		n := int(id - x.id)
		if at = n * length; length >= x.size && at+length <= x.length && x.has(payload, at) {
			return at, length, true
		}
		if at = x.length - length; n == 0 || at%n != 0 || at/n < length {
			return 0, 0, false
		}
		return at, at / n, x.has(payload, at)
	}
	next := x.shown(f.Capture)
	if next+length <= x.length && x.has(payload, next) && (next%length == 0 || next+length == x.length) {
		return next, length, true
	}
	for at = 0; at+length <= x.length && at/length < maxDatagrams; at += length {
		if x.has(payload, at) {
			return at, length, true
		}
	}
	at = x.length - length
	return at, length, x.has(payload, at)
}

// has reports whether a batch holds a payload at an offset, as far as both are held.
func (x *batch) has(payload []byte, at int) bool {
	n := min(len(payload), len(x.payload)-at)
	return n <= 0 || string(x.payload[at:at+n]) == string(payload[:n])
}

// shown is how much of the batch a capture has shown.
func (x *batch) shown(capture int) int {
	for _, p := range x.next {
		if p.capture == capture {
			return p.upTo
		}
	}
	return 0
}

func (x *batch) show(capture, upTo int) {
	for i := range x.next {
		if x.next[i].capture == capture {
			x.next[i].upTo = upTo
			return
		}
	}
	x.next = append(x.next, placed{capture, upTo})
}

// ofBatch is the part of a batch that a frame is, if it is known to be more than one
// datagram or one of several.
func (f *Frame) ofBatch() segment {
	switch {
	case f.batch != nil && f.batch.size != 0:
		seg := f.batch.seg
		seg.payload = f.Headers().Layout.L4 + 8
		return seg
	case f.hasSeg && f.Headers().Key.Get(field.IPProto) == header.ProtoUDP:
		return f.seg
	}
	return segment{}
}

// in is the same part of a batch in a frame that it became.
func (s segment) in(data []byte, form *form) segment {
	if form.proto != header.ProtoUDP || form.l4 == 0 || form.fragment || form.end < form.l4+8 ||
		uint32(binary.BigEndian.Uint16(data[form.l4+4:]))-8 != s.end-s.start {
		return segment{}
	}
	s.payload = form.l4 + 8
	return s
}
