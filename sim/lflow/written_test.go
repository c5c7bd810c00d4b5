package lflow

import (
	"fmt"
	"slices"
	"testing"
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
