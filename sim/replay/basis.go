package replay

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"

	"ovnreplay/sim/trace"
)

// basis is what a verdict rests on: what was observed where and compared, and,
// as long as nothing was, what became of the packets instead.
type basis struct {
	points  map[pointKey]*Compared
	order   []*Compared // as first met
	known   bool        // some packet has an address of this network
	fates   [sim.Unknown + 1]int
	drops   map[trace.Reason]int
	skips   map[string]int
	nothing bool
	foreign strangers // as long as none is known
}

func newBasis() basis {
	return basis{points: map[pointKey]*Compared{}, drops: map[trace.Reason]int{}, skips: map[string]int{},
		nothing: true}
}

// frame looks at a captured frame, until one is this network's.
func (b *basis) frame(f *Frame, o *Owners) {
	if !b.known && len(f.Data) >= 14 {
		if b.known = o.related(f); !b.known {
			b.foreign.add(f.Data)
		}
	}
}

// related reports whether one of a frame's addresses is one of the network's.
func (o *Owners) related(f *Frame) bool {
	if len(o.ports[macAt(f.Data)]) > 0 || len(o.ports[macAt(f.Data[6:])]) > 0 {
		return true
	}
	for _, end := range endpoints(f.Headers()) {
		a := netip.AddrFrom16(end.addr)
		if f.Headers().Key.Get(field.EthType) != header.EtherIPv6 {
			a = netip.AddrFrom4([4]byte(end.addr[:4]))
		}
		if o.has(a) {
			return true
		}
	}
	return false
}

// entered notes what became of a packet.
func (b *basis) entered(out *sim.Outcome) {
	if !b.nothing {
		return
	}
	b.fates[out.Verdict]++
	if out.Verdict == sim.Dropped {
		b.drops[out.Drop]++
	}
}

// skipped notes a frame that is placed nowhere.
func (b *basis) skipped(why string) {
	if _, known := b.skips[why]; b.nothing && (known || len(b.skips) < 64) {
		b.skips[why]++
	}
}

// observed notes a packet that left OVN.
func (b *basis) observed(w *waiter) {
	b.nothing = false
	c := b.points[w.point]
	if c == nil {
		c = &Compared{Port: w.where.Name(), where: w.where}
		if w.where.Chassis != nil {
			c.Chassis = w.where.Chassis.Name
		}
		b.points[w.point] = c
		b.order = append(b.order, c)
	}
	c.Observed++
}

// compared notes that an observed packet was held against a predicted one.
func (b *basis) compared(x, y *waiter) {
	seen := x
	if x.predicted {
		seen = y
	}
	c := b.points[seen.point]
	c.Compared++
	if !x.short && !y.short && !x.bare && !y.bare && len(x.data) >= x.wire && len(y.data) >= y.wire {
		c.Full++
	}
}

// report tells what the verdict rests on.
func (b *basis) report(r *Report, net *network.Network) {
	r.Compared = []Compared{}
	for _, c := range b.order {
		r.Compared = append(r.Compared, *c)
	}
	slices.SortStableFunc(r.Compared, func(x, y Compared) int {
		return cmp.Or(cmp.Compare(x.Port, y.Port), cmp.Compare(x.Chassis, y.Chassis))
	})
	switch {
	case r.elsewhere():
		r.Unverified = "all that was observed may have come from ports of which there is no capture; capture there, too"
	case r.uncompared():
		r.Unverified = "nothing that was observed was predicted, and artefacts of the captures would explain all " +
			"of it; give captures that overlap in time"
	}
	if b.nothing && len(r.Unexpected) == 0 && !r.Interrupted && !b.asPredicted(r) {
		r.Unverified = b.why(r, net)
	}
}

// allExplained reports whether packets were observed, and none of them is a difference nor was
// predicted, but all are explained by artefacts.
func (r *Report) allExplained() bool {
	return !r.Interrupted && r.differing() == 0 && r.Observed > 0 && r.Explained == r.Observed
}

// elsewhere reports whether nothing could be compared, since captures do not show where
// any of what was observed had entered.
func (r *Report) elsewhere() bool {
	return r.allExplained() && slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Cause == CauseElsewhere })
}

// uncompared reports whether nothing could be compared, at ports nor in tunnels.
func (r *Report) uncompared() bool {
	return r.allExplained() && r.Matched+r.Autonomous == 0 && (r.Underlay == nil || r.Underlay.Matched == 0)
}

// asPredicted reports whether nothing was observed leaving OVN because nothing
// should: packets of this network entered, and all of them end there.
func (b *basis) asPredicted(r *Report) bool {
	return b.known && r.Entered > 0 && b.fates[sim.Delivered] == 0
}

// why says why nothing could be verified.
func (b *basis) why(r *Report, net *network.Network) string {
	entered := r.Entered
	if r.Underlay != nil {
		entered += r.Underlay.Entered
	}
	switch {
	case r.all() == 0:
		return "the captures hold no packets"
	case entered == 0:
		s := fmt.Sprintf("all %d packets were skipped (%s)", r.all(), most(b.skips))
		if !b.known {
			s += "; " + b.foreign.told(net)
		}
		return s
	}
	s := fmt.Sprintf("no packet was observed leaving OVN; %d entered", entered)
	if n := b.fates[sim.Dropped]; n > 0 {
		s += fmt.Sprintf(", %d were dropped (%s)", n, most(b.drops))
	}
	if n := b.fates[sim.Consumed]; n > 0 {
		s += fmt.Sprintf(", %d went to ovn-controller or are held", n)
	}
	if !b.known {
		return s + "; " + b.foreign.told(net)
	}
	return s + "; give the capture of a port where they leave, too"
}

// most is the commonest of some reasons.
func most[K interface {
	comparable
	cmp.Ordered
}](counts map[K]int) string {
	var best K
	n := 0
	for k, c := range counts {
		if c > n || c == n && k < best {
			best, n = k, c
		}
	}
	s := fmt.Sprint(best)
	if len(counts) > 1 {
		s = fmt.Sprintf("%d: %s", n, s)
	}
	return s
}
