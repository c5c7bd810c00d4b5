package sim

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// putOptions is put_dhcp_opts, put_dhcpv6_opts and put_nd_ra_opts: the packet
// becomes the reply and the result 1, or nothing happens and it is 0.
func (e *Engine) putOptions(p *pkt, f *table.Flow, op *table.Op) {
	a, ok := op.Action.(lflow.PutOpts)
	if !ok || e.beyondRate(p, f) {
		return
	}
	p.Flush()
	var frame answer.Frame
	why := trace.MadeDHCP
	with := e.optionsOf(op, &a)
	switch a.Op {
	case lflow.PutDHCPv4Opts:
		style := answer.DHCPv4Style{Inform: e.has(p.chassis.AZ, network.DHCPInform),
			Strict: e.has(p.chassis.AZ, network.DHCPEthernetOnly)}
		frame, ok = answer.DHCPv4(&p.Packet, style, with.offer, with.options)
	case lflow.PutDHCPv6Opts:
		frame, ok = answer.DHCPv6(&p.Packet, answer.DHCPv6Style{Release: e.has(p.chassis.AZ, network.DHCPv6Release)},
			with.options)
	case lflow.PutNDRAOpts:
		why = trace.MadeRA
		frame, ok = answer.RouterAdvertisement(&p.Packet, with.advert,
			e.has(p.chassis.AZ, network.AdvertToAllNodes))
	}
	e.become(p, f, op, frame, why, ok)
}

// offers is the options of an action as they are sent.
type offers struct {
	offer   [4]byte // DHCPv4's offered address
	options []answer.Option
	advert  *answer.Advert
}

// optionsOf returns the options of an operation, encoded once.
func (e *Engine) optionsOf(op *table.Op, a *lflow.PutOpts) *offers {
	x := e.offers[op]
	if x == nil {
		x = encode(a)
		if e.offers == nil {
			e.offers = map[*table.Op]*offers{}
		}
		e.offers[op] = x
	}
	return x
}

func encode(a *lflow.PutOpts) *offers {
	x := &offers{}
	switch a.Op {
	case lflow.PutDHCPv4Opts:
		x.offer, x.options = dhcpv4Options(a.Options)
	case lflow.PutDHCPv6Opts:
		x.options = dhcpv6Options(a.Options)
	case lflow.PutNDRAOpts:
		x.advert = advert(a.Options)
	}
	return x
}

// become makes p the reply, if there is one, and stores whether there is.
// Either way p has been at ovn-controller: it comes back with what it knows of
// its connection, but the datapath looks the connection up anew.
func (e *Engine) become(p *pkt, f *table.Flow, op *table.Op, frame answer.Frame, why trace.Reason, ok bool) {
	if ok {
		e.reframe(p, frame)
		p.made = true
		e.note(p, trace.Made, why, f)
	}
	p.ct.Clear()
	e.pause(p)
	p.Key.Store(op.Dst, bit(ok))
}

// relay is dhcp_relay_req_chk and dhcp_relay_resp_chk.
func (e *Engine) relay(p *pkt, f *table.Flow, op *table.Op) {
	a, ok := op.Action.(lflow.DHCPRelay)
	if !ok || op.Dst.Width == 0 || e.beyondRate(p, f) {
		return
	}
	var frame answer.Frame
	if ok = a.Relay.Is4() && a.Server.Is4(); ok {
		p.Flush()
		if a.Response {
			frame, ok = answer.RelayResponse(&p.Packet, a.Relay.As4(), a.Server.As4())
		} else {
			frame, ok = answer.RelayRequest(&p.Packet, a.Relay.As4())
		}
	}
	e.become(p, f, op, frame, trace.MadeDHCP, ok)
}

// Codes that DHCPv4 options are ordered by: the offered address is none of
// the options sent, and these go first.
const (
	codeOfferIP     = 0
	codeBootfile    = 67
	codeBootfileAlt = 254
	codeNextServer  = 253
)

// dhcpv4Options returns the offered address and the options in the order
// they are sent.
func dhcpv4Options(in []lflow.Option) (offer [4]byte, out []answer.Option) {
	rank := func(o *lflow.Option) int {
		return slices.Index([]uint8{codeBootfile, codeBootfileAlt, codeNextServer}, o.Code)
	}
	first := [3]*lflow.Option{}
	offered := false
	for i := range in {
		o := &in[i]
		if r := rank(o); r >= 0 && first[r] == nil {
			first[r] = o
		}
		if o.Code == codeOfferIP && !offered && len(o.Values) > 0 {
			binary.BigEndian.PutUint32(offer[:], uint32(o.Values[0].Value.Lo))
			offered = true
		}
	}
	for _, o := range first {
		if o != nil {
			out = append(out, dhcpv4Option(o))
		}
	}
	offered = false
	for i := range in {
		o := &in[i]
		switch {
		case slices.Contains(first[:], o):
		case o.Code == codeOfferIP && !offered:
			offered = true
		default:
			out = append(out, dhcpv4Option(o))
		}
	}
	return offer, out
}

