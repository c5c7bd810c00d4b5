package filter

// numbering gives equal computations equal numbers, from 1. It knows them by
// the instruction and the numbers of its operands.
type numbering map[computation]int

type computation struct {
	op   opcode
	k    uint32
	a, x int
}

func (n numbering) of(c computation) int {
	if n[c] == 0 {
		n[c] = len(n) + 1
	}
	return n[c]
}

func (n numbering) constant(k uint32) int { return n.of(computation{op: loadNumber, k: k}) }

// symbols are the numbers of what the machine's state holds.
type symbols struct {
	a, x   int
	memory [memoryWords]int
	// known are the values of numbers that are constants.
	known map[int]uint32
}

// run numbers the effect of an instruction.
func (s *symbols) run(n numbering, i instruction) {
	switch i.op {
	case loadByte, loadHalf, loadWord, loadLength:
		s.a = n.of(computation{op: i.op, k: i.k})
	case loadByteX, loadHalfX, loadWordX:
		s.a = n.of(computation{op: i.op, k: i.k, x: s.x})
	case loadNumber, loadXNumber:
		v := n.constant(i.k)
		s.known[v] = i.k
		if i.op == loadNumber {
			s.a = v
		} else {
			s.x = v
		}
	case loadXHeader:
		s.x = n.of(computation{op: i.op, k: i.k})
	case loadMemory:
		s.a = s.memory[i.k]
	case loadXMemory:
		s.x = s.memory[i.k]
	case store:
		s.memory[i.k] = s.a
	case storeX:
		s.memory[i.k] = s.x
	case aToX:
		s.x = s.a
	case xToA:
		s.a = s.x
	case negate:
		s.a = n.of(computation{op: i.op, a: s.a})
	case add, multiply, and, shiftLeft, orNumber:
		s.a = n.of(computation{op: i.op, k: i.k, a: s.a})
	default:
		s.a = n.of(computation{op: i.op, a: s.a, x: s.x})
	}
}

// normalize numbers what a block compares, and gives its test the form in which
// equal tests are found equal: constants as such, and "no bit of a mask" as the
// opposite of "any bit".
func (g *graph) normalize(b *block) {
	s := &symbols{known: map[int]uint32{}}
	if n := len(b.code); n > 0 && b.test.op == equal && b.test.k == 0 && b.code[n-1].op == and {
		b.test.op, b.test.k = bitsSet, b.code[n-1].k
		b.code = b.code[:n-1]
		b.next[ifYes], b.next[ifNo] = b.next[ifNo], b.next[ifYes]
	}
	for _, i := range b.code {
		s.run(g.values, i)
	}
	b.value = s.a
	if k, ok := s.known[s.x]; ok && b.test.op >= equalX {
		b.test.op, b.test.k = b.test.op-equalX+equal, k
	}
	b.operand = s.x
	if b.test.op < equalX {
		b.operand = g.values.constant(b.test.k)
	}
	g.decide(b, s)
}

// decide leads both ways to one place where the outcome does not depend on the
// packet.
func (g *graph) decide(b *block, s *symbols) {
	outcome := ifNo
	switch a, ok := s.known[b.value]; {
	case ok && b.test.op < equalX:
		if (&machine{a: a}).test(&b.test) {
			outcome = ifYes
		}
	case b.test.op == bitsSet && b.test.k == 0:
	case b.test.op == bitsSet && b.test.k == ^uint32(0):
		outcome = ifYes // so libpcap takes it, though no bit may be set
	default:
		return
	}
	b.next[1-outcome] = b.next[outcome]
}
