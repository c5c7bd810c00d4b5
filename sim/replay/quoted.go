package replay

import (
	"encoding/binary"
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// An ICMP error is related to the connection of the packet that it quotes. Where that
// began in no capture, the error tells of it: as it enters, how the packet had left,
// and as it leaves, how it had been sent.

// quotedIn is the packet that an ICMP error quotes.
func quotedIn(f *Frame) (p nat.Packet, ok bool) {
	l, k := &f.Headers().Layout, &f.Headers().Key
	if l.L4 == 0 || !quotes(uint8(k.Get(field.IPProto)), icmpType(f.Headers())) || k.Get(field.IPFrag) != 0 {
		return p, false
	}
	ok = p.Parse(f.Data[l.L3:l.L3End]) == nat.NoFault && p.IsError
	return p, ok
}

// ends are those of a tuple.
func ends(t *nat.Tuple) [2]endpoint { return [2]endpoint{{t.Src, t.SrcPort}, {t.Dst, t.DstPort}} }

// quotes replays an ICMP error that is about to enter, about a packet whose connection
// began in no capture, if one shows the error leaving. Where captures disagree with what
// becomes of it, that connection is opened before, unless they disagree then, too. False:
// it is to be replayed as others are.
func (s *Run) quotes(f *Frame) bool {
	out, ok := quotedIn(f)
	if !ok || s.opts.NoInference || f.Inferred || f.point.Port.IsFunction() || s.trial.kept >= maxTrials {
		return false
	}
	l := s.leaving(f)
	if l == nil {
		return false
	}
	sent, ok := quotedIn(l)
	at := s.end(l)
	if !ok || at.Port.IsFunction() || !related(&out, &sent) || s.beganBefore(f, at, &sent.Inner.Tuple, &out.Inner) {
		return false
	}
	before, ok := s.saved()
	if !ok {
		return false
	}
	s.trial.kept++
	o := s.put(s.Engine, f, f.point.Port, f.point.Chassis)
	if _, agrees := s.check(f, o); !agrees {
		opened := false
		put, agrees := s.anew(f, before, func() { opened = s.openQuoted(f, l, &out, &sent) })
		switch {
		case agrees:
			if o = put; opened {
				s.began(f, at)
			}
		case s.restore(before):
			o = s.put(s.Engine, f, f.point.Port, f.point.Chassis)
		}
	}
	s.fate(f, o)
	return true
}

// related reports whether an ICMP error was translated as one that belongs to a connection,
// if it was: to the sender of the packet that it quotes, and from that one's receiver if
// it came from there.
func related(in, left *nat.Packet) bool {
	return in.Tuple.Dst == in.Inner.Tuple.Src && left.Tuple.Dst == left.Inner.Tuple.Src &&
		(in.Tuple.Src == in.Inner.Tuple.Dst) == (left.Tuple.Src == left.Inner.Tuple.Dst)
}

// openQuoted opens the connection of the packet that an error f quotes, which leaves as
// l: from where the packet was sent or, if that was an answer, from where it came to, and,
// if it is not the first of a TCP connection, to where that was answered.
func (s *Run) openQuoted(f, l *Frame, out, sent *nat.Packet) bool {
	q := quotedFrame(l, sent)
	first, then := s.turned(l, s.end(l)), s.asItself(f)
	e, o := ends(&sent.Inner.Tuple), ends(&out.Inner.Tuple)
	first.src, first.dst, then.src, then.dst = e[0], e[1], o[1], o[0]
	n := s.numbersOf(q, q)
	r := &resumption{of: f, as: l, reply: true, left: o, told: true}
	if out.Inner.Tuple.Proto == header.ProtoUDP && serves(o[0].port, o[1].port) {
		first, then = then, first
		r.reply, r.left = false, [2]endpoint{e[1], e[0]}
	}
	s.resuming = r
	defer func() { s.resuming = nil }()
	if !s.open(q, first, proposes, n) {
		return false
	}
	if proceeds(q) {
		s.open(q, then, accepts, n.back())
		s.open(q, first, confirms, n)
	}
	return true
}

// beganBefore reports whether the connection of a packet sent from a point, which an
// error quotes as it was when it had left, is known, or was looked for before.
func (s *Run) beganBefore(f *Frame, at *Point, sent *nat.Tuple, out *nat.Inner) bool {
	e := ends(sent)
	k := answerKey{at.key(), sent.Proto, e[0], e[1]}
	if s.inferrer.known(k) || !s.inferrer.once(k) {
		return true
	}
	t := s.Engine.Tracked(f.point.Chassis)
	return t != nil && t.Knows(f.Data[f.Headers().Layout.L3+out.L3:f.Headers().Layout.L3End])
}

// quotedFrame is the packet that an ICMP error quotes which leaves, as a frame the other
// way, with as much of its transport header as opens a connection.
func quotedFrame(l *Frame, p *nat.Packet) *Frame {
	h := l.Headers()
	held := 8
	switch p.Inner.Tuple.Proto {
	case header.ProtoTCP:
		held = 20
	case header.ProtoSCTP:
		held = sctpHeader
	}
	l3, l4 := h.Layout.L3, h.Layout.L4
	inner := l.Data[l3+p.Inner.L3 : h.Layout.L3End]
	length := p.Inner.L4 - p.Inner.L3
	data := slices.Concat(l.Data[:l3], inner[:length], make([]byte, held))
	copy(data[l3+length:], inner[length:])
	if l4 >= 14 && l3 >= 14 {
		copy(data, l.Data[6:12])
		copy(data[6:], l.Data[:6])
	}
	if ip := data[l3:]; ip[0]>>4 == 6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(length-40+held))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(length+held))
		binary.BigEndian.PutUint16(ip[6:], 0)
	}
	return &Frame{Capture: l.Capture, File: l.File, Number: l.Number, Time: l.Time, Data: data, Wire: len(data)}
}
