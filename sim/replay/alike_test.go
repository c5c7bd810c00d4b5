package replay

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// icmpError is an IPv4 header and an ICMP error that quotes a packet's first bytes.
func icmpError(sum, next byte, quoted ...byte) []byte {
	p := append(bytes.Repeat([]byte{7}, 20), 3, 4, sum, sum, 0, 0, 5, next)
	return append(p, quoted...)
}

// Errors of which a capture holds less than OVN had differ in checksums alone: their own,
// and that of the packet they quote.
func TestErrorsThatAreCut(t *testing.T) {
	t.Parallel()
	tcp := slices.Concat([]byte{0x45, 0, 0, 60, 0, 0, 0, 0, 64, header.ProtoTCP}, make([]byte, 10),
		[]byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0x50, 2, 0, 0, 9, 9, 0, 0})
	udp6 := slices.Concat([]byte{0x60, 0, 0, 0, 0, 16, header.ProtoUDP, 64}, make([]byte, 32),
		[]byte{1, 2, 3, 4, 0, 16, 9, 9, 1, 1})
	changed := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at]++; return b }
	for _, test := range []struct {
		what string
		x, y []byte
		same bool
	}{
		{"the same", icmpError(1, 0, tcp...), icmpError(1, 0, tcp...), true},
		{"its own checksum", icmpError(1, 0, tcp...), icmpError(2, 0, tcp...), true},
		{"its checksum and that of the segment", icmpError(1, 0, tcp...), icmpError(2, 0, changed(tcp, 36)...), true},
		{"a port of the segment", icmpError(1, 0, tcp...), icmpError(1, 0, changed(tcp, 20)...), false},
		{"what follows the segment's checksum", icmpError(1, 0, tcp...), icmpError(1, 0, changed(tcp, 39)...), false},
		{"the MTU that it tells", icmpError(1, 0, tcp...), icmpError(1, 1, tcp...), false},
		{"one is cut before the checksum", icmpError(1, 0, tcp...), icmpError(2, 0, tcp[:30]...), true},
		{"the same, of another port", icmpError(1, 0, tcp...), icmpError(2, 0, changed(tcp, 21)[:30]...), false},
		{"IPv6, the datagram's checksum", icmpError(1, 0, udp6...), icmpError(2, 0, changed(udp6, 46)...), true},
		{"IPv6, a port of the datagram", icmpError(1, 0, udp6...), icmpError(2, 0, changed(udp6, 41)...), false},
		{"what quotes no packet", icmpError(1, 0, 1, 2), icmpError(2, 0, 1, 2), true},
		{"what quotes no packet, another", icmpError(1, 0, 1, 2), icmpError(1, 0, 1, 3), false},
		{"no whole error", icmpError(1, 0)[:24], icmpError(1, 0)[:24], false},
	} {
		if same := likeErrors(test.x, test.y, 20, 20); same != test.same {
			t.Errorf("%s: %v", test.what, same)
		}
	}
	if likeErrors(icmpError(1, 0, tcp...), icmpError(1, 0, tcp...), 20, 24) {
		t.Error("headers of another length are the same")
	}
}

// Keys of a tunnel that differ are told each.
func TestTunnelKeysThatDiffer(t *testing.T) {
	t.Parallel()
	p, o := new(waiter), new(waiter)
	p.keys.datapath, p.keys.inport, p.keys.outport = 1, 2, 3
	o.keys = p.keys
	if d := keyDifferences(p, o); len(d) != 0 || !alikeKeys(p, o) {
		t.Errorf("the same: %v", d)
	}
	o.keys.datapath, o.keys.outport = 7, 32768
	want := []Difference{{Field: "tunnel datapath key", Predicted: "1", Observed: "7"},
		{Field: "tunnel outport key", Predicted: "3", Observed: "32768"}}
	if d := keyDifferences(p, o); !slices.Equal(d, want) || alikeKeys(p, o) {
		t.Errorf("%v, want %v", d, want)
	}
}

// Of several chassis that take part in as many packets it is the first by name, whatever a
// map's order.
func TestMostSeen(t *testing.T) {
	t.Parallel()
	a, b, c := &network.Chassis{Name: "a"}, &network.Chassis{Name: "b"}, &network.Chassis{Name: "c"}
	for range 20 {
		if got, alone := mostSeen(map[*network.Chassis]int{c: 3, b: 3, a: 1}, nil); got != b || alone {
			t.Fatalf("%s", got.Name)
		}
	}
	if got, alone := mostSeen(map[*network.Chassis]int{c: 3}, a); got != a || !alone {
		t.Errorf("given a: %s", got.Name)
	}
	if got, alone := mostSeen(nil, nil); got != nil || alone {
		t.Errorf("of none: %s", got.Name)
	}
}

