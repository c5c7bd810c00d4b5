package recording

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// alignRecords is how many records of each capture are looked at to compare
// the captures' clocks.
const alignRecords = 100_000

// align finds how the captures' clocks must be corrected: by hand where
// --offset says so, else where packets would arrive before they were sent.
func (r *Recording) align(ctx context.Context, owners *replay.Owners, captures []Capture) ([]pcap.Clock, error) {
	clocks := make([]pcap.Clock, len(captures))
	given, err := r.givenOffsets(captures, clocks)
	if err != nil {
		return nil, err
	}
	if len(captures) < 2 || r.spec.NoAlign {
		return clocks, nil
	}
	shared := pcap.Shared{AcrossNAT: true}
	of := clocksOf(r.hosts(owners, captures))
	for i, c := range captures {
		if isStream(c.File) {
			return clocks, nil // a stream is read once
		}
		if err := r.sample(ctx, &shared, of[i], i, c.File); err != nil {
			return nil, err
		}
	}
	found := shared.Align(len(captures), 0)
	why := r.judgeAll(&shared, found, clocks, given)
	for i, own := range of {
		a := found[own]
		if !a.Known || a.Via < 0 {
			continue
		}
		clock := replay.ClockReport{
			Capture: captures[i].File, Against: captures[reference(found, own)].File, Offset: a.Clock.Offset,
			Drift: a.Clock.Drift, Uncertainty: a.Uncertainty, Pairs: a.Used,
			Corrected: !given[i] && clocks[i] != (pcap.Clock{}), Reason: why[i],
		}
		if i != own { // the clock of its host, which has been judged
			if given[i] || given[own] || clocks[own] == (pcap.Clock{}) {
				continue
			}
			clocks[i] = clocks[own]
			clock.Corrected, clock.Reason = true, "the clock of its host, as "+captures[own].File+" has it"
			r.Clocks = append(r.Clocks, clock)
			continue
		}
		if given[i] {
			clock.Reason, clock.Offset, clock.Drift = "corrected by hand", clocks[i].Offset, 0
		}
		r.Clocks = append(r.Clocks, clock)
		if clock.Corrected {
			r.tell("clock of %s%s corrected by %v, ±%v against %s (%d packets seen by both; %s)", clock.Capture,
				andOthers(of, i),
				time.Duration(clock.Offset), time.Duration(clock.Uncertainty), clock.Against, clock.Pairs, clock.Reason)
		}
	}
	return clocks, nil
}

// judgeAll decides which clocks are corrected, and says why. Each is held against the
// one it was compared with as that goes after its own correction, if it has any: what
// is not believed of one must not move another.
func (r *Recording) judgeAll(shared *pcap.Shared, found []pcap.Alignment, clocks []pcap.Clock,
	given map[int]bool) []string {
	why := make([]string, len(found))
	judged := make([]bool, len(found))
	first := slices.Clone(found) // each against the estimate, not the correction, of another
	var settle func(i int)
	settle = func(i int) {
		a := &found[i]
		if judged[i] || !a.Known || a.Via < 0 {
			return
		}
		judged[i] = true
		via := a.Via
		settle(via)
		if given[i] {
			return
		}
		pairs := shared.Pairs(via, i)
		early, most := earlier(pairs, clocks[via], clocks[i])
		if clocks[via] != first[via].Clock {
			for n := range pairs {
				pairs[n].A = clocks[via].Correct(pairs[n].A)
			}
			a.Estimate, _ = pcap.EstimateClock(pairs)
		}
		correct, reason := judge(a, early, most)
		if why[i] = reason; correct {
			clocks[i] = a.Clock
		}
	}
	for i := range found {
		settle(i)
	}
	return why
}

// judge says whether a capture's clock is to be corrected, and why: of the packets of
// the way on which most do, early would arrive before they are sent.
func judge(a *pcap.Alignment, early, most int) (correct bool, why string) {
	switch {
	case magnitude(a.Clock.Offset) > longestWay+a.Spread:
		return true, "no packet is on its way for so long"
	case early == 0:
		return false, "no packet arrives before it is sent"
	case early < 3 && magnitude(a.Clock.Offset) < 10_000_000, 2*early <= most,
		magnitude(a.Clock.Offset) <= 2*a.Uncertainty+a.Spread:
		return false, "too little stands out from travel times"
	}
	return true, fmt.Sprintf("%d packets would arrive before they are sent", early)
}

// clocksOf are the captures by whose clock each goes: a host has one clock, by
// which all its captures go, known by the first of them.
func clocksOf(hosts []*network.Chassis) []int {
	of := make([]int, len(hosts))
	for i, h := range hosts {
		of[i] = i
		if j := slices.Index(hosts, h); h != nil {
			of[i] = j
		}
	}
	return of
}

