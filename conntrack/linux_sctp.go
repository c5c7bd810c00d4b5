package conntrack

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// SCTP as nf_conntrack tracks it (net/netfilter/nf_conntrack_proto_sctp.c of
// Linux 6): a state moved by the chunks of each packet, and the verification
// tag each end expects (RFC 9260, section 8.5).

// States, in the order of the transition table.
const (
	sctpNone uint8 = iota
	sctpClosed
	sctpCookieWait
	sctpCookieEchoed
	sctpEstablished
	sctpShutdownSent
	sctpShutdownRecd
	sctpShutdownAckSent
	sctpHeartbeatSent

	sctpInvalid
)

var sctpNames = [...]string{"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT",
	"SHUTDOWN_RECD",
	"SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"}

var sctpTimeouts = [...]Timeout{SCTPClosed, SCTPClosed, SCTPCookieWait, SCTPCookieEchoed, SCTPEstablished,
	SCTPShutdownSent, SCTPShutdownRecd, SCTPShutdownAckSent, SCTPHeartbeatSent}

// Chunk types (RFC 9260, section 3.2).
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkHeartbeat        = 4
	chunkHeartbeatAck     = 5
	chunkAbort            = 6
	chunkShutdown         = 7
	chunkShutdownAck      = 8
	chunkError            = 9
	chunkCookieEcho       = 10
	chunkCookieAck        = 11
	chunkShutdownComplete = 14
)

const (
	aCL, aCW, aCE, aES, aSS = sctpClosed, sctpCookieWait, sctpCookieEchoed, sctpEstablished, sctpShutdownSent
	aSR, aSA, aHS, aIV      = sctpShutdownRecd, sctpShutdownAckSent, sctpHeartbeatSent, sctpInvalid
)

// sctpNext is the state after a chunk, by direction, chunk type and state
// before. Types without a row leave the state alone.
var sctpNext = [2][15][]uint8{
	{ // original direction. Before:
		// NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT _RECD _ACK_SENT HEARTBEAT_SENT
		chunkInit:             {aCL, aCL, aCW, aCE, aES, aCL, aCL, aSA, aCW},
		chunkInitAck:          {aCL, aCL, aCW, aCE, aES, aSS, aSR, aSA, aCL},
		chunkAbort:            {aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aCL},
		chunkShutdown:         {aCL, aCL, aCW, aCE, aSS, aSS, aSR, aSA, aCL},
		chunkShutdownAck:      {aSA, aCL, aCW, aCE, aES, aSA, aSA, aSA, aSA},
		chunkError:            {aCL, aCL, aCW, aCE, aES, aSS, aSR, aSA, aCL},
		chunkCookieEcho:       {aCL, aCL, aCE, aCE, aES, aSS, aSR, aSA, aCL},
		chunkCookieAck:        {aCL, aCL, aCW, aES, aES, aSS, aSR, aSA, aCL},
		chunkShutdownComplete: {aCL, aCL, aCW, aCE, aES, aSS, aSR, aCL, aCL},
		chunkHeartbeat:        {aHS, aCL, aCW, aCE, aES, aSS, aSR, aSA, aHS},
		chunkHeartbeatAck:     {aCL, aCL, aCW, aCE, aES, aSS, aSR, aSA, aHS},
	},
	{ // reply direction
		chunkInit:             {aIV, aCL, aCW, aCE, aES, aSS, aSR, aSA, aIV},
		chunkInitAck:          {aIV, aCW, aCW, aCE, aES, aSS, aSR, aSA, aIV},
		chunkAbort:            {aIV, aCL, aCL, aCL, aCL, aCL, aCL, aCL, aIV},
		chunkShutdown:         {aIV, aCL, aCW, aCE, aSR, aSS, aSR, aSA, aIV},
		chunkShutdownAck:      {aIV, aCL, aCW, aCE, aES, aSA, aSA, aSA, aIV},
		chunkError:            {aIV, aCL, aCW, aCL, aES, aSS, aSR, aSA, aIV},
		chunkCookieEcho:       {aIV, aCL, aCE, aCE, aES, aSS, aSR, aSA, aIV},
		chunkCookieAck:        {aIV, aCL, aCW, aES, aES, aSS, aSR, aSA, aIV},
		chunkShutdownComplete: {aIV, aCL, aCW, aCE, aES, aSS, aSR, aCL, aIV},
		chunkHeartbeat:        {aIV, aCL, aCW, aCE, aES, aSS, aSR, aSA, aHS},
		chunkHeartbeatAck:     {aIV, aCL, aCW, aCE, aES, aSS, aSR, aSA, aES},
	},
}

