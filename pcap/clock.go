package pcap

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Clock corrects one capture's clock against the reference: corrected =
// raw + Offset + (raw-Start)*Drift/10^12. The zero Clock changes nothing.
// Arithmetic is integer, so a correction is the same on every machine.
type Clock struct {
	Offset int64 // ns to add
	Drift  int64 // parts per 10^12 to add, that is ns every 1000 s
	Start  int64 // raw time at which the drift is nil, ns since the Unix epoch
}

const (
	driftUnit = 1_000_000_000_000
	// maxDrift bounds an estimate: quartz is good to 100 parts per million; a
	// hundred times that is no clock.
	maxDrift = driftUnit / 100
)

// Correct maps a raw time to the reference clock.
func (c Clock) Correct(raw int64) int64 {
	if c.Drift == 0 {
		return raw + c.Offset
	}
	return raw + c.Offset + mulDiv(raw-c.Start, c.Drift, driftUnit)
}

func (c Clock) String() string {
	s := fmt.Sprintf("%+v", time.Duration(c.Offset))
	if c.Offset >= 0 {
		s = "+" + time.Duration(c.Offset).String()
	}
	if c.Drift != 0 {
		s += fmt.Sprintf(", %+.3f ppm", float64(c.Drift)/1e6)
	}
	return s
}

