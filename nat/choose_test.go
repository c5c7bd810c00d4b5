package nat

import (
	"testing"

	"ovnreplay/nat/header"
)

// zoneTuples is a Taker with a fixed set of owned tuples.
type zoneTuples map[Tuple]bool

func (z zoneTuples) Taken(r Tuple) bool { return z[r] }

func mk(proto uint8, src string, sport uint16, dst string, dport uint16) Tuple {
	t := Tuple{Proto: proto, SrcPort: sport, DstPort: dport}
	t.Src, t.V6 = addr16(src)
	t.Dst, _ = addr16(dst)
	if t.ICMP() {
		t.Type = 8
		if t.V6 {
			t.Type = 128
		}
	}
	return t
}

func bind(kind Kind, lo, hi string, plo, phi uint16) Binding {
	b := Binding{Kind: kind, PortLo: plo, PortHi: phi}
	if lo != "" {
		b.AddrLo, b.V6 = addr16(lo)
		b.AddrHi, _ = addr16(hi)
	}
	return b
}

func TestChoose(t *testing.T) {
	t.Parallel()
	web := mk(header.ProtoTCP, "10.0.0.1", 48001, "10.0.0.9", 80)
	ping := mk(header.ProtoICMP, "10.0.0.1", 7, "10.0.0.9", 7)
	low := mk(header.ProtoTCP, "10.0.0.1", 511, "10.0.0.9", 80)
	rev := func(t Tuple) Tuple { return t.Reverse() }
	for _, tt := range []struct {
		name         string
		b            Binding
		orig         Tuple
		taken        []Tuple // as seen in the original direction behind the translation
		want         Tuple   // likewise
		user, kernel string  // "ok", "guess", "none" for no free tuple
	}{
		{"snat keeps a free port", bind(Src, "1.1.1.1", "1.1.1.1", 0, 0), web, nil,
			mk(header.ProtoTCP, "1.1.1.1", 48001, "10.0.0.9", 80), "ok", "ok"},
		{"snat takes the next port up", bind(Src, "1.1.1.1", "1.1.1.1", 0, 0), web,
			[]Tuple{mk(header.ProtoTCP, "1.1.1.1", 48001, "10.0.0.9", 80)},
			mk(header.ProtoTCP, "1.1.1.1", 48002, "10.0.0.9", 80), "ok", "guess"},
		{"low ports stay low", bind(Src, "1.1.1.1", "1.1.1.1", 0, 0), low,
			[]Tuple{mk(header.ProtoTCP, "1.1.1.1", 511, "10.0.0.9", 80)},
			mk(header.ProtoTCP, "1.1.1.1", 1, "10.0.0.9", 80), "ok", "guess"},
		{"all-zero snat without collision", bind(Src, "", "", 0, 0), web, nil, web, "ok", "ok"},
		{"all-zero snat with collision", bind(Src, "", "", 0, 0), web, []Tuple{web},
			mk(header.ProtoTCP, "10.0.0.1", 48002, "10.0.0.9", 80), "ok", "guess"},
		{"dnat to a port", bind(Dst, "10.244.1.3", "10.244.1.3", 8080, 8080), web, nil,
			mk(header.ProtoTCP, "10.0.0.1", 48001, "10.244.1.3", 8080), "ok", "ok"},
		{"dnat collision moves the source port (userspace)", bind(Dst, "10.244.1.3", "10.244.1.3", 8080, 8080), web,
			[]Tuple{mk(header.ProtoTCP, "10.0.0.1", 48001, "10.244.1.3", 8080)},
			mk(header.ProtoTCP, "10.0.0.1", 48002, "10.244.1.3", 8080), "ok", ""},
		{"icmp keeps its id", bind(Src, "1.1.1.1", "1.1.1.1", 0, 0), ping, nil,
			mk(header.ProtoICMP, "1.1.1.1", 7, "10.0.0.9", 7), "ok", "ok"},
		{"icmp collision: userspace gives up", bind(Src, "1.1.1.1", "1.1.1.1", 0, 0), ping,
			[]Tuple{mk(header.ProtoICMP, "1.1.1.1", 7, "10.0.0.9", 7)},
			mk(header.ProtoICMP, "1.1.1.1", 7, "10.0.0.9", 7), "none", ""},
		{"icmp collision: the kernel takes another id", bind(Src, "1.1.1.1", "1.1.1.1", 0, 0), ping,
			[]Tuple{mk(header.ProtoICMP, "1.1.1.1", 7, "10.0.0.9", 7)},
			mk(header.ProtoICMP, "1.1.1.1", 8, "10.0.0.9", 8), "", "guess"},
		{"a one-port range", bind(Src, "1.1.1.1", "1.1.1.1", 700, 700), web, nil,
			mk(header.ProtoTCP, "1.1.1.1", 700, "10.0.0.9", 80), "ok", "ok"},
		{"a one-port range taken", bind(Src, "1.1.1.1", "1.1.1.1", 700, 700), web,
			[]Tuple{mk(header.ProtoTCP, "1.1.1.1", 700, "10.0.0.9", 80)},
			mk(header.ProtoTCP, "1.1.1.1", 700, "10.0.0.9", 80), "none", ""},
		{"v6", bind(Src, "2001:db8::1", "2001:db8::1", 0, 0), mk(header.ProtoUDP, "fd00::1", 5, "fd00::2", 53), nil,
			mk(header.ProtoUDP, "2001:db8::1", 5, "fd00::2", 53), "ok", "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := zoneTuples{}
			for _, x := range tt.taken {
				z[rev(x)] = true
			}
			check := func(who, mode string, c Choice, ok bool) {
				if mode == "" {
					return
				}
				got := rev(c.Reply)
				if got != tt.want || ok != (mode != "none") || c.Guess != (mode == "guess") {
					t.Errorf("%s: %v guess=%v ok=%v, want %v %s", who, &got, c.Guess, ok, &tt.want, mode)
				}
			}
			c, ok := tt.b.ChooseUserspace(&tt.orig, z, tt.orig.Proto == header.ProtoTCP ||
				tt.orig.Proto == header.ProtoUDP)
			check("userspace", tt.user, c, ok)
			r := tt.orig.Reverse()
			check("kernel", tt.kernel, tt.b.ChooseKernel(&r, 0, z), true)
		})
	}
}

