package filter

import "fmt"

// Link is what the link layer of packets is.
type Link struct {
	Type uint16 // LINKTYPE_ value of the tcpdump.org registry
	// BigEndian: the capture was written by a big-endian host, in whose byte
	// order the address family of NULL frames is.
	BigEndian bool
}

// Link types that expressions can be compiled for.
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9 // only within PPPoE
	linkRaw12    = 12
	linkRaw14    = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// Compile makes the expression's test for packets of a link type. What that
// link type does not have is an error, an *Error.
func (e *Expr) Compile(link Link) (*Program, error) { return e.compile(link, true) }

func (e *Expr) compile(link Link, simplify bool) (*Program, error) {
	c := &compiler{link: link.Type, bigEndian: link.BigEndian}
	switch link.Type {
	case linkEthernet:
		c.linkType.constant, c.payload.constant = 12, 14
		c.networkLLC = 3
	case linkNull, linkLoop:
		c.payload.constant = 4
	case linkSLL:
		c.linkType.constant, c.payload.constant = 14, 16
	case linkSLL2:
		c.payload.constant = 20
	case linkRaw12, linkRaw14, linkRaw:
		c.link = linkRaw
	case linkIPv4, linkIPv6:
	default:
		return nil, errorAt(1, "packets of link type %d cannot be filtered: only Ethernet, Linux cooked, raw IP and "+
			"loopback", link.Type)
	}
	yes, no := c.label(), c.label()
	if e.root != nil {
		e.root.emit(c, yes, no)
	}
	c.bind(yes)
	c.emit(accept, 0)
	c.bind(no)
	c.emit(reject, 0)
	if c.err != nil {
		return nil, c.err
	}
	c.resolve()
	if simplify && !c.keepOrder {
		c.simplify()
	}
	if c.err != nil {
		return nil, c.err
	}
	return &Program{c.code}, nil
}

// node is a part of an expression that is true or false. Nodes are emitted in
// the order they are written in: encapsulations change where the ones after
// them look.
type node interface {
	emit(c *compiler, yes, no label)
}

// label is a place in the program that jumps lead to.
type label int32

// compiler makes a program, and knows where headers are as far as it has got.
type compiler struct {
	link      uint16
	bigEndian bool
	code      []instruction
	labels    []int32 // where each label is
	err       *Error
	column    int // of the node being emitted

	header   offset // the link layer's header
	linkType offset // the field that tells what it carries
	payload  offset // what it carries
	// network and networkLLC are where the network header is within the
	// payload: after labels of MPLS, and in an 802.2 frame.
	network, networkLLC uint32
	labels20            int               // MPLS labels, of 20 bits, so far
	inGeneve            bool              // the link header, if any, is within Geneve
	memory              [memoryWords]bool // the words taken
	word                uint32            // the last one that was taken
	keepOrder           bool              // do not simplify: tests depend on each other's results
}

// offset is a place in the packet: a constant, to which a word of memory is
// added if it is variable.
type offset struct {
	constant uint32
	variable bool
	memory   uint32
}

// fail notes the first error, at the node being emitted.
func (c *compiler) fail(format string, args ...any) {
	if c.err == nil {
		c.err = errorAt(c.column, "%s", fmt.Sprintf(format, args...))
	}
}

// at notes which column is being compiled.
func (c *compiler) at(column int) { c.column = column }

func (c *compiler) label() label {
	c.labels = append(c.labels, -1)
	return label(len(c.labels) - 1)
}

func (c *compiler) bind(l label) { c.labels[l] = int32(len(c.code)) }

func (c *compiler) emit(op opcode, k uint32) {
	c.code = append(c.code, instruction{op: op, k: k})
}

// test emits a conditional jump.
func (c *compiler) test(op opcode, k uint32, yes, no label) {
	c.code = append(c.code, instruction{op: op, k: k, yes: int32(yes), no: int32(no)})
}

func (c *compiler) jump(to label) { c.test(jump, 0, to, to) }

// resolve puts places for labels.
func (c *compiler) resolve() {
	for i := range c.code {
		if in := &c.code[i]; in.op >= equal {
			in.yes, in.no = c.labels[in.yes], c.labels[in.no]
		}
	}
}

// reserve takes a word of memory. That there are only so many is a limit of
// libpcap's too, and so is which word is taken: after an "or", what "geneve"
// would have left in its words is what something else left there.
func (c *compiler) reserve() uint32 {
	for range c.memory {
		if !c.memory[c.word] {
			c.memory[c.word] = true
			return c.word
		}
		c.word = (c.word + 1) % memoryWords
	}
	c.fail("too many values are needed at once: simplify the arithmetic")
	return 0
}

