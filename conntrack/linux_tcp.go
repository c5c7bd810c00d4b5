package conntrack

import "ovnreplay/nat/header"

// TCP as nf_conntrack tracks it (net/netfilter/nf_conntrack_proto_tcp.c of
// Linux 6): one state for the connection and a window for each end.

// States, in the order of the transition table.
const (
	tcpNone uint8 = iota
	tcpSynSent
	tcpSynRecv
	tcpEstablished
	tcpFinWait
	tcpCloseWait
	tcpLastAck
	tcpTimeWait
	tcpClose
	tcpSynSent2

	tcpIgnore  // let through without believing it
	tcpInvalid // refuse
)

var tcpNames = [...]string{"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK",
	"TIME_WAIT", "CLOSE", "SYN_SENT2"}

var tcpTimeouts = [...]Timeout{tcpSynSent: TCPSynSent, tcpSynRecv: TCPSynRecv, tcpEstablished: TCPEstablished,
	tcpFinWait: TCPFinWait, tcpCloseWait: TCPCloseWait, tcpLastAck: TCPLastAck, tcpTimeWait: TCPTimeWait,
	tcpClose: TCPClose, tcpSynSent2: TCPSynSent2}

// Kinds of segment.
const (
	segSYN uint8 = iota
	segSYNACK
	segFIN
	segACK
	segRST
	segNone
)

func (s *segment) kind() uint8 {
	switch {
	case s.flags&header.FlagRST != 0:
		return segRST
	case s.flags&(header.FlagSYN|header.FlagACK) == header.FlagSYN|header.FlagACK:
		return segSYNACK
	case s.flags&header.FlagSYN != 0:
		return segSYN
	case s.flags&header.FlagFIN != 0:
		return segFIN
	case s.flags&header.FlagACK != 0:
		return segACK
	}
	return segNone
}

// Short names keep the table readable: state after a segment, by state before.
const (
	nSS, nSR, nES, nFW, nCW = tcpSynSent, tcpSynRecv, tcpEstablished, tcpFinWait, tcpCloseWait
	nLA, nTW, nCL, nS2      = tcpLastAck, tcpTimeWait, tcpClose, tcpSynSent2
	nIG, nIV                = tcpIgnore, tcpInvalid
)

var tcpNext = [2][6][10]uint8{
	{ // original direction. Before:
		// NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2
		segSYN:    {nSS, nSS, nIG, nIG, nIG, nIG, nIG, nSS, nSS, nS2},
		segSYNACK: {nIV, nIV, nSR, nIV, nIV, nIV, nIV, nIV, nIV, nSR},
		segFIN:    {nIV, nIV, nFW, nFW, nLA, nLA, nLA, nTW, nCL, nIV},
		segACK:    {nES, nIV, nES, nES, nCW, nCW, nTW, nTW, nCL, nIV},
		segRST:    {nIV, nCL, nCL, nCL, nCL, nCL, nCL, nCL, nCL, nCL},
		segNone:   {nIV, nIV, nIV, nIV, nIV, nIV, nIV, nIV, nIV, nIV},
	},
	{ // reply direction
		segSYN:    {nIV, nS2, nIV, nIV, nIV, nIV, nIV, nSS, nIV, nS2},
		segSYNACK: {nIV, nSR, nIG, nIG, nIG, nIG, nIG, nIG, nIG, nSR},
		segFIN:    {nIV, nIV, nFW, nFW, nLA, nLA, nLA, nTW, nCL, nIV},
		segACK:    {nIV, nIG, nSR, nES, nCW, nCW, nTW, nTW, nCL, nIG},
		segRST:    {nIV, nCL, nCL, nCL, nCL, nCL, nCL, nCL, nCL, nCL},
		segNone:   {nIV, nIV, nIV, nIV, nIV, nIV, nIV, nIV, nIV, nIV},
	},
}

// Bits of peer.flags and, from onward, of lastSeg.flags.
const (
	peerScale uint8 = 1 << iota
	peerSack
	peerCloseInit
	peerLiberal
	peerUnacked
	peerMaxAck
	lastChallenge
	lastSimultaneous
)

// goodFlags are the combinations of FIN, SYN, RST, ACK and URG the kernel accepts.
func goodFlags(f uint8) bool {
	switch f & (header.FlagFIN | header.FlagSYN | header.FlagRST | header.FlagACK | header.FlagURG) {
	case header.FlagSYN, header.FlagSYN | header.FlagURG, header.FlagSYN | header.FlagACK, header.FlagRST,
		header.FlagRST | header.FlagACK,
		header.FlagFIN | header.FlagACK, header.FlagFIN | header.FlagACK | header.FlagURG, header.FlagACK,
		header.FlagACK | header.FlagURG:
		return true
	}
	return false
}

