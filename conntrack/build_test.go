package conntrack

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Packets for tests, with right checksums.

func addr16(s string) (b [16]byte, v6 bool) {
	a := netip.MustParseAddr(s)
	if a.Is4() {
		v := a.As4()
		copy(b[:], v[:])
		return b, false
	}
	return a.As16(), true
}

func sum16(b []byte, sum uint32) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}

func ipPacket(proto uint8, src, dst string, l4 []byte) []byte {
	s, v6 := addr16(src)
	d, _ := addr16(dst)
	n := 4
	if v6 {
		n = 16
	}
	sum := sum16(d[:n], sum16(s[:n], uint32(proto)+uint32(len(l4))))
	at := map[uint8]int{header.ProtoTCP: 16, header.ProtoUDP: 6, header.ProtoICMP: 2, header.ProtoICMPv6: 2}[proto]
	if proto == header.ProtoICMP {
		sum = 0
	}
	if at != 0 {
		l4[at], l4[at+1] = 0, 0
		binary.BigEndian.PutUint16(l4[at:], ^uint16(sum16(l4, sum)))
	}
	if v6 {
		ip := make([]byte, 40, 40+len(l4))
		ip[0], ip[6], ip[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(l4)))
		copy(ip[8:], s[:])
		copy(ip[24:], d[:])
		return append(ip, l4...)
	}
	ip := make([]byte, 20, 20+len(l4))
	ip[0], ip[8], ip[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(l4)))
	copy(ip[12:], s[:4])
	copy(ip[16:], d[:4])
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum16(ip, 0)))
	return append(ip, l4...)
}

// tcpSeg is a TCP segment to build.
type tcpSeg struct {
	flags    string // of SFRAP
	seq, ack uint32
	win      uint16 // 0: 65535; noWindow: really 0
	payload  string
	options  []byte
}

const noWindow = 1<<16 - 2

func tcpPacket(src string, sport uint16, dst string, dport uint16, s tcpSeg) []byte {
	opt := s.options
	for len(opt)%4 != 0 {
		opt = append(opt, 1)
	}
	b := make([]byte, 20, 60+len(s.payload))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12] = uint8(20+len(opt)) / 4 << 4
	for i, f := range "FSRPAU" {
		if strings.ContainsRune(s.flags, f) {
			b[13] |= 1 << i
		}
	}
	win := s.win
	switch win {
	case 0:
		win = 65535
	case noWindow:
		win = 0
	}
	binary.BigEndian.PutUint16(b[14:], win)
	b = append(append(b, opt...), s.payload...)
	return ipPacket(header.ProtoTCP, src, dst, b)
}

func udpPacket(src string, sport uint16, dst string, dport uint16, payload string) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return ipPacket(header.ProtoUDP, src, dst, append(b, payload...))
}

func icmpPacket(src, dst string, typ, code uint8, id uint16, rest []byte) []byte {
	b := make([]byte, 8, 8+len(rest))
	b[0], b[1] = typ, code
	binary.BigEndian.PutUint16(b[4:], id)
	proto := uint8(header.ProtoICMP)
	if strings.Contains(src, ":") {
		proto = header.ProtoICMPv6
	}
	return ipPacket(proto, src, dst, append(b, rest...))
}

func tuple(t *testing.T, ip []byte) nat.Tuple {
	t.Helper()
	tup, ok := nat.ParseTuple(ip)
	if !ok {
		t.Fatalf("no tuple in %x", ip)
	}
	return tup
}

// goodSums fails the test unless both checksums of a packet are right.
func goodSums(t *testing.T, ip []byte) {
	t.Helper()
	var p nat.Packet
	if f := p.Parse(ip); f != nat.NoFault {
		t.Fatal(f)
	}
	if s := p.CheckSum(ip); !p.HeaderSumOK(ip) || s != nat.SumGood && s != nat.SumNone {
		t.Errorf("checksums of %v: header %v, transport %d", &p.Tuple, p.HeaderSumOK(ip), s)
	}
}

func bind(kind nat.Kind, addr string, port uint16) nat.Binding {
	b := nat.Binding{Kind: kind, PortLo: port, PortHi: port}
	if addr != "" {
		b.AddrLo, b.V6 = addr16(addr)
		b.AddrHi = b.AddrLo
	}
	return b
}

// profiles runs a test for each profile.
func profiles(t *testing.T, f func(t *testing.T, p Profile)) {
	t.Run("linux", func(t *testing.T) { f(t, Linux) })
	t.Run("ovs-userspace", func(t *testing.T) { f(t, OVSUserspace) })
}

// flags writes a state the way OVS does, without trk.
func (s State) flags() string {
	var out []string
	for i, n := range []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"} {
		if s&(1<<i) != 0 && n != "trk" {
			out = append(out, n)
		}
	}
	return strings.Join(out, "|")
}
