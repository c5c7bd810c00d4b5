package replay

import (
	"encoding/binary"
	"math"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
)

// greeting is a packet of the opening of a connection: by those of TCP and of SCTP (RFC
// 9293 section 3.5, RFC 9260 section 5.1) its ends tell each other their numbers. Of
// other protocols the first packet of each direction is all.
type greeting uint8

const (
	proposes  greeting = iota // SYN, INIT
	accepts                   // SYN and ACK, INIT ACK
	confirms                  // ACK, COOKIE ECHO
	concludes                 // the server's first ACK, COOKIE ACK
)

// The sizes of SCTP's common header and of the chunks that open an association.
const initLength, cookieLength, sctpHeader = 20, 4, 12

var greetings = [...]struct {
	flags         uint8 // of TCP
	chunk, length uint8 // of SCTP
}{
	proposes:  {header.FlagSYN, header.ChunkInit, initLength},
	accepts:   {header.FlagSYN | header.FlagACK, header.ChunkInitAck, initLength},
	confirms:  {header.FlagACK, header.ChunkCookieEcho, cookieLength},
	concludes: {header.FlagACK, header.ChunkCookieAck, cookieLength},
}

// numbers are what the ends of a connection know each other's packets by, as a packet of
// one shows: of TCP, the number of the byte that it begins with, or would if it opened
// nothing, and of the one that it waits for; of SCTP, the verification tags of the packets
// that its sender gets and of those that it sends, each 0 if nothing shows it.
type numbers struct{ own, peer uint32 }

// back is how the other end counts.
func (n numbers) back() numbers { return numbers{n.peer, n.own} }

// greets reports whether the ends of a connection of a frame's protocol greet each other.
func greets(f *Frame) bool {
	switch f.Headers().Key.Get(field.IPProto) {
	case header.ProtoTCP, header.ProtoSCTP:
		return true
	}
	return false
}

// numbersOf are those of a frame's connection. Tags are looked for among the frames read
// ahead of the other direction, as they are where f is and where it leaves, as l.
func (s *Run) numbersOf(f, l *Frame) (n numbers) {
	h := f.Headers()
	switch h.Key.Get(field.IPProto) {
	case header.ProtoTCP:
		n.own, n.peer = tcpNumbers(f)
		if h.Key.Get(field.TCPFlags)&header.FlagSYN != 0 {
			n.own++
		}
	case header.ProtoSCTP:
		n.peer = tagOf(f)
		for _, o := range [...]*Frame{f, l} {
			e := flowEnds(o.Data, o.Headers())
			back := answerKey{proto: header.ProtoSCTP, src: e[1], dst: e[0]}
			for g, i := s.filedAs(back).first, 0; g != nil && n.own == 0 && i < maxOfFlow; g, i = g.ofFlow, i+1 {
				n.own = tagOf(g)
			}
		}
	}
	return n
}

// tcpNumbers are the numbers of the byte that a segment begins with and of the
// one that it waits for.
func tcpNumbers(f *Frame) (seq, ack uint32) {
	h := f.Headers()
	if at := h.Layout.L4; at != 0 && len(f.Data) >= at+12 && h.Key.Get(field.IPProto) == header.ProtoTCP {
		seq, ack = binary.BigEndian.Uint32(f.Data[at+4:]), binary.BigEndian.Uint32(f.Data[at+8:])
	}
	return seq, ack
}

// accepting reports whether a packet is the first answer of those that greet.
func accepting(f *Frame) bool {
	chunk, sctp := chunkOf(f)
	return sctp && chunk == header.ChunkInitAck || !sctp && f.Headers().Key.Get(field.TCPFlags)&header.FlagSYN != 0
}

// proceeds reports whether a packet is one of those that follow when ends have greeted.
func proceeds(f *Frame) bool {
	k := &f.Headers().Key
	switch k.Get(field.IPProto) {
	case header.ProtoTCP:
		return k.Get(field.TCPFlags)&header.FlagACK != 0
	case header.ProtoSCTP:
		return tagOf(f) != 0
	}
	return false
}

// tagOf is the verification tag of an SCTP packet; 0: of an INIT, or not held.
func tagOf(f *Frame) uint32 {
	if l := &f.Headers().Layout; l.L4 != 0 && len(f.Data) >= l.L4+8 {
		return binary.BigEndian.Uint32(f.Data[l.L4+4:])
	}
	return 0
}

