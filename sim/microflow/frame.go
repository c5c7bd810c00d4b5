package microflow

import (
	"encoding/binary"
	"fmt"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Frame builds the packet, from its Ethernet header on. It is nil if its fields
// leave no place for a length.
func (f *Flow) Frame() []byte {
	k := &f.Key
	dst, src := header.MACBytes(k.Get(field.EthDst)), header.MACBytes(k.Get(field.EthSrc))
	eth := &layers.Ethernet{DstMAC: dst[:], SrcMAC: src[:], EthernetType: layers.EthernetType(k.Get(field.EthType))}
	var inner []layer
	const present = 1 << 12
	if tci := k.Get(field.VLANTCI); tci&present != 0 {
		inner = append(inner, &layers.Dot1Q{Priority: uint8(tci >> 13), VLANIdentifier: uint16(tci) & 0xfff,
			Type: eth.EthernetType})
		eth.EthernetType = layers.EthernetTypeDot1Q
	}
	switch k.Get(field.EthType) {
	case header.EtherIPv4:
		inner = append(inner, f.ipv4()...)
	case header.EtherIPv6:
		inner = append(inner, f.ipv6()...)
	case header.EtherARP, header.EtherRARP:
		inner = append(inner, f.arp())
	}
	payload := serialize(inner...)
	b := serialize(eth, gopacket.Payload(payload))
	// gopacket pads frames to 60 bytes, as they are on a wire.
	return b[:min(len(b), etherLen+len(payload))]
}

const etherLen = 14

// layer is a header, or a payload.
type layer = gopacket.SerializableLayer

// serialize returns layers as bytes, with lengths and checksums.
func serialize(ls ...layer) []byte {
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...) != nil {
		return nil
	}
	return b.Bytes()
}

func be32(v uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func (f *Flow) arp() layer {
	k := &f.Key
	sha, tha := header.MACBytes(k.Get(field.ARPSHA)), header.MACBytes(k.Get(field.ARPTHA))
	return &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, Operation: uint16(k.Get(field.ARPOp)),
		SourceHwAddress: sha[:], SourceProtAddress: be32(k.Get(field.ARPSPA)),
		DstHwAddress: tha[:], DstProtAddress: be32(k.Get(field.ARPTPA)),
	}
}

// ipHeader is an IP header.
type ipHeader interface {
	gopacket.NetworkLayer
	layer
}

func (f *Flow) ipv4() []layer {
	k := &f.Key
	ip := &layers.IPv4{
		Version: 4, TOS: f.class(), Flags: layers.IPv4DontFragment, TTL: uint8(k.Get(field.IPTTL)), Protocol: f.proto(),
		SrcIP: be32(k.Get(field.IP4Src)), DstIP: be32(k.Get(field.IP4Dst)),
	}
	// A first fragment is followed by more, a later one begins 8 bytes into its packet.
	switch k.Get(field.IPFrag) & 3 {
	case packet.FragAny:
		ip.Flags = layers.IPv4MoreFragments
	case packet.FragAny | packet.FragLater, packet.FragLater:
		ip.Flags, ip.FragOffset = 0, 1
	}
	return append([]layer{ip}, f.transport(ip, false)...)
}

func (f *Flow) class() uint8 { return uint8(f.Key.Get(field.IPDSCP)<<2 | f.Key.Get(field.IPECN)) }

func (f *Flow) proto() layers.IPProtocol { return layers.IPProtocol(f.Key.Get(field.IPProto)) }

func (f *Flow) ipv6() []layer {
	k := &f.Key
	src, dst := k.Get128(field.IP6Src).Bytes(), k.Get128(field.IP6Dst).Bytes()
	ip := &layers.IPv6{
		Version: 6, TrafficClass: f.class(), FlowLabel: uint32(k.Get(field.IP6Label)) & 0xfffff,
		NextHeader: f.proto(), HopLimit: uint8(k.Get(field.IPTTL)), SrcIP: src[:], DstIP: dst[:],
	}
	out := []layer{ip}
	if frag := k.Get(field.IPFrag) & 3; frag != 0 {
		ofs := uint64(1) // more fragments
		if frag&packet.FragLater != 0 {
			ofs = 1 << 3
		}
		// gopacket reads fragment headers and does not write them.
		fragment := append(be32(uint64(ip.NextHeader)<<24|ofs), be32(1)...)
		ip.NextHeader = header.ProtoFragment
		out = append(out, gopacket.Payload(fragment))
	}
	return append(out, f.transport(ip, true)...)
}

