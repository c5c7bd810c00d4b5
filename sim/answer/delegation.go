package answer

import (
	"bytes"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"ovnreplay/sim/packet"
)

// Messages and options of prefix delegation (RFC 8415).
const (
	msg6Renew  = 5
	msg6Rebind = 6

	opt6IAPD     = 25
	opt6IAPrefix = 26

	iapdLen   = 16 // with its option header, without options of its own
	prefixLen = 29 // with its option header

	dhcp6Client, dhcp6Server = 546, 547
)

var (
	allAgents    = [16]byte{0: 0xff, 1: 2, 13: 1, 15: 2}
	allAgentsMAC = [6]byte{0x33, 0x33, 0, 1, 0, 2}
)

// options6 calls yield with each option of a DHCPv6 message, header and all.
func options6(b []byte, yield func(code uint16, option []byte)) {
	for len(b) >= 4 {
		n := 4 + int(be.Uint16(b[2:]))
		if n > len(b) {
			return
		}
		yield(be.Uint16(b), b[:n])
		b = b[n:]
	}
}

// PrefixRequest is the REQUEST in which handle_dhcpv6_reply takes up a server's
// ADVERTISE, if asked says that its identity association is the one solicited
// for. With multicast it goes to all servers, else to that one.
func PrefixRequest(in *packet.Packet, multicast bool, asked func(iaid uint32) bool) (Frame, bool) {
	msg := udpPayload(in)
	if !isV6(in) || len(msg) < 4 || msg[0] != msg6Advertise {
		return Frame{}, false
	}
	options, iaid, ok := offered(msg[4:])
	if !ok || !asked(iaid) {
		return Frame{}, false
	}
	ip := in.Data[in.Layout.L3:]
	e := ends{[6]byte(in.Data), allAgentsMAC, [16]byte(ip[24:]), allAgents, true}
	if !multicast {
		e.dstMAC, e.dst = [6]byte(in.Data[6:]), [16]byte(ip[8:])
	}
	eth, message := message6(e, msg6Request, options)
	return tagged(in, eth, message...), true
}

// message6 is a client's DHCPv6 message; ovn-controller leaves its transaction ID
// at 0. Options are the server's own bytes.
func message6(e ends, kind uint8, options []byte) (*layers.Ethernet, []layer) {
	eth, ip := e.headers(layers.IPProtocolUDP, ownHops)
	return eth, []layer{
		ip, newUDP(ip, dhcp6Client, dhcp6Server), &layers.DHCPv6{MsgType: layers.DHCPv6MsgType(kind)},
		gopacket.Payload(options),
	}
}

// offered returns what of an ADVERTISE goes into the REQUEST; false if it is to
// be refused.
func offered(b []byte) (options []byte, iaid uint32, ok bool) {
	ok = true
	options6(b, func(code uint16, o []byte) {
		switch {
		case code == opt6ServerID, code == opt6ClientID:
			options = append(options, o...)
		case code == opt6IAPD && len(o) >= iapdLen:
			iaid = be.Uint32(o[4:])
			t1, t2 := be.Uint32(o[8:]), be.Uint32(o[12:])
			prefix, status := delegated(o[iapdLen:])
			ok = ok && !(t1 > t2 && t2 > 0) && status == 0
			if prefix != nil && be.Uint32(prefix[4:]) > be.Uint32(prefix[8:]) {
				ok = false
			}
			at := len(options)
			options = append(append(options, o[:iapdLen]...), prefix...)
			be.PutUint16(options[at+2:], uint16(iapdLen-4+len(prefix)))
		}
	})
	return options, iaid, ok
}

// delegated returns the first prefix and the first status of an identity
// association's options.
func delegated(b []byte) (prefix []byte, status uint16) {
	known := false
	options6(b, func(code uint16, o []byte) {
		switch {
		case code == opt6IAPrefix && prefix == nil && len(o) >= prefixLen:
			prefix = o[:prefixLen]
		case code == opt6Status && !known && len(o) >= 6:
			status, known = be.Uint16(o[4:]), true
		}
	})
	return prefix, status
}

// PrefixClient describes a router port that asks for a prefix on behalf of another.
type PrefixClient struct {
	MAC     [6]byte
	Addr    [16]byte
	Purpose [6]byte // the other port's address, which names the client
}

// Solicits rebuilds the frame in as the client would send it: a SOLICIT, RENEW
// or REBIND that takes from in only what the database does not hold: the
// identity association's number, the server and the prefix it gave. iaid is
// that number; false if in is no such message.
func (c *PrefixClient) Solicits(in *packet.Packet) (f Frame, iaid uint32, ok bool) {
	msg := udpPayload(in)
	if len(msg) < 4 || msg[0] != msg6Solicit && msg[0] != msg6Renew && msg[0] != msg6Rebind {
		return f, 0, false
	}
	var server, association []byte
	options6(msg[4:], func(code uint16, o []byte) {
		switch {
		case code == opt6ServerID:
			server = o
		case code == opt6IAPD && len(o) >= iapdLen:
			iaid = be.Uint32(o[4:])
			prefix, _ := delegated(o[iapdLen:])
			association = bytes.Clone(o[:iapdLen])
			be.PutUint16(association[2:], uint16(iapdLen-4+len(prefix)))
			be.PutUint32(association[8:], infiniteTime)
			be.PutUint32(association[12:], infiniteTime)
			if prefix != nil {
				association = append(association, prefix...)
				be.PutUint32(association[iapdLen+4:], infiniteTime)
				be.PutUint32(association[iapdLen+8:], infiniteTime)
			}
		}
	})
	options := append([]byte{0, opt6ClientID, 0, 10, 0, 3, 0, 1}, c.Purpose[:]...)
	options = append(append(options, server...), association...)
	eth, message := message6(ends{c.MAC, allAgentsMAC, c.Addr, allAgents, true}, msg[0], options)
	return frame(eth, message...), iaid, true
}
