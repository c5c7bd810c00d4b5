package answer

import (
	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

const resetHops = 63

// Reset is the TCP reset that tcp_reset{} starts from: sequence number 0,
// acknowledging the segment's own sequence number plus one, whatever it holds.
// The ports are always turned round, the addresses only by s.Swap.
func Reset(in *packet.Packet, s Style) (Frame, bool) {
	tcp := l4(in)
	if proto(in) != header.ProtoTCP || len(tcp) < 8 {
		return Frame{}, false
	}
	s.KeepTOS = false
	src, dst := portsOf(in)
	return segment(in, s, &layers.TCP{
		SrcPort: layers.TCPPort(dst), DstPort: layers.TCPPort(src), Ack: be.Uint32(tcp[4:]) + 1, RST: true, ACK: true,
	}), true
}

// segment is a TCP segment that answers in.
func segment(in *packet.Packet, s Style, tcp *layers.TCP) Frame {
	ip := s.ip(in, layers.IPProtocolTCP, resetHops)
	tcp.SetNetworkLayerForChecksum(ip)
	return frame(ether(in, s.Swap, etherType(in)), ip, tcp)
}

// portsOf returns in's port numbers as the flow key has them: a later fragment has none.
func portsOf(in *packet.Packet) (src, dst uint16) {
	if in.Layout.L4 == 0 {
		return 0, 0
	}
	b := in.Data[in.Layout.L4:]
	return be.Uint16(b), be.Uint16(b[2:])
}

// SCTP chunk types and the flag of an abort that reflects the verification
// tag (RFC 4960).
const (
	chunkInit    = 1
	chunkAbort   = 6
	chunkLen     = 4
	initChunkLen = 16
	tagReflected = 1
)

// Abort is the SCTP packet that sctp_abort{} starts from: one ABORT chunk, with
// the tag of an INIT, or the packet's own tag reflected.
func Abort(in *packet.Packet, s Style) (Frame, bool) {
	sctp := l4(in)
	if proto(in) != header.ProtoSCTP || len(sctp) < sctpLen+chunkLen || sctp[sctpLen] == chunkAbort {
		return Frame{}, false
	}
	tag, flags := sctp[4:8], uint8(tagReflected)
	if sctp[sctpLen] == chunkInit {
		lacks := in.Wire - len(in.Data) // what a capture cut
		if len(sctp)+lacks < sctpLen+chunkLen+initChunkLen || len(sctp) < sctpLen+chunkLen+4 {
			return Frame{}, false
		}
		if be.Uint32(tag) == 0 {
			tag, flags = sctp[sctpLen+chunkLen:][:4], 0
		}
	}
	s.KeepTOS = false
	src, dst := portsOf(in)
	return frame(ether(in, s.Swap, etherType(in)), s.ip(in, layers.IPProtocolSCTP, resetHops),
		&layers.SCTP{SrcPort: layers.SCTPPort(dst), DstPort: layers.SCTPPort(src), VerificationTag: be.Uint32(tag)},
		&layers.SCTPError{SCTPChunk: layers.SCTPChunk{Type: layers.SCTPChunkTypeAbort, Flags: flags}}), true
}

// Reject is what the action reject{} starts from: a reset for TCP, an abort
// for SCTP, else "destination unreachable", always back to the sender. With
// silent, resets and unreachables are not themselves answered.
func Reject(in *packet.Packet, s Style, silent bool) (Frame, bool) {
	s.Swap = true
	b := l4(in)
	switch p := proto(in); {
	case p == header.ProtoTCP:
		if silent && (len(b) < tcpLen || b[13]&4 != 0) {
			return Frame{}, false
		}
		return Reset(in, s)
	case p == header.ProtoSCTP:
		return Abort(in, s)
	case silent && p == header.ProtoICMP && isV4(in) && (len(b) == 0 || b[0] == 3),
		silent && p == header.ProtoICMPv6 && isV6(in) && (len(b) == 0 || b[0] == 1):
		return Frame{}, false
	}
	return ICMP(in, s, true)
}
