package nat

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzRewrite: any packet, translated and translated back, is what it was,
// and its checksums keep their standing in between.
func FuzzRewrite(f *testing.F) {
	for _, tt := range translations {
		f.Add(tt.packet, []byte("0123456789abcdef0123456789abcdefpqrs"))
		f.Add(errorAbout("10.0.0.254", translations[0].packet, 28), []byte("0123456789abcdef0123456789abcdefpqrs"))
	}
	f.Fuzz(func(t *testing.T, ip, other []byte) {
		var p Packet
		if len(other) < 36 || p.Parse(ip) != NoFault {
			return
		}
		orig := bytes.Clone(ip)
		sum, header := p.CheckSum(ip), p.HeaderSumOK(ip)
		if ambiguous(orig, &p) {
			return
		}
		from := p.Tuple
		if p.IsError {
			from = p.Inner.Tuple.Reverse()
		}
		to := from
		n := 4
		if to.V6 {
			n = 16
		}
		copy(to.Src[:n], other)
		copy(to.Dst[:n], other[16:])
		if to.HasPorts() {
			to.SrcPort, to.DstPort = binary.BigEndian.Uint16(other[32:]), binary.BigEndian.Uint16(other[34:])
		}
		if p.IsError && (p.Tuple.Src != from.Src || p.Tuple.Dst != from.Dst) {
			return // outer addresses that are not the connection's do not come back
		}
		Rewrite(ip, &p, &from, &to, Source|Destination)
		if got := p.HeaderSumOK(ip); got != header {
			t.Fatalf("header checksum was %v, is %v", header, got)
		}
		var q Packet
		if f := q.Parse(ip); f != NoFault {
			t.Fatalf("unreadable after: %v", f)
		}
		if got := q.CheckSum(ip); got != sum && sum != SumPartial && sum != SumUnknown && got != SumPartial {
			t.Fatalf("checksum was %d, is %d", sum, got)
		}
		Rewrite(ip, &p, &to, &from, Source|Destination)
		if !bytes.Equal(ip, orig) {
			t.Fatalf("%x came back as\n%x", orig, ip)
		}
	})
}

// ambiguous is whether a checksum field holds one of the two zeros of ones'
// complement: which of them it was cannot come back.
func ambiguous(ip []byte, p *Packet) bool {
	zero := func(at int) bool {
		if at < 0 || at+2 > len(ip) {
			return false
		}
		v := binary.BigEndian.Uint16(ip[at:])
		return v == 0 || v == 0xffff
	}
	if zero(checksumAt(&p.Tuple, p.L4)) || !p.Tuple.V6 && zero(10) {
		return true
	}
	in := &p.Inner
	return p.IsError && (zero(checksumAt(&in.Tuple, in.L4)) || !p.Tuple.V6 && zero(in.L3+10))
}
