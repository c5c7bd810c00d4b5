package table

import (
	"math/bits"
	"slices"

	"ovnreplay/sim/field"
)

// Consulted is which bits of a key a walk through stages depended on: another
// key with the same values there takes the same walk. It grows while flows are
// matched, as the mask of an Open vSwitch megaflow does; where one of several
// bits is enough to tell that a flow does not match, only one is noted.
type Consulted struct {
	Mask  field.Key // bits that were looked at
	Known field.Key // bits that the walk itself has set: their values follow
}

// Bits notes that bits of a word were looked at.
func (c *Consulted) Bits(word uint8, mask uint64) { c.Mask[word] |= mask &^ c.Known[word] }

// Slice notes that a part of a field was read.
func (c *Consulted) Slice(s field.Slice) { s.EachWord(c.Bits) }

// Set notes that a part of a field was set to what follows from bits noted.
func (c *Consulted) Set(s field.Slice) {
	s.EachWord(func(word uint8, mask uint64) { c.Known[word] |= mask })
}

// differ notes that a key differs from what was asked for in some of the bits
// given: one of them shows it.
func (c *Consulted) differ(word uint8, diff uint64) {
	if diff&(c.Mask[word]|c.Known[word]) == 0 {
		c.Mask[word] |= telling(word, diff)
	}
}

// telling is the bits to note of a word for a difference to show: all of an
// enumeration, else the highest that differs, of the field that varies least
// from packet to packet.
func telling(word uint8, diff uint64) uint64 {
	for _, x := range variety[word] {
		if d := diff & x.mask; d != 0 {
			if x.whole {
				return x.mask
			}
			return 1 << (63 - bits.LeadingZeros64(d))
		}
	}
	return 1 << (63 - bits.LeadingZeros64(diff))
}

// varies is a field's bits in a word, and by how much its values vary from one
// packet of a connection, or of a host, to the next.
type varies struct {
	mask  uint64
	much  int
	whole bool
}

// variety lists the fields in each word, those that vary least first.
var variety = func() (v [field.Words][]varies) {
	for _, id := range field.All() {
		much, whole := 3, false
		switch id {
		case field.Inport, field.Outport, field.EthType, field.IPProto, field.IPFrag:
			much, whole = 0, true
		case field.CTState, field.CTMark, field.Flags:
			much = 1
		case field.EthDst:
			much = 4
		case field.EthSrc, field.IP4Dst, field.IP6Dst:
			much = 5
		case field.IP4Src, field.IP6Src, field.IPTTL:
			much = 6
		case field.TpDst, field.CTTpDst:
			much = 7
		case field.TpSrc, field.CTTpSrc, field.TCPFlags:
			much = 8
		}
		field.Whole(id).EachWord(func(word uint8, mask uint64) {
			v[word] = append(v[word], varies{mask, much, whole})
		})
	}
	for w := range v {
		slices.SortStableFunc(v[w], func(a, b varies) int { return a.much - b.much })
	}
	return v
}()

// muchOf is how much the bits of a term vary at most.
func muchOf(t field.Term) (much int) {
	for _, x := range variety[t.Word] {
		if x.mask&t.Mask != 0 {
			much = max(much, x.much)
		}
	}
	return much
}

// evalNoting is eval, and notes which bits of the key decided.
func (m match) evalNoting(k *field.Key, res Resident, c *Consulted) bool {
	for i := int32(0); ; {
		t := &m[i]
		var ok bool
		switch t.kind {
		case testTerm:
			diff := (k[t.word] ^ t.value) & t.mask
			if ok = diff == 0; ok {
				c.Bits(t.word, t.mask)
			} else {
				c.differ(t.word, diff)
			}
		case testSet:
			t.noteSet(c)
			ok = t.set.has(t.sees(k))
		case testResident:
			ok = res.Has(uint32(t.value))
		}
		if ok {
			i = t.yes
		} else {
			i = t.no
		}
		if i < 0 {
			return i == accept
		}
	}
}

// note notes what looking a key up in the tuple depended on.
func (t *tuple) note(k *field.Key, c *Consulted, found bool) {
	if !found {
		t.noteMiss(k, c)
		return
	}
	for j := range t.mask {
		c.Bits(t.mask[j].Word, t.mask[j].Mask)
	}
}

// fewValues is up to how many values a tuple is told by bits that differ from
// each; of more, by how far their beginnings agree.
const fewValues = 48

// noteMiss notes bits that show that none of the tuple's flows matches.
func (t *tuple) noteMiss(k *field.Key, c *Consulted) {
	if t.order == nil {
		t.index()
	}
	if len(t.values) <= fewValues*len(t.mask) {
		t.noteEach(k, c)
		return
	}
	h := hashSeed
	for i, at := range t.order {
		term := &t.mask[at]
		c.Bits(term.Word, term.Mask)
		h = hashWord(h, k[term.Word]&term.Mask)
		if _, ok := t.prefixes[i][h]; !ok {
			return
		}
	}
	// Every beginning is there although the whole is not: hashes that agree.
}

// noteEach notes for each value of the tuple a bit that differs from it.
func (t *tuple) noteEach(k *field.Key, c *Consulted) {
	n := len(t.mask)
	for from := 0; from < len(t.values); from += n {
		t.noteOne(k, c, t.values[from:from+n])
	}
}

func (t *tuple) noteOne(k *field.Key, c *Consulted, values []uint64) {
	for j := range t.mask {
		m := &t.mask[j]
		if (k[m.Word]^values[j])&m.Mask&(c.Mask[m.Word]|c.Known[m.Word]) != 0 {
			return
		}
	}
	for _, at := range t.order {
		m := &t.mask[at]
		if diff := (k[m.Word] ^ values[at]) & m.Mask; diff != 0 {
			c.differ(m.Word, diff)
			return
		}
	}
}

// index prepares the tuple for noteMiss: the order of its words, those that
// vary least first, and the hashes of its values' beginnings in that order.
func (t *tuple) index() {
	t.order = make([]uint8, len(t.mask))
	for i := range t.order {
		t.order[i] = uint8(i)
	}
	slices.SortStableFunc(t.order, func(a, b uint8) int { return muchOf(t.mask[a]) - muchOf(t.mask[b]) })
	n := len(t.mask)
	if len(t.values) <= fewValues*n {
		return
	}
	t.prefixes = make([]map[uint64]struct{}, n)
	for i := range t.prefixes {
		t.prefixes[i] = map[uint64]struct{}{}
	}
	for from := 0; from < len(t.values); from += n {
		h := hashSeed
		for i, at := range t.order {
			h = hashWord(h, t.values[from+int(at)])
			t.prefixes[i][h] = struct{}{}
		}
	}
}
