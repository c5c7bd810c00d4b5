package table

import (
	"math/bits"
	"slices"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
)

// members is the values that a set has, by the bits of them that are asked for. It knows
// no field: what is compared with it is the test's to say.
type members struct {
	wide   bool // of a field of 128 bits
	groups []membersGroup
	looks  field.Uint128 // bits that one of the groups asks for
}

// membersGroup is those that ask for the same bits.
type membersGroup struct {
	mask   field.Uint128
	narrow []uint64 // sorted
	wide   []field.Uint128
}

// has reports whether v is one of the values.
func (m *members) has(v field.Uint128) bool {
	for i := range m.groups {
		g := &m.groups[i]
		var found bool
		if m.wide {
			_, found = slices.BinarySearchFunc(g.wide, v.And(g.mask), field.Uint128.Cmp)
		} else {
			_, found = slices.BinarySearch(g.narrow, v.Lo&g.mask.Lo)
		}
		if found {
			return true
		}
	}
	return false
}

// add adds a value to what is not settled yet; index tells where masks are.
func (m *members) add(index map[field.Uint128]int, value, mask field.Uint128) {
	at, known := index[mask]
	if !known {
		at = len(m.groups)
		index[mask] = at
		m.groups = append(m.groups, membersGroup{mask: mask})
		m.looks = m.looks.Or(mask)
	}
	if g := &m.groups[at]; m.wide {
		g.wide = append(g.wide, value.And(mask))
	} else {
		g.narrow = append(g.narrow, value.And(mask).Lo)
	}
}

func (m *members) settle() {
	for i := range m.groups {
		g := &m.groups[i]
		slices.Sort(g.narrow)
		slices.SortFunc(g.wide, field.Uint128.Cmp)
		g.narrow, g.wide = slices.Clip(slices.Compact(g.narrow)), slices.Clip(slices.Compact(g.wide))
	}
}

// Sets are the sets that flows name, each compiled once for all flows that are compiled
// with them: an address set of 100,000 addresses may be named by thousands.
type Sets struct{ made map[setUse]*members }

// setUse is a set, and how many bits of its values are asked for, wherever in a key they are.
type setUse struct {
	set   *lflow.Set
	width int
}

// NewSets returns none.
func NewSets() *Sets { return &Sets{map[setUse]*members{}} }

// in is the test of an In.
func (c *matchCompiler) in(e *lflow.Expr) test {
	at := lflow.FieldRef{Symbol: e.Symbol, Width: e.Symbol.Width}.Slice()
	if !e.Symbol.IsString() {
		at.Ofs, at.Width = at.Ofs+uint8(e.Mask.TrailingZeros()), uint8(e.Mask.OnesCount())
	}
	use := setUse{e.Set, int(at.Width)}
	if c.sets == nil || c.sets.made[use] == nil {
		m := c.membersOf(e, at)
		if c.sets == nil {
			return m.test(at)
		}
		c.sets.made[use] = m
	}
	return c.sets.made[use].test(at)
}

// membersOf returns the values of an In that compares a part of a field.
func (c *matchCompiler) membersOf(e *lflow.Expr, at field.Slice) *members {
	m, index := &members{wide: at.Field.Width() > 64}, map[field.Uint128]int{}
	ones := field.Ones(int(at.Width))
	for x := range e.Members() {
		if !e.Symbol.IsString() {
			ofs := uint(e.Mask.TrailingZeros())
			m.add(index, x.Value.Rsh(ofs), x.Mask.Rsh(ofs))
		} else if x.String == "" {
			m.add(index, field.Uint128{}, ones)
		} else if port, ok := c.resolve.Port(x.String); ok {
			m.add(index, field.U64(uint64(port)), ones)
		}
	}
	m.settle()
	return m
}

// test is the test of whether a part of a key's field is among the members.
func (m *members) test(at field.Slice) test {
	t := test{kind: testSet, set: m, word: uint8(at.Field.Word()), mask: uint64(at.Width), value: uint64(at.Ofs)}
	if !m.wide {
		at.EachWord(func(_ uint8, mask uint64) { t.value = uint64(bits.TrailingZeros64(mask)) })
		t.mask = field.Ones(int(at.Width)).Lo
	}
	return t
}

// sees is the part of a key that a testSet looks at: of a field of 128 bits, value is where
// it begins and mask how wide it is; else how far the word is shifted, and what is left of it.
func (t *test) sees(k *field.Key) field.Uint128 {
	if t.set.wide {
		v := field.Uint128{Hi: k[t.word&(field.Words-1)], Lo: k[(t.word+1)&(field.Words-1)]}
		return v.Rsh(uint(t.value)).And(field.Ones(int(t.mask)))
	}
	return field.U64(k[t.word] >> t.value & t.mask)
}

// noteSet notes the bits that a testSet looks at.
func (t *test) noteSet(c *Consulted) {
	looks := t.set.looks.Lsh(uint(t.value))
	if t.set.wide {
		c.Bits(t.word, looks.Hi)
		c.Bits(t.word+1, looks.Lo)
		return
	}
	c.Bits(t.word, looks.Lo&(t.mask<<t.value))
}
