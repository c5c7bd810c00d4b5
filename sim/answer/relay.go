package answer

import (
	"bytes"

	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

// RelayRequest is a client's DHCP request as dhcp_relay_req_chk passes it on:
// with the relay's address and one more hop: the request's own bytes but for these.
func RelayRequest(in *packet.Packet, relay [4]byte) (Frame, bool) {
	d := parseDHCP(in, true)
	if d == nil || d.msg[0] != 1 || be.Uint32(d.msg[dhcpRelay:]) != 0 || d.typ == 0 {
		return Frame{}, false
	}
	b := bytes.Clone(in.Data[:in.Layout.L3End])
	udp := b[in.Layout.L4:]
	msg := udp[udpLen:]
	hops := msg[dhcpHops]
	msg[dhcpHops]++
	copy(msg[dhcpRelay:], relay[:])
	if c := be.Uint16(udp[6:]); c != 0 {
		c = header.UpdateWord(c, uint16(hops), uint16(msg[dhcpHops]))
		be.PutUint16(udp[6:], header.UpdateWords(c, 0, be.Uint32(relay[:])))
	}
	return whole(b), true
}

// RelayResponse is a server's DHCP reply as dhcp_relay_resp_chk passes it on:
// to the client's Ethernet address, and to the address it is given unless the
// client wants a broadcast.
func RelayResponse(in *packet.Packet, relay, server [4]byte) (Frame, bool) {
	d := parseDHCP(in, true)
	if d == nil || d.msg[0] != 2 || d.typ == 0 ||
		be.Uint32(relay[:]) == 0 || !bytes.Equal(d.msg[dhcpRelay:][:4], relay[:]) ||
		!bytes.Equal(d.serverID, server[:]) {
		return Frame{}, false
	}
	if d.typ == msgOffer || d.typ == msgAck {
		var mask uint32
		if d.netmask != nil {
			mask = be.Uint32(d.netmask)
		}
		if (be.Uint32(d.msg[dhcpYour:])^be.Uint32(relay[:]))&mask != 0 {
			return Frame{}, false
		}
	}
	b := bytes.Clone(in.Data[:in.Layout.L3End])
	ip, udp := b[in.Layout.L3:], b[in.Layout.L4:]
	msg := udp[udpLen:]
	copy(b[:6], msg[dhcpMAC:])
	old, to := be.Uint32(ip[16:]), be.Uint32(msg[dhcpYour:])
	if msg[dhcpFlags]&0x80 != 0 {
		to = 0xffffffff
	}
	be.PutUint32(ip[16:], to)
	be.PutUint16(ip[10:], header.UpdateWords(be.Uint16(ip[10:]), old, to))
	if c := be.Uint16(udp[6:]); c != 0 {
		be.PutUint16(udp[6:], header.UpdateWords(c, old, to))
	}
	return whole(b), true
}
