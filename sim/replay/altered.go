package replay

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// A packet that came out otherwise than predicted looks like two that captures lost: the
// predicted one where it should leave, and the observed one where it should have entered.
// What both still share tells that they are one.

// stray is an observed packet that no frame of the captures led to, and a copy of it.
type stray struct {
	waiter
	inferred bool // it was replayed from where its sender is
}

// maxStrays bounds how many are kept, of the newest.
const maxStrays = 1 << 12

// noteStray keeps an observed packet that no captured frame led to, by what tells it from all
// others but the one that it should have been.
func (v *Verifier) noteStray(w *waiter, inferred bool) {
	if w.form.cut || w.point.port < 0 {
		return
	}
	keys, n := twinKeys(w)
	if n == 0 {
		return
	}
	x := &stray{w.owned(), inferred}
	if len(v.evidence.strays) >= maxStrays {
		clear(v.evidence.strays)
	}
	for _, k := range keys[:n] {
		v.evidence.strays[k] = x
	}
}

// altered returns the observed packet that a predicted one became, nil if none shows.
func (v *Verifier) altered(w *waiter) *stray {
	if w.form.cut || w.parts > 0 || w.point.port < 0 || w.inferred {
		return nil
	}
	keys, n := twinKeys(w)
	for _, k := range keys[:n] {
		x := v.evidence.strays[k]
		if x == nil || x.point != w.point || x.wire != w.wire && k.by != byID {
			continue
		}
		apart := max(x.time-w.time, w.time-x.time)
		if apart <= closeBy[k.by] && (k.by != byFlow || fewDiffer(w, x) && !v.losesMore(x)) {
			return x
		}
	}
	return nil
}

// By what two packets are taken to be one that was altered.
const (
	byID   = iota // the IPv4 identification, between the same machines
	byRest        // all but that; of what opens a TCP connection, only that it does
	byAck         // all but that, of a TCP packet that carries nothing; of a reset, only that it is one
	byFlow        // its flow and length: all but two bytes, where captures lost nothing else
	byKinds
)

// closeBy is how far apart in time they are at most: a sender numbers its packets, sends
// none of them again so soon, and seldom two that are nearly the same at one moment.
var closeBy = [byKinds]conntrack.Time{byID: conntrack.Second / 5, byRest: conntrack.Second / 20,
	byAck: conntrack.Second / 200, byFlow: conntrack.Second / 5}

// twinKey is what a packet and the one that it became have both.
type twinKey struct {
	by   uint8
	hash uint64
}

// twinKeys are those of a packet.
func twinKeys(w *waiter) (keys [byKinds]twinKey, n int) {
	h := w.Headers()
	i, ok := identify(w.data, h)
	if !ok {
		return keys, 0
	}
	add := func(by uint8, hash uint64) { keys[n], n = twinKey{by, hash}, n+1 }
	e := endpoints(h)
	ends := hashByte(hashByte(14695981039346656037, byte(w.point.port)), byte(w.point.port>>8))
	ends = hashBytes(hashBytes(ends, e[0].addr[:]), e[1].addr[:])
	number := func(h uint64, n uint16) uint64 { return hashByte(hashByte(h, byte(n>>8)), byte(n)) }
	if i.id != 0 {
		add(byID, number(number(ends, i.id), i.fragment&0x1fff))
	}
	ports := hashByte(number(number(ends, e[0].port), e[1].port), i.proto)
	add(byFlow, number(ports, uint16(w.form.end-w.form.l3)))
	tcp := i.proto == header.ProtoTCP
	switch flags := h.Key.Get(field.TCPFlags); {
	case tcp && flags&header.FlagSYN != 0:
		add(byRest, number(ports, uint16(flags&(header.FlagSYN|header.FlagACK))))
	case tcp && flags&header.FlagRST != 0:
		add(byAck, number(ports, header.FlagRST))
	case tcp && segmentOf(w.data, &w.form).stream == 0:
		add(byAck, hashBytes(hashBytes(ports, i.header), i.payload))
	case len(i.payload) > 0:
		add(byRest, hashBytes(hashBytes(ports, i.header), i.payload))
	}
	return keys, n
}

// losesMore reports whether captures are proved to have lost something but the packet that a
// stray would be.
func (v *Verifier) losesMore(x *stray) bool {
	return v.Report.Lost > 0 || slices.ContainsFunc(v.doubts, func(d doubt) bool { return !v.isOf(d, x) })
}

// isOf reports whether it is a stray that a capture of where it entered should hold.
func (v *Verifier) isOf(d doubt, x *stray) bool {
	return d.frame == x.number && d.file == v.fileOf(x.capture, x.file)
}

// fewDiffer reports whether two packets of one length differ in no more than two bytes above
// their addresses, checksums apart.
func fewDiffer(a *waiter, b *stray) bool {
	if len(a.data) != len(b.data) || a.form.l4 != b.form.l4 || a.form.l4 == 0 {
		return false
	}
	few, sum := 2, a.form.sum
	if sum == 0 {
		sum = a.form.l4 + 2 // ICMP's
	}
	for i := a.form.l4; i < a.form.end; i++ {
		if a.data[i] != b.data[i] && i != sum && i != sum+1 {
			few--
		}
	}
	return few >= 0
}

// became reports a predicted packet and what it became, which was counted as predicted from
// where it had been inferred to enter, or as explained.
func (v *Verifier) became(w *waiter, x *stray) {
	if x.inferred {
		v.Report.Matched--
		v.Report.Inferred--
	} else {
		v.Report.Explained--
	}
	v.doubts = slices.DeleteFunc(v.doubts, func(d doubt) bool { return v.isOf(d, x) })
	for k, y := range v.evidence.strays {
		if y == x {
			delete(v.evidence.strays, k)
		}
	}
	if l := alike(w, &x.waiter); l.same { // one that is itself, of which another capture shows how it came
		v.compared(l)
		v.matched(w, &x.waiter)
		return
	}
	v.differ(w, &x.waiter)
}
