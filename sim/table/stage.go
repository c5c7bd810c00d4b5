package table

import (
	"cmp"
	"slices"

	"ovnreplay/sim/field"
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
	rivals []rivals // priorities at which flows act differently, highest first
}

// tuple is the flows whose cubes test the same bits, by the values they ask for.
type tuple struct {
	mask  []field.Term // Value unused
	best  int32        // rank of the first flow in it
	filed []filed      // while the stage is built
	slots []slot       // open addressing by hash; a power of two
	ranks []int32

	values   []uint64 // what the cubes ask for, as many words each as mask has
	order    []uint8  // see index
	prefixes []map[uint64]struct{}
}

// filed is a flow by the hash of the masked words that a cube of it asks for.
type filed struct {
	hash uint64
	rank int32
}

// slot is the flows of one hash: n of the tuple's ranks, ascending. n 0: it is free.
type slot struct {
	hash    uint64
	from, n int32
}

// settle makes the tuple's table of what is filed.
func (t *tuple) settle() {
	slices.SortStableFunc(t.filed, func(a, b filed) int { return cmp.Compare(a.hash, b.hash) })
	distinct := 0
	for i := range t.filed {
		if i == 0 || t.filed[i].hash != t.filed[i-1].hash {
			distinct++
		}
	}
	size := 2
	for size < 2*distinct {
		size *= 2
	}
	t.slots, t.ranks = make([]slot, size), make([]int32, 0, len(t.filed))
	var at *slot
	for i, x := range t.filed {
		if i == 0 || x.hash != t.filed[i-1].hash {
			at = t.slot(x.hash)
			at.hash, at.from = x.hash, int32(len(t.ranks))
		}
		if n := len(t.ranks); at.n > 0 && t.ranks[n-1] == x.rank {
			continue
		}
		t.ranks = append(t.ranks, x.rank)
		at.n++
	}
	t.filed = nil
}

// slot returns the slot of a hash, or the free one where it belongs.
func (t *tuple) slot(h uint64) *slot {
	last := uint64(len(t.slots) - 1)
	for i := h & last; ; i = (i + 1) & last {
		if s := &t.slots[i]; s.n == 0 || s.hash == h {
			return s
		}
	}
}

// find returns the ranks of the flows that may match a key, nil if none does.
func (t *tuple) find(k *field.Key) []int32 {
	h := hashSeed
	for j := range t.mask {
		m := &t.mask[j]
		h = hashWord(h, k[m.Word&(field.Words-1)]&m.Mask)
	}
	s := t.slot(h)
	if s.n == 0 {
		return nil
	}
	return t.ranks[s.from : s.from+s.n]
}

// NewStage builds a stage from flows, which need not be in order. Which of two
// flows of the same priority that both match wins OVN leaves undefined; see
// Rivals. northd writes such pairs where one is for a port and the other for all:
// the one that tests more bits is tried first, as recordings show; then the older.
func NewStage(flows []*Flow) *Stage {
	s := &Stage{flows: slices.Clone(flows)}
	slices.SortStableFunc(s.flows, func(a, b *Flow) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(b.bits(), a.bits()),
			cmp.Compare(a.Since, b.Since), cmp.Compare(a.UUID, b.UUID))
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
	for i := range s.tuple {
		s.tuple[i].settle()
	}
	slices.SortStableFunc(s.tuple, func(a, b tuple) int { return cmp.Compare(a.best, b.best) })
	s.findRivals()
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
		s.tuple = append(s.tuple, tuple{mask: c, best: rank})
	}
	t := &s.tuple[i]
	t.filed = append(t.filed, filed{h, rank})
	for j := range c {
		t.values = append(t.values, c[j].Value)
	}
}

// Lookup returns the flow of highest priority that matches the key on a
// chassis where the given ports are resident, nil if none does.
func (s *Stage) Lookup(k *field.Key, res Resident) *Flow { return s.At(s.Find(k, res, nil)) }

// At returns the flow of a rank, nil for -1.
func (s *Stage) At(rank int32) *Flow {
	if rank < 0 {
		return nil
	}
	return s.flows[rank]
}

// Find is Lookup, and returns the flow's rank in the stage, -1 if none matches. Which
// bits of the key that depended on is noted in c unless that is nil.
func (s *Stage) Find(k *field.Key, res Resident, c *Consulted) int32 {
	best := int32(len(s.flows))
	for i := range s.tuple {
		t := &s.tuple[i]
		if t.best >= best {
			break
		}
		ranks := t.find(k)
		if c != nil {
			t.note(k, c, ranks != nil)
		}
		for _, rank := range ranks {
			if rank >= best {
				break
			}
			if s.matches(rank, k, res, c) {
				best = rank
				break
			}
		}
	}
	if int(best) == len(s.flows) {
		return -1
	}
	return best
}

// matches reports whether the flow of a rank matches a key.
func (s *Stage) matches(rank int32, k *field.Key, res Resident, c *Consulted) bool {
	m := s.made(rank).match
	if c == nil {
		return m.eval(k, res)
	}
	return m.evalNoting(k, res, c)
}

// made returns a flow to be tried.
func (s *Stage) made(rank int32) *Flow {
	f := s.flows[rank]
	if f.maker != nil {
		if f.make(); f.Err != nil {
			s.broken = append(s.broken, f)
		}
	}
	return f
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
