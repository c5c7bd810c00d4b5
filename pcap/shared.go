package pcap

import (
	"cmp"
	"slices"
)

// Shared finds packets that several captures saw, to compare their clocks.
// Memory is bounded: beyond Limit packets it keeps an even sample, the same
// packets in every capture.
type Shared struct {
	Limit int // packets kept a capture; 0 means 65536
	// AcrossNAT also recognises packets whose addresses and ports were
	// translated in between (see NATKey), for captures on both sides of OVN.
	AcrossNAT bool

	captures []map[Key]sharedPacket
	mask     uint64 // only keys whose bits under it are zero are kept
}

type sharedPacket struct {
	time   int64
	source [6]byte
	count  int32
	file   int32
	last   int64 // in that file
}

// Add notes a record of a capture. Give it uncorrected times (Record.RawTime).
func (s *Shared) Add(capture int, rawTime int64, m *LinkMeta) { s.AddOf(capture, 0, rawTime, m) }

// AddOf notes a record of a capture that is several files, of one host. They may
// each show a packet on its way.
func (s *Shared) AddOf(capture, file int, rawTime int64, m *LinkMeta) {
	for capture >= len(s.captures) {
		s.captures = append(s.captures, map[Key]sharedPacket{})
	}
	key, ok := PacketKey(m), true
	if s.AcrossNAT {
		key, ok = NATKey(m)
	}
	if !ok {
		return
	}
	if key[0]&s.mask != 0 {
		return
	}
	c := s.captures[capture]
	p, seen := c[key]
	passed := seen && int(p.file) != file && max(rawTime-p.time, p.time-rawTime) < passesWithin
	if !seen || passed && rawTime < p.time {
		p.time, p.source = rawTime, m.Src
	}
	if !seen || !passed && max(rawTime-p.last, p.last-rawTime) > twiceWithin {
		p.count++ // else the capture shows one packet twice
	}
	p.file, p.last = int32(file), rawTime
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

// twiceWithin is how far apart two frames of one packet are that a capture shows
// twice, ns.
const twiceWithin = 1_000_000

// passesWithin is how far apart the captures of one host show a packet at most, ns.
const passesWithin = 10_000_000_000

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
