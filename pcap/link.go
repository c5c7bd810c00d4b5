package pcap

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// PacketType is what a Linux packet socket says of a packet (SLL, SLL2).
type PacketType uint8

// Packet types. The values of the headers are one less.
const (
	PacketUnknown   PacketType = iota
	PacketHost                 // to this host
	PacketBroadcast            // link-layer broadcast
	PacketMulticast            // link-layer multicast
	PacketOtherHost            // to somebody else, seen in promiscuous mode
	PacketOutgoing             // sent by this host
)

func (t PacketType) String() string {
	if t > PacketOutgoing {
		t = PacketUnknown
	}
	return [...]string{"unknown", "host", "broadcast", "multicast", "otherhost", "outgoing"}[t]
}

// Direction is the direction a packet type implies.
func (t PacketType) Direction() Direction {
	switch t {
	case PacketUnknown:
		return DirectionUnknown
	case PacketOutgoing:
		return DirectionOut
	}
	return DirectionIn
}

func packetType(header uint16) PacketType {
	if header > 4 {
		return PacketUnknown
	}
	return PacketType(header + 1)
}

// LinkFault is why a frame's link layer could not be read.
type LinkFault uint8

// Link faults; the zero value is none.
const (
	LinkOK          LinkFault = iota
	LinkShort                 // captured bytes end inside the link header
	LinkUnsupported           // a link type this package does not know
	LinkNotIP                 // a raw or null frame of neither IPv4 nor IPv6
	LinkNotEthernet           // a cooked frame of a device without Ethernet-like payload
)

func (f LinkFault) Error() string {
	return [...]string{"", "the frame is shorter than its link header", "link type not supported",
		"neither IPv4 nor IPv6", "not from an Ethernet-like device"}[f]
}

// LinkMeta is what a frame's link layer says, whatever kind it is.
type LinkMeta struct {
	// Payload is the bytes of Record.Data after the link header, without frame
	// check sequence; EtherType is its kind, 0 when it is an 802.2 LLC frame.
	// A VLAN tag, if any, is still at its front (EtherType 0x8100 or 0x88a8).
	Payload   []byte
	Offset    int // of Payload within Data
	EtherType uint16

	HasDst, HasSrc bool
	Dst, Src       [6]byte // Ethernet addresses, where known

	PacketType PacketType
	Direction  Direction // from the packet type, else the record's own
	IfIndex    int       // kernel interface index (SLL2, modified pcap), 0 when unknown
	Device     uint16    // ARPHRD_ type of the device (SLL, SLL2): 1 Ethernet, 772 loopback
}

// Frame reads a record's link layer. eth is the whole Ethernet frame when the
// capture has it, nil for cooked, raw and null captures, of which meta tells
// all that is known. The error is a LinkFault; it costs no allocation.
func Frame(rec *Record) (eth []byte, meta LinkMeta, err error) {
	data := rec.Data
	// A check sequence is there only if the snap length left it.
	if n := rec.FCSLen - max(rec.OrigLen-len(data), 0); n > 0 {
		data = data[:max(len(data)-n, 0)]
	}
	meta.Direction, meta.IfIndex = rec.Direction, rec.IfIndex
	fault := LinkOK
	switch rec.LinkType {
	case LinkEthernet:
		if fault = meta.ethernet(data); fault == LinkOK {
			eth = data
		}
	case LinkSLL:
		fault = meta.sll(data)
	case LinkSLL2:
		fault = meta.sll2(data)
	case LinkRaw, LinkRaw12, LinkRaw14, LinkIPv4, LinkIPv6:
		fault = meta.raw(data, 0)
	case LinkNull, LinkLoop:
		fault = meta.null(data)
	default:
		fault = LinkUnsupported
	}
	if fault != LinkOK {
		return nil, meta, linkErrors[fault]
	}
	return eth, meta, nil
}

// EthernetMeta reads an Ethernet frame that is no record of its own, such as
// the inner frame of a tunnel.
func EthernetMeta(eth []byte) (meta LinkMeta, err error) {
	if fault := meta.ethernet(eth); fault != LinkOK {
		return meta, linkErrors[fault]
	}
	return meta, nil
}

