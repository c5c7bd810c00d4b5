package answer

import (
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

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
		return icmp6Error(in, s, udpPort), true
	}
	return Frame{}, false
}

// quoted returns the beginning of the IP packet of in that an error quotes, with
// zeros for what the capture has cut of it, and how many they are.
func quoted(in *packet.Packet, length, room int) (quote gopacket.Payload, cut int) {
	n := max(min(length, room, in.Wire-in.Layout.L3), 0)
	q := in.Data[in.Layout.L3:]
	q = q[:min(n, len(q))]
	return append(append(make([]byte, 0, n), q...), make([]byte, n-len(q))...), n - len(q)
}

// unquoted takes away what a frame quotes of bytes that are not known.
func unquoted(f Frame, cut int) Frame {
	f.Data = f.Data[:max(len(f.Data)-cut, 0)]
	return f
}

func icmp4(in *packet.Packet, s Style, udpPort bool) (Frame, bool) {
	h := in.Data[in.Layout.L3:]
	quote, cut := quoted(in, int(be.Uint16(h[2:])), room4)
	if len(quote) < ip4Len {
		return Frame{}, false
	}
	code := uint8(layers.ICMPv4CodeHost)
	if udpPort && h[9] == header.ProtoUDP {
		code = layers.ICMPv4CodePort
	}
	icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, code)}
	f := tagged(in, ether(in, s.Swap, layers.EthernetTypeIPv4), s.ip(in, layers.IPProtocolICMPv4, errorHops),
		icmp, quote)
	return unquoted(f, cut), true
}

func icmp6Error(in *packet.Packet, s Style, udpPort bool) Frame {
	h := in.Data[in.Layout.L3:]
	quote, cut := quoted(in, ip6Len+int(be.Uint16(h[4:])), room6)
	code := uint8(layers.ICMPv6CodeAdminProhibited)
	if udpPort && h[6] == header.ProtoUDP {
		code = layers.ICMPv6CodePortUnreachable
	}
	ip := s.ip(in, layers.IPProtocolICMPv6, errorHops)
	icmp := icmp6(ip, layers.ICMPv6TypeDestinationUnreachable, code)
	f := tagged(in, ether(in, s.Swap, layers.EthernetTypeIPv6), ip, icmp, gopacket.Payload(make([]byte, 4)), quote)
	return unquoted(f, cut)
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
