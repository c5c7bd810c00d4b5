package table

import (
	"cmp"
	"slices"

	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// Stage is the compiled flows of one table of one datapath's pipeline.
//
// Look-up is tuple space search: flows are filed by which bits their cubes
// test, each such set of bits a hash table, and a table is searched only
// while it may still hold a flow of higher priority than the best found.
type Stage struct {
	flows  []*Flow // highest priority first
	tuple  []tuple // by rank of their best flow
	broken []*Flow
}

// tuple is the flows whose cubes test the same bits.
type tuple struct {
	mask    []field.Term       // Value unused
	best    int32              // rank of the first flow in it
	buckets map[uint64][]int32 // hash of the masked words -> ranks, ascending
}

// NewStage builds a stage from flows, which need not be in order. Which of two
// flows of the same priority wins OVN leaves undefined. northd writes such
// pairs where one is for a port and the other for all: the one that tests more
// bits is tried first, as recordings show, and then UUIDs decide.
//
// A tie function given decides instead.
func NewStage(flows []*Flow, tie ...func(a, b *network.Flow) int) *Stage {
	s := &Stage{flows: slices.Clone(flows)}
	slices.SortStableFunc(s.flows, func(a, b *Flow) int {
		if p := cmp.Compare(b.Priority, a.Priority); p != 0 {
			return p
		}
		if len(tie) > 0 && tie[0] != nil {
			if c := tie[0](a.Flow, b.Flow); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(b.bits(), a.bits()), cmp.Compare(a.UUID, b.UUID))
	})
	index := map[string]int{}
	for rank, f := range s.flows {
		if f.Err != nil {
			s.broken = append(s.broken, f)
			continue
		}
		for _, c := range f.cubes {
			s.file(index, c, int32(rank))
		}
	}
	slices.SortStableFunc(s.tuple, func(a, b tuple) int { return cmp.Compare(a.best, b.best) })
	return s
}

func (s *Stage) file(index map[string]int, c cube, rank int32) {
	sig := make([]byte, 0, 9*len(c))
	h := hashSeed
	for _, t := range c {
		sig = append(sig, t.Word)
		for i := range 8 {
			sig = append(sig, byte(t.Mask>>(8*i)))
		}
		h = hashWord(h, t.Value)
	}
	i, ok := index[string(sig)]
	if !ok {
		i = len(s.tuple)
		index[string(sig)] = i
		s.tuple = append(s.tuple, tuple{mask: c, best: rank, buckets: map[uint64][]int32{}})
	}
	b := s.tuple[i].buckets
	if n := len(b[h]); n == 0 || b[h][n-1] != rank {
		b[h] = append(b[h], rank)
	}
}

// Lookup returns the flow of highest priority that matches the key on a
// chassis where the given ports are resident, nil if none does.
func (s *Stage) Lookup(k *field.Key, res Resident) *Flow {
	best := int32(len(s.flows))
	for i := range s.tuple {
		t := &s.tuple[i]
		if t.best >= best {
			break
		}
		h := hashSeed
		for j := range t.mask {
			h = hashWord(h, k[t.mask[j].Word]&t.mask[j].Mask)
		}
		for _, rank := range t.buckets[h] {
			if rank >= best {
				break
			}
			if s.flows[rank].match.eval(k, res) {
				best = rank
				break
			}
		}
	}
	if int(best) == len(s.flows) {
		return nil
	}
	return s.flows[best]
}

// Broken returns the stage's flows that do not compile.
func (s *Stage) Broken() []*Flow { return s.broken }

// Flows returns the stage's flows, highest priority first.
func (s *Stage) Flows() []*Flow { return s.flows }

const hashSeed = uint64(0x9e3779b97f4a7c15)

func hashWord(h, v uint64) uint64 {
	h ^= v
	h *= 0xff51afd7ed558ccd
	return h ^ h>>32
}
