package replay

import (
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// tcpFrame is a frame of a connection between two hosts, one way or the other.
func tcpFrame(t *testing.T, back, syn bool, payload int, options ...layers.TCPOption) *Frame {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6),
		EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{10, 0, 0, 1},
		DstIP: net.IP{10, 0, 0, 2}}
	tcp := &layers.TCP{SrcPort: 4000, DstPort: 80, SYN: syn, ACK: back || !syn, Options: options}
	if back {
		ip.SrcIP, ip.DstIP, tcp.SrcPort, tcp.DstPort = ip.DstIP, ip.SrcIP, tcp.DstPort, tcp.SrcPort
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(b, opts, eth, ip, tcp, gopacket.Payload(make([]byte, payload))); err != nil {
		t.Fatal(err)
	}
	return &Frame{Data: b.Bytes(), Wire: len(b.Bytes())}
}

func mssOption(n uint16) []layers.TCPOption {
	return []layers.TCPOption{
		{OptionType: layers.TCPOptionKindNop, OptionLength: 1},
		{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{byte(n >> 8), byte(n)}},
	}
}

// The smaller MSS of the two SYNs counts, whichever way the packet goes; options
// of a segment take from its bytes, so that its frame is as long without them.
func TestSegmentsAreAsLongAsSYNsAnnounced(t *testing.T) {
	stamps := layers.TCPOption{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10,
		OptionData: make([]byte, 8)}
	for _, c := range []struct {
		name  string
		mss   []uint16 // of the SYN and of its answer
		frame *Frame
		want  int
	}{
		{"two segments", []uint16{1460, 940}, tcpFrame(t, false, false, 1856, stamps), 994},
		{"the other way", []uint16{940, 1460}, tcpFrame(t, true, false, 1856, stamps), 994},
		{"one full segment", []uint16{940, 940}, tcpFrame(t, false, false, 928, stamps), 0},
		{"one byte more", []uint16{940, 940}, tcpFrame(t, false, false, 941), 994},
		{"a jumbo frame is one", []uint16{8960, 8960}, tcpFrame(t, false, false, 8960), 0},
		{"no SYN seen, may be a jumbo frame", nil, tcpFrame(t, false, false, 8960), 0},
		{"no SYN seen, longer than any frame", nil, tcpFrame(t, false, false, 20000), 1514},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sizes segmentSizes
			for i, mss := range c.mss {
				sizes.learn(tcpFrame(t, i == 1, true, 0, mssOption(mss)...))
			}
			if got := sizes.of(c.frame); got != c.want {
				t.Errorf("segments of %d bytes, want %d", got, c.want)
			}
		})
	}
}

// What a SYN's options say is read within what the capture holds of them.
func TestCutOptionsAnnounceNothing(t *testing.T) {
	t.Parallel()
	whole := tcpFrame(t, false, true, 0, mssOption(1400)...).Data
	if got := announcedMSS(whole, 34); got != 1400 {
		t.Fatalf("MSS %d, want 1400", got)
	}
	for n := range whole[:58] {
		if got := announcedMSS(whole[:n], 34); got != 0 {
			t.Errorf("MSS %d in %d bytes", got, n)
		}
	}
}
