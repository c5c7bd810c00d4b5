package pcap

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// NATKey is a key of what address translation and routing leave alone: the IP
// identification or flow label, and of the transport everything but ports,
// ICMP identifier and checksum. It recognises a packet on both sides of OVN.
// ok is false for what carries too little to be told apart, or carries
// addresses inside: anything but TCP, UDP, SCTP, ICMP queries and fragments of them.
func NATKey(m *LinkMeta) (key Key, ok bool) {
	kind, b := m.EtherType, m.Payload
	for tags := 0; (kind == header.EtherVLAN || kind == header.EtherQinQ) && tags < 2 && len(b) >= 4; tags++ {
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	b = withoutPadding(b, kind)
	switch {
	case kind == header.EtherIPv4 && len(b) >= 20 && len(b) >= 4*int(b[0]&15) && b[0]&15 >= 5:
		id, fragment := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])&0x3fff
		key = keySeed.word(uint64(b[9])<<32 | uint64(id)<<16 | uint64(fragment))
		protocol, rest := b[9], b[4*int(b[0]&15):]
		if fragment&0x1fff != 0 {
			return key.bytes(rest), len(rest) > 0
		}
		return key.transport(protocol, rest)
	case kind == header.EtherIPv6 && len(b) >= 40:
		key = keySeed.word(uint64(b[6])<<32 | uint64(binary.BigEndian.Uint32(b)&0xfffff))
		if b[6] == header.ProtoFragment && len(b) >= 48 {
			return key.bytes(b[40:48]), true // where it belongs, and the datagram's number
		}
		return key.transport(b[6], b[40:])
	}
	return key, false
}

// transport takes in a transport header and what it carries.
func (k Key) transport(protocol uint8, b []byte) (Key, bool) {
	const tcp, icmp4, icmp6 = 6, 1, 58
	switch {
	case protocol == tcp && len(b) >= 20: // not ports (0-3), not checksum (16-17)
		return k.bytes(b[4:16]).bytes(b[18:]), true
	case protocol == header.ProtoUDP && len(b) > 8: // not ports, not checksum (6-7)
		return k.bytes(b[4:6]).bytes(b[8:]), true
	case protocol == header.ProtoSCTP && len(b) > 12: // not ports (0-3), not checksum (8-11)
		return k.bytes(b[4:8]).bytes(b[12:]), true
	case (protocol == icmp4 && (b0(b) == 8 || b0(b) == 0) || protocol == icmp6 && (b0(b) == 128 || b0(b) == 129)) &&
		len(b) >= 8:
		return k.bytes(b[:2]).bytes(b[6:]), true // not checksum (2-3), not identifier (4-5)
	}
	return k, false
}

// b0 is the first byte, or one no ICMP query has.
func b0(b []byte) uint8 {
	if len(b) == 0 {
		return 255
	}
	return b[0]
}
