package recording

import (
	"testing"
	"time"

	"ovnreplay/pcap"
)

// Of three captures, the second shares too little with the first for its clock to be
// corrected, and the third goes by the second's: it is not moved by what is not believed
// of that, but by what it shows itself.
func TestClocksAreJudgedInChains(t *testing.T) {
	t.Parallel()
	const ms = int64(time.Millisecond)
	for name, c := range map[string]struct {
		second, third int64 // how late their clocks go, ns
		corrected     [3]bool
	}{
		"agree":             {11 * ms, 11 * ms, [3]bool{}},
		"third alone":       {11 * ms, 60_000 * ms, [3]bool{2: true}},
		"both":              {60_000 * ms, 60_000 * ms, [3]bool{1: true, 2: true}},
		"third agrees with": {60_000 * ms, 0, [3]bool{1: true}},
	} {
		shared := pcap.Shared{}
		see := func(capture int, late, at int64, packet byte, from byte) {
			ip := make([]byte, 28)
			ip[0], ip[3], ip[5], ip[9] = 0x45, 28, packet, 17
			m := pcap.LinkMeta{EtherType: 0x0800, Payload: ip, Src: [6]byte{from}, HasSrc: true}
			shared.Add(capture, at+late, &m)
		}
		for i := range byte(2) { // from the second's side, slowly
			at := int64(i) * 1000 * ms
			see(1, c.second, at, i, 1)
			see(0, 0, at+1000, i, 1)
		}
		for i := byte(10); i < 13; i++ {
			at := int64(i) * 1000 * ms
			see(1, c.second, at, i, 1+i%2)
			see(2, c.third, at+10_000+int64(i%2)*5000, i, 1+i%2) // a copy of what was flooded
		}
		var r Recording
		clocks := make([]pcap.Clock, 3)
		why := r.judgeAll(&shared, shared.Align(3, 0), clocks, nil)
		for i, late := range []int64{0, c.second, c.third} {
			if got := clocks[i] != (pcap.Clock{}); got != c.corrected[i] {
				t.Errorf("%s: clock %d is corrected: %v, by %v (%s)", name, i, got, clocks[i], why[i])
			}
			if off := clocks[i].Offset + late; c.corrected[i] && (off > 15*ms || off < -15*ms) {
				t.Errorf("%s: clock %d, %d ns late, is corrected by %v", name, i, late, clocks[i])
			}
		}
	}
}
