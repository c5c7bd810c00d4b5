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

// arithmetic folds an operation on a. What libpcap takes two passes for takes
// two here: until the second, the result is not known.
func (f *folder) arithmetic(i instruction) {
	usesX := i.op >= addX && i.op <= shiftRightX
	right, known := i.k, true
	if usesX {
		right, known = f.x, f.isX
	}
	switch {
	case i.op == negate && f.isA:
		f.become(loadNumber, -f.a)
	case i.op == negate:
		f.emit(i)
	case known && f.isA:
		m := machine{a: f.a, x: f.x}
		if !m.calculate(&i) {
			f.refuse(i, "division by zero")
		}
		f.become(loadNumber, m.a)
	case known && right == 0 && keeps[i.op]:
		f.changed = true
	case known && right == 0 && !usesX && clears[i.op]:
		f.become(loadNumber, 0)
	case usesX && known:
		f.constant(i)
	case usesX && f.isA && f.a == 0 && takes[i.op]:
		f.become(xToA, 0)
	case usesX && f.isA && f.a == 0 && i.op != subtractX:
		f.become(loadNumber, 0)
	default:
		f.isA = false
		f.emit(i)
	}
}

// constant is the first pass over an operation with a constant on its right.
func (f *folder) constant(i instruction) {
	f.isA = false
	switch {
	case (i.op == shiftLeftX || i.op == shiftRightX) && f.x > 31:
		f.refuse(i, "a shift of more than 31 bits")
	case f.x == 0 && i.op == multiplyX:
		f.changed, i = true, instruction{op: multiply}
	case f.x == 0 && i.op == andX:
		f.changed, i = true, instruction{op: and}
	case f.x == 0 && (i.op == divideX || i.op == moduloX):
		if i.seen {
			f.refuse(i, "division by zero")
		}
		f.changed, i.seen = true, true
	}
	f.emit(i)
}

// refuse notes the first operation without sense.
func (f *folder) refuse(i instruction, what string) {
	if i.op == moduloX {
		what = "modulus by zero"
	}
	if f.err == nil {
		f.err = errorAt(int(i.column), "%s", what)
	}
}

// Operations with zero: on the right they keep a or clear it; on the left of
// those that take, the result is what is on the right.
var (
	keeps = map[opcode]bool{add: true, addX: true, shiftLeft: true, shiftLeftX: true, shiftRightX: true, orNumber: true,
		orX: true, xorX: true}
	clears = map[opcode]bool{multiply: true, multiplyX: true, and: true, andX: true}
	takes  = map[opcode]bool{addX: true, orX: true, xorX: true}
)

// join adds a constant offset to the load that uses it.
func join(code []instruction) []instruction {
	for n := 0; n+3 < len(code); n++ {
		number, load := code[n], &code[n+3]
		if number.op == loadNumber && code[n+1].op == addX && code[n+2].op == aToX && load.op >= loadByteX &&
			load.op <= loadWordX {
			load.k += number.k
			code = append(code[:n], code[n+3:]...)
		}
	}
	return code
}

// live leaves out instructions whose results neither the next ones nor the test
// use. What only those needed is left for the next pass, as in libpcap.
func live(code []instruction, test instruction) []instruction {
	var unused [memoryWords + 2]int // by place: the instruction that set it last, from 1, if nothing has used that
	dead := make([]bool, len(code)+1)
	for n, i := range code {
		uses, sets := places(i)
		for _, place := range uses {
			unused[place] = 0
		}
		dead[unused[sets]] = true
		unused[sets] = n + 1
	}
	unused[inA] = 0
	if test.op >= equalX {
		unused[inX] = 0
	}
	for _, n := range unused {
		dead[n] = true
	}
	var out []instruction
	for n, i := range code {
		if !dead[n+1] {
			out = append(out, i)
		}
	}
	return out
}

// Places that hold values: words of memory, then the registers.
const (
	inA = memoryWords
	inX = memoryWords + 1
)

// places are those an instruction uses, and the one it sets.
func places(i instruction) (uses []uint32, sets uint32) {
	switch i.op {
	case loadByte, loadHalf, loadWord, loadNumber, loadLength:
		return nil, inA
	case loadByteX, loadHalfX, loadWordX, xToA:
		return []uint32{inX}, inA
	case loadMemory:
		return []uint32{i.k}, inA
	case loadXNumber, loadXHeader:
		return nil, inX
	case loadXMemory:
		return []uint32{i.k}, inX
	case aToX:
		return []uint32{inA}, inX
	case store:
		return []uint32{inA}, i.k
	case storeX:
		return []uint32{inX}, i.k
	}
	if i.op >= addX && i.op <= shiftRightX {
		return []uint32{inA, inX}, inA
	}
	return []uint32{inA}, inA
}
