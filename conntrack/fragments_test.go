package conntrack

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"ovnreplay/nat"
)

// cut splits a packet and returns the fragments.
func cut(ip []byte, mtu int) (out [][]byte) {
	Refragment(ip, mtu, 99, func(f []byte, _ int) { out = append(out, bytes.Clone(f)) })
	return out
}

func TestFragments(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 250)
	for _, v6 := range []bool{false, true} {
		src, dst, out := "10.0.0.1", "10.0.0.2", "1.1.1.1"
		if v6 {
			src, dst, out = "fd00::1", "fd00::2", "2001:db8::1"
		}
		whole := udpPacket(src, 1000, dst, 53, big)
		translated := udpPacket(out, 1000, dst, 53, big)
		snat := Request{Zone: 1, Commit: true, NAT: bind(nat.Src, out, 0)}
		for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
			profiles(t, func(t *testing.T, p Profile) {
				ct := NewTable(Options{Profile: p})
				frags := cut(whole, 1400)
				if len(frags) != 3 {
					t.Fatalf("%d fragments", len(frags))
				}
				var held []uint64
				for n, i := range order {
					var m Meta
					o := ct.Execute(Time(n), frags[i], &m, &snat)
					if n < 2 {
						if o.Drop != DropFragment || o.Held == 0 || slices.Contains(held, o.Held) {
							t.Fatalf("fragment %d: %+v", i, o)
						}
						held = append(held, o.Held)
						continue
					}
					if o.Drop != NoDrop || !o.Created {
						t.Fatalf("last: %+v", o)
					}
					checkFragments(t, p, &o, cut(translated, 1400), translated, order, held, m)
				}
			})
		}
	}
}

func checkFragments(t *testing.T, p Profile, o *Outcome, want [][]byte, whole []byte, order []int, held []uint64,
	m Meta) {
	t.Helper()
	if p == Linux {
		if !bytes.Equal(o.Reassembled, whole) {
			t.Errorf("reassembled\n%x, want\n%x", o.Reassembled, whole)
		}
		if n := len(want[0]); o.MRU != n {
			t.Errorf("largest fragment %d, want %d", o.MRU, n)
		}
		return
	}
	if len(o.Freed) != 3 {
		t.Fatalf("%d released", len(o.Freed))
	}
	for i, f := range o.Freed {
		id := uint64(0)
		if n := slices.Index(order, i); n < 2 {
			id = held[n]
		}
		if !bytes.Equal(f.IP, want[i]) || f.Held != id || f.Meta != m || m.State != New|Tracked|SNAT {
			t.Errorf("fragment %d: held %d, want %d; state %v\n%x, want\n%x", i, f.Held, id, f.Meta.State, f.IP,
				want[i])
		}
	}
}

func TestBadFragments(t *testing.T) {
	t.Parallel()
	whole := udpPacket("10.0.0.1", 1000, "10.0.0.2", 53, strings.Repeat("x", 3000))
	t.Run("too small for userspace", func(t *testing.T) {
		ct := NewTable(Options{Profile: OVSUserspace})
		m, o := do(t, ct, 1, cut(whole, 600)[0], commit)
		want(t, "small", m, "inv")
		if o.Refusal != LoneFragment {
			t.Error(o.Refusal)
		}
	})
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		f := cut(whole, 1400)
		do(t, ct, 1, bytes.Clone(f[0]), commit)
		m, o := do(t, ct, 1, bytes.Clone(f[0]), commit)
		if p == OVSUserspace {
			want(t, "twice", m, "inv")
		}
		if o.Refusal != LoneFragment || o.Held != 0 || p == Linux && o.Drop != DropFragment {
			t.Errorf("twice: %+v", o)
		}
		// Held too long, the rest never completes.
		ct = NewTable(Options{Profile: p})
		do(t, ct, 1, bytes.Clone(f[0]), commit)
		do(t, ct, 100, bytes.Clone(f[1]), commit)
		if _, o := do(t, ct, 100, bytes.Clone(f[2]), commit); o.Drop != DropFragment {
			t.Errorf("completed after its time: %+v", o)
		}
		if n := len(ct.frags.lists); n != 1 {
			t.Errorf("%d lists", n)
		}
	})
}

// A flood of fragments is bounded.
func TestFragmentFlood(t *testing.T) {
	whole := udpPacket("10.0.0.1", 1000, "10.0.0.2", 53, strings.Repeat("x", 3000))
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		for i := range 6000 {
			f := cut(whole, 1400)[0]
			f[4], f[5] = byte(i>>8), byte(i)
			headerSum(f)
			do(t, ct, 1, f, commit)
		}
		if ct.frags.count > 3100 || len(ct.frags.lists) != ct.frags.count || len(ct.frags.inOrder()) != ct.frags.count {
			t.Errorf("%d held, %d lists", ct.frags.count, len(ct.frags.lists))
		}
	})
}
