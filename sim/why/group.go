package why

import (
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Group is the next hops among which a flow chooses by weight.
type Group struct {
	Members []GroupMember // in the order of the action
}

// GroupMember is one of them.
type GroupMember struct {
	Hop    string // its address; its number where no flow leads on from it
	Weight int
}

// Weight is how much all members weigh together.
func (g *Group) Weight() (n int) {
	for _, m := range g.Members {
		n += m.Weight
	}
	return n
}

// route notes what an action says of the way: that it chooses, or the next hop.
func (s *sides) route(a lflow.Action) {
	switch a := a.(type) {
	case lflow.Select:
		s.choice = &a
	case lflow.Load:
		to := a.Dst.Slice()
		switch v := a.Value; {
		case to == (field.Slice{Field: field.XXReg0, Ofs: 96, Width: 32}) && v.Format == lflow.FormatIPv4:
			s.hop = header.IPv4(v.Value.Lo)
		case to == field.Whole(field.XXReg0) && v.Format == lflow.FormatIPv6:
			s.hop = netip.AddrFrom16(v.Value.Bytes())
		case to.Field == field.XReg4:
			at := field.Ones(int(to.Width)).Lsh(uint(to.Ofs))
			s.regs = append(s.regs, bits{value: v.Value.Lsh(uint(to.Ofs)), mask: at})
		}
	}
}

// Chooses reports whether a flow of a datapath chooses among next hops, and
// among which: the flows of the table after it that test the number chosen.
func (x *Explainer) Chooses(f *network.Flow, d *network.Datapath) (*Group, bool) {
	s := x.of(f)
	if s.choice == nil {
		return nil, false
	}
	p := 0
	if f.Egress {
		p = 1
	}
	var next []*network.Flow
	if tables := d.Flows[p]; int(f.Table)+1 < len(tables) {
		next = tables[f.Table+1]
	}
	g := &Group{}
	for _, m := range s.choice.Members {
		set := s.chosen(m)
		member := GroupMember{fmt.Sprint(m.ID), int(m.Weight)}
		for _, f := range next {
			if t := x.of(f); t.facts.Sends && t.hop.IsValid() && t.asks.registers(set) {
				member.Hop = t.hop.String()
				break
			}
		}
		g.Members = append(g.Members, member)
	}
	return g, true
}

// ChosenBy is the flow of a datapath that chooses a member of a group to which another of the
// stage after it leads; nil if there is none.
func (x *Explainer) ChosenBy(member *network.Flow, d *network.Datapath) *network.Flow {
	if member.Egress || member.Table == 0 || int(member.Table) >= len(d.Flows[0]) {
		return nil
	}
	for _, f := range d.Flows[0][member.Table-1] {
		s := x.of(f)
		if s.choice == nil {
			continue
		}
		for _, m := range s.choice.Members {
			if x.of(member).asks.registers(s.chosen(m)) {
				return f
			}
		}
	}
	return nil
}

// chosen is what registers hold behind a choice.
func (s *sides) chosen(m lflow.Member) []bits {
	to := s.choice.Dst.Slice()
	at := field.Ones(int(to.Width)).Lsh(uint(to.Ofs))
	id := bits{value: field.U64(uint64(m.ID)).Lsh(uint(to.Ofs)), mask: at}
	return append([]bits{id}, s.regs...)
}

// Leads returns the next hop to which a flow sends packets; false if it does not.
func (x *Explainer) Leads(f *network.Flow) (hop string, ok bool) {
	if s := x.of(f); s.facts.Sends && s.hop.IsValid() {
		return s.hop.String(), true
	}
	return "", false
}

// Balances reports whether a flow is a load balancer's: it gives packets one of
// its backends, or ends them where there is none.
func (x *Explainer) Balances(f *network.Flow) bool { return x.of(f).balances || x.withoutBackends(f) }

// For is the one address that a flow's packets are for, with their port, or 0 if that may be any; the zero one
// if it is not one.
func (x *Explainer) For(f *network.Flow) netip.AddrPort {
	q := &x.of(f).asks
	if len(q.addr[1]) != 1 || len(q.port[1]) > 1 || q.addr[1][0].set != nil {
		return netip.AddrPort{}
	}
	at := q.addr[1][0].whole(q.addr[1][0].mask == field.Ones(32))
	port := uint16(0)
	if len(q.port[1]) == 1 {
		port = uint16(q.port[1][0].value.Lo)
	}
	if !at.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(at, port)
}

// Fixed reports whether a flow gives packets the one address that it names, as those of
// NAT rows do: there is nothing to choose from.
func (x *Explainer) Fixed(f *network.Flow) bool {
	s := x.of(f)
	return len(s.makes) > 0 && !s.balances
}

// registers reports whether a match asks for reg8 and reg9 to be as they are set,
// and for nothing else of them.
func (q *asks) registers(set []bits) bool {
	for _, b := range q.reg {
		if !slices.ContainsFunc(set, func(s bits) bool { return s.mask == b.mask && s.has(b.value) }) {
			return false
		}
	}
	return len(q.reg) > 0
}
