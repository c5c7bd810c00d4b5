package conntrack

import "ovnreplay/nat/header"

// TCP of Open vSwitch's userspace tracker: each end has a state of its own
// and a window, after Guido van Rooij's "Real Stateful TCP Packet Filtering
// in IP Filter", as in OpenBSD's pf.

// State of one end.
const (
	endClosed uint8 = iota
	endListen
	endSynSent
	endSynRecv
	endEstablished
	endCloseWait
	endFinWait1
	endClosing
	endLastAck
	endFinWait2
	endTimeWait
)

// Bits of peer.scale beside the factor itself.
const (
	scaleKnown   = 0x80 // the option was seen
	scaleUnknown = 0x40 // picked up in the middle: anything goes
	scaleResume  = 0x20 // read from a dump: the window is still to be learned
	scaleMask    = 0x0f
)

// ackSlack is how far acknowledgements may lie off: a window and a frame.
const ackSlack = 0xffff + 1500

// badUserFlags is pf's idea of impossible flags.
func badUserFlags(f uint8) bool {
	if f&header.FlagSYN != 0 {
		if f&(header.FlagRST|header.FlagFIN) != 0 {
			return true
		}
	} else if f&(header.FlagACK|header.FlagRST) == 0 {
		return true
	}
	return f&header.FlagACK == 0 && f&(header.FlagFIN|header.FlagPSH|header.FlagURG) != 0
}

// windowScale reads the window scale option the way this tracker does, which looks behind a
// malformed option, too: 0 or scaleKnown|factor.
func windowScale(opt []byte) (scale uint8) {
	for len(opt) >= 3 {
		kind, n := header.Option(opt)
		switch kind {
		case header.OptionEnd:
			return scale
		case header.OptionScale:
			scale = min(opt[2], maxScale) | scaleKnown
		}
		if n == 0 {
			n = min(max(int(opt[1]), 2), len(opt))
		}
		opt = opt[n:]
	}
	return scale
}

// unscaled takes the factor out of an initial window, rounding up.
func unscaled(win uint16, scale uint8) uint32 {
	f := uint32(1) << (scale & scaleMask)
	return (uint32(win) + f - 1) / f
}

func (t *Table) userNewTCP(k *userCtx, idx uint32) {
	c, s := t.pool.at(idx), k.seg
	src, dst := &c.peer[0], &c.peer[1]
	src.end = s.seq
	src.maxEnd = s.seq + s.length + 1
	if s.flags&header.FlagSYN != 0 {
		src.maxEnd++
		src.scale = windowScale(s.options())
	}
	if s.cut || s.flags&header.FlagSYN == 0 {
		src.scale, dst.scale = scaleUnknown, scaleUnknown
	}
	src.maxWin = uint32(max(s.win, 1))
	if src.scale&scaleMask != 0 {
		src.maxWin = unscaled(uint16(src.maxWin), src.scale)
	}
	if s.flags&header.FlagFIN != 0 {
		src.maxEnd++
	}
	dst.maxEnd, dst.maxWin = 1, 1
	src.flags, dst.flags = endSynSent, endClosed
	t.refresh(idx, TCPSynSent)
}

// userWindow is a segment seen against the windows of both ends.
type userWindow struct {
	src, dst       *peer
	seq, end, ack  uint32
	win            uint32
	sscale, dscale uint8 // factors of source and destination
	skew           bool  // check the acknowledgement
}

func (t *Table) userTCP(k *userCtx, idx uint32) verdict {
	c, s := t.pool.at(idx), k.seg
	src, dst := &c.peer[b2i(k.reply)], &c.peer[1-b2i(k.reply)]
	if badUserFlags(s.flags) {
		k.o.Refusal, k.o.Check = BadFlags, Check{Of: FlagsCheck, Flags: s.flags}
		return verdictInvalid
	}
	if s.flags&(header.FlagSYN|header.FlagACK) == header.FlagSYN {
		if dst.flags >= endFinWait2 && src.flags >= endFinWait2 {
			src.flags, dst.flags = endClosed, endClosed
			return verdictNew
		}
		if src.flags <= endSynSent {
			src.flags = endSynSent
			t.refresh(idx, TCPSynSent)
			return verdictValidNew
		}
	}
	w := userWindow{src: src, dst: dst, win: uint32(s.win), skew: true}
	w.scales(s)
	w.see(s)
	switch {
	case w.inside(s) || t.opt.SeqCheckOff:
		w.slide()
		advanceEnds(src, dst, s.flags)
		t.refresh(idx, userTimeout(src.flags, dst.flags))
	case w.nearby():
		w.slide()
		if s.flags&header.FlagFIN != 0 && src.flags < endClosing {
			src.flags = endClosing
		}
		if s.flags&header.FlagRST != 0 {
			src.flags, dst.flags = endTimeWait, endTimeWait
		}
	default:
		k.o.Refusal, k.o.Check = OutOfWindow, w.check(s)
		return verdictInvalid
	}
	return verdictValid
}

