package table

import (
	"cmp"
	"slices"

	"ovnreplay/sim/field"
)

// rivals is the flows of one priority, by rank, of which some act differently. What
// they do is told by a number: the same where it is the same text.
type rivals struct {
	priority  uint16
	from, end int32
	does      []int32 // by rank, from the first
}

// findRivals notes at which priorities which flow applies can make a difference.
func (s *Stage) findRivals() {
	numbers := map[string]int32{}
	for first := 0; first < len(s.flows); {
		f, next, differ := s.flows[first], first+1, false
		for ; next < len(s.flows) && s.flows[next].Priority == f.Priority; next++ {
			differ = differ || s.flows[next].Actions != f.Actions
		}
		if differ {
			s.rivals = append(s.rivals,
				rivals{f.Priority, int32(first), int32(next), does(s.flows[first:next], numbers)})
		}
		first = next
	}
}

// does numbers what flows do.
func does(flows []*Flow, numbers map[string]int32) []int32 {
	list := make([]int32, len(flows))
	for i, f := range flows {
		if i > 0 && flows[i-1].Actions == f.Actions {
			list[i] = list[i-1]
			continue
		}
		n, known := numbers[f.Actions]
		if !known {
			n = int32(len(numbers))
			numbers[f.Actions] = n
		}
		list[i] = n
	}
	return list
}

// Rivals appends to buf the ranks of the flows that match a key as that of a rank does,
// which Find found for it, with the same priority but other actions: it is used, or one
// of them. What that depended on is noted in c unless that is nil.
func (s *Stage) Rivals(buf []int32, found int32, k *field.Key, res Resident, c *Consulted) []int32 {
	at, contested := slices.BinarySearchFunc(s.rivals, s.flows[found].Priority, func(r rivals, p uint16) int {
		return cmp.Compare(p, r.priority)
	})
	if !contested {
		return buf
	}
	r := &s.rivals[at]
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
			if rank < r.from || rank >= r.end || r.does[rank-r.from] == r.does[found-r.from] ||
				slices.Contains(buf, rank) {
				continue
			}
			if s.matches(rank, k, res, c) {
				buf = append(buf, rank)
			}
		}
	}
	return buf
}
