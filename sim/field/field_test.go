package field

import "testing"

// No two fields may share a bit: a write to one would change the other.
func TestPlacesAreDisjoint(t *testing.T) {
	t.Parallel()
	var used Key
	for _, id := range All() {
		var k Key
		k.Set128(id, Ones(128))
		for w := range k {
			if used[w]&k[w] != 0 {
				t.Errorf("%v overlaps an earlier field in word %d", id, w)
			}
			used[w] |= k[w]
		}
		if got := k.Get128(id); got != Ones(id.Width()) {
			t.Errorf("%v: all ones reads back as %x", id, got)
		}
	}
}

func TestSliceStoreLoad(t *testing.T) {
	t.Parallel()
	for _, s := range []Slice{
		{XXReg0, 96, 32}, {XXReg0, 64, 64}, {CTLabel, 32, 48},
		{CTMark, 1, 1}, {EthDst, 40, 1}, {XReg4, 32, 32}, Whole(IP6Src),
	} {
		var k Key
		want := Uint128{0xa5a5a5a5deadbeef, 0x0123456789abcdef}.And(Ones(int(s.Width)))
		k.Store(s, want)
		if got := k.Load(s); got != want {
			t.Errorf("%v: got %x, want %x", s, got, want)
		}
		k.Store(s, Uint128{})
		if k != (Key{}) {
			t.Errorf("%v: storing 0 leaves %x", s, k)
		}
	}
}

// Terms must accept exactly the keys whose masked field has the value.
func TestTerms(t *testing.T) {
	t.Parallel()
	mask, value := Ones(48).Lsh(32), Uint128{0x1234, 0xabcdef0100000000}
	ts := Terms(CTLabel, value, mask)
	if len(ts) != 2 {
		t.Fatalf("ct_label[32..79]: %d terms, want 2", len(ts))
	}
	var k Key
	k.Set128(CTLabel, value.Or(Ones(32)))
	for _, term := range ts {
		if k[term.Word]&term.Mask != term.Value {
			t.Errorf("term %x refuses a matching key", term)
		}
	}
	if Terms(IPProto, U64(6), Uint128{}) != nil {
		t.Error("an empty mask must need no test")
	}
}

func TestUint128(t *testing.T) {
	t.Parallel()
	v := Uint128{1, 0}
	if v.Sub(U64(1)) != (Uint128{0, ^uint64(0)}) || U64(^uint64(0)).Add(U64(1)) != v {
		t.Error("carry between halves is lost")
	}
	if v.Rsh(64) != U64(1) || U64(1).Lsh(64) != v || v.Lsh(0) != v {
		t.Error("shift by a whole word")
	}
	if FromBytes(v.Bytes()) != v || v.Len() != 65 || v.TrailingZeros() != 64 {
		t.Error("bytes, Len or TrailingZeros")
	}
}
