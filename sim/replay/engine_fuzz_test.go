package replay

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

type grammar struct {
	*rand.Rand
	macs [][6]byte
	ip4  [][4]byte
	ip6  [][16]byte
	prts []uint16
}

func (g *grammar) pick4() [4]byte {
	if g.Intn(6) == 0 || len(g.ip4) == 0 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], g.Uint32())
		return a
	}
	if g.Intn(30) == 0 {
		return [][4]byte{{255, 255, 255, 255}, {224, 0, 0, 1}, {127, 0, 0, 1}, {0, 0, 0, 0},
			{224, 0, 0, 251}}[g.Intn(5)]
	}
	return g.ip4[g.Intn(len(g.ip4))]
}
func (g *grammar) pick6() (a [16]byte) {
	if g.Intn(6) == 0 || len(g.ip6) == 0 {
		g.Read(a[:])
		return
	}
	return g.ip6[g.Intn(len(g.ip6))]
}
func sumOf(s uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)&1 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	return s
}
func foldSum(s uint32) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}
func pseudoSum(src, dst []byte, proto uint8, n int) uint32 {
	s := sumOf(0, src)
	s = sumOf(s, dst)
	return s + uint32(proto) + uint32(n)
}

var crcTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ 0x82f63b78
			} else {
				c >>= 1
			}
		}
		t[i] = c
	}
	return
}()

func crc32c(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		c = crcTable[byte(c)^x] ^ c>>8
	}
	return ^c
}

func (g *grammar) port() uint16 {
	if g.Intn(3) == 0 || len(g.prts) == 0 {
		return uint16(g.Intn(65536))
	}
	return g.prts[g.Intn(len(g.prts))]
}

// l4 returns protocol and bytes, checksum filled in.
func (g *grammar) l4(src, dst []byte, v6 bool, depth int) (proto uint8, b []byte) {
	data := make([]byte, g.Intn(64))
	if g.Intn(20) == 0 {
		data = make([]byte, g.Intn(1600))
	}
	g.Read(data)
	at := -1
	switch k := g.Intn(14); {
	case k < 5:
		proto = 6
		b = make([]byte, 20)
		binary.BigEndian.PutUint16(b, g.port())
		binary.BigEndian.PutUint16(b[2:], g.port())
		binary.BigEndian.PutUint32(b[4:], g.Uint32())
		off := 5
		if g.Intn(4) == 0 {
			off = 5 + g.Intn(11)
			o := make([]byte, (off-5)*4)
			g.Read(o)
			b = append(b, o...)
		}
		b[12] = byte(off << 4)
		b[13] = []byte{2, 0x12, 0x10, 0x18, 0x11, 4, 0x14, 0, 0xff, 0x29, byte(g.Intn(256))}[g.Intn(11)]
		b = append(b, data...)
		at = 16
	case k < 8:
		proto = 17
		b = make([]byte, 8)
		binary.BigEndian.PutUint16(b, g.port())
		binary.BigEndian.PutUint16(b[2:], []uint16{g.port(), 53, 67, 547, 6081, 4789, 3784, 68}[g.Intn(8)])
		if g.Intn(6) == 0 && depth == 0 {
			binary.BigEndian.PutUint16(b[2:], 6081)
			data = append([]byte{0, 0, 0x65, 0x58, 0, 0, byte(g.Intn(256)), 0}, g.frame(1)...)
		}
		b = append(b, data...)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		at = 6
		if g.Intn(10) == 0 && !v6 {
			at = -2
		}
	case k < 9:
		proto = 132
		b = make([]byte, 12)
		binary.BigEndian.PutUint16(b, g.port())
		binary.BigEndian.PutUint16(b[2:], g.port())
		for len(data)%4 != 0 {
			data = append(data, 0)
		}
		if len(data) < 4 {
			data = []byte{1, 0, 0, 4}
		}
		data[0] = byte(g.Intn(15))
		binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
		b = append(b, data...)
		binary.LittleEndian.PutUint32(b[8:], crc32c(b))
		return proto, b
	case k < 12:
		if v6 {
			proto = 58
			b = make([]byte, 8)
			b[0] = []byte{128, 129, 1, 2, 3, 4, 133, 134, 135, 136, 130, 131, 132, 143, 137}[g.Intn(15)]
			b[1] = byte(g.Intn(5))
			g.Read(b[4:8])
			if b[0] >= 133 && b[0] <= 137 {
				tgt := g.pick6()
				b = append(b, tgt[:]...)
				if g.Intn(3) > 0 {
					b = append(b, byte(1+g.Intn(2)), 1)
					m := g.macs[g.Intn(len(g.macs))]
					b = append(b, m[:]...)
				}
			} else if b[0] < 5 && depth < 2 {
				_, inner := g.ip(v6, depth+1)
				b = append(b, inner...)
			} else {
				b = append(b, data...)
			}
		} else {
			proto = 1
			b = make([]byte, 8)
			b[0] = []byte{8, 0, 3, 11, 12, 5, 13, 17, 4}[g.Intn(9)]
			b[1] = byte(g.Intn(5))
			g.Read(b[4:8])
			if (b[0] == 3 || b[0] == 11 || b[0] == 12 || b[0] == 5 || b[0] == 4) && depth < 2 {
				_, inner := g.ip(v6, depth+1)
				b = append(b, inner...)
			} else {
				b = append(b, data...)
			}
		}
		at = 2
	case k < 13:
		proto = 2
		b = append([]byte{[]byte{0x11, 0x16, 0x17, 0x22}[g.Intn(4)], 0, 0, 0, 224, 0, 0, byte(g.Intn(256))}, data...)
		s := foldSum(sumOf(0, b))
		binary.BigEndian.PutUint16(b[2:], s)
		return
	default:
		return uint8(g.Intn(256)), data
	}
	if at >= 0 {
		s := uint32(0)
		if proto != 1 {
			s = pseudoSum(src, dst, proto, len(b))
		}
		c := foldSum(sumOf(s, b))
		if proto == 17 && c == 0 {
			c = 0xffff
		}
		binary.BigEndian.PutUint16(b[at:], c)
	}
	return
}

