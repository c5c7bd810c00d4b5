package store

import (
	"hash/maphash"
	"strings"
)

// values holds every distinct value once; value 0 is "". Values lie side by side
// in large pieces of text, and are found by their hashes, which decide nothing
// but where to look.
type values struct {
	text   []string
	ids    []valueRow // with open addressing
	seed   maphash.Seed
	room   *strings.Builder // of the last piece of text
	budget *budget
}

// valueRow is a value that is filed; id 0 is none.
type valueRow struct{ hash, id uint32 }

// valueRoom is the size of the pieces of text. Longer values have their own.
const valueRoom = 64 << 10

func newValues() values {
	return values{text: []string{""}, seed: maphash.MakeSeed()} // no budget
}

func (v *values) id(text []byte) uint32 {
	if len(text) == 0 {
		return 0
	}
	if 2*len(v.text) >= len(v.ids) {
		v.grow()
	}
	hash := uint32(maphash.Bytes(v.seed, text))
	row := v.find(hash, text)
	if row.id == 0 {
		*row = valueRow{hash, uint32(len(v.text))}
		v.text = append(v.text, v.keep(text))
		v.budget.value(len(text))
	}
	return row.id
}

// find returns the row of a value, or the free one where it belongs.
func (v *values) find(hash uint32, text []byte) *valueRow {
	last := uint32(len(v.ids) - 1)
	for i := hash & last; ; i = (i + 1) & last {
		row := &v.ids[i]
		if row.id == 0 || row.hash == hash && v.text[row.id] == string(text) {
			return row
		}
	}
}

func (v *values) grow() {
	old := v.ids
	v.ids = make([]valueRow, max(64, 2*len(old)))
	last := uint32(len(v.ids) - 1)
	for _, row := range old {
		if row.id == 0 {
			continue
		}
		i := row.hash & last
		for v.ids[i].id != 0 {
			i = (i + 1) & last
		}
		v.ids[i] = row
	}
}

// keep returns a text as a string. A builder never moves what fits into it.
func (v *values) keep(text []byte) string {
	if len(text) > valueRoom/4 {
		return string(text)
	}
	if v.room == nil || v.room.Cap()-v.room.Len() < len(text) {
		v.room = &strings.Builder{}
		v.room.Grow(valueRoom)
	}
	from := v.room.Len()
	v.room.Write(text)
	return v.room.String()[from:]
}
