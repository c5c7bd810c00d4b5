package answer

import (
	"ovnreplay/sim/packet"

	"ovnreplay/nat/header"
)

// IGMPQuery is the general membership query (RFC 3376) a snooping switch with
// a querier sends, with the response time in seconds.
func IGMPQuery(mac [6]byte, src [4]byte, response int) Frame {
	b := make([]byte, etherLen+ip4Len+12)
	copy(b, []byte{1, 0, 0x5e, 0, 0, 1})
	copy(b[6:], mac[:])
	be.PutUint16(b[12:], header.EtherIPv4)
	ip := b[etherLen:]
	ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, 1, header.ProtoIGMP
	be.PutUint16(ip[2:], ip4Len+12)
	copy(ip[12:], src[:])
	copy(ip[16:], []byte{224, 0, 0, 1})
	be.PutUint16(ip[10:], header.Checksum(0, ip[:ip4Len]))
	igmp := ip[ip4Len:]
	igmp[0], igmp[1] = 0x11, uint8(response*10)
	igmp[9] = igmp[1]
	be.PutUint16(igmp[2:], header.Checksum(0, igmp))
	return whole(b)
}

// MLDQuery is the same for IPv6 (RFC 3810). Its Ethernet destination is not
// the group's: as OVN has it.
func MLDQuery(mac [6]byte, src [16]byte, response int) Frame {
	const extension, mld = 8, 28
	b := make([]byte, etherLen+ip6Len+extension+mld)
	copy(b, []byte{0x33, 0x33, 0, 0, 0, 0})
	copy(b[6:], mac[:])
	be.PutUint16(b[12:], header.EtherIPv6)
	ip := b[etherLen:]
	ip[0], ip[7] = 0x60, 1
	be.PutUint16(ip[4:], extension+mld)
	copy(ip[8:], src[:])
	ip[24], ip[25], ip[39] = 0xff, 2, 1
	hop := ip[ip6Len:]
	hop[0], hop[2], hop[3] = header.ProtoICMPv6, 5, 2
	m := hop[extension:]
	m[0] = 130
	be.PutUint16(m[4:], uint16(response*1000))
	m[25] = uint8(response)
	be.PutUint16(m[2:], header.Checksum(pseudo(ip, header.ProtoICMPv6, mld), m))
	return whole(b)
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
