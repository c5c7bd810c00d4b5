package answer

import (
	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

const (
	icmpLen = 8 // both versions' header, with its word of data

	// Quotes are cut so that the frame stays within these: the datagram every
	// host accepts (RFC 1122), the smallest IPv6 MTU (RFC 4443).
	room4 = 576 - etherLen - ip4Len - icmpLen
	room6 = 1280 - etherLen - ip6Len - icmpLen

	errorHops = 255
)

// ICMP is the "destination unreachable" that icmp4{}, icmp6{}, their _error{}
// forms and reject{} start from, quoting the packet. udpPort makes it "port
// unreachable" for UDP; otherwise it is "host unreachable", or for IPv6
// "administratively prohibited".
func ICMP(in *packet.Packet, s Style, udpPort bool) (Frame, bool) {
	switch {
	case isV4(in):
		return icmp4(in, s, udpPort)
	case isV6(in):
		return icmp6(in, s, udpPort), true
	}
	return Frame{}, false
}

// quoted returns the beginning of the IP packet of in that an error quotes,
// and how long it would be had the capture not cut it.
func quoted(in *packet.Packet, length, room int) ([]byte, int) {
	n := min(length, room, in.Wire-in.Layout.L3)
	q := in.Data[in.Layout.L3:]
	return q[:min(n, len(q))], n
}

func icmp4(in *packet.Packet, s Style, udpPort bool) (Frame, bool) {
	ip := in.Data[in.Layout.L3:]
	quote, n := quoted(in, int(be.Uint16(ip[2:])), room4)
	if n < ip4Len {
		return Frame{}, false
	}
	b := ether(in, s.Swap, header.EtherIPv4, ip4Len+icmpLen+n)
	b = s.ip(b, in, header.ProtoICMP, errorHops, icmpLen+n)
	at := len(b)
	b = append(b, 3, 1, 0, 0, 0, 0, 0, 0)
	if udpPort && ip[9] == header.ProtoUDP {
		b[at+1] = 3
	}
	b = append(b, quote...)
	be.PutUint16(b[at+2:], header.Checksum(0, b[at:]))
	return retag(in, Frame{b, len(b) + n - len(quote)}), true
}

func icmp6(in *packet.Packet, s Style, udpPort bool) Frame {
	ip := in.Data[in.Layout.L3:]
	quote, n := quoted(in, ip6Len+int(be.Uint16(ip[4:])), room6)
	b := ether(in, s.Swap, header.EtherIPv6, ip6Len+icmpLen+n)
	b = s.ip(b, in, header.ProtoICMPv6, errorHops, icmpLen+n)
	at := len(b)
	b = append(b, 1, 1, 0, 0, 0, 0, 0, 0)
	if udpPort && ip[6] == header.ProtoUDP {
		b[at+1] = 4
	}
	b = append(b, quote...)
	be.PutUint16(b[at+2:], header.Checksum(pseudo(b[etherLen:], header.ProtoICMPv6, icmpLen+n), b[at:]))
	return retag(in, Frame{b, len(b) + n - len(quote)})
}

// SetFragMTU writes the next hop's MTU into the frame's ICMP or ICMPv6 error
// in place. It returns false if the frame is neither.
func SetFragMTU(p *packet.Packet, mtu uint32) bool {
	b := l4(p)
	if len(b) < icmpLen {
		return false
	}
	switch {
	case isV4(p) && proto(p) == header.ProtoICMP:
		old := be.Uint16(b[6:])
		be.PutUint16(b[6:], uint16(mtu))
		be.PutUint16(b[2:], header.UpdateWord(be.Uint16(b[2:]), old, uint16(mtu)))
	case isV6(p) && proto(p) == header.ProtoICMPv6:
		old := be.Uint32(b[4:])
		be.PutUint32(b[4:], mtu)
		be.PutUint16(b[2:], header.UpdateWords(be.Uint16(b[2:]), old, mtu))
	default:
		return false
	}
	return true
}

// SetInnerSource writes the source address of the packet an ICMP error quotes.
// The quoted header's checksum is mended, which leaves the outer one right; a
// quoted transport checksum stays as it was, as in OVN.
func SetInnerSource(p *packet.Packet, src uint32) bool {
	b := l4(p)
	if !isV4(p) || proto(p) != header.ProtoICMP || p.Layout.L4 == 0 || len(b) < icmpLen+ip4Len {
		return false
	}
	switch b[0] {
	case 3, 4, 5, 11, 12:
	default:
		return false
	}
	inner := b[icmpLen:]
	if ihl := int(inner[0]&15) * 4; ihl < ip4Len || ihl > len(inner) {
		return false
	}
	old := be.Uint32(inner[12:])
	be.PutUint32(inner[12:], src)
	be.PutUint16(inner[10:], header.UpdateWords(be.Uint16(inner[10:]), old, src))
	return true
}
