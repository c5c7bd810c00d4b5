package microflow

import (
	"encoding/binary"
	"fmt"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Frame builds the packet, from its Ethernet header on.
func (f *Flow) Frame() []byte {
	k := &f.Key
	var b []byte
	b = appendMAC(b, k.Get(field.EthDst))
	b = appendMAC(b, k.Get(field.EthSrc))
	const present = 1 << 12
	if tci := k.Get(field.VLANTCI); tci&present != 0 {
		b = be16(b, header.EtherVLAN)
		b = be16(b, tci&^present)
	}
	typ := k.Get(field.EthType)
	b = be16(b, typ)
	switch typ {
	case header.EtherIPv4:
		return append(b, f.ipv4()...)
	case header.EtherIPv6:
		return append(b, f.ipv6()...)
	case header.EtherARP, header.EtherRARP:
		return append(b, f.arp()...)
	}
	return b
}

func be16(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func be32(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

func appendMAC(b []byte, v uint64) []byte {
	m := header.MACBytes(v)
	return append(b, m[:]...)
}

func (f *Flow) arp() []byte {
	k := &f.Key
	b := []byte{0, 1, 8, 0, 6, 4}
	b = be16(b, k.Get(field.ARPOp))
	b = appendMAC(b, k.Get(field.ARPSHA))
	b = be32(b, k.Get(field.ARPSPA))
	b = appendMAC(b, k.Get(field.ARPTHA))
	return be32(b, k.Get(field.ARPTPA))
}

// Fragment bits of the IPv4 header: a first fragment is followed by more, a
// later one begins 8 bytes into its packet.
const (
	dontFragment  = 0x4000
	moreFragments = 0x2000
)

func (f *Flow) ipv4() []byte {
	k := &f.Key
	src, dst := k.Get(field.IP4Src), k.Get(field.IP4Dst)
	pseudo := be32(be32(nil, src), dst)
	body := f.transport(pseudo)
	b := []byte{0x45, byte(k.Get(field.IPDSCP)<<2 | k.Get(field.IPECN))}
	b = be16(b, uint64(20+len(body)))
	b = be16(b, 0)
	frag := uint64(dontFragment)
	switch k.Get(field.IPFrag) & 3 {
	case packet.FragAny:
		frag = moreFragments
	case packet.FragAny | packet.FragLater, packet.FragLater:
		frag = 1
	}
	b = be16(b, frag)
	b = append(b, byte(k.Get(field.IPTTL)), byte(k.Get(field.IPProto)), 0, 0)
	b = append(b, pseudo...)
	binary.BigEndian.PutUint16(b[10:], header.Checksum(0, b))
	return append(b, body...)
}

func (f *Flow) ipv6() []byte {
	k := &f.Key
	src, dst := k.Get128(field.IP6Src).Bytes(), k.Get128(field.IP6Dst).Bytes()
	pseudo := append(src[:], dst[:]...)
	body := f.transport(pseudo)
	next := k.Get(field.IPProto)
	if frag := k.Get(field.IPFrag) & 3; frag != 0 {
		ofs := uint64(1) // more fragments
		if frag&packet.FragLater != 0 {
			ofs = 1 << 3
		}
		h := be16([]byte{byte(next), 0}, ofs)
		body = append(be32(h, 1), body...)
		next = header.ProtoFragment
	}
	class := k.Get(field.IPDSCP)<<2 | k.Get(field.IPECN)
	b := be32(nil, 6<<28|class<<20|k.Get(field.IP6Label)&0xfffff)
	b = be16(b, uint64(len(body)))
	b = append(b, byte(next), byte(k.Get(field.IPTTL)))
	b = append(b, pseudo...)
	return append(b, body...)
}

// transport builds what follows the IP header; addrs are both its addresses.
func (f *Flow) transport(addrs []byte) []byte {
	k := &f.Key
	if k.Get(field.IPFrag)&packet.FragLater != 0 {
		return make([]byte, 8)
	}
	v6 := len(addrs) == 32
	proto := k.Get(field.IPProto)
	var b []byte
	sum := -1 // offset of the checksum
	switch {
	case proto == header.ProtoTCP:
		b, sum = f.tcp(), 16
	case proto == header.ProtoUDP:
		b, sum = f.udp(v6), 6
	case proto == header.ProtoSCTP:
		return f.sctp()
	case proto == header.ProtoICMP:
		b = append(f.icmp(field.ICMP4Type, field.ICMP4Code), 0, 1, 0, 1)
		binary.BigEndian.PutUint16(b[2:], header.Checksum(0, b))
	case proto == header.ProtoICMPv6:
		b, sum = f.icmp6(), 2
	case proto == header.ProtoIGMP:
		b = make([]byte, 8)
	}
	if sum >= 0 {
		v := header.Checksum(header.Pseudo(addrs, uint8(proto), len(b)), b)
		if v == 0 && proto == header.ProtoUDP {
			v = 0xffff
		}
		binary.BigEndian.PutUint16(b[sum:], v)
	}
	return b
}

func (f *Flow) ports() []byte {
	return be16(be16(nil, f.Key.Get(field.TpSrc)), f.Key.Get(field.TpDst))
}

func (f *Flow) tcp() []byte {
	flags := f.Key.Get(field.TCPFlags)
	if f.Given.Get(field.TCPFlags) == 0 {
		flags = header.FlagSYN
	}
	b := be32(f.ports(), 1)
	b = be32(b, 0)
	b = be16(b, 5<<12|flags)
	b = be16(b, 0xffff)
	return be32(b, 0)
}

func (f *Flow) udp(v6 bool) []byte {
	body := f.payload(v6)
	b := be16(f.ports(), uint64(8+len(body)))
	return append(be16(b, 0), body...)
}

// sctp opens an association: a lone INIT chunk.
func (f *Flow) sctp() []byte {
	b := be32(f.ports(), 0)
	b = be32(b, 0)
	b = append(b, chunkInit, 0, 0, 20)
	b = be32(b, 1)
	b = be32(b, 0xffff)
	b = be32(b, 1<<16|1)
	b = be32(b, 1)
	sctpChecksum(b)
	return b
}

// Types of SCTP chunks (RFC 9260).
const (
	chunkInit    = 1
	chunkInitAck = 2
)

// sctpChecksum writes the checksum of an SCTP packet.
func sctpChecksum(b []byte) { binary.LittleEndian.PutUint32(b[8:], header.SCTP(b)) }

func (f *Flow) icmp(typ, code field.ID) []byte {
	return []byte{byte(f.Key.Get(typ)), byte(f.Key.Get(code)), 0, 0}
}

func (f *Flow) icmp6() []byte {
	k := &f.Key
	b := f.icmp(field.ICMP6Type, field.ICMP6Code)
	link, option := field.NDSLL, byte(1)
	switch k.Get(field.ICMP6Type) {
	case 128, 129:
		return append(b, 0, 1, 0, 1)
	case 135:
	case 136:
		link, option = field.NDTLL, 2
	case 143:
		return append(b, 0, 0, 0, 0)
	default:
		return append(b, 0, 0, 0, 0)
	}
	target := k.Get128(field.NDTarget).Bytes()
	b = append(append(b, 0, 0, 0, 0), target[:]...)
	if f.Given.Get(link) != 0 {
		b = appendMAC(append(b, option, 1), k.Get(link))
	}
	return b
}

// Ports that Complete takes, of the range that stacks choose from by
// themselves (RFC 6335, section 6).
const (
	ephemeralSrc = 49152
	ephemeralDst = 49153
)

// Complete gives the packet the ports that the microflow says nothing about:
// trackers take a packet with port 0 for malformed, as no real one has it. It
// returns what it gave, "tcp.src is 49152".
func (f *Flow) Complete() (given []string) {
	name := map[uint64]string{header.ProtoTCP: "tcp", header.ProtoUDP: "udp", header.ProtoSCTP: "sctp"}[f.Key.Get(field.IPProto)]
	if name == "" || f.Key.Get(field.IPFrag)&packet.FragLater != 0 {
		return nil
	}
	for _, p := range []struct {
		id   field.ID
		side string
		port uint64
	}{{field.TpSrc, "src", ephemeralSrc}, {field.TpDst, "dst", ephemeralDst}} {
		if f.Given.Get(p.id) == 0 {
			f.Key.Set(p.id, p.port)
			given = append(given, fmt.Sprintf("%s.%s is %d", name, p.side, p.port))
		}
	}
	return given
}
