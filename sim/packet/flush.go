package packet

import (
	"encoding/binary"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// Dirty reports whether the key's packet fields differ from the frame.
func (p *Packet) Dirty() bool { return p.differs(&packetMask) }

// differs reports whether bits of packet fields that a mask has differ from the frame's.
func (p *Packet) differs(of *field.Key) bool {
	k := p.Key[packetWords.from:packetWords.to]
	held, mask := p.held.Key[packetWords.from:][:len(k)], of[packetWords.from:][:len(k)]
	differ := uint64(0)
	for w := range k {
		differ |= (k[w] ^ held[w]) & mask[w]
	}
	return differ != 0
}

// packetWords are the words of a key that hold packet fields, and those between them.
var packetWords = func() (r struct{ from, to int }) {
	r.from = field.Words
	for w, m := range packetMask {
		if m != 0 {
			r.from, r.to = min(r.from, w), w+1
		}
	}
	return r
}()

// Flush writes the packet fields that changed since Set, Reparse or the last
// Flush into the frame. It writes no others: where something else changed the
// frame (NAT that flows are not to see yet), that change stays. Fields whose
// header the frame does not have go nowhere; a flow's prerequisites keep that
// from happening.
func (p *Packet) Flush() {
	if !p.Dirty() {
		return
	}
	k, h, l := &p.Key, &p.held.Key, &p.Layout
	if len(p.Data) < 14 {
		p.Reparse()
		return
	}
	if k[ethWord] != h[ethWord] || k[ethDstWord] != h[ethDstWord] {
		p.flushEthernet()
	}
	p.Changed = p.Changed || p.beyondRouting()
	if l.L3 != 0 {
		switch h.Get(field.EthType) {
		case header.EtherIPv4:
			p.flushIPv4()
		case header.EtherIPv6:
			p.flushIPv6()
		case header.EtherARP, header.EtherRARP:
			p.flushARP()
		}
		if l.L4 != 0 {
			p.flushL4()
		}
	}
	p.held.Key = p.Key
}

// beyondRouting reports whether packet fields other than those that a router
// changes differ from the frame's.
func (p *Packet) beyondRouting() bool { return p.differs(&fixedMask) }

// fixedMask has the bits of packet fields set but those that may change while the parse of the
// IP packet and whether its checksums are right stay the same.
var fixedMask = func() (m field.Key) {
	for _, id := range []field.ID{field.EthSrc, field.EthDst, field.IPTTL, field.IPDSCP, field.IPECN} {
		m.Set128(id, field.Ones(128))
	}
	for w := range m {
		m[w] = packetMask[w] &^ m[w]
	}
	return m
}()

var (
	ethWord    = field.EthSrc.Word()
	ethDstWord = field.EthDst.Word()
)

// changed returns a field's new value and whether it differs from the frame's.
func (p *Packet) changed(id field.ID) (uint64, bool) {
	v := p.Key.Get(id)
	return v, v != p.held.Key.Get(id)
}

func (p *Packet) flushEthernet() {
	header.PutMAC(p.Data[0:], p.Key.Get(field.EthDst))
	header.PutMAC(p.Data[6:], p.Key.Get(field.EthSrc))
	if tci, ok := p.changed(field.VLANTCI); ok {
		p.setVLAN(uint16(tci))
	}
}

// setVLAN pushes, pops or changes the outer tag.
func (p *Packet) setVLAN(tci uint16) {
	had := p.held.Key.Get(field.VLANTCI) != 0
	switch {
	case tci&tciPresent == 0 && had:
		p.Data = append(p.Data[:12], p.Data[16:]...)
		p.Wire -= 4
		p.Layout.shift(-4)
	case tci&tciPresent != 0 && !had:
		p.Data = append(p.Data, 0, 0, 0, 0)
		copy(p.Data[16:], p.Data[12:len(p.Data)-4])
		binary.BigEndian.PutUint16(p.Data[12:], header.EtherVLAN)
		p.Wire += 4
		p.Layout.shift(4)
		fallthrough
	case tci&tciPresent != 0:
		binary.BigEndian.PutUint16(p.Data[14:], tci&^tciPresent)
	}
}

func (l *Layout) shift(n int) {
	for _, at := range []*int{&l.L3, &l.L3End, &l.L4, &l.NDLink} {
		if *at != 0 {
			*at += n
		}
	}
}

func (p *Packet) flushIPv4() {
	ip := p.Data[p.Layout.L3:]
	var old [2]byte
	if src, ok := p.changed(field.IP4Src); ok {
		p.setAddr4(ip[12:16], uint32(src))
	}
	if dst, ok := p.changed(field.IP4Dst); ok {
		p.setAddr4(ip[16:20], uint32(dst))
	}
	if ttl, ok := p.changed(field.IPTTL); ok {
		copy(old[:], ip[8:10])
		ip[8] = byte(ttl)
		p.ipChecksum(old[:], ip[8:10])
	}
	dscp, d := p.changed(field.IPDSCP)
	ecn, e := p.changed(field.IPECN)
	if d || e {
		copy(old[:], ip[0:2])
		ip[1] = byte(dscp<<2 | ecn)
		p.ipChecksum(old[:], ip[0:2])
	}
}

// setAddr4 writes an IPv4 address and mends both checksums that cover it.
func (p *Packet) setAddr4(at []byte, v uint32) {
	var old [4]byte
	copy(old[:], at)
	partial := p.partialSum()
	binary.BigEndian.PutUint32(at, v)
	p.ipChecksum(old[:], at[:4])
	p.pseudoChecksum(old[:], at[:4], partial)
	if p.Userspace && p.held.Key.Get(field.IPFrag)&FragLater != 0 {
		p.patchLater(old[:], at[:4])
	}
}

// patchLater changes the bytes of a later fragment that stand where a transport
// checksum would, as if they were one. Open vSwitch's userspace datapath does that
// when a flow, such as that of stateless NAT, changes an address of IPv4
// (packet_set_ipv4_addr of lib/packets.c, in every release): the payload that
// arrives is not what was sent. The kernel leaves later fragments alone
// (update_ip_l4_checksum).
func (p *Packet) patchLater(old, new []byte) {
	ip := p.Data[p.Layout.L3:p.Layout.L3End]
	at := ip[min(int(ip[0]&15)*4, len(ip)):]
	switch proto := p.held.Key.Get(field.IPProto); {
	case proto == header.ProtoTCP && len(at) >= 20, proto == header.ProtoUDP && len(at) >= 8:
		mendL4(at, proto, old, new)
	}
}

// partialSum reports whether the transport checksum is left to a network card:
// it is the sum of the pseudo-header alone.
func (p *Packet) partialSum() bool {
	proto := p.held.Key.Get(field.IPProto)
	if p.Layout.L4 == 0 || proto != header.ProtoTCP && proto != header.ProtoUDP {
		return false
	}
	var q nat.Packet
	ip := p.Data[p.Layout.L3:p.Layout.L3End]
	return q.Parse(ip) == nat.NoFault && q.CheckSum(ip) == nat.SumPartial
}

// Upcall completes a checksum that is left to a network card, as the kernel
// does before it hands a packet to ovn-controller (skb_checksum_help).
func (p *Packet) Upcall() {
	if !p.partialSum() {
		return
	}
	var q nat.Packet
	ip := p.Data[p.Layout.L3:p.Layout.L3End]
	if q.Parse(ip) != nat.NoFault || q.Cut {
		return
	}
	at := p.Layout.L4 + 16
	if p.held.Key.Get(field.IPProto) == header.ProtoUDP {
		at = p.Layout.L4 + 6
	}
	binary.BigEndian.PutUint16(p.Data[at:], q.Complete(ip))
	p.Changed = true
}

func (p *Packet) ipChecksum(old, new []byte) {
	adjust(p.Data[p.Layout.L3+10:], old, new)
}

func (p *Packet) flushIPv6() {
	ip := p.Data[p.Layout.L3:]
	p.setAddr6(ip[8:24], field.IP6Src)
	p.setAddr6(ip[24:40], field.IP6Dst)
	if ttl, ok := p.changed(field.IPTTL); ok {
		ip[7] = byte(ttl)
	}
	dscp, d := p.changed(field.IPDSCP)
	ecn, e := p.changed(field.IPECN)
	label, f := p.changed(field.IP6Label)
	if d || e || f {
		tc := uint32(dscp<<2 | ecn)
		binary.BigEndian.PutUint32(ip, 6<<28|tc<<20|uint32(label)&0xfffff)
	}
}

func (p *Packet) setAddr6(at []byte, id field.ID) {
	v := p.Key.Get128(id)
	if v == p.held.Key.Get128(id) {
		return
	}
	var old [16]byte
	copy(old[:], at)
	partial := p.partialSum()
	new := v.Bytes()
	copy(at, new[:])
	p.pseudoChecksum(old[:], new[:], partial)
}

// pseudoChecksum mends the transport checksum after an address changed. A
// partial one is not inverted (inet_proto_csum_replace4 with a pseudo-header).
func (p *Packet) pseudoChecksum(old, new []byte, partial bool) {
	proto := p.held.Key.Get(field.IPProto)
	if p.Layout.L4 == 0 || proto == header.ProtoICMP {
		return
	}
	if !partial {
		p.l4Checksum(old, new)
		return
	}
	at := p.Data[p.Layout.L4+16:]
	if proto == header.ProtoUDP {
		at = p.Data[p.Layout.L4+6:]
	}
	binary.BigEndian.PutUint16(at, ^header.Update16(^be16(at), old, new))
}

// l4Checksum mends the transport checksum after bytes it covers changed.
// ICMP has its own in flushL4; SCTP's CRC does not cover addresses.
func (p *Packet) l4Checksum(old, new []byte) {
	mendL4(p.Data[p.Layout.L4:], p.held.Key.Get(field.IPProto), old, new)
}

func mendL4(l4 []byte, proto uint64, old, new []byte) {
	switch proto {
	case header.ProtoTCP:
		adjust(l4[16:], old, new)
	case header.ProtoUDP:
		if be16(l4[6:]) == 0 {
			return // the sender computed none
		}
		adjust(l4[6:], old, new)
		if be16(l4[6:]) == 0 {
			binary.BigEndian.PutUint16(l4[6:], 0xffff)
		}
	case header.ProtoICMP, header.ProtoICMPv6:
		adjust(l4[2:], old, new)
	}
}

// Complete computes a right TCP or UDP checksum anew as Open vSwitch 3.6 to 4.0
// do: behind IPv6 extension headers their pseudo-header has the number of the
// first of these, not the protocol's (packet_udp_complete_csum), so that what
// leaves is wrong. Other packets stay as they are; fragments have their checksum
// from the whole datagram.
func (p *Packet) Complete() {
	l := &p.Layout
	if p.Key.Get(field.EthType) != header.EtherIPv6 || l.L4 <= l.L3+40 || p.Key.Get(field.IPFrag) != 0 {
		return
	}
	proto, first := byte(p.Key.Get(field.IPProto)), p.Data[l.L3+6]
	switch {
	case proto == header.ProtoTCP && l.L4+18 <= len(p.Data), proto == header.ProtoUDP && l.L4+8 <= len(p.Data):
		p.l4Checksum([]byte{0, proto}, []byte{0, first})
		p.Changed = true
	}
}

func (p *Packet) flushL4() {
	l4 := p.Data[p.Layout.L4:]
	proto := p.held.Key.Get(field.IPProto)
	if (proto == header.ProtoTCP || proto == header.ProtoUDP) && p.portsChanged() && p.partialSum() {
		binary.BigEndian.PutUint16(l4[0:], uint16(p.Key.Get(field.TpSrc))) // the pseudo-header has no ports
		binary.BigEndian.PutUint16(l4[2:], uint16(p.Key.Get(field.TpDst)))
		return
	}
	switch proto {
	case header.ProtoTCP:
		p.set16(l4[0:], field.TpSrc)
		p.set16(l4[2:], field.TpDst)
		if flags, ok := p.changed(field.TCPFlags); ok {
			p.put16(l4[12:], be16(l4[12:])&0xf000|uint16(flags))
		}
	case header.ProtoUDP:
		p.set16(l4[0:], field.TpSrc)
		p.set16(l4[2:], field.TpDst)
	case header.ProtoSCTP:
		p.flushSCTP(l4)
	case header.ProtoICMP:
		p.setType(l4, field.ICMP4Type, field.ICMP4Code)
	case header.ProtoICMPv6:
		p.setType(l4, field.ICMP6Type, field.ICMP6Code)
		p.flushND(l4)
	}
}

func (p *Packet) portsChanged() bool {
	_, src := p.changed(field.TpSrc)
	_, dst := p.changed(field.TpDst)
	return src || dst
}

// flushSCTP mends the CRC by what the ports' change makes of it, as OVS does,
// so that a wrong CRC stays wrong.
func (p *Packet) flushSCTP(l4 []byte) {
	src, s := p.changed(field.TpSrc)
	dst, d := p.changed(field.TpDst)
	if !s && !d {
		return
	}
	old := binary.BigEndian.Uint32(l4)
	new := uint32(src)<<16 | uint32(dst)
	binary.BigEndian.PutUint32(l4, new)
	var diff [4]byte
	binary.BigEndian.PutUint32(diff[:], old^new)
	crc := binary.LittleEndian.Uint32(l4[8:]) ^ header.SCTPDelta(diff, p.statedEnd()-p.Layout.L4)
	binary.LittleEndian.PutUint32(l4[8:], crc)
}

// statedEnd returns where the IP packet ends by its own length, which may be
// beyond the captured bytes.
func (p *Packet) statedEnd() int { return p.Layout.L3 + header.Length(p.Data[p.Layout.L3:]) }

// adjust mends the 16-bit one's complement checksum at sum after the
// even-aligned bytes old became new.
func adjust(sum, old, new []byte) {
	binary.BigEndian.PutUint16(sum, header.Update16(be16(sum), old, new))
}

func (p *Packet) setType(l4 []byte, typ, code field.ID) {
	t, a := p.changed(typ)
	c, b := p.changed(code)
	if a || b {
		p.put16(l4, uint16(t<<8|c))
	}
}

func (p *Packet) flushND(l4 []byte) {
	if len(l4) < 24 {
		return
	}
	if v := p.Key.Get128(field.NDTarget); v != p.held.Key.Get128(field.NDTarget) {
		var old [16]byte
		copy(old[:], l4[8:24])
		new := v.Bytes()
		copy(l4[8:24], new[:])
		p.l4Checksum(old[:], new[:])
	}
	if p.Layout.NDLink == 0 {
		return
	}
	for _, id := range [...]field.ID{field.NDSLL, field.NDTLL} {
		if v, ok := p.changed(id); ok {
			at := p.Data[p.Layout.NDLink:]
			var old [6]byte
			copy(old[:], at)
			header.PutMAC(at, v)
			p.l4Checksum(old[:], at[:6])
		}
	}
}

func (p *Packet) set16(at []byte, id field.ID) {
	if v, ok := p.changed(id); ok {
		p.put16(at, uint16(v))
	}
}

func (p *Packet) put16(at []byte, v uint16) {
	var old [2]byte
	copy(old[:], at)
	binary.BigEndian.PutUint16(at, v)
	p.l4Checksum(old[:], at[:2])
}

func (p *Packet) flushARP() {
	a := p.Data[p.Layout.L3:]
	if v, ok := p.changed(field.ARPOp); ok {
		binary.BigEndian.PutUint16(a[6:], uint16(v))
	}
	header.PutMAC(a[8:], p.Key.Get(field.ARPSHA))
	binary.BigEndian.PutUint32(a[14:], uint32(p.Key.Get(field.ARPSPA)))
	header.PutMAC(a[18:], p.Key.Get(field.ARPTHA))
	binary.BigEndian.PutUint32(a[24:], uint32(p.Key.Get(field.ARPTPA)))
}
