package filter

import "ovnreplay/nat/header"

// relation compares two values, as unsigned numbers of 32 bits.
type relation struct {
	op          string
	left, right *sum
	column      int
}

func (n *relation) emit(c *compiler, yes, no label) {
	for _, s := range []*sum{n.left, n.right} {
		if needs := s.needs(); needs != nil {
			more := c.label()
			all(needs...)(c, more, no)
			c.bind(more)
		}
	}
	left := c.calculate(n.left)
	right := c.calculate(n.right)
	c.at(n.column)
	c.free(left)
	c.free(right)
	c.emit(loadXMemory, right)
	c.emit(loadMemory, left)
	op := map[string]opcode{"=": equalX, "!=": equalX, ">": greaterX, "<=": greaterX, ">=": notLessX,
		"<": notLessX}[n.op]
	if n.op == "!=" || n.op == "<=" || n.op == "<" {
		yes, no = no, yes
	}
	c.test(op, 0, yes, no)
}

// needs are the checks that a packet has the headers whose bytes are asked for.
// Of two operands only the first is asked, as in libpcap: the right one is
// taken from wherever its header would be.
func (s *sum) needs() []check {
	if s.op != opLoad {
		if s.left == nil {
			return nil
		}
		return s.left.needs()
	}
	inner := s.left.needs()
	switch {
	case s.protocol == "link":
		return inner
	case s.protocol == "icmp6":
		return append(inner, at(s.column, carries(header.EtherIPv6)),
			field{of: ofNetwork, at: 6, size: 1}.is(header.ProtoICMPv6))
	case onLink[s.protocol] != 0:
		return append(inner, at(s.column, carries(onLink[s.protocol])))
	}
	checks := append([]check{at(s.column, carries(header.EtherIPv4))}, inner...)
	return append(checks, isProtocol(s.protocol), unfragmented)
}

// at has the errors of a check at a column.
func at(column int, is check) check {
	return func(c *compiler, yes, no label) {
		c.at(column)
		is(c, yes, no)
	}
}

// calculate emits a value's computation, and returns the word of memory that
// holds it.
func (c *compiler) calculate(s *sum) (word uint32) {
	switch s.op {
	case opNumber:
		c.at(s.column)
		word = c.reserve()
		c.emit(loadNumber, s.number)
	case opLength:
		c.at(s.column)
		word = c.reserve()
		c.emit(loadLength, 0)
	case opNegate:
		word = c.calculate(s.left)
		c.emit(loadMemory, word)
		c.emit(negate, 0)
	case opLoad:
		at := c.calculate(s.left)
		c.at(s.column)
		if kind, ok := onLink[s.protocol]; ok {
			c.carries(kind) // for its errors: not all operands are checked
		}
		word = c.reserve()
		c.free(at)
		c.loadIndexed(s, at)
	default:
		left := c.calculate(s.left)
		right := c.calculate(s.right)
		c.emit(loadXMemory, right)
		c.emit(loadMemory, left)
		c.code = append(c.code, instruction{op: arithmeticOps[s.op], column: int32(s.column)})
		c.free(left)
		c.free(right)
		word = c.reserve()
	}
	c.emit(store, word)
	return word
}

var arithmeticOps = map[string]opcode{
	"+": addX, "-": subtractX, "*": multiplyX, "/": divideX, "%": moduloX,
	"&": andX, "|": orX, "^": xorX, "<<": shiftLeftX, ">>": shiftRightX,
}

// loadIndexed loads a field of a header whose offset is in a word of memory.
func (c *compiler) loadIndexed(s *sum, word uint32) {
	start := c.payload
	start.constant += c.network
	switch {
	case s.protocol == "link":
		start = c.header
	case s.protocol == "icmp6":
		start.constant += 40
	case onLink[s.protocol] != 0:
	default:
		c.loadHeaderLength()
		c.emit(loadMemory, word)
		c.emit(addX, 0)
		c.emit(aToX, 0)
		c.emit(loadX(s.size), start.constant)
		return
	}
	if start.variable {
		c.emit(loadXMemory, start.memory)
		c.emit(loadMemory, word)
		c.emit(addX, 0)
		c.emit(aToX, 0)
	} else {
		c.emit(loadXMemory, word)
	}
	c.emit(loadX(s.size), start.constant)
}

// lengthTest is "less" or "greater", both of which take equal lengths too.
type lengthTest struct {
	limit uint32
	less  bool
}

func (n *lengthTest) emit(c *compiler, yes, no label) {
	c.emit(loadLength, 0)
	if n.less {
		c.test(greater, n.limit, no, yes)
	} else {
		c.test(notLess, n.limit, yes, no)
	}
}

// byteTest compares a byte of the link layer.
type byteTest struct {
	offset, value uint32
	op            string
}

func (n *byteTest) emit(c *compiler, yes, no label) {
	b := field{of: ofHeader, at: n.offset, size: 1}
	switch n.op {
	case "=":
		b.is(n.value)(c, yes, no)
	case ">":
		b.above(n.value)(c, yes, no)
	default:
		b.atLeast(n.value)(c, no, yes)
	}
}
