package table

import (
	"cmp"
	"slices"

	"ovnreplay/sim/field"
)

// rivals is the flows of one priority, by rank, of which some act differently.
type rivals struct {
	priority  uint16
	from, end int32
}

// findRivals notes at which priorities which flow applies can make a difference.
func (s *Stage) findRivals() {
	for first := 0; first < len(s.flows); {
		f, next, differ := s.flows[first], first+1, false
		for ; next < len(s.flows) && s.flows[next].Priority == f.Priority; next++ {
			differ = differ || s.flows[next].Actions != f.Actions
		}
		if differ {
			s.rivals = append(s.rivals, rivals{f.Priority, int32(first), int32(next)})
		}
		first = next
	}
}

// Rivals appends to buf the flows that match a key as f does, which Lookup found
// for it, with the same priority but other actions: f is used, or one of them. What
// that depended on is noted in c unless that is nil.
func (s *Stage) Rivals(buf []*Flow, f *Flow, k *field.Key, res Resident, c *Consulted) []*Flow {
	at, contested := slices.BinarySearchFunc(s.rivals, f.Priority, func(r rivals, p uint16) int {
		return cmp.Compare(p, r.priority)
	})
	if !contested {
		return buf
	}
	r := s.rivals[at]
	for i := range s.tuple {
		t := &s.tuple[i]
		if t.best >= r.end {
			break
		}
		ranks := t.find(k)
		if c != nil {
			t.note(k, c, ranks != nil)
		}
		for _, rank := range ranks {
			g := s.flows[rank]
			if rank < r.from || rank >= r.end || g.Actions == f.Actions || slices.Contains(buf, g) {
				continue
			}
			s.made(rank)
			if c == nil && g.match.eval(k, res) || c != nil && g.match.evalNoting(k, res, c) {
				buf = append(buf, g)
			}
		}
	}
	return buf
}
