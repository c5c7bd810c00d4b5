package lflow

import (
	"fmt"

	"ovnreplay/sim/field"
)

// The standard symbols. Authority: ovn-sb(5), "Logical_Flow:match", and
// ovn-architecture(7) for the bits of flags, ct_mark and ct_label.

func (b *symtabBuilder) standard() {
	b.ports()
	b.registers()
	b.flags()
	b.connmark()
	b.connlabel()
	b.connstate()
	b.ethernet()
	b.ip()
	b.ip6Multicast()
	b.arp()
	b.neighbours()
	b.transport()
	b.field("pkt.mark", field.PktMark, 32, "")
	b.add(Symbol{Name: "icmp4.frag_mtu", Width: 16, OVNField: ICMP4FragMTU, Level: Nominal,
		Writable: WriteDefault | WriteCTCommit})
	b.add(Symbol{Name: "icmp6.frag_mtu", Width: 32, OVNField: ICMP6FragMTU, Level: Nominal,
		Writable: WriteDefault | WriteCTCommit})
	b.add(Symbol{Name: "icmp4.inner_ip4.src", Width: 32, OVNField: ICMP4InnerIP4Src, Level: Nominal,
		Writable: WriteDefault | WriteCTCommit})
}

// evpnBit of a port's key says that the port is a remote VTEP.
const evpnBit = 31

func (b *symtabBuilder) ports() {
	b.str("inport", field.Inport, 0)
	b.str("outport", field.Outport, 0)
	b.field("__inport", field.Inport, 32, "")
	b.field("__outport", field.Outport, 32, "")
	b.predicate("from_evpn_vtep", fmt.Sprintf("__inport[%d]", evpnBit))
	b.predicate("to_evpn_vtep", fmt.Sprintf("__outport[%d]", evpnBit))
	b.str("remote_outport", field.XXReg0, 64) // reg1
}

// registers defines reg0 to reg9 and the pairs and quadruples of them as
// parts of the widest register that holds them, so that overlaps show.
func (b *symtabBuilder) registers() {
	b.field("xxreg0", field.XXReg0, 128, "")
	b.field("xxreg1", field.XXReg1, 128, "")
	for i := range 4 {
		ofs := 64 * (1 - i%2)
		b.sub(fmt.Sprintf("xreg%d", i), fmt.Sprintf("xxreg%d[%d..%d]", i/2, ofs, ofs+63), "", WriteDefault)
	}
	b.field("xreg4", field.XReg4, 64, "")
	for i := range 8 {
		ofs := 32 * (3 - i%4)
		b.sub(fmt.Sprintf("reg%d", i), fmt.Sprintf("xxreg%d[%d..%d]", i/4, ofs, ofs+31), "", WriteDefault)
	}
	b.sub("reg8", "xreg4[32..63]", "", WriteDefault)
	b.sub("reg9", "xreg4[0..31]", "", WriteDefault)
}

func (b *symtabBuilder) flags() {
	b.field("flags", field.Flags, 32, "")
	for _, f := range []struct{ name, bits string }{
		{"loopback", "0"},
		{"force_snat_for_dnat", "2"},
		{"force_snat_for_lb", "3"},
		{"skip_snat_for_lb", "9"},
		{"use_snat_zone", "11"},
		{"localnet", "15"},
		{"tunnel_rx", "16"},
		{"icmp_snat", "17"},
		{"from_ctrl", "19"},
		{"unsnat_new", "20"},
		{"unsnat_not_tracked", "21"},
		{"igmp_loopback", "22"},
		{"pkt_sampled", "23"},
		{"network_id", "28..31"},
	} {
		b.sub("flags."+f.name, "flags["+f.bits+"]", "", WriteDefault)
	}
}

func (b *symtabBuilder) connmark() {
	b.field("ct_mark", field.CTMark, 32, "")
	b.last.Writable = WriteCTCommit
	for _, f := range []struct{ name, bits string }{
		{"blocked", "0"},
		{"natted", "1"},
		{"skip_snat", "2"},
		{"force_snat", "3"},
		{"obs_stage", "4..5"},
		{"allow_established", "6"},
		{"ecmp_reply_port", "16..31"},
		{"obs_collector_id", "16..23"},
	} {
		b.sub("ct_mark."+f.name, "ct_mark["+f.bits+"]", "", WriteCTCommit)
	}
}

