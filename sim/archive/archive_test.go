package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/store"
)

// shelf keeps pieces in memory.
type shelf struct {
	pieces [][]byte
	known  map[string]uint64
}

func (s *shelf) put(p []byte) (uint64, error) {
	if n := s.known[string(p)]; n != 0 {
		return n, nil
	}
	s.pieces = append(s.pieces, slices.Clone(p))
	if s.known == nil {
		s.known = map[string]uint64{}
	}
	s.known[string(p)] = uint64(len(s.pieces))
	return uint64(len(s.pieces)), nil
}

func (s *shelf) get(n uint64) ([]byte, error) {
	if n == 0 || n > uint64(len(s.pieces)) {
		return nil, fmt.Errorf("no piece %d", n)
	}
	return s.pieces[n-1], nil
}

// each calls do with what became of each packet of a case's client and server.
func each(t testing.TB, do func(*sim.Engine, *replay.Frame, *replay.Point, *sim.Outcome)) {
	t.Helper()
	const dir = "../../testdata/cases/nodeport/"
	net, _, err := southbound.Open(context.Background(), dir+"sb.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := sim.New(net, sim.Options{Conntrack: conntrack.Options{Profile: conntrack.OVSUserspace}})
	if err != nil {
		t.Fatal(err)
	}
	chassis := net.ChassisByName("4da007a6-ed1d-45ff-bcf4-62ae8914bbbc")
	owners := replay.NewOwners(net)
	ports := []string{"breth0_ovn-worker", "default_nginx-deployment-9456bbbf9-x6pc6"}
	var sources []pcap.Source
	for _, file := range []string{"client.pcap", "nginx.pcap"} {
		r, err := pcap.Open(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		sources = append(sources, r)
	}
	merge := pcap.NewMerge(sources...)
	var rec pcap.Record
	for {
		if err := merge.Next(&rec); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		p := &replay.Point{Port: net.Port(ports[rec.Capture]), Chassis: chassis, Capture: rec.Capture}
		if owners.Direction(p.Port, chassis, rec.Data) != replay.Entered {
			continue
		}
		f := &replay.Frame{Capture: rec.Capture, Number: rec.Frame, Time: conntrack.Time(rec.Time), Data: rec.Data,
			Wire: rec.OrigLen}
		do(e, f, p, e.Inject(sim.Injection{Port: p.Port, Chassis: chassis, Time: f.Time, Frame: f.Data, Wire: f.Wire}))
	}
}

// told is all that is shown of a packet.
func told(t testing.TB, b *trace.Book, f *replay.Frame, p *replay.Point, capture string, out *sim.Outcome) string {
	t.Helper()
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(replay.NewRecord(&why.Explainer{Book: b}, f, p, capture, out,
		false)); err != nil {
		t.Fatal(err)
	}
	for _, form := range []trace.Format{trace.DetailedFormat, trace.SummaryFormat, trace.MinimalFormat} {
		if err := b.Write(&text, &out.Trace, form); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestThereAndBack(t *testing.T) {
	t.Parallel()
	var s shelf
	var w *archive.Writer
	var packets [][]byte
	var want []string
	each(t, func(e *sim.Engine, f *replay.Frame, p *replay.Point, out *sim.Outcome) {
		if w == nil {
			w = archive.NewWriter(e, e.Net.Hash(), s.put)
		}
		b, err := w.Packet(f, p, "client.pcap", out)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, slices.Clone(b))
		book := &trace.Book{Net: e.Net, Action: e.ActionText, Zone: e.ZoneName, Flow: e.Compiled}
		want = append(want, told(t, book, f, p, "client.pcap", out))
	})
	if len(packets) < 10 {
		t.Fatalf("%d packets", len(packets))
	}
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {9, 3, 0, 3}} { // whatever is read first
		r := archive.NewReader(s.get)
		for _, i := range order {
			p, err := r.Packet(packets[i])
			if err != nil {
				t.Fatal(err)
			}
			if got := told(t, p.Book, &p.Frame, p.Point, p.Capture, &p.Outcome); got != want[i] {
				t.Errorf("packet %d is\n%s\nwant\n%s", i, got, want[i])
			}
		}
	}
}

// TestWriterAllocates little once it knows a path.
func TestWriterAllocates(t *testing.T) {
	var s shelf
	var w *archive.Writer
	n := 0
	each(t, func(e *sim.Engine, f *replay.Frame, p *replay.Point, out *sim.Outcome) {
		if n++; n < 12 || n > 14 {
			return
		}
		w = archive.NewWriter(e, [32]byte{}, s.put)
		w.Packet(f, p, "x", out)
		before := len(s.pieces)
		if got := testing.AllocsPerRun(20, func() { w.Packet(f, p, "x", out) }); got > 60 {
			t.Errorf("packet %d: %v allocations", n, got)
		}
		if len(s.pieces) != before {
			t.Errorf("packet %d, written again, makes %d pieces", n, len(s.pieces)-before)
		}
	})
}

// packets are the packets of the case, written with their pieces on the shelf.
func (s *shelf) packets(t testing.TB) [][]byte {
	t.Helper()
	var w *archive.Writer
	var packets [][]byte
	each(t, func(e *sim.Engine, f *replay.Frame, p *replay.Point, out *sim.Outcome) {
		if w == nil {
			w = archive.NewWriter(e, [32]byte{}, s.put)
		}
		b, err := w.Packet(f, p, "x", out)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, slices.Clone(b))
	})
	return packets
}

// TestDamaged changes bytes of packets and pieces.
func TestDamaged(t *testing.T) {
	t.Parallel()
	var s shelf
	packets := s.packets(t)
	rnd := rand.New(rand.NewPCG(8, 8))
	refused := 0
	for range 1500 {
		b := packets[rnd.IntN(len(packets))]
		path := uint64(b[0]) // paths have small numbers here
		if rnd.IntN(4) > 0 {
			path = uint64(1 + rnd.IntN(len(s.pieces)))
		}
		piece := slices.Clone(s.pieces[path-1])
		for range 1 + rnd.IntN(3) {
			piece[rnd.IntN(len(piece))] = byte(rnd.Uint32())
		}
		r := archive.NewReader(func(n uint64) ([]byte, error) {
			if n == path {
				return piece, nil
			}
			return s.get(n)
		})
		p, err := r.Packet(b)
		if err != nil {
			refused++
			continue
		}
		told(t, p.Book, &p.Frame, p.Point, p.Capture, &p.Outcome)
	}
	if refused == 0 {
		t.Error("nothing is refused")
	}
}

// FuzzRead reads a packet of which the packet itself or a piece was changed.
func FuzzRead(f *testing.F) {
	var s shelf
	packets := s.packets(f)
	for i, p := range packets {
		f.Add(p, uint16(0), []byte{}, uint8(i))
	}
	for i, p := range s.pieces {
		f.Add(packets[i%len(packets)], uint16(i+1), p, uint8(i))
	}
	f.Fuzz(func(t *testing.T, packet []byte, number uint16, piece []byte, which uint8) {
		get := func(n uint64) ([]byte, error) {
			if n == uint64(number) && number != 0 {
				return piece, nil
			}
			return s.get(n)
		}
		r := archive.NewReader(get)
		for _, b := range [][]byte{packet, packets[int(which)%len(packets)]} {
			p, err := r.Packet(b)
			if err != nil {
				continue
			}
			told(t, p.Book, &p.Frame, p.Point, p.Capture, &p.Outcome)
		}
	})
}
