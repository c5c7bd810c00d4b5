package lflow

import (
	"strings"

	"ovnreplay/sim/field"
)

// The shape of a match or of actions is its text without the addresses and names of
// ports in it, of which only the kind is kept. A database has thousands of flows and
// few shapes. Whether a text is right depends on its shape alone: parser, annotator
// and operations look at the value of a decimal or hexadecimal number, of a mask and
// of what options are set to, which all are part of the shape, but never at that of
// an address, nor at the name of a port. TestShapesTell holds it against them.

// Const is a constant of a match that its shape leaves out.
type Const struct {
	// Symbol is what the match, whatever else it asks for, compares with it for
	// equality; nil: it is part of something that is not as simple.
	Symbol      *Symbol
	String      string // if Symbol is a string
	Value, Mask field.Uint128
}

// Shapes reads shapes, in the environment of the flows. What it returns is valid until
// the next call.
type Shapes struct {
	tab    *Symtab
	text   []byte
	consts []Const
}

// NewShapes returns a reader of the shapes of flows that are parsed in env.
func NewShapes(env *Env) *Shapes { return &Shapes{tab: env.symtab()} }

// Of returns the shape of a flow, and the constants that its match leaves out; false
// if the text is not one that has a shape: that is not to say that it is wrong.
func (s *Shapes) Of(match, actions string) (shape []byte, consts []Const, ok bool) {
	s.text, s.consts = s.text[:0], s.consts[:0]
	m := shapeReader{Shapes: s, lexer: lexer{src: match}}
	if !m.read() {
		return nil, nil, false
	}
	m.settle(true)
	s.text = append(s.text, 0)
	from := len(s.text)
	a := shapeReader{Shapes: s, lexer: lexer{src: actions}, actions: true}
	switch {
	case Templated(actions):
		return nil, nil, false
	case !a.read():
		s.text = append(s.text[:from], actions...)
	}
	return s.text, s.consts, true
}

// shapeReader reads one text.
type shapeReader struct {
	*Shapes
	lexer
	actions bool

	name   string // the identifier read last
	depth  int    // of parentheses, braces and brackets
	either bool   // operands are joined by ||: none must hold

	operand part // of the operand of && that is being read, what was
	symbol  *Symbol
	from    int // the first constant of the operand
}

// part is how much of "symbol == constant" an operand is so far.
type part uint8

const (
	nothing part = iota
	symbolRead
	equalsRead
	braceRead
	constRead
	bracedRead
	notSimple
)

// read appends the text's shape; false if it has none.
func (r *shapeReader) read() bool {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == ' ':
			r.take(1)
		case c == '"':
			if !r.str() {
				return false
			}
		case isDigit(c), c == ':' && r.at(r.pos+1) == ':',
			isHex(c) && r.at(r.pos+hexRun(r.src[r.pos:])) == ':':
			if !r.constant() {
				return false
			}
		case c == '.' || isIDStart(c):
			if c == '.' && r.at(r.pos+1) != '.' {
				return false
			}
			r.identifiers()
		case c == '/' && r.actions && r.comment():
		case c == '/', c == '^', c == '\\', c < ' ', c > '~':
			return false
		default:
			if !r.sign(c) {
				return false
			}
		}
	}
	return r.depth == 0
}

func (r *shapeReader) take(n int) {
	r.text = append(r.text, r.src[r.pos:r.pos+n]...)
	r.pos += n
}

// comment takes a comment.
func (r *shapeReader) comment() bool {
	rest := r.src[r.pos:]
	n := strings.Index(rest, "*/")
	if r.at(r.pos+1) != '*' || n < 2 || strings.IndexByte(rest[:n], '\n') >= 0 {
		return false
	}
	r.take(n + 2)
	return true
}

// identifiers takes an identifier, or the dots of a range.
func (r *shapeReader) identifiers() {
	if r.src[r.pos] == '.' {
		r.take(2)
		r.operand = notSimple
		return
	}
	r.name = r.identifier()
	r.text = append(r.text, r.name...)
	if r.operand == nothing && r.depth == 0 && !r.actions {
		r.operand, r.symbol = symbolRead, r.tab.Lookup(r.name)
		return
	}
	r.operand = notSimple
}

