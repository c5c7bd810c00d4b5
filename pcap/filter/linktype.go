package filter

import "ovnreplay/nat/header"

// carries checks that the link layer, or what encapsulates the packet further
// in, carries a protocol: an EtherType or a service access point of 802.2.
func carries(protocol uint32) check {
	return func(c *compiler, yes, no label) { c.carries(protocol)(c, yes, no) }
}

func (c *compiler) carries(protocol uint32) check {
	if c.labels20 > 0 {
		return c.mplsCarries(protocol)
	}
	kind := field{of: ofLinkType, size: 2}
	switch c.link {
	case linkEthernet:
		return ethernetCarries(protocol)
	case linkSLL:
		return cookedCarries(protocol)
	case linkPPP:
		return kind.is(pppProtocol(protocol))
	case linkSLL2:
		return kind.is(protocol)
	case linkNull, linkLoop:
		return c.loopbackCarries(protocol)
	case linkRaw:
		switch protocol {
		case header.EtherIPv4:
			return field{of: ofHeader, size: 1}.masked(0xf0).is(0x40)
		case header.EtherIPv6:
			return field{of: ofHeader, size: 1}.masked(0xf0).is(0x60)
		}
	case linkIPv4:
		return constant(protocol == header.EtherIPv4)
	case linkIPv6:
		return constant(protocol == header.EtherIPv6)
	}
	return constant(false)
}

// snap checks for the 802.2 header that is followed by an EtherType.
func snap(vendor, protocol uint32) check {
	return all(
		field{of: ofLLC, at: 4, size: 4}.is(vendor<<16|protocol),
		field{of: ofLLC, size: 4}.is(sapSNAP<<24|sapSNAP<<16|0x03<<8|vendor>>16))
}

const appleTalk = 0x080007 // the vendor of EtherTalk

// ethernetCarries: the type field is an EtherType, or up to 1500 the length of
// an 802.2 frame.
func ethernetCarries(protocol uint32) check {
	kind := field{of: ofLinkType, size: 2}
	is8023 := opposite(kind.above(maxLength8023))
	llc := field{of: ofLLC, size: 2}
	switch {
	case protocol == sapISO || protocol == sapIP || protocol == sapNetBEUI:
		return all(is8023, llc.is(protocol<<8|protocol))
	case protocol == sapIPX:
		return oneOf(kind.is(header.EtherIPX), all(is8023,
			oneOf(snap(0, header.EtherIPX), field{of: ofLLC, size: 1}.is(sapIPX), llc.is(0xffff))))
	case protocol == header.EtherATalk:
		return oneOf(kind.is(protocol), all(is8023, snap(appleTalk, protocol)))
	case protocol == header.EtherAARP:
		return oneOf(kind.is(protocol), all(is8023, snap(0, protocol)))
	case protocol <= maxLength8023:
		return all(is8023, field{of: ofLinkType, at: 2, size: 1}.is(protocol))
	}
	return kind.is(protocol)
}

// cookedCarries: the protocol field is an EtherType, or says how the payload is
// an 802.3 frame.
func cookedCarries(protocol uint32) check {
	const novell, llc8022 = 1, 4
	kind := field{of: ofLinkType, size: 2}
	switch {
	case protocol == sapISO || protocol == sapIP || protocol == sapNetBEUI:
		return all(kind.is(llc8022), field{of: ofLLC, size: 2}.is(protocol<<8|protocol))
	case protocol == sapIPX:
		return oneOf(kind.is(header.EtherIPX), kind.is(novell), all(kind.is(llc8022),
			oneOf(field{of: ofLLC, size: 1}.is(sapIPX), snap(0, header.EtherIPX))))
	case protocol == header.EtherATalk:
		return oneOf(kind.is(protocol), all(kind.is(llc8022), snap(appleTalk, protocol)))
	case protocol == header.EtherAARP:
		return oneOf(kind.is(protocol), all(kind.is(llc8022), snap(0, protocol)))
	case protocol <= maxLength8023:
		return all(kind.is(llc8022), field{of: ofLLC, size: 1}.is(protocol))
	}
	return kind.is(protocol)
}

// pppProtocol is what PPP calls a protocol.
func pppProtocol(protocol uint32) uint32 {
	switch protocol {
	case header.EtherIPv4:
		return 0x21
	case header.EtherIPv6:
		return 0x57
	case header.EtherDECnet:
		return 0x27
	case header.EtherATalk:
		return 0x29
	case header.EtherNS:
		return 0x25
	case sapISO:
		return 0x23
	case sapSTP:
		return 0x31
	case sapIPX:
		return 0x2b
	case header.EtherMPLS:
		return 0x281
	}
	return protocol
}

// loopbackCarries: the header is an address family, which for IPv6 depends on
// the system that wrote it; those of the BSDs are looked for.
func (c *compiler) loopbackCarries(protocol uint32) check {
	family := func(n uint32) check {
		if c.link == linkNull && !c.bigEndian {
			n <<= 24
		}
		return field{of: ofHeader, size: 4}.is(n)
	}
	switch protocol {
	case header.EtherIPv4:
		return family(2)
	case header.EtherIPv6:
		const darwin, netBSD, freeBSD = 30, 24, 28
		return oneOf(family(darwin), family(netBSD), family(freeBSD))
	}
	return constant(false)
}

// mplsCarries: after the label at the bottom of the stack only IP can be told,
// by its version.
func (c *compiler) mplsCarries(protocol uint32) check {
	version := uint32(0x40)
	switch protocol {
	case header.EtherIPv4:
	case header.EtherIPv6:
		version = 0x60
	default:
		c.fail("only IPv4 and IPv6 can be told after MPLS")
	}
	const bottomOfStack = 1
	return all(
		field{of: ofNetwork, at: ^uint32(1), size: 1}.masked(bottomOfStack).is(bottomOfStack),
		field{of: ofNetwork, size: 1}.masked(0xf0).is(version))
}
