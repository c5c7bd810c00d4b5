package filter

import (
	"encoding/binary"
	"net/netip"

	"ovnreplay/nat/header"
)

// host4 is an IPv4 address, or a net of them, in IPv4, ARP or RARP.
type host4 struct {
	address, mask uint32
	protocol      string // ip, arp, rarp, or "" for any of them
	direction     string
	column        int
}

func (n *host4) emit(c *compiler, yes, no label) {
	c.at(n.column)
	ip := n.within(header.EtherIPv4, 12, 16)
	arp, rarp := n.within(header.EtherARP, 14, 24), n.within(header.EtherRARP, 14, 24)
	switch {
	case n.protocol == "arp":
		arp(c, yes, no)
	case n.protocol == "rarp":
		rarp(c, yes, no)
	case n.protocol == "ip" || c.labels20 > 0:
		ip(c, yes, no)
	default:
		oneOf(ip, arp, rarp)(c, yes, no)
	}
}

// within checks the addresses at two places of a protocol's header.
func (n *host4) within(protocol, src, dst uint32) check {
	at := func(offset uint32) check {
		return all(carries(protocol), field{of: ofNetwork, at: offset, size: 4}.masked(n.mask).is(n.address))
	}
	return in(n.direction, at(src), at(dst))
}

// host6 is an IPv6 address, or those that begin like it.
type host6 struct {
	prefix    netip.Prefix
	direction string
	column    int
}

func (n *host6) emit(c *compiler, yes, no label) {
	c.at(n.column)
	in(n.direction, n.at(8), n.at(24))(c, yes, no)
}

func (n *host6) at(offset uint32) check {
	checks := []check{carries(header.EtherIPv6)}
	address := n.prefix.Addr().As16()
	for i := range uint32(4) {
		bits := min(max(n.prefix.Bits()-32*int(i), 0), 32)
		mask := uint32(uint64(0xffffffff) << (32 - bits))
		word := field{of: ofNetwork, at: offset + 4*i, size: 4}.masked(mask)
		checks = append(checks, word.is(binary.BigEndian.Uint32(address[4*i:])))
	}
	return all(checks...)
}

// etherHost is an Ethernet address.
type etherHost struct {
	address   [6]byte
	direction string
	column    int
}

func (n *etherHost) emit(c *compiler, yes, no label) {
	c.at(n.column)
	if c.link != linkEthernet {
		c.fail("there are no Ethernet addresses %s", c.where())
	}
	all(c.framed(), in(n.direction, n.at(6), n.at(0)))(c, yes, no)
}

// at compares the end first, which differs sooner.
func (n *etherHost) at(offset uint32) check {
	return all(
		field{of: ofHeader, at: offset + 2, size: 4}.is(binary.BigEndian.Uint32(n.address[2:])),
		field{of: ofHeader, at: offset, size: 2}.is(uint32(binary.BigEndian.Uint16(n.address[:]))))
}

// framed checks that Geneve carries an Ethernet frame, if the packet is in
// Geneve: then its payload is not where its header is.
func (c *compiler) framed() check {
	if !c.inGeneve {
		return func(c *compiler, yes, _ label) { c.jump(yes) }
	}
	return func(c *compiler, yes, no label) {
		c.emit(loadMemory, c.header.memory)
		c.emit(loadXMemory, c.payload.memory)
		c.test(equalX, 0, no, yes)
	}
}

// where names where the compiler has got, for errors.
func (c *compiler) where() string {
	names := map[uint16]string{
		linkEthernet: "in Ethernet frames", linkPPP: "within PPPoE", linkRaw: "in packets captured as raw IP",
		linkIPv4: "in packets captured as raw IP", linkIPv6: "in packets captured as raw IP",
		linkNull: "in packets captured on a loopback device", linkLoop: "in packets captured on a loopback device",
		linkSLL: `in packets captured on "any" (Linux cooked)`, linkSLL2: `in packets captured on "any" (Linux cooked)`,
	}
	return names[c.link]
}

// decnetHost is an address in any of DECnet's four headers: long or short,
// with or without a byte of padding before it.
type decnetHost struct {
	address   uint32
	direction string
	column    int
}

func (n *decnetHost) emit(c *compiler, yes, no label) {
	c.at(n.column)
	in(n.direction, n.at(15, 3), n.at(7, 1))(c, yes, no)
}

func (n *decnetHost) at(long, short uint32) check {
	swapped := n.address>>8 | n.address&0xff<<8
	form := func(size, mask, flags, offset uint32) check {
		return all(
			field{of: ofNetwork, at: 2, size: size}.masked(mask).is(flags),
			field{of: ofNetwork, at: 2 + offset, size: 2}.is(swapped))
	}
	return all(carries(header.EtherDECnet), oneOf(
		form(1, 0x07, 0x02, short), form(2, 0xff07, 0x8102, 1+short),
		form(1, 0x07, 0x06, long), form(2, 0xff07, 0x8106, 1+long)))
}

// cast is "broadcast" or "multicast".
type cast struct {
	multi    bool
	protocol string
	column   int
}

func (n *cast) emit(c *compiler, yes, no label) {
	c.at(n.column)
	switch {
	case n.protocol == "" || n.protocol == "link":
		if c.link != linkEthernet {
			c.fail("there are no Ethernet addresses %s; %q can be asked", c.where(), "ip "+n.word())
		}
		is := (&etherHost{address: [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}).at(0)
		if n.multi {
			is = field{of: ofHeader, size: 1}.hasAny(1)
		}
		all(c.framed(), is)(c, yes, no)
	case n.protocol == "ip" && n.multi:
		all(carries(header.EtherIPv4), field{of: ofNetwork, at: 16, size: 1}.atLeast(224))(c, yes, no)
	case n.protocol == "ip":
		// A capture file does not tell the netmask, so all bits count.
		dst := field{of: ofNetwork, at: 16, size: 4}
		all(carries(header.EtherIPv4), oneOf(dst.is(0), dst.is(^uint32(0))))(c, yes, no)
	case n.protocol == "ip6" && n.multi:
		all(carries(header.EtherIPv6), field{of: ofNetwork, at: 24, size: 1}.is(255))(c, yes, no)
	default:
		c.fail("%q has no %s addresses", n.protocol, n.word())
	}
}

func (n *cast) word() string {
	if n.multi {
		return "multicast"
	}
	return "broadcast"
}