// chunkOf is the first chunk of an SCTP packet. False: it holds none.
func chunkOf(f *Frame) (chunk uint8, ok bool) {
	l := &f.Headers().Layout
	if f.Headers().Key.Get(field.IPProto) != header.ProtoSCTP || l.L4 == 0 || len(f.Data) <= l.L4+sctpHeader {
		return 0, false
	}
	return f.Data[l.L4+sctpHeader], true
}

// open replays a packet of the opening of f's connection. It reports whether
// that came through.
func (s *Run) open(f *Frame, from *awaited, step greeting, n numbers) bool {
	inf := s.inferrer
	data, wire := opening(f, step, n)
	p := &inf.scratch
	p.Set(data, wire)
	p.Key.Set(field.IPTTL, 64)
	inf.address(&origin{awaited: from})
	at := s.Taps[f.Capture].point(from.port, from.chassis)
	g := &Frame{Capture: f.Capture, File: f.File, Number: f.Number, Time: f.Time, Data: slices.Clone(p.Data),
		Wire: p.Wire, Inferred: true, point: at, dir: Entered}
	out := s.Engine.Inject(sim.Injection{Port: from.port, Chassis: from.chassis, Time: f.Time, Frame: g.Data,
		Wire: g.Wire, Ref: reference(g)})
	for i := range out.Outputs {
		if o := &out.Outputs[i]; !o.Made {
			inf.remember(g, o)
		}
	}
	return out.Verdict == sim.Delivered
}

// opening makes a packet of the opening of f's connection out of f: with its
// addresses, and nothing of what it carries. TCP's header goes on where it is cut:
// what a connection's ends agreed on is not known. So its window is the largest.
func opening(f *Frame, step greeting, n numbers) (data []byte, wire int) {
	l := &f.Headers().Layout
	g := &greetings[step]
	proto := uint8(f.Headers().Key.Get(field.IPProto))
	held, stated := 8, 16
	switch proto {
	case header.ProtoTCP:
		held, stated = 20, 40
	case header.ProtoSCTP:
		held = sctpHeader + int(g.length)
		stated = held
	}
	data = make([]byte, l.L4+held)
	copy(data, f.Data)
	ip, l4 := data[l.L3:], data[l.L4:]
	switch proto {
	case header.ProtoTCP:
		openTCP(l4, g.flags, n)
	case header.ProtoUDP:
		binary.BigEndian.PutUint16(l4[4:], uint16(stated))
	case header.ProtoICMP:
		l4[0] = 8
	case header.ProtoICMPv6:
		l4[0] = 128
	case header.ProtoSCTP:
		openSCTP(l4, step, n)
	}
	if ip[0]>>4 == 6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(l.L4-l.L3-40+stated))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(l.L4-l.L3+stated))
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], header.Checksum(0, ip[:l.L4-l.L3]))
	}
	return data, l.L4 + stated
}

// openTCP writes what opens a TCP connection behind its ports: SYN has a number of its own.
func openTCP(l4 []byte, flags uint8, n numbers) {
	if flags&header.FlagSYN != 0 {
		n.own--
	}
	if flags&header.FlagACK == 0 {
		n.peer = 0
	}
	binary.BigEndian.PutUint32(l4[4:], n.own)
	binary.BigEndian.PutUint32(l4[8:], n.peer)
	l4[12], l4[13] = 10<<4, flags
	binary.BigEndian.PutUint16(l4[14:], math.MaxUint16)
}

// openSCTP writes what opens an association behind its ports: nothing of it but tags is
// looked at on the way.
func openSCTP(l4 []byte, step greeting, n numbers) {
	clear(l4[4:])
	if step != proposes {
		binary.BigEndian.PutUint32(l4[4:], n.peer)
	}
	chunk := l4[sctpHeader:]
	chunk[0], chunk[3] = greetings[step].chunk, greetings[step].length
	if len(chunk) == initLength {
		binary.BigEndian.PutUint32(chunk[4:], n.own)
		binary.BigEndian.PutUint32(chunk[8:], math.MaxUint16) // the window
		chunk[13], chunk[15] = 1, 1                           // a stream each way
	}
	binary.LittleEndian.PutUint32(l4[8:], header.SCTP(l4))
}
