package replay

import (
	"encoding/binary"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// whyCut is why a frame is neither replayed nor compared that its capture cut
// short: what OVN decides by, or what tells the packet from others, is missing.
const whyCut = "cut by the capture (snaplen) before the end of its headers"

// isCut reports whether that is why.
func (f *Frame) isCut() bool { return f.skip == whyCut }

// tooShort reports whether a capture cut a frame so short that it cannot be
// told what OVN does with it.
func tooShort(data []byte, h *packet.Headers, wire int) bool {
	if len(data) >= wire {
		return false
	}
	k, l := &h.Key, &h.Layout
	switch k.Get(field.EthType) {
	case header.EtherARP:
		return l.L3 == 0
	case header.EtherIPv4, header.EtherIPv6:
	default:
		return len(data) < 14
	}
	if l.L3 == 0 {
		return true
	}
	if k.Get(field.IPFrag)&packet.FragLater != 0 {
		return false
	}
	proto, l4 := uint8(k.Get(field.IPProto)), data[max(l.L4, l.L3):l.L3End]
	if l.L4 == 0 {
		return needsMore(data[l.L3:], proto)
	}
	switch proto {
	case header.ProtoICMP, header.ProtoICMPv6:
		if quotes(proto, l4[0]) {
			var p nat.Packet
			return p.Parse(data[l.L3:l.L3End]) == nat.FaultQuote
		}
		return proto == header.ProtoICMPv6 && l4[0] >= 133 && l4[0] <= 137 // ND: it is all options
	case header.ProtoUDP:
		return isAsked(binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:]))
	}
	return false
}

// asksName reports whether a packet is of DNS, and ovn-controller may answer it by what
// is in it.
func (s *Run) asksName(h *packet.Headers) bool {
	const dns = 53
	k := &h.Key
	return len(s.Engine.Net.DNS) > 0 && k.Get(field.IPProto) == header.ProtoUDP &&
		(k.Get(field.TpSrc) == dns || k.Get(field.TpDst) == dns)
}

// needsMore reports whether a transport header that could not be read is cut,
// rather than one that is malformed on the wire too.
func needsMore(ip []byte, proto uint8) bool {
	switch proto {
	case header.ProtoTCP, header.ProtoUDP, header.ProtoICMP, header.ProtoICMPv6, header.ProtoSCTP:
		return true
	}
	return len(ip) < 40 && ip[0]>>4 == 6
}

// isAsked reports whether a datagram is one that ovn-controller may answer by
// what is in it, or such an answer: DHCP, DHCPv6.
func isAsked(ports ...uint16) bool {
	for _, p := range ports {
		switch p {
		case 67, 68, 546, 547:
			return true
		}
	}
	return false
}
