package why

import (
	"net/netip"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// making is an address that a flow's action gives packets.
type making struct {
	snat bool
	lb   bool // it is one of several backends
	vip  bool // the address is what was asked for, whatever that was
	to   netip.AddrPort
}

// translate notes what an action translates packets to.
func (s *sides) translate(a lflow.Action) {
	switch a := a.(type) {
	case lflow.CTNAT:
		if a.Addr.IsValid() {
			s.makes = append(s.makes, making{snat: a.SNAT, to: netip.AddrPortFrom(a.Addr, 0)})
		}
	case lflow.CTLB:
		s.balances = true
		for _, b := range a.Backends {
			s.makes = append(s.makes, making{lb: true, to: netip.AddrPortFrom(b.Addr, b.Port)})
		}
	case lflow.CTSNATToVIP:
		s.makes = append(s.makes, making{snat: true, vip: true})
	}
}

// Floating are the addresses for which NAT rows give packets another, by flows that name
// the one and the other.
func (x *Explainer) Floating() map[netip.Addr]netip.Addr {
	list := map[netip.Addr]netip.Addr{}
	for _, f := range x.Book.Net.Flows {
		if f.StageName() != "lr_in_dnat" {
			continue
		}
		switch f.Priority { // by which northd tells load balancers' flows, which may be many
		case 110, 120, 130:
			continue
		}
		if r, stateless := x.Rewrites(f); stateless && r.Dst && r.From.IsValid() {
			list[r.From] = r.To
			continue
		}
		s := x.of(f)
		if len(s.makes) != 1 || s.makes[0].snat || s.makes[0].lb || len(s.asks.addr[1]) != 1 {
			continue
		}
		to := s.makes[0].to.Addr()
		if from := s.asks.addr[1][0].whole(to.Is4()); from.IsValid() {
			list[from] = to
		}
	}
	return list
}

// asks is what a match asks of a packet's source and destination: of each, bits
// that must be as given. What it asks in other ways is left out.
type asks struct {
	addr, port [2][]bits // 0 source, 1 destination; any of them
	reg        []bits    // of reg8 and reg9, all of them
}

type bits struct {
	value, mask field.Uint128
	set         *lflow.Expr // one of a set; nil: as given
}

func (b bits) has(v field.Uint128) bool {
	if b.set != nil {
		return b.set.Among(v)
	}
	return v.And(b.mask) == b.value.And(b.mask)
}

// read collects what every packet that matches has.
func (q *asks) read(e *lflow.Expr, f *network.Flow) {
	switch e.Kind {
	case lflow.And:
		for _, a := range e.Args {
			q.read(a, f)
		}
	case lflow.Or: // of one field's values, if it is to tell anything
		var one asks
		for _, a := range e.Args {
			if a.Kind != lflow.Cmp && a.Kind != lflow.In {
				return
			}
			one.read(a, f)
		}
		for i := range 2 {
			if len(one.addr[i]) == len(e.Args) {
				q.addr[i] = append(q.addr[i], one.addr[i]...)
			}
			if len(one.port[i]) == len(e.Args) {
				q.port[i] = append(q.port[i], one.port[i]...)
			}
		}
	case lflow.Cmp, lflow.In:
		if e.Op != lflow.EQ || e.Symbol.IsString() {
			return
		}
		b := bits{value: e.Value, mask: e.Mask}
		if e.Kind == lflow.In {
			b = bits{set: e}
		}
		switch e.Symbol.Field {
		case field.IP4Src, field.IP6Src:
			q.addr[0] = append(q.addr[0], b)
		case field.IP4Dst, field.IP6Dst:
			q.addr[1] = append(q.addr[1], b)
		case field.TpSrc:
			q.port[0] = append(q.port[0], b)
		case field.TpDst:
			q.port[1] = append(q.port[1], b)
		case field.XXReg0, field.XReg4:
			if b.set != nil {
				return
			}
			q.register(b, e.Symbol.Field, f)
		}
	}
}

// register reads registers. In some routers kept what was asked for before they
// looked up load balancers, until OVN 23.03: reg0 or xxreg0 and the upper half of
// reg9.
func (q *asks) register(b bits, id field.ID, f *network.Flow) {
	if id == field.XReg4 {
		q.reg = append(q.reg, b)
	}
	router := f.StageName() == "lr_in_dnat"
	if !router && f.StageName() != "ls_in_lb" {
		return
	}
	low, port := field.Ones(32), field.Ones(16)
	switch {
	case router && id == field.XXReg0 && b.mask == low.Lsh(96):
		q.addr[1] = append(q.addr[1], bits{value: b.value.Rsh(96), mask: low})
	case router && id == field.XXReg0 && b.mask == field.Ones(128):
		q.addr[1] = append(q.addr[1], b)
	case id == field.XXReg0 && b.mask == port.Lsh(64): // since OVN 24.09: reg1's lower half
		q.port[1] = append(q.port[1], bits{value: b.value.Rsh(64), mask: port})
	case router && id == field.XReg4 && b.mask == port.Lsh(16):
		q.port[1] = append(q.port[1], bits{value: b.value.Rsh(16), mask: port})
	}
}

// admit reports whether a packet with a source or destination may match.
func (q *asks) admit(side int, at netip.AddrPort, ported bool) bool {
	return anyOf(q.addr[side], number(at.Addr())) && (!ported || anyOf(q.port[side], field.U64(uint64(at.Port()))))
}

// exactly reports whether the match asks for this address among others of its side.
func (q *asks) exactly(side int, at netip.Addr) bool {
	return len(q.addr[side]) > 0 && anyOf(q.addr[side], number(at))
}

func anyOf(list []bits, v field.Uint128) bool {
	for _, b := range list {
		if b.has(v) {
			return true
		}
	}
	return len(list) == 0
}

func number(a netip.Addr) field.Uint128 {
	if a.Is4() {
		b := a.As4()
		return field.U64(uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]))
	}
	return field.FromBytes(a.As16())
}