// mulDiv is a*b/c, rounded towards zero, with a product of 128 bits; it
// saturates when the result has more than 63.
func mulDiv(a, b, c int64) int64 {
	negative := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	q := uint64(math.MaxInt64)
	if d := magnitude(c); hi < d {
		quotient, _ := bits.Div64(hi, lo, d)
		q = min(q, quotient)
	}
	if negative {
		return -int64(q)
	}
	return int64(q)
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// Way is the way a packet went between two captures.
type Way uint8

// Ways.
const (
	WayUnknown Way = iota
	WayAB          // A saw it before B
	WayBA          // B saw it before A
)

// Pair is one packet seen by two captures, each by its own clock.
type Pair struct {
	A, B int64 // ns
	Way  Way
}

// Estimate is how capture B's clock stands against A's.
type Estimate struct {
	Clock Clock // to be applied to B
	Pairs int   // given
	Used  int   // without outliers

	// Uncertainty is half the least round trip, which no estimate can tell
	// apart; with OneWay, or packets of unknown ways, it is not known and the
	// least travel time is taken for nothing.
	Uncertainty int64
	OneWay      bool
	// Spread is the median distance of the pairs from the estimate: travel
	// times and jitter.
	Spread int64
}

// EstimateClock finds the correction of B's clock from packets both captures
// saw; ok is false without any. A packet is never faster than nothing, so the
// fastest of each way bound the offset from both sides, and its middle is
// taken. Drift is the median slope of those bounds over time, and is left at
// nil when it does not stand out from the jitter. The order of pairs is of no
// matter.
func EstimateClock(pairs []Pair) (e Estimate, ok bool) {
	e.Pairs = len(pairs)
	if len(pairs) == 0 {
		return e, false
	}
	sorted := slices.Clone(pairs)
	slices.SortFunc(sorted, func(p, q Pair) int {
		return cmp.Or(cmp.Compare(p.B, q.B), cmp.Compare(p.A, q.A), cmp.Compare(p.Way, q.Way))
	})
	e.Clock.Start = sorted[0].B
	sorted = withoutOutliers(sorted, 0)
	e.Clock.Drift = drift(sorted, e.Clock.Start)
	if e.Clock.Drift != 0 {
		sorted = withoutOutliers(sorted, e.Clock.Drift)
	}
	e.Used = len(sorted)
	e.offset(sorted)
	return e, true
}

// offset sets the offset and how sure it is, the drift being known.
func (e *Estimate) offset(pairs []Pair) {
	var low, high int64 // bounds of A-B, from the fastest packets of each way
	var ab, ba bool
	all := differences(pairs, e.Clock)
	for i, d := range all {
		switch pairs[i].Way {
		case WayAB:
			if !ab || d > low {
				low, ab = d, true
			}
		case WayBA:
			if !ba || d < high {
				high, ba = d, true
			}
		}
	}
	switch {
	case ab && ba:
		e.Clock.Offset = low + (high-low)/2
		e.Uncertainty = int64(magnitude(high-low) / 2)
	case ab:
		e.Clock.Offset, e.OneWay = low, true
	case ba:
		e.Clock.Offset, e.OneWay = high, true
	default:
		e.Clock.Offset, e.OneWay = median(slices.Clone(all)), true
	}
	for i := range all {
		all[i] = int64(magnitude(all[i] - e.Clock.Offset))
	}
	e.Spread = median(all)
}

// differences are what must be added to each pair's B, the drift taken off.
func differences(pairs []Pair, c Clock) []int64 {
	out := make([]int64, len(pairs))
	for i, p := range pairs {
		out[i] = p.A - p.B - mulDiv(p.B-c.Start, c.Drift, driftUnit)
	}
	return out
}

// withoutOutliers drops pairs far from the rest: packets taken for the same
// that were not. Twenty median distances and a millisecond leave jitter alone.
func withoutOutliers(pairs []Pair, drift int64) []Pair {
	d := differences(pairs, Clock{Drift: drift, Start: pairs[0].B})
	middle := median(slices.Clone(d))
	far := make([]int64, len(d))
	for i := range d {
		far[i] = int64(magnitude(d[i] - middle))
	}
	limit := 20*median(slices.Clone(far)) + int64(time.Millisecond)
	kept := pairs[:0:0]
	for i, p := range pairs {
		if far[i] <= limit {
			kept = append(kept, p)
		}
	}
	return kept
}

// Drift is looked for in the bounds of windows of time, over ten seconds at least.
const (
	driftWindows = 32
	driftSpan    = int64(10 * time.Second)
)

type boundPoint struct{ x, y int64 }

// drift is the median slope between bounds of far windows, or nil.
func drift(pairs []Pair, start int64) int64 {
	span := pairs[len(pairs)-1].B - start
	if span < driftSpan {
		return 0
	}
	var slopes []int64
	var points [3][]boundPoint
	for _, way := range []Way{WayUnknown, WayAB, WayBA} {
		points[way] = bounds(pairs, way, start, span)
		for i, p := range points[way] {
			for _, q := range points[way][i+1:] {
				if q.x-p.x >= span/2 {
					slopes = append(slopes, mulDiv(q.y-p.y, driftUnit, q.x-p.x))
				}
			}
		}
	}
	if len(points[0])+len(points[1])+len(points[2]) < 8 || len(slopes) == 0 {
		return 0
	}
	slope := median(slopes)
	// It must change more over the span than the bounds scatter about it, and
	// more than travel times commonly do by themselves.
	change := int64(magnitude(mulDiv(span, slope, driftUnit)))
	if change < int64(100*time.Microsecond) || change < 4*scatter(points, slope, start) || magnitude(slope) > maxDrift {
		return 0
	}
	return slope
}

// bounds are the fastest pairs of a way in each window, the middle ones for
// unknown ways.
func bounds(pairs []Pair, way Way, start, span int64) (out []boundPoint) {
	var window []boundPoint
	flush := func() {
		if len(window) == 0 {
			return
		}
		slices.SortFunc(window, func(p, q boundPoint) int {
			return cmp.Or(cmp.Compare(p.y, q.y), cmp.Compare(p.x, q.x))
		})
		pick := len(window) / 2
		switch way {
		case WayAB:
			pick = len(window) - 1
		case WayBA:
			pick = 0
		}
		out = append(out, window[pick])
		window = window[:0]
	}
	last := int64(-1)
	for _, p := range pairs {
		if p.Way != way {
			continue
		}
		if w := mulDiv(p.B-start, driftWindows, span+1); w != last {
			flush()
			last = w
		}
		window = append(window, boundPoint{p.B, p.A - p.B})
	}
	flush()
	return out
}

// scatter is the median distance of the bounds from lines of the slope.
func scatter(points [3][]boundPoint, slope, start int64) int64 {
	var far []int64
	for _, list := range points {
		if len(list) == 0 {
			continue
		}
		rest := make([]int64, len(list))
		for i, p := range list {
			rest[i] = p.y - mulDiv(p.x-start, slope, driftUnit)
		}
		middle := median(slices.Clone(rest))
		for _, r := range rest {
			far = append(far, int64(magnitude(r-middle)))
		}
	}
	return median(far)
}

// median sorts v; the lower of two middles.
func median(v []int64) int64 {
	slices.Sort(v)
	return v[(len(v)-1)/2]
}
