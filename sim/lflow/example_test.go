package lflow_test

import (
	"fmt"

	"ovnreplay/sim/lflow"
)

// A flow's match as OVN understands it, and its actions as OVN prints them.
func Example() {
	env := &lflow.Env{
		AddressSets: map[string][]string{"web": {"10.0.0.2", "10.0.0.1"}},
		Pipeline:    lflow.Ingress, Table: 3, Tables: 30,
	}
	match, err := lflow.ParseMatch("tcp.dst==80 && ip4.dst==$web", env)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(match.Text())

	actions, prereqs, err := lflow.ParseActions("ip.ttl--;next;", env)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lflow.FormatActions(actions, env), "needs", prereqs.Text())
	// Output:
	// tcp.dst == 0x50 && (ip4.dst == 0xa000001 || ip4.dst == 0xa000002)
	// ip.ttl--; next; needs ip
}

// Errors have OVN's words and point at their place.
func ExampleError() {
	_, err := lflow.ParseMatch("ip4 && tcp.dst == 123456", nil)
	if e, ok := err.(*lflow.Error); ok {
		fmt.Println(e.Caret())
	}
	fmt.Println(err)
	// Output:
	// ip4 && tcp.dst == 123456
	//                   ^~~~~~
	// 17-bit constant is not compatible with 16-bit field tcp.dst.
}