// transport is what follows the IP header.
func (f *Flow) transport(ip ipHeader, v6 bool) []layer {
	k := &f.Key
	if k.Get(field.IPFrag)&packet.FragLater != 0 {
		return []layer{gopacket.Payload(make([]byte, 8))}
	}
	switch k.Get(field.IPProto) {
	case header.ProtoTCP:
		return []layer{f.tcp(ip)}
	case header.ProtoUDP:
		return append([]layer{f.udp(ip)}, f.payload(v6)...)
	case header.ProtoSCTP:
		return f.sctp()
	case header.ProtoICMP:
		code := layers.CreateICMPv4TypeCode(uint8(k.Get(field.ICMP4Type)), uint8(k.Get(field.ICMP4Code)))
		return []layer{&layers.ICMPv4{TypeCode: code, Id: 1, Seq: 1}}
	case header.ProtoICMPv6:
		return f.icmp6(ip)
	case header.ProtoIGMP:
		return []layer{gopacket.Payload(make([]byte, 8))}
	}
	return nil
}

// tcp is a TCP header. Its flags are twelve bits; gopacket knows nine of them.
type tcp struct {
	layers.TCP
	flags uint16
}

// SerializeTo implements gopacket.SerializableLayer.
func (t *tcp) SerializeTo(b gopacket.SerializeBuffer, opts gopacket.SerializeOptions) error {
	if err := t.TCP.SerializeTo(b, opts); err != nil {
		return err
	}
	h := b.Bytes()
	was := binary.BigEndian.Uint16(h[12:])
	binary.BigEndian.PutUint16(h[12:], was|t.flags)
	binary.BigEndian.PutUint16(h[16:], header.UpdateWord(binary.BigEndian.Uint16(h[16:]), was, was|t.flags))
	return nil
}

func (f *Flow) tcp(ip ipHeader) layer {
	flags := f.Key.Get(field.TCPFlags)
	if f.Given.Get(field.TCPFlags) == 0 {
		flags = header.FlagSYN
	}
	t := &tcp{flags: uint16(flags)}
	t.SrcPort, t.DstPort = layers.TCPPort(f.Key.Get(field.TpSrc)), layers.TCPPort(f.Key.Get(field.TpDst))
	t.Seq, t.Window = 1, 0xffff
	t.SetNetworkLayerForChecksum(ip)
	return t
}

// udp is a UDP header. gopacket writes a checksum that is 0 as it is, which would
// mean that there is none (RFC 768).
type udp struct{ layers.UDP }

// SerializeTo implements gopacket.SerializableLayer.
func (u *udp) SerializeTo(b gopacket.SerializeBuffer, opts gopacket.SerializeOptions) error {
	if err := u.UDP.SerializeTo(b, opts); err != nil {
		return err
	}
	if h := b.Bytes(); u.Checksum == 0 {
		h[6], h[7] = 0xff, 0xff
	}
	return nil
}

func (f *Flow) udp(ip ipHeader) layer {
	u := &udp{layers.UDP{SrcPort: layers.UDPPort(f.Key.Get(field.TpSrc)),
		DstPort: layers.UDPPort(f.Key.Get(field.TpDst))}}
	u.SetNetworkLayerForChecksum(ip)
	return u
}

// sctp opens an association: a lone INIT chunk.
func (f *Flow) sctp() []layer {
	return []layer{
		&layers.SCTP{SrcPort: layers.SCTPPort(f.Key.Get(field.TpSrc)),
			DstPort: layers.SCTPPort(f.Key.Get(field.TpDst))},
		&layers.SCTPInit{
			SCTPChunk:   layers.SCTPChunk{Type: layers.SCTPChunkTypeInit},
			InitiateTag: 1, AdvertisedReceiverWindowCredit: 0xffff, OutboundStreams: 1, InboundStreams: 1,
			InitialTSN: 1,
		},
	}
}

