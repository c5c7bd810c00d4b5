package packet

import (
	"fmt"
	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// Describe returns a frame in one line: "tcp 172.18.0.1:53642 > 172.18.0.4:30007 [S]".
func Describe(frame []byte) string {
	var h Headers
	h.Read(frame)
	return h.Describe(frame)
}

// Describe describes the frame whose headers h holds.
func (h *Headers) Describe(frame []byte) string { return string(h.AppendDescription(nil, frame)) }

// AppendDescription appends what Describe returns.
func (h *Headers) AppendDescription(b, frame []byte) []byte {
	k := &h.Key
	v6 := k.Get(field.EthType) == header.EtherIPv6
	proto := uint8(k.Get(field.IPProto))
	ports := proto == header.ProtoTCP || proto == header.ProtoUDP || proto == header.ProtoSCTP
	if !ports || !v6 && k.Get(field.EthType) != header.EtherIPv4 || k.Get(field.IPFrag)&FragLater != 0 ||
		firstFragment(k) {
		return append(b, h.withoutPorts(frame)...)
	}
	src, dst := header.IPv4(k.Get(field.IP4Src)), header.IPv4(k.Get(field.IP4Dst))
	if v6 {
		src, dst = Addr6(k.Get128(field.IP6Src)), Addr6(k.Get128(field.IP6Dst))
	}
	b = append(append(b, ProtoName(proto)...), ' ')
	b = netip.AddrPortFrom(src, uint16(k.Get(field.TpSrc))).AppendTo(b)
	b = netip.AddrPortFrom(dst, uint16(k.Get(field.TpDst))).AppendTo(append(b, " > "...))
	if proto == header.ProtoTCP {
		b = append(append(append(b, " ["...), TCPFlags(k.Get(field.TCPFlags))...), ']')
	}
	return b
}

// firstFragment reports whether a packet is the first fragment of a datagram, whose
// ports Open vSwitch does not let flows see.
func firstFragment(k *field.Key) bool {
	return k.Get(field.IPFrag) != 0 && k.Get(field.TpSrc) == 0 && k.Get(field.TpDst) == 0
}

// withoutPorts describes packets without ports.
func (h *Headers) withoutPorts(frame []byte) string {
	k := &h.Key
	switch t := k.Get(field.EthType); t {
	case header.EtherIPv4:
		return h.describeIP(frame, header.IPv4(k.Get(field.IP4Src)), header.IPv4(k.Get(field.IP4Dst)))
	case header.EtherIPv6:
		return h.describeIP(frame, Addr6(k.Get128(field.IP6Src)), Addr6(k.Get128(field.IP6Dst)))
	case header.EtherARP:
		return describeARP(k)
	default:
		return fmt.Sprintf("ethertype 0x%04x %s > %s", t, header.FormatMAC(k.Get(field.EthSrc)),
			header.FormatMAC(k.Get(field.EthDst)))
	}
}

func describeARP(k *field.Key) string {
	spa, tpa := header.IPv4(k.Get(field.ARPSPA)), header.IPv4(k.Get(field.ARPTPA))
	switch k.Get(field.ARPOp) {
	case 1:
		return fmt.Sprintf("arp who-has %s tell %s", tpa, spa)
	case 2:
		return fmt.Sprintf("arp %s is-at %s", spa, header.FormatMAC(k.Get(field.ARPSHA)))
	}
	return fmt.Sprintf("arp op %d", k.Get(field.ARPOp))
}

func (h *Headers) describeIP(frame []byte, src, dst netip.Addr) string {
	k := &h.Key
	proto := uint8(k.Get(field.IPProto))
	if k.Get(field.IPFrag)&FragLater != 0 {
		return fmt.Sprintf("%s fragment %s > %s", ProtoName(proto), src, dst)
	} else if firstFragment(k) && proto != header.ProtoICMP && proto != header.ProtoICMPv6 {
		return fmt.Sprintf("%s first fragment %s > %s", ProtoName(proto), src, dst)
	}
	switch proto {
	case header.ProtoICMP, header.ProtoICMPv6:
		return fmt.Sprintf("%s %s > %s %s", ProtoName(proto), src, dst, h.icmp(frame, proto))
	}
	return fmt.Sprintf("%s %s > %s", ProtoName(proto), src, dst)
}

// ProtoName returns the name of an IP protocol, or its number.
func ProtoName(p uint8) string {
	switch p {
	case header.ProtoICMP:
		return "icmp"
	case header.ProtoIGMP:
		return "igmp"
	case header.ProtoTCP:
		return "tcp"
	case header.ProtoUDP:
		return "udp"
	case header.ProtoICMPv6:
		return "icmp6"
	case header.ProtoSCTP:
		return "sctp"
	}
	return fmt.Sprintf("proto-%d", p)
}

// TCPFlags returns TCP flags as tcpdump writes them: "S.", "P.", "F.", ….
func TCPFlags(f uint64) string {
	return tcpFlags[f&0x1ff]
}

// tcpFlags are all combinations of TCP flags in words.
var tcpFlags = func() (all [512]string) {
	for f := range all {
		for i, c := range "FSRPUEWe" {
			bit := [...]int{header.FlagFIN, header.FlagSYN, header.FlagRST, header.FlagPSH, header.FlagURG,
				header.FlagECE, header.FlagCWR, 0x100}[i]
			if f&bit != 0 {
				all[f] += string(c)
			}
		}
		if f&header.FlagACK != 0 {
			all[f] += "."
		}
		if all[f] == "" {
			all[f] = "none"
		}
	}
	return all
}()

// Addr6 returns an IPv6 address from its number.
func Addr6(v field.Uint128) netip.Addr { return netip.AddrFrom16(v.Bytes()) }

// FormatField returns a field's value as OVN writes such constants.
func FormatField(id field.ID, v field.Uint128) string {
	switch id {
	case field.EthSrc, field.EthDst, field.ARPSHA, field.ARPTHA, field.NDSLL, field.NDTLL:
		return header.FormatMAC(v.Lo)
	case field.IP4Src, field.IP4Dst, field.ARPSPA, field.ARPTPA, field.CTNwSrc, field.CTNwDst:
		return header.IPv4(v.Lo).String()
	case field.IP6Src, field.IP6Dst, field.NDTarget, field.CTIP6Src, field.CTIP6Dst:
		return Addr6(v).String()
	case field.EthType, field.VLANTCI, field.Flags, field.CTMark:
		return fmt.Sprintf("%#x", v.Lo)
	}
	if v.Hi != 0 {
		return fmt.Sprintf("%#x%016x", v.Hi, v.Lo)
	}
	return fmt.Sprintf("%d", v.Lo)
}

// Fields returns every field that Parse sets.
func Fields() []field.ID { return packetFields }
