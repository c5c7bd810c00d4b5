package pcap

import (
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"

	"ovnreplay/nat/header"
)

const (
	µs = int64(time.Microsecond)
	ms = int64(time.Millisecond)
	s  = int64(time.Second)
)

func TestClockCorrects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		clock     Clock
		raw, want int64
	}{
		{Clock{}, 12345, 12345},
		{Clock{Offset: -80 * ms}, 100 * ms, 20 * ms},
		{Clock{Drift: 50_000_000, Start: 1000 * s}, 1000 * s, 1000 * s},
		{Clock{Drift: 50_000_000, Start: 1000 * s}, 2000 * s, 2000*s + 50*ms}, // 50 ppm
		{Clock{Drift: 50_000_000, Start: 1000 * s}, 0, -50 * ms},
		{Clock{Drift: -1, Start: 0}, 1_500_000_000_000, 1_499_999_999_999},
	} {
		if got := c.clock.Correct(c.raw); got != c.want {
			t.Errorf("%v: %d becomes %d, want %d", c.clock, c.raw, got, c.want)
		}
	}
}

func TestMulDiv(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]int64{
		{6, 7, 2, 21}, {-7, 3, 2, -10}, {7, -3, -2, 10}, {math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, 1, 2, math.MinInt64 / 2}, {math.MaxInt64, math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, -8, 2, -math.MaxInt64}, {0, 5, 3, 0},
	} {
		if got := mulDiv(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%d * %d / %d = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
}

// exchange makes pairs of packets over the span, with travel times of at least
// least and an exponential tail, B's clock being off as told.
func exchange(seed int64, n int, span, least int64, off func(t int64) int64, ways ...Way) (pairs []Pair) {
	r := rand.New(rand.NewSource(seed))
	for i := range n {
		sent := 1_700_000_000*s + span*int64(i)/int64(n)
		seen := sent + least + int64(r.ExpFloat64()*float64(100*µs))
		way := ways[i%len(ways)]
		if way == WayBA {
			pairs = append(pairs, Pair{A: seen, B: sent + off(sent), Way: way})
		} else {
			pairs = append(pairs, Pair{A: sent, B: seen + off(seen), Way: way})
		}
	}
	return pairs
}

func TestEstimateClock(t *testing.T) {
	t.Parallel()
	start := 1_700_000_000 * s
	steady := func(d int64) func(int64) int64 { return func(int64) int64 { return d } }
	drifting := func(d, ppm int64) func(int64) int64 {
		return func(t int64) int64 { return d + (t-start)/1_000_000*ppm }
	}
	for _, c := range []struct {
		name   string
		pairs  []Pair
		off    func(int64) int64
		span   int64
		within int64
	}{
		{"80 ms", exchange(1, 500, 5*s, 200*µs, steady(80*ms), WayAB, WayBA), steady(80 * ms), 5 * s, 10 * µs},
		{"minus an hour", exchange(2, 500, 5*s, 200*µs, steady(-3600*s), WayAB, WayBA), steady(-3600 * s), 5 * s,
			10 * µs},
		{"one packet", exchange(3, 1, s, 200*µs, steady(ms), WayAB), steady(ms), s, ms},
		{"one way", exchange(4, 300, 5*s, 200*µs, steady(80*ms), WayAB), steady(80 * ms), 5 * s, 250 * µs},
		{"other way", exchange(5, 300, 5*s, 200*µs, steady(80*ms), WayBA), steady(80 * ms), 5 * s, 250 * µs},
		{"unknown ways", exchange(6, 300, 5*s, 200*µs, steady(80*ms), WayUnknown), steady(80 * ms), 5 * s, 400 * µs},
		{"40 ppm fast", exchange(7, 2000, 600*s, 200*µs, drifting(80*ms, 40), WayAB, WayBA), drifting(80*ms, 40),
			600 * s, 60 * µs},
		{"25 ppm slow", exchange(8, 2000, 600*s, 200*µs, drifting(-7*ms, -25), WayAB, WayBA), drifting(-7*ms, -25),
			600 * s, 60 * µs},
		{"drift one way", exchange(9, 2000, 600*s, 200*µs, drifting(ms, 40), WayAB), drifting(ms, 40), 600 * s,
			300 * µs},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, ok := EstimateClock(c.pairs)
			if !ok || e.Pairs != len(c.pairs) || e.Used < e.Pairs*9/10 {
				t.Fatalf("%+v", e)
			}
			for _, at := range []int64{start, start + c.span/2, start + c.span} {
				if got := e.Clock.Correct(at + c.off(at)); magnitude(got-at) > uint64(c.within) {
					t.Errorf("after %v the corrected clock is off by %v; %v", time.Duration(at-start),
						time.Duration(got-at), e.Clock)
				}
			}
		})
	}
}

