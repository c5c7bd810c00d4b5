package conntrack

import (
	"bytes"
	"encoding/binary"
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Fragment is one fragment of a datagram that is complete.
type Fragment struct {
	Held uint64 // the number it was held under; 0: the packet just executed
	IP   []byte // its bytes, translated
	Meta Meta
}

// How the two datapaths treat fragments: Open vSwitch's userspace (lib/ipf.c)
// holds them, tracks the datagram when it is complete, and lets the same
// fragments go on; it refuses small ones. The kernel reassembles for good.
const (
	userMinFragment4  = 1200 // IP length of any but the last
	userMinFragment6  = 1280
	userMaxFragments  = 1000
	userFragmentTime  = 15 * Second
	linuxFragmentTime = 30 * Second
	linuxFragmentMem  = 4 << 20 // bytes held at once: ipfrag_high_thresh
)

// fragments are the datagrams not complete yet.
type fragments struct {
	lists map[fragmentKey]*fragmentList
	first *fragmentList // by time of their first fragment: linked by before and after
	last  *fragmentList
	next  uint64 // number for the next held one
	count int
	bytes int
	whole []byte // the datagram last put together
}

type fragmentKey struct {
	src, dst [16]byte
	id       uint32
	zone     uint16
	proto    uint8
	v6       bool
}

type fragmentList struct {
	key   fragmentKey
	until Time
	frags []heldFragment // by offset, none overlaps another
	total int            // of their lengths
	last  int            // where the datagram ends, by its last fragment; 0: not seen

	before, after *fragmentList
}

type heldFragment struct {
	Fragment
	offset, length int // of the payload
	l4             int
}

// fragmented is whether an IP packet is a fragment.
func fragmented(ip []byte) bool {
	if len(ip) < 20 {
		return false
	}
	if ip[0]>>4 == 4 {
		return binary.BigEndian.Uint16(ip[6:])&0x3fff != 0
	}
	if ip[0]>>4 != 6 || len(ip) < 40 || ip[6] != 44 && ip[6] != 0 && ip[6] != 43 && ip[6] != 60 && ip[6] != 51 {
		return false
	}
	var p nat.Packet
	return p.Parse(ip) == nat.NoFault && p.Fragment
}

func (t *Table) executeFragment(ip []byte, m *Meta, r *Request) (o Outcome) {
	p := &t.pkt
	if p.Parse(ip) != nat.NoFault || p.Cut && !r.Cut || !t.goodFragment(ip) {
		return t.badFragment(m, r, LoneFragment)
	}
	f := &t.frags
	f.expire(t.now)
	l := f.list(t, p, r.Zone)
	if why := t.fits(l, ip); why != NotRefused {
		return t.badFragment(m, r, why)
	}
	f.next++
	f.hold(l, p, ip, m)
	if !l.complete() {
		o.Drop, o.Held = DropFragment, f.next
		return o
	}
	f.remove(l)
	if t.opt.Profile == Linux {
		return t.executeWhole(l, m, r)
	}
	return t.executeHeld(l, ip, m, r)
}

// badFragment is one that cannot be put together: the kernel drops it,
// userspace lets it go on as invalid.
func (t *Table) badFragment(m *Meta, r *Request, why Refusal) Outcome {
	if t.opt.Profile == Linux {
		return Outcome{Drop: DropFragment, Refusal: why}
	}
	m.setInvalid(r.Zone)
	return Outcome{Refusal: why}
}

// goodFragment is what the profile asks of a fragment itself.
func (t *Table) goodFragment(ip []byte) bool {
	p := &t.pkt
	switch {
	case p.Total <= p.L4:
		return false
	case !t.opt.IgnoreChecksums && !p.HeaderSumOK(ip):
		return false
	case p.More && (p.Total-p.L4)%8 != 0 && t.opt.Profile == Linux:
		return false
	case t.opt.Profile == Linux || !p.More:
		return p.FragOffset+p.Total-p.L4 <= 65535
	}
	return p.Total >= *t.leastFragment(p.Tuple.V6)
}

// TooSmall reports whether a fragment, not the last, is refused for its length.
func (t *Table) TooSmall(v6 bool, length int) bool {
	return t.opt.Profile == OVSUserspace && length < *t.leastFragment(v6)
}

// AllowFragments makes fragments of a length acceptable, as a lower setting of
// ipf-set-min-frag does.
func (t *Table) AllowFragments(v6 bool, length int) {
	least := t.leastFragment(v6)
	*least = min(*least, length)
}

func (t *Table) leastFragment(v6 bool) *int {
	if v6 {
		return &t.opt.MinFragment[1]
	}
	return &t.opt.MinFragment[0]
}

func (f *fragments) list(t *Table, p *nat.Packet, zone uint16) *fragmentList {
	k := fragmentKey{p.Tuple.Src, p.Tuple.Dst, p.FragID, zone, p.Tuple.Proto, p.Tuple.V6}
	if k.v6 {
		k.proto = 0
	}
	if l := f.lists[k]; l != nil {
		return l
	}
	if f.lists == nil {
		f.lists = map[fragmentKey]*fragmentList{}
	}
	l := &fragmentList{key: k, until: t.now + userFragmentTime}
	if t.opt.Profile == Linux {
		l.until = t.now + linuxFragmentTime
	}
	f.lists[k] = l
	f.append(l)
	return l
}

func (f *fragments) append(l *fragmentList) {
	if l.before = f.last; f.last == nil {
		f.first = l
	} else {
		f.last.after = l
	}
	f.last = l
}

// inOrder lists the datagrams, oldest first.
func (f *fragments) inOrder() (list []*fragmentList) {
	for l := f.first; l != nil; l = l.after {
		list = append(list, l)
	}
	return list
}

// HeldSince returns a number below which no fragment is held any more: what was
// kept under one of those is to be forgotten. See Outcome.Held.
func (t *Table) HeldSince() uint64 {
	if t.frags.first == nil {
		return t.frags.next + 1
	}
	since := t.frags.next
	for _, h := range t.frags.first.frags {
		since = min(since, h.Held)
	}
	return since
}

// fits tells why the fragment may not join: too many are held, or it overlaps
// another. The kernel gives up a whole datagram with an overlap.
func (t *Table) fits(l *fragmentList, ip []byte) Refusal {
	p, f := &t.pkt, &t.frags
	from, to := p.FragOffset, p.FragOffset+p.Total-p.L4
	i := l.indexOf(from)
	overlap := i > 0 && from < l.frags[i-1].offset+l.frags[i-1].length || i < len(l.frags) && l.frags[i].offset < to
	full := f.count >= userMaxFragments
	if t.opt.Profile == Linux {
		full = f.bytes+len(ip) > linuxFragmentMem
		if overlap {
			f.remove(l)
		}
	}
	if len(l.frags) == 0 && full {
		f.remove(l)
	}
	switch {
	case overlap:
		return LoneFragment
	case full:
		return FragmentsFull
	}
	return NotRefused
}

func (f *fragments) hold(l *fragmentList, p *nat.Packet, ip []byte, m *Meta) {
	h := heldFragment{Fragment{f.next, bytes.Clone(ip), *m}, p.FragOffset, p.Total - p.L4, p.L4}
	l.frags = slices.Insert(l.frags, l.indexOf(h.offset), h)
	l.total += h.length
	if !p.More {
		l.last = h.offset + h.length
	}
	f.count++
	f.bytes += len(ip)
}

// indexOf is where a fragment of that offset goes.
func (l *fragmentList) indexOf(offset int) int {
	i, _ := slices.BinarySearchFunc(l.frags, offset, func(h heldFragment, offset int) int { return h.offset - offset })
	return i
}

// complete is whether nothing is missing: fragments that do not overlap, reach
// as far as the last and are as long together.
func (l *fragmentList) complete() bool {
	h := &l.frags[len(l.frags)-1]
	return l.last != 0 && l.total == l.last && h.offset+h.length == l.last
}

// headers is where the headers of the datagram end, without that of fragments.
func (l *fragmentList) headers() int {
	if l.key.v6 {
		return l.frags[0].l4 - 8
	}
	return l.frags[0].l4
}

func (f *fragments) remove(l *fragmentList) {
	delete(f.lists, l.key)
	if l.before == nil {
		f.first = l.after
	} else {
		l.before.after = l.after
	}
	if l.after == nil {
		f.last = l.before
	} else {
		l.after.before = l.before
	}
	f.count -= len(l.frags)
	for i := range l.frags {
		f.bytes -= len(l.frags[i].IP)
	}
}

// expire forgets datagrams that were never completed.
func (f *fragments) expire(now Time) {
	for f.first != nil && f.first.until < now {
		f.remove(f.first)
	}
}

// join puts the datagram together: the first fragment's header without its
// fragmentation, and all payloads, or as much as is known where a capture cut one
// of them. It is false for one too big for a header.
func (f *fragments) join(l *fragmentList) bool {
	first, end := &l.frags[0], l.headers()
	if end+l.last > 65535 {
		return false
	}
	w := append(f.whole[:0], first.IP[:end]...)
	for i := range l.frags {
		h := &l.frags[i]
		w = append(w, h.IP[min(h.l4, len(h.IP)):min(h.l4+h.length, len(h.IP))]...)
		if h.l4+h.length > len(h.IP) {
			break
		}
	}
	f.whole = w
	if l.key.v6 {
		binary.BigEndian.PutUint16(w[4:], uint16(end+l.last-40))
		next := first.IP[first.l4-8]
		patchNextHeader(w, end, next)
		return true
	}
	binary.BigEndian.PutUint16(w[2:], uint16(end+l.last))
	w[6], w[7] = w[6]&0x40, 0
	headerSum(w)
	return true
}

// patchNextHeader makes the last header before offset end announce next.
func patchNextHeader(ip []byte, end int, next uint8) {
	at, field := 40, 6
	for proto := ip[field]; at < end && header.Extension(proto); {
		after, size := header.Step(proto, ip[at:])
		field, at, proto = at, at+size, after
	}
	ip[field] = next
}

func headerSum(ip []byte) {
	n := int(ip[0]&15) * 4
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], header.Checksum(0, ip[:n]))
}

