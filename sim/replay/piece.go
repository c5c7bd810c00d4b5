package replay

import (
	"encoding/binary"
	"slices"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// inferPieces replays what of a piece of a stream, that was put together from
// several, no capture shows entering. It reports whether the rest did.
func (s *Run) inferPieces(f *Frame) bool {
	seg := f.segment()
	if seg.stream == 0 || f.Headers().Key.Get(field.IPProto) != header.ProtoTCP || len(f.rest) == 0 ||
		len(f.rest) == 1 && f.rest[0] == (span{seg.start, seg.end}) {
		return false
	}
	a := s.inferrer.way(f)
	if a == nil {
		a = s.inferrer.readAhead(f)
	}
	if a == nil {
		return false
	}
	for _, part := range f.rest {
		s.enter(f.piece(&seg, part), &origin{awaited: a, why: "as " + a.of + " of its connection"})
	}
	s.inferrer.due(f)
	return true
}

// piece is a part of a piece of a stream, as a frame of its own.
func (f *Frame) piece(seg *segment, part span) *Frame {
	g := *f
	l := &f.Headers().Layout
	from, to := seg.payload+int(part.start-seg.start), seg.payload+int(part.end-seg.start)
	fin := seg.fin && part.end == seg.end
	if fin {
		to--
	}
	g.Wire = seg.payload + to - from
	g.Data = slices.Clone(f.Data[:min(seg.payload, len(f.Data))])
	if from < len(f.Data) {
		g.Data = append(g.Data, f.Data[from:min(to, len(f.Data))]...)
	}
	ip, tcp := g.Data[l.L3:], g.Data[l.L4:]
	binary.BigEndian.PutUint32(tcp[4:], part.start)
	if part.end != seg.end {
		tcp[13] &^= header.FlagFIN | header.FlagPSH
	}
	if ip[0]>>4 == 6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(g.Wire-l.L3-40))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(g.Wire-l.L3))
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], header.Checksum(0, ip[:l.L4-l.L3]))
	}
	var p nat.Packet
	if p.Parse(ip) == nat.NoFault && !p.Cut {
		binary.BigEndian.PutUint16(tcp[16:], p.Complete(ip))
	}
	g.heads, g.rest, g.wired = packet.HeadersOnce{}, nil, 0
	g.id = identityHash(g.Data, g.Headers())
	return &g
}
