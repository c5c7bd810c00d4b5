package lflow

import (
	"fmt"
	"slices"
	"testing"

	"ovnreplay/sim/field"
)

func TestWritten(t *testing.T) {
	for match, want := range map[string]string{
		"ct.new && ip4.dst == 10.96.0.1 && tcp.dst == 80":      "[10.96.0.1]",
		"ip6.dst == {fd00::1, fd00::2} || ip4.src == $set":     "[fd00::1 fd00::2]",
		"ip4.dst == ^vip && eth.dst == 0a:58:0a:80:01:01 && 1": "[]",
	} {
		if got := fmt.Sprint(slices.Collect(Written(match))); got != want {
			t.Errorf("%s: %s, want %s", match, got, want)
		}
	}
	if !HasVariables("ip4.dst == ^vip") || HasVariables("ip4") || !MayBalance("ct_lb_mark(backends=10.0.0.1);") ||
		MayBalance("next;") {
		t.Error("variables or backends")
	}
}

// A set that is left whole has what is written of it parse to the same, and has among
// it what one of its comparisons is true of.
func TestWholeSets(t *testing.T) {
	t.Parallel()
	env := &Env{AddressSets: map[string][]string{}, PortGroups: map[string][]string{"ports": nil}}
	for i := range 100 {
		env.AddressSets["a"] = append(env.AddressSets["a"], fmt.Sprintf("10.0.%d.0/%d", i, 17+i%16),
			fmt.Sprintf("10.0.%d.%d", i, i))
		env.PortGroups["ports"] = append(env.PortGroups["ports"], fmt.Sprintf("p%d", i))
	}
	env.Preparse()
	for in, want := range map[string]string{
		"ip4.src == $a": "ip4.src == $a", "ip4.src[0..9] != $a": "ip4.src[0..9] != $a",
		"!(ip4.src == {$a, 1.2.3.4})": "ip4.src != $a && ip4.src != 0x1020304", "inport == @ports": "inport == @ports",
	} {
		e, err := ParseMatch(in, env.WholeSets())
		if err != nil || e.Text() != want {
			t.Errorf("%s: %v, %v", in, e.Text(), err)
		}
	}
	for _, text := range []string{"ip4.src == $a", "ip4.src[0..9] == $a", "ip4.src[7..31] == $a"} {
		whole, _ := ParseMatch(text, env.WholeSets())
		out, _ := ParseMatch(text, env)
		for i := range uint64(1 << 16) {
			v := field.U64(10<<24 | i*7)
			if got := whole.Among(v); got != out.Could(field.IP4Src, v) {
				t.Fatalf("%s: %x: %v", text, v, got)
			}
		}
	}
	_, err := ParseMatch("tcp.dst == $a", env.WholeSets())
	if _, want := ParseMatch("tcp.dst == $a", env); err == nil || err.Error() != want.Error() {
		t.Errorf("%v, not %v", err, want)
	}
}
