package lflow

import (
	"iter"
	"strings"

	"ovnreplay/sim/field"
)

// What others ask of parsed matches and actions, so that nobody looks for words
// in their text.

// Comparisons yields each comparison of the match, however it is joined with others; one with
// a whole set is one.
func (e *Expr) Comparisons() iter.Seq[*Expr] {
	return func(yield func(*Expr) bool) { e.each(yield) }
}

func (e *Expr) each(yield func(*Expr) bool) bool {
	if e.Kind == Cmp || e.Kind == In {
		return yield(e)
	}
	for _, a := range e.Args {
		if !a.each(yield) {
			return false
		}
	}
	return true
}

// Reads reports whether the match, which must be annotated, compares one of the fields.
func (e *Expr) Reads(fields ...field.ID) bool {
	for c := range e.Comparisons() {
		for _, id := range fields {
			if c.Symbol.Field == id {
				return true
			}
		}
	}
	return false
}

// Could reports whether a packet whose field has the value given may match,
// whatever else is true of it. The match must be simplified.
func (e *Expr) Could(id field.ID, value field.Uint128) bool {
	switch e.Kind {
	case And:
		for _, a := range e.Args {
			if !a.Could(id, value) {
				return false
			}
		}
	case Or:
		for _, a := range e.Args {
			if a.Could(id, value) {
				return true
			}
		}
		return false
	case Bool:
		return e.True
	case Cmp:
		if !e.Symbol.IsString() && e.Symbol.Field == id {
			return (value.And(e.Mask) == e.Value.And(e.Mask)) == (e.Op == EQ)
		}
	}
	return true
}

// targeted is an action that names fields to leave something in.
type targeted interface{ targets() []FieldRef }

// Targets are the fields that an action names to leave something in, not those
// in its block.
func Targets(a Action) []FieldRef {
	if t, ok := a.(targeted); ok {
		return t.targets()
	}
	return nil
}

// Writes reports whether one of the actions, in a block as well, assigns to bits
// of the field.
func Writes(actions []Action, id field.ID) bool {
	for _, a := range actions {
		if n, ok := a.(Nested); ok && Writes(n.Inner, id) {
			return true
		}
		for _, to := range Targets(a) {
			if to.Symbol != nil && to.Symbol.OVNField == NoOVNField && to.Slice().Field == id {
				return true
			}
		}
	}
	return false
}

// Uses reports whether a match or actions have the word. It is to tell quickly
// which are worth parsing: a word between quotes counts too.
func Uses(text, word string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		i += at
		at = i + len(word)
		if (i == 0 || !isIDPart(text[i-1])) && (at == len(text) || !isIDPart(text[at])) {
			return true
		}
	}
}

// Templated reports whether a match or actions have template variables, and so
// are others on each chassis.
func Templated(text string) bool { return strings.IndexByte(text, '^') >= 0 }
