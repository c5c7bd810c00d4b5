package answer

import (
	"net"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

// IGMPQuery is the general membership query (RFC 3376) a snooping switch with
// a querier sends, with the response time in seconds.
func IGMPQuery(mac [6]byte, src [4]byte, response int) Frame {
	// gopacket reads IGMP and does not write it.
	igmp := make(gopacket.Payload, 12)
	igmp[0], igmp[1] = 0x11, uint8(response*10)
	igmp[9] = igmp[1]
	be.PutUint16(igmp[2:], header.Checksum(0, igmp))
	eth := &layers.Ethernet{DstMAC: []byte{1, 0, 0x5e, 0, 0, 1}, SrcMAC: mac[:], EthernetType: layers.EthernetTypeIPv4}
	return frame(eth, &layers.IPv4{
		Version: 4, Flags: layers.IPv4DontFragment, TTL: 1, Protocol: layers.IPProtocolIGMP, SrcIP: src[:],
		DstIP: []byte{224, 0, 0, 1},
	}, igmp)
}

// MLDQuery is the same for IPv6 (RFC 3810). Its Ethernet destination is not
// the group's: as OVN has it.
func MLDQuery(mac [6]byte, src [16]byte, response int) Frame {
	ip := &layers.IPv6{
		Version: 6, NextHeader: layers.IPProtocolIPv6HopByHop, HopLimit: 1, SrcIP: src[:], DstIP: allNodes[:],
	}
	eth := &layers.Ethernet{DstMAC: []byte{0x33, 0x33, 0, 0, 0, 0}, SrcMAC: mac[:],
		EthernetType: layers.EthernetTypeIPv6}
	hop := &layers.IPv6HopByHop{Options: []*layers.IPv6HopByHopOption{
		{OptionType: 5, OptionData: []byte{0, 0}}, // router alert: MLD (RFC 2711)
		{}, // two bytes of padding
	}}
	hop.NextHeader = layers.IPProtocolICMPv6
	return frame(eth, ip, hop, icmp6(ip, 130, 0), &layers.MLDv2MulticastListenerQueryMessage{
		MaximumResponseCode: uint16(response * 1000), QueriersQueryIntervalCode: uint8(response),
		MulticastAddress: net.IPv6zero,
	})
}

// MulticastKind is what a snooping switch does with a packet.
type MulticastKind uint8

const (
	NoMulticast MulticastKind = iota // neither, or its checksum is wrong
	Report                           // joins or leaves a group
	Query
)

// Multicast tells IGMP and MLD packets apart.
func Multicast(in *packet.Packet) MulticastKind {
	b := l4(in)
	switch {
	case isV4(in) && proto(in) == header.ProtoIGMP && len(b) >= 8:
		if header.Checksum(0, b) != 0 {
			return NoMulticast
		}
		switch b[0] {
		case 0x11:
			return Query
		case 0x12, 0x16, 0x17, 0x22:
			return Report
		}
	case isV6(in) && proto(in) == header.ProtoICMPv6 && in.Layout.L4 != 0 && len(b) >= 24:
		if header.Checksum(pseudo(in.Data[in.Layout.L3:], header.ProtoICMPv6, len(b)), b) != 0 {
			return NoMulticast
		}
		switch b[0] {
		case 130:
			return Query
		case 131, 132, 143:
			return Report
		}
	}
	return NoMulticast
}
