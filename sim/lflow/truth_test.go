package lflow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ovnreplay/sim/field"
)

// portNumber is the index, in a test's flow key, of the port of that name.
func portNumber(name string) uint64 {
	switch name {
	case "a":
		return 1
	case "b":
		return 2
	}
	return 0xffff // no such port
}

// oracle evaluates a match as written, from the symbols' definitions alone:
// it expands predicates and prerequisites where they stand and compares
// numbers as numbers. It shares nothing with Annotate and Simplify.
func oracle(t *testing.T, e *Expr, k *field.Key) bool {
	switch e.Kind {
	case And:
		for _, sub := range e.Args {
			if !oracle(t, sub, k) {
				return false
			}
		}
		return true
	case Or:
		for _, sub := range e.Args {
			if oracle(t, sub, k) {
				return true
			}
		}
		return false
	case Bool:
		return e.True
	case Condition:
		return (e.String == "a") != e.Not
	}
	s := e.Symbol
	holds := func(src string) bool {
		sub, err := ParseMatch(src, nil)
		if err != nil {
			t.Fatal(err)
		}
		return oracle(t, sub, k)
	}
	if s.Prereqs != "" && !holds(s.Prereqs) {
		return false
	}
	if s.Predicate != "" {
		return (holds(s.Predicate) == (e.Value.Lo == 1)) == (e.Op == EQ)
	}
	got := k.Load(s.Slice())
	want := e.Value
	if s.IsString() {
		want = field.U64(portNumber(e.String))
	} else {
		got = got.And(e.Mask)
	}
	switch c := got.Cmp(want); e.Op {
	case EQ:
		return c == 0
	case NE:
		return c != 0
	case LT:
		return c < 0
	case LE:
		return c <= 0
	case GT:
		return c > 0
	default:
		return c >= 0
	}
}

// plainly evaluates an annotated expression: masked comparisons of fields only.
func plainly(e *Expr, k *field.Key) bool {
	switch e.Kind {
	case And, Or:
		for _, sub := range e.Args {
			if plainly(sub, k) == (e.Kind == Or) {
				return e.Kind == Or
			}
		}
		return e.Kind == And
	case Bool:
		return e.True
	case Condition:
		return (e.String == "a") != e.Not
	}
	s := e.Symbol.Slice()
	got, want := k.Load(s), e.Value
	if e.Symbol.IsString() {
		want = field.U64(portNumber(e.String))
	} else {
		got = k.Get128(e.Symbol.Field).And(e.Mask)
	}
	c := got.Cmp(want)
	return map[Relop]bool{EQ: c == 0, NE: c != 0, LT: c < 0, LE: c <= 0, GT: c > 0, GE: c >= 0}[e.Op]
}

// randomMatch writes a random match that parses.
func randomMatch(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return randomComparison(r)
	}
	op := []string{" && ", " || "}[r.IntN(2)]
	var terms []string
	for range 2 + r.IntN(3) {
		term := randomMatch(r, depth-1)
		if strings.Contains(term, "&&") || strings.Contains(term, "||") {
			term = "(" + term + ")"
		}
		terms = append(terms, term)
	}
	return strings.Join(terms, op)
}

func randomComparison(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	op := pick("==", "!=", "<", "<=", ">", ">=")
	eq := pick("==", "!=")
	not := pick("", "!")
	switch r.IntN(12) {
	case 0:
		return pick("ip4", "ip6", "tcp", "udp", "icmp", "arp", "ip4.mcast", "ip6.mcast", "nd", "nd_ns", "eth.bcast",
			"igmp", "1", "0")
	case 1:
		return not + pick("eth.mcast", "ct.est", "ct.new", "ct.trk", "vlan.present", "ip.is_frag", "ip.first_frag",
			"reg0[3]", "flags.loopback", "eth.dst[40]", "eth.mcastv6")
	case 2:
		return fmt.Sprintf("tcp.%s %s %d", pick("src", "dst"), op, r.IntN(8))
	case 3:
		return fmt.Sprintf("%d <%s reg0[0..3] <%s %d", r.IntN(16), pick("", "="), pick("", "="), r.IntN(16))
	case 4:
		return fmt.Sprintf("%s %s %#x/%#x", pick("reg0", "reg9", "ip4.src", "tcp.flags[0..7]"), eq, r.IntN(256),
			r.IntN(256))
	case 5:
		return fmt.Sprintf("ip4.%s %s {10.0.0.%d, 10.0.%d.0/24, 10.0.0.0/%d}", pick("src", "dst"), eq, r.IntN(3),
			r.IntN(3), r.IntN(33))
	case 6:
		return fmt.Sprintf("%s[%d..%d] %s %d", pick("xxreg0", "ct_label", "ip6.src"), r.IntN(4), 4+r.IntN(124), op,
			r.IntN(16))
	case 7:
		return fmt.Sprintf("%s == %s", pick("inport", "outport"), pick(`"a"`, `"b"`, `{"a", "b"}`, `"nowhere"`))
	case 8:
		return fmt.Sprintf("%s %s %d", pick("vlan.pcp", "vlan.vid", "ip.frag", "ct_mark.obs_stage", "flags.network_id"),
			op, r.IntN(4))
	case 9:
		return fmt.Sprintf("%s(ip6.dst %s ff02::%d)", not, eq, r.IntN(3))
	case 10:
		return fmt.Sprintf("%sis_chassis_resident(%q)", not, pick("a", "b"))
	}
	return fmt.Sprintf("%s == {%d, %d}", pick("ip.proto", "ip.ttl", "icmp4.type", "icmp6.type", "arp.op"), r.IntN(4),
		[]int{1, 6, 58, 135, 255}[r.IntN(5)])
}

