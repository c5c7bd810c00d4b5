package replay

import "ovnreplay/conntrack"

// soonest bounds by how much clocks and the resolution of timestamps may set a
// packet's way in after its way out.
const soonest = conntrack.Second

// sooner replays, before a frame that left, the frame by which its packet
// entered, when that comes later by its timestamp: nothing leaves before it
// entered. What its capture shows before it, in the capture's own order, comes
// before it.
func (s *Run) sooner(f *Frame) {
	g := s.entry(f)
	if g == nil {
		return
	}
	for i := s.head; i < len(s.queue); i++ {
		h := s.queue[i]
		if h.Capture == g.Capture && !h.played {
			s.play(h)
		}
		if h == g || g.played {
			return
		}
	}
}

// entry finds the frame by which a frame's packet is still to enter, although
// the frame has left: nil if it has entered, or if none is near.
func (s *Run) entry(f *Frame) (g *Frame) {
	if f.id == 0 || f.skip != "" || f.dir != Left && f.dir != Crossed || s.hoisting > maxHoisting {
		return nil
	}
	if s.due(f) {
		return nil // it has
	}
	id := f.id
	chain := s.alike(id)
	if chain.first == f && f.same == nil {
		seg := f.segment()
		if id = s.history.pieces.with(&seg, seg.start); id == 0 || id == f.id {
			return nil
		}
		chain = s.alike(id)
	}
	for l, n := chain.first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir == Entered && l.skip == "" && l.point.Port != nil && l.point.Port != f.point.Port && !l.twin &&
			!l.played && l.Time-f.Time <= soonest {
			g = l
			break
		}
	}
	if g == nil || s.entered(f, id) {
		return nil
	}
	return g
}

// maxHoisting bounds how deep causes of causes are looked for.
const maxHoisting = 64

// due reports whether a frame that left is predicted there: its packet has entered.
func (s *Run) due(f *Frame) bool {
	return f.dir == Left && s.inferrer.expected.has(expectKey{f.point.key(), f.id})
}

// entered reports whether a packet of the identity has entered just before.
func (s *Run) entered(f *Frame, id uint64) (found bool) {
	if s.due(f) {
		return true
	}
	s.history.fates.each(id, func(x *fate) bool {
		found = f.Time-x.time < soonest && x.time-f.Time < soonest
		return !found
	})
	return found
}

// play replays a frame of the queue out of turn, or in it.
func (s *Run) play(f *Frame) {
	f.played = true
	s.hoisting++
	s.sooner(f)
	s.hoisting--
	s.now = max(s.now, f.Time)
	s.turn = turn{reference(f), f.Time}
	s.next(f)
}

// turn is the frame of the queue that is in progress, and its time: later ones may have
// been replayed before it.
type turn struct {
	of uint64 // its reference
	at conntrack.Time
}

// unlink takes a frame out of those that are found by their identity.
func (s *Run) unlink(f *Frame) {
	if f.id == 0 {
		return
	}
	if c := s.alike(f.id).without(f, func(f *Frame) **Frame { return &f.same }); c.first == nil {
		s.later.drop(f.id)
	} else {
		*s.later.put(f.id) = c
	}
}

// with returns the chain with a frame at its end.
func (c chain) with(f *Frame, next func(*Frame) **Frame) chain {
	if c.first == nil {
		return chain{first: f, last: f}
	}
	*next(c.last) = f
	c.last = f
	return c
}

// without returns the chain without a frame.
func (c chain) without(f *Frame, next func(*Frame) **Frame) chain {
	var before *Frame
	for l := c.first; l != nil; before, l = l, *next(l) {
		if l != f {
			continue
		}
		if before == nil {
			c.first = *next(f)
		} else {
			*next(before) = *next(f)
		}
		if c.last == f {
			c.last = before
		}
		break
	}
	return c
}
