package answer

import (
	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

// ends are where a frame that ovn-controller sends of itself comes from and
// goes to.
type ends struct {
	srcMAC, dstMAC [6]byte
	src, dst       [16]byte // IPv4 in the first four bytes
	v6             bool
}

// headers builds the Ethernet and IP headers of a frame, with room for n more bytes.
func (e ends) headers(proto, hops uint8, n int) (b []byte, at int) {
	b = make([]byte, etherLen+ip4Len)
	typ := uint16(header.EtherIPv4)
	if e.v6 {
		b, typ = make([]byte, etherLen+ip6Len), header.EtherIPv6
	}
	copy(b, e.dstMAC[:])
	copy(b[6:], e.srcMAC[:])
	be.PutUint16(b[12:], typ)
	ip := b[etherLen:]
	if e.v6 {
		ip[0], ip[6], ip[7] = 0x60, proto, hops
		be.PutUint16(ip[4:], uint16(n))
		copy(ip[8:], e.src[:])
		copy(ip[24:], e.dst[:])
	} else {
		ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, hops, proto
		be.PutUint16(ip[2:], uint16(ip4Len+n))
		copy(ip[12:], e.src[:4])
		copy(ip[16:], e.dst[:4])
		be.PutUint16(ip[10:], header.Checksum(0, ip))
	}
	return append(b, make([]byte, n)...), len(b)
}

// datagram fills in the UDP header before the payload at the frame's end. Over
// IPv4 ovn-controller sends no checksum.
func datagram(b []byte, at int, src, dst uint16, v6 bool) {
	u := b[at:]
	be.PutUint16(u, src)
	be.PutUint16(u[2:], dst)
	be.PutUint16(u[4:], uint16(len(u)))
	if !v6 {
		return
	}
	c := header.Checksum(pseudo(b[etherLen:], header.ProtoUDP, len(u)), u)
	if c == 0 {
		c = 0xffff
	}
	be.PutUint16(u[6:], c)
}

// ownHops is the TTL of what ovn-controller sends of itself.
const ownHops = 255

// BFD describes a control packet of a BFD session (RFC 5880, RFC 5881).
type BFD struct {
	SrcMAC   [6]byte
	Src, Dst [16]byte // IPv4 in the first four bytes
	V6       bool
	SrcPort  uint16

	Disc         uint32 // the session's
	Mult         uint8
	MinTX, MinRX uint32 // microseconds

	// As the session stands.
	State      uint8
	Final      bool // it answers a poll
	RemoteDisc uint32
}

// BFDPort is the UDP port of BFD control packets.
const BFDPort = 3784

const (
	bfdLen     = 24
	bfdVersion = 1
	bfdFinal   = 0x10
)

// Frame returns the control packet as ovn-controller gives it to the router:
// to every Ethernet address.
func (m *BFD) Frame() Frame {
	e := ends{m.SrcMAC, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, m.Src, m.Dst, m.V6}
	b, at := e.headers(header.ProtoUDP, ownHops, udpLen+bfdLen)
	c := b[at+udpLen:]
	c[0], c[1], c[2], c[3] = bfdVersion<<5, m.State<<6, m.Mult, bfdLen
	if m.Final {
		c[1] |= bfdFinal
	}
	be.PutUint32(c[4:], m.Disc)
	be.PutUint32(c[8:], m.RemoteDisc)
	be.PutUint32(c[12:], m.MinTX)
	be.PutUint32(c[16:], m.MinRX)
	datagram(b, at, m.SrcPort, BFDPort, m.V6)
	return whole(b)
}

// Stands reads from the control packet in what the database does not say of
// the session that sent it; false if it is none that ovn-controller sends.
func (m *BFD) Stands(in *packet.Packet) bool {
	b := udpPayload(in)
	if len(b) < bfdLen || b[1]&0x3f&^bfdFinal != 0 || b[1]>>6 == 0 {
		return false
	}
	m.State, m.Final, m.RemoteDisc = b[1]>>6, b[1]&bfdFinal != 0, be.Uint32(b[8:])
	return true
}
