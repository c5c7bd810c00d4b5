package filter

// fold computes what a block's operands do not need the packet for, and leaves
// out what nothing uses then. Like the rest of the simplification this decides
// which packets are looked at beyond their end: "0 * tcp[20]" does not look.
// An operation that then proves senseless is an error.
func (b *block) fold() *Error {
	for {
		f := folder{memory: map[uint32]uint32{}}
		for _, i := range b.code {
			f.fold(i)
		}
		before := len(b.code)
		b.code = live(join(f.out), b.test)
		if f.err != nil || len(b.code) == before && !f.changed {
			return f.err
		}
	}
}

// folder is what is known of the machine's state.
type folder struct {
	out      []instruction
	a, x     uint32
	isA, isX bool // the register is known
	memory   map[uint32]uint32
	changed  bool
	err      *Error
}

func (f *folder) emit(i instruction) { f.out = append(f.out, i) }

// become emits an instruction in the place of another.
func (f *folder) become(op opcode, k uint32) {
	f.changed = true
	f.fold(instruction{op: op, k: k})
}

func (f *folder) fold(i instruction) {
	switch i.op {
	case loadNumber:
		f.a, f.isA = i.k, true
	case loadXNumber:
		f.x, f.isX = i.k, true
	case loadMemory, loadXMemory:
		if v, ok := f.memory[i.k]; ok {
			f.become(map[opcode]opcode{loadMemory: loadNumber, loadXMemory: loadXNumber}[i.op], v)
			return
		}
		f.isA, f.isX = f.isA && i.op != loadMemory, f.isX && i.op != loadXMemory
	case loadXHeader:
		f.isX = false
	case store:
		if delete(f.memory, i.k); f.isA {
			f.memory[i.k] = f.a
		}
	case aToX:
		f.x, f.isX = f.a, f.isA
	case loadByteX, loadHalfX, loadWordX:
		if f.isX {
			f.become(i.op-loadByteX+loadByte, i.k+f.x)
			return
		}
		f.isA = false
	default:
		if i.op >= negate && i.op <= orNumber {
			f.arithmetic(i)
			return
		}
		f.isA = false
	}
	f.emit(i)
}

// arithmetic folds an operation on a.
func (f *folder) arithmetic(i instruction) {
	usesX := i.op >= addX && i.op <= shiftRightX
	right, known := i.k, true
	if usesX {
		right, known = f.x, f.isX
	}
	if usesX && known {
		f.check(i, right)
	}
	switch {
	case i.op == negate && f.isA:
		f.become(loadNumber, -f.a)
	case i.op == negate:
		f.emit(i)
	case known && f.isA:
		m := machine{a: f.a, x: f.x}
		if m.calculate(&i) {
			f.become(loadNumber, m.a)
			return
		}
		f.emit(i)
	case known && right == 0 && keeps[i.op]:
		f.changed = true
	case known && right == 0 && clears[i.op]:
		f.become(loadNumber, 0)
	case usesX && f.isA && f.a == 0 && takes[i.op]:
		f.become(xToA, 0)
	case usesX && f.isA && f.a == 0 && i.op != subtractX:
		f.become(loadNumber, 0)
	default:
		f.isA = false
		f.emit(i)
	}
}

// check refuses an operation that a constant on its right makes senseless.
func (f *folder) check(i instruction, right uint32) {
	what := ""
	switch {
	case right == 0 && i.op == divideX:
		what = "division by zero"
	case right == 0 && i.op == moduloX:
		what = "modulus by zero"
	case right > 31 && !f.isA && (i.op == shiftLeftX || i.op == shiftRightX):
		what = "a shift of more than 31 bits"
	}
	if what != "" && f.err == nil {
		f.err = errorAt(int(i.column), "%s", what)
	}
}

// Operations with zero: on the right they keep a or clear it; on the left of
// those that take, the result is what is on the right.
var (
	keeps  = map[opcode]bool{add: true, addX: true, shiftLeft: true, shiftLeftX: true, shiftRightX: true, orNumber: true, orX: true, xorX: true}
	clears = map[opcode]bool{multiply: true, multiplyX: true, and: true, andX: true}
	takes  = map[opcode]bool{addX: true, orX: true, xorX: true}
)

// join adds a constant offset to the load that uses it.
func join(code []instruction) []instruction {
	for n := 0; n+3 < len(code); n++ {
		number, load := code[n], &code[n+3]
		if number.op == loadNumber && code[n+1].op == addX && code[n+2].op == aToX && load.op >= loadByteX && load.op <= loadWordX {
			load.k += number.k
			code = append(code[:n], code[n+3:]...)
		}
	}
	return code
}

// live leaves out instructions whose results neither others nor the test use.
func live(code []instruction, test instruction) []instruction {
	a, x := true, test.op >= equalX
	var memory [memoryWords]bool
	keep := make([]bool, len(code))
	for n := len(code) - 1; n >= 0; n-- {
		switch i := code[n]; i.op {
		case store:
			if keep[n] = memory[i.k]; keep[n] {
				a, memory[i.k] = true, false
			}
		case loadXMemory, loadXNumber, loadXHeader, aToX:
			if keep[n] = x; keep[n] {
				x = false
				a = a || i.op == aToX
				if i.op == loadXMemory {
					memory[i.k] = true
				}
			}
		default:
			if keep[n] = a; !keep[n] {
				continue
			}
			a = i.op >= negate && i.op <= orNumber
			x = x || i.op >= addX && i.op <= shiftRightX || i.op >= loadByteX && i.op <= loadWordX || i.op == xToA
			if i.op == loadMemory {
				memory[i.k] = true
			}
		}
	}
	var out []instruction
	for n, i := range code {
		if keep[n] {
			out = append(out, i)
		}
	}
	return out
}