func (c *compiler) free(word uint32) { c.memory[word] = false }

// check is a test yet to be emitted.
type check func(c *compiler, yes, no label)

func both(a, b check) check {
	return func(c *compiler, yes, no label) {
		more := c.label()
		a(c, more, no)
		c.bind(more)
		b(c, yes, no)
	}
}

func one(a, b check) check {
	return func(c *compiler, yes, no label) {
		more := c.label()
		a(c, yes, more)
		c.bind(more)
		b(c, yes, no)
	}
}

// oneOf is true if any check is, all if all are; they are made in this order.
func oneOf(checks ...check) check { return fold(one, checks) }
func all(checks ...check) check   { return fold(both, checks) }

func fold(join func(a, b check) check, checks []check) check {
	out := checks[len(checks)-1]
	for i := len(checks) - 2; i >= 0; i-- {
		out = join(checks[i], out)
	}
	return out
}

func opposite(a check) check {
	return func(c *compiler, yes, no label) { a(c, no, yes) }
}

// constant is a check that is always true, or always false.
func constant(v bool) check {
	return func(c *compiler, yes, no label) {
		want := uint32(0)
		if !v {
			want = 1
		}
		c.emit(loadNumber, 0)
		c.test(equal, want, yes, no)
	}
}

// in a direction: the check of the source, of the destination, or of both.
func in(direction string, src, dst check) check {
	switch direction {
	case "src":
		return src
	case "dst":
		return dst
	case "and":
		return both(src, dst)
	}
	return one(src, dst)
}

// base is what a field's offset counts from.
type base uint8

const (
	ofHeader     base = iota // the link layer's header
	ofLinkType               // its type field
	ofLLC                    // its payload, where an 802.2 header is
	ofNetwork                // the network header
	ofNetworkLLC             // the network header in an 802.2 frame
	ofIPv4Data               // what an IPv4 header is followed by
	ofIPv6Data               // what an IPv6 header without extensions is followed by
)

// field is bytes of the packet.
type field struct {
	of   base
	at   uint32
	size uint32 // 1, 2 or 4
	mask uint32 // if it has one
	cut  bool   // by the mask
}

// is compares a field with a value.
func (f field) is(v uint32) check      { return f.compare(equal, v) }
func (f field) above(v uint32) check   { return f.compare(greater, v) }
func (f field) atLeast(v uint32) check { return f.compare(notLess, v) }
func (f field) hasAny(v uint32) check  { return f.compare(bitsSet, v) }

func (f field) masked(mask uint32) field {
	f.mask, f.cut = mask, mask != ^uint32(0)
	return f
}

func (f field) compare(op opcode, v uint32) check {
	return func(c *compiler, yes, no label) {
		c.load(f)
		if f.cut {
			c.emit(and, f.mask)
		}
		c.test(op, v, yes, no)
	}
}

// load puts a field into a.
func (c *compiler) load(f field) {
	switch f.of {
	case ofHeader:
		c.loadFrom(c.header, f.at, f.size)
	case ofLinkType:
		c.loadFrom(c.linkType, f.at, f.size)
	case ofLLC:
		c.loadFrom(c.payload, f.at, f.size)
	case ofNetwork:
		c.loadFrom(c.payload, c.network+f.at, f.size)
	case ofNetworkLLC:
		c.loadFrom(c.payload, c.networkLLC+f.at, f.size)
	case ofIPv6Data:
		c.loadFrom(c.payload, c.network+40+f.at, f.size)
	case ofIPv4Data:
		c.loadHeaderLength()
		c.emit(loadX(f.size), c.payload.constant+c.network+f.at)
	}
}

func (c *compiler) loadFrom(o offset, at, size uint32) {
	if o.variable {
		c.emit(loadXMemory, o.memory)
		c.emit(loadX(size), o.constant+at)
		return
	}
	op := map[uint32]opcode{1: loadByte, 2: loadHalf, 4: loadWord}[size]
	c.emit(op, o.constant+at)
}

// loadX is the load of a size relative to x.
func loadX(size uint32) opcode {
	return map[uint32]opcode{1: loadByteX, 2: loadHalfX, 4: loadWordX}[size]
}

// loadHeaderLength puts into x the length of the IPv4 header, and the variable
// part of where it is.
func (c *compiler) loadHeaderLength() {
	at := c.payload.constant + c.network
	if !c.payload.variable {
		c.emit(loadXHeader, at)
		return
	}
	c.emit(loadXMemory, c.payload.memory)
	c.emit(loadByteX, at)
	c.emit(and, 0xf)
	c.emit(shiftLeft, 2)
	c.emit(addX, 0)
	c.emit(aToX, 0)
}
