package lflow

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"ovnreplay/sim/field"
)

// Symtab is a table of symbols. It never changes once built, and any number
// of goroutines may use it.
type Symtab struct{ byName map[string]*Symbol }

// Lookup returns the symbol called name, or nil.
func (t *Symtab) Lookup(name string) *Symbol { return t.byName[name] }

// All returns the symbols in order of name.
func (t *Symtab) All() []*Symbol {
	all := make([]*Symbol, 0, len(t.byName))
	for _, s := range t.byName {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Symbol) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Definition returns what the symbol stands for: the parent's bits, the
// predicate's expansion, or, for fields, the field's own name.
func (s *Symbol) Definition() string {
	switch {
	case s.Parent != nil:
		return FieldRef{s.Parent, s.ParentOfs, s.Width}.String()
	case s.Predicate != "":
		return s.Predicate
	case s.OVNField != NoOVNField:
		return s.Name
	}
	return s.Field.String()
}

// The tables are built on first use. (Not by sync.OnceValue: building one
// parses, and a parser knows the standard table.)
var (
	standardOnce, aclCTOnce   sync.Once
	standardTable, aclCTTable *Symtab
)

// StandardSymtab returns the symbols of matches and actions: those of OVN
// main and those that it dropped since 20.03. Where versions define one
// differently the newest definition holds.
func StandardSymtab() *Symtab {
	standardOnce.Do(func() {
		b := newSymtabBuilder()
		b.standard()
		standardTable = b.build()
	})
	return standardTable
}

// ACLCTSymtab returns the symbols for flows tagged acl_ct_translation=true:
// the transport ports are those conntrack knows, which every fragment has.
func ACLCTSymtab() *Symtab {
	aclCTOnce.Do(func() {
		b := newSymtabBuilder()
		b.standard()
		b.aclCT()
		aclCTTable = b.build()
	})
	return aclCTTable
}

// symtabBuilder defines symbols. Definitions are constants of this package,
// so a wrong one panics; a test builds every table.
type symtabBuilder struct {
	tab  *Symtab
	last *Symbol
}

func newSymtabBuilder() *symtabBuilder {
	return &symtabBuilder{tab: &Symtab{byName: make(map[string]*Symbol, 256)}}
}

func (b *symtabBuilder) add(s Symbol) *symtabBuilder {
	if b.tab.byName[s.Name] != nil {
		panic("lflow: symbol " + s.Name + " defined twice")
	}
	s.ReadOnly = s.Writable == 0
	b.last = &s
	b.tab.byName[s.Name] = &s
	return b
}

// field defines a field of width bits with whatever masks, writable.
func (b *symtabBuilder) field(name string, id field.ID, width int, prereqs string) *symtabBuilder {
	return b.add(Symbol{Name: name, Width: width, Field: id, Level: Ordinal, Prereqs: prereqs, Writable: WriteDefault})
}

// nominal makes the last field one that takes no masks.
func (b *symtabBuilder) nominal() *symtabBuilder { b.last.Level = Nominal; return b }

// readOnly makes the last field one that actions cannot set.
func (b *symtabBuilder) readOnly() *symtabBuilder {
	b.last.Writable, b.last.ReadOnly = 0, true
	return b
}

// crossproduct marks the last field as no dimension of a conjunctive match.
func (b *symtabBuilder) crossproduct() *symtabBuilder { b.last.MustCrossproduct = true; return b }

// str defines a string: a logical port kept in 32 bits of a field.
func (b *symtabBuilder) str(name string, id field.ID, ofs int) *symtabBuilder {
	return b.add(Symbol{Name: name, Field: id, FieldOfs: ofs, Level: Nominal, Writable: WriteDefault})
}

// sub defines a subfield, "parent[low..high]" or "parent[bit]".
func (b *symtabBuilder) sub(name, of, prereqs string, scope Scope) {
	var f FieldRef
	if err := run(of, &Env{Symbols: b.tab}, func(p *parser) { f = p.fieldRef(); p.forceEnd() }); err != nil {
		panic(fmt.Sprintf("lflow: symbol %s: %v", name, err))
	}
	if f.Symbol.Writable == 0 {
		scope = 0
	}
	b.add(Symbol{Name: name, Width: f.Width, Parent: f.Symbol, ParentOfs: f.Ofs,
		Level: f.Symbol.Level, Prereqs: prereqs, Writable: scope})
}

// predicate defines a name for a whole expression.
func (b *symtabBuilder) predicate(name, expansion string) {
	e, err := ParseMatch(expansion, &Env{Symbols: b.tab})
	if err != nil {
		panic(fmt.Sprintf("lflow: predicate %s: %v", name, err))
	}
	b.add(Symbol{Name: name, Width: 1, Predicate: expansion, Level: levelOf(e)})
}

// levelOf is the level of a predicate that expands to e.
func levelOf(e *Expr) Level {
	switch e.Kind {
	case And, Or:
		level := Ordinal
		for _, sub := range e.Args {
			level = min(level, levelOf(sub))
		}
		return level
	case Cmp:
		if e.Symbol.Level == Nominal {
			return Nominal
		}
	}
	return Boolean
}

// build annotates every prerequisite and predicate once and for all. Those
// that cannot be (only tables made to test errors have any) stay nil, and
// every use of them fails anew.
func (b *symtabBuilder) build() *Symtab {
	for _, s := range b.tab.All() {
		a := annotator{tab: b.tab}
		if s.Prereqs != "" {
			s.prereqs, _ = a.expand(s.Prereqs)
		}
		if s.Predicate != "" {
			if s.positive, _ = a.expand(s.Predicate); s.positive != nil {
				s.negated = negate(s.positive)
			}
		}
	}
	return b.tab
}
