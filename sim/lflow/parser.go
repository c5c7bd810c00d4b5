package lflow

import (
	"fmt"
	"math"
)

// parser reads tokens of a match or of actions. The first error ends the
// parse, as in OVN no later one is ever reported: it travels as a panic with
// an *Error from fail to run, which alone recovers it.
type parser struct {
	env *Env
	tab *Symtab
	lexer

	tok      Token
	ahead    Token // the token after tok, when hasAhead
	hasAhead bool
	last     int // end of the token before tok

	// Of matches.
	negated bool // inside an odd number of !
	parens  int
	nodes   []Expr        // spare nodes, allocated in blocks
	sets    [2][]Constant // memory of the constant sets of one comparison

	// Of actions.
	prereqs []*Expr // to be ANDed
	blocks  int     // nesting of { }
	scope   Scope
}

// run calls parse on src and returns the error that ended it, if one did.
func run(src string, env *Env, parse func(*parser)) (err error) {
	if env == nil {
		env = &Env{}
	}
	p := parser{env: env, tab: env.symtab(), scope: WriteDefault, lexer: newLexer(env.expand(src))}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		default:
			panic(r)
		}
	}()
	p.next(&p.tok)
	parse(&p)
	return nil
}

// fail ends the parse with an error at the current token. A lexical error
// that was waiting there goes first: it explains more.
func (p *parser) fail(format string, args ...any) {
	p.failAt(p.tok.Pos, p.tok.End, format, args...)
}

func (p *parser) failAt(pos, end int, format string, args ...any) {
	if p.tok.Type == TokenError {
		panic(&Error{p.src, p.tok.Pos, p.tok.End, p.tok.Text})
	}
	panic(&Error{p.src, pos, end, fmt.Sprintf(format, args...)})
}

// syntax ends the parse with a syntax error at the current token.
func (p *parser) syntax(expecting string) {
	where := " at end of input"
	if p.tok.Type != TokenEnd {
		where = " at `" + p.src[p.tok.Pos:p.tok.End] + "'"
	}
	if expecting != "" {
		expecting = " " + expecting
	}
	p.fail("%s", "Syntax error"+where+expecting+".")
}

// advance moves to the next token.
func (p *parser) advance() {
	p.last = p.tok.End
	if p.hasAhead {
		p.tok, p.hasAhead = p.ahead, false
		return
	}
	p.next(&p.tok)
}

// peek returns the type of the token after the current one.
func (p *parser) peek() TokenType {
	if !p.hasAhead {
		p.next(&p.ahead)
		p.hasAhead = true
	}
	return p.ahead.Type
}

// match passes the current token if it is of type t.
func (p *parser) match(t TokenType) bool {
	if p.tok.Type != t {
		return false
	}
	p.advance()
	return true
}

// force passes the current token, which must be of type t.
func (p *parser) force(t TokenType) {
	if !p.match(t) {
		p.syntax("expecting `" + punctuation[t] + "'")
	}
}

// forceEnd requires the end of the input.
func (p *parser) forceEnd() {
	if p.tok.Type != TokenEnd {
		p.syntax("expecting end of input")
	}
}

// is reports whether the current token is the identifier id.
func (p *parser) is(id string) bool { return p.tok.Type == TokenID && p.tok.Text == id }

// matchID passes the current token if it is the identifier id.
func (p *parser) matchID(id string) bool {
	if !p.is(id) {
		return false
	}
	p.advance()
	return true
}

// forceInt passes a decimal constant of at most 31 bits.
func (p *parser) forceInt() int {
	n, ok := p.smallInt()
	if !ok {
		p.syntax("expecting small integer")
	}
	p.advance()
	return n
}

// smallInt returns the current token's value if it is a decimal constant of at most 31 bits.
func (p *parser) smallInt() (int, bool) {
	if p.tok.Type != TokenInteger || p.tok.Format != FormatDecimal || p.tok.Value.Lo > math.MaxInt32 {
		return 0, false
	}
	return int(p.tok.Value.Lo), true
}

// fieldRef parses a field, subfield or predicate, with or without a range of bits.
func (p *parser) fieldRef() FieldRef {
	if p.tok.Type != TokenID {
		p.syntax("expecting field name")
	}
	s := p.tab.Lookup(p.tok.Text)
	if s == nil {
		p.syntax("expecting field name")
	}
	start := p.tok.Pos
	p.advance()
	f := FieldRef{Symbol: s, Width: s.Width}
	if !p.match(TokenLSquare) {
		return f
	}
	if s.Width == 0 {
		p.fail("Cannot select subfield of string field %s.", s.Name)
	}
	low := p.forceInt()
	high := low
	if p.match(TokenEllipsis) {
		high = p.forceInt()
	}
	p.force(TokenRSquare)
	switch end := p.last; {
	case low > high:
		p.failAt(start, end, "Invalid bit range %d to %d.", low, high)
	case high >= s.Width:
		p.failAt(start, end, "Cannot select bits %d to %d of %d-bit field %s.", low, high, s.Width, s.Name)
	case s.Level == Nominal && high-low+1 != s.Width:
		p.failAt(start, end, "Cannot select subfield of nominal field %s.", s.Name)
	}
	f.Ofs, f.Width = low, high-low+1
	return f
}

// append appends the reference as it is written.
func (f FieldRef) append(b []byte) []byte {
	b = append(b, f.Symbol.Name...)
	if f.Ofs == 0 && f.Width == f.Symbol.Width {
		return b
	}
	return appendRange(b, f.Ofs, f.Width)
}

// String returns the reference as it is written.
func (f FieldRef) String() string { return string(f.append(nil)) }

// appendRange appends [ofs] or [ofs..end].
func appendRange(b []byte, ofs, width int) []byte {
	if width == 1 {
		return fmt.Appendf(b, "[%d]", ofs)
	}
	return fmt.Appendf(b, "[%d..%d]", ofs, ofs+width-1)
}
