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

	"github.com/google/gopacket/layers"

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

func etherType(in *packet.Packet) layers.EthernetType {
	return layers.EthernetType(in.Key.Get(field.EthType))
}

// pseudo is the sum of the pseudo header of the IP header ip.
func pseudo(ip []byte, proto uint8, length int) uint64 {
	if ip[0]>>4 == 6 {
		return header.Pseudo(ip[8:40], proto, length)
	}
	return header.Pseudo(ip[12:20], proto, length)
}
