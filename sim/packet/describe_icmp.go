package packet

import (
	"encoding/binary"
	"fmt"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// What ICMP messages say, by type and code as IANA's registries have them, and in
// the words of tcpdump and the RFCs where those differ.

// message is an ICMP message's type and code; of all codes of a type that have no
// name of their own, the code is anyCode.
type message struct{ typ, code uint8 }

const anyCode = 255

var icmp4Names = map[message]string{
	{0, anyCode}: "echo reply", {8, anyCode}: "echo request",
	{3, anyCode}: "unreachable", {3, 0}: "network unreachable", {3, 1}: "host unreachable",
	{3, 2}: "protocol unreachable", {3, 3}: "port unreachable", {3, 4}: "fragmentation needed",
	{3, 5}: "source route failed", {3, 6}: "network unknown", {3, 7}: "host unknown",
	{3, 9}: "network administratively prohibited", {3, 10}: "host administratively prohibited",
	{3, 11}: "network unreachable for this TOS", {3, 12}: "host unreachable for this TOS",
	{3, 13}:      "administratively prohibited",
	{4, anyCode}: "source quench", {5, anyCode}: "redirect",
	{9, anyCode}: "router advertisement", {10, anyCode}: "router solicitation",
	{11, anyCode}: "time exceeded", {11, 1}: "reassembly time exceeded",
	{12, anyCode}: "parameter problem",
	{13, anyCode}: "timestamp request", {14, anyCode}: "timestamp reply",
}

var icmp6Names = map[message]string{
	{1, anyCode}: "unreachable", {1, 0}: "no route", {1, 1}: "administratively prohibited",
	{1, 2}: "beyond the source's scope", {1, 3}: "address unreachable", {1, 4}: "port unreachable",
	{1, 5}: "source address failed policy", {1, 6}: "route rejected",
	{2, anyCode}: "packet too big",
	{3, anyCode}: "time exceeded", {3, 1}: "reassembly time exceeded",
	{4, anyCode}:   "parameter problem",
	{128, anyCode}: "echo request", {129, anyCode}: "echo reply",
	{130, anyCode}: "multicast listener query", {131, anyCode}: "multicast listener report",
	{132, anyCode}: "multicast listener done",
	{133, anyCode}: "router solicitation", {134, anyCode}: "router advertisement",
	{135, anyCode}: "neighbor solicitation", {136, anyCode}: "neighbor advertisement",
	{137, anyCode}: "redirect", {143, anyCode}: "multicast listener report",
}

// Message says what a packet tells, of those that are answers in themselves: an ICMP
// message, a TCP reset, an SCTP abort; "" of others.
func (h *Headers) Message(frame []byte) string {
	switch proto := uint8(h.Key.Get(field.IPProto)); {
	case proto == header.ProtoTCP && h.Key.Get(field.TCPFlags)&header.FlagRST != 0:
		return "a reset"
	case proto == header.ProtoSCTP:
		return "an abort"
	case proto == header.ProtoICMP || proto == header.ProtoICMPv6:
		return h.icmp(frame, proto)
	}
	return ""
}

// icmp describes an ICMP message: what it is, and the number that it tells.
func (h *Headers) icmp(frame []byte, proto uint8) string {
	m, names := message{h.Layout.ICMPType, h.Layout.ICMPCode}, icmp4Names
	if proto == header.ProtoICMPv6 {
		names = icmp6Names
	}
	name, ok := names[m]
	if !ok {
		name, ok = names[message{m.typ, anyCode}]
		if !ok {
			return fmt.Sprintf("type %d code %d", m.typ, m.code)
		}
	}
	if h.Layout.L4 == 0 || len(frame) < h.Layout.L4+8 {
		return name
	}
	switch rest := frame[h.Layout.L4+4:]; {
	case proto == header.ProtoICMP && m == message{3, 4}:
		return fmt.Sprintf("%s, MTU %d", name, binary.BigEndian.Uint16(rest[2:]))
	case proto == header.ProtoICMPv6 && m.typ == 2:
		return fmt.Sprintf("%s, MTU %d", name, binary.BigEndian.Uint32(rest))
	case proto == header.ProtoICMP && m.typ == 5:
		return fmt.Sprintf("%s to %s", name, header.IPv4(uint64(binary.BigEndian.Uint32(rest))))
	}
	return name
}
