package pcap

import (
	"io"
	"testing"

	"ovnreplay/nat/header"
)

// BenchmarkRead is the cost of one packet of about 130 bytes (pcap) or 700
// (pcapng), link layer included.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"pcap", "pcapng"} {
		b.Run(name, func(b *testing.B) {
			r, err := NewReader(endlessCaptures(b)[name], name)
			if err != nil {
				b.Fatal(err)
			}
			var rec Record
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := r.Next(&rec); err != nil {
					b.Fatal(err)
				}
				if _, _, err := Frame(&rec); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(r.Counts().Bytes / int64(b.N))
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	var sources []Source
	for range 4 {
		r, err := NewReader(endlessCaptures(b)["pcap"], "pcap")
		if err != nil {
			b.Fatal(err)
		}
		sources = append(sources, r)
	}
	m := NewMerge(sources...)
	var rec Record
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Next(&rec); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	w, err := NewWriter(io.Discard, Section{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.AddInterface(InterfaceInfo{LinkType: LinkEthernet}); err != nil {
		b.Fatal(err)
	}
	p := Packet{Time: 1, Data: make([]byte, 700), Direction: DirectionOut,
		Comments: []string{"verdict: delivered; nat: 172.18.0.1:40000 -> 100.64.0.3:40000"}}
	b.SetBytes(int64(len(p.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.WritePacket(&p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecap(b *testing.B) {
	frame, _ := tunnels()[0].AppendEncap(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, fault := Decap(frame); fault != TunnelOK {
			b.Fatal(fault)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	m := LinkMeta{EtherType: header.EtherIPv4, Payload: make([]byte, 700)}
	b.SetBytes(700)
	b.ReportAllocs()
	for b.Loop() {
		PacketKey(&m)
	}
}