// connlabel includes the bits that moved to ct_mark with 21.12 and left
// ct_label with 24.09.
func (b *symtabBuilder) connlabel() {
	b.field("ct_label", field.CTLabel, 128, "")
	b.last.Writable = WriteCTCommit
	for _, f := range []struct{ name, bits string }{
		{"blocked", "0"},     // until 24.03
		{"natted", "1"},      // until 24.03
		{"skip_snat", "2"},   // until 24.03
		{"force_snat", "3"},  // until 24.03
		{"nf", "7"},          // network functions: 26.03
		{"tun_if", "8"},      // 26.03
		{"nf_id", "17..24"},  // 26.03
		{"acl_id", "80..95"}, // 25.03
		{"tun_if_id", "80..95"},
		{"ecmp_reply_port", "80..95"}, // until 24.03
		{"ecmp_reply_eth", "32..79"},
		{"label", "96..127"},
		{"obs_point_id", "96..127"},
		{"obs_unused", "0..95"},
	} {
		b.sub("ct_label."+f.name, "ct_label["+f.bits+"]", "", WriteCTCommit)
	}
}

func (b *symtabBuilder) connstate() {
	b.field("ct_state", field.CTState, 32, "").readOnly()
	for bit, name := range []string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"} {
		prereqs := "ct.trk"
		if name == "trk" {
			prereqs = ""
		}
		b.sub("ct."+name, fmt.Sprintf("ct_state[%d]", bit), prereqs, WriteDefault)
	}
}

func (b *symtabBuilder) ethernet() {
	b.field("eth.src", field.EthSrc, 48, "")
	b.field("eth.dst", field.EthDst, 48, "")
	b.field("eth.type", field.EthType, 16, "").nominal().readOnly().crossproduct()
	b.predicate("eth.bcast", "eth.dst == ff:ff:ff:ff:ff:ff")
	b.sub("eth.mcast", "eth.dst[40]", "", WriteDefault)
	b.predicate("eth.mcastv6", "eth.dst[32..47] == 0x3333")

	b.field("vlan.tci", field.VLANTCI, 16, "")
	b.predicate("vlan.present", "vlan.tci[12]")
	b.sub("vlan.pcp", "vlan.tci[13..15]", "vlan.present", WriteDefault)
	b.sub("vlan.vid", "vlan.tci[0..11]", "vlan.present", WriteDefault)
}

func (b *symtabBuilder) ip() {
	b.predicate("ip4", "eth.type == 0x800")
	b.predicate("ip6", "eth.type == 0x86dd")
	b.predicate("ip", "ip4 || ip6")
	b.field("ip.proto", field.IPProto, 8, "ip").nominal().readOnly().crossproduct()
	b.field("ip.dscp", field.IPDSCP, 6, "ip").nominal()
	b.field("ip.ecn", field.IPECN, 2, "ip").nominal()
	b.field("ip.ttl", field.IPTTL, 8, "ip").nominal()
	b.field("ip.frag", field.IPFrag, 2, "ip").readOnly()
	b.predicate("ip.is_frag", "ip.frag[0]")
	b.predicate("ip.later_frag", "ip.frag[1]")
	b.predicate("ip.first_frag", "ip.is_frag && !ip.later_frag")

	b.field("ip4.src", field.IP4Src, 32, "ip4")
	b.field("ip4.dst", field.IP4Dst, 32, "ip4")
	b.predicate("ip4.src_mcast", "ip4.src[28..31] == 0xe")
	b.predicate("ip4.mcast", "eth.mcast && ip4.dst[28..31] == 0xe")

	b.predicate("icmp4", "ip4 && ip.proto == 1")
	b.field("icmp4.type", field.ICMP4Type, 8, "icmp4").nominal()
	b.field("icmp4.code", field.ICMP4Code, 8, "icmp4").nominal()
	b.predicate("igmp", "ip4.mcast && ip.proto == 2") // "ip4 && …" before 22.12

	b.field("ip6.src", field.IP6Src, 128, "ip6")
	b.field("ip6.dst", field.IP6Dst, 128, "ip6")
	b.field("ip6.label", field.IP6Label, 20, "ip6")

	b.predicate("icmp6", "ip6 && ip.proto == 58")
	b.field("icmp6.type", field.ICMP6Type, 8, "icmp6").nominal().crossproduct()
	b.field("icmp6.code", field.ICMP6Code, 8, "icmp6").nominal().crossproduct()
	b.predicate("icmp", "icmp4 || icmp6")
}

