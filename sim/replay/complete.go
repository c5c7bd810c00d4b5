package replay

import (
	"encoding/binary"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// complete gives a frame that was cut within its TCP header the rest of that as
// another capture holds it of the same packet, further on: by its sequence number
// and its length. What translation changes, the addresses and ports, is held.
func (s *Run) complete(f *Frame) bool {
	l3, l4, ok := cutTCP(f)
	if !ok {
		return false
	}
	held := len(f.Data) - l4
	for i, g := range s.queue[s.head:] {
		if i > maxSameHead || g.Time-f.Time > soonest {
			break
		}
		h := g.Headers()
		if g == f || g.skip != "" || g.dir != Left && g.dir != Crossed || h.Key.Get(field.IPProto) != header.ProtoTCP ||
			h.Layout.L4 == 0 ||
			g.Wire-h.Layout.L3 != f.Wire-l3 || h.Layout.L4-h.Layout.L3 != l4-l3 || len(g.Data) < h.Layout.L4+20 {
			continue
		}
		tcp := g.Data[h.Layout.L4:]
		if string(tcp[4:held]) != string(f.Data[l4+4:]) {
			continue
		}
		f.Data = append(f.Data, tcp[held:20]...)
		f.heads = packet.HeadersOnce{}
		before(f.Data[l3:], g.Data[h.Layout.L3:], l4-l3, formOf(g.Data, h, g.Wire).partial)
		f.id = identityHash(f.Data, f.Headers())
		return true
	}
	return false
}

// before makes the checksum of a translated packet, which ip was given, the one
// that it had before. Partial ones are of the addresses alone.
func before(ip, after []byte, l4 int, partial bool) {
	from, to := 12, 20
	if ip[0]>>4 == 6 {
		from, to = 8, 40
	}
	sum := binary.BigEndian.Uint16(ip[l4+16:])
	if partial {
		sum = ^header.Update16(^sum, after[from:to], ip[from:to])
	} else {
		sum = header.Update16(header.Update16(sum, after[from:to], ip[from:to]), after[l4:l4+4], ip[l4:l4+4])
	}
	binary.BigEndian.PutUint16(ip[l4+16:], sum)
}

// cutTCP returns where the headers of a frame begin that was cut within its TCP
// header, behind the sequence number.
func cutTCP(f *Frame) (l3, l4 int, ok bool) {
	h := f.Headers()
	l3 = h.Layout.L3
	if l3 == 0 || h.Layout.L4 != 0 || f.dir == Unknown || len(f.Data) >= f.Wire {
		return 0, 0, false
	}
	ip := f.Data[l3:]
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4 && ip[9] == header.ProtoTCP && binary.BigEndian.Uint16(ip[6:])&0x3fff == 0:
		l4 = l3 + int(ip[0]&15)*4
	case len(ip) >= 40 && ip[0]>>4 == 6 && ip[6] == header.ProtoTCP:
		l4 = l3 + 40
	default:
		return 0, 0, false
	}
	return l3, l4, len(f.Data) >= l4+8 && len(f.Data) < l4+20
}
