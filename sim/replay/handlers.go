package replay

import (
	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// Handlers returns a handler that hands on to several, in their order.
func Handlers(list ...Handler) Handler { return handlers(list) }

type handlers []Handler

func (hs handlers) attach(s *Session) {
	for _, h := range hs {
		if a, ok := h.(interface{ attach(*Session) }); ok {
			a.attach(s)
		}
	}
}

func (hs handlers) become(net *network.Network) {
	for _, h := range hs {
		if b, ok := h.(interface{ become(*network.Network) }); ok {
			b.become(net)
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
