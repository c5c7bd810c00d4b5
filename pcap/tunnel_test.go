package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// TestUnderlay takes a recorded underlay apart, holds the parts against
// tshark's, and puts them together again: the bytes must be those OVS sent.
func TestUnderlay(t *testing.T) {
	t.Parallel()
	ports := 0
	for _, name := range []string{"testdata/underlay-ch1.pcap", "testdata/underlay-ch2.pcap",
		"testdata/underlay-ch3.pcap"} {
		lines := strings.Split(strings.TrimSpace(run(t, "tshark", "-r", name, "-T", "fields", "-e", "geneve.vni", "-e",
			"geneve.option.unknown.data",
			"-e", "udp.srcport", "-E", "occurrence=f", "-E", "separator=|")), "\n")
		all := readFile(t, name)
		if len(lines) != len(all) {
			t.Fatalf("%s: tshark has %d frames, not %d", name, len(lines), len(all))
		}
		for i, rec := range all {
			tunnel, fault := Decap(rec.Data)
			if fault != TunnelOK {
				t.Fatalf("%s frame %d: %v", name, i+1, fault)
			}
			option := ""
			if tunnel.HasPorts {
				ports++
				option = fmt.Sprintf("%08x", tunnel.Inport<<16|tunnel.Outport)
			}
			got := fmt.Sprintf("0x%06x|%s|%d", tunnel.VNI, option, tunnel.SrcPort)
			if lines[i] != got {
				t.Errorf("%s frame %d: %s, tshark has %s", name, i+1, got, lines[i])
			}
			if tunnel.InnerLen != len(tunnel.Inner) || tunnel.Kind != Geneve {
				t.Errorf("%s frame %d: %d bytes of %d, %v", name, i+1, len(tunnel.Inner), tunnel.InnerLen, tunnel.Kind)
			}
			again, err := tunnel.AppendEncap(nil)
			if err != nil || !bytes.Equal(again, rec.Data) {
				t.Errorf("%s frame %d: %v\nbuilt %x\nwas   %x", name, i+1, err, again, rec.Data)
			}
		}
	}
	if ports != 38 { // the others are BFD between the hosts
		t.Errorf("%d frames carry port keys, want 38", ports)
	}
}

// tunnels are one of each kind and family.
func tunnels() []Tunnel {
	inner := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, bytes.Repeat([]byte("data"), 21)...)
	base := Tunnel{Inner: inner, InnerLen: len(inner), SrcMAC: [6]byte{2, 1}, DstMAC: [6]byte{2, 2},
		SrcPort: 50000, TTL: 64, TOS: 0xc0, Checksum: true, Src: netip.MustParseAddr("10.0.0.1"),
		Dst: netip.MustParseAddr("10.0.0.2")}
	var out []Tunnel
	for _, v6 := range []bool{false, true} {
		t := base
		if v6 {
			t.Src, t.Dst = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
		}
		t.Kind, t.DstPort, t.VNI, t.Datapath, t.Inport, t.Outport, t.HasPorts = Geneve, 6081, 0xfffffe, 0xfffffe,
			0x7ffe, 0x8003, true
		out = append(out, t)
		t.Kind, t.DstPort, t.VNI, t.Datapath, t.Inport, t.Outport, t.HasPorts = VXLAN, 4789, 0x7ff<<12|0xabc, 0xabc, 0,
			0x7ff, false
		out = append(out, t)
		t.VNI, t.Outport = 0x803<<12|0xabc, 0x8003
		out = append(out, t)
	}
	return out
}

func TestTunnelRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range tunnels() {
		frame, err := want.AppendEncap(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, fault := Decap(frame)
		if fault != TunnelOK || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%v\ngot  %+v\nwant %+v", fault, got, want)
		}
		// Checksums as another implementation has them.
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
		udp := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		udp.SetNetworkLayerForChecksum(p.NetworkLayer())
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{ComputeChecksums: true},
			p.NetworkLayer().(gopacket.SerializableLayer),
			udp, gopacket.Payload(udp.Payload)); err != nil || !bytes.Equal(buf.Bytes(), frame[14:]) {
			t.Errorf("%v: gopacket builds other headers\n%x\n%x", err, buf.Bytes(), frame[14:])
		}
		// Tagged once and twice, and padded as a short frame would be.
		for _, tag := range []string{"81000064", "88a8000a81000064"} {
			tagged := append(append(bytes.Clone(frame[:12]), unhex(t, tag)...), frame[12:]...)
			if got, fault := Decap(append(tagged, 0, 0, 0)); fault != TunnelOK || !bytes.Equal(got.Inner, want.Inner) {
				t.Errorf("tag %s: %v", tag, fault)
			}
		}
		// Cut at every byte: the headers or the inner frame are short, and say so.
		for n := range frame {
			got, fault := Decap(frame[:n])
			if fault == TunnelOK && (len(got.Inner) != n-(len(frame)-want.InnerLen) || got.InnerLen != want.InnerLen) ||
				fault != TunnelOK && fault != TunnelShort {
				t.Errorf("cut to %d: %v, inner %d of %d", n, fault, len(got.Inner), got.InnerLen)
			}
		}
	}
}

