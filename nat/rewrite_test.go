package nat

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"ovnreplay/nat/header"
)

// translations is a packet of every kind and the tuple it is to have.
var translations = []struct {
	name     string
	packet   []byte
	src, dst string // of the result
	sport    uint16
	dport    uint16
}{
	{"tcp", ipPacket(header.ProtoTCP, "10.0.0.1", "10.0.0.2", tcp(1234, 80, "hello")), "192.0.2.7", "10.0.0.2",
		4321, 80},
	{"tcp dnat", ipPacket(header.ProtoTCP, "10.0.0.1", "10.0.0.2", tcp(1234, 30007, "odd")), "10.0.0.1", "10.244.1.3",
		1234, 80},
	{"udp", ipPacket(header.ProtoUDP, "10.0.0.1", "10.0.0.2", udp(53, 53, "q")), "10.0.0.1", "198.51.100.1", 53, 5353},
	{"sctp", ipPacket(header.ProtoSCTP, "10.0.0.1", "10.0.0.2", sctp(1, 2, "chunks chunks chunks")), "192.0.2.7",
		"10.0.0.2", 999, 2},
	{"icmp", ipPacket(header.ProtoICMP, "10.0.0.1", "10.0.0.2", icmp(8, 0, 77, []byte("ping"))), "192.0.2.7",
		"10.0.0.2", 78, 78},
	{"tcp6", ipPacket(header.ProtoTCP, "fd00::1", "fd00::2", tcp(1234, 80, "hello")), "2001:db8::1", "fd00::2",
		4321, 80},
	{"udp6", ipPacket(header.ProtoUDP, "fd00::1", "fd00::2", udp(1234, 80, "hello")), "fd00::1", "2001:db8::1", 1234,
		8080},
	{"icmp6", ipPacket(header.ProtoICMPv6, "fd00::1", "fd00::2", icmp(128, 0, 77, []byte("ping"))), "2001:db8::1",
		"fd00::2", 7, 7},
	{"gre", ipPacket(header.ProtoGRE, "10.0.0.1", "10.0.0.2", make([]byte, 8)), "192.0.2.7", "10.0.0.2", 0, 0},
}

func target(from Tuple, src, dst string, sport, dport uint16) Tuple {
	from.Src, _ = addr16(src)
	from.Dst, _ = addr16(dst)
	from.SrcPort, from.DstPort = sport, dport
	return from
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	for _, tt := range translations {
		t.Run(tt.name, func(t *testing.T) {
			ip := append(bytes.Clone(tt.packet), 0xde, 0xad) // Ethernet padding
			var p Packet
			if f := p.Parse(ip); f != NoFault {
				t.Fatal(f)
			}
			if s := p.CheckSum(ip); s != SumGood && s != SumNone {
				t.Fatalf("checksum before: %d", s)
			}
			from := p.Tuple
			to := target(from, tt.src, tt.dst, tt.sport, tt.dport)
			if !Rewrite(ip, &p, &from, &to, Source|Destination) {
				t.Fatal("nothing changed")
			}
			got, ok := ParseTuple(ip)
			if !ok || got != to || p.Tuple != to {
				t.Fatalf("got %v (kept: %v), want %v", &got, &p.Tuple, &to)
			}
			checkSums(t, ip)
			want := bytes.Clone(ip)
			fill(want[:len(want)-2])
			if !bytes.Equal(ip, want) {
				t.Fatalf("differs from a packet built anew:\n%x\n%x", ip, want)
			}
			Rewrite(ip, &p, &to, &from, Source|Destination)
			if !bytes.Equal(ip[:len(tt.packet)], tt.packet) || ip[len(ip)-1] != 0xad {
				t.Fatalf("back again: %x, want %x", ip, tt.packet)
			}
		})
	}
}

func checkSums(t *testing.T, ip []byte) {
	t.Helper()
	var p Packet
	p.Parse(ip)
	if !p.HeaderSumOK(ip) {
		t.Error("header checksum wrong")
	}
	if s := p.CheckSum(ip); s != SumGood && s != SumNone {
		t.Errorf("transport checksum %d", s)
	}
}

// A wrong checksum must stay wrong by the same amount.
func TestRewriteKeepsWrongChecksumsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range translations {
		ip := bytes.Clone(tt.packet)
		var p Packet
		p.Parse(ip)
		at := checksumAt(&p.Tuple, p.L4)
		if at < 0 {
			continue
		}
		ip[at+1] ^= 0x10
		if p.CheckSum(ip) != SumBad {
			t.Fatalf("%s: damage not seen", tt.name)
		}
		from := p.Tuple
		to := target(from, tt.src, tt.dst, tt.sport, tt.dport)
		Rewrite(ip, &p, &from, &to, Source|Destination)
		if p.CheckSum(ip) != SumBad {
			t.Errorf("%s: repaired on the way", tt.name)
		}
		Rewrite(ip, &p, &to, &from, Source|Destination)
		ip[at+1] ^= 0x10
		if !bytes.Equal(ip, tt.packet) {
			t.Errorf("%s: not undone", tt.name)
		}
	}
}

func TestRewriteUDPWithoutChecksum(t *testing.T) {
	t.Parallel()
	ip := bytes.Clone(translations[2].packet)
	ip[26], ip[27] = 0, 0
	var p Packet
	p.Parse(ip)
	if p.CheckSum(ip) != SumNone {
		t.Fatal("zero is no checksum")
	}
	from := p.Tuple
	to := target(from, "1.2.3.4", "5.6.7.8", 1, 2)
	Rewrite(ip, &p, &from, &to, Source|Destination)
	if ip[26] != 0 || ip[27] != 0 {
		t.Errorf("checksum became %x", ip[26:28])
	}
}

