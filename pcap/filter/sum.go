package filter

// sum is an arithmetic value.
type sum struct {
	op          string // opNumber and the like, or an operator
	number      uint32 // of opNumber
	protocol    string // of opLoad: whose header
	size        uint32 // of opLoad: bytes
	left, right *sum   // right is nil but for operators of two; left of opLoad is the offset
	column      int
}

// What a sum is besides an operator of two.
const (
	opNumber = "number"
	opLength = "len"
	opLoad   = "["
	opNegate = "negate"
)

// beginsSum reports whether what comes next is a value, but for numbers and
// brackets.
func (p *parser) beginsSum() bool {
	t := p.peek()
	if t.is(symbol, "-") || t.is(keyword, "len") {
		return true
	}
	return t.kind == keyword && protocols[t.text] && p.tokens[p.at+1].is(symbol, "[")
}

// primary reads an operand of an operator.
func (p *parser) primary() *sum {
	t := p.peek()
	switch {
	case t.kind == number:
		return &sum{op: opNumber, number: p.take().num, column: t.column}
	case t.is(keyword, "len"):
		p.take()
		return &sum{op: opLength, column: t.column}
	case t.is(symbol, "("):
		if v := p.group(qualifiers{}, sums); v.sum != nil {
			return v.sum
		}
	case t.is(symbol, "-"):
		p.take()
		p.deeper()
		defer p.leave()
		return &sum{op: opNegate, left: p.operators(p.primary(), opNegate), column: t.column}
	case p.beginsSum():
		return p.load()
	default:
		p.wanted("%s", sums)
	}
	return &sum{op: opLength, column: t.column} // after an error
}

// load reads protocol[offset:size].
func (p *parser) load() *sum {
	t := p.take()
	s := &sum{op: opLoad, protocol: t.text, size: 1, column: t.column}
	p.expect(symbol, "[")
	p.deeper()
	defer p.leave()
	s.left = p.operators(p.primary(), "")
	if p.accept(symbol, ":") {
		at := p.peek().column
		if s.size = p.number("a number of bytes: 1, 2 or 4"); s.size != 1 && s.size != 2 && s.size != 4 {
			p.fail(at, "a field has 1, 2 or 4 bytes, not %d", s.size)
		}
	}
	p.expect(symbol, "]")
	if !isIndexed[t.text] {
		p.fail(t.column, "the bytes of %q cannot be named", t.text)
	}
	return s
}

// isIndexed are the protocols whose bytes can be named.
var isIndexed = set("link ip arp rarp atalk decnet sca lat moprc mopdl ip6 sctp tcp udp icmp igmp igrp pim vrrp carp " +
	"icmp6")

// strength is how tightly an operator binds. Those that are missing, % and ^,
// take all that follows them, and are taken before all that precedes.
var strength = map[string]int{"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, opNegate: 6, "%": 0,
	"^": 0}

// operators reads on after a left operand while the operators that follow bind
// tighter than the one before it.
func (p *parser) operators(left *sum, before string) *sum {
	p.deeper()
	defer p.leave()
	for {
		t := p.peek()
		s, ok := strength[t.text]
		if t.kind != symbol || !ok {
			return left
		}
		if b := strength[before]; s != 0 && b != 0 && s <= b {
			return left
		}
		p.take()
		right := p.operators(p.primary(), t.text)
		p.constant(t, right)
		left = &sum{op: t.text, left: left, right: right, column: t.column}
	}
}

// constant refuses what a constant operand on the right makes senseless.
// Libpcap looks no further than at where that operand begins, so "len / ip[0]"
// is a division by zero as well.
func (p *parser) constant(op token, right *sum) {
	first := right
	for first.left != nil {
		first = first.left
	}
	if first.op != opNumber {
		return
	}
	inside := ""
	if first != right {
		inside = `: libpcap takes what the right side begins with for all of it; put something else, such as ` +
			`"len", first`
	}
	switch {
	case op.text == "/" && first.number == 0:
		p.fail(op.column, "division by zero%s", inside)
	case op.text == "%" && first.number == 0:
		p.fail(op.column, "modulus by zero%s", inside)
	case (op.text == "<<" || op.text == ">>") && first.number > 31:
		p.fail(op.column, "a shift of more than 31 bits%s", inside)
	}
}
