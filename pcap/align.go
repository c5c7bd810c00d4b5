package pcap

// Alignment is how one capture's clock was found.
type Alignment struct {
	Estimate
	// Via is the capture it was compared with; -1 for the reference, and for
	// captures that share no packet with any other, whose clocks stay as they are.
	Via   int
	Known bool
}

// Align finds the clocks of n captures against the reference's. A capture is
// compared with the one, among those already known, it shares most packets
// with; ties go to the capture given first. Captures that share packets with one
// another but not with the reference are compared with the first of them.
func (s *Shared) Align(n, reference int) []Alignment {
	out := make([]Alignment, n)
	for i := range out {
		out[i].Via = -1
	}
	if reference < 0 || reference >= n {
		return out
	}
	out[reference].Known = true
	common := make([][]int, n)
	for a := range n {
		common[a] = make([]int, n)
		for b := range a {
			common[a][b] = s.common(a, b)
			common[b][a] = common[a][b]
		}
	}
	for {
		via, next, most := -1, -1, 0
		for a := range n {
			for b := range n {
				if !out[a].Known || out[b].Known {
					continue
				}
				if c := common[a][b]; c > most {
					via, next, most = a, b, c
				}
			}
		}
		if next < 0 {
			if next = another(out, common); next < 0 {
				return out
			}
			out[next].Known = true // the reference of those that share packets with it
			continue
		}
		pairs := s.Pairs(via, next)
		for i := range pairs {
			pairs[i].A = out[via].Clock.Correct(pairs[i].A)
		}
		out[next].Estimate, out[next].Known = EstimateClock(pairs)
		out[next].Via = via
	}
}

// another is the first capture not known that shares packets with others, -1 if
// there is none.
func another(out []Alignment, common [][]int) int {
	for i := range out {
		for j := range out {
			if !out[i].Known && !out[j].Known && i != j && common[i][j] > 0 {
				return i
			}
		}
	}
	return -1
}

// common counts the packets two captures both saw once.
func (s *Shared) common(a, b int) (n int) {
	if max(a, b) >= len(s.captures) {
		return 0
	}
	for key, p := range s.captures[a] {
		if q, ok := s.captures[b][key]; ok && p.count == 1 && q.count == 1 {
			n++
		}
	}
	return n
}
