package replay

import (
	"ovnreplay/conntrack"
	"ovnreplay/sim"
)

// Handlers returns a handler that hands on to several, in their order.
func Handlers(list ...Handler) Handler { return handlers(list) }

type handlers []Handler

// Handlers of this package are told by which run they are used, when its
// network becomes another one, which packets met the former one after that, and
// that a chassis tracks smaller fragments than usual.
type (
	attacher interface{ attach(*Run) }
	follower interface{ become(since conntrack.Time) }
	racer    interface{ raced(Race) }
	allower  interface{ small(Small) }
)

var (
	_ attacher = handlers{}
	_ follower = handlers{}
	_ attacher = (*Verifier)(nil)
	_ follower = (*Verifier)(nil)
	_ racer    = handlers{}
	_ allower  = handlers{}
	_ racer    = (*Verifier)(nil)
	_ allower  = (*Verifier)(nil)
)

func (hs handlers) attach(s *Run) {
	for _, h := range hs {
		if a, ok := h.(attacher); ok {
			a.attach(s)
		}
	}
}

func (hs handlers) become(since conntrack.Time) {
	for _, h := range hs {
		if b, ok := h.(follower); ok {
			b.become(since)
		}
	}
}

func (hs handlers) raced(r Race) {
	for _, h := range hs {
		if told, ok := h.(racer); ok {
			told.raced(r)
		}
	}
}

func (hs handlers) small(x Small) {
	for _, h := range hs {
		if told, ok := h.(allower); ok {
			told.small(x)
		}
	}
}

// Entered implements Handler.
func (hs handlers) Entered(f *Frame, p *Point, out *sim.Outcome) {
	for _, h := range hs {
		h.Entered(f, p, out)
	}
}

// Observed implements Handler.
func (hs handlers) Observed(f *Frame, p *Point) {
	for _, h := range hs {
		h.Observed(f, p)
	}
}

// Skipped implements Handler.
func (hs handlers) Skipped(f *Frame, p *Point, why string) {
	for _, h := range hs {
		h.Skipped(f, p, why)
	}
}
