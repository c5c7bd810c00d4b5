package answer

import (
	"bytes"

	"github.com/google/gopacket/layers"

	"ovnreplay/sim/packet"
)

// DHCPv6 messages and options (RFC 8415, RFC 3646, RFC 4704, RFC 5970) and
// OVN's own.
const (
	msg6Solicit   = 1
	msg6Advertise = 2
	msg6Request   = 3
	msg6Confirm   = 4
	msg6Reply     = 7
	msg6Release   = 8
	msg6Decline   = 9
	msg6InfoReq   = 11

	opt6ClientID     = 1
	opt6ServerID     = 2
	opt6IANA         = 3
	opt6IAAddr       = 5
	opt6Status       = 13
	opt6UserClass    = 15
	opt6DNS          = 23
	opt6DomainSearch = 24
	opt6FQDN         = 39
	opt6Bootfile     = 59
	opt6BootfileAlt  = 254

	fqdnServer   = 1 << 0 // S, O and N (RFC 4704)
	fqdnOverride = 1 << 1
	fqdnNone     = 1 << 2
)

// DHCPv6Style is how a release answers.
type DHCPv6Style struct {
	Release bool // answers RELEASE
}

// request6 is a DHCPv6 message that came in.
type request6 struct {
	typ      uint8
	iaid     []byte
	clientID []byte // the whole option
	ipxe     bool
	fqdn     bool
	flags    uint8 // of the FQDN option
}

func parseDHCPv6(b []byte) (r request6) {
	r.typ = b[0]
	for o := b[4:]; len(o) >= 4; {
		n := 4 + int(be.Uint16(o[2:]))
		if n > len(o) {
			break
		}
		v := o[4:n]
		switch be.Uint16(o) {
		case opt6ClientID:
			r.clientID = o[:n]
		case opt6IANA:
			if len(v) >= 12 {
				r.iaid = v[:4]
			}
		case opt6UserClass:
			r.ipxe = r.ipxe || len(v) >= 6 && string(v[2:6]) == "iPXE"
		case opt6FQDN:
			if len(v) > 0 && v[0] != 0xff {
				r.fqdn, r.flags = true, v[0]
			}
		}
		o = o[n:]
	}
	if r.iaid != nil && be.Uint32(r.iaid) == 0 {
		r.iaid = nil
	}
	return r
}

// DHCPv6 is the reply that put_dhcpv6_opts makes of a request. Lifetimes are
// infinite. Addresses and ports stay the request's.
func DHCPv6(in *packet.Packet, s DHCPv6Style, options []Option) (Frame, bool) {
	b := udpPayload(in)
	if !isV6(in) || len(b) < 4 {
		return Frame{}, false
	}
	if n := int(be.Uint16(in.Data[in.Layout.L4+4:])) - udpLen; n < len(b) && n >= 4 {
		b = b[:n]
	}
	r := parseDHCPv6(b)
	reply := uint8(msg6Reply)
	switch r.typ {
	case msg6Solicit:
		reply = msg6Advertise
	case msg6Request, msg6Confirm, msg6Decline, msg6InfoReq:
	case msg6Release:
		if !s.Release {
			return Frame{}, false
		}
	default:
		return Frame{}, false
	}
	if r.clientID == nil || r.iaid == nil && r.typ != msg6InfoReq {
		return Frame{}, false
	}
	msg := &layers.DHCPv6{MsgType: layers.DHCPv6MsgType(reply), TransactionID: b[1:4]}
	msg.Options = append(msg.Options, option6(opt6ClientID, r.clientID[4:]))
	if r.typ == msg6Release {
		released(msg, options)
	} else {
		for _, o := range options {
			r.option(msg, o)
		}
	}
	out := replaceUDP(in, serialize(msg))
	sumUDP6(in, out)
	return whole(out), true
}

func option6(code uint16, parts ...[]byte) layers.DHCPv6Option {
	return layers.NewDHCPv6Option(layers.DHCPv6Opt(code), bytes.Join(parts, nil))
}

// released appends what a RELEASE is told: the server's identifier and success.
func released(msg *layers.DHCPv6, options []Option) {
	for _, o := range options {
		if o.Code == opt6ServerID {
			msg.Options = append(msg.Options, serverID(o.Data))
			break
		}
	}
	msg.Options = append(msg.Options, option6(opt6Status, []byte{0, 0}))
}

// serverID is a DUID based on the server's Ethernet address.
func serverID(mac []byte) layers.DHCPv6Option {
	return option6(opt6ServerID, []byte{0, 3, 0, 1}, mac)
}

// option appends one option, if the request wants it.
func (r *request6) option(msg *layers.DHCPv6, o Option) {
	put := func(code uint16, parts ...[]byte) {
		msg.Options = append(msg.Options, option6(code, parts...))
	}
	forever := bytes.Repeat([]byte{0xff}, 8)
	switch o.Code {
	case opt6ServerID:
		msg.Options = append(msg.Options, serverID(o.Data))
	case opt6IAAddr:
		if r.iaid != nil {
			put(opt6IANA, r.iaid, forever, []byte{0, opt6IAAddr, 0, 24}, o.Data, forever)
		}
	case opt6DNS:
		put(opt6DNS, o.Data)
	case opt6DomainSearch:
		// One label of everything: as OVN has it.
		put(opt6DomainSearch, []byte{uint8(len(o.Data))}, o.Data, []byte{0})
	case opt6Bootfile, opt6BootfileAlt:
		if r.ipxe == (o.Code == opt6Bootfile) {
			put(opt6Bootfile, o.Data)
		}
	case opt6FQDN:
		if r.fqdn {
			flags := uint8(fqdnNone)
			if r.flags&fqdnServer != 0 {
				flags |= fqdnOverride
			}
			put(opt6FQDN, []byte{flags}, o.Data)
		}
	}
}
