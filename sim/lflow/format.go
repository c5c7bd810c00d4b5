package lflow

import (
	"strings"

	"ovnreplay/sim/field"
)

// Text returns the canonical form of e, OVN's own: it parses to an
// expression of the same form.
func (e *Expr) Text() string { return string(e.append(nil)) }

func (e *Expr) append(b []byte) []byte {
	switch e.Kind {
	case Cmp:
		return e.appendCmp(b)
	case And:
		return e.appendOperands(b, " && ")
	case Or:
		return e.appendOperands(b, " || ")
	case Bool:
		if e.True {
			return append(b, '1')
		}
		return append(b, '0')
	case Condition:
		if e.Not {
			b = append(b, '!')
		}
		b = append(b, "is_chassis_resident("...)
		return append(appendQuoted(b, e.String), ')')
	case In:
		return e.appendIn(b)
	}
	return append(b, strings.Repeat("?", int(e.Kind)+1)...)
}

func (e *Expr) appendOperands(b []byte, op string) []byte {
	for i, sub := range e.Args {
		if i > 0 {
			b = append(b, op...)
		}
		if sub.Kind == And || sub.Kind == Or {
			b = append(sub.append(append(b, '(')), ')')
		} else {
			b = sub.append(b)
		}
	}
	return b
}

func (e *Expr) appendCmp(b []byte) []byte {
	name := e.Symbol.Name
	if e.Symbol.Width == 0 {
		b = append(b, name+" "+e.Op.String()+" "...)
		return appendQuoted(b, e.String)
	}
	ofs, n := bitRange(e.Mask)
	if n == 1 && (e.Op == EQ || e.Op == NE) {
		if (e.Value.IsZero()) == (e.Op == EQ) {
			b = append(b, '!')
		}
		b = append(b, name...)
		if e.Symbol.Width > 1 {
			b = appendRange(b, ofs, 1)
		}
		return b
	}
	b = append(b, name...)
	if n > 0 && n < e.Symbol.Width {
		b = appendRange(b, ofs, n)
	}
	b = append(b, " "+e.Op.String()+" "...)
	if n > 0 {
		return appendHex(b, e.Value.Rsh(uint(ofs)))
	}
	b = append(appendHex(b, e.Value), '/')
	return appendHex(b, e.Mask)
}

// appendIn appends the comparison with a set that is left whole by its name.
func (e *Expr) appendIn(b []byte) []byte {
	f := FieldRef{Symbol: e.Symbol, Width: e.Symbol.Width}
	if f.Width > 0 {
		f.Ofs, f.Width = e.Mask.TrailingZeros(), e.Mask.OnesCount()
	}
	return append(f.append(b), " "+e.Op.String()+" "+e.Set.name...)
}

// bitRange returns the run of bits that mask is, or 0, 0 when it is not one.
func bitRange(mask field.Uint128) (ofs, n int) {
	ofs, n = mask.TrailingZeros(), mask.OnesCount()
	if n == 0 || mask != field.Ones(n).Lsh(uint(ofs)) {
		return 0, 0
	}
	return ofs, n
}
