package recording

import (
	"context"
	"fmt"
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
	for i, c := range captures {
		if isStream(c.File) {
			return clocks, nil // a stream is read once
		}
		if err := r.sample(ctx, &shared, i, c.File); err != nil {
			return nil, err
		}
	}
	hosts := r.hosts(owners, captures)
	found := shared.Align(len(captures), 0)
	for i, a := range found {
		if !a.Known || a.Via < 0 {
			continue
		}
		clock := replay.ClockReport{
			Capture: captures[i].File, Against: captures[0].File, Offset: a.Clock.Offset, Drift: a.Clock.Drift,
			Uncertainty: a.Uncertainty, Pairs: a.Used,
		}
		early, most := earlier(shared.Pairs(a.Via, i), clocks[a.Via], clocks[i])
		switch {
		case given[i]:
			clock.Reason = "corrected by hand"
			clock.Offset, clock.Drift = clocks[i].Offset, 0
		case early == 0:
			clock.Reason = "no packet arrives before it is sent"
		case early < 3 && magnitude(a.Clock.Offset) < 10_000_000, 2*early <= most, magnitude(a.Clock.Offset) <= 2*a.Uncertainty+a.Spread:
			clock.Reason = "too little stands out from travel times"
		default:
			clock.Corrected = true
			clock.Reason = fmt.Sprintf("%d packets would arrive before they are sent", early)
			clocks[i] = a.Clock
		}
		r.Clocks = append(r.Clocks, clock)
		if clock.Corrected {
			r.tell("clock of %s corrected by %v, ±%v against %s (%d packets seen by both; %s)", clock.Capture,
				time.Duration(clock.Offset), time.Duration(clock.Uncertainty), clock.Against, clock.Pairs, clock.Reason)
		}
	}
	r.adopt(captures, clocks, hosts, found, given)
	return clocks, nil
}

// hosts are the chassis that the captures were taken on, nil where that cannot
// be told before they are read.
func (r *Recording) hosts(owners *replay.Owners, captures []Capture) []*network.Chassis {
	out := make([]*network.Chassis, len(captures))
	if len(r.Net.Chassis) < 2 {
		return out // who captures outside the only chassis has a clock of its own
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
	return out
}

// A clock found from fewer packets than fewPairs gives way to that of another
// capture of the same host.
const fewPairs = 8

// adopt gives captures whose own packets tell little the clock of their host: it
// has one, and the capture of it that shares most packets with others shows it.
func (r *Recording) adopt(captures []Capture, clocks []pcap.Clock, hosts []*network.Chassis, found []pcap.Alignment, given map[int]bool) {
	for i, host := range hosts {
		if host == nil || given[i] {
			continue
		}
		best := -1
		for j, other := range hosts {
			if other == host && !given[j] && (j == 0 || found[j].Known && found[j].Via >= 0) && (best < 0 || j == 0 || best != 0 && found[j].Used > found[best].Used) {
				best = j
			}
		}
		if best < 0 || best == i || clocks[best] == clocks[i] || found[i].Known && found[i].Via >= 0 && found[i].Used >= fewPairs {
			continue
		}
		clocks[i] = clocks[best]
		r.Clocks = append(r.Clocks, replay.ClockReport{Capture: captures[i].File, Against: captures[0].File, Offset: clocks[i].Offset,
			Drift: clocks[i].Drift, Uncertainty: found[best].Uncertainty, Pairs: found[i].Used, Corrected: true,
			Reason: "the clock of its host, as " + captures[best].File + " shows it"})
		r.tell("clock of %s corrected by %v: it was taken on the host of %s", captures[i].File, time.Duration(clocks[i].Offset), captures[best].File)
	}
}

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

// sample notes the first records of a capture.
func (r *Recording) sample(ctx context.Context, shared *pcap.Shared, index int, file string) error {
	set, err := pcap.OpenSet(file, r.unfiltered())
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
		shared.Add(index, rec.RawTime, &m)
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
