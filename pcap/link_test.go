package pcap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrame(t *testing.T) {
	t.Parallel()
	src := [6]byte{2, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		name   string
		link   LinkType
		hex    string
		want   LinkMeta
		hasEth bool
		err    error
	}{
		{"ethernet", LinkEthernet, "ffffffffffff 020000000001 0800 45",
			LinkMeta{EtherType: 0x800, Offset: 14, HasDst: true, HasSrc: true,
				Dst: [6]byte{255, 255, 255, 255, 255, 255}, Src: src}, true, nil},
		{"802.3", LinkEthernet, "ffffffffffff 020000000001 0026 4242",
			LinkMeta{Offset: 14, HasDst: true, HasSrc: true, Dst: [6]byte{255, 255, 255, 255, 255, 255}, Src: src},
			true, nil},
		{"ethernet short", LinkEthernet, "ffffffffffff 020000000001 08", LinkMeta{}, false, LinkShort},
		{"sll out", LinkSLL, "0004 0001 0006 0200000000010000 86dd 60",
			LinkMeta{EtherType: 0x86dd, Offset: 16, HasSrc: true, Src: src, PacketType: PacketOutgoing,
				Direction: DirectionOut, Device: 1}, false, nil},
		{"sll loopback", LinkSLL, "0000 0304 0006 0000000000000000 0800 45",
			LinkMeta{EtherType: 0x800, Offset: 16, HasSrc: true, PacketType: PacketHost, Direction: DirectionIn,
				Device: 772},
			false, nil},
		{"sll no address", LinkSLL, "0003 fffe 0000 0000000000000000 0800 45",
			LinkMeta{EtherType: 0x800, Offset: 16, PacketType: PacketOtherHost, Direction: DirectionIn, Device: 0xfffe},
			false, nil},
		{"sll odd type", LinkSLL, "0009 0001 0000 0000000000000000 0800 45",
			LinkMeta{EtherType: 0x800, Offset: 16, Device: 1}, false, nil},
		{"sll llc", LinkSLL, "0002 0001 0006 0200000000010000 0004 4242",
			LinkMeta{Offset: 16, HasSrc: true, Src: src, PacketType: PacketMulticast, Direction: DirectionIn,
				Device: 1}, false,
			nil},
		{"sll netlink", LinkSLL, "0004 0338 0000 0000000000000000 0000 00",
			LinkMeta{PacketType: PacketOutgoing, Direction: DirectionOut, Device: 824, Offset: 16}, false,
			LinkNotEthernet},
		{"sll short", LinkSLL, "0004 0001 0006 0200000000010000 86", LinkMeta{}, false, LinkShort},
		{"sll2", LinkSLL2, "0806 0000 00000007 0001 01 06 0200000000010000 0001",
			LinkMeta{EtherType: 0x806, Offset: 20, HasSrc: true, Src: src, PacketType: PacketBroadcast,
				Direction: DirectionIn, Device: 1, IfIndex: 7}, false, nil},
		{"sll2 short", LinkSLL2, "0806 0000 00000007 0001 01 06 02000000000100", LinkMeta{}, false, LinkShort},
		{"raw 4", LinkRaw, "45", LinkMeta{EtherType: 0x800}, false, nil},
		{"raw 6", LinkRaw, "60", LinkMeta{EtherType: 0x86dd}, false, nil},
		{"raw 12", LinkRaw12, "45", LinkMeta{EtherType: 0x800}, false, nil},
		{"raw 14", LinkRaw14, "45", LinkMeta{EtherType: 0x800}, false, nil},
		{"ipv4", LinkIPv4, "45", LinkMeta{EtherType: 0x800}, false, nil},
		{"ipv6", LinkIPv6, "60", LinkMeta{EtherType: 0x86dd}, false, nil},
		{"raw other", LinkRaw, "25", LinkMeta{}, false, LinkNotIP},
		{"raw empty", LinkRaw, "", LinkMeta{}, false, LinkShort},
		{"null little", LinkNull, "02000000 45", LinkMeta{EtherType: 0x800, Offset: 4}, false, nil},
		{"null big", LinkNull, "00000002 45", LinkMeta{EtherType: 0x800, Offset: 4}, false, nil},
		{"null darwin", LinkNull, "1e000000 60", LinkMeta{EtherType: 0x86dd, Offset: 4}, false, nil},
		{"loop", LinkLoop, "00000018 60", LinkMeta{EtherType: 0x86dd, Offset: 4}, false, nil},
		{"null other", LinkNull, "07000000 00", LinkMeta{}, false, LinkNotIP},
		{"null short", LinkNull, "020000", LinkMeta{}, false, LinkShort},
		{"wifi", 105, "0000", LinkMeta{}, false, LinkUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := unhex(t, c.hex)
			rec := Record{Data: data, OrigLen: len(data), LinkType: c.link}
			eth, m, err := Frame(&rec)
			if !errors.Is(err, c.err) || (eth != nil) != c.hasEth {
				t.Fatalf("frame %x, error %v; want frame %v, error %v", eth, err, c.hasEth, c.err)
			}
			if err == nil && !bytes.Equal(m.Payload, data[c.want.Offset:]) {
				t.Errorf("payload %x", m.Payload)
			}
			m.Payload = nil
			if err == nil && !sameMeta(m, c.want) {
				t.Errorf("got  %+v\nwant %+v", m, c.want)
			}
		})
	}
}

