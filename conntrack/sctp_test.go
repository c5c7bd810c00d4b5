package conntrack

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// chunkOf is a chunk with a tag at the front of its body, as INIT has it.
func chunkOf(typ uint8, initTag uint32) []byte {
	b := make([]byte, 20)
	b[0], b[3] = typ, 20
	binary.BigEndian.PutUint32(b[4:], initTag)
	return b
}

func sctpPacket(src string, sport uint16, dst string, dport uint16, tag uint32, chunks ...[]byte) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint32(b[4:], tag)
	for _, c := range chunks {
		b = append(b, c...)
	}
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return ipPacket(header.ProtoSCTP, src, dst, b)
}

func TestSCTPAssociation(t *testing.T) {
	t.Parallel()
	ask := func(tag uint32, chunks ...[]byte) []byte {
		return sctpPacket("10.0.0.1", 1000, "10.0.0.2", 2000, tag, chunks...)
	}
	tell := func(tag uint32, chunks ...[]byte) []byte {
		return sctpPacket("10.0.0.2", 2000, "10.0.0.1", 1000, tag, chunks...)
	}
	table := NewTable(Options{Profile: Linux})
	for _, tt := range []struct {
		name   string
		ip     []byte
		flags  string
		state  string
		refuse Refusal
	}{
		{"abort out of nowhere", ask(5, chunkOf(chunkAbort, 0)), "inv", "", NotTrackable},
		{"init with a tag", ask(5, chunkOf(chunkInit, 77)), "inv", "", NotTrackable},
		{"init", ask(0, chunkOf(chunkInit, 77)), "new", "CLOSED", NotRefused},
		{"init ack with a wrong tag", tell(78, chunkOf(chunkInitAck, 88)), "inv", "CLOSED", BadVerification},
		{"init ack", tell(77, chunkOf(chunkInitAck, 88)), "est|rpl", "COOKIE_WAIT", NotRefused},
		{"cookie echo with a wrong tag", ask(77, chunkOf(chunkCookieEcho, 0)), "inv", "COOKIE_WAIT", BadVerification},
		{"cookie echo", ask(88, chunkOf(chunkCookieEcho, 0), chunkOf(chunkData, 0)), "est", "COOKIE_ECHOED",
			NotRefused},
		{"cookie ack", tell(77, chunkOf(chunkCookieAck, 0)), "est|rpl", "ESTABLISHED", NotRefused},
		{"data", ask(88, chunkOf(chunkData, 0)), "est", "ESTABLISHED", NotRefused},
		{"data with a wrong tag", ask(89, chunkOf(chunkData, 0)), "inv", "ESTABLISHED", BadVerification},
		{"no chunk", ask(88), "inv", "ESTABLISHED", BadHeader},
		{"shutdown", ask(88, chunkOf(chunkShutdown, 0)), "est", "SHUTDOWN_SENT", NotRefused},
		{"shutdown ack", tell(77, chunkOf(chunkShutdownAck, 0)), "est|rpl", "SHUTDOWN_ACK_SENT", NotRefused},
		{"shutdown complete", ask(88, chunkOf(chunkShutdownComplete, 0)), "est", "CLOSED", NotRefused},
	} {
		m, o := do(t, table, 1, tt.ip, commit)
		want(t, tt.name, m, tt.flags)
		if o.Refusal != tt.refuse {
			t.Errorf("%s: refusal %q", tt.name, o.Refusal)
		}
		state := ""
		if es := table.Entries(0); len(es) == 1 {
			state = es[0].State
		}
		if state != tt.state {
			t.Errorf("%s: state %q, want %q", tt.name, state, tt.state)
		}
	}
}

// Ports of SCTP are translated by the kernel, and its CRC with them; userspace looks at addresses only.
func TestSCTPNAT(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, p Profile) {
		ct := NewTable(Options{Profile: p})
		ip := sctpPacket("10.0.0.1", 1000, "10.0.0.2", 2000, 0, chunkOf(chunkInit, 77))
		do(t, ct, 1, ip, Request{Zone: 1, Commit: true, NAT: bind(nat.Dst, "10.9.9.9", 3000)})
		goodSums(t, ip)
		got, port := tuple(t, ip), uint16(3000)
		if p == OVSUserspace {
			port = 2000
		}
		if got.DstAddr().String() != "10.9.9.9" || got.DstPort != port {
			t.Errorf("%v", &got)
		}
	})
}