// ip6Multicast defines the well-known groups of RFC 4291, 2.7.1.
func (b *symtabBuilder) ip6Multicast() {
	reserved := ""
	for scope := range 16 {
		reserved += fmt.Sprintf("ff%02x::, ", scope)
	}
	b.predicate("ip6.mcast_rsvd", "ip6.dst == { "+reserved+"}")
	b.predicate("ip6.mcast_all_nodes", "ip6.dst == ff01::1 || ip6.dst == ff02::1")
	b.predicate("ip6.mcast_all_rtrs", "ip6.dst == ff01::2 || ip6.dst == ff02::2 || ip6.dst == ff05::2")
	b.predicate("ip6.mcast_sol_node", "ip6.dst == ff02::1:ff00:0000/104")
	b.predicate("ip6.mcast_flood", "eth.mcastv6 && (ip6.mcast_rsvd || ip6.mcast_all_nodes || "+
		"ip6.mcast_all_rtrs || ip6.mcast_sol_node)")
	b.predicate("ip6.mcast", "eth.mcastv6 && ip6.dst[120..127] == 0xff")
}

// arp defines ARP and, in the same fields, RARP.
func (b *symtabBuilder) arp() {
	for _, p := range []struct{ name, ethType string }{{"arp", "0x806"}, {"rarp", "0x8035"}} {
		b.predicate(p.name, "eth.type == "+p.ethType)
		b.field(p.name+".op", field.ARPOp, 16, p.name).nominal()
		b.field(p.name+".spa", field.ARPSPA, 32, p.name)
		b.field(p.name+".sha", field.ARPSHA, 48, p.name)
		b.field(p.name+".tpa", field.ARPTPA, 32, p.name)
		b.field(p.name+".tha", field.ARPTHA, 48, p.name)
	}
}

// neighbours defines neighbour discovery (RFC 4861) and multicast listener
// discovery (RFC 2710, RFC 3810).
func (b *symtabBuilder) neighbours() {
	const genuine = " && icmp6.code == 0 && ip.ttl == 255"
	b.predicate("nd", "icmp6.type == {135, 136}"+genuine)
	b.predicate("nd_ns", "icmp6.type == 135"+genuine)
	b.predicate("nd_ns_mcast", "ip6.mcast && icmp6.type == 135"+genuine)
	b.predicate("nd_na", "icmp6.type == 136"+genuine)
	b.predicate("nd_rs", "icmp6.type == 133"+genuine)
	b.predicate("nd_ra", "icmp6.type == 134"+genuine)
	b.field("nd.target", field.NDTarget, 128, "nd")
	b.field("nd.sll", field.NDSLL, 48, "nd_ns")
	b.field("nd.tll", field.NDTLL, 48, "nd_na")

	b.predicate("mldv1", "eth.mcastv6 && ip6.src == fe80::/10 && icmp6.type == {130, 131, 132}")
	b.predicate("mldv2", "eth.mcastv6 && ip6.dst == ff02::16 && icmp6.type == 143")
}

func (b *symtabBuilder) transport() {
	for _, p := range []struct {
		name   string
		number int
	}{{"tcp", 6}, {"udp", 17}, {"sctp", 132}} {
		b.predicate(p.name, fmt.Sprintf("ip.proto == %d", p.number))
		b.field(p.name+".src", field.TpSrc, 16, p.name)
		b.field(p.name+".dst", field.TpDst, 16, p.name)
	}
	b.field("tcp.flags", field.TCPFlags, 12, "tcp").readOnly()
}

// aclCT redefines the transport protocols in terms of the connection.
func (b *symtabBuilder) aclCT() {
	b.field("ct_proto", field.CTProto, 8, "ct.trk").nominal().readOnly()
	for _, p := range []struct {
		name   string
		number int
	}{{"tcp", 6}, {"udp", 17}, {"sctp", 132}} {
		for _, name := range []string{p.name, p.name + ".src", p.name + ".dst"} {
			delete(b.tab.byName, name)
		}
		b.predicate(p.name, fmt.Sprintf("ct.trk && !ct.inv && ct_proto == %d", p.number))
		b.field(p.name+".src", field.CTTpSrc, 16, p.name).readOnly()
		b.field(p.name+".dst", field.CTTpDst, 16, p.name).readOnly()
	}
}
