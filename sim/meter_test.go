package sim

import (
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim/network"
)

// What a bucket lets through, as Linux counts it: it begins full, grows by the millisecond and
// holds no more than its burst.
func TestBucket(t *testing.T) {
	t.Parallel()
	const ms = conntrack.Second / 1000
	packets := func(bands ...network.Band) *network.Meter { return &network.Meter{Bands: bands} }
	for _, c := range []struct {
		name  string
		meter *network.Meter
		wire  int
		times []conntrack.Time // after it was made
		want  string           // of each: + gets through, ~ with few left, - does not
	}{
		{"a burst of the rate", packets(network.Band{Rate: 3}), 100, make([]conntrack.Time, 4), "++~-"},
		{"a burst of its own", packets(network.Band{Rate: 1, Burst: 4}), 100, make([]conntrack.Time, 5), "+++~-"},
		{"it grows, not below a millisecond", packets(network.Band{Rate: 1}), 100,
			[]conntrack.Time{0, 1000*ms - 1, 1000 * ms, 1999 * ms, 2000 * ms}, "+-+-+"},
		{"no more than the burst", packets(network.Band{Rate: 1}), 100,
			[]conntrack.Time{3600000 * ms, 3600000 * ms}, "+-"},
		{"time that goes back", packets(network.Band{Rate: 1}), 100, []conntrack.Time{5 * ms, 3 * ms}, "+-"},
		{"kilobits", &network.Meter{Kilobits: true, Bands: []network.Band{{Rate: 8}}}, 500,
			[]conntrack.Time{0, 0, 0, 500 * ms}, "++-+"},
		{"the tightest band", packets(network.Band{Rate: 100}, network.Band{Rate: 1}), 100,
			make([]conntrack.Time, 2), "+-"},
		{"no band", packets(), 100, make([]conntrack.Time, 2), "++"},
		{"no rate", packets(network.Band{}), 100, make([]conntrack.Time, 1), "-"},
		{"the largest there is", packets(network.Band{Rate: 1<<32 - 1, Burst: 1<<32 - 1}), 100,
			[]conntrack.Time{0, 1 << 62}, "++"},
	} {
		b := fullBucket(c.meter, 0)
		var got strings.Builder
		for _, at := range c.times {
			got.WriteByte("+~-"[b.take(at, c.wire)])
		}
		if got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, got.String(), c.want)
		}
	}
}
