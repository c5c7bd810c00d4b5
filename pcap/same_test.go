package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"ovnreplay/nat/header"
)

// TestKeyAcrossLinkTypes: a packet has one key whatever its link layer, and packets differ.
func TestKeyAcrossLinkTypes(t *testing.T) {
	t.Parallel()
	keys := map[Key]int{}
	cooked, ethernet := readFile(t, "testdata/nginx.any.pcap"), readFile(t, "testdata/nginx.pcap")
	for i := range cooked {
		_, a, _ := Frame(cooked[i])
		_, b, _ := Frame(ethernet[i])
		if PacketKey(&a) != PacketKey(&b) {
			t.Errorf("packet %d has two keys", i+1)
		}
		keys[PacketKey(&a)]++
		ethernet[i].Data = append(ethernet[i].Data, make([]byte, 6)...) // padding is no part of an IP packet
		ethernet[i].OrigLen += 6
		_, padded, _ := Frame(ethernet[i])
		if padded.EtherType == header.EtherIPv4 && PacketKey(&padded) != PacketKey(&a) {
			t.Errorf("packet %d has another key when padded", i+1)
		}
	}
	if len(keys) != len(cooked) {
		t.Errorf("%d keys for %d packets", len(keys), len(cooked))
	}
}

// TestKeysSpread: every bit of a packet changes the key.
func TestKeysSpread(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte{0}, 61)
	keys := map[Key]bool{PacketKey(&LinkMeta{Payload: payload}): true}
	for bit := range 8 * len(payload) {
		b := bytes.Clone(payload)
		b[bit/8] ^= 1 << (bit % 8)
		keys[PacketKey(&LinkMeta{Payload: b})] = true
	}
	for n := range payload {
		keys[PacketKey(&LinkMeta{Payload: payload[:n]})] = true
	}
	keys[PacketKey(&LinkMeta{Payload: payload, EtherType: 1})] = true
	if want := 1 + 8*61 + 61 + 1; len(keys) != want {
		t.Errorf("%d keys, want %d", len(keys), want)
	}
}

func TestSightings(t *testing.T) {
	t.Parallel()
	iface := &Interface{}
	var s Sightings
	for i, c := range []struct {
		time    int64
		payload string
		ifIndex int
		dir     Direction
		want    Sighting
	}{
		{0, "syn", 4, DirectionIn, Sighting{1, 1}},  // from the pod
		{1, "syn", 4, DirectionOut, Sighting{1, 2}}, // the other end of the same device
		{2, "other", 4, DirectionIn, Sighting{2, 1}},
		{3, "syn", 7, DirectionOut, Sighting{1, 3}}, // out of another device
		{4, "syn", 4, DirectionIn, Sighting{3, 1}},  // retransmitted byte for byte
		{5, "syn", 7, DirectionOut, Sighting{3, 2}},
		{6 + 100*ms, "syn", 9, DirectionOut, Sighting{4, 1}}, // too late to be the same
	} {
		m := LinkMeta{Payload: []byte(c.payload), IfIndex: c.ifIndex, Direction: c.dir}
		if got := s.See(&Record{Time: c.time, Interface: iface}, &m); got != c.want {
			t.Errorf("record %d: %+v, want %+v", i+1, got, c.want)
		}
	}
}

// TestSightingsBounded: the window bounds what is remembered, and remembering allocates nothing in the long run.
func TestSightingsBounded(t *testing.T) {
	var s Sightings
	rec, payload := Record{Interface: &Interface{}}, make([]byte, 60)
	m := LinkMeta{Payload: payload}
	n := uint64(0)
	see := func() {
		n++
		rec.Time = int64(n) * ms
		binary.LittleEndian.PutUint64(payload, n)
		m.IfIndex = 1
		first := s.See(&rec, &m)
		m.IfIndex = 2
		if again := s.See(&rec, &m); first.Packet != n || again != (Sighting{n, 2}) {
			t.Fatalf("packet %d: %+v, %+v", n, first, again)
		}
	}
	for range 100_000 {
		see()
	}
	if len(s.recent) > 102 || len(s.queue) > 256 {
		t.Errorf("%d packets remembered in a queue of %d", len(s.recent), len(s.queue))
	}
	if a := testing.AllocsPerRun(10_000, see); a != 0 {
		t.Errorf("%v allocations a packet", a)
	}
}

// TestNATKey recognises the nodePort session's packets on both sides of DNAT
// and SNAT, and tells them from each other.
func TestNATKey(t *testing.T) {
	t.Parallel()
	sides := [2]map[Key]int{{}, {}}
	for i, name := range []string{"testdata/client.pcap", "testdata/nginx.any.pcap"} {
		for _, rec := range readFile(t, name) {
			_, m, err := Frame(rec)
			if err != nil {
				t.Fatal(err)
			}
			if key, ok := NATKey(&m); ok {
				sides[i][key]++
				continue
			}
			if m.EtherType == header.EtherIPv4 {
				t.Errorf("%s frame %d has no key", name, rec.Frame)
			}
		}
	}
	if len(sides[0]) < 15 {
		t.Errorf("only %d keys", len(sides[0]))
	}
	for key, n := range sides[0] {
		if n != 1 || sides[1][key] != 1 {
			t.Errorf("a packet was seen %d times by the client and %d by the pod", n, sides[1][key])
		}
	}
}

func TestNATKeyRefuses(t *testing.T) {
	t.Parallel()
	ip := "45000030 12344000 40%s0000 0a000001 0a000002"
	for _, c := range []struct {
		name, protocol, rest string
		want                 bool
	}{
		{"tcp", "06", "0050c000 00000001 00000002 5010ffff 00000000", true},
		{"tcp cut", "06", "0050c000 00000001 00000002 5010ffff 000000", false},
		{"udp", "11", "0050c000 00090000 61", true},
		{"empty udp", "11", "0050c000 00080000", false},
		{"echo", "01", "0800ffff 00010002", true},
		{"unreachable", "01", "0301ffff 00000000 45000000", false},
		{"empty icmp", "01", "", false},
		{"igmp", "02", "1100ffff 00000000", false},
	} {
		m := LinkMeta{EtherType: header.EtherIPv4, Payload: unhex(t, fmt.Sprintf(ip, c.protocol)+c.rest)}
		if _, ok := NATKey(&m); ok != c.want {
			t.Errorf("%s: key %v", c.name, ok)
		}
	}
}
