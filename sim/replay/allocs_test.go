package replay_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"testing"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/why"
	"ovnreplay/store"
)

// counter is a replay.Handler that counts, and writes lines.
type counter struct {
	entered, dropped, observed, skipped int

	words *replay.Renderer
	line  []byte
}

func (c *counter) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	c.line = c.words.AppendLine(c.line[:0], f, p, "client.pcap", out)
	c.entered++
	if out.Verdict != sim.Delivered {
		c.dropped++
	}
}
func (c *counter) Observed(*replay.Frame, *replay.Point)        { c.observed++ }
func (c *counter) Skipped(*replay.Frame, *replay.Point, string) { c.skipped++ }

const (
	tcpSeq, tcpAck, tcpSum = 14 + 20 + 4, 14 + 20 + 8, 14 + 20 + 16
	ports                  = 14 + 20
)

// next moves a record on by a round: its time, and its sequence numbers by what
// either side sends in one.
func next(rec *pcap.Record, after int64, request, answer uint32) {
	rec.Time += after
	p := rec.Data
	if binary.BigEndian.Uint16(p[ports:]) == 80 || binary.BigEndian.Uint16(p[ports:]) == 30007 {
		request, answer = answer, request
	}
	move := func(at int, by uint32) {
		var old [4]byte
		copy(old[:], p[at:])
		binary.BigEndian.PutUint32(p[at:], binary.BigEndian.Uint32(old[:])+by)
		sum := header.Update16(binary.BigEndian.Uint16(p[tcpSum:]), old[:], p[at:at+4])
		binary.BigEndian.PutUint16(p[tcpSum:], sum)
	}
	move(tcpSeq, request)
	move(tcpAck, answer)
}

// Replaying the packets of a connection that is known, a line for each, allocates
// nothing.
func TestEstablishedAllocatesNothing(t *testing.T) {
	ctx, files := context.Background(), recording.Files{Open: store.OpenFile}
	spec, err := recording.ReadCase("../../testdata/cases/nodeport", files)
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := southbound.OpenAll(ctx, spec.DBs, store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := spec.Open(ctx, net, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string][]pcap.Record{}
	if err := r.Feed(ctx, func(rec *pcap.Record) {
		var own pcap.Record
		own.CopyFrom(rec)
		name := filepath.Base(r.Names[own.Capture])
		all[name] = append(all[name], own)
	}, func() {}); err != nil {
		t.Fatal(err)
	}
	seen := counter{words: &replay.Renderer{Why: why.New(r.Engine, nil)}}
	s := r.Start(&seen, 1e6, nil)
	// The first connection: three packets open it, then request and answer with
	// their acknowledgements, each at both captures.
	var opening, data []pcap.Record
	const c, p = "client.pcap", "nginx.pcap"
	for i, c := range [...]string{c, p, p, c, c, p /* it is open */, c, p, p, c, p, c, c, p} {
		rec := all[c][0]
		all[c] = all[c][1:]
		rec.Time = 1e18 + int64(i)*1e4
		if i < 6 {
			opening = append(opening, rec)
		} else {
			data = append(data, rec)
		}
	}
	for i := range opening {
		s.Add(&opening[i])
	}
	replayRounds := func(n int) {
		for range n {
			for i := range data {
				s.Add(&data[i])
				next(&data[i], 1e6, 81, 256)
			}
		}
	}
	replayRounds(20_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 5000
	replayRounds(rounds)
	runtime.ReadMemStats(&after)
	s.Flush()
	per := float64(after.Mallocs-before.Mallocs) / float64(rounds*len(data))
	t.Logf("%.4f allocations a frame; %d entered, %d dropped, %d observed, %d skipped; %s",
		per, seen.entered, seen.dropped, seen.observed, seen.skipped, seen.line)
	if seen.dropped > 0 || seen.skipped > 0 || seen.entered < 4*rounds || seen.observed < 4*rounds {
		t.Errorf("these are not packets of an established connection")
	}
	if per > 0.001 {
		t.Errorf("%.4f allocations a frame", per)
	}
}