// A UDP checksum that computes to zero is sent as ffff (RFC 768).
func TestRewriteUDPZeroSum(t *testing.T) {
	t.Parallel()
	ip := bytes.Clone(translations[2].packet)
	sum := binary.BigEndian.Uint16(ip[26:])
	var p Packet
	p.Parse(ip)
	p.CheckSum(ip)
	from := p.Tuple
	to := from
	to.SrcPort += sum // adds exactly what is missing to ffff
	if uint32(from.SrcPort)+uint32(sum) > 0xffff {
		to.SrcPort++
	}
	Rewrite(ip, &p, &from, &to, Source)
	if got := binary.BigEndian.Uint16(ip[26:]); got != 0xffff {
		t.Errorf("checksum %04x, want ffff", got)
	}
	checkSums(t, ip)
}

func TestRewritePartialChecksum(t *testing.T) {
	t.Parallel()
	for _, i := range []int{0, 2, 5, 6} {
		tt := translations[i]
		ip := bytes.Clone(tt.packet)
		var p Packet
		p.Parse(ip)
		at := checksumAt(&p.Tuple, p.L4)
		binary.BigEndian.PutUint16(ip[at:], header.Fold(pseudoSum(&p.Tuple, p.End-p.L4)))
		if p.CheckSum(ip) != SumPartial {
			t.Fatalf("%s: partial checksum not recognised", tt.name)
		}
		from := p.Tuple
		to := target(from, tt.src, tt.dst, tt.sport, tt.dport)
		Rewrite(ip, &p, &from, &to, Source|Destination)
		if got, want := binary.BigEndian.Uint16(ip[at:]), header.Fold(pseudoSum(&to, p.End-p.L4)); got != want {
			t.Errorf("%s: %04x, want %04x", tt.name, got, want)
		}
	}
}

// errorAbout is an ICMP error quoting the first n bytes of a packet.
func errorAbout(from string, packet []byte, n int) []byte {
	var p Packet
	p.Parse(packet)
	l4, proto := icmp(3, 1, 0, packet[:n]), uint8(header.ProtoICMP)
	if p.Tuple.V6 {
		l4[0], l4[1], proto = 1, 3, header.ProtoICMPv6
	}
	return ipPacket(proto, from, p.Tuple.SrcAddr().String(), l4)
}

func TestRewriteICMPError(t *testing.T) {
	t.Parallel()
	for _, tt := range translations[:8] {
		for _, short := range []bool{false, true} {
			// What was sent, as it looked behind the translation...
			var p Packet
			sent := bytes.Clone(tt.packet)
			p.Parse(sent)
			p.CheckSum(sent)
			orig := p.Tuple
			natted := target(orig, tt.src, tt.dst, tt.sport, tt.dport)
			Rewrite(sent, &p, &orig, &natted, Source|Destination)
			n := len(sent)
			if short {
				n = p.L4 + 8
			}
			// ...comes back in an error that must look as if about the original.
			from := natted.DstAddr().String()
			got := errorAbout(from, sent, n)
			want := errorAbout(orig.DstAddr().String(), tt.packet, n)
			if short && tt.name == "sctp" || orig.Proto == header.ProtoSCTP {
				copy(want[20+8+20+8:], got[20+8+20+8:]) // a quoted CRC is left alone
				fill(want)
			}
			var e Packet
			if f := e.Parse(got); f != NoFault || !e.IsError {
				t.Fatalf("%s: %v", tt.name, f)
			}
			e.CheckSum(got)
			before, after := natted.Reverse(), orig.Reverse()
			Rewrite(got, &e, &before, &after, Source|Destination)
			if !bytes.Equal(got, want) {
				t.Errorf("%s short=%v:\n%x, want\n%x", tt.name, short, got, want)
			}
		}
	}
}

func TestRewriteAllocatesNothing(t *testing.T) {
	for _, tt := range translations {
		ip := bytes.Clone(tt.packet)
		n := testing.AllocsPerRun(100, func() {
			var p Packet
			p.Parse(ip)
			p.CheckSum(ip)
			from := p.Tuple
			to := from
			to.SrcPort++
			to.Src[3]++
			Rewrite(ip, &p, &from, &to, Source|Destination)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func TestReverse(t *testing.T) {
	t.Parallel()
	for typ := range 256 {
		for _, v6 := range []bool{false, true} {
			tuple := Tuple{V6: v6, Proto: header.ProtoICMP, Type: uint8(typ), SrcPort: 5, DstPort: 5}
			if v6 {
				tuple.Proto = header.ProtoICMPv6
			}
			r := tuple.Reverse()
			if back := r.Reverse(); back != tuple {
				t.Errorf("type %d v6 %v: %v", typ, v6, back)
			}
		}
	}
}

// TestRewriteRandom: there and back again is the identity, and checksums are right in between.
func TestRewriteRandom(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		tt := translations[rnd.IntN(len(translations))]
		ip := bytes.Clone(tt.packet)
		var p Packet
		p.Parse(ip)
		p.CheckSum(ip)
		from := p.Tuple
		to := from
		n := 4
		if to.V6 {
			n = 16
		}
		for i := range n {
			to.Src[i], to.Dst[i] = uint8(rnd.Uint32()), uint8(rnd.Uint32())
		}
		if to.HasPorts() {
			to.SrcPort, to.DstPort = uint16(rnd.Uint32()), uint16(rnd.Uint32())
		}
		Rewrite(ip, &p, &from, &to, Source|Destination)
		checkSums(t, ip)
		Rewrite(ip, &p, &to, &from, Source|Destination)
		if !bytes.Equal(ip, tt.packet) {
			t.Fatalf("%s via %v: %x, want %x", tt.name, &to, ip, tt.packet)
		}
	}
}