// andOthers says how many captures beside one go by its clock.
func andOthers(of []int, i int) string {
	n := 0
	for _, own := range of {
		if own == i {
			n++
		}
	}
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" and %d more of its host", n-1)
}

// hosts are the chassis that the captures were taken on, nil where that cannot
// be told before they are read.
func (r *Recording) hosts(owners *replay.Owners, captures []Capture) []*network.Chassis {
	out := make([]*network.Chassis, len(captures))
	if len(r.Net.Chassis) < 2 {
		return out
	}
	for i, c := range captures {
		switch {
		case c.Chassis != "":
			out[i] = r.Net.ChassisByName(c.Chassis)
		case c.Port != "":
			if p, err := r.Net.FindPort(c.Port); err == nil {
				out[i], _ = replay.ChassisOf(r.Net, p)
			}
		default:
			t := &replay.Tap{Name: c.File}
			if owners.Locate(t, r.firstRecords(c.File), nil) == nil && len(t.Sites()) > 0 {
				out[i] = t.Sites()[0].Chassis
			}
		}
	}
	first := out[0]
	if !slices.ContainsFunc(out, func(h *network.Chassis) bool { return h != nil && first != nil && h != first }) {
		clear(out) // of one chassis: what was captured outside of it has a clock of its own
	}
	return out
}

// reference is the capture that one's clock is set by, in the end.
func reference(found []pcap.Alignment, i int) int {
	for n := 0; n < len(found) && found[i].Via >= 0; n++ {
		i = found[i].Via
	}
	return i
}

// longestWay is how long a packet is on its way through OVN at most, ns: as long as
// ovn-controller holds it for its next hop.
const longestWay = 10_000_000_000

func magnitude(d int64) int64 { return max(d, -d) }

// earlier counts the packets that one capture would show before the one that
// saw them first, of the way on which most do; and all that went that way.
func earlier(pairs []pcap.Pair, a, b pcap.Clock) (early, all int) {
	var n, of [3]int
	for _, p := range pairs {
		d := b.Correct(p.B) - a.Correct(p.A)
		of[p.Way]++
		if p.Way == pcap.WayAB && d < 0 || p.Way == pcap.WayBA && d > 0 {
			n[p.Way]++
		}
	}
	if n[pcap.WayAB] > n[pcap.WayBA] {
		return n[pcap.WayAB], of[pcap.WayAB]
	}
	return n[pcap.WayBA], of[pcap.WayBA]
}

// sample notes the first records of a capture, of a host by whose clock it goes.
func (r *Recording) sample(ctx context.Context, shared *pcap.Shared, host, index int, file string) error {
	set, err := pcap.OpenSet(file, r.unfiltered())
	if pcap.Packetless(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer set.Close()
	var rec pcap.Record
	for n := 0; n < alignRecords && ctx.Err() == nil; n++ {
		if err := set.Next(&rec); err != nil {
			return nil // damage is reported when the capture is replayed
		}
		eth, m, err := pcap.Frame(&rec)
		if err != nil {
			continue
		}
		if t, fault := m.Decap(); fault == pcap.TunnelOK {
			if eth == nil {
				continue // all interfaces of a host: they show the packet without the tunnel too
			}
			if inner, err := pcap.EthernetMeta(t.Inner); err == nil {
				m = inner
			}
		}
		shared.AddOf(host, index, rec.RawTime, &m)
	}
	return nil
}

// givenOffsets reads --offset FILE=DURATION; FILE is a capture as given to -r,
// or the last part of its path.
func (r *Recording) givenOffsets(captures []Capture, clocks []pcap.Clock) (map[int]bool, error) {
	given := map[int]bool{}
	for _, arg := range r.spec.Offsets {
		i := strings.LastIndexByte(arg, '=')
		if i < 0 {
			return nil, fmt.Errorf("--offset %s: want FILE=DURATION, such as client.pcap=+1.5ms", arg)
		}
		d, err := time.ParseDuration(strings.TrimPrefix(arg[i+1:], "+"))
		if err != nil {
			return nil, fmt.Errorf("--offset %s: %q is no duration, such as +1.5ms or -2s", arg, arg[i+1:])
		}
		found := false
		for n, c := range captures {
			if c.File == arg[:i] || strings.HasSuffix(c.File, "/"+arg[:i]) {
				clocks[n].Offset, given[n], found = d.Nanoseconds(), true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("--offset %s: no capture %s is read", arg, arg[:i])
		}
	}
	return given, nil
}
