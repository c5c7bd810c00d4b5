package table

import (
	"slices"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Maker makes flows that are parsed in one environment. Of a flow whose shape
// another had, that compiled, it is known that it compiles, and by which words of a
// key it is found; the rest of it is made when a packet comes to where it may match.
type Maker struct {
	env     *lflow.Env
	resolve Resolver
	sets    *Sets
	read    *lflow.Shapes
	shapes  map[string]*shape

	flows []Flow // room for the next
	cubes []cube
	words []field.Term
}

// NewMaker returns a maker of flows that are parsed in env, with sets shared with others.
func NewMaker(env *lflow.Env, r Resolver, sets *Sets) *Maker {
	return &Maker{env: env.WholeSets(), resolve: r, sets: sets, read: lflow.NewShapes(env), shapes: map[string]*shape{}}
}

// maxShapes bounds how many shapes are known in an environment.
const maxShapes = 1 << 15

// shape is what flows of one shape have in common.
type shape struct {
	finds []cube // of one of them: those of others differ in what their constants say
	known bool   // finds can be told so
}

// Flow returns a flow of which, if it compiles, what it does may not be known yet.
func (m *Maker) Flow(f *network.Flow) *Flow {
	key, consts, ok := m.read.Of(f.Match, f.Actions)
	if ok {
		if s := m.shapes[string(key)]; s != nil && s.known {
			return m.outline(f, s, consts)
		}
	}
	out := &Flow{Flow: f}
	out.Err = out.compile(m.env, m.matches())
	if ok && out.Err == nil && len(m.shapes) < maxShapes {
		m.shapes[string(key)] = m.shapeOf(out, consts)
	}
	return out
}

// shapeOf returns the shape of a flow.
func (m *Maker) shapeOf(f *Flow, consts []lflow.Const) *shape {
	s := &shape{finds: f.cubes}
	if len(f.cubes) == 0 {
		return s
	}
	looked := m.looked(f)
	var buf [2]field.Term
	for i := range consts {
		terms, ok := m.terms(buf[:0], &consts[i])
		if !ok {
			return s
		}
		for _, t := range terms {
			if looked(t) != 1 || slices.ContainsFunc(f.cubes, func(c cube) bool { return !c.has(t) }) {
				return s
			}
		}
	}
	s.known = true
	return s
}

// looked tells how many comparisons of a flow look at some of the bits of a term: what
// but one does, nothing else that the flow asks for depends on.
func (m *Maker) looked(f *Flow) func(field.Term) int {
	var all []field.Term
	e, err := lflow.ParseMatch(f.Match, m.env)
	if err == nil {
		_, prereqs, _ := lflow.ParseActions(f.Actions, m.env)
		e, err = complete(f.Flow, e, prereqs, m.env)
	}
	if err == nil {
		c := m.matches()
		for x := range e.Comparisons() {
			if terms, ok := c.terms(all, x); ok {
				all = terms
			}
		}
	}
	return func(t field.Term) (n int) {
		for _, x := range all {
			if x.Word == t.Word && x.Mask&t.Mask != 0 {
				n++
			}
		}
		return n
	}
}

// has reports whether the cube asks for all that a term does.
func (c cube) has(t field.Term) bool {
	return slices.ContainsFunc(c, func(x field.Term) bool {
		return x.Word == t.Word && x.Mask&t.Mask == t.Mask && (x.Value^t.Value)&t.Mask == 0
	})
}

// outline returns a flow of a shape, to be made when it is needed.
func (m *Maker) outline(f *network.Flow, s *shape, consts []lflow.Const) *Flow {
	if len(m.flows) == 0 {
		m.flows = make([]Flow, 64)
	}
	out := &m.flows[0]
	m.flows = m.flows[1:]
	out.Flow, out.maker = f, m
	cubes := m.copied(s.finds)
	var buf [2]field.Term
	for i := range consts {
		terms, ok := m.terms(buf[:0], &consts[i])
		if !ok {
			return out // it names a port that there is not: no packet matches
		}
		for _, t := range terms {
			for _, c := range cubes {
				x := &c[slices.IndexFunc(c, func(x field.Term) bool { return x.Word == t.Word })]
				x.Value = x.Value&^t.Mask | t.Value
			}
		}
	}
	out.cubes = cubes
	return out
}

// copied returns copies of cubes. Many share a piece of memory, as they live equally long.
func (m *Maker) copied(cubes []cube) []cube {
	const many = 512
	if len(m.cubes) < len(cubes) {
		m.cubes = make([]cube, max(many, len(cubes)))
	}
	out := m.cubes[:len(cubes):len(cubes)]
	m.cubes = m.cubes[len(cubes):]
	for i, c := range cubes {
		if len(m.words) < len(c) {
			m.words = make([]field.Term, max(many, len(c)))
		}
		out[i] = m.words[:copy(m.words, c):len(c)]
		m.words = m.words[len(c):]
	}
	return out
}

// terms appends the tests that a constant of a match means; false if no packet
// passes, or that is not known.
func (m *Maker) terms(ts []field.Term, c *lflow.Const) ([]field.Term, bool) {
	if c.Symbol == nil || c.Symbol.Predicate != "" || c.Symbol.OVNField != lflow.NoOVNField {
		return nil, false
	}
	s := lflow.FieldRef{Symbol: c.Symbol, Width: c.Symbol.Width}.Slice()
	ones := field.Ones(int(s.Width))
	value, mask := c.Value, c.Mask
	if c.Symbol.IsString() {
		mask = ones
		value = field.Uint128{}
		if c.String != "" {
			port, ok := m.resolve.Port(c.String)
			if !ok {
				return nil, false
			}
			value = field.U64(uint64(port))
		}
	}
	return field.AppendTerms(ts, s.Field, value.And(ones).Lsh(uint(s.Ofs)), mask.And(ones).Lsh(uint(s.Ofs))), true
}

// Made returns the flow with all that it does.
func (f *Flow) Made() *Flow {
	if f.maker != nil {
		f.make()
	}
	return f
}

// matches returns who compiles the match of a flow.
func (m *Maker) matches() *matchCompiler { return &matchCompiler{resolve: m.resolve, sets: m.sets} }

func (f *Flow) make() {
	m := f.maker
	f.maker = nil
	cubes := f.cubes
	if f.Err = f.compile(m.env, m.matches()); f.Err != nil {
		f.Ops, f.match = nil, match{{kind: testTerm, yes: reject, no: reject}}
	}
	f.cubes = cubes // by which it is filed
}
