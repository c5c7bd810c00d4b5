package pcap

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Key tells packets apart by their bytes above the link layer. Equal packets
// have equal keys, on any link type and machine; 128 bits make an accidental
// likeness of different ones as good as impossible.
type Key [2]uint64

// PacketKey is the key of a frame's payload and EtherType.
func PacketKey(m *LinkMeta) Key {
	const a, b = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03
	k := Key{a ^ uint64(m.EtherType), b ^ uint64(len(m.Payload))}
	p := m.Payload
	if m.EtherType == etherIPv4 || m.EtherType == etherIPv6 {
		p = withoutPadding(p, m.EtherType)
		k[1] = b ^ uint64(len(p))
	}
	for ; len(p) >= 16; p = p[16:] {
		k = k.mix(binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
	}
	var last [16]byte
	copy(last[:], p)
	return k.mix(binary.LittleEndian.Uint64(last[:]), binary.LittleEndian.Uint64(last[8:])).mix(a, b)
}

// mix takes in 16 bytes by two multiplications that do not wait for each other.
func (k Key) mix(u, v uint64) Key {
	hi, lo := bits.Mul64(u^k[0], v^0x8cb92ba72f3d8dd7)
	hi2, lo2 := bits.Mul64(v^k[1], u^0xa0761d6478bd642f)
	return Key{hi ^ lo + k[1], hi2 ^ lo2 + k[0]}
}

// withoutPadding cuts what short Ethernet frames are filled up with, which a
// cooked or raw capture of the same packet lacks.
func withoutPadding(p []byte, etherType uint16) []byte {
	n := len(p)
	switch {
	case etherType == etherIPv4 && n >= 20:
		if total := int(binary.BigEndian.Uint16(p[2:])); total >= 20 {
			n = min(n, total)
		}
	case etherType == etherIPv6 && n >= 40:
		if payload := int(binary.BigEndian.Uint16(p[4:])); payload > 0 {
			n = min(n, 40+payload)
		}
	}
	return p[:n]
}

// Sightings recognises one packet seen at several places of one capture, as
// an "any" capture sees it on each device it passes. Equal bytes at another
// place (device, direction, packet type) within Window are the same packet
// again; equal bytes at a place that has seen them are another packet.
type Sightings struct {
	Window int64 // ns; 0 means 100 ms

	packets uint64
	recent  map[Key]uint64 // the youngest packet with these bytes
	queue   []sighting     // ring of packets in Window, oldest first
	head    int
	used    int
}

type sighting struct {
	key    Key
	packet uint64
	time   int64
	places [maxPlaces]place
	seen   uint8
}

// maxPlaces is how many places one packet is followed over; further ones count
// as seen before.
const maxPlaces = 12

// place is where a sighting was.
type place struct {
	iface     int32
	ifIndex   int32
	direction Direction
	kind      PacketType
}

// Sighting is what is known of a record's packet.
type Sighting struct {
	Packet uint64 // running number, from 1, of distinct packets
	Nth    int    // 1 for the first sighting
}

// See notes a record. Its times must not step back by more than Window.
func (s *Sightings) See(rec *Record, m *LinkMeta) Sighting {
	if s.recent == nil {
		s.recent, s.queue = map[Key]uint64{}, make([]sighting, 256)
	}
	window := s.Window
	if window == 0 {
		window = 100_000_000
	}
	s.forget(rec.Time - window)
	key := PacketKey(m)
	at := place{iface: int32(rec.Interface.Index), ifIndex: int32(m.IfIndex), direction: m.Direction, kind: m.PacketType}
	if packet, ok := s.recent[key]; ok {
		if q := s.find(packet); q != nil && !slices.Contains(q.places[:q.seen], at) {
			if q.seen < maxPlaces {
				q.places[q.seen] = at
				q.seen++
			}
			return Sighting{packet, int(q.seen)}
		}
	}
	s.packets++
	q := s.add()
	*q = sighting{key: key, packet: s.packets, time: rec.Time, seen: 1}
	q.places[0] = at
	s.recent[key] = s.packets
	return Sighting{s.packets, 1}
}

// forget drops packets older than the given time.
func (s *Sightings) forget(before int64) {
	for s.used > 0 {
		q := &s.queue[s.head]
		if q.time >= before {
			return
		}
		if s.recent[q.key] == q.packet {
			delete(s.recent, q.key)
		}
		s.head = (s.head + 1) % len(s.queue)
		s.used--
	}
}

// find returns a packet's entry: packets are queued in the order of their numbers.
func (s *Sightings) find(packet uint64) *sighting {
	if s.used == 0 {
		return nil
	}
	i := packet - s.queue[s.head].packet
	if i >= uint64(s.used) {
		return nil
	}
	return &s.queue[(s.head+int(i))%len(s.queue)]
}

func (s *Sightings) add() *sighting {
	if s.used == len(s.queue) {
		bigger := make([]sighting, 2*len(s.queue))
		n := copy(bigger, s.queue[s.head:])
		copy(bigger[n:], s.queue[:s.head])
		s.queue, s.head = bigger, 0
	}
	s.used++
	return &s.queue[(s.head+s.used-1)%len(s.queue)]
}

// Shared finds packets that several captures saw, to compare their clocks.
// Memory is bounded: beyond Limit packets it keeps an even sample, the same
// packets in every capture.
type Shared struct {
	Limit int // packets kept a capture; 0 means 65536

	captures []map[Key]sharedPacket
	mask     uint64 // only keys whose bits under it are zero are kept
}

type sharedPacket struct {
	time   int64
	source [6]byte
	count  int32
}

// Add notes a record of a capture. Give it uncorrected times (Record.RawTime).
func (s *Shared) Add(capture int, rawTime int64, m *LinkMeta) {
	for capture >= len(s.captures) {
		s.captures = append(s.captures, map[Key]sharedPacket{})
	}
	key := PacketKey(m)
	if key[0]&s.mask != 0 {
		return
	}
	c := s.captures[capture]
	p, ok := c[key]
	if !ok {
		p.time, p.source = rawTime, m.Src
	}
	p.count++
	c[key] = p
	limit := s.Limit
	if limit == 0 {
		limit = 1 << 16
	}
	for len(c) > limit && s.mask != ^uint64(0) {
		s.mask = s.mask<<1 | 1
		for _, c := range s.captures {
			for k := range c {
				if k[0]&s.mask != 0 {
					delete(c, k)
				}
			}
		}
	}
}

// Pairs are the packets captures a and b both saw once, ordered by time in b.
// Which way each went is worked out from the senders: packets of one sender go
// one way, and whoever is sent by a's side is seen there first.
func (s *Shared) Pairs(a, b int) []Pair {
	if max(a, b) >= len(s.captures) {
		return nil
	}
	var found []sharedPair
	for key, p := range s.captures[a] {
		if q, ok := s.captures[b][key]; ok && p.count == 1 && q.count == 1 {
			found = append(found, sharedPair{Pair{A: p.time, B: q.time}, p.source, key})
		}
	}
	slices.SortFunc(found, func(p, q sharedPair) int {
		return cmp.Or(cmp.Compare(p.B, q.B), cmp.Compare(p.A, q.A), slices.Compare(p.key[:], q.key[:]))
	})
	tellWays(found)
	out := make([]Pair, len(found))
	for i, p := range found {
		out[i] = p.Pair
	}
	return out
}

type sharedPair struct {
	Pair
	source [6]byte
	key    Key
}

// tellWays splits the senders in two by the middle of A-B: travel makes it
// smaller on the way from a to b, larger on the way back. The split is where
// the gap between neighbouring senders is widest; it must exceed how far the
// packets of one sender scatter, or the ways stay unknown.
func tellWays(found []sharedPair) {
	type sender struct {
		source          [6]byte
		middle, scatter int64
	}
	// Drift must not pass for travel time when senders speak at different times.
	pairs := make([]Pair, len(found))
	for i, p := range found {
		pairs[i] = p.Pair
	}
	clock, _ := EstimateClock(pairs)
	bySource := map[[6]byte][]int64{}
	for i, d := range differences(pairs, clock.Clock) {
		bySource[found[i].source] = append(bySource[found[i].source], d)
	}
	senders := make([]sender, 0, len(bySource))
	for source, d := range bySource {
		middle := median(d)
		for i := range d {
			d[i] = int64(magnitude(d[i] - middle))
		}
		senders = append(senders, sender{source, middle, median(d)})
	}
	slices.SortFunc(senders, func(p, q sender) int {
		return cmp.Or(cmp.Compare(p.middle, q.middle), slices.Compare(p.source[:], q.source[:]))
	})
	split, widest := 0, int64(0)
	for i := 1; i < len(senders); i++ {
		gap := senders[i].middle - senders[i-1].middle
		if gap > widest && gap > senders[i].scatter+senders[i-1].scatter {
			split, widest = i, gap
		}
	}
	if split == 0 {
		return
	}
	ways := map[[6]byte]Way{}
	for i, s := range senders {
		ways[s.source] = WayAB
		if i >= split {
			ways[s.source] = WayBA
		}
	}
	for i := range found {
		found[i].Way = ways[found[i].source]
	}
}
