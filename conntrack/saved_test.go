package conntrack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ovnreplay/conntrack/coding"
	"ovnreplay/nat"
)

// traffic drives a table with random packets and actions, some of them in
// fragments, and tells each outcome.
type traffic struct {
	rnd *rand.Rand
	gen *generator
	now Time
}

func newTraffic(seed uint64) *traffic {
	return &traffic{rnd: rand.New(rand.NewPCG(seed, 11)), gen: newGenerator(seed)}
}

// step is one packet: what to do to a table, so that it can be done to several.
func (x *traffic) step() func(t *Table, m Meta) (Meta, string) {
	x.now += Time(x.rnd.ExpFloat64() * float64(Second))
	now := x.now
	packets := [][]byte{x.gen.next()}
	if x.rnd.IntN(4) == 0 {
		packets = cut(udpPacket("10.1.0.1", 5000+uint16(x.rnd.IntN(3)), "10.1.0.2", 53, strings.Repeat("x", 3000)),
			1400)
		x.rnd.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
		packets = packets[:1+x.rnd.IntN(len(packets))]
	}
	requests := []Request{randomRequest(x.rnd), randomRequest(x.rnd)}
	keep := x.rnd.IntN(2) == 0
	return func(t *Table, m Meta) (Meta, string) {
		var said strings.Builder
		for _, ip := range packets {
			ip = bytes.Clone(ip)
			if !keep {
				m = Meta{}
			}
			for i := range requests {
				o := t.Execute(now, ip, &m, &requests[i])
				fmt.Fprintf(&said, "%+v %x %+v\n", o, ip, m)
				if o.Drop != NoDrop {
					break
				}
			}
		}
		return m, said.String()
	}
}

// TestSavedGoesOn takes a saved state in the middle of random traffic: the
// table restored does what the other one does, packet by packet.
func TestSavedGoesOn(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		waiting := 0
		for seed := range uint64(12) {
			x := newTraffic(seed)
			opt := Options{Profile: p, MaxConns: 15 + int(seed)*8, ZoneLimit: map[uint16]int{1: 12}}
			a := NewTable(opt)
			var m Meta
			for range 150 + 10*seed {
				m, _ = x.step()(a, m)
			}
			waiting += len(a.frags.inOrder())
			state := a.Save(nil)
			b, err := Restore(state, opt, nil)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if again := b.Save(nil); !bytes.Equal(again, state) {
				t.Fatalf("seed %d: restored and saved again, a state of %d bytes is another of %d", seed, len(state),
					len(again))
			}
			consistent(t, b)
			goOn(t, seed, x, a, b, m)
		}
		if waiting == 0 {
			t.Error("no saved state held fragments")
		}
	})
}

func goOn(t *testing.T, seed uint64, x *traffic, a, b *Table, m Meta) {
	t.Helper()
	w := coding.NewWriter(nil)
	m.Code(w)
	var n Meta
	r := coding.NewReader(w.Bytes())
	n.Code(r)
	if err := r.Finish(); err != nil || n != m {
		t.Fatalf("seed %d: Meta %+v comes back as %+v, %v", seed, m, n, err)
	}
	for i := range 300 {
		do := x.step()
		var saidA, saidB string
		m, saidA = do(a, m)
		n, saidB = do(b, n)
		if saidA != saidB {
			t.Fatalf("seed %d: packet %d after the saved state:\n%s\nrestored:\n%s", seed, i, saidA, saidB)
		}
	}
	if !bytes.Equal(a.Save(nil), b.Save(nil)) {
		t.Errorf("seed %d: the tables differ at the end", seed)
	}
	if !reflect.DeepEqual(a.Entries(x.now), b.Entries(x.now)) {
		t.Errorf("seed %d: the connections differ at the end", seed)
	}
}

func TestSavedRezoned(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		for zone := range uint16(3) {
			do(t, ct, 1, udpPacket("10.0.0.1", 1, "10.0.0.2", 53, "?"), Request{Zone: zone, Commit: true})
			do(t, ct, 1, cut(udpPacket("10.0.0.1", 1, "10.0.0.2", 53, strings.Repeat("x", 2000)), 1400)[0],
				Request{Zone: zone})
		}
		moved, err := Restore(ct.Save(nil), Options{Profile: p}, func(z uint16) (uint16, bool) {
			return z + 10, z != 1
		})
		if err != nil {
			t.Fatal(err)
		}
		consistent(t, moved)
		var zones []uint16
		for _, e := range moved.Entries(1) {
			zones = append(zones, e.Zone)
		}
		if !slices.Equal(zones, []uint16{10, 12}) || len(moved.frags.inOrder()) != 2 {
			t.Errorf("connections in zones %d, want 10 and 12; %d datagrams, want 2", zones, len(moved.frags.inOrder()))
		}
		m, _ := do(t, moved, 2, udpPacket("10.0.0.2", 53, "10.0.0.1", 1, "!"), Request{Zone: 12})
		want(t, "the answer in its new zone", m, "est|rpl")
	})
}

