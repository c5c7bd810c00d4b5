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
	"errors"
	"strings"
	"unicode/utf8"

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
	maker *Maker // who is to make Ops and match; nil: they are made
}

// Compile compiles a logical flow. It always returns a Flow: one that could
// not be compiled has Err set.
func Compile(f *network.Flow, env *lflow.Env, r Resolver) *Flow {
	out := &Flow{Flow: f}
	out.Err = out.compile(env, &matchCompiler{resolve: r})
	return out
}

// Always reports whether the flow matches every packet, on every chassis.
func (f *Flow) Always() bool { return f.Err == nil && f.match.always() }

// maxActions bounds the text of a flow's actions. A message of OpenFlow holds 64 KiB, and
// what the text says takes no less there: more than this no switch can be told.
const maxActions = 256 << 10

var errTooLong = errors.New("the actions are longer than Open vSwitch can be told: more than 256 KiB of text")

func (f *Flow) compile(env *lflow.Env, c *matchCompiler) error {
	e, err := lflow.ParseMatch(f.Match, env)
	if err != nil {
		return &ParseError{"match", f.Match, err}
	}
	if len(f.Actions) > maxActions {
		return errTooLong
	}
	actions, prereqs, err := lflow.ParseActions(f.Actions, env)
	if err != nil {
		return &ParseError{"actions", f.Actions, err}
	}
	if e, err = complete(f.Flow, e, prereqs, env); err != nil {
		return err
	}
	if f.match, err = c.match(e); err != nil {
		return err
	}
	if f.Ops, err = lflow.Compile(actions, c.resolve); err != nil {
		return err
	}
	number(f.Ops, 0)
	f.cubes = c.cover(e)
	return nil
}

// complete joins a flow's match with what its actions need to be so, and with
// what the fields in both need.
func complete(f *network.Flow, e, prereqs *lflow.Expr, env *lflow.Env) (*lflow.Expr, error) {
	if prereqs != nil {
		e = &lflow.Expr{Kind: lflow.And, Args: []*lflow.Expr{e, prereqs}}
	}
	e, err := lflow.Annotate(e, env)
	if err != nil {
		return nil, &ParseError{"match", f.Match, err}
	}
	return lflow.Simplify(e), nil
}

// Checker tells what Compile would find wrong with the flows of one
// environment, for less: it makes nothing that lasts, and looks at actions
// that several flows have, and at flows of one shape, once.
type Checker struct {
	env     *lflow.Env
	match   matchCompiler
	actions map[string]checked
	read    *lflow.Shapes
	right   map[string]bool // shapes of flows that compile
}

// checked is what is known of a flow's actions.
type checked struct {
	prereqs        *lflow.Expr
	wrong, unknown error // they do not parse; they have no operation
}

// NewChecker returns a checker of flows that are parsed in env, with sets shared with others.
func NewChecker(env *lflow.Env, r Resolver, sets *Sets) *Checker {
	return &Checker{env: env.WholeSets(), match: matchCompiler{resolve: r, sets: sets}, actions: map[string]checked{},
		read: lflow.NewShapes(env), right: map[string]bool{}}
}

// Check returns the error that Compile would leave in the flow.
func (c *Checker) Check(f *network.Flow) error {
	shape, _, ok := c.read.Of(f.Match, f.Actions)
	if ok && c.right[string(shape)] {
		return nil
	}
	err := c.check(f)
	if err == nil && ok && len(c.right) < maxShapes {
		c.right[string(shape)] = true
	}
	return err
}

func (c *Checker) check(f *network.Flow) error {
	e, err := lflow.ParseMatch(f.Match, c.env)
	if err != nil {
		return &ParseError{"match", f.Match, err}
	}
	a, known := c.actions[f.Actions]
	if !known {
		a = c.look(f.Actions)
		c.actions[f.Actions] = a
	}
	if a.wrong != nil {
		return a.wrong
	}
	if e, err = complete(f, e, a.prereqs, c.env); err != nil {
		return err
	}
	c.match.out = c.match.out[:0]
	if _, err = c.match.compile(e, accept, reject); err != nil {
		return err
	}
	return a.unknown
}

func (c *Checker) look(text string) (a checked) {
	if len(text) > maxActions {
		a.wrong = errTooLong
		return a
	}
	actions, prereqs, err := lflow.ParseActions(text, c.env)
	if err != nil {
		a.wrong = &ParseError{"actions", text, err}
		return a
	}
	a.prereqs = prereqs
	_, a.unknown = lflow.Compile(actions, c.match.resolve)
	return a
}

// ParseError is a match or actions that lflow refused.
type ParseError struct {
	Part   string // "match" or "actions"
	Source string
	Err    error
}

func (e *ParseError) Error() string { return e.Part + " " + e.Source + ": " + e.Err.Error() }

func (e *ParseError) Unwrap() error { return e.Err }

// maxBrief is how many bytes of a flow's text, and of what is wrong with it, a
// line tells.
const maxBrief = 120

// Brief is a flow's error in a line: of a text that names thousands of
// addresses the beginning, and what is wrong with it.
func Brief(err error) string {
	text, before := err.Error(), ""
	if p := new(ParseError); errors.As(err, &p) {
		text, before = p.Err.Error(), p.Part+" "+cut(p.Source)+": "
	}
	return before + cut(text)
}

// cut is a text of at most maxBrief bytes, in one line.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if len(text) > maxBrief {
		end := maxBrief - len("…")
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	return strings.Join(strings.Fields(text), " ")
}
