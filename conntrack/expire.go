package conntrack

// dueHeap is a binary heap of connection numbers by due time, creation order
// breaking ties. A connection's due time may lag behind its expiry: packets
// only ever move expiry, and the heap catches up when the lagging time comes.
type dueHeap []uint32

func (h dueHeap) less(p *pool, a, b uint32) bool {
	x, y := p.at(a), p.at(b)
	if x.due != y.due {
		return x.due < y.due
	}
	return x.seq < y.seq
}

func (h *dueHeap) push(p *pool, idx uint32) {
	c := p.at(idx)
	c.due, c.pos = c.expires, uint32(len(*h))
	*h = append(*h, idx)
	h.up(p, len(*h)-1)
}

func (h *dueHeap) remove(p *pool, idx uint32) {
	i, last := int(p.at(idx).pos), len(*h)-1
	h.put(p, i, (*h)[last])
	*h = (*h)[:last]
	if i < last {
		h.down(p, i)
		h.up(p, i)
	}
}

func (h dueHeap) put(p *pool, i int, idx uint32) {
	h[i] = idx
	p.at(idx).pos = uint32(i)
}

func (h dueHeap) up(p *pool, i int) {
	idx := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(p, idx, h[parent]) {
			break
		}
		h.put(p, i, h[parent])
		i = parent
	}
	h.put(p, i, idx)
}

func (h dueHeap) down(p *pool, i int) {
	idx := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h.less(p, h[child+1], h[child]) {
			child++
		}
		if !h.less(p, h[child], idx) {
			break
		}
		h.put(p, i, h[child])
		i = child
	}
	h.put(p, i, idx)
}

// setExpiry moves a connection's expiry. Later is free; earlier moves it in the heap.
func (t *Table) setExpiry(idx uint32, at Time) {
	c := t.pool.at(idx)
	if at < c.expires {
		t.uncrowd(c)
	}
	c.expires = at
	if c.linked != 0 && at < c.due {
		c.due = at
		t.due.up(&t.pool, int(c.pos))
	}
}

// refresh gives a connection a fresh timeout from now.
func (t *Table) refresh(idx uint32, d Timeout) { t.setExpiry(idx, t.now+t.timeout[d]) }

// kill makes a connection dead at once.
func (t *Table) kill(idx uint32) { t.remove(idx) }

// memory is how long an expired connection is kept to tell why a packet no longer finds it.
const memory = 600 * Second

// sweepDue removes at most n connections that expired before the given moment.
func (t *Table) sweepDue(before Time, n int) int {
	removed := 0
	for removed < n && len(t.due) > 0 {
		idx := t.due[0]
		c := t.pool.at(idx)
		if c.due > before {
			break
		}
		if c.expires > c.due {
			c.due = c.expires
			t.due.down(&t.pool, 0)
			continue
		}
		t.remove(idx)
		removed++
	}
	return removed
}

// Expire removes every connection that has timed out at now, earliest first,
// and returns how many. Looking up never finds them anyway; expiring frees
// their memory, and what Outcome.Expired could have told.
func (t *Table) Expire(now Time) int {
	t.tick(now)
	return t.sweepDue(t.now, t.live)
}
