package conntrack

import (
	"testing"

	"ovnreplay/nat"
)

// Since 3.2 Open vSwitch's userspace knows the ports of SCTP, and refuses
// packets that are not whole chunks with a right checksum.
func TestSCTPByRelease(t *testing.T) {
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

func TestWholeChunks(t *testing.T) {
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