func (g *grammar) ip(v6 bool, depth int) (uint16, []byte) {
	if !v6 {
		src, dst := g.pick4(), g.pick4()
		proto, l4 := g.l4(src[:], dst[:], false, depth)
		ihl := 5
		if g.Intn(15) == 0 {
			ihl = 5 + g.Intn(11)
		}
		h := make([]byte, ihl*4)
		h[0] = 0x40 | byte(ihl)
		h[1] = byte(g.Intn(256))
		binary.BigEndian.PutUint16(h[4:], uint16(g.Intn(65536)))
		if g.Intn(10) == 0 {
			binary.BigEndian.PutUint16(h[6:], []uint16{0x2000, 0x2001, 0x0002, 0x4000, 0x1fff, 0x8000,
				uint16(g.Intn(65536))}[g.Intn(7)])
		}
		h[8] = []byte{64, 64, 64, 255, 1, 0, 2}[g.Intn(7)]
		h[9] = proto
		copy(h[12:], src[:])
		copy(h[16:], dst[:])
		for i := 20; i < len(h); i++ {
			h[i] = 1
		}
		binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(l4)))
		binary.BigEndian.PutUint16(h[10:], foldSum(sumOf(0, h)))
		return 0x800, append(h, l4...)
	}
	src, dst := g.pick6(), g.pick6()
	proto, l4 := g.l4(src[:], dst[:], true, depth)
	var ext []byte
	next := proto
	for range g.Intn(8) - 4 {
		k := []byte{0, 43, 44, 51, 60}[g.Intn(5)] // not 135: to OVS that is no extension
		e := make([]byte, 8)
		e[0] = next
		if k == 44 {
			binary.BigEndian.PutUint16(e[2:], uint16(g.Intn(3))|uint16(g.Intn(4)*8))
		} else if k == 51 {
			e = make([]byte, 16)
			e[0], e[1] = next, 2
		} else if g.Intn(3) == 0 {
			e = make([]byte, 24)
			e[0], e[1] = next, 2
		}
		next = k
		ext = append(e, ext...)
	}
	h := make([]byte, 40)
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(len(ext)+len(l4)))
	h[6], h[7] = next, []byte{64, 255, 1, 0, 2}[g.Intn(5)]
	copy(h[8:], src[:])
	copy(h[24:], dst[:])
	return 0x86dd, append(append(h, ext...), l4...)
}

