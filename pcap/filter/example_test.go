package filter_test

import (
	"fmt"

	"ovnreplay/pcap/filter"
)

func Example() {
	expr, err := filter.Parse("ip and tcp[tcpflags] & tcp-syn != 0")
	if err != nil {
		fmt.Println(err)
		return
	}
	const rawIP = 101
	program, err := expr.Compile(filter.Link{Type: rawIP})
	if err != nil {
		fmt.Println(err)
		return
	}
	packet := make([]byte, 40)
	packet[0], packet[9], packet[33] = 0x45, 6, 0x02
	fmt.Println(program.Match(packet, len(packet)))

	_, err = filter.Parse("tcp port eighty")
	fmt.Println(err)
	// Output:
	// true
	// column 10: no port "eighty" is known: give its number
}
