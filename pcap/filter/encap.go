package filter

import "ovnreplay/nat/header"

// encapsulation is vlan, mpls, pppoes or geneve, perhaps with a number. Once
// its test is emitted, the nodes to the right are about what it encapsulates,
// whether the test is true or not: the expression decides, not the packet.
type encapsulation struct {
	kind     string
	number   uint32
	numbered bool
	column   int
}

func (n *encapsulation) emit(c *compiler, yes, no label) {
	c.at(n.column)
	switch n.kind {
	case "vlan":
		n.vlan(c, yes, no)
	case "mpls":
		n.mpls(c, yes, no)
	case "pppoes":
		n.pppoe(c, yes, no)
	default:
		n.geneve(c, yes, no)
	}
}

// withNumber adds the check of the number, if there is one.
func (n *encapsulation) withNumber(is, number check) check {
	if n.numbered {
		return all(is, number)
	}
	return is
}

func (n *encapsulation) vlan(c *compiler, yes, no label) {
	switch {
	case c.labels20 > 0:
		c.fail(`"vlan" cannot follow "mpls"`)
	case c.link != linkEthernet:
		c.fail("VLAN tags cannot be told %s", c.where())
	}
	tagged := oneOf(carries(header.EtherVLAN), carries(header.EtherQinQ), carries(header.EtherOldQinQ))
	n.withNumber(tagged, field{of: ofNetwork, size: 2}.masked(0xfff).is(n.number))(c, yes, no)
	c.payload.constant += 4
	c.linkType.constant += 4
}

func (n *encapsulation) mpls(c *compiler, yes, no label) {
	labelled := carries(header.EtherMPLS)
	switch {
	case c.labels20 > 0: // the label before is not the last
		labelled = field{of: ofNetwork, at: ^uint32(1), size: 1}.masked(1).is(0)
	case c.link != linkEthernet && c.link != linkPPP:
		c.fail("MPLS cannot be told %s", c.where())
	}
	n.withNumber(labelled, field{of: ofNetwork, size: 4}.masked(0xfffff000).is(n.number<<12))(c, yes, no)
	c.network += 4
	c.networkLLC += 4
	c.labels20++
}

func (n *encapsulation) pppoe(c *compiler, yes, no label) {
	session := field{of: ofNetwork, size: 4}.masked(0xffff).is(n.number)
	n.withNumber(carries(header.EtherPPPoES), session)(c, yes, no)
	c.link, c.inGeneve = linkPPP, false
	c.header = c.payload
	c.header.constant += c.network + 6
	c.linkType = c.header
	c.payload.constant = c.header.constant + 2
	c.network, c.networkLLC = 0, 0
}

// geneve finds the headers within Geneve as the program runs: its options vary
// in length, and it may carry an Ethernet frame or a network packet.
func (n *encapsulation) geneve(c *compiler, yes, no label) {
	c.keepOrder = true
	found := c.label()
	oneOf(n.geneveIn(ofIPv4Data), n.geneveIn(ofIPv6Data))(c, found, no)
	c.bind(found)
	c.emit(add, c.payload.constant+c.network+8)
	c.locate()
	c.jump(yes)
	c.link, c.inGeneve = linkEthernet, true
	c.network = 0
}

// geneveIn checks for Geneve in UDP in either IP, and leaves in a the variable
// part of where UDP is, from the network header.
func (n *encapsulation) geneveIn(ip base) check {
	udp := &ports{first: 6081, last: 6081, protocol: header.ProtoUDP, direction: "dst"}
	port := udp.ipv4()
	if ip == ofIPv6Data {
		port = udp.ipv6()
	}
	version := field{of: ip, at: 8, size: 1}.masked(0xc0).is(0)
	vni := field{of: ip, at: 12, size: 4}.masked(0xffffff00).is(n.number << 8)
	return all(n.withNumber(all(port, version), vni), func(c *compiler, yes, _ label) {
		switch {
		case ip == ofIPv4Data:
			c.loadHeaderLength()
			c.emit(xToA, 0)
		case c.payload.variable:
			c.emit(loadXMemory, c.payload.memory)
			c.emit(loadNumber, 40)
			c.emit(addX, 0)
		default:
			c.emit(loadNumber, 40)
		}
		c.jump(yes)
	})
}

// locate puts into memory where the headers within the Geneve header at a are.
func (c *compiler) locate() {
	kind, inner, payload := c.variable(), c.variable(), c.variable()
	c.emit(aToX, 0)
	c.emit(add, 2) // its protocol field
	c.emit(store, kind.memory)
	c.emit(loadByteX, 0)
	c.emit(and, 0x3f)
	c.emit(multiply, 4)
	c.emit(add, 8)
	c.emit(addX, 0)
	c.emit(store, inner.memory)
	c.emit(loadHalfX, 2)
	c.emit(loadXMemory, inner.memory)
	frame, packet := c.label(), c.label()
	c.test(equal, header.EtherTEB, frame, packet)
	c.bind(frame)
	c.emit(xToA, 0)
	c.emit(add, 12)
	c.emit(store, kind.memory)
	c.emit(add, 2)
	c.emit(aToX, 0)
	c.bind(packet)
	c.emit(storeX, payload.memory)
	c.linkType, c.header, c.payload = kind, inner, payload
}

// variable reserves a word of memory for a place in the packet. It is kept for
// the rest of the expression.
func (c *compiler) variable() offset { return offset{variable: true, memory: c.reserve()} }

// inbound is "inbound" or "outbound", which cooked captures tell.
type inbound struct {
	out    bool
	column int
}

func (n *inbound) emit(c *compiler, yes, no label) {
	c.at(n.column)
	const outgoing = 4
	kind := field{of: ofHeader, size: 2}
	switch c.link {
	case linkSLL:
	case linkSLL2:
		kind = field{of: ofHeader, at: 10, size: 1}
	default:
		c.fail(`the direction cannot be told %s: only a capture on "any" (Linux cooked) has it`, c.where())
	}
	if n.out {
		kind.is(outgoing)(c, yes, no)
	} else {
		kind.is(outgoing)(c, no, yes)
	}
}

// ifindex is the interface a packet was captured on.
type ifindex struct {
	number uint32
	column int
}

func (n *ifindex) emit(c *compiler, yes, no label) {
	c.at(n.column)
	if c.link != linkSLL2 {
		c.fail(`the interface cannot be told %s: only a capture on "any" of the second version (LINUX_SLL2) has it`,
			c.where())
	}
	field{of: ofHeader, at: 4, size: 4}.is(n.number)(c, yes, no)
}
