package nat_test

import (
	"fmt"

	"ovnreplay/nat"
)

// An echo request is given another source and another ID.
func ExampleRewrite() {
	ip := []byte{
		0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x66, 0xdf, 10, 0, 0, 1, 10, 0, 0, 2,
		8, 0, 0xf7, 0xf8, 0, 7, 0, 0,
	}
	var p nat.Packet
	if fault := p.Parse(ip); fault != nat.NoFault {
		fmt.Println(fault)
		return
	}
	fmt.Println(&p.Tuple, p.CheckSum(ip) == nat.SumGood)
	from, to := p.Tuple, p.Tuple
	to.Src = [16]byte{192, 0, 2, 1}
	to.SrcPort, to.DstPort = 8, 8
	nat.Rewrite(ip, &p, &from, &to, nat.Source)
	fmt.Println(&p.Tuple, p.CheckSum(ip) == nat.SumGood, p.HeaderSumOK(ip))
	// Output:
	// icmp 10.0.0.1 -> 10.0.0.2 id 7 type 8 code 0 true
	// icmp 192.0.2.1 -> 10.0.0.2 id 8 type 8 code 0 true true
}
