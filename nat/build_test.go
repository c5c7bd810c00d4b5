package nat

import (
	"encoding/binary"
	"net/netip"

	"ovnreplay/nat/header"
)

// Packets for tests, with right checksums.

func addr16(s string) (b [16]byte, v6 bool) {
	a := netip.MustParseAddr(s)
	if a.Is4() {
		v := a.As4()
		copy(b[:], v[:])
		return b, false
	}
	return a.As16(), true
}

func ipPacket(proto uint8, src, dst string, l4 []byte) []byte {
	s, v6 := addr16(src)
	d, _ := addr16(dst)
	var ip []byte
	if v6 {
		ip = make([]byte, 40, 40+len(l4))
		ip[0], ip[6], ip[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(l4)))
		copy(ip[8:], s[:])
		copy(ip[24:], d[:])
	} else {
		ip = make([]byte, 20, 20+len(l4))
		ip[0], ip[8], ip[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(l4)))
		copy(ip[12:], s[:4])
		copy(ip[16:], d[:4])
	}
	ip = append(ip, l4...)
	fill(ip)
	return ip
}

// fill computes all checksums of a packet.
func fill(ip []byte) {
	if ip[0]>>4 == 4 {
		h := int(ip[0]&15) * 4
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], ^header.Fold(header.Sum(0, ip[:h])))
	}
	var p Packet
	p.Parse(ip)
	at := checksumAt(&p.Tuple, p.L4)
	if at < 0 {
		return
	}
	if p.Tuple.Proto == header.ProtoSCTP {
		binary.LittleEndian.PutUint32(ip[at:], header.SCTP(ip[p.L4:p.End]))
		return
	}
	ip[at], ip[at+1] = 0, 0
	sum := header.Sum(0, ip[p.L4:p.End])
	if !(p.Tuple.ICMP() && !p.Tuple.V6) {
		sum = header.Sum(pseudoSum(&p.Tuple, p.End-p.L4), ip[p.L4:p.End])
	}
	c := ^header.Fold(sum)
	if p.Tuple.Proto == header.ProtoUDP && c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(ip[at:], c)
}

func tcp(sport, dport uint16, payload string) []byte {
	b := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	b[12], b[13] = 0x50, 0x10
	return append(b, payload...)
}

func udp(sport, dport uint16, payload string) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return append(b, payload...)
}

func sctp(sport, dport uint16, payload string) []byte {
	b := make([]byte, 12, 12+len(payload))
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	return append(b, payload...)
}

func icmp(typ, code uint8, id uint16, rest []byte) []byte {
	b := make([]byte, 8, 8+len(rest))
	b[0], b[1] = typ, code
	binary.BigEndian.PutUint16(b[4:], id)
	return append(b, rest...)
}