func (g *grammar) frame(depth int) []byte {
	f := make([]byte, 12)
	m := g.macs[g.Intn(len(g.macs))]
	copy(f, m[:])
	m = g.macs[g.Intn(len(g.macs))]
	copy(f[6:], m[:])
	switch g.Intn(12) {
	case 0:
		copy(f, "\xff\xff\xff\xff\xff\xff")
	case 1:
		copy(f, "\x01\x00\x5e\x00\x00\x01")
	case 2:
		copy(f, "\x33\x33\xff\x00\x00\x01")
	}
	for range g.Intn(7) - 4 {
		f = append(f, 0x81, 0, byte(g.Intn(256)), byte(g.Intn(256)))
	}
	switch k := g.Intn(12); {
	case k < 6, k < 10:
		t, b := g.ip(k >= 6, depth)
		f = append(append(f, byte(t>>8), byte(t)), b...)
	case k < 11:
		s, d := g.pick4(), g.pick4()
		f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, byte(g.Intn(4)))
		f = append(f, f[6:12]...)
		f = append(f, s[:]...)
		f = append(f, 0, 0, 0, 0, 0, 0)
		f = append(f, d[:]...)
	default:
		x := make([]byte, 2+g.Intn(60))
		g.Read(x)
		f = append(f, x...)
	}
	if len(f) < 60 && g.Intn(2) == 0 {
		f = append(f, make([]byte, 60-len(f))...)
	}
	return f
}

// frameFault says what is wrong with a frame's lengths and checksums, "" for nothing.
func frameFault(f []byte) (what string, fragment bool) {
	if len(f) < 14 {
		return "shorter than Ethernet", false
	}
	o := 12
	for o+4 <= len(f) && (binary.BigEndian.Uint16(f[o:]) == 0x8100 || binary.BigEndian.Uint16(f[o:]) == 0x88a8) {
		o += 4
	}
	if o+2 > len(f) {
		return "", false
	}
	t := binary.BigEndian.Uint16(f[o:])
	b := f[o+2:]
	var src, dst, l4 []byte
	var proto uint8
	ext := false
	switch t {
	case 0x800:
		if len(b) < 20 || b[0]>>4 != 4 {
			return "short IPv4", false
		}
		hl := int(b[0]&15) * 4
		n := int(binary.BigEndian.Uint16(b[2:]))
		if hl < 20 || n < hl || n > len(b) {
			return "IPv4 length", false
		}
		if foldSum(sumOf(0, b[:hl])) != 0 {
			return "IPv4 header checksum", false
		}
		if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return "", true
		}
		src, dst, l4, proto = b[12:16], b[16:20], b[hl:n], b[9]
	case 0x86dd:
		if len(b) < 40 {
			return "short IPv6", false
		}
		n := int(binary.BigEndian.Uint16(b[4:]))
		if n > len(b)-40 {
			return "IPv6 length", false
		}
		src, dst = b[8:24], b[24:40]
		proto, l4 = b[6], b[40:40+n]
		for {
			if proto == 0 || proto == 43 || proto == 60 {
				if len(l4) < 8 || len(l4) < int(l4[1])*8+8 {
					return "", true
				}
				ext = true
				if proto == 43 {
					return "", true // OVS leaves its checksum alone
				}
				proto, l4 = l4[0], l4[int(l4[1])*8+8:]
			} else if proto == 51 {
				ext = true
				if len(l4) < 8 || len(l4) < int(l4[1])*4+8 {
					return "", true
				}
				proto, l4 = l4[0], l4[int(l4[1])*4+8:]
			} else if proto == 44 {
				return "", true
			} else {
				break
			}
		}
	default:
		return "", false
	}
	switch proto {
	case 6:
		if len(l4) < 20 {
			return "short TCP", false
		}
	case 17:
		if len(l4) < 8 {
			return "short UDP", false
		}
		if n := int(binary.BigEndian.Uint16(l4[4:])); n != len(l4) {
			return "UDP length", false
		}
		if l4[6] == 0 && l4[7] == 0 {
			return "", false
		}
	case 1:
		if len(l4) < 8 {
			return "short ICMP", false
		}
		if foldSum(sumOf(0, l4)) != 0 {
			return "ICMP checksum", false
		}
		return "", false
	case 58:
		if len(l4) < 4 {
			return "short ICMPv6", false
		}
	case 132:
		if len(l4) < 12 {
			return "short SCTP", false
		}
		x := append([]byte{}, l4...)
		copy(x[8:12], "\x00\x00\x00\x00")
		if crc32c(x) != binary.LittleEndian.Uint32(l4[8:]) {
			return "SCTP checksum", false
		}
		return "", false
	default:
		return "", false
	}
	if ext && proto != 58 {
		return "", true // Packet.Complete: the datapath sums the first header
	}
	if foldSum(sumOf(pseudoSum(src, dst, proto, len(l4)), l4)) != 0 {
		return fmt.Sprintf("L4 checksum of protocol %d", proto), false
	}
	return "", false
}

