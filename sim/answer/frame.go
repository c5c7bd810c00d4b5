package answer

import (
	"net"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Frames are gopacket's layers, serialized. By hand is only what gopacket has no
// encoder for, and what is not made but is the packet's own bytes with a few
// changed; each says so.

// layer is a header, or a payload.
type layer = gopacket.SerializableLayer

// network is an IP header.
type network interface {
	gopacket.NetworkLayer
	layer
}

// serialize returns layers as bytes, with lengths and checksums. What is too long to
// have a length is nil: no packet.
func serialize(ls ...layer) []byte {
	b := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...) != nil {
		return nil
	}
	return b.Bytes()
}

// frame returns layers behind an Ethernet header. gopacket pads frames to 60 bytes,
// as they are on a wire; ovn-controller's are not.
func frame(eth *layers.Ethernet, ls ...layer) Frame {
	payload := serialize(ls...)
	if payload == nil {
		return Frame{}
	}
	b := serialize(eth, gopacket.Payload(payload))
	return whole(b[:etherLen+len(payload)])
}

// ether is the Ethernet header of an answer, with in's addresses, the other way
// round if swap is set.
func ether(in *packet.Packet, swap bool, typ layers.EthernetType) *layers.Ethernet {
	eth := &layers.Ethernet{DstMAC: net.HardwareAddr(in.Data[:6]), SrcMAC: net.HardwareAddr(in.Data[6:12]),
		EthernetType: typ}
	if swap {
		eth.DstMAC, eth.SrcMAC = eth.SrcMAC, eth.DstMAC
	}
	return eth
}

// tagged is frame with in's VLAN tag, if in has one.
func tagged(in *packet.Packet, eth *layers.Ethernet, ls ...layer) Frame {
	tci := uint16(in.Key.Get(field.VLANTCI))
	if tci == 0 {
		return frame(eth, ls...)
	}
	tag := &layers.Dot1Q{Priority: uint8(tci >> 13), VLANIdentifier: tci & 0xfff, Type: eth.EthernetType}
	eth.EthernetType = layers.EthernetTypeDot1Q
	return frame(eth, append([]layer{tag}, ls...)...)
}

// ip is the IP header of an answer to in: no options, no identification, do not
// fragment.
//
// Addresses are those that the switch has read, which are none of a packet it does
// not parse.
func (s Style) ip(in *packet.Packet, proto layers.IPProtocol, ttl uint8) network {
	h := in.Data[in.Layout.L3:]
	if isV6(in) {
		src, dst := in.Key.Get128(field.IP6Src).Bytes(), in.Key.Get128(field.IP6Dst).Bytes()
		ip := &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: ttl, SrcIP: src[:], DstIP: dst[:]}
		if s.KeepTOS {
			word := be.Uint32(h)
			ip.TrafficClass, ip.FlowLabel = uint8(word>>20), word&0xfffff
		}
		if s.Swap {
			ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
		}
		return ip
	}
	src, dst := header.IPv4(in.Key.Get(field.IP4Src)), header.IPv4(in.Key.Get(field.IP4Dst))
	ip := &layers.IPv4{Version: 4, Flags: layers.IPv4DontFragment, TTL: ttl, Protocol: proto, SrcIP: src.AsSlice(),
		DstIP: dst.AsSlice()}
	if s.KeepTOS {
		ip.TOS = h[1]
	}
	if s.Swap {
		ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
	}
	return ip
}

// ends are where a frame that ovn-controller sends of itself comes from and
// goes to.
type ends struct {
	srcMAC, dstMAC [6]byte
	src, dst       [16]byte // IPv4 in the first four bytes
	v6             bool
}

// headers are the Ethernet and IP headers of such a frame.
func (e ends) headers(proto layers.IPProtocol, hops uint8) (*layers.Ethernet, network) {
	eth := &layers.Ethernet{DstMAC: e.dstMAC[:], SrcMAC: e.srcMAC[:], EthernetType: layers.EthernetTypeIPv4}
	if !e.v6 {
		return eth, &layers.IPv4{
			Version: 4, Flags: layers.IPv4DontFragment, TTL: hops, Protocol: proto, SrcIP: e.src[:4], DstIP: e.dst[:4],
		}
	}
	eth.EthernetType = layers.EthernetTypeIPv6
	return eth, &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: hops, SrcIP: e.src[:], DstIP: e.dst[:]}
}

// udp is a UDP header as ovn-controller sends it: over IPv4 without a checksum.
type udp struct {
	layers.UDP
	v6 bool
}

func newUDP(ip network, src, dst uint16) *udp {
	u := &udp{layers.UDP{SrcPort: layers.UDPPort(src), DstPort: layers.UDPPort(dst)},
		ip.LayerType() == layers.LayerTypeIPv6}
	u.SetNetworkLayerForChecksum(ip)
	return u
}

// SerializeTo implements gopacket.SerializableLayer. gopacket writes a checksum that
// is 0 as it is, which would mean that there is none (RFC 768).
func (u *udp) SerializeTo(b gopacket.SerializeBuffer, opts gopacket.SerializeOptions) error {
	opts.ComputeChecksums = u.v6
	if err := u.UDP.SerializeTo(b, opts); err != nil {
		return err
	}
	if h := b.Bytes(); opts.ComputeChecksums && u.Checksum == 0 {
		h[6], h[7] = 0xff, 0xff
	}
	return nil
}

// icmp6 is the ICMPv6 header of a message over ip.
func icmp6(ip gopacket.NetworkLayer, typ, code uint8) *layers.ICMPv6 {
	h := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, code)}
	h.SetNetworkLayerForChecksum(ip)
	return h
}
