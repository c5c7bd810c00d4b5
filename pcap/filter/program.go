package filter

import "encoding/binary"

// Program is an expression compiled for one link type. It does not change, and
// may be used from several goroutines.
type Program struct{ code []instruction }

// instruction is one of a machine with two registers, a and x, and a few words
// of memory: the classic BPF of bpf(4), which libpcap's semantics are defined
// by, with jumps of any length and one instruction to walk chains of headers.
type instruction struct {
	op      opcode
	k       uint32
	yes, no int32 // of tests: where to go on
	column  int32 // of the operator, if it is arithmetic
	seen    bool  // by the first pass over constants
}

type opcode uint8

const (
	reject      opcode = iota // the zero value selects nothing
	accept                    //
	loadByte                  // a = packet[k]
	loadHalf                  // a = packet[k:k+2]
	loadWord                  // a = packet[k:k+4]
	loadByteX                 // a = packet[x+k]
	loadHalfX                 //
	loadWordX                 //
	loadNumber                // a = k
	loadLength                // a = length of the packet on the wire
	loadMemory                // a = memory[k]
	loadXNumber               // x = k
	loadXMemory               // x = memory[k]
	loadXHeader               // x = 4 * (packet[k] & 15): the length of an IPv4 header
	store                     // memory[k] = a
	storeX                    // memory[k] = x
	aToX                      //
	xToA                      //
	negate                    // a = -a
	add                       // a += k, and so on
	multiply                  //
	and                       //
	shiftLeft                 //
	addX                      // a += x, and so on
	subtractX                 //
	multiplyX                 //
	divideX                   //
	moduloX                   //
	andX                      //
	orX                       //
	xorX                      //
	shiftLeftX                //
	shiftRightX               //
	orNumber                  // a |= k
	walk4                     // a = where the chain of headers of the IPv4 header at k leads, at most to x
	walk6                     // the same of IPv6
	equal                     // a == k
	greater                   // a > k
	notLess                   // a >= k
	bitsSet                   // a & k != 0
	equalX                    // a == x
	greaterX                  //
	notLessX                  //
	jump                      // to yes
)

// memoryWords is how many words of memory there are, as in BPF.
const memoryWords = 16

// Match reports whether the packet is selected. data is what was captured of
// it; length is how long it was on the wire, which "len" asks for.
func (p *Program) Match(data []byte, length int) bool {
	m := machine{data: data, length: uint32(length)}
	for pc := int32(0); ; {
		i := &p.code[pc]
		pc++
		switch {
		case i.op >= equal:
			pc = i.no
			if i.op == jump || m.test(i) {
				pc = i.yes
			}
		case i.op <= accept:
			return i.op == accept
		case !m.step(i):
			return false
		}
	}
}

// machine is the state of one run.
type machine struct {
	data   []byte
	length uint32
	a, x   uint32
	memory [memoryWords]uint32
}

// test decides a conditional jump.
func (m *machine) test(i *instruction) bool {
	switch i.op {
	case equal:
		return m.a == i.k
	case greater:
		return m.a > i.k
	case notLess:
		return m.a >= i.k
	case bitsSet:
		return m.a&i.k != 0
	case equalX:
		return m.a == m.x
	case greaterX:
		return m.a > m.x
	}
	return m.a >= m.x
}

// step does an instruction that does not jump. It returns false where the
// packet ends too early, or something is divided by zero.
func (m *machine) step(i *instruction) bool {
	switch i.op {
	case loadByte, loadHalf, loadWord:
		return m.load(uint64(i.k), 1<<(i.op-loadByte))
	case loadByteX, loadHalfX, loadWordX:
		return m.load(uint64(m.x)+uint64(i.k), 1<<(i.op-loadByteX))
	case loadNumber:
		m.a = i.k
	case loadLength:
		m.a = m.length
	case loadMemory:
		m.a = m.memory[i.k]
	case loadXNumber:
		m.x = i.k
	case loadXMemory:
		m.x = m.memory[i.k]
	case loadXHeader:
		if uint64(i.k) >= uint64(len(m.data)) {
			return false
		}
		m.x = uint32(m.data[i.k]&15) << 2
	case store:
		m.memory[i.k] = m.a
	case storeX:
		m.memory[i.k] = m.x
	case aToX:
		m.x = m.a
	case xToA:
		m.a = m.x
	case walk4, walk6:
		return m.walk(i)
	default:
		return m.calculate(i)
	}
	return true
}

// load sets a from the packet.
func (m *machine) load(at uint64, size int) bool {
	if at+uint64(size) > uint64(len(m.data)) {
		return false
	}
	switch b := m.data[at:]; size {
	case 1:
		m.a = uint32(b[0])
	case 2:
		m.a = uint32(binary.BigEndian.Uint16(b))
	default:
		m.a = binary.BigEndian.Uint32(b)
	}
	return true
}

// calculate does arithmetic. Shifts by 32 bits and more leave nothing, in Go as
// in libpcap.
func (m *machine) calculate(i *instruction) bool {
	switch i.op {
	case negate:
		m.a = -m.a
	case add:
		m.a += i.k
	case multiply:
		m.a *= i.k
	case and:
		m.a &= i.k
	case orNumber:
		m.a |= i.k
	case shiftLeft:
		m.a <<= i.k
	case addX:
		m.a += m.x
	case subtractX:
		m.a -= m.x
	case multiplyX:
		m.a *= m.x
	case andX:
		m.a &= m.x
	case orX:
		m.a |= m.x
	case xorX:
		m.a ^= m.x
	case shiftLeftX:
		m.a <<= m.x
	case shiftRightX:
		m.a >>= m.x
	case divideX, moduloX:
		if m.x == 0 {
			return false
		}
		if i.op == divideX {
			m.a /= m.x
		} else {
			m.a %= m.x
		}
	}
	return true
}
