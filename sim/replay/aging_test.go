package replay

import (
	"iter"
	"testing"

	"ovnreplay/conntrack"
)

// A full map is not walked for each prediction that finds no room in it.
func TestAgingWalksSeldom(t *testing.T) {
	t.Parallel()
	times := map[int]conntrack.Time{}
	walks := 0
	all := func() iter.Seq2[int, conntrack.Time] {
		return func(yield func(int, conntrack.Time) bool) {
			walks++
			for k, x := range times {
				if !yield(k, x) {
					return
				}
			}
		}
	}
	var a aging[int]
	now := conntrack.Time(0)
	for i := range 20000 { // one comes and one grows old, all the time
		now += conntrack.Second / 10
		times[i] = now
		if i%3 == 0 {
			times[i/2] = now // renewed
		}
		a.forget(now-60*conntrack.Second, all(), func(k int) (conntrack.Time, bool) { x, ok := times[k]; return x, ok },
			func(k int) { delete(times, k) })
		for k, x := range times {
			if i%1000 == 0 && x < now-60*conntrack.Second {
				t.Fatalf("%d is of %d at %d", k, x, now)
			}
		}
	}
	if len(times) > 1300 || walks > 200 {
		t.Errorf("%d left, %d walks for 20000 entries", len(times), walks)
	}
}

func TestExpectationsAreBounded(t *testing.T) {
	t.Parallel()
	e := expectations[int]{open: map[int]expectation{}}
	for i := range maxExpected + 1000 {
		e.add(i, 1)
	}
	if len(e.open) != maxExpected || !e.has(5) || e.has(maxExpected+5) {
		t.Fatalf("%d are kept", len(e.open))
	}
	e.add(-1, 61*conntrack.Second)
	if len(e.open) != 1 || !e.met(-1) || e.met(-1) {
		t.Errorf("a minute later %d are kept", len(e.open))
	}
}
