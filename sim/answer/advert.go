package answer

import (
	"bytes"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
)

// Bits of a router advertisement (RFC 4861, RFC 4191).
const (
	RAManaged = 0x80
	RAOther   = 0x40
	RAHigh    = 0x08
	RALow     = 0x18

	prefixOnLink     = 0x80
	prefixAutonomous = 0x40

	raHops     = 255
	raLifetime = 0xffff
)

// Advert is an ICMPv6 router advertisement in the making: the message from its
// type on, checksum 0.
type Advert []byte

// NewAdvert begins a router advertisement.
func NewAdvert(flags uint8) Advert {
	a := make(Advert, 16)
	a[0], a[4], a[5] = typeRouterAdvert, raHops, flags
	be.PutUint16(a[6:], raLifetime)
	return a
}

// SetFlags adds bits to the message's flags.
func (a Advert) SetFlags(bits uint8) { a[5] |= bits }

// SourceLink appends the router's Ethernet address.
func (a Advert) SourceLink(mac [6]byte) Advert {
	return append(append(a, optSource, 1), mac[:]...)
}

// MTU appends the link's MTU.
func (a Advert) MTU(mtu uint32) Advert {
	return be.AppendUint32(append(a, optMTU, 1, 0, 0), mtu)
}

// Prefix appends a prefix, for ever; hosts may make themselves addresses in
// it unless the flags say that DHCPv6 gives them.
func (a Advert) Prefix(p [16]byte, length uint8) Advert {
	flags := uint8(prefixOnLink)
	if a[5]&RAManaged == 0 {
		flags |= prefixAutonomous
	}
	a = append(a, optPrefix, 4, length, flags)
	a = be.AppendUint32(a, infiniteTime)
	a = be.AppendUint32(a, infiniteTime)
	return append(append(a, 0, 0, 0, 0), p[:]...)
}

// RDNSS appends a DNS server (RFC 8106).
func (a Advert) RDNSS(server [16]byte) Advert {
	return append(be.AppendUint32(append(a, optRDNSS, 3, 0, 0), infiniteTime), server[:]...)
}

// DNSSL appends a comma-separated DNS search list (RFC 8106). A list that is
// too long for ovn-controller's buffer of 255 bytes is left out.
func (a Advert) DNSSL(list string) Advert {
	var names []byte
	size := 8
	for name := range tokens(list, ",") {
		if size += len(name) + 2; size > 255 {
			return a
		}
		for label := range tokens(name, ".") {
			names = append(append(names, byte(len(label))), label...)
		}
		names = append(names, 0)
	}
	size = (size + 7) &^ 7
	names = append(names, make([]byte, size)...)[:size-8]
	return append(be.AppendUint32(append(a, optDNSSL, uint8(size/8), 0, 0), infiniteTime), names...)
}

// Routes appends the routes of a list "PREFERENCE-PREFIX,…" (RFC 4191), up to
// the first that is malformed.
func (a Advert) Routes(list string) Advert {
	for item := range tokens(list, ",") {
		pref, text, _ := strings.Cut(item, "-")
		var flags uint8
		switch pref {
		case "HIGH":
			flags = RAHigh
		case "LOW":
			flags = RALow
		}
		prefixes := Prefixes(text)
		if len(prefixes) == 0 || !prefixes[0].Addr().Is6() {
			return a
		}
		p := prefixes[0]
		n := (p.Bits() + 63) / 64
		network := p.Masked().Addr().As16()
		a = append(a, optRoute, uint8(1+n), uint8(p.Bits()), flags)
		a = append(be.AppendUint32(a, infiniteTime), network[:8*n]...)
	}
	return a
}

// tokens splits as strtok(3) does: runs of separators count as one.
func tokens(s, sep string) func(func(string) bool) {
	return strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(sep, r) })
}

// RouterAdvertisement is the reply that put_nd_ra_opts makes of a router
// solicitation. With allHosts a client without an address is answered at
// ff02::1; otherwise at the unspecified address.
func RouterAdvertisement(in *packet.Packet, a Advert, allHosts bool) (Frame, bool) {
	if !isV6(in) || proto(in) != header.ProtoICMPv6 || in.Layout.L4 == 0 ||
		in.Key.Get(field.ICMP6Type) != typeRouterSolicit || in.Key.Get(field.ICMP6Code) != 0 {
		return Frame{}, false
	}
	b := append(bytes.Clone(in.Data[:in.Layout.L4]), a...)
	ip := b[in.Layout.L3:]
	be.PutUint16(ip[4:], uint16(len(a)))
	if src := ip[8:24]; allHosts && bytes.Equal(src, make([]byte, 16)) {
		src[0], src[1], src[15] = 0xff, 2, 1
	}
	icmp := b[in.Layout.L4:]
	be.PutUint16(icmp[2:], header.Checksum(pseudo(ip, header.ProtoICMPv6, len(a)), icmp))
	return whole(b), true
}

// PeriodicAdvert is the frame in which a router sends a on its own: to all nodes.
func PeriodicAdvert(mac [6]byte, src [16]byte, a Advert) Frame {
	b := make([]byte, etherLen+ip6Len, etherLen+ip6Len+len(a))
	copy(b, []byte{0x33, 0x33, 0, 0, 0, 1})
	copy(b[6:], mac[:])
	be.PutUint16(b[12:], header.EtherIPv6)
	ip := b[etherLen:]
	ip[0], ip[6], ip[7] = 0x60, header.ProtoICMPv6, neighborHops
	be.PutUint16(ip[4:], uint16(len(a)))
	copy(ip[8:], src[:])
	ip[24], ip[25], ip[39] = 0xff, 2, 1
	b = append(b, a...)
	icmp := b[etherLen+ip6Len:]
	be.PutUint16(icmp[2:], header.Checksum(pseudo(ip, header.ProtoICMPv6, len(a)), icmp))
	return whole(b)
}
