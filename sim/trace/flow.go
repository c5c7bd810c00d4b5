package trace

import (
	"fmt"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// Registers that hold OVN's metadata (ovn-architecture(7)), by number.
const (
	regFlags   = 10
	regInport  = 14
	regOutport = 15
	registers  = 16
)

// FormatFlow writes a packet and its metadata as Open vSwitch writes flows:
// the line with which ovn-trace begins. Metadata that is 0 is left out.
func FormatFlow(net *network.Network, k *field.Key) string {
	w := flowWriter{k: k}
	w.metadata()
	w.protocol()
	for i, v := range registersOf(net, k) {
		w.nonzero(fmt.Sprintf("reg%d", i), uint64(v))
	}
	w.ethernet()
	switch k.Get(field.EthType) {
	case header.EtherIPv4, header.EtherIPv6:
		w.ip()
	case header.EtherARP, header.EtherRARP:
		w.arp()
	case header.EtherMPLS, header.EtherMPLSMulticast: // OVN has no fields of it
		w.out = append(w.out, "mpls_label=0,mpls_tc=0,mpls_ttl=0,mpls_bos=0,mpls_lse1=0,mpls_lse2=0")
	}
	return strings.Join(w.out, ",")
}

type flowWriter struct {
	k   *field.Key
	out []string
	// the protocol's name says what nw_proto would
	named bool
}

func (w *flowWriter) add(name, value string) { w.out = append(w.out, name+"="+value) }

func (w *flowWriter) nonzero(name string, v uint64) {
	if v != 0 {
		w.add(name, fmt.Sprintf("%#x", v))
	}
}

func (w *flowWriter) number(name string, id field.ID) { w.add(name, fmt.Sprint(w.k.Get(id))) }

func (w *flowWriter) mac(name string, id field.ID) { w.add(name, header.FormatMAC(w.k.Get(id))) }

func (w *flowWriter) metadata() {
	k := w.k
	w.nonzero("pkt_mark", k.Get(field.PktMark))
	state := k.Get(field.CTState)
	if state != 0 {
		w.add("ct_state", StateString(stateOf(state)))
	}
	w.nonzero("ct_mark", k.Get(field.CTMark))
	if l := k.Get128(field.CTLabel); !l.IsZero() {
		w.add("ct_label", hex(l))
	}
	const valid = 1 | 2 | 8 // new, est or rpl: there is a connection
	if state&valid == 0 || k.Get(field.CTProto) == 0 {
		return
	}
	switch k.Get(field.EthType) {
	case header.EtherIPv4:
		w.add("ct_nw_src", header.IPv4(k.Get(field.CTNwSrc)).String())
		w.add("ct_nw_dst", header.IPv4(k.Get(field.CTNwDst)).String())
	case header.EtherIPv6:
		w.add("ct_ipv6_src", packet.Addr6(k.Get128(field.CTIP6Src)).String())
		w.add("ct_ipv6_dst", packet.Addr6(k.Get128(field.CTIP6Dst)).String())
	default:
		return
	}
	w.number("ct_nw_proto", field.CTProto)
	w.number("ct_tp_src", field.CTTpSrc)
	w.number("ct_tp_dst", field.CTTpDst)
}

// protocol writes the protocol's name, if it has one.
func (w *flowWriter) protocol() {
	v6, name := "", ""
	switch w.k.Get(field.EthType) {
	case header.EtherIPv4:
		name = "ip"
	case header.EtherIPv6:
		name, v6 = "ipv6", "6"
	case header.EtherARP:
		name = "arp"
	case header.EtherRARP:
		name = "rarp"
	case header.EtherMPLS:
		name = "mpls"
	case header.EtherMPLSMulticast:
		name = "mplsm"
	default:
		return
	}
	if name == "ip" || name == "ipv6" {
		proto := w.k.Get(field.IPProto)
		switch {
		case proto == header.ProtoTCP:
			name = "tcp" + v6
		case proto == header.ProtoUDP:
			name = "udp" + v6
		case proto == header.ProtoSCTP:
			name = "sctp" + v6
		case proto == header.ProtoICMP && v6 == "":
			name = "icmp"
		case proto == header.ProtoICMPv6 && v6 != "":
			name = "icmp6"
		}
		w.named = name != "ip" && name != "ipv6"
	}
	w.out = append(w.out, name)
}

// registersOf returns OVS's registers as OVN uses them.
func registersOf(net *network.Network, k *field.Key) (r [registers]uint32) {
	split := func(at int, v field.Uint128) {
		r[at], r[at+1], r[at+2], r[at+3] = uint32(v.Hi>>32), uint32(v.Hi), uint32(v.Lo>>32), uint32(v.Lo)
	}
	split(0, k.Get128(field.XXReg0))
	split(4, k.Get128(field.XXReg1))
	r[8], r[9] = uint32(k.Get(field.XReg4)>>32), uint32(k.Get(field.XReg4))
	r[regFlags] = uint32(k.Get(field.Flags))
	r[regInport] = portKey(net, k.Get(field.Inport))
	r[regOutport] = portKey(net, k.Get(field.Outport))
	return r
}

func portKey(net *network.Network, index uint64) uint32 {
	if index == 0 || index >= uint64(len(net.Ports)) {
		return 0
	}
	return net.Ports[index].TunnelKey
}

func (w *flowWriter) ethernet() {
	const present = 1 << 12
	if tci := w.k.Get(field.VLANTCI); tci&present != 0 {
		w.add("dl_vlan", fmt.Sprint(tci&0xfff))
		w.add("dl_vlan_pcp", fmt.Sprint(tci>>13))
		w.add("vlan_tci1", "0x0000")
	} else {
		w.add("vlan_tci", fmt.Sprintf("0x%04x", tci))
		if tci != 0 {
			w.add("vlan_tci1", "0x0000")
		}
	}
	w.mac("dl_src", field.EthSrc)
	w.mac("dl_dst", field.EthDst)
	if t := w.k.Get(field.EthType); t != header.EtherIPv4 && t != header.EtherIPv6 && t != header.EtherARP &&
		t != header.EtherRARP && t != header.EtherMPLS && t != header.EtherMPLSMulticast {
		w.add("dl_type", fmt.Sprintf("0x%04x", t))
	}
}

func (w *flowWriter) arp() {
	w.add("arp_spa", header.IPv4(w.k.Get(field.ARPSPA)).String())
	w.add("arp_tpa", header.IPv4(w.k.Get(field.ARPTPA)).String())
	w.add("arp_op", fmt.Sprint(uint8(w.k.Get(field.ARPOp))))
	w.mac("arp_sha", field.ARPSHA)
	w.mac("arp_tha", field.ARPTHA)
}

func (w *flowWriter) ip() {
	k := w.k
	v6 := k.Get(field.EthType) == header.EtherIPv6
	if v6 {
		w.add("ipv6_src", packet.Addr6(k.Get128(field.IP6Src)).String())
		w.add("ipv6_dst", packet.Addr6(k.Get128(field.IP6Dst)).String())
		w.add("ipv6_label", fmt.Sprintf("0x%05x", k.Get(field.IP6Label)))
	} else {
		w.add("nw_src", header.IPv4(k.Get(field.IP4Src)).String())
		w.add("nw_dst", header.IPv4(k.Get(field.IP4Dst)).String())
	}
	if !w.named {
		w.number("nw_proto", field.IPProto)
	}
	w.add("nw_tos", fmt.Sprint(k.Get(field.IPDSCP)<<2))
	w.number("nw_ecn", field.IPECN)
	w.number("nw_ttl", field.IPTTL)
	w.add("nw_frag", [...]string{"no", "first", "<error>", "later"}[k.Get(field.IPFrag)&3])
	if k.Get(field.IPFrag)&packet.FragLater == 0 {
		w.transport(v6)
	}
}

func (w *flowWriter) transport(v6 bool) {
	k := w.k
	switch proto := k.Get(field.IPProto); {
	case proto == header.ProtoICMP && !v6:
		w.number("icmp_type", field.ICMP4Type)
		w.number("icmp_code", field.ICMP4Code)
	case proto == header.ProtoICMPv6 && v6:
		w.number("icmp_type", field.ICMP6Type)
		w.number("icmp_code", field.ICMP6Code)
		if t := k.Get(field.ICMP6Type); (t == 135 || t == 136) && k.Get(field.ICMP6Code) == 0 {
			w.add("nd_target", packet.Addr6(k.Get128(field.NDTarget)).String())
			w.mac("nd_sll", field.NDSLL)
			w.mac("nd_tll", field.NDTLL)
		}
	case proto == header.ProtoICMP, proto == header.ProtoICMPv6, proto == header.ProtoIGMP,
		proto == header.ProtoTCP, proto == header.ProtoUDP, proto == header.ProtoSCTP:
		w.number("tp_src", field.TpSrc)
		w.number("tp_dst", field.TpDst)
		if proto == header.ProtoTCP {
			w.add("tcp_flags", tcpFlags(k.Get(field.TCPFlags)))
		}
	}
}

// tcpFlags writes TCP flags as OVS does.
func tcpFlags(f uint64) string {
	var names []string
	for i, n := range []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]",
		"[800]"} {
		if f>>i&1 != 0 {
			names = append(names, n)
		}
	}
	if names == nil {
		return "0"
	}
	return strings.Join(names, "|")
}

