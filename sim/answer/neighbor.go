package answer

import (
	"net/netip"

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
	b := append(ether(in, false, header.EtherARP, 28), make([]byte, 28)...)
	a := b[etherLen:]
	copy(a, []byte{0, 1, 8, 0, 6, 4, 0, 1})
	copy(a[8:], in.Data[6:12])
	if isV4(in) {
		ip := in.Data[in.Layout.L3:]
		copy(a[14:], ip[12:16])
		copy(a[24:], ip[16:20])
	}
	return retag(in, whole(b)), true
}

// Lengths and bits of neighbour discovery (RFC 4861).
const (
	neighborLen = 24
	lladdrLen   = 8

	naRouter    = 0x80
	naSolicited = 0x40
	naOverride  = 0x20

	typeRouterSolicit      = 133
	typeRouterAdvert       = 134
	typeNeighborSolicit    = 135
	typeNeighborAdvert     = 136
	optSource, optTarget   = 1, 2
	neighborHops           = 255
	neighborPayload        = neighborLen + lladdrLen
	neighborFrame          = etherLen + ip6Len + neighborPayload
	optPrefix, optMTU      = 3, 5
	optRoute, optRDNSS     = 24, 25
	optDNSSL, infiniteTime = 31, 0xffffffff
)

// neighbor builds a solicitation or advertisement with its one option.
func neighbor(dstMAC, srcMAC []byte, src, dst, target [16]byte, typ, flags, opt uint8) Frame {
	b := make([]byte, neighborFrame)
	copy(b, dstMAC)
	copy(b[6:], srcMAC)
	be.PutUint16(b[12:], header.EtherIPv6)
	ip := b[etherLen:]
	ip[0] = 0x60
	be.PutUint16(ip[4:], neighborPayload)
	ip[6], ip[7] = header.ProtoICMPv6, neighborHops
	copy(ip[8:], src[:])
	copy(ip[24:], dst[:])
	nd := ip[ip6Len:]
	nd[0], nd[4] = typ, flags
	copy(nd[8:], target[:])
	nd[24], nd[25] = opt, 1
	copy(nd[26:], srcMAC)
	be.PutUint16(nd[2:], header.Checksum(pseudo(ip, header.ProtoICMPv6, len(nd)), nd))
	return whole(b)
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
	return neighbor(to[:], mac, header.LinkLocal([6]byte(mac)), group, target, typeNeighborSolicit, 0, optSource), true
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
	return neighbor(in.Data[6:12], in.Data[:6], target, client, target, typeNeighborAdvert, flags, optTarget), true
}
