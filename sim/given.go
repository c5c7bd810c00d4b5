package sim

import (
	"net/netip"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/trace"
)

// Given is what someone who asks what would happen fixes beforehand.
type Given struct {
	// Meta is metadata that the packet enters its first pipeline with.
	Meta *field.Key
	// States are what the first look-ups in conntrack report, one after the
	// other, whatever the tables say. As in ovn-trace a look-up for NAT takes
	// one only if the packet is not tracked yet.
	States []conntrack.State
	// Member is the member that select chooses where there is one of that ID.
	Member uint16
	// Backend is the first load balancer's choice if it has that address.
	Backend netip.Addr
}

// give lets the packet enter its first pipeline with the metadata it was given.
func (e *Engine) give(p *pkt) {
	g := e.out.Of.Given
	if g == nil || g.Meta == nil || p.depth > 0 {
		return
	}
	for w := range p.Key {
		p.Key[w] |= g.Meta[w] & metadataMask[w]
	}
}

// override replaces what conntrack said of p by the next of the states given.
func (e *Engine) override(p *pkt, known bool) {
	g := e.out.Of.Given
	if g == nil || e.states >= len(g.States) {
		return
	}
	t := &e.out.Trace
	if known && e.natOnly() {
		return
	}
	s := g.States[e.states] | conntrack.Tracked
	e.states++
	p.Key.Set(field.CTState, uint64(s))
	if n := len(t.CT); n > 0 {
		t.CT[n-1].State, t.CT[n-1].Override = s, true
	}
}

// natOnly reports whether the action at hand is ct_dnat or ct_snat.
func (e *Engine) natOnly() bool {
	ev := e.out.Trace.Last(trace.Act)
	if ev == nil || ev.Flow < 0 {
		return false
	}
	op := e.Compiled(ev.Flow).Op(int(ev.Arg))
	return op.Code == lflow.OpCTNAT || op.Code == lflow.OpCTCommitToZone
}

// givenBackend returns the backend given, once, if it is among the members.
func (e *Engine) givenBackend(members []*lflow.Destination) *lflow.Destination {
	g := e.out.Of.Given
	if g == nil || e.served || !g.Backend.IsValid() {
		return nil
	}
	want := header.Bytes(g.Backend)
	for _, b := range members {
		if b.Addr == want && b.V6 == g.Backend.Is6() {
			e.served = true
			return b
		}
	}
	return nil
}

// givenMember returns the index of the member given for a select, -1 if none is.
func (e *Engine) givenMember(a lflow.Select) int {
	g := e.out.Of.Given
	if g == nil || g.Member == 0 {
		return -1
	}
	for i, m := range a.Members {
		if m.ID == g.Member {
			return i
		}
	}
	return -1
}