// str takes the name of a port.
func (r *shapeReader) str() bool {
	rest := r.src[r.pos+1:]
	n := strings.IndexByte(rest, '"')
	if n < 0 || strings.IndexByte(rest[:n], '\\') >= 0 {
		return false
	}
	r.pos += n + 2
	r.text = append(r.text, '"', '"')
	r.leave(Const{String: rest[:n]})
	return true
}

// constant takes a number, or an address and its mask. Marks that no text has stand
// for the kinds of addresses.
func (r *shapeReader) constant() bool {
	at, n := r.pos, numberRun(r.src[r.pos:])
	if s := r.src[at : at+n]; allDigits(s) || s[0] == '0' && n > 1 && (s[1] == 'x' || s[1] == 'X') {
		r.take(n)
		if r.at(r.pos) == '/' {
			r.take(1 + numberRun(r.src[r.pos+1:]))
		}
		r.operand = notSimple
		return true
	}
	var t Token
	if msg := r.number(&t); msg != "" {
		return false
	}
	r.text = append(r.text, 1, byte(t.Format))
	c := Const{Value: t.Value, Mask: field.Ones(128)}
	if t.Type == TokenMaskedInteger {
		c.Mask = t.Mask
		r.text = append(r.text, r.src[at+n:r.pos]...)
	}
	r.leave(c)
	return true
}

// leave notes a constant that is left out.
func (r *shapeReader) leave(c Const) {
	if r.actions {
		return
	}
	switch r.operand {
	case equalsRead:
		r.operand = constRead
	case braceRead:
		r.operand = bracedRead
	default:
		r.operand = notSimple
	}
	r.consts = append(r.consts, c)
}

// sign takes what is neither a name nor a constant.
func (r *shapeReader) sign(c byte) bool {
	next := r.at(r.pos + 1)
	switch {
	case c == '&' && next == '&' && r.depth == 0:
		r.settle(false)
		r.take(2)
		return true
	case c == '|' && next == '|':
		r.either = r.either || r.depth == 0
		r.take(2)
	case c == '=' && next == '=':
		r.take(2)
		if r.operand == symbolRead {
			r.operand = equalsRead
			return true
		}
	case c == '(' && r.actions && !r.plainCall():
		return false
	case c == '{' && r.operand == equalsRead:
		r.depth++
		r.take(1)
		r.operand = braceRead
		return true
	case c == '}' && r.operand == bracedRead:
		r.depth--
		r.take(1)
		r.operand = constRead
		return true
	default:
		if c == '(' || c == '{' || c == '[' {
			r.depth++
		} else if c == ')' || c == '}' || c == ']' {
			r.depth--
		}
		r.take(1)
	}
	r.operand = notSimple
	return true
}

// settle ends an operand: of a simple one it is known what its constant is compared with.
func (r *shapeReader) settle(end bool) {
	for i := r.from; i < len(r.consts); i++ {
		if r.operand == constRead && r.symbol != nil {
			r.consts[i].Symbol = r.symbol
		}
	}
	r.from, r.operand = len(r.consts), nothing
	if end && r.either {
		for i := range r.consts {
			r.consts[i].Symbol = nil
		}
	}
}

// plainCall reports whether what is in the parentheses that begin here is of the kinds
// that have no values to be looked at: fields, addresses, numbers.
func (r *shapeReader) plainCall() bool {
	switch r.name {
	case "next", "ct_lb", "ct_lb_mark", "ct_lb_mark_local", "ct_dnat", "ct_snat", "ct_dnat_in_czone",
		"ct_snat_in_czone", "ct_next", "get_arp", "get_nd", "put_arp", "put_nd", "lookup_arp", "lookup_nd",
		"lookup_arp_ip", "lookup_nd_ip", "check_pkt_larger", "check_in_port_sec", "check_out_port_sec":
		return true
	}
	return r.at(r.pos+1) == ')'
}
