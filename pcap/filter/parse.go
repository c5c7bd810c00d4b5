package filter

// Expr is a parsed expression. It does not change, and may be compiled for any
// number of link types.
type Expr struct {
	text string
	root node // nil selects everything
}

// String is the expression as it was written.
func (e *Expr) String() string { return e.text }

// Parse reads an expression of pcap-filter(7). The empty one selects every
// packet. What is wrong whatever the link type is found here; the error is an
// *Error.
func Parse(expr string) (*Expr, error) {
	tokens, err := lex(expr)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	e := &Expr{text: expr}
	if p.peek().kind == end {
		return e, nil
	}
	v := p.rest(p.operand(qualifiers{}, terms))
	if p.peek().kind != end {
		p.wanted(`"and", "or" or the end`)
	}
	if p.err != nil {
		return nil, p.err
	}
	e.root = v.node
	return e, nil
}

// parser is a recursive descent. After its first error it sees nothing but the
// expression's end.
type parser struct {
	tokens []token
	at     int
	depth  int
	err    *Error
}

func (p *parser) peek() token {
	if p.err != nil {
		return p.tokens[len(p.tokens)-1]
	}
	return p.tokens[p.at]
}

// take consumes a token; the end stays.
func (p *parser) take() token {
	t := p.peek()
	if t.kind != end {
		p.at++
	}
	return t
}

// accept consumes a token if it is the one given.
func (p *parser) accept(k kind, text string) bool {
	ok := p.peek().is(k, text)
	if ok {
		p.at++
	}
	return ok
}

func (p *parser) expect(k kind, text string) {
	if !p.accept(k, text) {
		p.wanted("%q", text)
	}
}

// number consumes a number.
func (p *parser) number(what string) uint32 {
	if p.peek().kind != number {
		p.wanted("%s", what)
		return 0
	}
	return p.take().num
}

// fail notes the first error.
func (p *parser) fail(column int, format string, args ...any) {
	if p.err == nil {
		p.err = errorAt(column, format, args...)
	}
}

// wanted fails at the next token, saying what would have been right.
func (p *parser) wanted(format string, args ...any) {
	t := p.peek()
	p.fail(t.column, "expected "+format+", found %v", append(args, t)...)
}

// deeper enters a bracket or prefix, which leave must follow.
func (p *parser) deeper() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek().column, "brackets and prefixes are nested more than %d deep", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// form is what an operand can be. The grammar cannot tell before its end: (80)
// may be a port, or the left side of (80) < len.
type form uint8

const (
	terms form = 1 << iota // what is true or false by itself
	ids                    // an address, number or name for the qualifiers before it
	sums                   // an arithmetic value
	plain                  // a number by itself, which may yet be an id or a sum
)

// value is a parsed operand.
type value struct {
	form  form
	node  node       // of terms and ids
	sum   *sum       // of sums and plain numbers
	quals qualifiers // those that an id after it has
	list  bool       // ids in brackets
	token token      // its first
}

// rest reads the "and" and "or" after an operand. They bind alike, from left
// to right.
func (p *parser) rest(v value) value {
	allow := terms | ids
	if v.form == ids {
		allow = ids
	}
	links := &chain{first: v.node}
	for {
		t := p.peek()
		if !t.is(keyword, "and") && !t.is(keyword, "or") {
			break
		}
		p.take()
		next := p.operand(v.quals, allow)
		links.rest = append(links.rest, link{t.text == "or", next.node})
		v.quals = next.quals
	}
	if len(links.rest) > 0 {
		v.node = links
	}
	return v
}

// operand reads what stands between "and", "or" and brackets. q are the
// qualifiers that apply if it is an id.
func (p *parser) operand(q qualifiers, allow form) value {
	t := p.peek()
	switch {
	case t.is(keyword, "not"):
		return p.negated(q, allow)
	case t.is(symbol, "("):
		v := p.group(q, allow)
		if v.form&(sums|plain) != 0 {
			return p.comparison(v, q, allow)
		}
		return v
	case t.kind == number, p.beginsSum() && allow&(terms|sums) != 0:
		return p.comparison(value{token: t}, q, allow)
	case allow&ids != 0 && (t.kind == name || t.kind == mac || t.kind == dots || t.kind == ipv6):
		return value{form: ids, node: p.id(q), quals: q, token: t}
	case allow&terms != 0:
		return p.term()
	}
	p.wanted("%s", allow)
	return value{}
}

// String names what is allowed, for errors.
func (f form) String() string {
	switch {
	case f&terms != 0:
		return `a test such as "host 10.0.0.1" or "tcp port 80"`
	case f&ids != 0:
		return "an address, number or name"
	}
	return `a value such as "ip[0]", "len" or 5`
}

func (p *parser) negated(q qualifiers, allow form) value {
	t := p.take()
	p.deeper()
	defer p.leave()
	v := p.operand(q, allow&^(sums|plain))
	v.node, v.list, v.token = &not{v.node}, false, t
	return v
}

// group reads brackets around an operand of any form. Bracketed ids cannot be
// bracketed again, nor begin a list of ids: that is libpcap's grammar.
func (p *parser) group(q qualifiers, allow form) value {
	t := p.take()
	p.deeper()
	defer p.leave()
	inner := allow | plain
	if allow&(terms|sums) != 0 {
		inner |= sums
	}
	v := p.operand(q, inner)
	if v.list {
		p.fail(v.token.column, `a list in brackets cannot be in brackets again, or begin a list: leave its "(" out`)
	}
	if next := p.peek(); v.form == plain && allow&ids != 0 && (next.is(keyword, "and") || next.is(keyword, "or")) {
		v = value{form: ids, node: p.identify(v.token, q), quals: q}
	}
	if v.form == terms || v.form == ids {
		v = p.rest(v)
	}
	p.expect(symbol, ")")
	if v.list = v.form == ids; v.form == terms {
		v.quals = q
	}
	if v.form != plain {
		v.token = t // a number is known by its own token
	}
	return v
}

// comparison reads on from a sum or a number, or from its very beginning, and
// settles what it is by what follows.
func (p *parser) comparison(v value, q qualifiers, allow form) value {
	if v.sum == nil {
		v.sum = p.primary()
	}
	if allow&(terms|sums) != 0 {
		v.sum = p.operators(v.sum, "")
	}
	v.form = sums
	if v.sum.op == opNumber {
		v.form = plain
	}
	if op := p.peek(); allow&terms != 0 && op.kind == symbol && isRelation[op.text] {
		p.take()
		r := &relation{op: op.text, left: v.sum, right: p.operators(p.primary(), ""), column: op.column}
		return value{form: terms, node: r, token: v.token}
	}
	switch {
	case allow&v.form != 0:
	case v.form == plain && allow&sums != 0:
	case v.form == plain && allow&ids != 0:
		return value{form: ids, node: p.identify(v.token, q), quals: q, token: v.token}
	default:
		p.wanted("a comparison")
	}
	return v
}

var isRelation = map[string]bool{"=": true, "!=": true, "<": true, "<=": true, ">": true, ">=": true}
