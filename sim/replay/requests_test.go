package replay

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ovnreplay/sim/field"
)

// arpOf is a request of ARP for 10.0.0.n, or a reply that tells it.
func arpOf(n, op byte) []byte {
	return slices.Concat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, op},
		[]byte{2, 0, 0, 0, 0, 1, 10, 0, 0, 99}, make([]byte, 6), []byte{10, 0, 0, n})
}

// What asks for an address is found as if all that was read ahead were looked at.
func TestRequestsAreFiled(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 3))
	s := &Run{}
	found := 0
	for step := range 2000 {
		if r.IntN(5) < 3 || s.head == len(s.queue) {
			f := &Frame{Data: arpOf(byte(r.IntN(9)), byte(1+r.IntN(2))), Number: step}
			s.queue = append(s.queue, f)
			s.byRequest(f)
		} else {
			f := s.queue[s.head]
			s.head++
			s.unfileRequest(f)
		}
		if step < 50 { // nobody has looked for one yet
			continue
		}
		ip := field.Uint128{Lo: 10<<24 | uint64(r.IntN(9))}
		var want, got []int
		for _, f := range s.queue[s.head:] {
			if of, v6, ok := askedFor(f.Headers()); ok && !v6 && of == ip {
				want = append(want, f.Number)
			}
		}
		for f := s.requestsFor(ip, false).first; f != nil; f = f.request {
			got = append(got, f.Number)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: frames %v ask for %v, not %v", step, want, ip, got)
		}
		found += len(want)
	}
	if found < 1000 {
		t.Errorf("only %d requests were looked for", found)
	}
}
