package packet

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

var (
	macA, macB = net.HardwareAddr{2, 0, 0, 0, 0, 0xa}, net.HardwareAddr{2, 0, 0, 0, 0, 0xb}
	ip4A, ip4B = net.IP{10, 0, 0, 1}, net.IP{10, 0, 0, 2}
	ip6A, ip6B = net.ParseIP("fd00::1"), net.ParseIP("fd00::2")
)

// build serialises layers with right lengths and checksums.
func build(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		ls...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

func eth(typ layers.EthernetType) *layers.Ethernet {
	return &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: typ}
}

func ip4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, TOS: 0x28, Id: 7, Protocol: proto, SrcIP: ip4A, DstIP: ip4B}
}

func ip6(next layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, TrafficClass: 0x28, FlowLabel: 0x12345, NextHeader: next, SrcIP: ip6A,
		DstIP: ip6B}
}

// samples returns a frame of every kind Flush can change.
func samples(t testing.TB) map[string][]byte {
	data := gopacket.Payload("some bytes of payload")
	v4, v6 := ip4(layers.IPProtocolTCP), ip6(layers.IPProtocolTCP)
	tcp4 := &layers.TCP{SrcPort: 1000, DstPort: 80, Seq: 1, SYN: true, Window: 100}
	tcp6 := *tcp4
	tcp4.SetNetworkLayerForChecksum(v4)
	tcp6.SetNetworkLayerForChecksum(v6)
	u4, u6 := ip4(layers.IPProtocolUDP), ip6(layers.IPProtocolUDP)
	udp4, udp6 := &layers.UDP{SrcPort: 5, DstPort: 6}, &layers.UDP{SrcPort: 5, DstPort: 6}
	udp4.SetNetworkLayerForChecksum(u4)
	udp6.SetNetworkLayerForChecksum(u6)
	i6 := ip6(layers.IPProtocolICMPv6)
	icmp6 := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
	icmp6.SetNetworkLayerForChecksum(i6)
	nd6 := ip6(layers.IPProtocolICMPv6)
	nd6.HopLimit = 255
	ns := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(135, 0)}
	ns.SetNetworkLayerForChecksum(nd6)
	sctp := &layers.SCTP{SrcPort: 7, DstPort: 8, VerificationTag: 9}
	return map[string][]byte{
		"tcp4": build(t, eth(layers.EthernetTypeIPv4), v4, tcp4, data),
		"tcp6": build(t, eth(layers.EthernetTypeIPv6), v6, &tcp6, data),
		"udp4": build(t, eth(layers.EthernetTypeIPv4), u4, udp4, data),
		"udp6": build(t, eth(layers.EthernetTypeIPv6), u6, udp6, data),
		"icmp4": build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolICMPv4),
			&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 3, Seq: 4}, data),
		"icmp6": build(t, eth(layers.EthernetTypeIPv6), i6, icmp6,
			&layers.ICMPv6Echo{Identifier: 3, SeqNumber: 4}, data),
		"ns": build(t, eth(layers.EthernetTypeIPv6), nd6, ns, &layers.ICMPv6NeighborSolicitation{
			TargetAddress: ip6B, Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: macA}}}),
		"sctp4": build(t, eth(layers.EthernetTypeIPv4), ip4(layers.IPProtocolSCTP), sctp, data),
		"arp": build(t, eth(layers.EthernetTypeARP), &layers.ARP{AddrType: 1, Protocol: 0x800, HwAddressSize: 6,
			ProtAddressSize: 4,
			Operation:       1, SourceHwAddress: macA, SourceProtAddress: ip4A, DstHwAddress: make([]byte, 6),
			DstProtAddress: ip4B}),
		"vlan": build(t, eth(layers.EthernetTypeDot1Q),
			&layers.Dot1Q{VLANIdentifier: 100, Priority: 3, Type: layers.EthernetTypeIPv4}, u4, udp4, data),
	}
}

// Parse agrees with gopacket on what both read.
func TestParseAgreesWithGopacket(t *testing.T) {
	t.Parallel()
	for name, frame := range samples(t) {
		var k field.Key
		Parse(frame, &k)
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		expect := func(id field.ID, want uint64) {
			t.Helper()
			if got := k.Get(id); got != want {
				t.Errorf("%s: %v is %#x, gopacket says %#x", name, id, got, want)
			}
		}
		for _, l := range p.Layers() {
			switch l := l.(type) {
			case *layers.Dot1Q:
				expect(field.VLANTCI, uint64(l.Priority)<<13|1<<12|uint64(l.VLANIdentifier))
			case *layers.IPv4:
				expect(field.IP4Src, uint64(binary.BigEndian.Uint32(l.SrcIP)))
				expect(field.IPTTL, uint64(l.TTL))
				expect(field.IPProto, uint64(l.Protocol))
				expect(field.IPDSCP, uint64(l.TOS>>2))
			case *layers.IPv6:
				expect(field.IP6Label, uint64(l.FlowLabel))
				expect(field.IPTTL, uint64(l.HopLimit))
				if k.Get128(field.IP6Dst).Bytes() != [16]byte(l.DstIP) {
					t.Errorf("%s: ip6.dst", name)
				}
			case *layers.TCP:
				expect(field.TpSrc, uint64(l.SrcPort))
				expect(field.TCPFlags, 2)
			case *layers.UDP:
				expect(field.TpDst, uint64(l.DstPort))
			case *layers.SCTP:
				expect(field.TpDst, uint64(l.DstPort))
			case *layers.ICMPv4:
				expect(field.ICMP4Type, uint64(l.TypeCode.Type()))
			case *layers.ICMPv6:
				expect(field.ICMP6Type, uint64(l.TypeCode.Type()))
			case *layers.ARP:
				expect(field.ARPOp, uint64(l.Operation))
				expect(field.ARPTPA, uint64(binary.BigEndian.Uint32(l.DstProtAddress)))
			}
		}
	}
}

