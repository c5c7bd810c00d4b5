package lflow

import "ovnreplay/sim/field"

// Level is the measurement level of a symbol; it says which operators the
// symbol takes (ovn-sb(5), "Symbols").
type Level uint8

const (
	Nominal Level = iota + 1 // == and != with whole constants
	Boolean                  // one bit: also without operator, and !
	Ordinal                  // every operator, masks
)

// A Symbol is a name that matches and actions can use: a field, a subfield
// or a predicate. Symbols belong to a Symtab and never change after it is built.
type Symbol struct {
	Name  string
	Width int // bits; 0 for strings and predicates

	Field     field.ID // fields only; subfields refer to their Parent
	FieldOfs  int      // fields only: where in Field it begins; remote_outport shares reg1
	OVNField  OVNField // fields that exist only for ovn-controller (icmp4.frag_mtu, …)
	Parent    *Symbol  // subfields only
	ParentOfs int      // subfields only
	Predicate string   // predicates only: the expansion

	Level   Level
	Prereqs string // "" is none

	MustCrossproduct bool
	ReadOnly         bool  // can be matched but not assigned
	Writable         Scope // where it can be assigned

	// The annotated expressions of prerequisites and predicate, shared by
	// every expression that mentions the symbol; nil when they do not parse.
	prereqs           *Expr
	positive, negated *Expr
}

// bits is the width of the part of Field that holds the symbol; it says which
// strings can be assigned to each other.
func (s *Symbol) bits() int {
	switch {
	case s.Width > 0:
		return s.Width
	case s.Field == field.XXReg0 || s.Field == field.XXReg1:
		return 32 // a register of a kind
	}
	return s.Field.Width()
}

// Slice returns the bits of the flow key that hold the symbol, a field, a
// subfield or a string. Predicates and OVN fields have none: Width is 0.
func (s *Symbol) Slice() field.Slice {
	if s.Predicate != "" || s.OVNField != NoOVNField {
		return field.Slice{}
	}
	return FieldRef{Symbol: s, Width: s.Width}.Slice()
}

// IsString reports whether the symbol holds a string (inport, outport).
func (s *Symbol) IsString() bool { return s.Width == 0 && s.Predicate == "" && s.Parent == nil }

// Scope is a set of contexts in which a symbol can be assigned.
type Scope uint8

const (
	WriteDefault  Scope = 1 << iota // ordinary actions
	WriteCTCommit                   // inside ct_commit { … }
)

// OVNField names a field that has no place in the flow key.
type OVNField uint8

const (
	NoOVNField       OVNField = iota
	ICMP4FragMTU              // 16 bits
	ICMP6FragMTU              // 32 bits
	ICMP4InnerIP4Src          // 32 bits
)

// FieldRef is a symbol or a run of its bits, as an action's argument.
type FieldRef struct {
	Symbol *Symbol
	Ofs    int // from the symbol's lowest bit
	Width  int // 0 for strings
}

// Slice resolves the reference, through subfields, to bits of the flow key.
func (f FieldRef) Slice() field.Slice {
	s, ofs := f.Symbol, f.Ofs
	for s.Parent != nil {
		ofs += s.ParentOfs
		s = s.Parent
	}
	w := f.Width
	if w == 0 {
		w = s.bits()
	}
	return field.Slice{Field: s.Field, Ofs: uint8(ofs + s.FieldOfs), Width: uint8(w)}
}

// Kind says which part of an Expr is in use.
type Kind uint8

const (
	Cmp       Kind = iota + 1 // Symbol Op constant
	And                       // all of Args, two or more
	Or                        // any of Args, two or more
	Bool                      // True
	Condition                 // is_chassis_resident(String), negated when Not
	In                        // Symbol Op any (EQ) or each (NE) of Set; see Env.WholeSets
)

// Relop is a relational operator.
type Relop uint8

const (
	EQ Relop = iota + 1
	NE
	LT
	LE
	GT
	GE
)

// Expr is a node of a match expression.
//
// As in OVN there is no negation node: the parser turns ! into negated
// comparisons and De Morgan's laws.
type Expr struct {
	Kind Kind
	Pos  int // byte offset in the source of the token that began it

	Args []*Expr // And, Or
	True bool    // Bool

	// Cmp. String symbols compare String; others the bits of Value under Mask,
	// both aligned to the symbol (before Annotate) or to the parent field that
	// the flow key holds (after it). In has no Value, and Mask is what it compares.
	Symbol      *Symbol
	Op          Relop
	Value, Mask field.Uint128

	String string // Cmp on string symbols; Condition's logical port
	Not    bool   // Condition

	Set *Set // In
}
