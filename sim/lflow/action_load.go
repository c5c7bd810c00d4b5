package lflow

import (
	"ovnreplay/sim/field"
)

// Load is "dst = constant;". Fields without a place in the flow key
// (Dst.Symbol.OVNField) are loaded too.
type Load struct {
	Dst   FieldRef
	Value Constant
}

// Move is "lhs = rhs;"; Exchange is "lhs <-> rhs;".
type (
	Move     struct{ Dst, Src FieldRef }
	Exchange struct{ A, B FieldRef }
)

// assignment parses the actions that begin with a field: loads, moves,
// exchanges and "field = name(…)".
func (p *parser) assignment() Action {
	start := p.tok.Pos
	dst := p.lvalue()
	switch {
	case p.match(TokenExchange):
		return p.move(start, dst, true)
	case !p.match(TokenEquals):
		p.syntax("expecting `=' or `<->'")
	}
	if p.tok.Type != TokenID {
		p.checkWritable(start, dst)
		return Load{Dst: dst, Value: p.assigned(dst)}
	}
	if f := functions[p.tok.Text]; f != nil {
		if p.peek() == TokenLParen || p.is("dhcp_relay_req_chk") || p.is("dhcp_relay_resp_chk") {
			return f(p, start, dst)
		}
	}
	return p.move(start, dst, false)
}

// move parses the right side of an assignment or exchange.
func (p *parser) move(start int, dst FieldRef, exchange bool) Action {
	src := p.lvalue()
	d, s := dst.Symbol, src.Symbol
	switch {
	case (d.Width != 0) != (s.Width != 0) && exchange:
		p.failAt(start, p.last, "Can't exchange %s field (%s) with %s field (%s).", kindOf(d), d.Name, kindOf(s),
			s.Name)
	case (d.Width != 0) != (s.Width != 0):
		p.failAt(start, p.last, "Can't assign %s field (%s) to %s field (%s).", kindOf(s), s.Name, kindOf(d), d.Name)
	case dst.Width != src.Width && exchange:
		p.failAt(start, p.last, "Can't exchange %d-bit field with %d-bit field.", dst.Width, src.Width)
	case dst.Width != src.Width:
		p.failAt(start, p.last, "Can't assign %d-bit value to %d-bit destination.", src.Width, dst.Width)
	case dst.Width == 0 && d.bits() != s.bits():
		what := "assignment"
		if exchange {
			what = "exchange"
		}
		p.failAt(start, p.last, "String fields %s and %s are incompatible for %s.", d.Name, s.Name, what)
	}
	p.checkWritable(start, dst)
	if exchange {
		p.checkWritable(start, src)
		return Exchange{dst, src}
	}
	return Move{dst, src}
}

func kindOf(s *Symbol) string {
	if s.Width == 0 {
		return "string"
	}
	return "integer"
}

func (a Load) format(f *actionFormat) {
	f.field(a.Dst)
	f.str(" = ")
	switch a.Dst.Symbol.OVNField {
	case NoOVNField:
		f.b = a.Value.append(f.b)
	case ICMP4InnerIP4Src:
		f.b = appendIPv4(f.b, uint32(a.Value.Value.Lo))
	default:
		f.number(uint64(uint16(a.Value.Value.Lo))) // 16 bits of either MTU, as OVN prints them
	}
	f.str(";")
}

func (a Load) compile(r Resolver) (Op, error) {
	if a.Dst.Symbol.OVNField != NoOVNField {
		return Op{Code: OpLoadOVNField, OVNField: a.Dst.Symbol.OVNField, Value: a.Value.Value}, nil
	}
	op := Op{Code: OpLoad, Dst: a.Dst.Slice(), Value: a.Value.Value}
	op.Mask = field.Ones(int(op.Dst.Width))
	if a.Value.Masked {
		op.Mask = a.Value.Mask
	}
	if a.Dst.Symbol.IsString() && a.Value.String != "" {
		port, _ := r.Port(a.Value.String) // as in OVN, an unknown port is 0
		op.Value = field.U64(uint64(port))
	}
	return op, nil
}

func (a Move) format(f *actionFormat) { f.pair(a.Dst, " = ", a.Src) }

func (a Move) compile(Resolver) (Op, error) {
	return Op{Code: OpMove, Dst: a.Dst.Slice(), A: a.Src.Slice()}, nil
}

func (a Exchange) format(f *actionFormat) { f.pair(a.A, " <-> ", a.B) }

func (a Exchange) compile(Resolver) (Op, error) {
	return Op{Code: OpExchange, A: a.A.Slice(), B: a.B.Slice()}, nil
}

func (f *actionFormat) pair(a FieldRef, op string, b FieldRef) {
	f.field(a)
	f.str(op)
	f.field(b)
	f.str(";")
}

func (a Load) targets() []FieldRef { return []FieldRef{a.Dst} }

func (a Move) targets() []FieldRef { return []FieldRef{a.Dst} }

func (a Exchange) targets() []FieldRef { return []FieldRef{a.A, a.B} }