// TestSavedOfExpectations restores what a helper has announced.
func TestSavedOfExpectations(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		control(t, ct, false, "PORT 10,0,0,1,19,137\r\n")
		syn := tcpPacket("10.0.0.2", 20, "10.0.0.1", 5001, tcpSeg{flags: "S", seq: 5})
		for range 2 { // the connection expected; the one that has come, with its parent
			var err error
			if ct, err = Restore(ct.Save(nil), Options{}, nil); err != nil {
				t.Fatal(err)
			}
			m, _ := do(t, ct, 2, syn, commit)
			if m.State&(Related|Invalid) != Related {
				t.Errorf("the data connection: %v", m.State)
			}
			if m.Mark != 9 || m.Orig.DstPort != 21 {
				t.Errorf("mark %d, original tuple %v", m.Mark, &m.Orig)
			}
		}
		if e := ct.Entries(2); len(e) != 2 || e[1].Parent.DstPort != 21 {
			t.Errorf("connections %+v", e)
		}
	})
}

func TestBadSaved(t *testing.T) {
	t.Parallel()
	x := newTraffic(3)
	ct := NewTable(Options{})
	for range 200 {
		x.step()(ct, Meta{})
	}
	good := ct.Save(nil)
	for n := range good {
		if _, err := Restore(good[:n], Options{}, nil); err == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(good))
		}
	}
	for name, test := range map[string]struct {
		saved []byte
		opt   Options
		say   string
	}{
		"another form":    {append([]byte{9}, good[1:]...), Options{}, "form 9"},
		"another profile": {good, Options{Profile: OVSUserspace}, "profile linux"},
		"too long":        {append(bytes.Clone(good), 0), Options{}, "too many"},
	} {
		_, err := Restore(test.saved, test.opt, nil)
		if err == nil || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: got %v, want %q", name, err, test.say)
		}
	}
}

// TestSavedIsWhole fails when a type gains a field that nobody has thought
// about: is it state, or worked out from it?
func TestSavedIsWhole(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		of     any
		fields string
	}{
		{Table{}, "opt behaves timeout now pool buckets mask nodes due stale live perZone seq sweep crowds met zone " +
			"pkt seg sight bind helpers frags"},
		{conn{}, "tuple label expires due created seq next pos gen mark zone status peer last state linked " +
			"helper natSide"},
		{peer{}, "end maxEnd maxWin maxAck scale flags"},
		{lastSeg{}, "seq ack end win index dir scale flags retrans"},
		{pool{}, "chunks size spare"},
		{fragments{}, "lists first last next count bytes whole"},
		{fragmentList{}, "key until frags total last before after"},
		{heldFragment{}, "Fragment offset length l4"},
		{Meta{}, "State Zone Mark Label Orig conn reply related"},
		{nat.Tuple{}, "Src Dst SrcPort DstPort Proto V6 Type Code"},
		{helperState{}, "expects parents met"},
		{expectation{}, "zone key master parent mark label until side addr"},
	} {
		typ := reflect.TypeOf(x.of)
		var fields []string
		for i := range typ.NumField() {
			fields = append(fields, typ.Field(i).Name)
		}
		if got := strings.Join(fields, " "); got != x.fields {
			t.Errorf("%v has fields %q, saved.go knows %q", typ, got, x.fields)
		}
	}
}

func FuzzRestore(f *testing.F) {
	for _, p := range []Profile{Linux, OVSUserspace} {
		for seed := range uint64(3) {
			x := newTraffic(seed)
			ct := NewTable(Options{Profile: p})
			for range 20 {
				x.step()(ct, Meta{})
			}
			f.Add(ct.Save(nil), seed)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		ct, err := Restore(in, Options{MaxConns: 1 << 30}, nil)
		if err != nil {
			return
		}
		if again := ct.Save(nil); len(again) > len(in) {
			t.Errorf("%d bytes are written as %d", len(in), len(again))
		}
		x := newTraffic(seed)
		x.now = min(max(ct.now, 0), 1<<60)
		var m Meta
		for range 20 {
			m, _ = x.step()(ct, m)
		}
		ct.Entries(x.now)
		ct.Expire(x.now + 1000000*Second)
	})
}
