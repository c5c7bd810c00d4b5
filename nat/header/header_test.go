package header

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// gopacket computes the same checksums, of every length, odd ones too.
func TestChecksums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		body := make([]byte, n)
		for i := range body {
			body[i] = byte(r.Uint32())
		}
		for _, ip := range []gopacket.NetworkLayer{
			&layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{10, 1, 2, 3},
				DstIP: []byte{255, 254, 253, 252}},
			&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP,
				SrcIP: netip.MustParseAddr("fd00::1").AsSlice(),
				DstIP: netip.MustParseAddr("fe80::ffff:ffff").AsSlice()},
		} {
			udp := &layers.UDP{SrcPort: 53, DstPort: 4000}
			udp.SetNetworkLayerForChecksum(ip)
			buf := gopacket.NewSerializeBuffer()
			if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
				ip.(gopacket.SerializableLayer), udp, gopacket.Payload(body)); err != nil {
				t.Fatal(err)
			}
			b := buf.Bytes()
			at, addresses := 20, b[12:20]
			if b[0]>>4 == 6 {
				at, addresses = 40, b[8:40]
			} else if Checksum(0, b[:20]) != 0 {
				t.Errorf("header checksum of %x", b[:20])
			}
			if got := Checksum(Pseudo(addresses, ProtoUDP, len(b)-at), b[at:]); got != 0 {
				t.Errorf("%d bytes: %#x is left", n, got)
			}
			// One word changes, and the checksum with it.
			old := binary.BigEndian.Uint16(b[at+6:])
			was := [4]byte(b[at:])
			binary.BigEndian.PutUint32(b[at:], r.Uint32())
			one := UpdateWords(old, binary.BigEndian.Uint32(was[:]), binary.BigEndian.Uint32(b[at:]))
			if two := Update16(old, was[:], b[at:at+4]); one != two {
				t.Errorf("%#x by words, %#x by bytes", one, two)
			}
			binary.BigEndian.PutUint16(b[at+6:], one)
			if got := Checksum(Pseudo(addresses, ProtoUDP, len(b)-at), b[at:]); got != 0 {
				t.Errorf("%d bytes, ports changed: %#x is left", n, got)
			}
		}
	}
}

// The checksum of SCTP is the standard library's CRC-32C with the field zero.
func TestSCTP(t *testing.T) {
	t.Parallel()
	b := []byte{4, 210, 0, 80, 0, 0, 0, 9, 1, 2, 3, 4, 1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 255, 255, 0, 1, 0, 1, 0, 0, 0, 1}
	sum := func(b []byte) uint32 {
		zeroed := append([]byte{}, b...)
		clear(zeroed[8:12])
		return crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli))
	}
	was := SCTP(b)
	if was != sum(b) {
		t.Errorf("%#x, want %#x", was, sum(b))
	}
	diff := [4]byte{1, 2, 3, 4}
	for i, d := range diff {
		b[i] ^= d
	}
	if got := was ^ SCTPDelta(diff, len(b)); got != sum(b) {
		t.Errorf("ports changed: %#x, want %#x", got, sum(b))
	}
}

