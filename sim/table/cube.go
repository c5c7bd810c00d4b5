package table

import (
	"cmp"
	"math/bits"
	"slices"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
)

// cube is a conjunction of word tests, at most one for each word, by word.
type cube []field.Term

// maxCubes bounds how many cubes one match is spread over in the classifier.
const maxCubes = 64

// cover returns cubes that together accept at least every key the expression
// accepts. The classifier finds candidates by them; the match itself decides.
// An empty cube accepts everything; no cubes at all accept nothing.
func (c *matchCompiler) cover(e *lflow.Expr) []cube {
	switch e.Kind {
	case lflow.Bool:
		if !e.True {
			return nil
		}
	case lflow.Cmp:
		if e.Op != lflow.EQ {
			break
		}
		terms, ok := c.terms(nil, e)
		if !ok {
			return nil
		}
		return []cube{terms}
	case lflow.And:
		return c.coverAnd(e.Args)
	case lflow.Or:
		var all []cube
		for _, a := range e.Args {
			all = append(all, c.cover(a)...)
			if len(all) > maxCubes {
				return []cube{{}}
			}
		}
		return all
	}
	return []cube{{}}
}

func (c *matchCompiler) coverAnd(args []*lflow.Expr) []cube {
	product := []cube{{}}
	for _, a := range args {
		factor := c.cover(a)
		if len(product)*len(factor) > maxCubes {
			continue // leave this condition to the match
		}
		var next []cube
		for _, p := range product {
			for _, f := range factor {
				if both, ok := intersect(p, f); ok {
					next = append(next, both)
				}
			}
		}
		product = next
	}
	return product
}

// intersect returns the conjunction of a and b, false if it is empty.
func intersect(a, b cube) (cube, bool) {
	out := slices.Clone(a)
	for _, t := range b {
		i, found := slices.BinarySearchFunc(out, t, func(x, y field.Term) int { return cmp.Compare(x.Word, y.Word) })
		if !found {
			out = slices.Insert(out, i, t)
			continue
		}
		if (out[i].Value^t.Value)&out[i].Mask&t.Mask != 0 {
			return nil, false
		}
		out[i].Mask |= t.Mask
		out[i].Value |= t.Value
	}
	return out, true
}

// MayMeet reports whether packets may match both of two flows, as far as tests for
// equality tell: other tests are taken to be passed.
func MayMeet(f, g *Flow) bool {
	for _, a := range f.cubes {
		for _, b := range g.cubes {
			if !disjoint(a, b) {
				return f.Err == nil && g.Err == nil
			}
		}
	}
	return false
}

// disjoint reports whether no key fits both: their terms are by word.
func disjoint(a, b cube) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x, y := a[i], b[j]
		switch {
		case x.Word < y.Word:
			i++
		case x.Word > y.Word:
			j++
		case (x.Value^y.Value)&x.Mask&y.Mask != 0:
			return true
		default:
			i, j = i+1, j+1
		}
	}
	return false
}

// bits counts the bits that a flow's match tests, at least.
func (f *Flow) bits() int {
	n := 0
	for i, c := range f.cubes {
		sum := 0
		for _, t := range c {
			sum += bits.OnesCount64(t.Mask)
		}
		if i == 0 || sum < n {
			n = sum
		}
	}
	return n
}
