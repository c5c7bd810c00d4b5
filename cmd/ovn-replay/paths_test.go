package main

import (
	"context"
	"hash/maphash"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovnreplay/sim"
	"ovnreplay/sim/job"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/why"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// fingerprints is a replay.Handler that sums up all that becomes of each packet.
type fingerprints struct {
	seed   maphash.Seed
	of     []fingerprint
	words  *replay.Renderer // if not nil, what it writes is held against the record
	differ string           // the first difference
}

type fingerprint struct {
	capture string
	frame   int
	sum     uint64
}

func (s *fingerprints) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	var h maphash.Hash
	h.SetSeed(s.seed)
	t := &out.Trace
	maphash.WriteComparable(&h, [...]any{out.Verdict, out.Drop, out.DropAt, out.Late, t.Len()})
	for i := range out.Outputs {
		o := &out.Outputs[i]
		maphash.WriteComparable(&h, [...]any{o.Port.Name, o.Chassis.Name, o.Time, string(o.Data), o.Wire, o.Guess,
			o.Seen, o.Event, o.Made})
	}
	for i := range out.Tunnels {
		o := &out.Tunnels[i]
		maphash.WriteComparable(&h, [...]any{o.From.Name, o.To.Name, o.Datapath.Name, o.Inport, o.Outport, o.Time,
			string(o.Data), o.Wire, o.Guess, o.Seen, o.Event, o.Made})
	}
	for _, ev := range t.Events() {
		maphash.WriteComparable(&h, ev)
	}
	for _, v := range t.Values() {
		maphash.WriteComparable(&h, v)
	}
	for i := range t.CT {
		maphash.WriteComparable(&h, t.CT[i])
	}
	for i := range t.NAT {
		maphash.WriteComparable(&h, t.NAT[i])
	}
	for i := range t.Texts {
		h.WriteString(t.Texts[i])
	}
	for i := range t.Keys {
		maphash.WriteComparable(&h, t.Keys[i])
	}
	if s.words != nil && s.differ == "" {
		s.differ = inWords(s.words, f, p, out)
	}
	s.of = append(s.of, fingerprint{p.Name(), f.Number, h.Sum64()})
}

// inWords tells where a renderer writes something else than the record of a
// packet says, "" if nowhere.
func inWords(r *replay.Renderer, f *replay.Frame, p *replay.Point, out *sim.Outcome) string {
	record := replay.NewRecord(r.Why, f, p, "a.pcap", out, r.Hex)
	var text strings.Builder
	if err := output.Encoder(&text).Encode(record); err != nil {
		return err.Error()
	}
	pairs := [][2]string{
		{string(r.AppendJSON(nil, f, p, "a.pcap", out)) + "\n", text.String()},
		{string(r.AppendLine(nil, f, p, "a.pcap", out)), record.Line()},
	}
	for _, x := range pairs {
		if x[0] != x[1] {
			at := 0
			for at < len(x[0]) && at < len(x[1]) && x[0][at] == x[1][at] {
				at++
			}
			from := max(0, at-200)
			return "rendered\n" + x[0][from:] + "\nthe record says\n" + x[1][from:]
		}
	}
	return ""
}

func (s *fingerprints) Observed(*replay.Frame, *replay.Point)        {}
func (s *fingerprints) Skipped(*replay.Frame, *replay.Point, string) {}

// Outcome and trace of every recorded packet are the same without the path
// cache, with it, and with one that forgets all the time. Written by the paths
// that packets share they read as written step by step.
func TestPathsChangeNothing(t *testing.T) {
	files, err := filepath.Glob(cases + "/*/case.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			seed := maphash.MakeSeed()
			replayed := func(paths int) []fingerprint {
				in := job.Spec{Stderr: os.Stderr, Case: dir, Quiet: true}
				j, err := in.Open(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				j.Engine.BoundPaths(paths)
				h := &fingerprints{seed: seed}
				if paths == 0 {
					h.words = &replay.Renderer{Why: why.New(j.Engine, j.Objects), Hex: true}
					flows, err := openflow.ReadSwitches(context.Background(), nil, j.OpenFlow, store.OpenFile, quietly)
					if err != nil {
						t.Fatal(err)
					}
					flows.Attach(h.words.Why.Book)
				}
				if err := j.Run(context.Background(), j.Start(h, j.Ahead())); err != nil {
					t.Fatal(err)
				}
				if h.differ != "" {
					t.Error(h.differ)
				}
				return h.of
			}
			without := replayed(-1)
			for name, paths := range map[string]int{"with": 0, "thrashing": 3} {
				got := replayed(paths)
				if len(got) != len(without) {
					t.Fatalf("%s: %d packets, without paths %d", name, len(got), len(without))
				}
				for i := range got {
					if got[i] != without[i] {
						t.Fatalf("%s: %+v, without paths %+v", name, got[i], without[i])
					}
				}
			}
		})
	}
}
