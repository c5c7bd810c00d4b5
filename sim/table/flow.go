// Package table compiles logical flows: matches into jump programs, actions
// into operations, and the flows of one table of a pipeline into a classifier.
//
// Everything that has a name in OVN has a number here: executing a stage
// meets no string, no map of strings and no interface. Compiling is done when
// a stage is first met, so a large network costs only what its packets visit.
//
// The package decides nothing about packets: package sim runs operations.
package table

import (
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Flow is a compiled logical flow.
type Flow struct {
	*network.Flow
	Ops []Op

	// Err is why the flow could not be compiled; it then matches nothing, and
	// whoever reaches its stage says so.
	Err error

	match match
	cubes []cube
}

// Compile compiles a logical flow. It always returns a Flow: one that could
// not be compiled has Err set.
func Compile(f *network.Flow, env *lflow.Env, r Resolver) *Flow {
	out := &Flow{Flow: f}
	out.Err = out.compile(env, r)
	return out
}

// Always reports whether the flow matches every packet, on every chassis.
func (f *Flow) Always() bool { return f.Err == nil && f.match.always() }

// Check tells what Compile would find wrong with a flow, for less.
func Check(f *network.Flow, env *lflow.Env, r Resolver) error {
	_, err := (&Flow{Flow: f}).understand(env, r)
	return err
}

func (f *Flow) compile(env *lflow.Env, r Resolver) error {
	e, err := f.understand(env, r)
	if err != nil {
		return err
	}
	c := matchCompiler{resolve: r}
	f.cubes = c.cover(e)
	return nil
}

// understand compiles a flow but for the cubes that cover its match, which it
// returns.
func (f *Flow) understand(env *lflow.Env, r Resolver) (*lflow.Expr, error) {
	e, err := lflow.ParseMatch(f.Match, env)
	if err != nil {
		return nil, &ParseError{"match", f.Match, err}
	}
	actions, prereqs, err := lflow.ParseActions(f.Actions, env)
	if err != nil {
		return nil, &ParseError{"actions", f.Actions, err}
	}
	if prereqs != nil {
		e = &lflow.Expr{Kind: lflow.And, Args: []*lflow.Expr{e, prereqs}}
	}
	e, err = lflow.Annotate(e, env)
	if err != nil {
		return nil, &ParseError{"match", f.Match, err}
	}
	e = lflow.Simplify(e)
	if f.match, err = compileMatch(e, r); err != nil {
		return nil, err
	}
	if f.Ops, err = compileOps(actions, r); err != nil {
		return nil, err
	}
	number(f.Ops, 0)
	return e, nil
}

// ParseError is a match or actions that lflow refused.
type ParseError struct {
	Part   string // "match" or "actions"
	Source string
	Err    error
}

func (e *ParseError) Error() string { return e.Part + " " + e.Source + ": " + e.Err.Error() }

func (e *ParseError) Unwrap() error { return e.Err }
