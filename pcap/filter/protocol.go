package filter

import "ovnreplay/nat/header"

// carried is "proto": a protocol that another one carries.
type carried struct {
	number   uint32
	protocol string // link, ip, ip6, iso, isis, or "" for either IP
	column   int
}

func (n *carried) emit(c *compiler, yes, no label) {
	c.at(n.column)
	carriedIn(n.protocol, n.number)(c, yes, no)
}

func carriedIn(protocol string, number uint32) check {
	switch protocol {
	case "":
		return oneOf(carriedIn("ip", number), carriedIn("ip6", number))
	case "ip":
		return all(carries(header.EtherIPv4), field{of: ofNetwork, at: 9, size: 1}.is(number))
	case "ip6":
		next := field{of: ofNetwork, at: 6, size: 1}
		return all(carries(header.EtherIPv6), oneOf(next.is(number),
			all(next.is(header.ProtoFragment), field{of: ofNetwork, at: 40, size: 1}.is(number))))
	case "iso":
		return all(carries(sapISO), field{of: ofNetworkLLC, size: 1}.is(number))
	case "isis":
		return all(carriedIn("iso", isoISIS), field{of: ofNetworkLLC, at: 4, size: 1}.is(number))
	}
	return carries(number)
}

// abbreviation is a protocol by itself.
type abbreviation struct {
	protocol string
	column   int
}

func (n *abbreviation) emit(c *compiler, yes, no label) {
	c.at(n.column)
	isProtocol(n.protocol)(c, yes, no)
}

// Protocols by the protocol that carries them.
var (
	onLink = map[string]uint32{
		"ip": header.EtherIPv4, "ip6": header.EtherIPv6, "arp": header.EtherARP, "rarp": header.EtherRARP,
		"atalk": header.EtherATalk, "aarp": header.EtherAARP,
		"decnet": header.EtherDECnet, "sca": header.EtherSCA, "lat": header.EtherLAT, "mopdl": header.EtherMOPDL,
		"moprc": header.EtherMOPRC,
		"iso":   sapISO, "stp": sapSTP, "ipx": sapIPX, "netbeui": sapNetBEUI,
	}
	onIPv4 = map[string]uint32{"icmp": header.ProtoICMP, "igmp": header.ProtoIGMP, "igrp": header.ProtoIGRP,
		"vrrp": header.ProtoVRRP, "carp": header.ProtoVRRP}
	onIPv6  = map[string]uint32{"icmp6": header.ProtoICMPv6}
	onAnyIP = map[string]uint32{"tcp": header.ProtoTCP, "udp": header.ProtoUDP, "sctp": header.ProtoSCTP,
		"pim": header.ProtoPIM, "ah": header.ProtoAH, "esp": header.ProtoESP}
	onISO    = map[string]uint32{"clnp": isoCLNP, "esis": isoESIS, "isis": isoISIS}
	isisPDUs = map[string][]uint32{
		"l1": {26, 24, 18, 15, 17}, "l2": {27, 25, 20, 16, 17}, "iih": {17, 15, 16}, "lsp": {18, 20},
		"snp": {27, 26, 24, 25}, "csnp": {24, 25}, "psnp": {26, 27},
	}
)

func isProtocol(word string) check {
	for _, level := range []struct {
		carrier   string
		protocols map[string]uint32
	}{{"link", onLink}, {"ip", onIPv4}, {"ip6", onIPv6}, {"", onAnyIP}, {"iso", onISO}} {
		if n, ok := level.protocols[word]; ok {
			return carriedIn(level.carrier, n)
		}
	}
	var pdus []check
	for _, n := range isisPDUs[word] {
		pdus = append(pdus, carriedIn("isis", n))
	}
	return oneOf(pdus...)
}

// ports is a port, or a range of them, of TCP, UDP or SCTP.
type ports struct {
	first, last uint32
	ranged      bool   // how it is tested, even if it is a range of one
	protocol    uint32 // 0 is any of the three
	direction   string
	column      int
}

func (n *ports) emit(c *compiler, yes, no label) {
	c.at(n.column)
	oneOf(n.ipv6(), n.ipv4())(c, yes, no)
}

// ipv4 looks at the first fragment only: the others have no ports.
func (n *ports) ipv4() check {
	of := func(protocol uint32) check {
		return all(field{of: ofNetwork, at: 9, size: 1}.is(protocol), unfragmented, n.ports(ofIPv4Data))
	}
	return all(carries(header.EtherIPv4), n.each(of))
}

// ipv6 does not look beyond extension headers, nor does libpcap.
func (n *ports) ipv6() check {
	of := func(protocol uint32) check {
		return all(field{of: ofNetwork, at: 6, size: 1}.is(protocol), n.ports(ofIPv6Data))
	}
	return all(carries(header.EtherIPv6), n.each(of))
}

func (n *ports) each(of func(protocol uint32) check) check {
	if n.protocol != 0 {
		return of(n.protocol)
	}
	return oneOf(of(header.ProtoSCTP), of(header.ProtoTCP), of(header.ProtoUDP))
}

func (n *ports) ports(of base) check {
	within := func(f field) check {
		if !n.ranged {
			return f.is(n.first)
		}
		return all(f.atLeast(n.first), opposite(f.above(n.last)))
	}
	return in(n.direction, within(field{of: of, at: 0, size: 2}), within(field{of: of, at: 2, size: 2}))
}

// unfragmented is true of the first fragment of an IPv4 packet, and of a whole
// one.
func unfragmented(c *compiler, yes, no label) {
	opposite(field{of: ofNetwork, at: 6, size: 2}.hasAny(0x1fff))(c, yes, no)
}

// protochain is a protocol anywhere in the chain of headers.
type protochain struct {
	number   uint32
	protocol string // ip, ip6, or "" for either
	column   int
}

func (n *protochain) emit(c *compiler, yes, no label) {
	c.at(n.column)
	if c.payload.variable {
		c.fail(`"protochain" cannot follow "geneve"`)
	}
	c.keepOrder = true
	ip, ip6 := n.walk(header.EtherIPv4, walk4), n.walk(header.EtherIPv6, walk6)
	switch n.protocol {
	case "ip":
		ip(c, yes, no)
	case "ip6":
		ip6(c, yes, no)
	default:
		oneOf(ip, ip6)(c, yes, no)
	}
}

func (n *protochain) walk(protocol uint32, op opcode) check {
	return all(carries(protocol), func(c *compiler, yes, no label) {
		c.emit(loadXNumber, n.number)
		c.emit(op, c.payload.constant+c.network)
		c.test(equal, n.number, yes, no)
	})
}

// llc is an 802.2 frame, of a type if it is typed.
type llc struct {
	kind   llcType
	typed  bool
	column int
}

func (n *llc) emit(c *compiler, yes, no label) {
	c.at(n.column)
	if c.link != linkEthernet {
		c.fail("802.2 frames cannot be told %s", c.where())
	}
	checks := []check{
		opposite(field{of: ofLinkType, size: 2}.above(maxLength8023)),
		opposite(field{of: ofLLC, size: 2}.is(0xffff)), // Novell's, without an 802.2 header
	}
	if n.typed {
		checks = append(checks, field{of: ofLLC, at: 2, size: 1}.masked(n.kind.mask).is(n.kind.value))
	}
	all(checks...)(c, yes, no)
}

// linkPayload is what the link layer carries.
type linkPayload struct {
	protocol uint32
	column   int
}

func (n *linkPayload) emit(c *compiler, yes, no label) {
	c.at(n.column)
	carries(n.protocol)(c, yes, no)
}