// FuzzEngine puts frames of a grammar, mostly valid, at random ports of recorded
// databases: nothing panics, what leaves has right lengths and checksums, and
// every trace can be shown. A seed stands for a database and all its frames.
func FuzzEngine(f *testing.F) {
	for seed := range int64(6) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed int64) { fuzzEngine(t, rand.New(rand.NewSource(seed)), 200) })
}

// recordedDatabases are those of all cases.
func recordedDatabases(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/cases/*/sb.db*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return files
}

func fuzzEngine(t *testing.T, r *rand.Rand, frames int) {
	files := recordedDatabases(t)
	file := files[r.Intn(len(files))]
	net := loaded(t, file)
	e, err := sim.New(net, sim.Options{Profile: conntrack.Profile(r.Intn(2) + 1)})
	if err != nil {
		t.Fatal(err)
	}
	g := grammarOf(r, net)
	if len(g.macs) == 0 || len(net.Ports) < 2 || len(net.Chassis) == 0 {
		return
	}
	book := &trace.Book{Net: net, Action: e.ActionText, Zone: e.ZoneName, Flow: e.Compiled}
	seen := map[string]int{}
	now := conntrack.Time(1795341635e9)
	var last [][]byte
	for range frames {
		now += conntrack.Time(r.Intn(1e7))
		if r.Intn(200) == 0 {
			now += conntrack.Time(r.Intn(120)) * 1e9
		}
		fuzzFrame(t, g, e, book, now, &last, seen, file)
	}
}

// grammarOf makes frames of a network's addresses.
func grammarOf(r *rand.Rand, net *network.Network) *grammar {
	g := &grammar{Rand: r, prts: []uint16{80, 443, 30007, 53, 22, 8080, 5353, 7, 1, 0, 65535}}
	for _, p := range net.Ports[1:] {
		for _, a := range p.Addresses {
			g.macs = append(g.macs, a.MAC)
			for _, i := range a.IPs {
				if i.Addr().Is4() {
					g.ip4 = append(g.ip4, i.Addr().As4())
				} else {
					g.ip6 = append(g.ip6, i.Addr().As16())
				}
			}
		}
	}
	for _, lb := range net.LoadBalancers {
		for _, v := range lb.VIPs {
			for _, s := range wordsOf(fmt.Sprint(v)) {
				to, err := netip.ParseAddrPort(s)
				if err == nil && to.Addr().Is4() {
					g.ip4 = append(g.ip4, to.Addr().As4())
					g.prts = append(g.prts, to.Port())
				}
			}
		}
	}
	return g
}

// fuzzFrame injects one frame and looks at what leaves; seen counts what was
// wrong, nil: that does not matter.
func fuzzFrame(t *testing.T, g *grammar, e *sim.Engine, book *trace.Book, now conntrack.Time, last *[][]byte,
	seen map[string]int, file string) {
	r, net := g.Rand, e.Net
	frame := g.frame(0)
	if len(*last) > 0 && r.Intn(3) == 0 { // an output, or a packet again
		frame = append([]byte{}, (*last)[r.Intn(len(*last))]...)
		if r.Intn(2) == 0 {
			turnAround(frame)
		}
	}
	damaged := r.Intn(4) == 0
	if damaged && len(frame) > 0 {
		for range 1 + r.Intn(4) {
			frame[r.Intn(len(frame))] ^= 1 << r.Intn(8)
		}
		if r.Intn(2) == 0 {
			frame = frame[:r.Intn(len(frame)+1)]
		}
	}
	p := net.Ports[1+r.Intn(len(net.Ports)-1)]
	at, _ := ChassisOf(net, p)
	if at == nil {
		at = net.Chassis[r.Intn(len(net.Chassis))]
	}
	wire := 0
	if r.Intn(20) == 0 {
		wire = len(frame) + r.Intn(3000)
	}
	why, fragment := frameFault(frame)
	defer func() {
		if x := recover(); x != nil {
			t.Fatalf("%s port %s chassis %s frame %x: %v\n%s", file, p.Name, at.Name, frame, x, debug.Stack())
		}
	}()
	for o := e.Advance(now); o != nil; o = e.Advance(now) {
		keepOutputs(last, r, o)
	}
	o := e.Inject(sim.Injection{Port: p, Chassis: at, Time: now, Frame: frame, Wire: wire})
	w := bufio.NewWriter(io.Discard)
	for _, format := range []trace.Format{trace.DetailedFormat, trace.SummaryFormat, trace.MinimalFormat} {
		if r.Intn(20) == 0 {
			book.Write(w, &o.Trace, format)
		}
	}
	if r.Intn(20) == 0 {
		if b, err := json.Marshal(book.JSON(&o.Trace, nil)); err != nil || !json.Valid(b) {
			t.Errorf("JSON: %v", err)
		}
	}
	for i := range o.Outputs {
		if seen == nil {
			break
		}
		out := &o.Outputs[i]
		if out.Wire < len(out.Data) {
			wrongOnce(t, seen, "WIRE", file, p, at, frame, out.Data, fmt.Sprint(out.Wire, " < ", len(out.Data)))
		}
		w, _ := frameFault(out.Data)
		if out.Made && w != "" && wire == 0 && !damaged {
			wrongOnce(t, seen, "MADE "+w, file, p, at, frame, out.Data, w)
		} else if !out.Made && w != "" && why == "" && !fragment && wire == 0 {
			wrongOnce(t, seen, "OUT "+w, file, p, at, frame, out.Data, w)
		}
	}
	keepOutputs(last, r, o)
}

func turnAround(f []byte) { // the reply of a frame: addresses and ports the other way
	if len(f) < 38 {
		return
	}
	for i := range 6 {
		f[i], f[i+6] = f[i+6], f[i]
	}
	if f[12] == 8 && f[13] == 0 {
		for i := range 4 {
			f[26+i], f[30+i] = f[30+i], f[26+i]
		}
		if f[23] == 6 || f[23] == 17 {
			f[34], f[35], f[36], f[37] = f[36], f[37], f[34], f[35]
		}
	}
}

func keepOutputs(last *[][]byte, r *rand.Rand, o *sim.Outcome) {
	for _, out := range o.Outputs {
		if len(*last) < 200 {
			*last = append(*last, append([]byte{}, out.Data...))
		} else {
			(*last)[r.Intn(200)] = append([]byte{}, out.Data...)
		}
	}
}

func wrongOnce(t *testing.T, seen map[string]int, kind, file string, p *network.Port, c *network.Chassis, in,
	out []byte, why string) {
	if seen[kind]++; seen[kind] <= 2 {
		t.Errorf("%s: %s\n  %s port %s chassis %s\n  in  %s\n  out %s", kind, why, file, p.Name, c.Name,
			hex.EncodeToString(in), hex.EncodeToString(out))
	}
}

func wordsOf(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,{}[]", r) })
}