// executeWhole is the kernel's way: the datagram goes on as one packet.
func (t *Table) executeWhole(l *fragmentList, m *Meta, r *Request) Outcome {
	if !t.frags.join(l) {
		return t.badFragment(m, r, LoneFragment)
	}
	var o Outcome
	t.execute(t.frags.whole, m, r, &o)
	o.Reassembled, o.Length = t.frags.whole, l.headers()+l.last
	for i := range l.frags {
		o.MRU = max(o.MRU, l.frags[i].l4+l.frags[i].length)
	}
	return o
}

// executeHeld is the userspace way: what was decided for the datagram is
// copied to its fragments, which go on together.
func (t *Table) executeHeld(l *fragmentList, ip []byte, m *Meta, r *Request) Outcome {
	if !t.frags.join(l) {
		return t.badFragment(m, r, LoneFragment)
	}
	whole := t.frags.whole
	meta := l.frags[0].Meta
	var o Outcome
	t.execute(whole, &meta, r, &o)
	meta.conn = connRef{} // fragments carry no connection: the next action looks again
	header := l.headers()
	for i := range l.frags {
		h := &l.frags[i]
		if i == 0 {
			copy(h.IP[h.l4:min(h.l4+h.length, len(h.IP))], whole[header:])
		}
		copyAddrs(h.IP, whole)
		h.Meta = meta
		if h.Held == t.frags.next {
			h.Held = 0
			copy(ip, h.IP)
			h.IP = ip
			*m = meta
		}
		o.Freed = append(o.Freed, h.Fragment)
	}
	return o
}

