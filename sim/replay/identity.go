package replay

import (
	"bytes"
	"encoding/binary"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// identity is what routing and translation leave alone of a packet, by which
// it is recognised at another place: the IP identification or flow label, the protocol, and
// the transport packet without its ports and checksum.
type identity struct {
	etherType uint16
	proto     uint8
	id        uint16 // IPv4
	label     uint32 // IPv6: what a sender tells its flows apart by
	fragment  uint16
	header    []byte // of the transport, between ports and payload, without the checksum
	check     []byte // the rest of it, after the checksum
	payload   []byte
}

// identify returns the identity of an IP packet; ok is false for others.
func identify(frame []byte, h *packet.Headers) (i identity, ok bool) {
	k, l := &h.Key, &h.Layout
	i.etherType, i.proto = uint16(k.Get(field.EthType)), uint8(k.Get(field.IPProto))
	if l.L3 == 0 || i.etherType != header.EtherIPv4 && i.etherType != header.EtherIPv6 {
		return i, false
	}
	if i.etherType == header.EtherIPv4 {
		i.id = binary.BigEndian.Uint16(frame[l.L3+4:])
		i.fragment = binary.BigEndian.Uint16(frame[l.L3+6:])
	} else {
		i.label = binary.BigEndian.Uint32(frame[l.L3:]) & 0xfffff
	}
	if l.L4 == 0 {
		addresses := 20 // are before its end
		if i.etherType == header.EtherIPv6 {
			addresses = 40
		}
		i.payload = frame[min(l.L3+addresses, l.L3End):l.L3End]
		if i.fragment&0x1fff != 0 {
			i.payload = i.payload[min(len(i.payload), taken(i.proto)):]
		}
		return i, true
	}
	l4 := frame[l.L4:l.L3End]
	switch {
	case i.proto == header.ProtoTCP && len(l4) >= 20:
		i.header, i.check, i.payload = l4[4:16], l4[18:20], l4[20:]
	case i.proto == header.ProtoUDP && len(l4) >= 8:
		i.header, i.payload = l4[4:6], l4[8:]
	case i.proto == header.ProtoSCTP && len(l4) >= 12:
		i.header, i.payload = l4[4:8], l4[12:]
	case (i.proto == header.ProtoICMP || i.proto == header.ProtoICMPv6) && len(l4) >= 8:
		i.header, i.check, i.payload = l4[0:2], l4[6:8], l4[8:]
		if quotes(i.proto, l4[0]) { // a packet that is translated too
			i.check, i.payload = quotedIdentity(l4[8:])
		}
	default:
		i.payload = l4
	}
	return i, true
}

// taken is how much of a later fragment's beginning Open vSwitch's userspace
// datapath takes for a header whose checksum it may change.
func taken(proto uint8) int {
	if proto != header.ProtoTCP && proto != header.ProtoUDP {
		return 0
	}
	return sumOffset(proto) + 2
}

// anonymous reports whether a packet is to a group of its own link, from a
// machine that has no address yet: its Ethernet address is all that tells it from another's.
func anonymous(k *field.Key) bool {
	const linkScope = 0xff02
	return k.Get(field.EthType) == header.EtherIPv6 && k.Get128(field.IP6Dst).Hi>>48 == linkScope &&
		k.Get128(field.IP6Src) == field.Uint128{}
}

// quotedIdentity returns what translation leaves alone of the beginning of a
// quoted IP packet: its identification and a part of its transport header.
func quotedIdentity(ip []byte) (id, part []byte) {
	proto, l4 := uint8(0), 0
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4:
		id, proto, l4 = ip[4:6], ip[9], int(ip[0]&15)*4
	case len(ip) >= 40 && ip[0]>>4 == 6:
		proto, l4 = ip[6], 40
	default:
		return nil, nil
	}
	if l4+8 > len(ip) {
		return id, nil
	}
	part = ip[l4+4 : l4+8]
	switch proto {
	case header.ProtoUDP:
		part = part[:2] // its length
	case header.ProtoICMP, header.ProtoICMPv6:
		part = part[2:] // the sequence number
	}
	return id, part
}

