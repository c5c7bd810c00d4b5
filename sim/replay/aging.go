package replay

import (
	"cmp"
	"iter"
	"slices"

	"ovnreplay/conntrack"
)

// aging finds the entries of a map that have grown old without walking the map
// for each: it keeps their order, and makes it anew only when it is used up.
// Entries that were renewed or taken away meanwhile are passed over.
type aging[K comparable] struct {
	order []aged[K] // oldest first
}

type aged[K comparable] struct {
	key  K
	time conntrack.Time
}

// forget calls drop for every entry whose time lies before a moment. all are
// the map's entries, and now is what it holds under a key at this moment.
func (a *aging[K]) forget(before conntrack.Time, all iter.Seq2[K, conntrack.Time], now func(K) (conntrack.Time, bool),
	drop func(K)) {
	for again := true; again; {
		for ; len(a.order) > 0; a.order = a.order[1:] {
			x := &a.order[0]
			if x.time >= before {
				return
			}
			if t, ok := now(x.key); ok && t == x.time {
				drop(x.key)
			}
		}
		a.order = a.order[:0]
		for k, t := range all {
			a.order = append(a.order, aged[K]{k, t})
		}
		slices.SortFunc(a.order, func(x, y aged[K]) int { return cmp.Compare(x.time, y.time) })
		again = len(a.order) > 0 && a.order[0].time < before
	}
}

// expectations are predictions that nothing has met yet.
type expectations[K comparable] struct {
	open  map[K]expectation
	aging aging[K]
}

type expectation struct {
	n    int
	time conntrack.Time
	sum  uint64 // of the bytes of the last, see smallSum; 0: not known
}

// expectTime is how long a prediction can be met.
const expectTime = 60 * conntrack.Second

// add notes a prediction. Beyond maxExpected those are forgotten that nothing
// met for a minute; where there are none, the new one is not noted.
func (e *expectations[K]) add(k K, now conntrack.Time) { e.addExact(k, now, 0) }

// addExact notes a prediction with the sum of its bytes.
func (e *expectations[K]) addExact(k K, now conntrack.Time, sum uint64) {
	x, known := e.open[k]
	if !known && len(e.open) >= maxExpected {
		if e.forget(now); len(e.open) >= maxExpected {
			return
		}
	}
	e.open[k] = expectation{x.n + 1, now, sum}
}

func (e *expectations[K]) forget(now conntrack.Time) {
	all := func(yield func(K, conntrack.Time) bool) {
		for k, x := range e.open {
			if !yield(k, x.time) {
				return
			}
		}
	}
	e.aging.forget(now-expectTime, all, func(k K) (conntrack.Time, bool) {
		x, ok := e.open[k]
		return x.time, ok
	}, func(k K) { delete(e.open, k) })
}

// has reports whether something is predicted.
func (e *expectations[K]) has(k K) bool {
	_, ok := e.open[k]
	return ok
}

// count is how often something is predicted.
func (e *expectations[K]) count(k K) int { return e.open[k].n }

// met takes one prediction as met; false if there was none.
func (e *expectations[K]) met(k K) bool {
	x, ok := e.open[k]
	switch {
	case !ok:
		return false
	case x.n == 1:
		delete(e.open, k)
	default:
		x.n--
		x.sum = 0 // which of them is left is not known
		e.open[k] = x
	}
	return true
}
