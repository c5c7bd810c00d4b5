package replay

// ring remembers the last values, by an identity. Values come with each packet and
// are asked for with few: they lie side by side in their order, and are filed
// by their identities only when somebody asks.
type ring[T any] struct {
	size   int // 0: historySize
	values []entry[T]
	next   int
	fresh  int          // how many of the newest are not filed yet
	last   filed[int32] // position of the newest value of an identity
}

type entry[T any] struct {
	id    uint64
	filed uint64 // the identity under which the position is filed, which may be an older value's
	older int32  // position of the next older value of the identity, -1: none
	value T
}

// push makes room for a new value and returns it; what it holds is left from
// an older one, for its buffers to be used again.
func (r *ring[T]) push(id uint64) *T {
	i := r.next
	if i == len(r.values) {
		r.values = append(r.values, entry[T]{})
	}
	r.values[i].id = id
	r.next = (i + 1) % r.capacity()
	r.fresh = min(r.fresh+1, len(r.values))
	return &r.values[i].value
}

// file makes the newest values findable, in their order, as if each had been filed
// when it came.
func (r *ring[T]) file() {
	for ; r.fresh > 0; r.fresh-- {
		i := r.next - r.fresh
		if i < 0 {
			i += len(r.values)
		}
		x := &r.values[i]
		if old := r.last.get(x.filed); x.filed != 0 && old != nil && int(*old) == i {
			r.last.drop(x.filed)
		}
		x.older = -1
		if j := r.last.get(x.id); j != nil {
			x.older = *j
		}
		*r.last.put(x.id) = int32(i)
		x.filed = x.id
	}
}

// each calls yield with the values of an identity, newest first, until it
// returns false.
func (r *ring[T]) each(id uint64, yield func(*T) bool) {
	r.file()
	newest := r.last.get(id)
	if newest == nil {
		return
	}
	i := int(*newest)
	for n := 0; i >= 0 && r.values[i].id == id && n < 16; n++ {
		if !yield(&r.values[i].value) {
			return
		}
		next := int(r.values[i].older)
		if next >= 0 && r.newer(next, i) {
			return // overwritten since
		}
		i = next
	}
}

// newer reports whether position a was written after position b.
func (r *ring[T]) newer(a, b int) bool {
	n := r.capacity()
	age := func(i int) int { return (r.next - 1 - i + n) % n }
	return age(a) < age(b)
}

func (r *ring[T]) capacity() int {
	if r.size > 0 {
		return r.size
	}
	return historySize
}
