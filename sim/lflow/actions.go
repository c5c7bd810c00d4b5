package lflow

import (
	"net/netip"

	"ovnreplay/sim/field"
)

// Tables of the logical pipelines of the newest OVN, which bound "next".
const (
	IngressTables = 35
	EgressTables  = 16
)

// ParseActions parses a flow's actions and checks their types. The actions
// are valid only for packets that meet prereqs, nil when there is nothing to
// meet, which the flow's match is to be ANDed with; as in OVN, part of it is
// annotated already and part is not. The error is an *Error.
//
// "drop;" and no actions at all are one Drop.
func ParseActions(src string, env *Env) (actions []Action, prereqs *Expr, err error) {
	err = run(src, env, func(p *parser) {
		actions = p.actions(TokenEnd)
		prereqs = conjunction(p.prereqs)
	})
	if err != nil {
		return nil, nil, err
	}
	if len(actions) == 0 {
		actions = []Action{Drop{}}
	}
	return actions, prereqs, nil
}

// conjunction returns all of terms, which it keeps; nil for none.
func conjunction(terms []*Expr) *Expr {
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return terms[0]
	}
	return &Expr{Kind: And, Args: terms}
}

// actions parses up to the sentinel, the end or a }. Only by itself does
// "drop;" stand for no actions.
func (p *parser) actions(sentinel TokenType) []Action {
	if p.is("drop") && p.peek() == TokenSemicolon {
		p.advance()
		p.advance()
		if sentinel == TokenEnd {
			p.forceEnd()
		} else {
			p.force(sentinel)
		}
		return nil
	}
	var actions []Action
	for !p.match(sentinel) {
		switch p.tok.Type {
		case TokenID:
		case TokenTemplate:
			p.fail("Unexpanded template.")
		default:
			p.syntax("")
		}
		actions = append(actions, p.action())
		p.force(TokenSemicolon)
	}
	return actions
}

// action parses one action up to its semicolon.
func (p *parser) action() Action {
	switch p.peek() {
	case TokenEquals, TokenExchange, TokenLSquare:
		return p.assignment()
	}
	parse := statements[p.tok.Text]
	if parse == nil {
		p.syntax("expecting action")
	}
	p.advance()
	return parse(p)
}

// statements are the actions that begin with their name, which has been passed
// when the function is called. Each action's file adds its own.
var statements = map[string]func(*parser) Action{}

// function parses "name(…)" after "dst =". The name is the current token.
type function func(p *parser, start int, dst FieldRef) Action

// functions are those names. Each action's file adds its own.
var functions = map[string]function{}

// constantly is the parser of an action without arguments.
func constantly(a Action) func(*parser) Action {
	return func(*parser) Action { return a }
}

// require adds the predicate or expression src to the prerequisites, not annotated.
func (p *parser) require(src string) {
	s := p.tab.Lookup(src)
	if s == nil {
		p.fail("Syntax error at `%s' expecting field name.", src)
	}
	p.prereqs = append(p.prereqs, &Expr{Kind: Cmp, Symbol: s, Op: NE, Mask: field.Ones(1)})
}

// lvalue parses a field and adds its prerequisites; predicates are none.
func (p *parser) lvalue() FieldRef {
	start := p.tok.Pos
	f := p.fieldRef()
	if f.Symbol.Predicate != "" {
		p.failAt(start, p.last, "Predicate symbol %s used where lvalue required.", f.Symbol.Name)
	}
	a := annotator{tab: p.tab}
	for s := f.Symbol; s != nil; s = s.Parent {
		prereqs, err := a.prereqs(s)
		if err != nil {
			p.failAt(start, p.last, "%s", err)
		}
		if prereqs != nil {
			p.prereqs = appendFlat(p.prereqs, And, prereqs)
		}
	}
	return f
}

// field parses a field of width bits, 0 for a string.
func (p *parser) field(width int) FieldRef {
	start := p.tok.Pos
	f := p.lvalue()
	p.checkWidth(start, f, width)
	return f
}

func (p *parser) checkWidth(start int, f FieldRef, width int) {
	switch {
	case f.Width == width:
	case f.Width != 0 && width != 0:
		p.failAt(start, p.last, "Cannot use %d-bit field %s[%d..%d] where %d-bit field is required.",
			f.Width, f.Symbol.Name, f.Ofs, f.Ofs+f.Width-1, width)
	case width != 0:
		p.failAt(start, p.last, "Cannot use string field %s where numeric field is required.", f.Symbol.Name)
	default:
		p.failAt(start, p.last, "Cannot use numeric field %s where string field is required.", f.Symbol.Name)
	}
}

// checkWritable requires that f may be assigned here.
func (p *parser) checkWritable(start int, f FieldRef) {
	if f.Symbol.Writable&p.scope == 0 {
		p.failAt(start, p.last, "Field %s is not modifiable.", f.Symbol.Name)
	}
}

// name passes "name(" and returns the name.
func (p *parser) name() string {
	name := p.tok.Text
	p.advance()
	p.force(TokenLParen)
	return name
}

// destination requires a writable field of width bits.
func (p *parser) destination(start int, f FieldRef, width int) {
	p.checkWidth(start, f, width)
	p.checkWritable(start, f)
}

// noArguments passes "name()" and checks the destination.
func (p *parser) noArguments(start int, dst FieldRef, width int) {
	name := p.name()
	if !p.match(TokenRParen) {
		p.fail("%s doesn't take any parameters", name)
	}
	p.destination(start, dst, width)
}

// argument passes "name =".
func (p *parser) argument(name string) {
	if !p.matchID(name) {
		p.syntax("invalid parameter")
	}
	p.force(TokenEquals)
}

// uint16 parses a decimal constant of at most 16 bits.
func (p *parser) uint16(what string) uint16 {
	n, ok := p.smallInt()
	if !ok || n > 0xffff {
		p.syntax("expecting " + what)
	}
	p.advance()
	return uint16(n)
}

// str parses a string.
func (p *parser) str(what string) string {
	if p.tok.Type != TokenString {
		p.syntax(what)
	}
	s := p.tok.Text
	p.advance()
	return s
}

// quietInt parses a small integer. Where OVN finds none it goes on as if the
// action were complete, and misses the semicolon.
func (p *parser) quietInt() int {
	n, ok := p.smallInt()
	switch {
	case ok:
		p.advance()
	case p.tok.Type != TokenSemicolon:
		p.syntax("expecting `;'")
	default:
		p.syntax("expecting small integer")
	}
	return n
}

// bool parses true or false, quoted or not.
func (p *parser) bool() bool {
	if (p.tok.Type == TokenID || p.tok.Type == TokenString) && (p.tok.Text == "true" || p.tok.Text == "false") {
		yes := p.tok.Text == "true"
		p.advance()
		return yes
	}
	p.syntax("expecting true or false")
	return false
}

// proto parses tcp, udp or sctp.
func (p *parser) proto() uint8 {
	switch {
	case p.matchID("tcp"):
		return 6
	case p.matchID("udp"):
		return 17
	case p.matchID("sctp"):
		return 132
	}
	p.syntax("invalid protocol")
	return 0
}

// addr passes an address and returns it.
func (p *parser) addr() netip.Addr {
	b := p.tok.Value.Bytes()
	addr := netip.AddrFrom16(b)
	if p.tok.Format == FormatIPv4 {
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	p.advance()
	return addr
}

// isAddr reports whether the current token is an address.
func (p *parser) isAddr() bool {
	return p.tok.Type == TokenInteger && (p.tok.Format == FormatIPv4 || p.tok.Format == FormatIPv6)
}
