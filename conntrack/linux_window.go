package conntrack

import "ovnreplay/nat/header"

// Window tracking of nf_conntrack: a segment must lie in the window its
// receiver has announced, and acknowledge what has been sent.

type windowResult uint8

const (
	windowOK     windowResult = iota
	windowIgnore              // let it pass and learn nothing
	windowBad
)

// minAckWindow is how far behind an acknowledgement may be at least.
const minAckWindow = 66000

// initSender begins an end's window with its SYN.
func initSender(sender, receiver *peer, s *segment, dir int) {
	sender.end, sender.maxEnd, sender.maxWin = s.end(), s.end(), uint32(max(s.win, 1))
	sender.readOptions(s.options())
	if s.cut {
		sender.flags, receiver.flags = sender.flags|peerLiberal, receiver.flags|peerLiberal
	}
	if dir == 1 && sender.flags&receiver.flags&peerScale == 0 {
		sender.scale, receiver.scale = 0, 0
	}
}

// window is a segment's numbers as they are compared.
type window struct {
	seq, end  uint32
	ack, sack uint32
}

func (t *Table) tcpWindow(c *conn, dir int, s *segment) windowResult {
	if t.opt.SeqCheckOff {
		return windowOK
	}
	sender, receiver := &c.peer[dir], &c.peer[1-dir]
	w := window{seq: s.seq, end: s.end(), ack: s.ack, sack: s.ack}
	if receiver.flags&peerSack != 0 {
		w.sack = highestSack(s.options(), w.sack)
	}
	if c.beginWindow(dir, s, &w) {
		return windowOK
	}
	if s.flags&header.FlagACK == 0 || s.flags&header.FlagRST != 0 && w.ack == 0 {
		w.ack, w.sack = receiver.end, receiver.end
	}
	if s.flags&header.FlagRST != 0 && w.seq == 0 && c.state == tcpSynSent {
		w.seq, w.end = sender.end, sender.end
	}
	res := w.check(sender, receiver)
	if res != windowOK {
		if sender.flags&peerLiberal == 0 && !t.opt.BeLiberal {
			return res
		}
		return windowOK // let through, learning nothing of it
	}
	w.learn(c, dir, s)
	return windowOK
}

// beginWindow starts an end's window; true when nothing is left to check.
func (c *conn) beginWindow(dir int, s *segment, w *window) bool {
	sender, receiver := &c.peer[dir], &c.peer[1-dir]
	syn, ack := s.flags&header.FlagSYN != 0, s.flags&header.FlagACK != 0
	switch {
	case sender.maxWin == 0 && syn:
		initSender(sender, receiver, s, dir)
		return !ack // simultaneous open
	case sender.maxWin == 0:
		sender.end = w.end
		sender.maxWin = max(uint32(s.win)<<sender.scale, 1)
		sender.maxEnd = w.end + sender.maxWin
		if receiver.maxWin == 0 {
			receiver.end, receiver.maxEnd = w.sack, w.sack
		} else if w.sack == receiver.end+1 {
			receiver.end++ // answer to a keep-alive
		}
	case syn && after(w.end, sender.end) && (c.state == tcpSynSent || c.state == tcpSynRecv):
		initSender(sender, receiver, s, dir)
		return dir == 1 && !ack
	}
	return false
}

func (w *window) check(sender, receiver *peer) windowResult {
	slack := max(sender.maxWin, minAckWindow)
	inWindow := after(w.end, sender.end-receiver.maxWin-1)
	ackKnown := before(w.sack, receiver.end+1)
	ackRecent := after(w.sack, receiver.end-slack-1)
	if !before(w.seq, sender.maxEnd+1) {
		over := w.end - sender.maxEnd + 1
		if receiver.maxWin != 0 && inWindow && ackRecent && over <= receiver.maxWin && ackKnown {
			sender.end = w.end // a sender that overruns the window: its peer may acknowledge that
			sender.flags |= peerUnacked
			return windowIgnore
		}
		return windowBad
	}
	switch {
	case !ackKnown:
		return windowBad
	case receiver.maxWin != 0 && !inWindow, !ackRecent:
		return windowIgnore
	}
	return windowOK
}

// learn updates both ends by a good segment.
func (w *window) learn(c *conn, dir int, s *segment) {
	sender, receiver := &c.peer[dir], &c.peer[1-dir]
	win := uint32(s.win)
	if s.flags&header.FlagSYN == 0 {
		win <<= sender.scale
	}
	sender.maxWin = max(sender.maxWin, win+(w.sack-w.ack))
	if after(w.end, sender.end) {
		sender.end = w.end
		sender.flags |= peerUnacked
	}
	if s.flags&header.FlagACK != 0 {
		if sender.flags&peerMaxAck == 0 || after(w.ack, sender.maxAck) {
			sender.maxAck = w.ack
			sender.flags |= peerMaxAck
		}
	}
	if receiver.maxWin != 0 && after(w.end, sender.maxEnd) {
		receiver.maxWin += w.end - sender.maxEnd
	}
	if after(w.sack+win, receiver.maxEnd-1) {
		receiver.maxEnd = w.sack + win
		if win == 0 {
			receiver.maxEnd++
		}
	}
	if w.ack == receiver.end {
		receiver.flags &^= peerUnacked
	}
	if s.kind() == segACK {
		c.last.repeat(dir, w, s.win)
	}
}

// repeat counts how often the same acknowledgement came.
func (l *lastSeg) repeat(dir int, w *window, win uint16) {
	if int(l.dir) == dir && l.seq == w.seq && l.ack == w.ack && l.end == w.end && l.win == win {
		if l.retrans < 255 {
			l.retrans++
		}
		return
	}
	l.dir, l.seq, l.ack, l.end, l.win, l.retrans = uint8(dir), w.seq, w.ack, w.end, win, 0
}
