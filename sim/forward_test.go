package sim

import "testing"

// ovn-controller writes a forwarding group's keys in decimal behind an 0x.
func TestMisread(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		key  uint32
		read uint64
		ok   bool
	}{{1, 1, true}, {9, 9, true}, {10, 0x10, true}, {32, 0x32, true}, {9999, 0x9999, true}, {10000, 0, false},
		{32767, 0, false}} {
		got, ok := misread(x.key)
		if ok != x.ok || x.ok && got != x.read {
			t.Errorf("%d is read as %d, %v", x.key, got, ok)
		}
	}
}
