package conntrack

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"ovnreplay/nat/header"
)

// seen is a packet on its way, with and without a Sight of it.
type seen struct {
	ip, plain []byte
	m, other  Meta
	sight     Sight
}

func (x *seen) copy() seen {
	y := *x
	y.ip, y.plain = bytes.Clone(x.ip), bytes.Clone(x.plain)
	return y
}

// routed is what a router does to an IPv4 packet.
func routed(ip []byte) {
	if len(ip) < 20 || ip[0]>>4 != 4 || ip[8] == 0 {
		return
	}
	old := [2]byte(ip[8:10])
	ip[8]--
	sum := header.Update16(uint16(ip[10])<<8|uint16(ip[11]), old[:], ip[8:10])
	ip[10], ip[11] = byte(sum>>8), byte(sum)
}

// A packet that keeps a Sight fares in each zone, and its bytes and what it knows
// become, as if it kept none: good and bad ones, copies made on the way, routed in
// between, others in between.
func TestSightChangesNothing(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		with, without := NewTable(Options{Profile: p}), NewTable(Options{Profile: p})
		again := 0
		execute := func(i int, x *seen, r Request) {
			now := Time(i+1) * Second / 100
			q := r
			r.Sight = &x.sight
			a, b := with.Execute(now, x.ip, &x.m, &r), without.Execute(now, x.plain, &x.other, &q)
			if with.sight.again {
				again++
			}
			if !reflect.DeepEqual(a, b) || !bytes.Equal(x.ip, x.plain) || x.m != x.other {
				t.Fatalf("packet %d, %x:\n%+v %+v\nwithout a Sight %x:\n%+v %+v", i, x.ip, a, x.m, x.plain, b, x.other)
			}
		}
		for seed := range uint64(8) {
			g, rnd := newGenerator(seed), rand.New(rand.NewPCG(seed, 5))
			var kept seen
			for i := range 400 {
				ip := g.next()
				x := seen{ip: ip, plain: bytes.Clone(ip)}
				for range 4 {
					execute(i, &x, randomRequest(rnd))
					switch rnd.IntN(5) {
					case 0:
						x.m.Clear()
						x.other.Clear()
					case 1:
						routed(x.ip)
						routed(x.plain)
					case 2:
						kept = x.copy()
					case 3:
						if kept.ip != nil {
							execute(i, &kept, randomRequest(rnd))
						}
					}
				}
			}
		}
		if again < 100 {
			t.Errorf("a Sight told of %d packets", again)
		}
	})
}