// Bits of an end (peer.flags) and of the connection (lastSeg.flags).
const (
	sctpInit          uint8 = 1 // this end has sent an INIT
	sctpHeartbeatFail uint8 = 1 // a heartbeat came with another tag
)

// chunk is one chunk of a packet: type, flags and what follows its header.
type chunk struct {
	typ, flags uint8
	body       []byte
}

// nextChunk cuts the first chunk off; ok is false at the end, and for a chunk of no length.
func nextChunk(b []byte) (c chunk, rest []byte, ok bool) {
	if len(b) < 4 {
		return c, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n == 0 {
		return c, nil, false
	}
	return chunk{b[0], b[1], b[4:min(max(n, 4), len(b))]}, b[min((n+3)&^3, len(b)):], true
}

// seenChunks is the set of chunk types in a packet.
type seenChunks [4]uint64

func (s *seenChunks) add(t uint8)      { s[t>>6] |= 1 << (t & 63) }
func (s *seenChunks) has(t uint8) bool { return s[t>>6]&(1<<(t&63)) != 0 }

// sctpChunks checks the order of a packet's chunks and notes their types.
func sctpChunks(b []byte) (seen seenChunks, ok bool) {
	alone := false
	n := 0
	for len(b) >= 4 {
		c, rest, good := nextChunk(b)
		alone = alone || c.typ == chunkInit || c.typ == chunkInitAck || c.typ == chunkShutdownComplete
		if !good || n > 0 && (alone || c.typ == chunkCookieAck || c.typ == chunkCookieEcho) {
			return seen, false
		}
		seen.add(c.typ)
		b, n = rest, n+1
	}
	return seen, n > 0
}

// sctpBody is the packet's verification tag and its chunks.
func (t *Table) sctpBody(ip []byte) (tag uint32, chunks []byte) {
	l4 := ip[t.pkt.L4:t.pkt.End]
	return binary.BigEndian.Uint32(l4[4:]), l4[12:]
}

// linuxNewSCTP sets a connection up from its first packet; false: none begins so.
func (t *Table) linuxNewSCTP(k *linuxCtx, c *conn) bool {
	tag, b := t.sctpBody(k.ip)
	seen, ok := sctpChunks(b)
	if !ok || seen.has(chunkAbort) || seen.has(chunkShutdownComplete) || seen.has(chunkCookieAck) {
		return false
	}
	c.peer, c.last, c.state = [2]peer{}, lastSeg{}, sctpNone
	for len(b) >= 4 {
		var ch chunk
		ch, b, _ = nextChunk(b)
		if sctpState(0, sctpNone, ch.typ) == sctpNone {
			return false
		}
		switch ch.typ {
		case chunkInit:
			if tag != 0 || len(ch.body) < 16 {
				return false
			}
			c.peer[1].maxAck = binary.BigEndian.Uint32(ch.body)
		case chunkHeartbeat:
			c.peer[0].maxAck = tag
		case chunkShutdownAck:
			c.peer[1].maxAck = tag
		}
	}
	probe := *c
	v, _ := t.sctpStep(k, &probe, 0) // the first packet must pass as any other
	return v == linuxAccept
}

func sctpState(dir int, old, typ uint8) uint8 {
	if int(typ) < len(sctpNext[dir]) && sctpNext[dir][typ] != nil {
		return sctpNext[dir][typ][old]
	}
	return old
}

// freeTag are the chunks whose tags have rules of their own.
var freeTag = [...]uint8{chunkInit, chunkShutdownComplete, chunkCookieEcho, chunkAbort, chunkShutdownAck,
	chunkHeartbeat, chunkHeartbeatAck}

// linuxSCTP advances a connection by one packet.
func (t *Table) linuxSCTP(k *linuxCtx) linuxVerdict {
	v, quiet := t.sctpStep(k, k.c, k.dir())
	if v == linuxAccept && !quiet {
		t.refresh(k.idx, sctpTimeouts[k.c.state])
	}
	return v
}

// sctpStep advances a connection; quiet: its timeout is not to be renewed.
func (t *Table) sctpStep(k *linuxCtx, c *conn, dir int) (v linuxVerdict, quiet bool) {
	tag, b := t.sctpBody(k.ip)
	seen, ok := sctpChunks(b)
	if !ok {
		k.o.Refusal = BadHeader
		return linuxRefuse, false
	}
	free := false
	for _, typ := range freeTag {
		free = free || seen.has(typ)
	}
	if !free && tag != c.peer[dir].maxAck {
		k.o.Refusal, k.o.Check = BadVerification, Check{Of: TagCheck, Got: tag, Low: c.peer[dir].maxAck}
		return linuxRefuse, false
	}
	for len(b) >= 4 {
		var ch chunk
		ch, b, _ = nextChunk(b)
		switch c.sctpTag(dir, tag, &ch, &seen, quiet) {
		case tagWrong:
			k.o.Refusal = BadVerification
			return linuxRefuse, false
		case tagQuiet:
			quiet = true
			continue
		}
		res := c.sctpAdvance(dir, &ch)
		if res == tagWrong {
			k.o.Refusal = BadState
			return linuxRefuse, false
		}
		quiet = quiet || res == tagQuiet
	}
	return linuxAccept, quiet
}

type tagResult uint8

const (
	tagRight tagResult = iota
	tagWrong
	tagQuiet // let pass without renewing the timeout
)

// sctpTag checks the tag for one chunk.
func (c *conn) sctpTag(dir int, tag uint32, ch *chunk, seen *seenChunks, quiet bool) tagResult {
	own, other := &c.peer[dir].maxAck, &c.peer[1-dir].maxAck
	good := true
	switch ch.typ {
	case chunkInit:
		good = tag == 0
	case chunkAbort, chunkShutdownComplete:
		want := *own
		if ch.flags&header.ChunkReflects != 0 {
			want = *other
		}
		good = tag == want
	case chunkCookieEcho:
		good = tag == *own
	case chunkCookieAck:
		c.peer[0].flags &^= sctpInit
		c.peer[1].flags &^= sctpInit
	case chunkHeartbeat, chunkHeartbeatAck:
		return c.sctpHeartbeat(dir, tag, ch, seen, quiet)
	}
	if !good {
		return tagWrong
	}
	return tagRight
}

func (c *conn) sctpHeartbeat(dir int, tag uint32, ch *chunk, seen *seenChunks, quiet bool) tagResult {
	own, other, l := &c.peer[dir].maxAck, &c.peer[1-dir].maxAck, &c.last
	switch {
	case *own == 0:
		*own = tag
	case tag == *own:
		l.flags &^= sctpHeartbeatFail
	case seen.has(chunkData) || quiet:
		return tagWrong
	case ch.typ == chunkHeartbeat:
		l.flags |= sctpHeartbeatFail
		l.dir = uint8(dir)
		return tagQuiet
	case l.flags&sctpHeartbeatFail == 0 || int(l.dir) == dir:
		return tagWrong
	default:
		l.flags &^= sctpHeartbeatFail
		*own, *other = tag, 0
	}
	return tagRight
}

// sctpAdvance moves the state by one chunk and notes the tags that INIT and INIT ACK announce.
func (c *conn) sctpAdvance(dir int, ch *chunk) tagResult {
	old := c.state
	next := sctpState(dir, old, ch.typ)
	if next == sctpInvalid {
		return tagWrong
	}
	res := tagRight
	if ch.typ == chunkInit || ch.typ == chunkInitAck {
		if len(ch.body) < 16 {
			return tagWrong
		}
		tag := binary.BigEndian.Uint32(ch.body)
		if !c.sctpAnnounce(dir, ch.typ, old, tag) {
			return tagWrong
		}
		if ch.typ == chunkInit && old == sctpClosed && next == sctpClosed && c.linked != 0 {
			res = tagQuiet
		}
	}
	c.state = next
	if old != next && next == sctpEstablished {
		c.status |= assured
	}
	return res
}

func (c *conn) sctpAnnounce(dir int, typ, old uint8, tag uint32) bool {
	me, peer := &c.peer[dir], &c.peer[1-dir]
	if typ == chunkInit {
		if old == sctpNone || peer.maxAck != tag {
			if me.flags&peer.flags&sctpInit != 0 {
				peer.flags &^= sctpInit
			}
			me.flags |= sctpInit
		}
		peer.maxAck = tag
		return true
	}
	if peer.flags&sctpInit == 0 && peer.maxAck != 0 && peer.maxAck != tag {
		return false
	}
	if me.flags&peer.flags&sctpInit != 0 && peer.maxAck != tag {
		return false
	}
	peer.maxAck = tag
	return true
}
