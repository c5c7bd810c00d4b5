package lflow

import (
	"ovnreplay/sim/field"
)

// Action is one action of a logical flow; its dynamic type says which.
// A flow's actions are a []Action in the order written.
//
// All that the language knows of an action is in one file, action_NAME.go: its
// type, how it is parsed and what it requires, its text, and the operation it
// compiles to. One without any of these does not compile.
type Action interface {
	format(f *actionFormat)
	compile(r Resolver) (Op, error)
}

// Pipeline is a logical pipeline.
type Pipeline uint8

const (
	Ingress Pipeline = iota + 1
	Egress
)

// Constant is a literal value of an action's argument.
type Constant struct {
	String string // when the destination is a string
	Value  field.Uint128
	Mask   field.Uint128 // all ones for an unmasked constant
	Masked bool
	Format Format // as written, for printing; 0 for strings

	wide *wideNumber // beyond 128 bits, for printing
}

// Format is how an integer constant was written.
type Format uint8

const (
	FormatDecimal Format = iota + 1
	FormatHexadecimal
	FormatIPv4
	FormatIPv6
	FormatEthernet
)