// gopacket finds the same headers behind one another. (It does not look behind a
// fragment header.)
func TestStep(t *testing.T) {
	t.Parallel()
	udp := []byte{0, 53, 0, 53, 0, 8, 0, 0}
	kinds := []struct {
		proto uint8
		size  int
		rest  []byte // from the second byte on, as far as it is not 0
	}{
		{ProtoHopByHop, 8, []byte{0, 1, 4}},
		{ProtoRouting, 24, []byte{2}},
		{ProtoDestOpts, 16, []byte{1, 1, 12}},
		{ProtoAH, 24, []byte{4}},
		{ProtoFragment, 8, []byte{9, 0, 1}}, // its second byte says nothing
	}
	for first := range kinds {
		var b []byte
		for i, k := range kinds[first:] {
			h := make([]byte, k.size)
			copy(h[1:], k.rest)
			h[0] = ProtoUDP
			if first+i+1 < len(kinds) {
				h[0] = kinds[first+i+1].proto
			}
			b = append(b, h...)
		}
		end := len(b)
		b = append(b, udp...)
		proto, at := kinds[first].proto, 0
		for i := first; Extension(proto); i++ {
			next, size := Step(proto, b[at:])
			if proto != kinds[i].proto || size != kinds[i].size {
				t.Fatalf("%d: protocol %d of %d bytes, want %d of %d", i, proto, size, kinds[i].proto, kinds[i].size)
			}
			proto, at = next, at+size
		}
		if proto != ProtoUDP || at != end {
			t.Errorf("from %d: protocol %d at %d, want UDP at %d", first, proto, at, end)
		}
		ip := append([]byte{0x60, 0, 0, 0, 0, byte(len(b)), kinds[first].proto, 64, 39: 1}, b...)
		p := gopacket.NewPacket(ip, layers.LayerTypeIPv6, gopacket.Default)
		f, ok := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
		if !ok || f.NextHeader != layers.IPProtocolUDP || len(f.Payload) != len(udp) {
			t.Errorf("from %d: gopacket: %v", first, p)
		}
	}
	for _, proto := range []uint8{ProtoTCP, ProtoUDP, ProtoICMPv6, ProtoSCTP, ProtoESP, ProtoNoNext} {
		if Extension(proto) {
			t.Errorf("%d is stepped over", proto)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	m, ok := ParseMAC("0A:58:0a:f4:01:ff")
	if want := [6]byte{0x0a, 0x58, 0x0a, 0xf4, 1, 0xff}; m != want || !ok {
		t.Errorf("%v %v", m, ok)
	}
	v := MACNumber(m)
	if v != 0x0a580af401ff || MACBytes(v) != m || FormatMAC(v) != "0a:58:0a:f4:01:ff" {
		t.Errorf("%#x %v %s", v, MACBytes(v), FormatMAC(v))
	}
	for _, text := range []string{"", "0a:58:0a:f4:01", "0a-58-0a-f4-01-ff", "0a:58:0a:f4:01:fg", "0a:58:0a:f4:01:ff ",
		"a:58:0a:f4:01:ff0"} {
		if _, ok := ParseMAC(text); ok {
			t.Errorf("%q is an Ethernet address", text)
		}
	}
	for text, want := range map[string]uint64{
		"224.0.0.251": 0x01005e0000fb, "239.255.1.2": 0x01005e7f0102, "255.255.255.255": 0xffffffffffff,
		"ff02::1:ff00:5": 0x3333ff000005, "10.0.0.1": 0, "fd00::1": 0,
	} {
		if got := GroupMAC(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s goes to %#x, want %#x", text, got, want)
		}
	}
	if got := netip.AddrFrom16(LinkLocal(m)).String(); got != "fe80::858:aff:fef4:1ff" {
		t.Error(got)
	}
	if got := netip.AddrFrom16(SolicitedNode(
		netip.MustParseAddr("fd00::1:2:3456:789a").As16())).String(); got != "ff02::1:ff56:789a" {
		t.Error(got)
	}
	for _, text := range []string{"10.1.2.3", "fd00::5"} {
		a := netip.MustParseAddr(text)
		b := Bytes(a)
		if Addr(a.Is6(), &b) != a {
			t.Errorf("%s: %v", text, Addr(a.Is6(), &b))
		}
	}
	if got := IPv4(0x0a010203).String(); got != "10.1.2.3" {
		t.Error(got)
	}
}

// gopacket reads the same options, up to where one is malformed.
func TestOptions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	kinds := []layers.TCPOption{
		{OptionType: OptionNop}, {OptionType: OptionMSS, OptionData: []byte{5, 0xb4}},
		{OptionType: OptionScale, OptionData: []byte{7}}, {OptionType: OptionSackOK},
		{OptionType: OptionSack, OptionData: make([]byte, 8)},
		{OptionType: OptionTimestamp, OptionData: make([]byte, 8)},
	}
	for range 500 {
		tcp := &layers.TCP{}
		for range r.IntN(4) {
			tcp.Options = append(tcp.Options, kinds[r.IntN(len(kinds))])
		}
		buf := gopacket.NewSerializeBuffer()
		if err := tcp.SerializeTo(buf, gopacket.SerializeOptions{FixLengths: true}); err != nil {
			t.Fatal(err)
		}
		left := buf.Bytes()[20:]
		for _, want := range tcp.Options {
			kind, n := Option(left)
			if kind != uint8(want.OptionType) || kind != OptionNop && n != 2+len(want.OptionData) {
				t.Fatalf("%x: kind %d of %d bytes, not %v", left, kind, n, want)
			}
			left = left[n:]
		}
		if kind, n := Option(left); kind != OptionEnd || n != 0 {
			t.Errorf("%x is no end: %d, %d bytes", left, kind, n)
		}
	}
	for _, bad := range [][]byte{{}, {OptionEnd, 1}, {OptionMSS}, {OptionMSS, 0}, {OptionMSS, 1}, {OptionMSS, 4, 5}} {
		if _, n := Option(bad); n != 0 {
			t.Errorf("%x: a step of %d bytes", bad, n)
		}
	}
}
