package replay

import (
	"encoding/binary"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// segment is a piece of a TCP stream, or of a batch of UDP datagrams, that segmentation offload may cut up or
// put together: what is one packet at one place is several at another.
type segment struct {
	start, end uint32 // sequence numbers; a FIN counts
	payload    int    // where its bytes begin
	fin        bool
	// stream is a hash of what all pieces of one packet share and translation
	// leaves alone: acknowledgement, window and flags. 0: it is no such piece.
	stream uint64
}

// segmentOf reads the piece of a stream that a frame is.
func segmentOf(data []byte, f *form) (s segment) {
	if f.proto != header.ProtoTCP || f.l4 == 0 || f.fragment || f.end < f.l4+20 {
		return s
	}
	tcp := data[f.l4:f.end]
	size, flags := int(tcp[12]>>4)*4, tcp[13]
	length := header.Length(data[f.l3:]) - (f.l4 - f.l3) - size
	if size < 20 || length <= 0 || flags&(header.FlagSYN|header.FlagRST) != 0 {
		return s
	}
	s.start, s.payload, s.fin = binary.BigEndian.Uint32(tcp[4:]), f.l4+size, flags&header.FlagFIN != 0
	s.end = s.start + uint32(length)
	if s.fin {
		s.end++
	}
	h := hashBytes(14695981039346656037, tcp[8:12])
	h = hashByte(hashByte(h, tcp[12]), flags&^(header.FlagFIN|header.FlagPSH|header.FlagCWR))
	s.stream = hashBytes(h, tcp[14:16]) | 1
	return s
}

// segment is the piece of a stream that the frame is.
func (f *Frame) segment() segment {
	if f.batch != nil {
		return f.ofBatch()
	}
	if !f.hasSeg {
		form := outline(f.Data, f.Headers(), f.Wire)
		f.seg, f.hasSeg = segmentOf(f.Data, &form), true
	}
	return f.seg
}

// span is a range of sequence numbers: from start up to, but without, end.
type span struct{ start, end uint32 }

func (s span) length() int { return int(int32(s.end - s.start)) }

// common is what two spans share; it is empty if they share nothing.
func (s span) common(t span) span {
	if int32(t.start-s.start) > 0 {
		s.start = t.start
	}
	if int32(t.end-s.end) < 0 {
		s.end = t.end
	}
	return s
}

// without takes a part out of the span at i.
func without(list []span, i int, part span) []span {
	s := list[i]
	left, right := span{s.start, part.start}, span{part.end, s.end}
	switch {
	case left.length() > 0 && right.length() > 0:
		list[i] = left
		return append(list, right)
	case left.length() > 0:
		list[i] = left
	case right.length() > 0:
		list[i] = right
	default:
		list[i] = list[len(list)-1]
		return list[:len(list)-1]
	}
	return list
}

// samePieces reports whether two frames are pieces of one stream that may come
// from one packet: the headers alike but for lengths, checksums, IP id and what
// only the first or last piece has, and the same bytes where both have them.
func samePieces(a, b *waiter, common span) bool {
	x, y := a.data, b.data
	f, g := &a.form, &b.form
	from := 0
	if a.bare || b.bare {
		from = 12
	}
	if f.l3 != g.l3 || f.l4 != g.l4 || a.seg.payload != b.seg.payload || !alikeTunnels(a, b) ||
		string(x[from:f.l3]) != string(y[from:f.l3]) || !sameIP(a, b) ||
		string(x[f.l4:f.l4+4]) != string(y[f.l4:f.l4+4]) {
		return false
	}
	if f.proto == header.ProtoTCP {
		n := min(a.seg.payload, f.end, g.end) // the urgent pointer and the options
		if string(x[f.l4+18:n]) != string(y[f.l4+18:n]) {
			return false
		}
	}
	if a.seg.start == b.seg.start && a.seg.end == b.seg.end && !sameWhole(a, b) {
		return false
	}
	return a.seg.same(x[:f.end], &b.seg, y[:g.end], common) && validSum(a) && validSum(b)
}

// sameWhole compares what only pieces of several lengths may have otherwise, in those of one:
// the IPv4 header's checksum, and the flags of the first and last.
func sameWhole(a, b *waiter) bool {
	x, y := a.data[a.form.l3:a.form.end], b.data[b.form.l3:b.form.end]
	l4 := a.form.l4 - a.form.l3
	return (x[0]>>4 == 6 || string(x[10:12]) == string(y[10:12])) &&
		(a.form.proto != header.ProtoTCP || x[l4+13] == y[l4+13])
}

// sameIP compares the IP headers of two pieces.
func sameIP(a, b *waiter) bool {
	x, y := a.data[a.form.l3:a.form.l4], b.data[b.form.l3:b.form.l4]
	if x[0]>>4 == 6 {
		return string(x[:4]) == string(y[:4]) && string(x[6:]) == string(y[6:])
	}
	return string(x[:2]) == string(y[:2]) && string(x[6:10]) == string(y[6:10]) && string(x[12:]) == string(y[12:]) &&
		idsCountUp(a.seg.start, b.seg.start, binary.BigEndian.Uint16(x[4:]), binary.BigEndian.Uint16(y[4:]))
}

// idsCountUp reports whether the IP ids of two pieces can be of one packet: a
// later piece has a later one, at most one for each byte, or all have the same.
func idsCountUp(a, b uint32, x, y uint16) bool {
	ahead := int(int32(b - a))
	if ahead < 0 {
		ahead, x, y = -ahead, y, x
	}
	return y-x <= uint16(min(ahead, 1<<15-1))
}

// same reports whether two pieces have the same bytes in a span, as far as the
// captures hold them.
func (s *segment) same(x []byte, t *segment, y []byte, common span) bool {
	if s.fin && t.fin && s.end != t.end || s.fin && int32(t.end-s.end) > 0 || t.fin && int32(s.end-t.end) > 0 {
		return false // nothing follows a FIN
	}
	if s.fin != t.fin && common.end == s.end && s.end == t.end {
		return false // a FIN in place of a byte
	}
	i, j := s.payload+int(common.start-s.start), t.payload+int(common.start-t.start)
	n := min(common.length(), len(x)-i, len(y)-j)
	return n <= 0 || string(x[i:i+n]) == string(y[j:j+n])
}

// validSum reports whether a frame's checksum is right, partial, or unknown
// because the frame is cut.
func validSum(w *waiter) bool {
	var p nat.Packet
	ip := w.data[w.form.l3:w.form.end]
	return p.Parse(ip) == nat.NoFault && p.CheckSum(ip).Valid()
}

// overlap pairs w with the pieces that have waited for it, by what they have in
// common. It reports whether nothing of w is left.
func (v *Verifier) overlap(w *waiter) bool {
	w.rest = append(w.rest[:0], span{w.seg.start, w.seg.end})
	st := v.streams[expectKey{w.point, w.seg.stream}]
	if st == nil {
		return false
	}
	others := &st.predicted
	if w.predicted {
		others = &st.observed
	}
	for i := 0; i < len(*others) && len(w.rest) > 0; {
		other := (*others)[i]
		if w.share(other) {
			w.parts, other.parts = w.parts+1, other.parts+1
			v.partners(w, other)
		}
		if len(other.rest) == 0 {
			v.forget(other) // takes it out of the list
			v.whole(other)
			continue
		}
		i++
	}
	if len(w.rest) == 0 {
		v.whole(w)
		return true
	}
	return false
}

// share takes what two pieces have in common off both.
func (w *waiter) share(other *waiter) (some bool) {
	for i := 0; i < len(w.rest); i++ {
		for j := 0; j < len(other.rest); j++ {
			part := w.rest[i].common(other.rest[j])
			if part.length() <= 0 || !samePieces(w, other, part) {
				continue
			}
			w.rest, other.rest = without(w.rest, i, part), without(other.rest, j, part)
			some = true
			i = -1
			break
		}
		if i < 0 {
			continue
		}
	}
	return some
}

// partners notes for the observed one of two pieces how the other was predicted.
func (v *Verifier) partners(a, b *waiter) {
	if a.predicted {
		a, b = b, a
	}
	a.guess, a.seen = a.guess || b.guess, a.seen || b.seen
	a.inferred, a.own = a.inferred || b.inferred, a.own || b.own
	a.offloaded = a.offloaded || a.form.partial || b.form.partial
	a.short = a.short || a.form.cut || b.form.cut
	b.offloaded = false
}

// whole counts a piece of which nothing is left.
func (v *Verifier) whole(w *waiter) {
	w.done = true
	if w.parts > 1 {
		v.Report.Segmented++
	}
	if w.predicted {
		v.noteWay(w)
	} else {
		v.compared(likeness{offloaded: w.offloaded, cut: w.short})
		v.matched(w, w)
	}
}

// stream is the pieces at one point that may belong to one packet.
type stream struct{ predicted, observed []*waiter }

func (st *stream) list(w *waiter) *[]*waiter {
	if w.predicted {
		return &st.predicted
	}
	return &st.observed
}

// joinStream lets a piece wait for others.
func (v *Verifier) joinStream(w *waiter) {
	k := expectKey{w.point, w.seg.stream}
	st := v.streams[k]
	if st == nil {
		st = &stream{}
		v.streams[k] = st
	}
	list := st.list(w)
	*list = append(*list, w)
}

// leaveStream takes a piece out again.
func (v *Verifier) leaveStream(w *waiter) {
	k := expectKey{w.point, w.seg.stream}
	st := v.streams[k]
	list := st.list(w)
	for i, x := range *list {
		if x == w {
			*list = append((*list)[:i], (*list)[i+1:]...)
			break
		}
	}
	if len(st.predicted)+len(st.observed) == 0 {
		delete(v.streams, k)
	}
}

// counterpart finds a waiting piece of the same part of the stream, whatever
// its addresses are.
func (v *Verifier) counterpart(w *waiter) *waiter {
	st := v.streams[expectKey{w.point, w.seg.stream}]
	if w.seg.stream == 0 || st == nil {
		return nil
	}
	others := st.predicted
	if w.predicted {
		others = st.observed
	}
	for _, other := range others {
		if (span{w.seg.start, w.seg.end}).common(span{other.seg.start, other.seg.end}).length() > 0 {
			return other
		}
	}
	return nil
}

// ledger knows which parts of streams were predicted at captured points and not
// observed yet.
type ledger struct {
	parts  map[expectKey][]piece
	spare  [][]piece // empty, to be used again
	n      int
	forgot conntrack.Time // when it last looked for what nothing meets
}

type piece struct {
	span
	time conntrack.Time
}

// add notes a predicted piece.
func (l *ledger) add(p pointKey, s *segment, now conntrack.Time) {
	if s.stream == 0 {
		return
	}
	if l.n >= maxExpected {
		if l.forgot+conntrack.Second > now {
			return
		}
		l.forgot = now
		if l.forget(now); l.n >= maxExpected {
			return
		}
	}
	k := expectKey{p, s.stream}
	list, known := l.parts[k]
	if n := len(l.spare); !known && n > 0 {
		list, l.spare = l.spare[n-1], l.spare[:n-1]
	}
	l.parts[k] = append(list, piece{span{s.start, s.end}, now})
	l.n++
}

// forget removes what nothing met for a minute.
func (l *ledger) forget(now conntrack.Time) {
	l.n = 0
	for k, list := range l.parts {
		kept := list[:0]
		for _, p := range list {
			if p.time+60*conntrack.Second >= now {
				kept = append(kept, p)
			}
		}
		if len(kept) == 0 {
			delete(l.parts, k)
			continue
		}
		l.parts[k] = kept
		l.n += len(kept)
	}
}

// count counts anew.
func (l *ledger) count() {
	l.n = 0
	for _, list := range l.parts {
		l.n += len(list)
	}
}

// take marks an observed piece as met and returns what of it was not predicted,
// in the room of rest.
func (l *ledger) take(p pointKey, s *segment, rest []span) []span {
	rest = append(rest[:0], span{s.start, s.end})
	k := expectKey{p, s.stream}
	list, known := l.parts[k]
	for i := 0; i < len(rest); i++ {
		for j := 0; j < len(list); j++ {
			common := rest[i].common(list[j].span)
			if common.length() <= 0 {
				continue
			}
			rest = without(rest, i, common)
			list = l.cutOff(list, j, common)
			i = -1
			break
		}
	}
	switch {
	case !known:
	case len(list) == 0:
		delete(l.parts, k)
		if len(l.spare) < maxAlike {
			l.spare = append(l.spare, list)
		}
	default:
		l.parts[k] = list
	}
	return rest
}

func (l *ledger) cutOff(list []piece, j int, common span) []piece {
	whole := list[j]
	spans := without([]span{whole.span}, 0, common)
	list = append(list[:j], list[j+1:]...)
	for _, s := range spans {
		list = append(list, piece{s, whole.time})
	}
	l.n += len(spans) - 1
	return list
}

// arrivals remembers the pieces of streams that entered, the newest ones.
type arrivals struct{ ring[arrival] }

type arrival struct {
	span
	id uint64 // of the frame
}

// A piece is filed under each block of sequence numbers that it touches.
const arrivalBlock = 12

func arrivalKey(stream uint64, block uint32) uint64 {
	h := stream
	for i := range 4 {
		h = hashByte(h, byte(block>>(8*i)))
	}
	return h | 1
}

// add notes a piece.
func (a *arrivals) add(s *segment, id uint64) {
	if s.stream == 0 {
		return
	}
	for b, last := s.start>>arrivalBlock, (s.end-1)>>arrivalBlock; ; b = (b + 1) & (1<<(32-arrivalBlock) - 1) {
		*a.push(arrivalKey(s.stream, b)) = arrival{span{s.start, s.end}, id}
		if b == last {
			return
		}
	}
}

// with returns the identity of the frame that brought a sequence number, 0 if
// none did.
func (a *arrivals) with(s *segment, seq uint32) (id uint64) {
	if s.stream == 0 {
		return 0
	}
	a.each(arrivalKey(s.stream, seq>>arrivalBlock), func(x *arrival) bool {
		if int32(seq-x.start) >= 0 && int32(seq-x.end) < 0 {
			id = x.id
		}
		return id == 0
	})
	return id
}
