package answer

import (
	"net/netip"

	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// ARP is the request that the action arp{} starts from: sender and target are
// the packet's own addresses (RFC 826). Since OVN routes IPv6 over IPv4 next
// hops an IPv6 packet has one too, with no addresses.
func ARP(in *packet.Packet) (Frame, bool) {
	if !isV4(in) && !isV6(in) {
		return Frame{}, false
	}
	arp := &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, Operation: layers.ARPRequest,
		SourceHwAddress: in.Data[6:12], DstHwAddress: make([]byte, 6),
		SourceProtAddress: make([]byte, 4), DstProtAddress: make([]byte, 4),
	}
	if isV4(in) {
		ip := in.Data[in.Layout.L3:]
		arp.SourceProtAddress, arp.DstProtAddress = ip[12:16], ip[16:20]
	}
	return tagged(in, ether(in, false, layers.EthernetTypeARP), arp), true
}

// Bits and types of neighbour discovery (RFC 4861).
const (
	naRouter    = 0x80
	naSolicited = 0x40
	naOverride  = 0x20

	typeRouterSolicit   = 133
	typeRouterAdvert    = 134
	typeNeighborSolicit = 135
	typeNeighborAdvert  = 136
	neighborHops        = 255
	infiniteTime        = 0xffffffff
)

// neighbor is a solicitation or advertisement, with its one option.
func neighbor(dstMAC, srcMAC []byte, src, dst [16]byte, message layer) Frame {
	eth := &layers.Ethernet{DstMAC: dstMAC, SrcMAC: srcMAC, EthernetType: layers.EthernetTypeIPv6}
	ip := &layers.IPv6{
		Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: neighborHops, SrcIP: src[:], DstIP: dst[:],
	}
	typ := uint8(typeNeighborSolicit)
	if _, is := message.(*layers.ICMPv6NeighborAdvertisement); is {
		typ = typeNeighborAdvert
	}
	return frame(eth, ip, icmp6(ip, typ, 0), message)
}

// NeighborSolicitation is the solicitation that the action nd_ns{} starts
// from: for target, to its solicited-node group, from the link-local address
// of the packet's Ethernet source.
func NeighborSolicitation(in *packet.Packet, target [16]byte) (Frame, bool) {
	if !isV4(in) && !isV6(in) {
		return Frame{}, false
	}
	mac, group := in.Data[6:12], header.SolicitedNode(target)
	to := header.MACBytes(header.GroupMAC(netip.AddrFrom16(group)))
	return neighbor(to[:], mac, header.LinkLocal([6]byte(mac)), group, &layers.ICMPv6NeighborSolicitation{
		TargetAddress: target[:], Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac}},
	}), true
}

// Solicitation asks a machine, or with no Ethernet address its group, for target.
func Solicitation(to, mac [6]byte, src, target [16]byte) Frame {
	group := header.SolicitedNode(target)
	if to == [6]byte{} {
		to = header.MACBytes(header.GroupMAC(netip.AddrFrom16(group)))
	}
	return neighbor(to[:], mac[:], src, group, &layers.ICMPv6NeighborSolicitation{
		TargetAddress: target[:], Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptSourceAddress, Data: mac[:]}},
	})
}

// Destination is an IPv6 packet's destination, all ones for another packet.
func Destination(in *packet.Packet) (a [16]byte) {
	if isV6(in) {
		copy(a[:], in.Data[in.Layout.L3+24:])
		return a
	}
	for i := range a {
		a[i] = 0xff
	}
	return a
}

// NeighborAdvertisement is the answer to a solicitation that nd_na{} and
// nd_na_router{} start from.
func NeighborAdvertisement(in *packet.Packet, router bool) (Frame, bool) {
	typ := in.Key.Get(field.ICMP6Type)
	if !isV6(in) || proto(in) != header.ProtoICMPv6 || in.Layout.L4 == 0 ||
		typ != typeNeighborSolicit && typ != typeNeighborAdvert {
		return Frame{}, false
	}
	flags := uint8(naSolicited | naOverride)
	if router {
		flags |= naRouter
	}
	target := in.Key.Get128(field.NDTarget).Bytes()
	var client [16]byte
	copy(client[:], in.Data[in.Layout.L3+8:])
	mac := in.Data[:6]
	return neighbor(in.Data[6:12], mac, target, client, &layers.ICMPv6NeighborAdvertisement{
		Flags: flags, TargetAddress: target[:],
		Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac}},
	}), true
}
