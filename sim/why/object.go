package why

import (
	"net/netip"

	"ovnreplay/conntrack"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// At says of what moment the rows are that Object tells: of that of the last packet that was decided
// about, if nobody says.
func (x *Explainer) At(now conntrack.Time) { x.now = now }

// Object is the Northbound row that a flow was made of, nil if that is not known. Of a
// load balancer it tells the addresses that the flow is for.
func (x *Explainer) Object(f *network.Flow) *network.Object {
	o := x.Objects.At(f, int64(x.now))
	if o == nil || len(o.Parts) < 2 {
		return o
	}
	s := x.of(f)
	if s.made != o {
		s.made, s.about = o, o
		for _, is := range s.isFor(f) {
			if s.about = o.About(is); s.about != o {
				break
			}
		}
	}
	return s.about
}

// isFor tells for which of a load balancer's addresses a flow is: those of which it learns
// the backends, else those that the packets which match are for, else those that it compares registers with.
func (s *sides) isFor(f *network.Flow) []func(netip.AddrPort) bool {
	written := map[netip.Addr]bool{}
	for a := range lflow.Written(f.Match) {
		written[a] = true
	}
	return []func(netip.AddrPort) bool{
		func(at netip.AddrPort) bool {
			return at.Addr() == s.learns.Addr() && (at.Port() == 0 || at.Port() == s.learns.Port())
		},
		func(at netip.AddrPort) bool {
			return s.asks.exactly(1, at.Addr()) && s.asks.admit(1, at, at.Port() != 0)
		},
		func(at netip.AddrPort) bool { return written[at.Addr()] },
	}
}
