package replay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
)

// watcher is a Handler that only counts.
type watcher struct{ n int }

func (w *watcher) Entered(*Frame, *Point, *sim.Outcome) { w.n++ }
func (w *watcher) Observed(*Frame, *Point)              { w.n++ }
func (w *watcher) Skipped(*Frame, *Point, string)       { w.n++ }

// remembering returns a session of the external client's capture alone, so
// that the pod's packets are inferred; add feeds it a record.
func remembering(t testing.TB) *Run {
	t.Helper()
	net := loaded(t, nodeport+"/sb.db")
	e, err := sim.New(net, sim.Options{Profile: conntrack.OVSUserspace})
	if err != nil {
		t.Fatal(err)
	}
	tap := &Tap{Name: "client.pcap", Site: &Site{Kind: AtPort, Port: net.Port("breth0_ovn-worker"),
		Chassis: net.Chassis[0]}}
	return NewRun(e, []*Tap{tap}, &watcher{}, Options{})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	s := remembering(t)
	records := captured(t, "client.pcap")
	for i := range records {
		s.Add(&records[i])
		s.Pause()
		b := s.Memory()
		again := remembering(t)
		if err := again.Remember(b, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Memory(), b) {
			t.Fatalf("after %d records: remembered and told again it is another", i+1)
		}
	}
	if len(s.inferrer.answers) == 0 || len(s.history.fates.values) == 0 {
		t.Error("there was nothing to remember")
	}
	// A frame that was remembered to be expected is expected.
	again := remembering(t)
	k := expectKey{pointKey{1, 0}, 77}
	s.inferrer.expected.open[k] = expectation{n: 2, time: 5}
	if err := again.Remember(s.Memory(), nil); err != nil || again.inferrer.expected.open[k].n != 2 {
		t.Errorf("expected %v, error %v", again.inferrer.expected, err)
	}
}

// interrupted takes the memory of a run when its first frame has entered, and
// counts what comes as packets and as duplicates.
type interrupted struct {
	s             *Run
	memory        []byte
	entered, once int
	why           []string
}

func (h *interrupted) Entered(f *Frame, _ *Point, _ *sim.Outcome) {
	if h.entered++; h.memory == nil {
		h.memory = h.s.Memory()
	}
}
func (h *interrupted) Observed(*Frame, *Point)                   { h.once++ }
func (h *interrupted) Skipped(_ *Frame, _ *Point, reason string) { h.why = append(h.why, reason) }

// A run that goes on from the first frame reads again what the other had read
// ahead: those frames are not taken for their own duplicates, but one of the first
// frame is.
func TestMemoryOfReadingAhead(t *testing.T) {
	t.Parallel()
	records := captured(t, "client.pcap")[:1]
	for i := range 8 { // within a millisecond; the first of them is its duplicate
		rec := records[0]
		rec.Frame, rec.Time = i+2, rec.Time+int64(i+1)*1000
		rec.Data = bytes.Clone(rec.Data)
		rec.Data[35] += byte(i) // the client's port
		records = append(records, rec)
	}
	run := func(from int, memory []byte) *interrupted {
		s := remembering(t)
		h := &interrupted{s: s, memory: memory}
		s.handler, s.opts.Ahead = h, conntrack.Second
		if memory != nil {
			if err := s.Remember(memory, nil); err != nil {
				t.Fatal(err)
			}
		}
		for i := range records[from:] {
			s.Add(&records[from+i])
		}
		s.Flush()
		return h
	}
	whole := run(0, nil)
	rest := run(1, whole.memory)
	if whole.entered != 8 || !slices.Equal(whole.why, []string{whyTwice}) {
		t.Fatalf("in one run %d entered, skipped: %q", whole.entered, whole.why)
	}
	if rest.entered != 7 || rest.once != whole.once || !slices.Equal(rest.why, whole.why) {
		t.Errorf("after the first frame %d entered of 7, skipped: %q", rest.entered, rest.why)
	}
}