// linkErrors are the faults as error values, made once.
var linkErrors = [...]error{nil, LinkShort, LinkUnsupported, LinkNotIP, LinkNotEthernet}

// payload sets what follows a link header of n bytes.
func (m *LinkMeta) payload(data []byte, n int, etherType uint16) {
	m.Payload, m.Offset = data[n:], n
	if etherType >= 0x0600 { // smaller values are 802.3 lengths and Linux's own kinds
		m.EtherType = etherType
	}
}

func (m *LinkMeta) ethernet(data []byte) LinkFault {
	if len(data) < 14 {
		return LinkShort
	}
	m.HasDst, m.HasSrc = true, true
	m.Dst, m.Src = [6]byte(data), [6]byte(data[6:])
	m.payload(data, 14, binary.BigEndian.Uint16(data[12:]))
	return LinkOK
}

// sll reads the 16 bytes of a cooked capture: packet type, device type,
// address length, address (8 bytes), protocol.
func (m *LinkMeta) sll(data []byte) LinkFault {
	if len(data) < 16 {
		return LinkShort
	}
	m.cooked(binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:]), int(binary.BigEndian.Uint16(data[4:])),
		data[6:14])
	m.payload(data, 16, binary.BigEndian.Uint16(data[14:]))
	return m.device()
}

// sll2 reads the 20 bytes of version 2: protocol, 2 reserved, interface
// index, device type, packet type, address length, address.
func (m *LinkMeta) sll2(data []byte) LinkFault {
	if len(data) < 20 {
		return LinkShort
	}
	m.IfIndex = int(binary.BigEndian.Uint32(data[4:]))
	m.cooked(uint16(data[10]), binary.BigEndian.Uint16(data[8:]), int(data[11]), data[12:20])
	m.payload(data, 20, binary.BigEndian.Uint16(data))
	return m.device()
}

func (m *LinkMeta) cooked(kind, device uint16, addressLen int, address []byte) {
	m.PacketType, m.Device = packetType(kind), device
	if m.PacketType != PacketUnknown {
		m.Direction = m.PacketType.Direction()
	}
	if addressLen == 6 {
		m.HasSrc, m.Src = true, [6]byte(address)
	}
}

// device refuses devices whose protocol field is no EtherType.
func (m *LinkMeta) device() LinkFault {
	const netlink, greTunnel, wifi, wifiPrism, wifiRadiotap, frad = 824, 778, 801, 802, 803, 770
	switch m.Device {
	case netlink, greTunnel, wifi, wifiPrism, wifiRadiotap, frad:
		return LinkNotEthernet
	}
	return LinkOK
}

func (m *LinkMeta) raw(data []byte, at int) LinkFault {
	if len(data) <= at {
		return LinkShort
	}
	switch data[at] >> 4 {
	case 4:
		m.payload(data, at, header.EtherIPv4)
	case 6:
		m.payload(data, at, header.EtherIPv6)
	default:
		return LinkNotIP
	}
	return LinkOK
}

// null reads the 4-byte address family. Its byte order is the capturing
// host's, so both are tried: families are small numbers.
func (m *LinkMeta) null(data []byte) LinkFault {
	if len(data) < 4 {
		return LinkShort
	}
	family := binary.BigEndian.Uint32(data)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(data)
	}
	switch family {
	case 2:
		m.payload(data, 4, header.EtherIPv4)
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin
		m.payload(data, 4, header.EtherIPv6)
	default:
		return LinkNotIP
	}
	return LinkOK
}

// AppendEthernet appends to buf an Ethernet frame of the payload, from src to
// dst. For captures without link addresses the caller supplies both; src is
// overridden by the frame's own source address where it is known.
func (m *LinkMeta) AppendEthernet(buf []byte, dst, src [6]byte) []byte {
	if m.HasDst {
		dst = m.Dst
	}
	if m.HasSrc {
		src = m.Src
	}
	buf = append(append(buf, dst[:]...), src[:]...)
	kind := m.EtherType
	if kind == 0 {
		kind = uint16(min(len(m.Payload), 1500)) // 802.3: a length
	}
	return append(binary.BigEndian.AppendUint16(buf, kind), m.Payload...)
}