// randomKey fills the fields with values that meet matches often.
func randomKey(r *rand.Rand) *field.Key {
	k := new(field.Key)
	for _, id := range field.All() {
		v := field.U64(r.Uint64N(16))
		switch r.IntN(4) {
		case 0:
			v = field.Uint128{Hi: r.Uint64(), Lo: r.Uint64()}
		case 1:
			v = field.Uint128{}
		}
		k.Set128(id, v)
	}
	k.Set(field.EthType, []uint64{0x800, 0x800, 0x86dd, 0x86dd, 0x806, r.Uint64()}[r.IntN(6)])
	k.Set(field.IPProto, []uint64{1, 2, 6, 6, 17, 58, r.Uint64()}[r.IntN(7)])
	k.Set(field.IPTTL, []uint64{255, r.Uint64()}[r.IntN(2)])
	k.Set(field.ICMP6Type, []uint64{135, 136, r.Uint64()}[r.IntN(3)])
	k.Set(field.IP4Src, 0x0a000000+r.Uint64N(0x400))
	k.Set(field.IP4Dst, []uint64{0x0a000000 + r.Uint64N(0x400), 0xe0000001}[r.IntN(2)])
	k.Set128(field.IP6Dst, field.Uint128{Hi: 0xff02 << 48, Lo: r.Uint64N(4)})
	k.Set(field.EthDst, []uint64{0xffffffffffff, 0x333300000001, r.Uint64()}[r.IntN(3)])
	k.Set(field.Inport, r.Uint64N(4))
	k.Set(field.Outport, r.Uint64N(4))
	k.Set(field.IPFrag, r.Uint64N(4))
	return k
}

// Annotate and Simplify keep the truth of thousands of random expressions on
// random packets, and formatting keeps the expressions.
func TestPassesKeepTruth(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 14))
	parsed, truths := 0, 0
	for range 20000 {
		src := randomMatch(r, r.IntN(4))
		raw, err := ParseMatch(src, nil)
		if err != nil {
			continue // != of a nominal field
		}
		parsed++
		again, err := ParseMatch(raw.Text(), nil)
		if err != nil || again.Text() != raw.Text() {
			t.Fatalf("%s formats as %s, then %v, %v", src, raw.Text(), again, err)
		}
		annotated, err := Annotate(raw, nil)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		before := annotated.Text()
		simple := Simplify(annotated)
		checkSimple(t, src, simple, true)
		for range 8 {
			k := randomKey(r)
			want := oracle(t, raw, k)
			if got := plainly(annotated, k); got != want {
				t.Fatalf("%s\nannotated: %s\n%v, want %v for %x", src, before, got, want, *k)
			}
			if got := plainly(simple, k); got != want {
				t.Fatalf("%s\nsimplified: %s\n%v, want %v for %x", src, simple.Text(), got, want, *k)
			}
			if want {
				truths++
			}
		}
		if annotated.Text() != before || raw.Text() != again.Text() {
			t.Fatalf("%s: a later pass changed the result of an earlier one", src)
		}
	}
	t.Logf("%d expressions, true %d times of %d", parsed, truths, 8*parsed)
	if parsed < 10000 || truths < 8*parsed/10 || truths > 8*parsed*9/10 {
		t.Errorf("%d expressions, true %d times: the sample shows nothing", parsed, truths)
	}
}

// Every relational comparison of a four-bit field, under every contiguous
// mask, on every value.
func TestRelationalOperators(t *testing.T) {
	t.Parallel()
	for low := range 4 {
		for high := low; high < 4; high++ {
			for _, op := range []string{"==", "!=", "<", "<=", ">", ">="} {
				for c := range 1 << (high - low + 1) {
					src := fmt.Sprintf("reg0[%d..%d] %s %d", low, high, op, c)
					raw, err := ParseMatch(src, nil)
					if err != nil {
						t.Fatal(err)
					}
					a, err := Annotate(raw, nil)
					if err != nil {
						t.Fatal(err)
					}
					s := Simplify(a)
					for v := range 16 {
						var k field.Key
						k.Store(StandardSymtab().Lookup("reg0").Slice(), field.U64(uint64(v)))
						if got, want := plainly(s, &k), oracle(t, raw, &k); got != want {
							t.Errorf("%s: %v for %d: %s", src, got, v, s.Text())
						}
					}
				}
			}
		}
	}
}
