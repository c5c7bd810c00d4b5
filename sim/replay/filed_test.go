package replay

import (
	"math/rand/v2"
	"testing"
)

// A filed table holds what a map does, whatever is put and dropped.
func TestFiled(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var table filed[int]
	want := map[uint64]int{}
	for i := range 200_000 {
		h := r.Uint64N(64) << 50 // many with one home, and 0
		if i%3 == 0 {
			h = r.Uint64N(3000)
		}
		switch r.IntN(4) {
		case 0, 1:
			*table.put(h) = i
			want[h] = i
		default:
			table.drop(h)
			delete(want, h)
		}
		if x, ok := want[h]; ok != (table.get(h) != nil) || ok && *table.get(h) != x {
			t.Fatalf("after %d steps %#x is %v, want %d, %v", i, h, table.get(h), x, ok)
		}
		if table.n != len(want) {
			t.Fatalf("after %d steps %d entries, want %d", i, table.n, len(want))
		}
	}
	for h, x := range want {
		if v := table.get(h); v == nil || *v != x {
			t.Errorf("%#x is %v, want %d", h, v, x)
		}
	}
	if table.clear(); table.get(0) != nil || table.n != 0 {
		t.Error("something is left in a cleared table")
	}
}

func TestHashWords(t *testing.T) {
	t.Parallel()
	seen := map[uint64][2]int{}
	b := make([]byte, 300)
	for n := range len(b) {
		for bit := -1; bit < 8*n; bit++ {
			if bit >= 0 {
				b[bit/8] ^= 1 << (bit % 8)
			}
			h := hashWords(1, b[:n])
			if x, ok := seen[h]; ok {
				t.Fatalf("%d bytes with bit %d and %v hash alike", n, bit, x)
			}
			seen[h] = [2]int{n, bit}
			if bit >= 0 {
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
}
