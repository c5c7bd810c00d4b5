package replay

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"ovnreplay/nat/header"
)

// udpFrame is a datagram with an id, or in IPv6 if that is negative.
func udpFrame(t *testing.T, id int, payload []byte) *Frame {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6),
		EthernetType: layers.EthernetTypeIPv4}
	udp := &layers.UDP{SrcPort: 4000, DstPort: 53}
	list := []gopacket.SerializableLayer{eth, &layers.IPv4{Version: 4, Id: uint16(id), TTL: 64,
		Protocol: header.ProtoUDP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}, udp,
		gopacket.Payload(payload)}
	if id < 0 {
		eth.EthernetType = layers.EthernetTypeIPv6
		list[1] = &layers.IPv6{Version: 6, FlowLabel: 77, HopLimit: 64, NextHeader: header.ProtoUDP,
			SrcIP: net.ParseIP("fd00::1"), DstIP: net.ParseIP("fd00::2")}
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, list...); err != nil {
		t.Fatal(err)
	}
	return &Frame{Data: b.Bytes(), Wire: len(b.Bytes())}
}

// A datagram is a part of a batch whose bytes it has at the place that its id says, or,
// in IPv6, where the last one ended; the last of a batch may be shorter.
func TestDatagramsAreFoundInTheirBatch(t *testing.T) {
	t.Parallel()
	payload := make([]byte, 4100)
	for i := range len(payload) / 4 {
		binary.BigEndian.PutUint32(payload[4*i:], uint32(i))
	}
	alike := bytes.Repeat([]byte{'x'}, 4100)
	for _, c := range []struct {
		name    string
		first   int // id of the batch
		batch   []byte
		id      int // of the datagram
		of      []byte
		shown   int
		at      int
		size    int
		missing bool
	}{
		{"the first", 65535, payload, 65535, payload[:1400], 0, 0, 1400, false},
		{"the second, ids wrap", 65535, payload, 0, payload[1400:2800], 0, 1400, 1400, false},
		{"the last", 65535, payload, 1, payload[2800:], 0, 2800, 1400, false},
		{"another sender's", 10, payload, 11, alike[1400:2800], 0, 0, 0, true},
		{"an id too far", 10, payload, 13, payload[1400:2800], 0, 0, 0, true},
		{"IPv6", -1, payload, -1, payload[1400:2800], 0, 1400, 1400, false},
		{"IPv6, all alike", -1, alike, -1, alike[1400:2800], 1400, 1400, 1400, false},
		{"IPv6, the last", -1, payload, -1, payload[2800:], 2800, 2800, 1300, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b batches
			whole := udpFrame(t, c.first, c.batch)
			udp, length, ok := datagramIn(whole)
			if !ok || length != len(c.batch) {
				t.Fatalf("it is %d bytes (%v)", length, ok)
			}
			x := b.of(whole, udp, length)
			x.show(0, c.shown)
			f := udpFrame(t, c.id, c.of)
			udp, length, _ = datagramIn(f)
			at, size, found := x.find(udp[8:], length, f, uint16(max(c.id, 0)))
			if found == c.missing || found && (at != c.at || size != c.size) {
				t.Errorf("at %d (%v), batches of %d; want %d, %d", at, found, size, c.at, c.size)
			}
		})
	}
}
