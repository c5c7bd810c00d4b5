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
		fmt.Fprintln(os.Stderr, "*** NO tcpdump: filters are NOT COMPARED with libpcap's; install the package tcpdump ***")
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

// runClassic is bpf(4), for programs that tcpdump compiled. It gives up on
// endless ones.
func runClassic(program []classic, f frame) bool {
	var a, x uint32
	var memory [16]uint32
	n := uint64(len(f.data))
	for pc, steps := 0, 0; steps < 100000; steps++ {
		i := program[pc]
		pc++
		k, y := i.k, i.k
		if i.code&0x08 != 0 {
			y = x
		}
		switch i.code & 7 {
		case 0: // ld
			switch i.code & 0xe0 {
			case 0x00:
				a = k
			case 0x60:
				a = memory[k]
			case 0x80:
				a = uint32(f.length)
			default:
				at, size := uint64(k), uint64(map[uint16]int{0: 4, 8: 2, 16: 1}[i.code&0x18])
				if i.code&0xe0 == 0x40 {
					at += uint64(x)
				}
				if at+size > n {
					return false
				}
				a = 0
				for _, b := range f.data[at : at+size] {
					a = a<<8 | uint32(b)
				}
			}
		case 1: // ldx
			switch i.code & 0xe0 {
			case 0x00:
				x = k
			case 0x60:
				x = memory[k]
			case 0x80:
				x = uint32(f.length)
			case 0xa0:
				if uint64(k) >= n {
					return false
				}
				x = uint32(f.data[k]&15) << 2
			}
		case 2:
			memory[k] = a
		case 3:
			memory[k] = x
		case 4: // alu
			switch i.code & 0xf0 {
			case 0x00:
				a += y
			case 0x10:
				a -= y
			case 0x20:
				a *= y
			case 0x30, 0x90:
				if y == 0 {
					return false
				}
				if i.code&0xf0 == 0x30 {
					a /= y
				} else {
					a %= y
				}
			case 0x40:
				a |= y
			case 0x50:
				a &= y
			case 0x60:
				a <<= y
			case 0x70:
				a >>= y
			case 0x80:
				a = -a
			case 0xa0:
				a ^= y
			}
		case 5: // jmp
			yes := false
			switch i.code & 0xf0 {
			case 0x00:
				pc += int(int32(k))
				continue
			case 0x10:
				yes = a == y
			case 0x20:
				yes = a > y
			case 0x30:
				yes = a >= y
			case 0x40:
				yes = a&y != 0
			}
			if yes {
				pc += int(i.jt)
			} else {
				pc += int(i.jf)
			}
		case 6:
			return k != 0
		case 7:
			if i.code&0xf8 == 0 {
				x = a
			} else {
				a = x
			}
		}
	}
	return false
}