func TestTunnelFaults(t *testing.T) {
	t.Parallel()
	geneve, _ := tunnels()[0].appendTo()
	vxlan, _ := tunnels()[1].appendTo()
	v6, _ := tunnels()[3].appendTo()
	edit := func(frame []byte, at int, b ...byte) []byte {
		out := bytes.Clone(frame)
		copy(out[at:], b)
		return out
	}
	const ip, udp, shim = 14, 34, 42
	for _, c := range []struct {
		name  string
		frame []byte
		want  TunnelFault
	}{
		{"arp", edit(geneve, 12, 8, 6), NotTunnel},
		{"tcp", edit(geneve, ip+9, 6), NotTunnel},
		{"dns", edit(geneve, udp+2, 0, 53), NotTunnel},
		{"three tags", append(append(bytes.Clone(geneve[:12]), bytes.Repeat([]byte{0x81, 0, 0, 1}, 3)...),
			geneve[12:]...),
			NotTunnel},
		{"first fragment", edit(geneve, ip+6, 0x20, 0), TunnelFragment},
		{"later fragment", edit(geneve, ip+6, 0, 9), TunnelFragment},
		{"fragment header", edit(v6, ip+6, 44), TunnelFragment},
		{"ip version", edit(geneve, ip, 0x65), TunnelMalformed},
		{"ip header", edit(geneve, ip, 0x44), TunnelMalformed},
		{"ip length", edit(geneve, ip+2, 0, 19), TunnelMalformed},
		{"udp length", edit(geneve, udp+4, 0xff, 0xff), TunnelMalformed},
		{"udp length below header", edit(geneve, udp+4, 0, 7), TunnelMalformed},
		{"geneve version", edit(geneve, shim, 0x42), TunnelMalformed},
		{"geneve options past the packet", edit(geneve, shim, 0x3f), TunnelMalformed},
		{"geneve option past the options", edit(geneve, shim+11, 2), TunnelMalformed},
		{"geneve protocol", edit(geneve, shim+2, 8, 0), TunnelNotEthernet},
		{"vxlan without vni", edit(vxlan, shim, 0), TunnelMalformed},
	} {
		if _, got := Decap(c.frame); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func (t Tunnel) appendTo() ([]byte, error) { return t.AppendEncap(nil) }

// TestGeneveOtherOptions: options before and after OVN's, of the greatest length, are stepped over.
func TestGeneveOtherOptions(t *testing.T) {
	t.Parallel()
	frame, _ := tunnels()[0].appendTo()
	other := append([]byte{1, 3, 7, 31}, make([]byte, 124)...)
	options := append(append(bytes.Clone(other), frame[50:58]...), 1, 3, 8, 0)
	built := append(append(bytes.Clone(frame[:50]), options...), frame[58:]...)
	built[42] = byte(len(options) / 4)
	binary.BigEndian.PutUint16(built[16:], uint16(len(built)-14))
	binary.BigEndian.PutUint16(built[38:], uint16(len(built)-34))
	got, fault := Decap(built)
	if fault != TunnelOK || got.Inport != 0x7ffe || got.Outport != 0x8003 ||
		!bytes.Equal(got.Inner, tunnels()[0].Inner) {
		t.Errorf("%v: %+v", fault, got)
	}
}

func TestEncapRefuses(t *testing.T) {
	t.Parallel()
	geneve, vxlan := tunnels()[0], tunnels()[1]
	for _, c := range []struct {
		want   string
		tunnel Tunnel
		change func(*Tunnel)
	}{
		{"keys 16777216, 32766, 32771 do not fit Geneve's 24, 15 and 16 bits", geneve,
			func(t *Tunnel) { t.Datapath = 1 << 24 }},
		{"keys 16777214, 32768, 32771 do not fit Geneve's 24, 15 and 16 bits", geneve,
			func(t *Tunnel) { t.Inport = 1 << 15 }},
		{"port key 2048 does not fit VXLAN's 11 bits", vxlan, func(t *Tunnel) { t.Outport = 2048 }},
		{"datapath key 4096 does not fit VXLAN's 12 bits", vxlan, func(t *Tunnel) { t.Datapath = 4096 }},
		{"tunnel endpoints 10.0.0.1 and ::1 are not of one family", vxlan, func(t *Tunnel) {
			t.Dst = netip.IPv6Loopback()
		}},
		{"an inner frame of 65500 bytes does not fit a tunnel packet", geneve,
			func(t *Tunnel) { t.Inner = make([]byte, 65500) }},
		{"tunnel kind 0 is not known", geneve, func(t *Tunnel) { t.Kind = 0 }},
	} {
		c.change(&c.tunnel)
		if _, err := c.tunnel.AppendEncap(nil); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestDecapAllocatesNothing(t *testing.T) {
	for _, tunnel := range tunnels() {
		frame, _ := tunnel.AppendEncap(nil)
		buf := make([]byte, 0, len(frame))
		if n := testing.AllocsPerRun(1000, func() {
			got, fault := Decap(frame)
			if fault != TunnelOK {
				t.Fatal(fault)
			}
			if _, err := got.AppendEncap(buf[:0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
