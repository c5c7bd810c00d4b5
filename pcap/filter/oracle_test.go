package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// links are the link types that are compared with tcpdump; it cannot filter 14.
var links = []uint16{linkEthernet, linkSLL, linkSLL2, linkRaw, linkRaw12, linkNull, linkLoop, linkIPv4, linkIPv6}

// tcpdump is the truth. Without it the comparison is skipped, loudly.
type tcpdump struct {
	tb   testing.TB
	path string
	dir  string
}

func newTcpdump(tb testing.TB) *tcpdump {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		fmt.Fprintln(os.Stderr, "*** NO tcpdump: filters are NOT COMPARED with libpcap's; install the package "+
			"tcpdump ***")
		tb.Skip("no tcpdump")
	}
	return &tcpdump{tb, path, tb.TempDir()}
}

// write makes a capture of frames; their microseconds number them.
func (o *tcpdump) write(link uint16, name string, frames []frame, order binary.AppendByteOrder) string {
	b := order.AppendUint32(nil, 0xa1b2c3d4)
	b = order.AppendUint16(order.AppendUint16(b, 2), 4)
	for _, v := range []uint32{0, 0, 65535, uint32(link)} {
		b = order.AppendUint32(b, v)
	}
	for i, f := range frames {
		for _, v := range []uint32{1, uint32(i), uint32(len(f.data)), uint32(f.length)} {
			b = order.AppendUint32(b, v)
		}
		b = append(b, f.data...)
	}
	file := filepath.Join(o.dir, fmt.Sprintf("%s%d.pcap", name, link))
	if err := os.WriteFile(file, b, 0o644); err != nil {
		o.tb.Fatal(err)
	}
	return file
}

// selects runs tcpdump on a capture of n frames.
func (o *tcpdump) selects(file string, n int, expr string, flags ...string) ([]bool, error) {
	out, err := o.run(append(flags, "-r", file, "-w", "-", "--", expr)...)
	if err != nil {
		return nil, err
	}
	selected := make([]bool, n)
	order := binary.ByteOrder(binary.LittleEndian)
	if len(out) >= 4 && out[0] == 0xa1 {
		order = binary.BigEndian
	}
	for at := 24; at+16 <= len(out); at += 16 + int(order.Uint32(out[at+8:])) {
		selected[order.Uint32(out[at+4:])] = true
	}
	return selected, nil
}

// rejectsAll is how libpcap refuses an expression that no packet can match.
const rejectsAll = "expression rejects all packets"

func (o *tcpdump) run(args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(o.path, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, fmt.Errorf("%s", lines[len(lines)-1])
	}
	return stdout.Bytes(), nil
}

// classic is an instruction of classic BPF, as tcpdump -ddd prints them.
type classic struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// compile has tcpdump compile an expression for the link type of a capture.
func (o *tcpdump) compile(file, expr string, flags ...string) ([]classic, error) {
	out, err := o.run(append(flags, "-r", file, "-ddd", "--", expr)...)
	if err != nil {
		return nil, err
	}
	var program []classic
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		var v [4]uint64
		for i, s := range strings.Fields(line) {
			if v[i], err = strconv.ParseUint(s, 10, 32); err != nil {
				return nil, err
			}
		}
		program = append(program, classic{uint16(v[0]), uint8(v[1]), uint8(v[2]), uint32(v[3])})
	}
	return program, nil
}

// classicMachine is bpf(4), for programs that tcpdump compiled.
type classicMachine struct {
	frame
	a, x   uint32
	memory [16]uint32
}

// runClassic runs a program, and gives up on an endless one.
func runClassic(program []classic, f frame) bool {
	m := &classicMachine{frame: f}
	for pc, steps := 0, 0; steps < 100000; steps++ {
		i := program[pc]
		pc++
		ok := true
		switch i.code & 7 {
		case 0:
			ok = m.load(i)
		case 1:
			ok = m.loadX(i)
		case 2:
			m.memory[i.k] = m.a
		case 3:
			m.memory[i.k] = m.x
		case 4:
			ok = m.calculate(i)
		case 5:
			pc += m.jump(i)
		case 6:
			return i.k != 0
		case 7:
			if i.code&0xf8 == 0 {
				m.x = m.a
			} else {
				m.a = m.x
			}
		}
		if !ok {
			return false
		}
	}
	return false
}

func (m *classicMachine) load(i classic) bool {
	switch i.code & 0xe0 {
	case 0x00:
		m.a = i.k
	case 0x60:
		m.a = m.memory[i.k]
	case 0x80:
		m.a = uint32(m.length)
	default:
		at, size := uint64(i.k), uint64(map[uint16]int{0: 4, 8: 2, 16: 1}[i.code&0x18])
		if i.code&0xe0 == 0x40 {
			at += uint64(m.x)
		}
		if at+size > uint64(len(m.data)) {
			return false
		}
		m.a = 0
		for _, b := range m.data[at : at+size] {
			m.a = m.a<<8 | uint32(b)
		}
	}
	return true
}

func (m *classicMachine) loadX(i classic) bool {
	switch i.code & 0xe0 {
	case 0x00:
		m.x = i.k
	case 0x60:
		m.x = m.memory[i.k]
	case 0x80:
		m.x = uint32(m.length)
	case 0xa0:
		if uint64(i.k) >= uint64(len(m.data)) {
			return false
		}
		m.x = uint32(m.data[i.k]&15) << 2
	}
	return true
}

// operand is k or x.
func (m *classicMachine) operand(i classic) uint32 {
	if i.code&0x08 != 0 {
		return m.x
	}
	return i.k
}

func (m *classicMachine) calculate(i classic) bool {
	y := m.operand(i)
	switch op := i.code & 0xf0; op {
	case 0x00:
		m.a += y
	case 0x10:
		m.a -= y
	case 0x20:
		m.a *= y
	case 0x30, 0x90:
		if y == 0 {
			return false
		}
		if op == 0x30 {
			m.a /= y
		} else {
			m.a %= y
		}
	case 0x40:
		m.a |= y
	case 0x50:
		m.a &= y
	case 0x60:
		m.a <<= y
	case 0x70:
		m.a >>= y
	case 0x80:
		m.a = -m.a
	case 0xa0:
		m.a ^= y
	}
	return true
}

// jump is how far an instruction jumps.
func (m *classicMachine) jump(i classic) int {
	y, yes := m.operand(i), false
	switch i.code & 0xf0 {
	case 0x00:
		return int(int32(i.k))
	case 0x10:
		yes = m.a == y
	case 0x20:
		yes = m.a > y
	case 0x30:
		yes = m.a >= y
	case 0x40:
		yes = m.a&y != 0
	}
	if yes {
		return int(i.jt)
	}
	return int(i.jf)
}