func (w *userWindow) scales(s *segment) {
	both := w.src.scale & w.dst.scale
	switch {
	case s.flags&header.FlagSYN != 0:
	case both&scaleKnown != 0:
		w.sscale, w.dscale = w.src.scale&scaleMask, w.dst.scale&scaleMask
	case both&scaleUnknown != 0:
		w.sscale, w.dscale = maxScale, maxScale
	}
}

// see works out where the segment lies, and begins tracking an end with its first one.
func (w *userWindow) see(s *segment) {
	w.seq, w.ack, w.end = s.seq, s.ack, s.end()
	switch {
	case w.src.flags < endSynSent:
		w.firstOf(s)
	case w.src.scale&scaleResume != 0:
		w.resume(s)
	}
	w.skew = w.skew && w.dst.scale&scaleResume == 0
	if s.flags&header.FlagACK == 0 || w.ack == 0 && s.flags&header.FlagRST != 0 {
		w.ack = w.dst.end // nothing acknowledged, or a stack that forgets to
	}
	if w.seq == w.end {
		w.seq = w.src.end
		w.end = w.seq
	}
}

func (w *userWindow) firstOf(s *segment) {
	src, dst := w.src, w.dst
	switch {
	case s.flags&header.FlagSYN == 0:
	case s.cut: // what it offers is not in the capture
		src.scale, dst.scale = scaleUnknown, scaleUnknown
	case dst.scale&scaleKnown != 0:
		src.scale = windowScale(s.options())
		if src.scale&scaleKnown != 0 {
			w.sscale, w.dscale = src.scale&scaleMask, dst.scale&scaleMask
			w.win = unscaled(uint16(w.win), w.sscale)
		} else {
			dst.maxWin = uint32(uint16(dst.maxWin << (dst.scale & scaleMask)))
			dst.scale = 0
		}
	}
	src.end = s.seq
	src.flags = endSynSent
	limit := w.end + max(1, dst.maxWin<<w.dscale)
	if src.maxEnd == 1 || !before(limit, src.maxEnd) {
		src.maxEnd = limit
		w.skew = false
	}
	src.maxWin = max(src.maxWin, w.win)
}

// resume begins the window of an end known from a dump only.
func (w *userWindow) resume(s *segment) {
	w.src.scale &^= scaleResume
	w.src.end, w.src.maxWin = s.seq, max(w.win, 1)
	w.src.maxEnd = w.end + max(1, w.dst.maxWin<<w.dscale)
	w.skew = false
}

func (w *userWindow) inside(s *segment) bool {
	skew := int32(0)
	if w.skew {
		skew = int32(w.dst.end - w.ack)
	}
	return !before(w.src.maxEnd, w.end) &&
		!before(w.seq, w.src.end-w.dst.maxWin<<w.dscale) &&
		skew >= -ackSlack && int64(skew) <= int64(int32(uint32(ackSlack)<<w.sscale)) &&
		(s.flags&header.FlagRST == 0 || s.seq-w.src.end+1 <= 2)
}

// nearby tolerates a connection picked up in the middle or just closed.
func (w *userWindow) nearby() bool {
	return (w.dst.flags < endSynSent || w.dst.flags >= endFinWait2 || w.src.flags >= endFinWait2) &&
		!before(w.src.maxEnd+ackSlack, w.end) && !before(w.seq, w.src.end-ackSlack)
}

func (w *userWindow) slide() {
	w.src.maxWin = max(w.src.maxWin, w.win)
	if after(w.end, w.src.end) {
		w.src.end = w.end
	}
	if win := w.win << w.sscale; !before(w.ack+win, w.dst.maxEnd) {
		w.dst.maxEnd = w.ack + max(win, 1)
	}
}

func advanceEnds(src, dst *peer, flags uint8) {
	if flags&header.FlagFIN != 0 && src.flags < endClosing {
		src.flags = endClosing
	}
	if flags&header.FlagACK != 0 {
		switch dst.flags {
		case endSynSent:
			dst.flags = endEstablished
		case endClosing:
			dst.flags = endFinWait2
		}
	}
	if flags&header.FlagRST != 0 {
		src.flags, dst.flags = endTimeWait, endTimeWait
	}
}

// userTimeout is by the states of both ends; the names of the timeouts are those of the policy.
func userTimeout(a, b uint8) Timeout {
	lo, hi := min(a, b), max(a, b)
	switch {
	case lo >= endFinWait2:
		return TCPClose
	case lo >= endClosing:
		return TCPTimeWait
	case lo < endEstablished:
		return TCPSynRecv
	case hi >= endClosing:
		return TCPFinWait
	}
	return TCPEstablished
}

// userTCPState is what dumps print of the two ends: that of one of them.
var endNames = [...]string{"CLOSED", "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1",
	"CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT"}
