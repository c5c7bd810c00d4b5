package microflow_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

func load(t testing.TB) *network.Network {
	t.Helper()
	net, _, err := southbound.Open(context.Background(), "../../testdata/cases/nodeport/sb.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return net
}

const in = `inport == "breth0_ovn-worker" && eth.src == 02:00:00:00:00:01 && eth.dst == 02:00:00:00:00:02 && `

// microflows of every kind of packet that a match can describe.
var microflows = map[string]string{
	"tcp": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.ttl == 64 && tcp.src == 1000 && tcp.dst == 80",
	"tcp flags": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.ttl == 64 && tcp.src == 1000 && tcp.dst == 80 " +
		"&& tcp.flags == 0x11",
	"dscp": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.dscp == 46 && ip.ecn == 1 && udp.src == 5 && " +
		"udp.dst == 6",
	"sctp": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.ttl == 64 && sctp.src == 1000 && " +
		"sctp.dst == 80",
	"icmp4": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.ttl == 64 && icmp4.type == 8 && " +
		"icmp4.code == 0",
	"other protocol": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.proto == 47",
	"first fragment": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.first_frag && udp.src == 5 && udp.dst == 6",
	"later fragment": "ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && ip.is_frag && ip.later_frag && ip.proto == 17",
	"tcp6":           "ip6.src == fd00::1 && ip6.dst == fd00::2 && ip.ttl == 64 && tcp.src == 1000 && tcp.dst == 80",
	"udp6": "ip6.src == fd00::1 && ip6.dst == fd00::2 && ip6.label == 0x12345 && udp.src == 1000 && udp.dst " +
		"== 80",
	"fragment6": "ip6.src == fd00::1 && ip6.dst == fd00::2 && ip.first_frag && udp.src == 1000 && udp.dst == 80",
	"echo6":     "ip6.src == fd00::1 && ip6.dst == fd00::2 && icmp6.type == 128 && icmp6.code == 0",
	"solicitation": "ip6.src == fd00::1 && ip6.dst == ff02::1:ff00:2 && nd_ns && nd.target == fd00::2 && nd.sll == " +
		"02:00:00:00:00:01",
	"advertisement": "ip6.src == fd00::1 && ip6.dst == fd00::2 && nd_na && nd.target == fd00::2 && nd.tll == " +
		"02:00:00:00:00:01",
	"arp": "arp.op == 1 && arp.sha == 02:00:00:00:00:01 && arp.spa == 10.0.0.1 && arp.tpa == 10.0.0.2",
	"vlan": "vlan.vid == 5 && vlan.pcp == 3 && ip4.src == 10.0.0.1 && ip4.dst == 10.0.0.2 && udp.src == 5 && " +
		"udp.dst == 6",
	"dhcp":   "ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255 && ip.ttl == 64 && udp.src == 68 && udp.dst == 67",
	"dhcpv6": "ip6.src == fe80::1 && ip6.dst == ff02::1:2 && ip.ttl == 1 && udp.src == 546 && udp.dst == 547",
}

// The frame built from a microflow has the microflow's fields, the right
// lengths and the right checksums.
func TestFrame(t *testing.T) {
	t.Parallel()
	net := load(t)
	for name, text := range microflows {
		t.Run(name, func(t *testing.T) {
			f, err := microflow.Parse(in+text, net, nil)
			if err != nil {
				t.Fatal(err)
			}
			frame := f.Frame()
			var key field.Key
			layout := packet.Parse(frame, &key)
			for _, id := range packet.Fields() {
				switch {
				case id == field.TCPFlags && f.Given.Get(id) == 0: // a SYN
					continue
				case (id == field.TpSrc || id == field.TpDst) && key.Get(field.IPFrag) != 0: // no fragment has ports
					continue
				}
				if got, want := key.Get128(id), f.Key.Get128(id); got != want {
					t.Errorf("%s is %v, want %v", id, got, want)
				}
			}
			if layout.Short || layout.L3End != 0 && layout.L3 != 0 && layout.L3End != len(frame) {
				t.Errorf("the frame's %d bytes and its lengths do not agree: %+v", len(frame), layout)
			}
			checkSums(t, frame, &key, &layout)
		})
	}
}

// checkSums adds up what checksums cover: all ones if they are right.
func checkSums(t *testing.T, frame []byte, k *field.Key, l *packet.Layout) {
	t.Helper()
	if l.L3 == 0 || k.Get(field.EthType) == header.EtherARP {
		return
	}
	ip := frame[l.L3:]
	var addrs []byte
	if k.Get(field.EthType) == header.EtherIPv6 {
		addrs = ip[8:40]
	} else {
		addrs = ip[12:20]
		if s := add(0, ip[:20]); s != 0xffff {
			t.Errorf("the IP header adds up to %#x", s)
		}
	}
	if l.L4 == 0 {
		return
	}
	l4 := frame[l.L4:]
	switch proto := k.Get(field.IPProto); proto {
	case header.ProtoTCP, header.ProtoUDP, header.ProtoICMPv6:
		if s := add(add(uint32(proto)+uint32(len(l4)), addrs), l4); s != 0xffff {
			t.Errorf("the transport header adds up to %#x", s)
		}
	case header.ProtoICMP:
		if s := add(0, l4); s != 0xffff {
			t.Errorf("the ICMP header adds up to %#x", s)
		}
	}
}

func add(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

// A TCP segment opens a connection unless the microflow says what it does.
func TestSYN(t *testing.T) {
	t.Parallel()
	net := load(t)
	for text, want := range map[string]uint64{"tcp": 2, "tcp flags": 0x11} {
		f, err := microflow.Parse(in+microflows[text], net, nil)
		if err != nil {
			t.Fatal(err)
		}
		var key field.Key
		packet.Parse(f.Frame(), &key)
		if got := key.Get(field.TCPFlags); got != want {
			t.Errorf("%s: flags %#x, want %#x", text, got, want)
		}
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	net := load(t)
	for name, want := range map[string]string{
		"tcp":           "tcp 10.0.0.2:80 > 10.0.0.1:1000 [S.]",
		"tcp flags":     "tcp 10.0.0.2:80 > 10.0.0.1:1000 [F.]",
		"udp6":          "udp [fd00::2]:80 > [fd00::1]:1000",
		"icmp4":         "icmp 10.0.0.2 > 10.0.0.1 echo reply",
		"echo6":         "icmp6 fd00::2 > fd00::1 echo reply",
		"arp":           "arp 10.0.0.2 is-at 02:00:00:00:00:09",
		"solicitation":  "icmp6 fd00::2 > fd00::1 neighbor advertisement",
		"sctp":          "sctp 10.0.0.2:80 > 10.0.0.1:1000",
		"advertisement": "", "later fragment": "", "other protocol": "",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := microflow.Parse(in+microflows[name], net, nil)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := microflow.Reply(f.Frame(), 0x020000000009)
			if (err != nil) != (want == "") {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if got := packet.Describe(reply); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			var key field.Key
			layout := packet.Parse(reply, &key)
			checkSums(t, reply, &key, &layout)
			if key.Get(field.EthSrc) != 0x020000000009 || key.Get(field.EthDst) != 0x020000000001 {
				t.Errorf("from %s to %s", header.FormatMAC(key.Get(field.EthSrc)),
					header.FormatMAC(key.Get(field.EthDst)))
			}
			if name == "tcp" {
				if ack := binary.BigEndian.Uint32(reply[layout.L4+8:]); ack != 2 {
					t.Errorf("acknowledges %d, want 2", ack)
				}
			}
		})
	}
}

// Whatever is written as a microflow, the answer is a packet or an error.
func FuzzParse(f *testing.F) {
	net := load(f)
	for _, text := range microflows {
		f.Add(in + text)
	}
	f.Add(`inport == "breth0_ovn-worker" && eth.src != 1 && ip4.src != 5 && tcp.src > 5 && ip6.dst != 7`)
	f.Fuzz(func(t *testing.T, text string) {
		flow, err := microflow.Parse(text, net, nil)
		if (flow == nil) == (err == nil) {
			t.Fatalf("flow %v, error %v", flow, err)
		}
		if err == nil {
			if frame := flow.Frame(); len(frame) < 14 {
				t.Fatalf("frame of %d bytes", len(frame))
			}
			if reply, err := microflow.Reply(flow.Frame(), 1); err == nil && len(reply) < 14 {
				t.Fatalf("reply of %d bytes", len(reply))
			}
		}
	})
}

// What each packet has and a microflow leaves out is taken as a sender would, and said; what it says stays. The
// addresses are those of the machine's port; where there is none they are said to be 0.
func TestComplete(t *testing.T) {
	t.Parallel()
	net := load(t)
	const pod = `inport == "default_client-pod" && `
	const to, mac, ip = " && ip4.src == 1.2.3.4 && ip4.dst == 1.2.3.5", "0a:58:0a:f4:01:04", "10.244.1.4"
	for _, x := range [][3]string{ // microflow, what is given, what is 0
		{in + "ip4 && tcp.dst == 80", "ip.ttl is 64, tcp.src is 49152, tcp.flags is 2 (SYN)", "ip4.src, ip4.dst"},
		{in + "ip6 && ip.ttl == 1 && udp", "udp.src is 49152, udp.dst is 49153", "ip6.src, ip6.dst"},
		{in + "icmp4 && ip.ttl == 64" + to, "icmp4.type is 8", ""},
		{in + "icmp4.type == 0 && ip.ttl == 64" + to, "", ""},
		{in + "icmp6", "ip.ttl is 64, icmp6.type is 128", "ip6.src, ip6.dst"},
		{in + "nd_ns && ip.ttl == 255 && ip6.src == fe80::1 && ip6.dst == ff02::1", "", ""},
		{in + "ip.later_frag && ip.proto == 17" + to, "ip.ttl is 64", ""},
		{in + "arp.op == 1", "", "arp.sha, arp.spa"},
		{in + "ip.ttl == 0 && tcp.src == 1 && tcp.dst == 0" + to, "", ""},
		{pod + "ip4.dst == 1.1.1.1 && eth.dst == 02:00:00:00:00:02", "eth.src is " + mac + ", ip4.src is " + ip +
			", ip.ttl is 64", ""},
		{pod + "eth.src == 02:00:00:00:00:01" + to, "ip.ttl is 64", "eth.dst"},
		{pod + "ip6.dst == ff02::1 && eth.dst == 33:33:00:00:00:01", "eth.src is " + mac + ", ip.ttl is 64",
			"ip6.src"},
		{pod + "arp.op == 1 && arp.tpa == 10.244.1.1", "eth.src is " + mac + ", arp.sha is " + mac +
			", arp.spa is " + ip, "eth.dst"},
		{pod + "udp.src == 68 && udp.dst == 67 && ip4.dst == 255.255.255.255 && eth.dst == ff:ff:ff:ff:ff:ff",
			"eth.src is " + mac + ", ip.ttl is 64", ""},
		{pod + "eth.type == 0x88cc", "eth.src is " + mac, ""},
	} {
		f, err := microflow.Parse(x[0], net, nil)
		if err != nil {
			t.Fatal(err)
		}
		given, zero := f.Complete()
		if strings.Join(given, ", ") != x[1] || strings.Join(zero, ", ") != x[2] {
			t.Errorf("%s: %q and 0 %q, want %q", x[0], given, zero, x[1:])
		}
	}
}

// Of the addresses of a port those are taken that go with what the microflow says.
func TestCompleteOfSeveralAddresses(t *testing.T) {
	t.Parallel()
	p := &network.Port{Index: 1, Name: "vm", Type: network.VIF, Datapath: &network.Datapath{Name: "sw"}}
	for _, text := range []string{"02:00:00:00:00:01 fd00::1", "02:00:00:00:00:02 10.0.0.2 fd00::2",
		"02:00:00:00:00:03 10.0.0.3 10.0.0.4"} {
		a, err := network.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Addresses = append(p.Addresses, *a)
	}
	for _, x := range []struct {
		given field.ID
		value uint64
		want  string
	}{
		{field.None, 0, "eth.src is 02:00:00:00:00:02, ip4.src is 10.0.0.2, ip.ttl is 64"},
		{field.EthSrc, 0x020000000003, "ip4.src is 10.0.0.3, ip.ttl is 64"},
		{field.IP4Src, 0x0a000004, "eth.src is 02:00:00:00:00:03, ip.ttl is 64"},
	} {
		f := &microflow.Flow{Port: p}
		f.Key.Set(field.EthType, header.EtherIPv4)
		if x.given != field.None {
			f.Key.Set(x.given, x.value)
			f.Given.Set(x.given, ^uint64(0))
		}
		if given, _ := f.Complete(); strings.Join(given, ", ") != x.want {
			t.Errorf("%q, want %q", given, x.want)
		}
	}
}
