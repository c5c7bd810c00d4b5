package header

import "encoding/binary"

// longest16 is the most that a length of 16 bits can say.
const longest16 = 1<<16 - 1

// Length is how long the IP packet that ip begins with is, by its own headers: more
// than ip holds if a capture cut it, and whatever a malformed one says. A TCP packet
// that segmentation offload hands on in more than a length of 16 bits can say (BIG
// TCP) says 0, or has a jumbo payload option (RFC 2675): Linux' skb_ip_totlen and
// ipv6_payload_len. ip has 20 bytes at least if it is IPv4, 40 if it is IPv6.
func Length(ip []byte) int {
	if ip[0]>>4 == 6 {
		return length6(ip)
	}
	n := int(binary.BigEndian.Uint16(ip[2:]))
	if n == 0 && ip[9] == ProtoTCP && len(ip) > longest16 {
		return len(ip)
	}
	return n
}

func length6(ip []byte) int {
	n := int(binary.BigEndian.Uint16(ip[4:]))
	switch {
	case n != 0:
	case ip[6] == ProtoTCP && len(ip) > fixed6+longest16:
		return len(ip)
	case HasJumbo(ip):
		return fixed6 + int(binary.BigEndian.Uint32(ip[fixed6+4:]))
	}
	return fixed6 + n
}

const (
	fixed6 = 40
	// JumboSize is the length of a hop-by-hop header with nothing but a jumbo payload option.
	JumboSize   = 8
	optionJumbo = 0xc2
)

// HasJumbo reports whether an IPv6 packet has a hop-by-hop header with a jumbo payload
// option, as Linux before 6.20 gives TCP packets too long for an IPv6 header. They are on
// no wire: who cuts them up takes it off.
func HasJumbo(ip []byte) bool {
	return len(ip) >= fixed6+JumboSize && ip[0]>>4 == 6 && ip[4]|ip[5] == 0 && ip[6] == ProtoHopByHop &&
		ip[fixed6] == ProtoTCP && ip[fixed6+1] == 0 && ip[fixed6+2] == optionJumbo && ip[fixed6+3] == 4 &&
		binary.BigEndian.Uint32(ip[fixed6+4:]) > longest16
}

// WithoutJumbo takes the hop-by-hop header off a frame whose IPv6 packet, at l3, has one.
func WithoutJumbo(frame []byte, l3 int) []byte {
	frame[l3+6] = ProtoTCP
	at := l3 + fixed6
	return append(frame[:at], frame[at+JumboSize:]...)
}
