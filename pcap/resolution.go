package pcap

import (
	"math"
	"math/bits"
)

// resolution turns a pcapng timestamp into nanoseconds: an if_tsresol (power
// of ten, or of two when the top bit is set) and an if_tsoffset in seconds.
type resolution struct {
	exponent uint8 // 0-127
	binary   bool
	offset   int64 // seconds
}

var microseconds = resolution{exponent: 6}

func parseResolution(b byte) resolution {
	return resolution{exponent: b & 0x7f, binary: b&0x80 != 0}
}

var powersOfTen = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

const billion = 1_000_000_000

// nanoseconds converts; ok is false when the time does not fit an int64
// (beyond the years 1677 to 2262).
func (r resolution) nanoseconds(t uint64) (ns int64, ok bool) {
	sec, frac := r.split(t)
	if sec > math.MaxInt64 {
		return 0, false
	}
	s := int64(sec) + r.offset
	if r.offset > 0 && s < int64(sec) {
		return 0, false
	}
	const limit = math.MaxInt64/billion - 1
	if s > limit || s < -limit {
		return 0, false
	}
	return s*billion + int64(frac), true
}

// split gives whole seconds and nanoseconds below one second.
func (r resolution) split(t uint64) (sec, frac uint64) {
	switch {
	case r.binary && r.exponent >= 64:
		// Less than a second: t / 2^e * 10^9 in 128 bits.
		hi, _ := bits.Mul64(t, billion)
		return 0, hi >> (r.exponent - 64) // a shift of 64 or more is 0 in Go
	case r.binary:
		sec = t >> r.exponent
		rest := t - sec<<r.exponent
		hi, lo := bits.Mul64(rest, billion)
		return sec, hi<<(64-r.exponent) | lo>>r.exponent
	case r.exponent <= 9:
		unit := powersOfTen[r.exponent]
		return t / unit, t % unit * powersOfTen[9-r.exponent]
	case r.exponent <= 19:
		unit := powersOfTen[r.exponent]
		return t / unit, t % unit / powersOfTen[r.exponent-9]
	case r.exponent <= 28:
		// A unit of 10^-20 or less never reaches a second in 64 bits.
		return 0, t / powersOfTen[r.exponent-9]
	}
	return 0, 0
}
