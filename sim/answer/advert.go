package answer

import (
	"bytes"
	"slices"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

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

// Advert is an ICMPv6 router advertisement in the making.
type Advert struct {
	message layers.ICMPv6RouterAdvertisement
}

// NewAdvert begins a router advertisement.
func NewAdvert(flags uint8) *Advert {
	return &Advert{layers.ICMPv6RouterAdvertisement{HopLimit: raHops, Flags: flags, RouterLifetime: raLifetime}}
}

// SetFlags adds bits to the message's flags.
func (a *Advert) SetFlags(bits uint8) { a.message.Flags |= bits }

// option appends an option; data is what follows its type and length.
func (a *Advert) option(typ layers.ICMPv6Opt, data []byte) *Advert {
	a.message.Options = append(a.message.Options, layers.ICMPv6Option{Type: typ, Data: data})
	return a
}

// Options that gopacket has no names for (RFC 4191, RFC 8106).
const (
	optRoute = 24
	optRDNSS = 25
	optDNSSL = 31
)

// SourceLink appends the router's Ethernet address.
func (a *Advert) SourceLink(mac [6]byte) *Advert {
	return a.option(layers.ICMPv6OptSourceAddress, mac[:])
}

// MTU appends the link's MTU.
func (a *Advert) MTU(mtu uint32) *Advert {
	return a.option(layers.ICMPv6OptMTU, be.AppendUint32(make([]byte, 2), mtu))
}

// Prefix appends a prefix, for ever; hosts may make themselves addresses in
// it unless the flags say that DHCPv6 gives them.
func (a *Advert) Prefix(p [16]byte, length uint8) *Advert {
	flags := uint8(prefixOnLink)
	if a.message.Flags&RAManaged == 0 {
		flags |= prefixAutonomous
	}
	data := be.AppendUint32([]byte{length, flags}, infiniteTime)
	data = be.AppendUint32(data, infiniteTime)
	return a.option(layers.ICMPv6OptPrefixInfo, append(append(data, 0, 0, 0, 0), p[:]...))
}

// RDNSS appends a resolver, for ever.
func (a *Advert) RDNSS(server [16]byte) *Advert {
	return a.option(optRDNSS, append(be.AppendUint32(make([]byte, 2), infiniteTime), server[:]...))
}

// DNSSL appends a comma-separated DNS search list (RFC 8106). A list that is
// too long for ovn-controller's buffer of 255 bytes is left out.
func (a *Advert) DNSSL(list string) *Advert {
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
	return a.option(optDNSSL, append(be.AppendUint32(make([]byte, 2), infiniteTime), names...))
}

// Routes appends the routes of a list "PREFERENCE-PREFIX,…" (RFC 4191), up to
// the first that is malformed.
func (a *Advert) Routes(list string) *Advert {
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
		a.option(optRoute, append(be.AppendUint32([]byte{uint8(p.Bits()), flags}, infiniteTime), network[:8*n]...))
	}
	return a
}

// tokens splits as strtok(3) does: runs of separators count as one.
func tokens(s, sep string) func(func(string) bool) {
	return strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(sep, r) })
}

// over serializes the message over an IP header. gopacket writes the options one
// before the other: they are given to it the other way round.
func (a *Advert) over(ip gopacket.NetworkLayer) (icmp *layers.ICMPv6, message layer) {
	m := a.message
	m.Options = slices.Clone(m.Options)
	slices.Reverse(m.Options)
	return icmp6(ip, typeRouterAdvert, 0), &m
}

// RouterAdvertisement is the reply that put_nd_ra_opts makes of a router
// solicitation. With allHosts a client without an address is answered at
// ff02::1; otherwise at the unspecified address.
func RouterAdvertisement(in *packet.Packet, a *Advert, allHosts bool) (Frame, bool) {
	if !isV6(in) || proto(in) != header.ProtoICMPv6 || in.Layout.L4 == 0 ||
		in.Key.Get(field.ICMP6Type) != typeRouterSolicit || in.Key.Get(field.ICMP6Code) != 0 {
		return Frame{}, false
	}
	// The headers are the solicitation's own, whatever they are.
	b := bytes.Clone(in.Data[:in.Layout.L4])
	ip := b[in.Layout.L3:]
	if src := ip[8:24]; allHosts && bytes.Equal(src, make([]byte, 16)) {
		src[0], src[1], src[15] = 0xff, 2, 1
	}
	head, message := a.over(&layers.IPv6{SrcIP: ip[8:24], DstIP: ip[24:40]})
	icmp := serialize(head, message)
	be.PutUint16(ip[4:], uint16(len(icmp)))
	return whole(append(b, icmp...)), true
}

// PeriodicAdvert is the frame in which a router sends a on its own: to all nodes.
func PeriodicAdvert(mac [6]byte, src [16]byte, a *Advert) Frame {
	eth := &layers.Ethernet{DstMAC: []byte{0x33, 0x33, 0, 0, 0, 1}, SrcMAC: mac[:],
		EthernetType: layers.EthernetTypeIPv6}
	ip := &layers.IPv6{
		Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: neighborHops, SrcIP: src[:], DstIP: allNodes[:],
	}
	icmp, message := a.over(ip)
	return frame(eth, ip, icmp, message)
}

// allNodes is the group of all nodes on a link.
var allNodes = [16]byte{0: 0xff, 1: 2, 15: 1}
