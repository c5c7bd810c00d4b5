package nat

import (
	"fmt"
	"strconv"

	"ovnreplay/nat/header"
)

// ICMP is whether the tuple is of ICMP or ICMPv6.
func (t *Tuple) ICMP() bool { return isICMP(t.V6, t.Proto) }

func isICMP(v6 bool, proto uint8) bool {
	if v6 {
		return proto == header.ProtoICMPv6
	}
	return proto == header.ProtoICMP
}

// HasPorts is whether the protocol has ports (the ID of ICMP is not one).
func (t *Tuple) HasPorts() bool { return hasPorts(t.Proto) }

func hasPorts(proto uint8) bool {
	switch proto {
	case header.ProtoTCP, header.ProtoUDP, header.ProtoSCTP, header.ProtoUDPLite:
		return true
	}
	return false
}

// Reverse returns the tuple of the other direction: addresses and ports
// swapped, an ICMP query's type turned into its answer's and back. An ICMP
// type without a counterpart keeps its own (see Reversible).
func (t *Tuple) Reverse() Tuple {
	r := *t
	r.Src, r.Dst = t.Dst, t.Src
	r.SrcPort, r.DstPort = t.DstPort, t.SrcPort
	if t.ICMP() {
		r.Type, _ = reverseType(t.V6, t.Type)
	}
	return r
}

// Reversible is false for an ICMP message that nothing answers: it cannot name a connection.
func (t *Tuple) Reversible() bool {
	if !t.ICMP() {
		return true
	}
	_, ok := reverseType(t.V6, t.Type)
	return ok
}

// Answers reports whether it is that of an ICMP answer, such as an echo reply.
func (t *Tuple) Answers() bool {
	other, ok := reverseType(t.V6, t.Type)
	echo := !t.V6 && t.Type+other == 8 // of which the answer has the lesser number
	return t.ICMP() && ok && (t.Type > other) != echo
}

// reverseType pairs ICMP queries with their answers (RFC 792, 950, 4443, 4620).
func reverseType(v6 bool, typ uint8) (uint8, bool) {
	if v6 {
		switch typ {
		case 128, 139:
			return typ + 1, true
		case 129, 140:
			return typ - 1, true
		}
		return typ, false
	}
	switch typ {
	case 0:
		return 8, true
	case 8:
		return 0, true
	case 13, 15, 17:
		return typ + 1, true
	case 14, 16, 18:
		return typ - 1, true
	}
	return typ, false
}

// String is for people: src:port -> dst:port with the protocol.
func (t *Tuple) String() string {
	name := protoName(t.Proto)
	if t.ICMP() {
		return fmt.Sprintf("%s %s -> %s id %d type %d code %d", name, t.SrcAddr(), t.DstAddr(), t.SrcPort, t.Type,
			t.Code)
	}
	if !t.HasPorts() {
		return fmt.Sprintf("%s %s -> %s", name, t.SrcAddr(), t.DstAddr())
	}
	if t.V6 {
		return fmt.Sprintf("%s [%s]:%d -> [%s]:%d", name, t.SrcAddr(), t.SrcPort, t.DstAddr(), t.DstPort)
	}
	return fmt.Sprintf("%s %s:%d -> %s:%d", name, t.SrcAddr(), t.SrcPort, t.DstAddr(), t.DstPort)
}

func protoName(p uint8) string {
	switch p {
	case header.ProtoICMP:
		return "icmp"
	case header.ProtoTCP:
		return "tcp"
	case header.ProtoUDP:
		return "udp"
	case header.ProtoGRE:
		return "gre"
	case header.ProtoICMPv6:
		return "icmpv6"
	case header.ProtoSCTP:
		return "sctp"
	case header.ProtoUDPLite:
		return "udplite"
	}
	return "proto " + strconv.Itoa(int(p))
}
