package replay

import (
	"ovnreplay/conntrack/coding"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// segmentSizes knows how long the segments of TCP connections are, by the MSS
// that both sides' SYNs announced where a capture shows them. Linux holds a
// super-packet's segments, and not the packet, against a limit of length.
type segmentSizes struct {
	sizes, older filed[uint16] // by sizeKey
	least        uint16        // of all of them; 0: there are none
}

const (
	// maxSizes bounds each generation of connections that are remembered.
	maxSizes = 1 << 16
	// longestFrame is the most that is one frame on common wires; what is longer
	// than longestJumbo is never one, even where nothing is known of it.
	longestFrame, longestJumbo = 1514, 9018
	// leastHeaders are before the bytes of a TCP segment at least.
	leastHeaders = 14 + 20 + 20
)

// sizeKey is of a connection as it is at some place, the same for both ways.
func sizeKey(f *Frame) (sum uint64) {
	for _, e := range endpoints(f.Headers()) {
		sum += hashWord(hashBytes(14695981039346656037, e.addr[:]), uint64(e.port))
	}
	return sum
}

// learn notes the MSS of a SYN.
func (t *segmentSizes) learn(f *Frame) {
	h := f.Headers()
	if h.Key.Get(field.IPProto) != header.ProtoTCP || h.Key.Get(field.TCPFlags)&header.FlagSYN == 0 {
		return
	}
	mss := announcedMSS(f.Data, h.Layout.L4)
	if mss == 0 {
		return
	}
	if t.sizes.n >= maxSizes {
		t.sizes, t.older = filed[uint16]{}, t.sizes
	}
	t.lower(mss)
	k := sizeKey(f)
	if size := t.sizes.put(k); *size == 0 || mss < *size {
		*size = mss
	}
}

// lower notes the least of all sizes.
func (t *segmentSizes) lower(mss uint16) {
	if t.least == 0 || mss < t.least {
		t.least = mss
	}
}

// announcedMSS reads the option of a SYN; 0 if it has none, or it is cut off.
func announcedMSS(frame []byte, l4 int) uint16 {
	if l4 == 0 || len(frame) < l4+20 {
		return 0
	}
	opts := frame[l4+20 : max(l4+20, min(len(frame), l4+int(frame[l4+12]>>4)*4))]
	for kind, n := header.Option(opts); n > 0; kind, n = header.Option(opts) {
		if kind == header.OptionMSS && n == 4 {
			return uint16(opts[2])<<8 | uint16(opts[3])
		}
		opts = opts[n:]
	}
	return 0
}

// of is how long the frames are that a packet is sent as, 0 if it is one. Of a
// connection whose SYNs are in no capture, only what no wire takes is known to be
// several; those are of the common length then.
func (t *segmentSizes) of(f *Frame) int {
	if f.Wire <= longestJumbo && (t.least == 0 || f.Wire <= leastHeaders+int(t.least)) { // one frame; the common case
		return 0
	}
	h := f.Headers()
	l4, proto := h.Layout.L4, uint8(h.Key.Get(field.IPProto))
	if l4 == 0 || h.Key.Get(field.IPFrag) != 0 || proto != header.ProtoTCP && proto != header.ProtoUDP {
		return 0
	}
	if proto == header.ProtoTCP && len(f.Data) >= l4+20 {
		if mss := t.mss(sizeKey(f)); mss != 0 {
			if segment := l4 + 20 + int(mss); f.Wire > segment {
				return segment
			}
			return 0
		}
	}
	if f.Wire > longestJumbo {
		return longestFrame
	}
	return 0
}

// segmentSize is how long the frames are that a packet is sent as, 0 if it is one.
func (s *Run) segmentSize(f *Frame) int {
	if f.batch != nil && f.batch.size != 0 {
		return f.Headers().Layout.L4 + 8 + f.batch.size
	}
	return s.sizes.of(f)
}

func (t *segmentSizes) mss(k uint64) uint16 {
	for _, known := range [...]*filed[uint16]{&t.sizes, &t.older} {
		if size := known.get(k); size != nil {
			return *size
		}
	}
	return 0
}

// sizes codes what is known of connections' segments.
func (m memory) sizes() {
	t := &m.s.sizes
	known := map[uint64]uint16{}
	if !m.Reading() {
		for _, of := range [...]*filed[uint16]{&t.older, &t.sizes} {
			for _, row := range of.rows {
				if row.hash != 0 {
					known[row.hash] = row.value
				}
			}
		}
	}
	codeMap(m, known, memory.hash, func(m memory, size *uint16) { coding.Uint(m.Coder, size) })
	if m.Reading() {
		for k, size := range known {
			*t.sizes.put(k) = size
			t.lower(size)
		}
	}
}