// changes sets every writable field a frame has to another value.
var changes = map[field.ID]field.Uint128{
	field.EthSrc: field.U64(0x020000000001), field.EthDst: field.U64(0x020000000002),
	field.IP4Src: field.U64(0xc0a80001), field.IP4Dst: field.U64(0xac120004),
	field.IP6Src: {Hi: 0xfd01 << 48, Lo: 9}, field.IP6Dst: {Hi: 0xfd02 << 48, Lo: 0xffff},
	field.IPTTL: field.U64(63), field.IPDSCP: field.U64(46), field.IPECN: field.U64(1),
	field.TpSrc: field.U64(48001), field.TpDst: field.U64(30007), field.TCPFlags: field.U64(0x12),
	field.ICMP4Type: field.U64(0), field.ICMP6Type: field.U64(129),
	field.ARPOp: field.U64(2), field.ARPSPA: field.U64(1), field.ARPTPA: field.U64(2),
	field.ARPSHA: field.U64(3), field.ARPTHA: field.U64(4),
	field.NDTarget: {Hi: 0xfe80 << 48, Lo: 5}, field.NDSLL: field.U64(0x020000000003),
}

// present returns the fields of changes that the frame has.
func present(p *Packet) []field.ID {
	var ids []field.ID
	typ, proto := p.Key.Get(field.EthType), p.Key.Get(field.IPProto)
	for id := range changes {
		ok := false
		switch id {
		case field.EthSrc, field.EthDst:
			ok = true
		case field.IP4Src, field.IP4Dst:
			ok = typ == header.EtherIPv4
		case field.IP6Src, field.IP6Dst:
			ok = typ == header.EtherIPv6
		case field.IPTTL, field.IPDSCP, field.IPECN:
			ok = typ != header.EtherARP
		case field.TpSrc, field.TpDst:
			ok = proto == header.ProtoTCP || proto == header.ProtoUDP || proto == header.ProtoSCTP
		case field.TCPFlags:
			ok = proto == header.ProtoTCP
		case field.ICMP4Type:
			ok = proto == header.ProtoICMP
		case field.ICMP6Type:
			ok = proto == header.ProtoICMPv6 && p.Key.Get(field.ICMP6Type) == 128
		case field.NDTarget, field.NDSLL:
			ok = p.Key.Get(field.ICMP6Type) == 135
		default:
			ok = typ == header.EtherARP
		}
		if ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// After Flush the frame holds the changed fields and nothing else changed;
// checksums that were right are right, computed in full.
func TestFlush(t *testing.T) {
	t.Parallel()
	for name, frame := range samples(t) {
		var p Packet
		p.Set(frame, 0)
		ids := present(&p)
		for _, id := range ids {
			p.Key.Set128(id, changes[id])
		}
		want := p.Key
		p.Flush()
		if p.Key != want || len(p.Data) != len(frame) {
			t.Errorf("%s: the frame does not hold what was set", name)
		}
		if !checksumsRight(&p) {
			t.Errorf("%s: wrong checksum in %x", name, p.Data)
		}
		for _, id := range ids {
			var q Packet
			q.Set(frame, 0)
			p.Key.Set128(id, q.Key.Get128(id))
		}
		p.Flush()
		if !bytes.Equal(p.Data, frame) {
			t.Errorf("%s: setting the fields back gives\n%x, not\n%x", name, p.Data, frame)
		}
	}
}

// checksumsRight computes every checksum of the frame anew, in full.
func checksumsRight(p *Packet) bool {
	ip := p.IP()
	if ip == nil {
		return true
	}
	ip = ip[:p.Layout.L3End-p.Layout.L3]
	addrs, proto := ip[8:40], uint8(p.Key.Get(field.IPProto))
	if p.Key.Get(field.EthType) == header.EtherIPv4 {
		addrs = ip[12:20]
		if sum(0, ip[:20]) != 0xffff {
			return false
		}
	}
	l4 := p.Data[p.Layout.L4:p.Layout.L3End]
	switch proto {
	case header.ProtoSCTP:
		zeroed := bytes.Clone(l4)
		copy(zeroed[8:12], make([]byte, 4))
		return binary.LittleEndian.Uint32(l4[8:]) == crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli))
	case header.ProtoICMP:
		return sum(0, l4) == 0xffff
	}
	return sum(sum(uint32(proto)+uint32(len(l4)), addrs), l4) == 0xffff
}

