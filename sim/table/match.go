package table

import (
	"fmt"
	"slices"

	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
)

// Resident is a set of logical ports by index: those resident on a chassis.
type Resident []uint64

// Has reports whether the port is in the set.
func (r Resident) Has(port uint32) bool {
	return int(port>>6) < len(r) && r[port>>6]>>(port&63)&1 != 0
}

// Add puts the port into the set, which must be long enough.
func (r Resident) Add(port uint32) { r[port>>6] |= 1 << (port & 63) }

// match is a compiled match: tests that jump forward, like a BPF filter.
// Jumps to accept and reject end it.
type match []test

const (
	accept = -1
	reject = -2
)

type testKind uint8

const (
	testTerm     testKind = iota // key[word]&mask == value
	testSet                      // set has a part of the key: see sees
	testResident                 // port value is resident
)

type test struct {
	kind        testKind
	word        uint8
	yes, no     int32
	mask, value uint64
	set         *members
}

func (m match) eval(k *field.Key, res Resident) bool {
	for i := int32(0); ; {
		t := &m[i]
		var ok bool
		switch t.kind {
		case testTerm:
			ok = k[t.word]&t.mask == t.value
		case testSet:
			ok = t.set.has(t.sees(k))
		case testResident:
			ok = res.Has(uint32(t.value))
		}
		if ok {
			i = t.yes
		} else {
			i = t.no
		}
		if i < 0 {
			return i == accept
		}
	}
}

// always reports whether the match accepts every packet.
func (m match) always() bool { return len(m) == 1 && m[0].yes == accept && m[0].no == accept }

// match compiles an annotated and simplified expression.
func (c *matchCompiler) match(e *lflow.Expr) (match, error) {
	start, err := c.compile(e, accept, reject)
	if err != nil {
		return nil, err
	}
	return c.finish(start), nil
}

// matchCompiler emits tests last first, so that jump targets exist before
// the tests that jump to them. Positions are turned round in finish.
type matchCompiler struct {
	resolve Resolver
	sets    *Sets // nil: each is compiled anew
	out     []test
}

func (c *matchCompiler) emit(t test) int32 {
	c.out = append(c.out, t)
	return int32(len(c.out) - 1)
}

// finish puts the tests in forward order, beginning with start.
func (c *matchCompiler) finish(start int32) match {
	if start < 0 { // constant
		return match{{kind: testTerm, yes: start, no: start}}
	}
	n := int32(len(c.out))
	turn := func(i int32) int32 {
		if i < 0 {
			return i
		}
		return n - 1 - i
	}
	m := make(match, n)
	for i, t := range c.out {
		t.yes, t.no = turn(t.yes), turn(t.no)
		m[turn(int32(i))] = t
	}
	return m[turn(start):].rebase(turn(start))
}

// rebase corrects the jumps of a match whose first by tests were cut off.
func (m match) rebase(by int32) match {
	if by == 0 {
		return m
	}
	for i := range m {
		if m[i].yes >= 0 {
			m[i].yes -= by
		}
		if m[i].no >= 0 {
			m[i].no -= by
		}
	}
	return m
}

// compile emits e such that control goes to yes or no, and returns where e begins.
func (c *matchCompiler) compile(e *lflow.Expr, yes, no int32) (int32, error) {
	switch e.Kind {
	case lflow.Bool:
		if e.True {
			return yes, nil
		}
		return no, nil
	case lflow.And:
		return c.chain(e.Args, func(next int32) (int32, int32) { return next, no }, yes)
	case lflow.Or:
		if t, ok := c.asSet(e); ok {
			t.yes, t.no = yes, no
			return c.emit(t), nil
		}
		return c.chain(e.Args, func(next int32) (int32, int32) { return yes, next }, no)
	case lflow.Condition:
		port, ok := c.resolve.Port(e.String)
		if !ok {
			port = 0 // index 0 is resident nowhere
		}
		if e.Not {
			yes, no = no, yes
		}
		return c.emit(test{kind: testResident, value: uint64(port), yes: yes, no: no}), nil
	case lflow.Cmp:
		return c.compare(e, yes, no)
	case lflow.In:
		if e.Op == lflow.NE {
			yes, no = no, yes
		}
		t := c.in(e)
		t.yes, t.no = yes, no
		return c.emit(t), nil
	}
	return 0, fmt.Errorf("expression of unknown kind %d", e.Kind)
}

// chain compiles args from the last to the first; targets gives the jumps of
// an argument from where the next one begins.
func (c *matchCompiler) chain(args []*lflow.Expr, targets func(int32) (int32, int32), end int32) (int32, error) {
	next := end
	for _, a := range slices.Backward(args) {
		yes, no := targets(next)
		at, err := c.compile(a, yes, no)
		if err != nil {
			return 0, err
		}
		next = at
	}
	return next, nil
}

func (c *matchCompiler) compare(e *lflow.Expr, yes, no int32) (int32, error) {
	switch e.Op {
	case lflow.EQ:
	case lflow.NE:
		yes, no = no, yes
	default:
		return 0, fmt.Errorf("comparison of %s was not simplified", e.Symbol.Name)
	}
	var buf [2]field.Term
	terms, ok := c.terms(buf[:0], e)
	if !ok {
		return no, nil
	}
	next := yes
	for _, t := range slices.Backward(terms) {
		next = c.emit(test{word: t.Word, mask: t.Mask, value: t.Value, yes: next, no: no})
	}
	return next, nil
}

// terms appends the word tests of an equality to ts. A port the network does
// not have equals nothing: false.
func (c *matchCompiler) terms(ts []field.Term, e *lflow.Expr) ([]field.Term, bool) {
	if e.Symbol.IsString() {
		v := uint64(0)
		if e.String != "" {
			port, ok := c.resolve.Port(e.String)
			if !ok {
				return nil, false
			}
			v = uint64(port)
		}
		s := lflow.FieldRef{Symbol: e.Symbol}.Slice()
		mask := field.Ones(int(s.Width)).Lsh(uint(s.Ofs))
		return field.AppendTerms(ts, s.Field, field.U64(v).Lsh(uint(s.Ofs)), mask), true
	}
	return field.AppendTerms(ts, e.Symbol.Field, e.Value, e.Mask), true
}

// setMin is the length from which a disjunction of values is searched as a set.
const setMin = 6

// asSet recognises a long disjunction of values of the same masked word.
func (c *matchCompiler) asSet(e *lflow.Expr) (test, bool) {
	if len(e.Args) < setMin {
		return test{}, false
	}
	var list []field.Term
	for _, a := range e.Args {
		if a.Kind != lflow.Cmp || a.Op != lflow.EQ {
			return test{}, false
		}
		var buf [2]field.Term
		terms, ok := c.terms(buf[:0], a)
		if !ok {
			continue
		}
		if len(terms) != 1 || list != nil && (terms[0].Word != list[0].Word || terms[0].Mask != list[0].Mask) {
			return test{}, false
		}
		list = append(list, terms[0])
	}
	if list == nil {
		return test{}, false
	}
	m, index, mask := &members{}, map[field.Uint128]int{}, field.U64(list[0].Mask)
	for _, x := range list {
		m.add(index, field.U64(x.Value), mask)
	}
	m.settle()
	return test{kind: testSet, set: m, word: list[0].Word, mask: list[0].Mask}, true
}