// copyAddrs gives a fragment the addresses of the datagram.
func copyAddrs(ip, whole []byte) {
	if ip[0]>>4 == 6 {
		copy(ip[8:40], whole[8:40])
		return
	}
	copy(ip[12:20], whole[12:20])
	headerSum(ip)
}

// Refragment cuts an IP packet into fragments of at most mtu bytes and hands
// each to emit, in order; the bytes are only valid during the call. A packet
// that fits is emitted as it is. id identifies the fragments of an IPv6
// packet; IPv4 has its own. (RFC 791, RFC 8200.) Of a packet that a capture cut
// they are what is known, with the length that they have.
func Refragment(ip []byte, mtu int, id uint32, emit func(ip []byte, length int)) {
	var p nat.Packet
	if p.Parse(ip) != nat.NoFault || p.Total <= mtu {
		emit(ip, max(len(ip), p.Total))
		return
	}
	header := p.L4
	if p.Tuple.V6 {
		header += 8
	}
	step := (mtu - header) &^ 7
	if step <= 0 {
		emit(ip, max(len(ip), p.Total))
		return
	}
	buf := make([]byte, 0, mtu)
	for at := p.L4; at < p.Total; at += step {
		end := min(at+step, p.Total)
		buf = append(buf[:0], ip[:p.L4]...)
		if p.Tuple.V6 {
			buf = appendFragment6(buf, &p, at-p.L4, end < p.Total, id)
		}
		length := len(buf) + end - at
		buf = append(buf, ip[min(at, p.End):min(end, p.End)]...)
		if p.Tuple.V6 {
			binary.BigEndian.PutUint16(buf[4:], uint16(length-40))
		} else {
			setFragment4(buf, length, at-p.L4, end < p.Total)
		}
		emit(buf, length)
	}
}

func appendFragment6(buf []byte, p *nat.Packet, offset int, more bool, id uint32) []byte {
	patchNextHeader(buf, p.L4, header.ProtoFragment)
	field := uint16(offset)
	if more {
		field |= 1
	}
	buf = append(buf, p.Tuple.Proto, 0)
	buf = binary.BigEndian.AppendUint16(buf, field)
	return binary.BigEndian.AppendUint32(buf, id)
}

func setFragment4(buf []byte, length, offset int, more bool) {
	field := binary.BigEndian.Uint16(buf[6:])&0x4000 | uint16(offset/8)
	if more {
		field |= 0x2000
	}
	binary.BigEndian.PutUint16(buf[2:], uint16(length))
	binary.BigEndian.PutUint16(buf[6:], field)
	headerSum(buf)
}
