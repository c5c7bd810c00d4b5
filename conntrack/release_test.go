package conntrack

import (
	"testing"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Since 3.2 Open vSwitch's userspace knows the ports of SCTP, and refuses
// packets that are not whole chunks with a right checksum.
func TestSCTPByRelease(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		release Release
		port    uint16
	}{{0, 2000}, {0x0301, 2000}, {OVS32, 3000}, {OVS40, 3000}} {
		ct := NewTable(Options{Profile: OVSUserspace, OVS: tt.release})
		ip := sctpPacket("10.0.0.1", 1000, "10.0.0.2", 2000, 0, chunkOf(chunkInit, 77))
		do(t, ct, 1, ip, Request{Zone: 1, Commit: true, NAT: bind(nat.Dst, "10.9.9.9", 3000)})
		goodSums(t, ip)
		if got := tuple(t, ip); got.DstPort != tt.port {
			t.Errorf("%v: %v", tt.release, &got)
		}
		broken := sctpPacket("10.0.0.1", 1001, "10.0.0.2", 2000, 0, chunkOf(chunkInit, 77))
		broken[len(broken)-1] ^= 1
		m, _ := do(t, ct, 2, broken, Request{Zone: 1})
		if invalid := m.State&Invalid != 0; invalid != (tt.release >= OVS32) {
			t.Errorf("%v: a wrong checksum: %v", tt.release, m.State)
		}
	}
}

// An ICMP error about the first fragment of a datagram: the kernel takes it for one
// about the datagram's connection, Open vSwitch's userspace since 3.6 if it is IPv4.
func TestErrorAboutAFragment(t *testing.T) {
	t.Parallel()
	userspace := func(r Release) Options { return Options{Profile: OVSUserspace, OVS: r} }
	for _, tt := range []struct {
		name  string
		opt   Options
		v6    bool
		later bool
		flags string
	}{
		{"kernel", Options{}, false, false, "rel|rpl"},
		{"kernel, IPv6", Options{}, true, false, "rel|rpl"},
		{"kernel, a later one", Options{}, false, true, "inv"},
		{"3.1", userspace(OVS31), false, false, "inv"},
		{"3.6", userspace(OVS36), false, false, "rel|rpl"},
		{"3.6, IPv6", userspace(OVS36), true, false, "inv"},
		{"3.6, a later one", userspace(OVS36), false, true, "inv"},
	} {
		ct := NewTable(tt.opt)
		client, server, router := "10.0.0.1", "10.0.0.2", "10.0.0.254"
		if tt.v6 {
			client, server, router = "fd00::1", "fd00::2", "fd00::fe"
		}
		do(t, ct, 1, udpPacket(client, 1000, server, 53, "query"), Request{Zone: 1, Commit: true})
		quote := udpPacket(client, 1000, server, 53, "query")
		if tt.v6 { // a fragment header between the others
			quote = append(quote[:40:40], append([]byte{header.ProtoUDP, 0, 0, 1, 0, 0, 0, 9}, quote[40:]...)...)
			quote[6], quote[5] = header.ProtoFragment, quote[5]+8
		} else {
			quote[6] |= 0x20
		}
		if tt.later {
			quote[7] |= 8
		}
		typ := uint8(3)
		if tt.v6 {
			typ = 1
		}
		m, _ := do(t, ct, 2, icmpPacket(router, client, typ, 0, 0, quote), Request{Zone: 1})
		want(t, tt.name, m, tt.flags)
	}
}

func TestWholeChunks(t *testing.T) {
	t.Parallel()
	header := make([]byte, 12)
	for _, tt := range []struct {
		chunks []byte
		whole  bool
	}{
		{nil, true},
		{[]byte{0, 0, 0, 4}, true},
		{[]byte{0, 0, 0, 5, 1, 0, 0, 0}, true}, // padded to eight
		{[]byte{0, 0, 0, 5, 1}, false},         // padding missing
		{[]byte{0, 0, 0, 3}, false},            // shorter than a chunk's header
		{[]byte{0, 0}, false},
		{[]byte{0, 0, 0, 4, 0, 0, 0, 0}, false}, // the second has no length
		{[]byte{0, 0, 255, 255}, false},
	} {
		if got := wholeChunks(append(header[:12:12], tt.chunks...)); got != tt.whole {
			t.Errorf("%v: %v", tt.chunks, got)
		}
	}
}

// Two hosts that send echo requests of one ID to one host, from behind one
// address: since 4.0 the second gets another ID, before it is not translated.
func TestICMPIDsByRelease(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		release Release
		source  string
	}{{OVS36, "10.0.0.2"}, {OVS40, "172.16.0.1"}} {
		ct := NewTable(Options{Profile: OVSUserspace, OVS: tt.release})
		snat := Request{Zone: 1, Commit: true, NAT: bind(nat.Src, "172.16.0.1", 0)}
		const id = 511 // the last of its class: the next one is the first
		do(t, ct, 1, icmpPacket("10.0.0.1", "192.0.2.1", 8, 0, id, nil), snat)
		second := icmpPacket("10.0.0.2", "192.0.2.1", 8, 0, id, nil)
		m, _ := do(t, ct, 2, second, snat)
		goodSums(t, second)
		got := tuple(t, second)
		want := uint16(id)
		if tt.release >= OVS40 {
			want = 1
		}
		if got.SrcAddr().String() != tt.source || got.SrcPort != want {
			t.Fatalf("%v: %v, state %v", tt.release, &got, m.State)
		}
		if tt.release < OVS40 {
			continue
		}
		reply := icmpPacket("192.0.2.1", "172.16.0.1", 0, 0, want, nil)
		do(t, ct, 3, reply, Request{Zone: 1, NAT: nat.Binding{Kind: nat.Apply}})
		goodSums(t, reply)
		if got := tuple(t, reply); got.DstAddr().String() != "10.0.0.2" || got.SrcPort != id {
			t.Errorf("the answer: %v", &got)
		}
	}
}

func TestParseRelease(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Release{"3.2": OVS32, "3.1.0": 0x0301, "4.0.0": OVS40, "2.17.9": 0x0211} {
		if got, err := ParseRelease(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "3", "3.x", "x.1", "300.1", "v3.1"} {
		if r, err := ParseRelease(text); err == nil {
			t.Errorf("%q: %v, no error", text, r)
		}
	}
}
