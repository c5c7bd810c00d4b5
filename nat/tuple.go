package nat

import (
	"fmt"
	"net/netip"
	"strconv"
)

// IP protocol numbers that matter to tuples (IANA).
const (
	protoHopByHop = 0
	ProtoICMP     = 1
	ProtoTCP      = 6
	ProtoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	ProtoGRE      = 47
	protoAH       = 51
	ProtoICMPv6   = 58
	ProtoNoNext   = 59 // nothing follows an IPv6 header
	protoDestOpts = 60
	ProtoSCTP     = 132
	ProtoUDPLite  = 136
)

// AddrBytes returns an address as tuples hold it: an IPv4 address in the first
// four bytes.
func AddrBytes(a netip.Addr) (b [16]byte) {
	if a.Is4() {
		v4 := a.As4()
		copy(b[:], v4[:])
		return b
	}
	return a.As16()
}

// ICMP is whether the tuple is of ICMP or ICMPv6.
func (t *Tuple) ICMP() bool { return isICMP(t.V6, t.Proto) }

func isICMP(v6 bool, proto uint8) bool {
	if v6 {
		return proto == ProtoICMPv6
	}
	return proto == ProtoICMP
}

// HasPorts is whether the protocol has ports (the ID of ICMP is not one).
func (t *Tuple) HasPorts() bool { return hasPorts(t.Proto) }

func hasPorts(proto uint8) bool {
	switch proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP, ProtoUDPLite:
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
		return fmt.Sprintf("%s %s -> %s id %d type %d code %d", name, t.SrcAddr(), t.DstAddr(), t.SrcPort, t.Type, t.Code)
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
	case ProtoICMP:
		return "icmp"
	case ProtoTCP:
		return "tcp"
	case ProtoUDP:
		return "udp"
	case ProtoGRE:
		return "gre"
	case ProtoICMPv6:
		return "icmpv6"
	case ProtoSCTP:
		return "sctp"
	case ProtoUDPLite:
		return "udplite"
	}
	return "proto " + strconv.Itoa(int(p))
}