// options reads window scale and SACK permission into a peer.
func (p *peer) readOptions(opt []byte) {
	if len(opt) == 0 {
		return
	}
	p.scale = 0
	p.flags &= peerLiberal
	for kind, n := header.Option(opt); n > 0; kind, n = header.Option(opt) {
		switch {
		case kind == header.OptionSackOK && n == 2:
			p.flags |= peerSack
		case kind == header.OptionScale && n == 3:
			p.scale = min(opt[2], maxScale)
			p.flags |= peerScale
		}
		opt = opt[n:]
	}
}

// highestSack is the right edge of the highest SACK block, or ack.
func highestSack(opt []byte, ack uint32) uint32 {
	if len(opt) == 12 && opt[0] == header.OptionNop && opt[1] == header.OptionNop &&
		opt[2] == header.OptionTimestamp && opt[3] == 10 {
		return ack
	}
	for kind, n := header.Option(opt); n > 0; kind, n = header.Option(opt) {
		if kind == header.OptionSack && n >= 10 && (n-2)%8 == 0 {
			for b := opt[2:n]; len(b) > 0; b = b[8:] {
				edge := uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
				if after(edge, ack) {
					ack = edge
				}
			}
			return ack
		}
		opt = opt[n:]
	}
	return ack
}

// linuxNewTCP sets a connection up from its first segment; false: no connection begins so.
func (t *Table) linuxNewTCP(c *conn, s *segment) bool {
	next := tcpNext[0][s.kind()][tcpNone]
	if next >= tcpIgnore {
		return false
	}
	c.peer, c.last, c.state = [2]peer{}, lastSeg{index: segNone}, tcpNone
	p := &c.peer[0]
	p.end, p.maxWin = s.end(), uint32(max(s.win, 1))
	p.maxEnd = p.end
	if next == tcpSynSent {
		p.readOptions(s.options())
		if s.cut { // its window scale is not in the capture: no windows to check
			c.peer[0].flags, c.peer[1].flags = c.peer[0].flags|peerLiberal, c.peer[1].flags|peerLiberal
		}
		return true
	}
	if t.opt.NoLoose {
		return false
	}
	p.maxEnd = p.end + p.maxWin
	c.peer[0].flags, c.peer[1].flags = peerSack|peerLiberal, peerSack|peerLiberal
	return true
}

// linuxTCP advances the connection by a segment of direction dir.
func (t *Table) linuxTCP(c *conn, idx uint32, dir int, s *segment, o *Outcome) linuxVerdict {
	v, next := c.tcpStep(t, dir, s, o)
	switch v {
	case stepWindow:
		switch t.tcpWindow(c, dir, s) {
		case windowIgnore:
			return linuxAccept
		case windowBad:
			o.Refusal, o.Check = OutOfWindow, c.windowCheck(dir, s)
			t.tcpShorten(c, idx, dir, s.kind())
			return linuxRefuse
		}
	case stepRepeat:
		return linuxRepeat
	case stepRefuse:
		return linuxRefuse
	case stepAccept:
		return linuxAccept
	}
	return t.tcpAdvance(c, idx, dir, next, s)
}

// What tcpStep decides.
type step uint8

const (
	stepWindow  step = iota // check the window, then advance
	stepAdvance             // advance without
	stepAccept              // let through, change nothing
	stepRefuse
	stepRepeat // the connection is over: delete it and look again
)

// tcpStep looks the transition up and handles its special cases.
func (c *conn) tcpStep(t *Table, dir int, s *segment, o *Outcome) (step, uint8) {
	kind, old := s.kind(), c.state
	next := tcpNext[dir][kind][old]
	switch next {
	case tcpSynSent:
		if old < tcpTimeWait {
			break
		}
		if (c.peer[0].flags|c.peer[1].flags)&peerCloseInit != 0 || int(c.last.dir) == dir && c.last.index == segRST {
			return stepRepeat, next
		}
		return c.tcpIgnored(dir, s)
	case tcpIgnore:
		return c.tcpIgnored(dir, s)
	case tcpInvalid:
		o.Refusal, o.Check = BadState, Check{Of: StateCheck, State: old, Flags: s.flags, Profile: Linux}
		return stepRefuse, next
	case tcpTimeWait:
		if old == tcpLastAck && kind == segACK && int(c.last.dir) != dir && c.last.index == segSYN &&
			c.last.flags&lastChallenge != 0 {
			c.last.flags &^= lastChallenge
			return stepAccept, next
		}
	case tcpSynSent2:
		c.last.flags |= lastSimultaneous
	case tcpSynRecv:
		if dir == 1 && kind == segACK && c.last.flags&lastSimultaneous != 0 {
			next = tcpEstablished
		}
	case tcpClose:
		if kind == segRST {
			return c.tcpReset(t, dir, s, o)
		}
	}
	return stepWindow, next
}