// dhcpv4Option encodes an option by its type (RFC 2132).
func dhcpv4Option(o *lflow.Option) answer.Option {
	out := answer.Option{Code: uint16(o.Code)}
	if len(o.Values) == 0 {
		return out
	}
	v := &o.Values[0]
	be := binary.BigEndian
	switch o.Type {
	case "bool", "uint8":
		out.Data = []byte{uint8(v.Value.Lo)}
	case "uint16":
		out.Data = be.AppendUint16(nil, uint16(v.Value.Lo))
	case "uint32":
		out.Data = be.AppendUint32(nil, uint32(v.Value.Lo))
	case "ipv4":
		for i := range o.Values {
			out.Data = be.AppendUint32(out.Data, uint32(o.Values[i].Value.Lo))
		}
	case "static_routes":
		out.Data = staticRoutes(o.Values)
	case "str":
		out.Data = []byte(v.String)
	case "host_id":
		if out.Data = []byte(v.String); v.Format != 0 {
			out.Data = be.AppendUint32(nil, uint32(v.Value.Lo))
		}
	case "domains":
		out.Data = domains(v.String)
	}
	return out
}

// staticRoutes encodes pairs of a network and a router (RFC 3442).
func staticRoutes(values []lflow.Constant) (b []byte) {
	for i := 0; i+1 < len(values); i += 2 {
		length := 32
		if values[i].Masked {
			length = bits.LeadingZeros32(^uint32(values[i].Mask.Lo))
		}
		network := binary.BigEndian.AppendUint32(nil, uint32(values[i].Value.Lo))
		b = append(b, uint8(length))
		b = append(b, network[:(length+7)/8]...)
		b = binary.BigEndian.AppendUint32(b, uint32(values[i+1].Value.Lo))
	}
	return b
}

// maxDomain is the longest domain name that ovn-controller encodes; a list
// with a longer one makes an empty option.
const maxDomain = 255

// domains encodes a search list (RFC 3397), each suffix once. Suffixes are
// told apart by all but their last letter, as ovn-controller does.
func domains(list string) (b []byte) {
	at := map[string]int{}
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' }) {
		if len(name) > maxDomain {
			return nil
		}
		rest := name
		ended := true
		suffix := ""
		for {
			if rest != "" {
				suffix = rest[:len(rest)-1]
			}
			label, tail := cutLabel(rest)
			if label == "" {
				break
			}
			if ofs, ok := at[suffix]; ok {
				b = binary.BigEndian.AppendUint16(b, 0xc000|uint16(ofs))
				ended = false
				break
			}
			at[suffix] = len(b)
			b = append(append(b, uint8(len(label))), label...)
			rest = tail
		}
		if ended {
			b = append(b, 0)
		}
	}
	return b
}

// cutLabel splits a name after its first label, passing over leading dots.
func cutLabel(s string) (label, rest string) {
	label, rest, _ = strings.Cut(strings.TrimLeft(s, "."), ".")
	return label, rest
}

// dhcpv6Options encodes DHCPv6 options by their types.
func dhcpv6Options(in []lflow.Option) (out []answer.Option) {
	for i := range in {
		o := &in[i]
		enc := answer.Option{Code: uint16(o.Code)}
		for j := range o.Values {
			switch v := &o.Values[j]; o.Type {
			case "ipv6":
				a := v.Value.Bytes()
				enc.Data = append(enc.Data, a[:]...)
			case "mac":
				if j == 0 {
					m := header.MACBytes(v.Value.Lo)
					enc.Data = m[:]
				}
			case "str":
				if j == 0 {
					enc.Data = []byte(v.String)
				}
			case "domain":
				if j == 0 {
					enc.Data = answer.DomainName(v.String)
				}
			}
		}
		out = append(out, enc)
	}
	return out
}

// Codes of router advertisement options in put_nd_ra_opts.
const (
	codeRAMode   = 0
	codeRASource = 1
	codeRAPrefix = 3
	codeRAMTU    = 5
	codeRARoute  = 24
	codeRARDNSS  = 25
	codeRADNSSL  = 31
	codeRAPref   = 255
)

// advert builds the router advertisement that put_nd_ra_opts describes: flags
// and options take effect in the order written.
func advert(in []lflow.Option) *answer.Advert {
	a := answer.NewAdvert(0)
	for i := range in {
		o := &in[i]
		if len(o.Values) == 0 {
			continue
		}
		v := &o.Values[0]
		switch o.Code {
		case codeRAMode:
			a.SetFlags(raMode(v.String))
		case codeRAPref:
			a.SetFlags(raPreference(v.String))
		case codeRASource:
			a = a.SourceLink(header.MACBytes(v.Value.Lo))
		case codeRAPrefix:
			length := 128
			if v.Masked {
				length = leadingOnes(v.Mask)
			}
			a = a.Prefix(v.Value.Bytes(), uint8(length))
		case codeRAMTU:
			a = a.MTU(uint32(v.Value.Lo))
		case codeRARDNSS:
			a = a.RDNSS(v.Value.Bytes())
		case codeRADNSSL:
			a = a.DNSSL(v.String)
		case codeRARoute:
			a = a.Routes(v.String)
		}
	}
	return a
}

func leadingOnes(v field.Uint128) int {
	if n := bits.LeadingZeros64(^v.Hi); n < 64 {
		return n
	}
	return 64 + bits.LeadingZeros64(^v.Lo)
}

func raMode(s string) uint8 {
	switch s {
	case "dhcpv6_stateful":
		return answer.RAManaged
	case "dhcpv6_stateless":
		return answer.RAOther
	}
	return 0
}

func raPreference(s string) uint8 {
	switch s {
	case "HIGH":
		return answer.RAHigh
	case "LOW":
		return answer.RALow
	}
	return 0
}
