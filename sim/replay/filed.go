package replay

import "math/bits"

// filed is values by hashes, which are as good as what they are of: those that
// are looked up for each frame. It is a table with open addressing whose
// entries lie side by side, and allocates only when it grows.
type filed[V any] struct {
	rows []filedRow[V]
	n    int
}

type filedRow[V any] struct {
	hash  uint64 // 0: the row is free
	value V
}

// noHash stands for the hash 0, which marks free rows.
const noHash = 1 << 63

func (t *filed[V]) home(h uint64) int {
	return int(h * 0x9e3779b97f4a7c15 >> (64 - bits.TrailingZeros(uint(len(t.rows)))))
}

// slot is the row that holds a hash, or the free one where it would go. There are
// always free rows.
func (t *filed[V]) slot(h uint64) int {
	i := t.home(h)
	for t.rows[i].hash != h && t.rows[i].hash != 0 {
		i = (i + 1) & (len(t.rows) - 1)
	}
	return i
}

// get returns the value of a hash, nil if it has none. It is valid until the
// table changes.
func (t *filed[V]) get(h uint64) *V {
	if t.n == 0 {
		return nil
	}
	if h == 0 {
		h = noHash
	}
	if row := &t.rows[t.slot(h)]; row.hash == h {
		return &row.value
	}
	return nil
}

// put returns the value of a hash, made if there is none yet, to be set.
func (t *filed[V]) put(h uint64) *V {
	if 2*(t.n+1) > len(t.rows) {
		t.grow()
	}
	if h == 0 {
		h = noHash
	}
	row := &t.rows[t.slot(h)]
	if row.hash == 0 {
		row.hash = h
		t.n++
	}
	return &row.value
}

func (t *filed[V]) grow() {
	old := t.rows
	t.rows, t.n = make([]filedRow[V], max(16, 2*len(old))), 0
	for i := range old {
		if old[i].hash != 0 {
			*t.put(old[i].hash) = old[i].value
		}
	}
}

// drop takes a hash out. Rows that follow move up, so that none is behind a
// free one.
func (t *filed[V]) drop(h uint64) {
	if t.n == 0 {
		return
	}
	if h == 0 {
		h = noHash
	}
	last := len(t.rows) - 1
	i := t.slot(h)
	if t.rows[i].hash == 0 {
		return
	}
	for j := (i + 1) & last; t.rows[j].hash != 0; j = (j + 1) & last {
		if home := t.home(t.rows[j].hash); (j-home)&last >= (j-i)&last {
			t.rows[i] = t.rows[j]
			i = j
		}
	}
	t.rows[i] = filedRow[V]{}
	t.n--
}

// clear takes all out.
func (t *filed[V]) clear() {
	clear(t.rows)
	t.n = 0
}

// hashWords hashes bytes eight at a time, for hashes that are kept nowhere.
func hashWords(h uint64, b []byte) uint64 {
	h ^= uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = hashWord(h, uint64(b[0])|uint64(b[1])<<8|uint64(b[2])<<16|uint64(b[3])<<24|
			uint64(b[4])<<32|uint64(b[5])<<40|uint64(b[6])<<48|uint64(b[7])<<56)
	}
	if len(b) == 0 {
		return h
	}
	var rest uint64
	for i, c := range b {
		rest |= uint64(c) << (8 * i)
	}
	return hashWord(h, rest)
}

// hashWord continues a hash with a number.
func hashWord(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xd6e8feb86659fd93)
	return hi ^ lo ^ bits.RotateLeft64(h, 23)
}
