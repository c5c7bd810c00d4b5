package lflow

import "ovnreplay/sim/field"

// maxParens is how deep parentheses may nest.
const maxParens = 100

// ParseMatch parses a match expression and checks its types. Sets, groups
// and templates are expanded; symbols are left as written, for Annotate. The
// error is an *Error.
func ParseMatch(src string, env *Env) (*Expr, error) {
	var e *Expr
	err := run(src, env, func(p *parser) {
		e = p.disjunction()
		p.forceEnd()
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// node returns a fresh node. They are allocated in blocks, since most
// expressions have several.
func (p *parser) node(kind Kind, pos int) *Expr {
	if len(p.nodes) == 0 {
		p.nodes = make([]Expr, 8)
	}
	e := &p.nodes[0]
	p.nodes = p.nodes[1:]
	e.Kind, e.Pos = kind, pos
	return e
}

// combine joins two expressions that this parse made by And or Or,
// flattening those of that kind already.
func (p *parser) combine(kind Kind, a, b *Expr) *Expr {
	switch {
	case a.Kind == kind && b.Kind == kind:
		a.Args = append(a.Args, b.Args...)
		return a
	case a.Kind == kind:
		a.Args = append(a.Args, b)
		return a
	case b.Kind == kind:
		b.Args = append([]*Expr{a}, b.Args...)
		b.Pos = a.Pos
		return b
	}
	e := p.node(kind, a.Pos)
	e.Args = append(make([]*Expr, 0, 4), a, b)
	return e
}

// disjunction parses operands joined by && or by ||, never by both.
func (p *parser) disjunction() *Expr {
	e := p.negation()
	op := p.tok.Type
	if op != TokenLogAnd && op != TokenLogOr {
		return e
	}
	kind := And
	if op == TokenLogOr {
		kind = Or
	}
	for p.match(op) {
		e = p.combine(kind, e, p.negation())
	}
	if p.tok.Type == TokenLogAnd || p.tok.Type == TokenLogOr {
		p.fail("&& and || must be parenthesized when used together.")
	}
	return e
}

// negation parses an operand with at most one ! before it.
func (p *parser) negation() *Expr {
	if !p.match(TokenLogNot) {
		e, _ := p.primary()
		return e
	}
	p.negated = !p.negated
	e, atomic := p.primary()
	p.negated = !p.negated
	if !atomic {
		p.fail("Missing parentheses around operand of !.")
	}
	e.invert()
	return e
}

// primary parses an operand; atomic ones may follow a !.
func (p *parser) primary() (e *Expr, atomic bool) {
	switch p.tok.Type {
	case TokenLParen:
		return p.parenthesized(), true
	case TokenTemplate:
		p.fail("Unexpanded template.")
	case TokenID:
		if p.peek() == TokenLParen {
			return p.function(), true
		}
		return p.fieldFirst()
	}
	return p.constantFirst()
}

func (p *parser) parenthesized() *Expr {
	p.advance()
	if p.parens >= maxParens {
		p.fail("Parentheses nested too deeply.")
	}
	p.parens++
	e := p.disjunction()
	p.parens--
	p.force(TokenRParen)
	return e
}

// function parses is_chassis_resident("port"), the only function.
func (p *parser) function() *Expr {
	if !p.is("is_chassis_resident") {
		p.fail("parsing function name")
	}
	e := p.node(Condition, p.tok.Pos)
	p.advance()
	p.advance()
	if p.tok.Type != TokenString {
		p.syntax("expecting string")
	}
	e.String = p.tok.Text
	p.advance()
	p.force(TokenRParen)
	return e
}

// fieldFirst parses "field", which means "field != 0", and "field op constants".
func (p *parser) fieldFirst() (e *Expr, atomic bool) {
	pos := p.tok.Pos
	f := p.fieldRef()
	op := relop(p.tok.Type)
	if op != 0 {
		p.advance()
		cs := p.constantSet(p.sets[0])
		p.sets[0] = cs.values
		return p.comparison(pos, f, op, &cs), false
	}
	if f.Width == 0 || p.tok.Type == TokenEquals {
		p.syntax("expecting relational operator")
	}
	if f.Width > 1 && !p.negated {
		p.failAt(pos, p.last, "Explicit `!= 0' is required for inequality test of multibit field against 0.")
	}
	zero := Constant{Mask: field.Ones(128), Format: FormatHexadecimal}
	cs := constantSet{values: append(p.sets[0][:0], zero), pos: pos, end: p.last}
	return p.comparison(pos, f, NE, &cs), true
}

// constantFirst parses "constants op field", ranges "low < field < high" and
// the constants 0 and 1 by themselves.
func (p *parser) constantFirst() (e *Expr, atomic bool) {
	pos := p.tok.Pos
	c1 := p.constantSet(p.sets[0])
	p.sets[0] = c1.values
	r1 := relop(p.tok.Type)
	if r1 == 0 {
		if c1.isBoolean() {
			e = p.node(Bool, pos)
			e.True = c1.values[0].Value.Lo == 1
			return e, true
		}
		p.syntax("expecting relational operator")
	}
	p.advance()
	f := p.fieldRef()
	r2 := relop(p.tok.Type)
	if r2 == 0 {
		return p.comparison(pos, f, r1.turned(), &c1), false
	}
	p.advance()
	c2 := p.constantSet(p.sets[1])
	p.sets[1] = c2.values
	if !(r1.isLess() && r2.isLess() || r1.isGreater() && r2.isGreater()) {
		p.failAt(pos, p.last, "Range expressions must have the form `x < field < y' or `x > field > y', "+
			"with each `<' optionally replaced by `<=' or `>' by `>=').")
	}
	low := p.comparison(pos, f, r1.turned(), &c1)
	return p.combine(And, low, p.comparison(pos, f, r2, &c2)), false
}

// isBoolean reports whether cs is 0 or 1, plain.
func (cs *constantSet) isBoolean() bool {
	if len(cs.values) != 1 || cs.isStr || cs.braces {
		return false
	}
	c := &cs.values[0]
	return c.Format == FormatDecimal && !c.Masked && c.Value.Lo <= 1
}

// comparison makes "f op cs": of several constants, any for == and every one
// for the other operators.
func (p *parser) comparison(pos int, f FieldRef, op Relop, cs *constantSet) *Expr {
	p.typeCheck(f, cs)
	if op != EQ && op != NE || f.Symbol.Slice().Width == 0 { // no part of a key is compared with them
		for _, s := range cs.sets {
			cs.writeOut(s)
		}
		cs.sets = nil
	}
	p.checkOperator(pos, f.Symbol, op, cs)
	if cs.empty() {
		e := p.node(Bool, pos)
		e.True = op == NE
		return e
	}
	kind := And
	if op == EQ {
		kind = Or
	}
	n := len(cs.sets) + len(cs.values)
	if n == 1 && cs.sets == nil {
		return p.cmp(pos, f, op, &cs.values[0])
	}
	args := make([]*Expr, 0, n)
	for _, s := range cs.sets {
		args = append(args, p.in(pos, f, op, s))
	}
	for i := range cs.values {
		args = append(args, p.cmp(pos, f, op, &cs.values[i]))
	}
	if n == 1 {
		return args[0]
	}
	e := p.node(kind, pos)
	e.Args = args
	return e
}

// in makes the comparison of f with a whole set.
func (p *parser) in(pos int, f FieldRef, op Relop, s *Set) *Expr {
	e := p.node(In, pos)
	e.Symbol, e.Op, e.Set = f.Symbol, op, s
	e.Mask = field.Ones(f.Width).Lsh(uint(f.Ofs))
	return e
}

// cmp makes the comparison of f with one constant, in the bits of f's symbol.
func (p *parser) cmp(pos int, f FieldRef, op Relop, c *Constant) *Expr {
	e := p.node(Cmp, pos)
	e.Symbol, e.Op = f.Symbol, op
	if f.Symbol.Width == 0 {
		e.String = c.String
		return e
	}
	bits := field.Ones(f.Width)
	e.Value = c.Value.And(bits).Lsh(uint(f.Ofs))
	e.Mask = c.Mask.And(bits).Lsh(uint(f.Ofs))
	return e
}

// checkOperator requires that op may compare s with cs where the parser is.
func (p *parser) checkOperator(pos int, s *Symbol, op Relop, cs *constantSet) {
	if op != EQ && op != NE {
		const only = "Only == and != operators may be used "
		switch {
		case cs.braces:
			p.failAt(pos, p.last, only+"with value sets.")
		case s.Level == Nominal:
			p.failAt(pos, p.last, only+"with nominal field %s.", s.Name)
		case s.Level == Boolean:
			p.failAt(pos, p.last, only+"with Boolean field %s.", s.Name)
		case cs.empty():
			p.failAt(pos, p.last, only+"to compare a field against an empty value set.")
		case cs.values[0].Masked:
			p.failAt(pos, p.last, only+"with masked constants.  Consider using subfields instead "+
				"(e.g. eth.src[0..15] > 0x1111 in place of eth.src > 00:00:00:00:11:11/00:00:00:00:ff:ff).")
		}
	}
	if s.Level != Nominal {
		return
	}
	if s.Predicate == "" {
		if (op == NE) != p.negated || op != EQ && op != NE {
			p.failAt(pos, p.last, "Nominal field %s may only be tested for equality "+
				"(taking enclosing `!' operators into account).", s.Name)
		}
		return
	}
	for i := range cs.values {
		positive := cs.values[i].Value.Lo&1 != 0
		if positive == ((op == NE) != p.negated) {
			n := s.Name
			p.failAt(pos, p.last, "Nominal predicate %s may only be tested positively, "+
				"e.g. `%s' or `%s == 1' but not `!%s' or `%s == 0'.", n, n, n, n, n)
		}
	}
}

func relop(t TokenType) Relop {
	switch t {
	case TokenEQ:
		return EQ
	case TokenNE:
		return NE
	case TokenLT:
		return LT
	case TokenLE:
		return LE
	case TokenGT:
		return GT
	case TokenGE:
		return GE
	}
	return 0
}

// String returns the operator as it is written.
func (r Relop) String() string {
	return [...]string{"", "==", "!=", "<", "<=", ">", ">="}[r]
}

func (r Relop) isLess() bool    { return r == LT || r == LE }
func (r Relop) isGreater() bool { return r == GT || r == GE }

// turned returns the operator for exchanged operands.
func (r Relop) turned() Relop { return [...]Relop{0, EQ, NE, GT, GE, LT, LE}[r] }

// inverted returns the operator that holds when r does not.
func (r Relop) inverted() Relop { return [...]Relop{0, NE, EQ, GE, GT, LE, LT}[r] }

// invert negates e in place, by De Morgan's laws.
func (e *Expr) invert() {
	switch e.Kind {
	case Cmp, In:
		e.Op = e.Op.inverted()
	case Bool:
		e.True = !e.True
	case Condition:
		e.Not = !e.Not
	case And, Or:
		e.Kind = And + Or - e.Kind
		for _, sub := range e.Args {
			sub.invert()
		}
	}
}