func sum(acc uint32, b []byte) uint32 {
	for i, x := range b {
		acc += uint32(x) << (8 * uint(1-i%2))
	}
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return acc
}

// A wrong checksum stays wrong by the same amount, and a UDP checksum of zero
// stays zero.
func TestFlushKeepsWrongChecksums(t *testing.T) {
	t.Parallel()
	s := samples(t)
	udp := bytes.Clone(s["udp4"])
	udp[40], udp[41] = 0, 0
	var p Packet
	p.Set(udp, 0)
	p.Key.Set(field.IP4Dst, 0x01020304)
	p.Flush()
	if p.Data[40] != 0 || p.Data[41] != 0 {
		t.Errorf("UDP checksum 0 became %x", p.Data[40:42])
	}
	tcp := bytes.Clone(s["tcp4"])
	tcp[51] ^= 0x40
	p.Set(tcp, 0)
	p.Key.Set(field.IP4Dst, 0x01020304)
	p.Flush()
	p.Key.Set(field.IP4Dst, 0x0a000002)
	p.Flush()
	if !bytes.Equal(p.Data, tcp) {
		t.Error("a wrong TCP checksum was not kept as wrong as it was")
	}
}

func TestVLANTag(t *testing.T) {
	t.Parallel()
	frame := samples(t)["udp4"]
	var p Packet
	p.Set(frame, 0)
	p.Key.Set(field.VLANTCI, 1<<12|100)
	p.Flush()
	if len(p.Data) != len(frame)+4 || p.Key.Get(field.VLANTCI) != 1<<12|100 || p.Key.Get(field.TpDst) != 6 ||
		p.Wire != len(frame)+4 {
		t.Fatalf("pushed: %x", p.Data)
	}
	p.Key.Set(field.VLANTCI, 0)
	p.Flush()
	if !bytes.Equal(p.Data, frame) || p.Wire != len(frame) {
		t.Errorf("popped: %x", p.Data)
	}
}

func TestFlushAllocatesNothing(t *testing.T) {
	var p Packet
	p.Set(samples(t)["tcp4"], 0)
	n := uint64(0)
	if a := testing.AllocsPerRun(100, func() {
		n++
		p.Key.Set(field.IP4Src, n)
		p.Key.Set(field.TpDst, n)
		p.Flush()
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// No frame may crash the parser, and flushing an unchanged one changes nothing.
func FuzzParse(f *testing.F) {
	for _, frame := range samples(f) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var p Packet
		p.Set(frame, 0)
		for id, v := range changes {
			p.Key.Set128(id, v)
		}
		p.Flush()
		p.Set(frame, 0)
		p.Flush()
		if !bytes.Equal(p.Data, frame) {
			t.Error("flushing without a change changed the frame")
		}
		Describe(frame)
	})
}

func BenchmarkParse(b *testing.B) {
	frame := samples(b)["tcp4"]
	b.ReportAllocs()
	for b.Loop() {
		var k field.Key
		Parse(frame, &k)
	}
}

// A packet whose IP header states more than came over the wire is not parsed by Open
// vSwitch; one that only the capture cut is.
func TestOverlongPacketsAreUnread(t *testing.T) {
	t.Parallel()
	frame := []byte{
		0xf0, 0, 0, 0, 0, 1, 0xf0, 0, 0, 0, 0, 2, 8, 0,
		0x45, 0, 0x01, 0xfc, 0, 1, 0, 0, 0x40, 0x11, 0x64, 0xe8, 10, 0, 0, 5, 10, 0, 0, 4,
		0x30, 0x39, 0x13, 0xba, 0, 0x0c, 0x23, 0x7c, 'A', 'A', 'A', 'A',
	}
	for wire, overlong := range map[int]bool{len(frame): true, 521: true, 522: false, 600: false} {
		var p Packet
		if p.Set(frame, wire); p.Overlong() != overlong {
			t.Errorf("%d bytes on the wire: overlong %v", wire, !overlong)
		}
	}
	var p Packet
	p.Set(frame, len(frame))
	p.Unread()
	p.Flush()
	if k := &p.Key; k.Get(field.EthType) != 0x800 || k.Get(field.EthDst) != 0xf00000000001 ||
		k.Get(field.IP4Src)|k.Get(field.IPProto)|k.Get(field.TpDst)|k.Get(field.IPTTL) != 0 ||
		string(p.Data) != string(frame) {
		t.Errorf("%s, frame %x", p.Headers().Describe(p.Data), p.Data)
	}
}
