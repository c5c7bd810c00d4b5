// Package answer builds the packets that ovn-controller makes itself: ARP and
// neighbour discovery, ICMP errors, resets and aborts, DHCP, router
// advertisements and DNS, byte for byte as ovn-controller and the Open vSwitch
// library compose them.
//
// Each function takes the packet that the switch sent to ovn-controller and
// returns the frame that ovn-controller sends in its place. They are pure:
// what they return is new memory and depends on their arguments alone. They
// return false where ovn-controller would log a warning and send nothing.
//
// The package knows nothing of logical networks: what a frame still lacks
// (addresses, types, hop limits) the logical flow's own actions set afterwards.
package answer

import (
	"encoding/binary"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Lengths of headers.
const (
	etherLen = 14
	ip4Len   = 20
	ip6Len   = 40
	udpLen   = 8
	tcpLen   = 20
	sctpLen  = 12
)

// Frame is a frame that ovn-controller made.
type Frame struct {
	Data []byte
	Wire int // its length; more than len(Data) where it quotes bytes that the capture had cut
}

func whole(b []byte) Frame { return Frame{b, len(b)} }

var be = binary.BigEndian

// Style is how a release of ovn-controller composes an answer.
type Style struct {
	Swap    bool // from the packet's destination back to its source, as "reject" does
	KeepTOS bool // ICMP errors take over the traffic class
}

// ether begins a frame to or from the ends of in, with room for n more bytes.
func ether(in *packet.Packet, swap bool, typ uint16, n int) []byte {
	b := make([]byte, etherLen, etherLen+4+n)
	copy(b, in.Data[:12])
	if swap {
		copy(b, in.Data[6:12])
		copy(b[6:], in.Data[:6])
	}
	be.PutUint16(b[12:], typ)
	return b
}

// retag puts in's VLAN tag on a frame, if in has one.
func retag(in *packet.Packet, f Frame) Frame {
	tci := in.Key.Get(field.VLANTCI)
	if tci == 0 {
		return f
	}
	b := append(f.Data, 0, 0, 0, 0)
	copy(b[16:], b[12:len(b)-4])
	be.PutUint16(b[12:], header.EtherVLAN)
	be.PutUint16(b[14:], uint16(tci)&^tagPresent)
	return Frame{b, f.Wire + 4}
}

// tagPresent is the bit the flow key has set for "there is a tag".
const tagPresent = 1 << 12

// isV4, isV6 and proto say what in is.
func isV4(in *packet.Packet) bool {
	return in.Layout.L3 != 0 && in.Key.Get(field.EthType) == header.EtherIPv4
}

func isV6(in *packet.Packet) bool {
	return in.Layout.L3 != 0 && in.Key.Get(field.EthType) == header.EtherIPv6
}

func proto(in *packet.Packet) uint64 { return in.Key.Get(field.IPProto) }

// l4 returns what follows the IP header, for later fragments too: ovn-controller
// takes it for a transport header without asking.
func l4(in *packet.Packet) []byte {
	end := in.Layout.L3End
	switch {
	case in.Layout.L4 != 0:
		return in.Data[in.Layout.L4:end]
	case isV4(in):
		return in.Data[min(in.Layout.L3+int(in.Data[in.Layout.L3]&15)*4, end):end]
	case isV6(in):
		_, ofs, _, ok := packet.ExtensionHeaders(in.Data[in.Layout.L3:end])
		if ok {
			return in.Data[in.Layout.L3+ofs : end]
		}
	}
	return nil
}

// udpPayload returns in's UDP payload, at most as long as the UDP header says.
func udpPayload(in *packet.Packet) []byte {
	b := l4(in)
	if proto(in) != header.ProtoUDP || in.Layout.L4 == 0 || len(b) < udpLen {
		return nil
	}
	return b[udpLen:]
}

// ip appends the IP header of an answer to in: no options, no identification,
// do not fragment.
func (s Style) ip(b []byte, in *packet.Packet, proto, ttl uint8, payload int) []byte {
	h := in.Data[in.Layout.L3:]
	if isV6(in) {
		n := append(b, make([]byte, ip6Len)...)
		ip := n[len(b):]
		ip[0] = 0x60
		if s.KeepTOS {
			be.PutUint32(ip, 6<<28|be.Uint32(h)&0x0fffffff)
		}
		be.PutUint16(ip[4:], uint16(payload))
		ip[6], ip[7] = proto, ttl
		copy(ip[8:], h[8:40])
		if s.Swap {
			copy(ip[8:], h[24:40])
			copy(ip[24:], h[8:24])
		}
		return n
	}
	n := append(b, make([]byte, ip4Len)...)
	ip := n[len(b):]
	ip[0] = 0x45
	if s.KeepTOS {
		ip[1] = h[1]
	}
	be.PutUint16(ip[2:], uint16(ip4Len+payload))
	ip[6] = 0x40
	ip[8], ip[9] = ttl, proto
	copy(ip[12:], h[12:20])
	if s.Swap {
		copy(ip[12:], h[16:20])
		copy(ip[16:], h[12:16])
	}
	be.PutUint16(ip[10:], header.Checksum(0, ip))
	return n
}

func etherType(in *packet.Packet) uint16 { return uint16(in.Key.Get(field.EthType)) }

// sum adds b to a one's complement sum that is not folded yet.
// pseudo is the sum of the pseudo header of the IP header ip.
func pseudo(ip []byte, proto uint8, length int) uint64 {
	if ip[0]>>4 == 6 {
		return header.Pseudo(ip[8:40], proto, length)
	}
	return header.Pseudo(ip[12:20], proto, length)
}