// Every port of a range is found, and only when none is left is there none.
func TestChooseExhaustsRange(t *testing.T) {
	t.Parallel()
	b := bind(Src, "1.1.1.1", "1.1.1.1", 5000, 5099)
	z := zoneTuples{}
	for i := range 100 {
		orig := mk(header.ProtoUDP, "10.0.0.1", uint16(1000+i), "10.0.0.9", 53)
		c, ok := b.ChooseUserspace(&orig, z, true)
		if !ok || z[c.Reply] || c.Reply.DstPort < 5000 || c.Reply.DstPort > 5099 {
			t.Fatalf("connection %d: %v ok=%v", i, &c.Reply, ok)
		}
		z[c.Reply] = true
	}
	orig := mk(header.ProtoUDP, "10.0.0.1", 999, "10.0.0.9", 53)
	if c, ok := b.ChooseUserspace(&orig, z, true); ok {
		t.Errorf("a 101st of 100: %v", &c.Reply)
	}
}

func TestChooseAddressRange(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Src, Dst} {
		b := bind(kind, "1.1.1.1", "1.1.1.4", 0, 0)
		seen := map[byte]int{}
		for i := range 400 {
			orig := mk(header.ProtoTCP, "10.0.0.1", uint16(2000+i), "10.0.0.9", 80)
			orig.Src[2], orig.Src[3] = byte(i>>4), byte(i)
			cu, _ := b.ChooseUserspace(&orig, zoneTuples{}, true)
			r := orig.Reverse()
			ck := b.ChooseKernel(&r, 3, zoneTuples{})
			for _, c := range []Choice{cu, ck} {
				a := c.Reply.Dst
				if kind == Dst {
					a = c.Reply.Src
				}
				if a[0] != 1 || a[3] < 1 || a[3] > 4 {
					t.Fatalf("outside the range: %v", &c.Reply)
				}
				seen[a[3]]++
			}
			if !cu.Guess || ck.Guess {
				t.Fatal("the userspace hash is keyed, the kernel's is not")
			}
		}
		if len(seen) != 4 {
			t.Errorf("addresses used: %v", seen)
		}
	}
}