// A TTL changes with the checksum; what would expire, or has none, stays as it is.
func TestAddTTL(t *testing.T) {
	t.Parallel()
	v4 := captured(t, "client.pcap")[0].Data
	v6 := slices.Concat(make([]byte, 12), []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, header.ProtoUDP, 64},
		make([]byte, 32), []byte{0, 1, 0, 2, 0, 8, 0, 0})
	for _, test := range []struct {
		what  string
		frame []byte
		at    int
		by    int
		want  byte
	}{{"IPv4", v4, 22, -1, v4[22] - 1}, {"IPv4 upwards", v4, 22, 3, v4[22] + 3}, {"IPv6", v6, 21, -2, 62},
		{"what would expire", v4, 22, -int(v4[22]), v4[22]}, {"too many", v4, 22, 255, v4[22]}} {
		data := bytes.Clone(test.frame)
		var once packet.HeadersOnce
		h := once.Of(data)
		addTTL(data, h, test.by)
		if data[test.at] != test.want {
			t.Errorf("%s: %d, want %d", test.what, data[test.at], test.want)
		}
		if data[12] == 8 && header.Checksum(0, data[14:34]) != 0 {
			t.Errorf("%s: the checksum is wrong", test.what)
		}
	}
}

// Which way a packet without an Ethernet header crossed a port is told by its addresses, or
// by what the host that captured it says.
func TestBareDirections(t *testing.T) {
	t.Parallel()
	o := &Owners{byIP: map[netip.Addr][]*network.Port{}, announced: map[netip.Addr]mac{}, send: map[mac]*senders{}}
	vm := &network.Port{Type: network.VIF, Addresses: []network.Address{{MAC: [6]byte{2, 0, 0, 0, 0, 1},
		IPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")}}}}
	wire := &network.Port{Type: network.Localnet}
	o.byIP[netip.MustParseAddr("10.0.0.5")] = []*network.Port{vm}
	ip := func(src, dst string) []byte {
		s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
		return slices.Concat([]byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0}, s[:], d[:])
	}
	ip6 := slices.Concat([]byte{0x60, 0, 0, 0, 0, 0, 17, 64}, make([]byte, 32))
	tagged := func(b []byte) []byte { return append([]byte{0, 7, 8, 0}, b...) }
	arp := slices.Concat([]byte{0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 6), []byte{10, 0, 0, 5}, make([]byte, 6),
		[]byte{10, 0, 0, 9})
	in, out := pcap.DirectionIn, pcap.DirectionOut
	for _, test := range []struct {
		what string
		port *network.Port
		m    pcap.LinkMeta
		host bool
		want Direction
	}{
		{"from the interface's address", vm,
			pcap.LinkMeta{EtherType: header.EtherIPv4, Payload: ip("10.0.0.5", "10.0.0.9")}, false, Entered},
		{"to it", vm, pcap.LinkMeta{EtherType: header.EtherIPv4, Payload: ip("10.0.0.9", "10.0.0.5")}, false, Left},
		{"to it, in a VLAN", vm,
			pcap.LinkMeta{EtherType: header.EtherVLAN, Payload: tagged(ip("10.0.0.9", "10.0.0.5"))}, false, Left},
		{"ARP from it", vm, pcap.LinkMeta{EtherType: header.EtherARP, Payload: arp}, false, Entered},
		{"neither, received by the host", vm,
			pcap.LinkMeta{EtherType: header.EtherIPv6, Payload: ip6, Direction: in}, true, Entered},
		{"neither, received by the interface", vm,
			pcap.LinkMeta{EtherType: header.EtherIPv6, Payload: ip6, Direction: in},
			false, Left},
		{"neither, sent by the interface", vm, pcap.LinkMeta{EtherType: header.EtherIPv6, Payload: ip6, Direction: out},
			false, Entered},
		{"nothing tells", vm, pcap.LinkMeta{EtherType: header.EtherIPv6, Payload: ip6}, false, Unknown},
		{"from its Ethernet address", vm, pcap.LinkMeta{HasSrc: true, Src: [6]byte{2, 0, 0, 0, 0, 1}}, false, Entered},
		{"from another", vm, pcap.LinkMeta{HasSrc: true, Src: [6]byte{2, 0, 0, 0, 0, 2}}, false, Left},
		{"over the wire, from inside", wire,
			pcap.LinkMeta{EtherType: header.EtherIPv4, Payload: ip("10.0.0.5", "192.0.2.1")}, false, Left},
		{"over the wire, to inside", wire,
			pcap.LinkMeta{EtherType: header.EtherIPv4, Payload: ip("192.0.2.1", "10.0.0.5")},
			false, Entered},
		{"over the wire, from who is not OVN's", wire, pcap.LinkMeta{HasSrc: true, Src: [6]byte{2, 9}}, false, Entered},
		{"over the wire, of others", wire,
			pcap.LinkMeta{EtherType: header.EtherIPv4, Payload: ip("192.0.2.1", "192.0.2.2")}, false, Unknown},
	} {
		if got := o.bareDirection(test.port, nil, &test.m, test.host); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}
