package lflow

import (
	"fmt"
	"slices"
)

// Annotate returns e with what its symbols imply made explicit: predicates
// replaced by their expansions, subfields by the bits of the fields that hold
// them, and every comparison ANDed with its field's prerequisites. e is left
// as it is; the result shares parts with it and with other results, so
// neither may be changed.
//
// It fails only for symbol tables with faulty definitions.
func Annotate(e *Expr, env *Env) (*Expr, error) {
	if env == nil {
		env = &Env{}
	}
	a := annotator{tab: env.symtab()}
	return a.annotate(e, true)
}

// annotator expands symbols of a table. nesting holds those being expanded,
// which must not turn up again.
type annotator struct {
	tab     *Symtab
	nesting []*Symbol
}

// annotate does Annotate's work. Without withPrereqs it leaves prerequisites
// to the caller.
func (a *annotator) annotate(e *Expr, withPrereqs bool) (*Expr, error) {
	switch e.Kind {
	case Cmp, In:
		return a.cmp(e, withPrereqs)
	case And, Or:
	default:
		return e, nil
	}

	// When every comparison is of one symbol, its prerequisites are needed
	// only once, at the top.
	if withPrereqs {
		if s := e.uniqueSymbol(); s != nil {
			withPrereqs = false
			prereqs, err := a.prereqs(s)
			if err != nil {
				return nil, err
			}
			e = join(And, e, prereqs)
		}
	}
	args := make([]*Expr, 0, len(e.Args)+4)
	for _, sub := range e.Args {
		sub, err := a.annotate(sub, withPrereqs)
		if err != nil {
			return nil, err
		}
		args = appendFlat(args, e.Kind, sub)
	}
	return &Expr{Kind: e.Kind, Pos: e.Pos, Args: args}, nil
}

// appendFlat appends e to the operands of an expression of kind kind.
func appendFlat(args []*Expr, kind Kind, e *Expr) []*Expr {
	if e.Kind == kind {
		return append(args, e.Args...)
	}
	return append(args, e)
}

// join returns a and b joined by kind, without changing either; b may be nil.
func join(kind Kind, a, b *Expr) *Expr {
	if b == nil {
		return a
	}
	args := appendFlat(make([]*Expr, 0, 4), kind, a)
	return &Expr{Kind: kind, Pos: a.Pos, Args: appendFlat(args, kind, b)}
}

// uniqueSymbol returns the one symbol e compares, or nil when there are
// several or none.
func (e *Expr) uniqueSymbol() *Symbol {
	switch e.Kind {
	case Cmp, In:
		return e.Symbol
	case And, Or:
		var unique *Symbol
		for _, sub := range e.Args {
			s := sub.uniqueSymbol()
			if s == nil || unique != nil && s != unique {
				return nil
			}
			unique = s
		}
		return unique
	}
	return nil
}

func (a *annotator) cmp(e *Expr, withPrereqs bool) (*Expr, error) {
	s := e.Symbol
	if slices.Contains(a.nesting, s) {
		return nil, &Error{Pos: e.Pos, End: e.Pos, Msg: fmt.Sprintf("Recursive expansion of symbol `%s'.", s.Name)}
	}
	a.nesting = append(a.nesting, s)
	defer func() { a.nesting = a.nesting[:len(a.nesting)-1] }()

	var prereqs *Expr
	var err error
	if withPrereqs {
		if prereqs, err = a.prereqs(s); err != nil {
			return nil, err
		}
	}
	switch {
	case s.Parent != nil:
		e = e.inParent()
	case s.Predicate != "":
		positive := (e.Value.Lo&1 != 0) == (e.Op == EQ)
		if e, err = a.predicate(s, positive); err != nil {
			return nil, err
		}
	}
	return join(And, e, prereqs), nil
}

// inParent returns the comparison e of a subfield as one of the field that holds it.
func (e *Expr) inParent() *Expr {
	moved := *e
	for s := e.Symbol; s.Parent != nil; s = s.Parent {
		moved.Symbol = s.Parent
		moved.Value = moved.Value.Lsh(uint(s.ParentOfs))
		moved.Mask = moved.Mask.Lsh(uint(s.ParentOfs))
	}
	return &moved
}

// prereqs returns the annotated prerequisites of s, nil if it has none.
func (a *annotator) prereqs(s *Symbol) (*Expr, error) {
	if s.Prereqs == "" || s.prereqs != nil {
		return s.prereqs, nil
	}
	return a.expand(s.Prereqs)
}

// predicate returns the annotated expansion of s, or its negation.
func (a *annotator) predicate(s *Symbol, positive bool) (*Expr, error) {
	switch {
	case s.positive == nil:
		e, err := a.expand(s.Predicate)
		if err != nil || positive {
			return e, err
		}
		return negate(e), nil
	case positive:
		return s.positive, nil
	}
	return s.negated, nil
}

// expand parses and annotates a prerequisite or predicate.
func (a *annotator) expand(src string) (*Expr, error) {
	e, err := ParseMatch(src, &Env{Symbols: a.tab})
	if err == nil {
		e, err = a.annotate(e, true)
	}
	if err != nil {
		return nil, &Error{Src: src, End: len(src), Msg: fmt.Sprintf("Error parsing expression `%s' encountered as "+
			"prerequisite or predicate of initial expression: %s", src, err)}
	}
	return e, nil
}

// negate returns the negation of e, which it does not change.
func negate(e *Expr) *Expr {
	n := e.clone()
	n.invert()
	return n
}

func (e *Expr) clone() *Expr {
	c := *e
	if e.Args != nil {
		c.Args = make([]*Expr, len(e.Args))
		for i, sub := range e.Args {
			c.Args[i] = sub.clone()
		}
	}
	return &c
}