func sameMeta(a, b LinkMeta) bool {
	return a.Offset == b.Offset && a.EtherType == b.EtherType && a.HasDst == b.HasDst && a.HasSrc == b.HasSrc &&
		a.Dst == b.Dst &&
		a.Src == b.Src && a.PacketType == b.PacketType && a.Direction == b.Direction && a.IfIndex == b.IfIndex &&
		a.Device == b.Device
}

// TestCheckSequence: it is no part of the frame, and may be cut by the snap length.
func TestCheckSequence(t *testing.T) {
	t.Parallel()
	data := append(make([]byte, 60), 1, 2, 3, 4)
	for _, c := range []struct{ captured, orig, fcs, want int }{
		{64, 64, 4, 60}, {64, 64, 0, 64}, {62, 64, 4, 60}, {60, 64, 4, 60}, {50, 64, 4, 50}, {50, 1500, 4, 50},
	} {
		eth, _, err := Frame(&Record{Data: data[:c.captured], OrigLen: c.orig, FCSLen: c.fcs, LinkType: LinkEthernet})
		if err != nil || len(eth) != c.want {
			t.Errorf("%+v: %d bytes, %v", c, len(eth), err)
		}
	}
}

// TestAnyCaptureIsTheSameTraffic: the pod's "any" capture and its Ethernet one
// hold the same packets above the link layer.
func TestAnyCaptureIsTheSameTraffic(t *testing.T) {
	t.Parallel()
	anyCapture, ethernet := readFile(t, "testdata/nginx.any.pcap"), readFile(t, "testdata/nginx.pcap")
	if len(anyCapture) != len(ethernet) {
		t.Fatalf("%d and %d packets", len(anyCapture), len(ethernet))
	}
	for i := range anyCapture {
		_, a, errA := Frame(anyCapture[i])
		eth, b, errB := Frame(ethernet[i])
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.EtherType != b.EtherType || a.Src != b.Src || !bytes.Equal(a.Payload, b.Payload) || a.IfIndex == 0 ||
			a.Direction == DirectionUnknown {
			t.Errorf("packet %d: %+v, %+v", i+1, a, b)
		}
		if got := a.AppendEthernet(nil, b.Dst, [6]byte{}); !bytes.Equal(got, eth) {
			t.Errorf("packet %d: rebuilt frame differs", i+1)
		}
	}
}