// formatValue writes the value of a field, or of a part of one, as OVS does.
func formatValue(s field.Slice, v field.Uint128) string {
	if s != field.Whole(s.Field) {
		return hex(v)
	}
	switch s.Field {
	case field.EthSrc, field.EthDst, field.ARPSHA, field.ARPTHA, field.NDSLL, field.NDTLL:
		return header.FormatMAC(v.Lo)
	case field.IP4Src, field.IP4Dst, field.ARPSPA, field.ARPTPA, field.CTNwSrc, field.CTNwDst:
		return header.IPv4(v.Lo).String()
	case field.IP6Src, field.IP6Dst, field.NDTarget, field.CTIP6Src, field.CTIP6Dst:
		return packet.Addr6(v).String()
	case field.TCPFlags:
		return tcpFlags(v.Lo)
	case field.CTState:
		return StateString(stateOf(v.Lo))
	case field.IPProto, field.IPDSCP, field.IPECN, field.IPTTL, field.TpSrc, field.TpDst, field.ARPOp,
		field.ICMP4Type, field.ICMP4Code, field.ICMP6Type, field.ICMP6Code, field.CTProto, field.CTTpSrc, field.CTTpDst:
		return fmt.Sprint(v.Lo)
	}
	return hex(v)
}

func hex(v field.Uint128) string {
	switch {
	case v.Hi != 0:
		return fmt.Sprintf("%#x%016x", v.Hi, v.Lo)
	case v.Lo != 0:
		return fmt.Sprintf("%#x", v.Lo)
	}
	return "0"
}

func stateOf(v uint64) conntrack.State { return conntrack.State(v) }
