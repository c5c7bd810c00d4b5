package answer

import (
	"bytes"

	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

// Option is a DHCP option: for DHCPv4 both numbers fit in a byte.
type Option struct {
	Code uint16
	Data []byte
}

// The DHCP message (RFC 2131) after the UDP header.
const (
	dhcpLen   = 236 // without the magic cookie
	dhcpExtra = 16  // cookie, message type, padding, end

	dhcpHops   = 3
	dhcpFlags  = 10
	dhcpClient = 12 // ciaddr
	dhcpYour   = 16 // yiaddr
	dhcpServer = 20 // siaddr
	dhcpRelay  = 24 // giaddr
	dhcpMAC    = 28 // chaddr
)

var dhcpCookie = []byte{99, 130, 83, 99}

// Option codes (RFC 2132) and OVN's own.
const (
	optPad         = 0
	optNetmask     = 1
	optRequestedIP = 50
	optLeaseTime   = 51
	optMessageType = 53
	optServerID    = 54
	optT1, optT2   = 58, 59
	optBootfile    = 67
	optEtherboot   = 175
	optNextServer  = 253 // OVN: for the siaddr field
	optBootfileAlt = 254 // OVN: the bootfile for those that are not iPXE
	optEnd         = 255
)

// Message types.
const (
	msgDiscover = 1
	msgOffer    = 2
	msgRequest  = 3
	msgAck      = 5
	msgNak      = 6
	msgInform   = 8
)

// dhcp is a DHCPv4 message that came in.
type dhcp struct {
	msg       []byte // from op on
	typ       uint8
	requested []byte // the address asked for, else ciaddr
	serverID  []byte
	netmask   []byte
	ipxe      bool
}

// parseDHCP reads the message of a packet; nil if it is none.
func parseDHCP(in *packet.Packet, strict bool) *dhcp {
	b := udpPayload(in)
	if !isV4(in) || len(b) < dhcpLen+len(dhcpCookie) || !bytes.Equal(b[dhcpLen:][:4], dhcpCookie) {
		return nil
	}
	if strict && (b[1] != 1 || b[2] != 6) {
		return nil
	}
	d := &dhcp{msg: b, requested: b[dhcpClient:][:4]}
	for o := b[dhcpLen+4:]; len(o) > 0 && o[0] != optEnd; {
		if o[0] == optPad {
			o = o[1:]
			continue
		}
		if len(o) < 2 || len(o) < 2+int(o[1]) {
			break
		}
		d.option(o[0], o[2:2+int(o[1])])
		o = o[2+int(o[1]):]
	}
	return d
}

func (d *dhcp) option(code uint8, v []byte) {
	switch {
	case code == optMessageType && len(v) == 1:
		d.typ = v[0]
	case code == optRequestedIP && len(v) == 4 && be.Uint32(v) != 0:
		d.requested = v
	case code == optServerID && len(v) == 4:
		d.serverID = v
	case code == optNetmask && len(v) == 4:
		d.netmask = v
	case code == optEtherboot:
		d.ipxe = true
	}
}

// DHCPv4Style is how a release answers.
type DHCPv4Style struct {
	Inform bool // answers INFORM
	Strict bool // insists on Ethernet clients
}

// DHCPv4 is the reply that put_dhcp_opts makes of a request: an offer, an
// acknowledgement, or a refusal of any address but the offered one. Ethernet
// addresses, IP source and UDP ports stay the request's; the logical flow
// changes them. Options come as they are to be sent.
//
// The frame is not made of layers: ovn-controller writes into the request's own
// bytes, and its options need not be what an encoder would make of any (see settle).
func DHCPv4(in *packet.Packet, s DHCPv4Style, offer [4]byte, options []Option) (Frame, bool) {
	d := parseDHCP(in, s.Strict)
	if d == nil || d.msg[0] != 1 {
		return Frame{}, false
	}
	typ := uint8(0)
	switch d.typ {
	case msgDiscover:
		typ = msgOffer
	case msgRequest:
		typ = msgAck
		if !bytes.Equal(d.requested, offer[:]) {
			typ = msgNak
		}
	case msgInform:
		if !s.Inform {
			return Frame{}, false
		}
		typ = msgAck
		options = informed(options)
	default:
		return Frame{}, false
	}
	encoded, server := settle(encode(options), d.ipxe)
	if typ == msgNak {
		encoded = nil
	}
	msg := bytes.Clone(d.msg[:dhcpLen])
	msg[0] = 2
	if d.typ == msgInform {
		clear(msg[dhcpYour:][:4])
	} else {
		copy(msg[dhcpYour:], offer[:])
		if server != nil {
			copy(msg[dhcpServer:dhcpServer+4], server)
		}
	}
	if typ == msgNak {
		clear(msg[dhcpYour:][:8])
	}
	msg = append(msg, dhcpCookie...)
	msg = append(msg, optMessageType, 1, typ)
	msg = append(msg, encoded...)
	msg = append(msg, 0, 0, 0, 0, optEnd, 0, 0, 0, 0)
	to := offer[:]
	if msg[dhcpFlags]&0x80 != 0 {
		to = []byte{255, 255, 255, 255}
	}
	b := replaceUDP(in, msg)
	ip := b[in.Layout.L3:]
	copy(ip[16:20], to)
	clear(ip[10:12])
	be.PutUint16(ip[10:], header.Checksum(0, ip[:ip4Len]))
	return whole(b), true
}

// informed leaves out what an INFORM is not told: the lease.
func informed(options []Option) (out []Option) {
	for _, o := range options {
		switch o.Code {
		case optNetmask, optLeaseTime, optT1, optT2:
		default:
			out = append(out, o)
		}
	}
	return out
}

// settle chooses between the bootfile for iPXE and the other one, and returns
// the encoded options and the next server, nil if no option gives it. An
// alternative alone is the bootfile for all.
//
// ovn-controller moves the options about in place while it reads them: with
// both bootfiles and an iPXE client it loses its place and overlooks what comes
// after, the next server included.
func settle(options []byte, ipxe bool) (out, server []byte) {
	b, first, boot := options, 0, false
	for at := 0; at+2 <= len(b); {
		switch b[at] {
		case optNextServer:
			if at+6 <= len(b) {
				server = bytes.Clone(b[at+2 : at+6])
			}
		case optBootfile:
			boot = true
			next := at + 2 + int(b[at+1])
			if next+2 > len(b) || b[next] != optBootfileAlt {
				break
			}
			if !ipxe {
				first, b[next] = first+next-at, optBootfile
				break
			}
			chosen := bytes.Clone(b[at:next])
			first += 2 + int(b[next+1])
			copy(b[min(first, len(b)):], chosen)
		case optBootfileAlt:
			if !boot {
				b[at] = optBootfile
			}
		}
		at += 2 + int(b[at+1])
	}
	return b[min(first, len(b)):], server
}

// encode writes options as they are sent; one longer than 255 bytes is cut as
// its length is.
func encode(options []Option) (b []byte) {
	for _, o := range options {
		b = append(b, uint8(o.Code), uint8(len(o.Data)))
		b = append(b, o.Data[:uint8(len(o.Data))]...)
	}
	return b
}

// replaceUDP returns in's frame with another UDP payload, its lengths set and
// without a UDP checksum. All else stays the request's own, IP options and extension
// headers too, which layers would not give back to the byte.
func replaceUDP(in *packet.Packet, payload []byte) []byte {
	at := in.Layout.L4
	b := bytes.Clone(in.Data[:at+udpLen])
	b = append(b, payload...)
	n := udpLen + len(payload)
	be.PutUint16(b[at+4:], uint16(n))
	be.PutUint16(b[at+6:], 0)
	if ip := b[in.Layout.L3:]; isV4(in) {
		be.PutUint16(ip[2:], uint16(at-in.Layout.L3+n))
	} else {
		be.PutUint16(ip[4:], uint16(n))
	}
	return b
}

// sumUDP6 computes the UDP checksum of an IPv6 frame with in's layout.
func sumUDP6(in *packet.Packet, b []byte) {
	udp := b[in.Layout.L4:]
	c := header.Checksum(pseudo(b[in.Layout.L3:], header.ProtoUDP, len(udp)), udp)
	if c == 0 {
		c = 0xffff
	}
	be.PutUint16(udp[6:], c)
}