// quotes reports whether an ICMP message is an error about a packet.
func quotes(proto, typ uint8) bool {
	return proto == header.ProtoICMP && (typ >= 3 && typ <= 5 || typ == 11 || typ == 12) ||
		proto == header.ProtoICMPv6 && typ < 128
}

func echo(proto, typ uint8) bool {
	return proto == header.ProtoICMP && (typ == 0 || typ == 8) || proto == header.ProtoICMPv6 &&
		(typ == 128 || typ == 129)
}

// same reports whether both are the same packet. A capture that cut one of
// them short leaves its beginning to compare.
func (i *identity) same(j *identity) bool {
	n := min(len(i.payload), len(j.payload))
	return i.etherType == j.etherType && i.proto == j.proto && i.id == j.id && i.label == j.label &&
		i.fragment == j.fragment &&
		bytes.Equal(i.header, j.header) && bytes.Equal(i.check, j.check) && bytes.Equal(i.payload[:n], j.payload[:n])
}

// identityHash is a hash of what routing and translation leave alone, never 0.
// Frames that are no IP packets are told apart by all their bytes above the
// link layer.
func identityHash(frame []byte, h *packet.Headers) uint64 {
	i, ok := identify(frame, h)
	if !ok {
		if len(frame) < 14 {
			return 1
		}
		return hashBytes(14695981039346656037, frame[12:]) | 1
	}
	return i.hash(frame, h)
}

// hash is the identityHash of an IP packet.
func (i *identity) hash(frame []byte, h *packet.Headers) uint64 {
	hash := uint64(14695981039346656037)
	hash = hashByte(hashByte(hash, byte(i.etherType>>8)), i.proto)
	hash = hashByte(hashByte(hash, byte(i.id>>8)), byte(i.id))
	hash = hashByte(hashByte(hash, byte(i.fragment>>8)), byte(i.fragment))
	hash = hashByte(hashByte(hashByte(hash, byte(i.label>>16)), byte(i.label>>8)), byte(i.label))
	hash = hashBytes(hash, i.header)
	hash = hashBytes(hash, i.check)
	if anonymous(&h.Key) { // several machines send the same; no router passes it on, and makes the sender its own
		hash = hashBytes(hash, frame[6:12])
	}
	return hashBytes(hash, i.payload[:min(len(i.payload), i.telling())]) | 1
}

// smallSum is a hash of a message of ARP or neighbor discovery, which two may give
// each in its own words; 0 for any other frame.
func smallSum(frame []byte, h *packet.Headers) uint64 {
	switch k := &h.Key; {
	case k.Get(field.EthType) == header.EtherARP, k.Get(field.IPProto) == header.ProtoICMPv6 && len(frame) <= 128:
		return hashBytes(14695981039346656037, frame) | 1
	}
	return 0
}

// payloadSum is a hash of what a datagram carries that no number tells from others of
// its ends, which begin alike; 0 for any other frame, and where a capture cut it.
func payloadSum(frame []byte, h *packet.Headers, wire int) uint64 {
	const enough = 64
	k := &h.Key
	if k.Get(field.EthType) != header.EtherIPv6 || k.Get(field.IPProto) != header.ProtoUDP || len(frame) < wire {
		return 0
	}
	i, ok := identify(frame, h)
	if !ok || len(i.payload) <= i.telling() {
		return 0
	}
	return hashBytes(14695981039346656037, i.payload[:min(len(i.payload), enough)]) | 1
}

// telling is how much of the payload tells packets apart that have the same
// header. It is no more than captures hold that cut frames at 64 bytes, so that
// a packet has the same hash wherever it was captured; of neighbor discovery,
// which is all payload, and is nothing when it is cut, it is more.
func (i *identity) telling() int {
	switch {
	case i.proto == header.ProtoTCP:
		return 0
	case i.proto == header.ProtoICMPv6 && len(i.header) > 0 && i.header[0] >= 130 && i.header[0] <= 143:
		return 24
	}
	return 8
}

// differ reports whether two sums, both known, are of different packets.
func differ(a, b uint64) bool { return a != 0 && b != 0 && a != b }

func hashBytes(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = hashByte(h, c)
	}
	return h
}

// hashByte is a step of FNV-1a.
func hashByte(h uint64, c byte) uint64 { return (h ^ uint64(c)) * 1099511628211 }
