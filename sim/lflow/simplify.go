package lflow

import "ovnreplay/sim/field"

// Simplify returns e, which must be annotated, without the relational
// operators <, <=, > and >=: "tcp.dst > 5" becomes a disjunction of masked
// comparisons. What is always true or always false becomes a constant and
// vanishes from its surroundings. What remains is EQ and NE under a mask, EQ
// of strings, conditions, And and Or, and Bool only as the whole.
//
// Like Annotate it changes nothing and shares what it can.
func Simplify(e *Expr) *Expr {
	switch e.Kind {
	case Cmp:
		return simplifyCmp(e)
	case And, Or:
		absorbing := e.Kind == Or // the constant that decides
		args := make([]*Expr, 0, len(e.Args))
		for _, sub := range e.Args {
			sub = Simplify(sub)
			if sub.Kind != Bool {
				args = appendFlat(args, e.Kind, sub)
			} else if sub.True == absorbing {
				return boolean(e, absorbing)
			}
		}
		switch len(args) {
		case 0:
			return boolean(e, !absorbing)
		case 1:
			return args[0]
		}
		return &Expr{Kind: e.Kind, Pos: e.Pos, Args: args}
	}
	return e
}

// boolean returns a constant in e's place.
func boolean(e *Expr, value bool) *Expr { return &Expr{Kind: Bool, Pos: e.Pos, True: value} }

func simplifyCmp(e *Expr) *Expr {
	if e.Symbol.Width == 0 {
		return e
	}
	switch e.Op {
	case EQ, NE:
		if e.Mask.IsZero() {
			return boolean(e, e.Op == EQ) // "x == 0/0" is true of every x
		}
		return e
	case LE, GE:
		// x <= c is x == c or x < c.
		strict := *e
		strict.Op = e.Op - LE + LT
		args := strictCases(&strict)
		if args == nil && extreme(&strict) {
			return boolean(e, true)
		}
		eq := *e
		eq.Op = EQ
		return disjunction(e, append([]*Expr{&eq}, args...))
	}
	if extreme(e) {
		// x > 0 and x < 0xffff are clearer as "not equal".
		ne := *e
		ne.Op = NE
		return &ne
	}
	return disjunction(e, strictCases(e))
}

// extreme reports whether the constant of a strict comparison is the end of
// the range: x > 0 or x < all ones.
func extreme(e *Expr) bool {
	if e.Op == LT {
		return e.Value == e.Mask
	}
	return e.Value.IsZero()
}

// strictCases returns the masked comparisons that together are e, which is <
// or >. x > c when x agrees with c down to a bit that is 0 in c and 1 in x:
// one comparison for each 0 in c; likewise x < c for each 1.
func strictCases(e *Expr) []*Expr {
	turning := e.Mask.AndNot(e.Value)
	if e.Op == LT {
		turning = e.Mask.And(e.Value)
	}
	if extreme(e) {
		return nil
	}
	var cases []*Expr
	for ; !turning.IsZero(); turning = turning.And(turning.Sub(field.U64(1))) {
		bit := field.U64(1).Lsh(uint(turning.TrailingZeros()))
		below := bit.Sub(field.U64(1))
		c := *e
		c.Op = EQ
		c.Mask = e.Mask.AndNot(below)
		c.Value = e.Value.AndNot(below).Xor(bit)
		cases = append(cases, &c)
	}
	return cases
}

// disjunction returns any of cases, in e's place.
func disjunction(e *Expr, cases []*Expr) *Expr {
	switch len(cases) {
	case 0:
		return boolean(e, false)
	case 1:
		return cases[0]
	}
	return &Expr{Kind: Or, Pos: e.Pos, Args: cases}
}
