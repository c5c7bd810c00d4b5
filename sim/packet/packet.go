// Package packet turns a frame's bytes into a flow key and a changed key back
// into bytes.
//
// Parse reads what Open vSwitch's flow_extract reads, with the same limits: a
// header that does not fit ends the parse there, it is not an error. Flush
// writes changed key fields into the frame and updates checksums
// incrementally (RFC 1624), so that a wrong checksum stays equally wrong and
// lengths never change. Neither allocates.
//
// The package never looks at metadata fields (registers, ports, ct_*), and
// never decides anything: it is told by the key what to write.
package packet

import (
	"encoding/binary"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// typeNone is what OVS calls a frame without an Ethernet type (802.2 without
// SNAP).
const typeNone = 0x05ff

// Fragment bits of ip.frag.
const (
	FragAny   = 1
	FragLater = 2
)

// Layout says where the headers of a frame begin. A header that is absent, or
// does not fit in the captured bytes, is at 0.
type Layout struct {
	L3     int  // IPv4, IPv6 or ARP header
	L3End  int  // end of the IP packet by its own length, at most the frame's end
	L4     int  // TCP, UDP, SCTP, ICMP… header; 0 for later fragments
	NDLink int  // link-layer address of an ND source or target option
	Short  bool // a header promised more bytes than were there

	// ICMP or ICMPv6, as the frame has them: of first fragments, too, of which the key tells none.
	ICMPType, ICMPCode uint8
}

// Headers is what Parse reads of a frame.
type Headers struct {
	Key    field.Key // packet fields only
	Layout Layout
}

// Read parses a frame.
func (h *Headers) Read(frame []byte) {
	h.Key = field.Key{}
	h.Layout = Parse(frame, &h.Key)
}

// HeadersOnce is a frame's headers, parsed when they are first asked for.
type HeadersOnce struct {
	headers Headers
	read    bool
}

// Of returns the headers of a frame, which is to be the same at each call.
func (o *HeadersOnce) Of(frame []byte) *Headers {
	if !o.read {
		o.headers.Read(frame)
		o.read = true
	}
	return &o.headers
}

// Forget makes them those of another frame.
func (o *HeadersOnce) Forget() { o.read = false }

// Set gives the headers of a frame that has been parsed.
func (o *HeadersOnce) Set(h *Headers) { o.headers, o.read = *h, true }

// Packet is a frame with its flow key. Frames are owned: Set copies.
type Packet struct {
	Data   []byte // the frame, from its Ethernet header on
	Wire   int    // length on the wire; more than len(Data) when the capture cut the frame
	Layout Layout
	Key    field.Key
	// Userspace: the frame is in Open vSwitch's userspace datapath, which takes the
	// beginning of a later fragment of IPv4 for a transport header.
	Userspace bool

	// Changed: more of the IP packet has changed than a router changes of it, since
	// whoever looks at it unset this.
	Changed bool

	held Headers // as Data holds them; its Layout only in Headers
}

// Set makes p hold a copy of frame, which had the given length on the wire,
// and a key whose packet fields are read from it and whose other fields are 0.
func (p *Packet) Set(frame []byte, wire int) {
	p.Data = append(p.Data[:0], frame...)
	p.Wire = max(wire, len(frame))
	p.Key = field.Key{}
	p.Reparse()
}

// SetRead is Set for a frame whose headers have been read.
func (p *Packet) SetRead(frame []byte, wire int, h *Headers) {
	p.Data = append(p.Data[:0], frame...)
	p.Wire = max(wire, len(frame))
	p.Key, p.Layout = h.Key, h.Layout
	p.held.Key, p.Changed = p.Key, true
}

// Headers returns the headers of the frame as Data holds it, changes of the
// key that are not flushed left out. They are valid until p changes.
func (p *Packet) Headers() *Headers {
	p.held.Layout = p.Layout
	return &p.held
}

// CopyFrom makes p a copy of q that shares nothing with it.
func (p *Packet) CopyFrom(q *Packet) {
	data := append(p.Data[:0], q.Data...)
	*p = *q
	p.Data = data
}

// Reparse reads the packet fields of the key from the frame again, after
// something else than Flush changed it. Other fields keep their values.
func (p *Packet) Reparse() {
	clearPacketFields(&p.Key)
	p.Layout = Parse(p.Data, &p.Key)
	p.held.Key, p.Changed = p.Key, true
}

// Overlong reports whether the IP header states more than the frame had on the wire.
func (p *Packet) Overlong() bool {
	if p.Layout.L3 == 0 || len(p.Data) < p.Layout.L3+20 {
		return false
	}
	ip, room := p.Data[p.Layout.L3:], p.Wire-p.Layout.L3
	switch p.Key.Get(field.EthType) {
	case header.EtherIPv4, header.EtherIPv6:
		return header.Length(ip) > room
	}
	return false
}

// Unread makes the key one in which nothing is known of the packet above its
// Ethernet header. The frame stays as it is.
func (p *Packet) Unread() {
	src, dst, typ, tci := p.Key.Get(field.EthSrc), p.Key.Get(field.EthDst), p.Key.Get(field.EthType),
		p.Key.Get(field.VLANTCI)
	clearPacketFields(&p.Key)
	p.Key.Set(field.EthSrc, src)
	p.Key.Set(field.EthDst, dst)
	p.Key.Set(field.EthType, typ)
	p.Key.Set(field.VLANTCI, tci)
	p.held.Key = p.Key
}

// Translated reads the addresses and ports of an IP packet again, after NAT
// changed them in the frame. Nothing else of the packet may have changed.
func (p *Packet) Translated() {
	k, ip := &p.Key, p.Data[p.Layout.L3:]
	if k.Get(field.EthType) == header.EtherIPv6 {
		k.Set128(field.IP6Src, field.FromBytes([16]byte(ip[8:24])))
		k.Set128(field.IP6Dst, field.FromBytes([16]byte(ip[24:40])))
	} else {
		k.Set(field.IP4Src, uint64(binary.BigEndian.Uint32(ip[12:])))
		k.Set(field.IP4Dst, uint64(binary.BigEndian.Uint32(ip[16:])))
	}
	if p.Layout.L4 != 0 && k.Get(field.IPFrag) == 0 {
		switch k.Get(field.IPProto) {
		case header.ProtoTCP, header.ProtoUDP, header.ProtoSCTP:
			ports(p.Data[p.Layout.L4:], k)
		}
	}
	p.held.Key = p.Key
}

// IP returns the frame from its IP header on, nil if it has none.
func (p *Packet) IP() []byte {
	if p.Layout.L3 == 0 {
		return nil
	}
	switch p.Key.Get(field.EthType) {
	case header.EtherIPv4, header.EtherIPv6:
		return p.Data[p.Layout.L3:]
	}
	return nil
}

// packetFields are the fields that Parse sets.
var packetFields = []field.ID{
	field.EthSrc, field.EthDst, field.EthType, field.VLANTCI,
	field.IPProto, field.IPDSCP, field.IPECN, field.IPTTL, field.IPFrag,
	field.IP4Src, field.IP4Dst, field.IP6Src, field.IP6Dst, field.IP6Label,
	field.ICMP4Type, field.ICMP4Code, field.ICMP6Type, field.ICMP6Code,
	field.TpSrc, field.TpDst, field.TCPFlags,
	field.ARPOp, field.ARPSPA, field.ARPTPA, field.ARPSHA, field.ARPTHA,
	field.NDTarget, field.NDSLL, field.NDTLL,
}

// packetMask has the bits of every packet field set.
var packetMask = func() (m field.Key) {
	for _, id := range packetFields {
		m.Set128(id, field.Ones(128))
	}
	return m
}()

func clearPacketFields(k *field.Key) {
	for w := range k {
		k[w] &^= packetMask[w]
	}
}

// OnParse, if not nil, is called for each frame that is parsed: tests count.
var OnParse func()

// Parse reads the packet fields of frame into k, which it expects to be 0
// there, and returns where the headers are.
func Parse(frame []byte, k *field.Key) (l Layout) {
	if OnParse != nil {
		OnParse()
	}
	if len(frame) < 14 {
		l.Short = true
		return l
	}
	k.Set(field.EthDst, header.MAC(frame[0:]))
	k.Set(field.EthSrc, header.MAC(frame[6:]))
	typ, ofs := uint16(0), 12
	for range maxTags {
		if t := be16(frame[ofs:]); t != header.EtherVLAN && t != header.EtherQinQ || len(frame) < ofs+6 {
			break
		}
		if ofs == 12 {
			k.Set(field.VLANTCI, uint64(be16(frame[14:])|tciPresent))
		}
		ofs += 4
	}
	typ, ofs = etherType(frame, ofs)
	k.Set(field.EthType, uint64(typ))
	l.L3End = len(frame)
	switch typ {
	case header.EtherIPv4:
		parseIPv4(frame, ofs, k, &l)
	case header.EtherIPv6:
		parseIPv6(frame, ofs, k, &l)
	case header.EtherARP, header.EtherRARP:
		parseARP(frame, ofs, k, &l)
	}
	return l
}

// maxTags is how many VLAN tags are looked through for the Ethernet type: as
// many as OVS knows, for ovn-controller sets its vlan-limit to 0, no limit.
// Flows see the outer one.
const maxTags = 2

// tciPresent is the bit OVS sets in vlan.tci to say that there is a tag.
const tciPresent = 1 << 12

// etherType reads the type at ofs, through 802.2 SNAP, and returns it with
// the offset of what follows.
func etherType(frame []byte, ofs int) (uint16, int) {
	t := be16(frame[ofs:])
	ofs += 2
	if t >= 0x600 {
		return t, ofs
	}
	if snap := frame[ofs:]; len(snap) >= 8 &&
		snap[0] == 0xaa && snap[1] == 0xaa && snap[2] == 3 &&
		snap[3] == 0 && snap[4] == 0 && snap[5] == 0 {
		if t := be16(snap[6:]); t >= 0x600 {
			return t, ofs + 8
		}
	}
	return typeNone, ofs
}

func parseIPv4(frame []byte, ofs int, k *field.Key, l *Layout) {
	ip := frame[ofs:]
	if len(ip) < 20 || ip[0]>>4 != 4 {
		l.Short = len(ip) < 20
		return
	}
	ihl, total := int(ip[0]&15)*4, header.Length(ip)
	if ihl < 20 || total < ihl || len(ip) < ihl {
		l.Short = len(ip) < ihl
		return
	}
	l.L3 = ofs
	l.L3End = min(ofs+total, len(frame))
	l.Short = ofs+total > len(frame)
	k.Set(field.IP4Src, uint64(binary.BigEndian.Uint32(ip[12:])))
	k.Set(field.IP4Dst, uint64(binary.BigEndian.Uint32(ip[16:])))
	k.Set(field.IPProto, uint64(ip[9]))
	k.Set(field.IPTTL, uint64(ip[8]))
	k.Set(field.IPDSCP, uint64(ip[1]>>2))
	k.Set(field.IPECN, uint64(ip[1]&3))
	if f := be16(ip[6:]); f&0x3fff != 0 {
		frag := uint64(FragAny)
		if f&0x1fff != 0 {
			frag |= FragLater
		}
		k.Set(field.IPFrag, frag)
		if frag&FragLater != 0 {
			return
		}
	}
	parseL4(frame, ofs+ihl, ip[9], k, l)
}

func parseIPv6(frame []byte, ofs int, k *field.Key, l *Layout) {
	ip := frame[ofs:]
	if len(ip) < 40 || ip[0]>>4 != 6 {
		l.Short = len(ip) < 40
		return
	}
	total := header.Length(ip)
	l.L3 = ofs
	l.L3End = min(ofs+total, len(frame))
	l.Short = ofs+total > len(frame)
	k.Set128(field.IP6Src, field.FromBytes([16]byte(ip[8:24])))
	k.Set128(field.IP6Dst, field.FromBytes([16]byte(ip[24:40])))
	k.Set(field.IP6Label, uint64(binary.BigEndian.Uint32(ip)&0xfffff))
	tc := be16(ip) >> 4 & 0xff
	k.Set(field.IPDSCP, uint64(tc>>2))
	k.Set(field.IPECN, uint64(tc&3))
	k.Set(field.IPTTL, uint64(ip[7]))
	proto, next, frag, ok := ExtensionHeaders(frame[ofs:l.L3End])
	k.Set(field.IPProto, uint64(proto))
	k.Set(field.IPFrag, uint64(frag))
	if ok && frag&FragLater == 0 {
		parseL4(frame, ofs+next, proto, k, l)
	}
}

// ExtensionHeaders walks the extension headers of the IPv6 packet ip as OVS
// does. It returns the protocol that follows them, its offset, the fragment
// bits, and false if a header is cut short.
func ExtensionHeaders(ip []byte) (proto uint8, ofs int, frag uint8, ok bool) {
	proto, ofs = ip[6], 40
	for header.Extension(proto) {
		need := 2
		if proto == header.ProtoFragment {
			need = 8
		}
		if len(ip) < ofs+need {
			return proto, ofs, frag, false
		}
		next, size := header.Step(proto, ip[ofs:])
		if proto == header.ProtoFragment {
			if f := be16(ip[ofs+2:]); f&0xfff8 != 0 {
				return next, ofs + size, FragAny | FragLater, true
			} else if f&1 != 0 {
				frag = FragAny
			}
		}
		proto, ofs = next, ofs+size
	}
	return proto, ofs, frag, ofs <= len(ip)
}

func parseL4(frame []byte, ofs int, proto uint8, k *field.Key, l *Layout) {
	if ofs > l.L3End {
		return
	}
	b := frame[ofs:l.L3End]
	switch proto {
	case header.ProtoTCP:
		if len(b) < 20 {
			return
		}
		k.Set(field.TCPFlags, uint64(be16(b[12:])&0x0fff))
		ports(b, k)
	case header.ProtoUDP:
		if len(b) < 8 {
			return
		}
		ports(b, k)
	case header.ProtoSCTP:
		if len(b) < 12 {
			return
		}
		ports(b, k)
	case header.ProtoICMP:
		if len(b) < 8 {
			return
		}
		l.ICMPType, l.ICMPCode = b[0], b[1]
		k.Set(field.ICMP4Type, uint64(b[0]))
		k.Set(field.ICMP4Code, uint64(b[1]))
	case header.ProtoICMPv6:
		if len(b) < 8 {
			return
		}
		l.ICMPType, l.ICMPCode = b[0], b[1]
		k.Set(field.ICMP6Type, uint64(b[0]))
		k.Set(field.ICMP6Code, uint64(b[1]))
		parseND(b, ofs, k, l)
	default:
		if len(b) == 0 {
			return
		}
	}
	l.L4 = ofs
	if k.Get(field.IPFrag) != 0 {
		// Open vSwitch pretends that fragments have no ports, first ones too.
		k.Set(field.TpSrc, 0)
		k.Set(field.TpDst, 0)
		k.Set(field.ICMP4Type, 0)
		k.Set(field.ICMP4Code, 0)
		k.Set(field.ICMP6Type, 0)
		k.Set(field.ICMP6Code, 0)
	}
}

func ports(b []byte, k *field.Key) {
	k.Set(field.TpSrc, uint64(be16(b)))
	k.Set(field.TpDst, uint64(be16(b[2:])))
}

// parseND reads neighbour solicitations and advertisements (RFC 4861). Like
// OVS it believes none of their fields when the options are malformed.
func parseND(b []byte, ofs int, k *field.Key, l *Layout) {
	typ := b[0]
	if (typ != 135 && typ != 136) || b[1] != 0 || len(b) < 24 {
		return
	}
	want, id := byte(1), field.NDSLL
	if typ == 136 {
		want, id = 2, field.NDTLL
	}
	at := 0
	for o := 24; o+8 <= len(b); {
		n := int(b[o+1]) * 8
		if n == 0 || o+n > len(b) {
			return
		}
		if b[o] == want && n == 8 {
			if at != 0 {
				return
			}
			at = o + 2
		}
		o += n
	}
	k.Set128(field.NDTarget, field.FromBytes([16]byte(b[8:24])))
	if at != 0 {
		k.Set(id, header.MAC(b[at:]))
		l.NDLink = ofs + at
	}
}

func parseARP(frame []byte, ofs int, k *field.Key, l *Layout) {
	a := frame[ofs:]
	if len(a) < 28 {
		l.Short = true
		return
	}
	if be16(a) != 1 || be16(a[2:]) != header.EtherIPv4 || a[4] != 6 || a[5] != 4 {
		return
	}
	l.L3 = ofs
	if op := be16(a[6:]); op <= 255 {
		k.Set(field.ARPOp, uint64(op))
	}
	k.Set(field.ARPSHA, header.MAC(a[8:]))
	k.Set(field.ARPSPA, uint64(binary.BigEndian.Uint32(a[14:])))
	k.Set(field.ARPTHA, header.MAC(a[18:]))
	k.Set(field.ARPTPA, uint64(binary.BigEndian.Uint32(a[24:])))
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