// TestEstimateIsSteady: no drift is invented, outliers and order change nothing.
func TestEstimateIsSteady(t *testing.T) {
	t.Parallel()
	pairs := exchange(1, 1000, 60*s, 200*µs, func(int64) int64 { return 3 * ms }, WayAB, WayBA)
	want, _ := EstimateClock(pairs)
	if want.Clock.Drift != 0 || want.OneWay || want.Uncertainty < 150*µs || want.Uncertainty > 300*µs {
		t.Errorf("%+v", want)
	}
	r := rand.New(rand.NewSource(9))
	for range 20 {
		shuffled := slices.Clone(pairs)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got, _ := EstimateClock(shuffled); got != want {
			t.Fatalf("another order: %+v, want %+v", got, want)
		}
	}
	wild := append(slices.Clone(pairs), Pair{A: pairs[5].A + 7*s, B: pairs[5].B, Way: WayAB},
		Pair{A: pairs[9].A - 9*s, B: pairs[9].B, Way: WayBA})
	if got, _ := EstimateClock(wild); got.Clock != want.Clock || got.Used != want.Used {
		t.Errorf("outliers: %+v, want %+v", got, want)
	}
	if _, ok := EstimateClock(nil); ok {
		t.Error("an estimate from nothing")
	}
}

// TestSharedUnderlay compares two hosts' underlay captures, recorded by one
// clock, after putting one of them off.
func TestSharedUnderlay(t *testing.T) {
	t.Parallel()
	for _, off := range []int64{0, 80 * ms, -3 * s} {
		var shared Shared
		for i, name := range []string{"testdata/underlay-ch1.pcap", "testdata/underlay-ch2.pcap"} {
			for _, rec := range readFile(t, name) {
				_, m, err := Frame(rec)
				if err != nil {
					t.Fatal(err)
				}
				shared.Add(i, rec.RawTime+int64(i)*off, &m)
			}
		}
		pairs := shared.Pairs(0, 1)
		ways := map[Way]int{}
		for _, p := range pairs {
			ways[p.Way]++
		}
		e, ok := EstimateClock(pairs)
		if !ok || len(pairs) < 10 || ways[WayAB] == 0 || ways[WayBA] == 0 || ways[WayUnknown] > 0 {
			t.Fatalf("%d pairs, ways %v", len(pairs), ways)
		}
		if magnitude(e.Clock.Offset+off) > uint64(200*µs) || e.Clock.Drift != 0 {
			t.Errorf("off by %v: %v (%+v)", time.Duration(off), e.Clock, e)
		}
	}
}

// TestSharedIsBounded: beyond the limit the sample stays common to both captures.
func TestSharedIsBounded(t *testing.T) {
	t.Parallel()
	shared := Shared{Limit: 100}
	for i := range 10000 {
		m := LinkMeta{EtherType: header.EtherIPv4, Payload: []byte{byte(i), byte(i >> 8)}}
		shared.Add(i%2, int64(i), &m)
		shared.Add(1-i%2, int64(i)+7, &m)
	}
	if n := len(shared.captures[0]); n > 100 || n < 20 {
		t.Errorf("%d packets kept", n)
	}
	if pairs := shared.Pairs(0, 1); len(pairs) != len(shared.captures[0]) {
		t.Errorf("%d pairs of %d packets", len(pairs), len(shared.captures[0]))
	}
}

// TestAlign puts three hosts' captures on the first one's clock, the third by
// way of whichever it shares most with; a fourth shares nothing.
func TestAlign(t *testing.T) {
	t.Parallel()
	off := []int64{0, 80 * ms, -3 * s, 0}
	var shared Shared
	for i, name := range []string{"underlay-ch1.pcap", "underlay-ch2.pcap", "underlay-ch3.pcap", "nginx.pcap"} {
		for _, rec := range readFile(t, "testdata/"+name) {
			_, m, err := Frame(rec)
			if err != nil {
				t.Fatal(err)
			}
			shared.Add(i, rec.RawTime+off[i], &m)
		}
	}
	got := shared.Align(5, 0)
	for i, a := range got {
		known := i < 3
		if a.Known != known || (a.Via >= 0) != (known && i > 0) {
			t.Errorf("capture %d: %+v", i, a)
		}
		if known && magnitude(a.Clock.Offset+off[i]) > uint64(ms) {
			t.Errorf("capture %d is corrected by %v, was put off by %v", i, a.Clock, time.Duration(off[i]))
		}
	}
}

// TestSharedAcrossNAT compares the client's side of a nodePort session with
// the pod's, whose addresses and ports differ.
func TestSharedAcrossNAT(t *testing.T) {
	t.Parallel()
	for _, off := range []int64{0, 80 * ms, -80 * ms} {
		shared := Shared{AcrossNAT: true}
		for i, name := range []string{"client.pcap", "nginx.pcap"} {
			for _, rec := range readFile(t, "testdata/"+name) {
				_, m, err := Frame(rec)
				if err != nil {
					t.Fatal(err)
				}
				shared.Add(i, rec.RawTime+int64(i)*off, &m)
			}
		}
		pairs := shared.Pairs(0, 1)
		e, ok := EstimateClock(pairs)
		if !ok || len(pairs) < 15 || e.OneWay || magnitude(e.Clock.Offset+off) > uint64(300*µs) {
			t.Errorf("off by %v: %d pairs, %+v", time.Duration(off), len(pairs), e)
		}
		for _, p := range pairs { // corrected, no packet arrives before it was sent
			b := e.Clock.Correct(p.B)
			if p.Way == WayAB && b < p.A || p.Way == WayBA && p.A < b {
				t.Errorf("a packet goes back in time: %d to %d, way %d", p.A, b, p.Way)
			}
		}
	}
}