// Types of SCTP chunks (RFC 9260).
const (
	chunkInit    = 1
	chunkInitAck = 2
)

// sctpChecksum writes the checksum of an SCTP packet.
func sctpChecksum(b []byte) { binary.LittleEndian.PutUint32(b[8:], header.SCTP(b)) }

func (f *Flow) icmp6(ip ipHeader) []layer {
	k := &f.Key
	head := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(uint8(k.Get(field.ICMP6Type)),
		uint8(k.Get(field.ICMP6Code)))}
	head.SetNetworkLayerForChecksum(ip)
	target := k.Get128(field.NDTarget).Bytes()
	switch k.Get(field.ICMP6Type) {
	case 128, 129:
		return []layer{head, &layers.ICMPv6Echo{Identifier: 1, SeqNumber: 1}}
	case 135:
		return []layer{head, &layers.ICMPv6NeighborSolicitation{
			TargetAddress: target[:], Options: f.linkOption(field.NDSLL, layers.ICMPv6OptSourceAddress),
		}}
	case 136:
		return []layer{head, &layers.ICMPv6NeighborAdvertisement{
			TargetAddress: target[:], Options: f.linkOption(field.NDTLL, layers.ICMPv6OptTargetAddress),
		}}
	}
	return []layer{head, gopacket.Payload(make([]byte, 4))}
}

// linkOption is the Ethernet address that a neighbour's message gives, if it does.
func (f *Flow) linkOption(of field.ID, typ layers.ICMPv6Opt) layers.ICMPv6Options {
	if f.Given.Get(of) == 0 {
		return nil
	}
	mac := header.MACBytes(f.Key.Get(of))
	return layers.ICMPv6Options{{Type: typ, Data: mac[:]}}
}

// Ports that Complete takes, of the range that stacks choose from by
// themselves (RFC 6335, section 6).
const (
	ephemeralSrc = 49152
	ephemeralDst = 49153
)

// A hop limit that stacks send packets with, and the messages that ping sends.
const (
	senderTTL    = 64
	echoRequest  = 8   // RFC 792
	echoRequest6 = 128 // RFC 4443
)

// Complete gives the packet what each packet has and the microflow says nothing about: the addresses of the port
// that it enters at, if that is a machine's and has any; a hop limit, as
// routers take none with 0; ports, as trackers take a packet with port 0 for malformed; of ICMP the
// type of a ping, as 0 is that of an answer. It returns what it gave, "tcp.src is 49152", with the flags that
// Frame gives, and the addresses that it could not give, "eth.src", which are 0.
func (f *Flow) Complete() (given, zero []string) {
	given, zero = f.sender()
	proto := f.Key.Get(field.IPProto)
	give := func(id field.ID, name string, value uint64) {
		if f.Given.Get(id) == 0 {
			f.Key.Set(id, value)
			given = append(given, fmt.Sprintf("%s is %d", name, value))
		}
	}
	if isIP(&f.Key) {
		give(field.IPTTL, "ip.ttl", senderTTL)
	}
	if f.Key.Get(field.IPFrag)&packet.FragLater != 0 {
		return given, zero
	}
	switch proto {
	case header.ProtoICMP:
		give(field.ICMP4Type, "icmp4.type", echoRequest)
	case header.ProtoICMPv6:
		give(field.ICMP6Type, "icmp6.type", echoRequest6)
	case header.ProtoTCP, header.ProtoUDP, header.ProtoSCTP:
		name := packet.ProtoName(uint8(proto))
		give(field.TpSrc, name+".src", ephemeralSrc)
		give(field.TpDst, name+".dst", ephemeralDst)
		// Flags are Frame's: the key has ovn-trace's 0. A microflow that lacks nothing else is ovn-trace's usual one.
		if proto == header.ProtoTCP && f.Given.Get(field.TCPFlags) == 0 && len(given) > 0 {
			given = append(given, "tcp.flags is 2 (SYN)")
		}
	}
	return given, zero
}

// isIP reports whether a packet is one of IP, of whatever protocol.
func isIP(k *field.Key) bool {
	t := k.Get(field.EthType)
	return t == header.EtherIPv4 || t == header.EtherIPv6
}