func TestBadMemory(t *testing.T) {
	t.Parallel()
	s := remembering(t)
	for _, rec := range captured(t, "client.pcap") {
		s.Add(&rec)
	}
	s.Pause()
	s.tunnels.expected.open[crossing{point: pointKey{-1, 0}, id: 9}] = expectation{n: 1, time: 2}
	s.tunnels.aging = []crossing{{id: 4}}
	s.tunnels.seen[crossing{id: 4}] = &crossings{time: 5, most: 1}
	*s.wires.sent.push(wireKey{1, 2}.id()) = wireSent{wireKey{1, 2}, 0, 3, true}
	good := s.Memory()
	for n := range good {
		if remembering0(s).Remember(good[:n], nil) == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(good))
		}
	}
	if err := remembering0(s).Remember(append([]byte{memoryVersion + 1}, good[1:]...), nil); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprint("form ", memoryVersion+1)) {
		t.Errorf("another form: %v", err)
	}
	rnd := rand.New(rand.NewPCG(4, 4))
	rec := captured(t, "client.pcap")
	for range 500 {
		bad := slices.Clone(good)
		for range 1 + rnd.IntN(3) {
			bad[rnd.IntN(len(bad))] = byte(rnd.Uint32())
		}
		r := remembering0(s)
		if r.Remember(bad, nil) == nil {
			feedAll(r, rec)
		}
	}
}

func feedAll(s *Run, records []pcap.Record) {
	for i := range records {
		s.Add(&records[i])
	}
	s.Flush()
}

// remembering0 is a new session on the engine of another.
func remembering0(s *Run) *Run {
	s.Engine.Forget()
	tap := &Tap{Name: "client.pcap", Site: s.Taps[0].Site}
	return NewRun(s.Engine, []*Tap{tap}, &watcher{}, Options{})
}

// TestMemoryIsWhole fails when a type gains a field that nobody has thought
// about: must a session that goes on know it?
func TestMemoryIsWhole(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		of     any
		fields string
	}{
		{Run{}, "Engine Taps opts owners handler queue head held orders free later flows requests clients history " +
			"inferrer tunnels wires waiting waited pins now turn race trial shows err asked twins resuming resolves " +
			"unfiltered premature hops beyond hoisting sizes batches"},
		{twins{}, "seen old turn done head"},
		{inferrer{}, "s captured answers older recent ways sought resumed opened datagrams puzzles expected parts " +
			"scratch"},
		{answerKey{}, "point proto src dst"},
		{awaited{}, "port chassis ethSrc ethDst src dst of hops partial"},
		{DatagramKey{}, "id proto v6"},
		{datagram{}, "awaited time ttl entered whole"},
		{segmentSizes{}, "sizes older least"},
		{expectKey{}, "point id"},
		{expectation{}, "n time sum"}, // sum only tells an answer from one made like it
		{tunnels{}, "s byIP expected seen aging captured inside"},
		{tunnelKeys{}, "kind datapath inport outport"},
		{crossing{}, "point keys id hash"},
		{crossings{}, "time count most"},
		{wires{}, "sent auto many from frames shared"},
		{wireKey{}, "port hash"},
		{wireSent{}, "wireKey chassis time met"},
		{ledger{}, "parts spare n forgot"},
		{piece{}, "span time"},
		{arrival{}, "span id"},
		{history{}, "engine ways fates newest seen links pieces"}, // ways, seen and links explain differences, no more
	} {
		typ := reflect.TypeOf(x.of)
		var fields []string
		for i := range typ.NumField() {
			fields = append(fields, typ.Field(i).Name)
		}
		if got := strings.Join(fields, " "); got != x.fields {
			t.Errorf("%v has fields %q, memory.go knows %q", typ, got, x.fields)
		}
	}
}

func FuzzRemember(f *testing.F) {
	s := remembering(f)
	records := captured(f, "client.pcap")
	for i := range records {
		s.Add(&records[i])
		s.Pause()
		f.Add(s.Memory())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := remembering0(s)
		if r.Remember(b, nil) == nil {
			feedAll(r, records)
		}
	})
}