// tcpIgnored notes a segment that may show the two ends to be in step with
// each other and us not to be: SYN in a live connection, its SYN|ACK, a challenge ACK.
func (c *conn) tcpIgnored(dir int, s *segment) (step, uint8) {
	kind, l := s.kind(), &c.last
	if kind == segSYNACK && l.index == segSYN && int(l.dir) != dir && s.ack == l.end {
		p := &c.peer[l.dir]
		p.end, p.maxEnd, p.maxWin = l.end, l.end, uint32(max(l.win, 1))
		l.flags &^= lastChallenge
		p.scale, p.flags = l.scale, l.flags
		q := &c.peer[dir]
		*q = peer{flags: q.flags & peerLiberal}
		c.state = tcpSynSent // so that the new state counts as a change
		return stepWindow, tcpSynRecv
	}
	l.index, l.dir, l.seq, l.end, l.win = kind, uint8(dir), s.seq, s.end(), s.win
	if kind == segSYN && dir == 0 {
		var seen peer
		seen.readOptions(s.options())
		l.flags, l.scale = seen.flags, seen.scale
		if c.state == tcpLastAck {
			l.flags |= lastChallenge
		}
	}
	if c.state == tcpSynSent && kind == segACK && dir == 1 {
		l.ack = s.ack
	}
	return stepAccept, tcpIgnore
}

// tcpReset decides how much a RST is believed.
func (c *conn) tcpReset(t *Table, dir int, s *segment, o *Outcome) (step, uint8) {
	old, next, l := c.state, tcpClose, &c.last
	switch old {
	case tcpFinWait, tcpLastAck, tcpTimeWait, tcpClose, tcpCloseWait:
		return stepAdvance, next // closing: numbers may be outdated
	}
	if other := &c.peer[1-dir]; other.flags&peerMaxAck != 0 && l.index != segSYN {
		established := old == tcpEstablished && c.status&assured != 0
		if s.seq == 0 && !established {
			return stepWindow, next
		}
		if before(s.seq, other.maxAck) && !t.opt.IgnoreInvalidRST {
			o.Refusal, o.Check = OutOfWindow, Check{Of: ResetCheck, Got: s.seq, Low: other.maxAck, High: other.maxAck}
			return stepRefuse, next
		}
		if !established || s.seq == other.maxAck || l.index == segACK && int(l.dir) == dir && s.seq == l.end {
			return stepWindow, next
		}
		next = old // keep the state: a challenge ACK may follow
	}
	if (c.status&seenReply != 0 && l.index == segSYN || c.status&assured == 0 && l.index == segACK) && s.ack == l.end {
		return stepAdvance, next
	}
	if old == tcpSynSent && l.index == segACK && l.dir == 1 && s.seq == l.ack {
		return stepAdvance, next
	}
	return stepWindow, next
}

// tcpAdvance moves the connection into its next state and sets its timeout.
func (t *Table) tcpAdvance(c *conn, idx uint32, dir int, next uint8, s *segment) linuxVerdict {
	kind, old := s.kind(), c.state
	c.last.index, c.last.dir = kind, uint8(dir)
	c.state = next
	if old != next && next == tcpFinWait {
		c.peer[dir].flags |= peerCloseInit
	}
	wait := t.tcpWait(c, next, kind)
	if c.status&seenReply == 0 {
		if s.flags&header.FlagRST != 0 {
			return linuxKill
		}
		if kind == segSYN && old == tcpSynSent {
			return linuxAccept // a SYN sent again buys no time
		}
		if next == tcpEstablished {
			wait = min(wait, t.timeout[TCPUnack])
		}
	} else if c.status&assured == 0 && (old == tcpSynRecv || old == tcpEstablished) && next == tcpEstablished {
		c.status |= assured
	}
	t.setExpiry(idx, t.now+wait)
	return linuxAccept
}

func (t *Table) tcpWait(c *conn, next, kind uint8) Time {
	wait := t.timeout[tcpTimeouts[next]]
	retransmit, unack := t.timeout[TCPRetransmit], t.timeout[TCPUnack]
	switch {
	case int(c.last.retrans) >= t.opt.MaxRetrans && wait > retransmit:
		return retransmit
	case kind == segRST:
		return t.timeout[TCPClose]
	case (c.peer[0].flags|c.peer[1].flags)&peerUnacked != 0 && wait > unack:
		return unack
	case !t.opt.SeqCheckOff && c.last.win == 0 && wait > retransmit:
		return retransmit
	}
	return wait
}

// tcpShorten ends a connection sooner whose closing was out of window on both sides.
func (t *Table) tcpShorten(c *conn, idx uint32, dir int, kind uint8) {
	if c.status&assured == 0 || kind != segRST && kind != segFIN {
		return
	}
	if int(c.last.dir) != dir && (c.last.index == segFIN || c.last.index == segRST) {
		if left := c.expires - t.now; left >= 120*Second && left > t.timeout[TCPUnack] {
			t.setExpiry(idx, t.now+t.timeout[TCPUnack])
		}
		return
	}
	c.last.index, c.last.dir = kind, uint8(dir)
}
