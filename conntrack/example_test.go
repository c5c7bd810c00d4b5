package conntrack_test

import (
	"fmt"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
)

// A client behind SNAT asks, and the answer finds its way back.
func Example() {
	table := conntrack.NewTable(conntrack.Options{Profile: conntrack.OVSUserspace})
	public := nat.Binding{Kind: nat.Src, AddrLo: [16]byte{192, 0, 2, 1}, AddrHi: [16]byte{192, 0, 2, 1}}

	ask := udp([4]byte{10, 0, 0, 5}, [4]byte{198, 51, 100, 7}, 40000, 53)
	var m conntrack.Meta
	table.Execute(1*conntrack.Second, ask, &m, &conntrack.Request{Zone: 3, Commit: true, NAT: public})
	show(ask, m.State)

	answer := udp([4]byte{198, 51, 100, 7}, [4]byte{192, 0, 2, 1}, 53, 40000)
	m.Clear()
	table.Execute(2*conntrack.Second, answer, &m, &conntrack.Request{Zone: 3, NAT: nat.Binding{Kind: nat.Apply}})
	show(answer, m.State)

	for _, e := range table.Entries(3 * conntrack.Second) {
		fmt.Println(strings.ReplaceAll(string(conntrack.AppendEntry(nil, &e, conntrack.DpctlStats)), "),", "),\n"))
	}
	// Output:
	// udp 192.0.2.1:40000 -> 198.51.100.7:53: new|trk|snat
	// udp 198.51.100.7:53 -> 10.0.0.5:40000: est|rpl|trk|dnat
	// udp,orig=(src=10.0.0.5,dst=198.51.100.7,sport=40000,dport=53),
	// reply=(src=198.51.100.7,dst=192.0.2.1,sport=53,dport=40000),
	// zone=3,timeout=29
}

func show(ip []byte, s conntrack.State) {
	t, _ := nat.ParseTuple(ip)
	fmt.Printf("%v: %v\n", &t, s)
}

// udp is a UDP packet without payload and without UDP checksum.
func udp(src, dst [4]byte, sport, dport uint16) []byte {
	ip := []byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0}
	ip = append(append(ip, src[:]...), dst[:]...)
	ip = append(ip, byte(sport>>8), byte(sport), byte(dport>>8), byte(dport), 0, 8, 0, 0)
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(ip[i])<<8 | uint32(ip[i+1])
	}
	sum = sum>>16 + sum&0xffff
	ip[10], ip[11] = byte(^sum>>8), byte(^sum)
	return ip
}
