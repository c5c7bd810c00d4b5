package table

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// named gives ports p0, p1, … numbers.
type named struct{}

func (named) Port(name string) (n uint32, ok bool) {
	_, err := fmt.Sscanf(name, "p%d", &n)
	return n + 1, err == nil
}

// setEnv has sets that are long enough to be left whole.
func setEnv(r *rand.Rand) *lflow.Env {
	sets := map[string][]string{}
	for i := range 200 {
		sets["four"] = append(sets["four"], fmt.Sprintf("10.0.%d.%d", r.IntN(4), r.IntN(256)))
		sets["nets"] = append(sets["nets"], fmt.Sprintf("10.%d.%d.0/%d", i, r.IntN(4), 16+r.IntN(16)))
		sets["six"] = append(sets["six"], fmt.Sprintf("fd00::%x:%x", r.IntN(4), r.IntN(256)))
		sets["six"] = append(sets["six"], fmt.Sprintf("fd00:%x::/%d", 1+i, 32+r.IntN(96)))
		sets["macs"] = append(sets["macs"], fmt.Sprintf("0a:00:00:00:%02x:%02x", r.IntN(4), r.IntN(256)))
		sets["wide"] = append(sets["wide"], "::/0", fmt.Sprintf("fd00::%x", i))
	}
	env := &lflow.Env{AddressSets: sets, PortGroups: map[string][]string{"ports": nil}}
	for i := range 200 {
		env.PortGroups["ports"] = append(env.PortGroups["ports"], fmt.Sprintf("p%d", 3*i), "nowhere")
	}
	env.Preparse()
	return env
}

// A set that is left whole, and shared, has a match accept just what it accepts with
// the set written out, and depend on no more of a key than it notes.
func TestWholeSetsMatchAlike(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	env, sets := setEnv(r), NewSets()
	m := NewMaker(env, named{}, sets)
	accepted, all := 0, 0
	for _, text := range []string{
		"ip4.src == $four", "ip4.src != $four", "!(ip4.src == $four)", "ip4.src == {$four, $nets, 9.9.9.9}",
		"ip4.src == $nets", "ip4.dst != $nets", "ip4.src == $four || ip4.dst == $nets",
		"ip4.src == $four && ip4.dst == $four", "ip4.src[0..7] == $four", "ip4.src[3..9] == $four",
		"ip6.src == $six", "ip6.dst != $six", "ip6.src[5..77] == $six", "ip6.src == $wide", "xxreg0 == $six",
		"eth.src == $macs", "eth.dst[8..40] == $macs", "reg3 == $four", "reg4 == $four", "inport == @ports",
		"outport != @ports", "inport == {@ports, \"p1\"} && ip4.src == $four",
		"!(ip4.src == $four || ip4.src == $nets)", "ip4 && !(inport == @ports && ip4.src == $four)",
	} {
		f := &network.Flow{Match: text, Actions: "next;"}
		whole, plain := m.Flow(f).Made(), Compile(f, env, named{})
		if whole.Err != nil || plain.Err != nil {
			if whole.Err == nil || plain.Err == nil || whole.Err.Error() != plain.Err.Error() {
				t.Errorf("%s: %v, written out %v", text, whole.Err, plain.Err)
			}
			continue
		}
		for range 4000 {
			k := setKey(r)
			var c Consulted
			got := whole.match.evalNoting(&k, nil, &c)
			if want := plain.match.eval(&k, nil); got != want || whole.match.eval(&k, nil) != want {
				t.Fatalf("%s: %v, written out %v", text, got, want)
			}
			other := setKey(r)
			for w := range other {
				other[w] = other[w]&^c.Mask[w] | k[w]&c.Mask[w]
			}
			if plain.match.eval(&other, nil) != got {
				t.Fatalf("%s: it depends on more than it notes", text)
			}
			if all++; got {
				accepted++
			}
		}
	}
	if accepted*10 < all || accepted*10 > 9*all {
		t.Errorf("%d of %d keys are accepted: they tell little", accepted, all)
	}
	if n := len(sets.made); n > 16 {
		t.Errorf("%d sets were compiled: they are not shared", n)
	}
}

// setKey is a key that is often in a set, or nearly.
func setKey(r *rand.Rand) (k field.Key) {
	four := func() uint64 { return 10<<24 | uint64(r.IntN(4))<<(8*uint(1+r.IntN(2))) | uint64(r.IntN(256)) }
	six := func() field.Uint128 {
		v := field.Uint128{Hi: 0xfd00 << 48, Lo: uint64(r.IntN(4))<<16 | uint64(r.IntN(256))}
		if r.IntN(2) == 0 {
			v.Hi |= uint64(r.IntN(256)) << 32
		}
		return v
	}
	k.Set(field.EthType, []uint64{0x800, 0x86dd}[r.IntN(2)])
	k.Set(field.IP4Src, four())
	k.Set(field.IP4Dst, four())
	k.Set128(field.IP6Src, six())
	k.Set128(field.IP6Dst, six())
	k.Set128(field.XXReg0, six())
	k.Set(field.EthSrc, 0x0a<<40|uint64(r.IntN(4))<<8|uint64(r.IntN(256)))
	k.Set(field.EthDst, 0x0a<<40|uint64(r.IntN(4))<<8|uint64(r.IntN(256)))
	k.Set(field.Inport, uint64(r.IntN(300)))
	k.Set(field.Outport, uint64(r.IntN(300)))
	return k
}
