package why

import (
	"fmt"
	"net/netip"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// secured names the port whose port security a packet met at a flow, and what that
// allows. Since OVN 22.12 the Southbound database says so; the same stage holds flows
// that are about ports which have none, and flows that end a packet whatever a port allows.
func (x *Explainer) secured(out *sim.Outcome, at int, f *network.Flow) string {
	if s := x.unfit(out, f); s != "" {
		return s
	}
	t := &out.Trace
	ev := &t.Events()[at]
	for j := at; j >= 0; j-- {
		e := &t.Events()[j]
		if e.Kind != trace.Enter || e.Egress != f.Egress || e.Datapath != ev.Datapath || e.Chassis != ev.Chassis {
			continue
		}
		i := int(e.Port)
		if f.Egress {
			i = int(e.Arg)
		}
		switch p := x.portNumber(i); {
		case p == nil:
		case len(p.PortSecurity) > 0:
			return "by port security of " + p.Called() + ", which allows " + strings.Join(p.PortSecurity, ", ") +
				x.insecure(out, f.Egress, int(ev.Datapath)) + ": "
		case strings.Contains(f.Stage, "_check_port_sec"):
			return "by "
		}
		break
	}
	return "by port security: "
}

// unfit tells what is wrong with a packet that a flow of port security's stages ends by itself, without asking
// what the port allows; "" if the flow asks, or is none of those that northd makes.
func (x *Explainer) unfit(out *sim.Outcome, f *network.Flow) string {
	s := x.of(f)
	if s.secures {
		return ""
	}
	k := &headersOf(out).Key
	tag := k.Get(field.VLANTCI)
	switch {
	case s.facts.tagged && tag&vlanPresent != 0:
		return fmt.Sprintf("this switch takes no frame with a VLAN tag, as this one's of VLAN %d: ", tag&vlanID)
	case s.facts.group && k.Get(field.EthSrc)&groupBit != 0:
		return "no frame is sent by a group's Ethernet address, as " + header.FormatMAC(k.Get(field.EthSrc)) + " is: "
	case s.shuts():
		return "port " + x.portCalled(s.facts.ports[0]) + " is disabled: "
	case strings.Contains(f.Stage, "_check_port_sec"):
		return "by "
	}
	return ""
}

// shuts reports whether a flow is that by which northd drops all packets of a port that is disabled.
func (s *sides) shuts() bool {
	return len(s.facts.ports) == 1 && s.facts.asked == 1 && (s.denies || s.asksFor())
}

// portCalled is what people call the port of a name.
func (x *Explainer) portCalled(name string) string {
	if p := x.Book.Net.Port(name); p != nil {
		return p.Called()
	}
	return name
}

// Parts of the VLAN tag in field.VLANTCI.
const (
	vlanPresent = 1 << 12
	vlanID      = 1<<12 - 1
)

// insecure tells the addresses of a packet that port security looks at, in the switch where
// it entered: what others see of it, routers may have changed. An ICMPv6 packet's may also
// be those inside of it. Of what has no addresses but its frame's, and of neighbor advertisements, it tells
// the kind, which a port that may have the addresses need not be allowed to send.
func (x *Explainer) insecure(out *sim.Outcome, egress bool, datapath int) string {
	if int(out.Trace.Events()[0].Datapath) != datapath {
		return ""
	}
	h := headersOf(out)
	mac, ip4, ip6 := field.EthSrc, field.IP4Src, field.IP6Src
	if egress {
		mac, ip4, ip6 = field.EthDst, field.IP4Dst, field.IP6Dst
	}
	k := &h.Key
	text := ", not " + header.FormatMAC(k.Get(mac))
	switch k.Get(field.EthType) {
	case header.EtherARP:
		if egress {
			return text
		}
		if k.Get(field.ARPSHA) != k.Get(mac) {
			text += " arp.sha " + header.FormatMAC(k.Get(field.ARPSHA))
		}
		return text + " " + header.IPv4(k.Get(field.ARPSPA)).String()
	case header.EtherIPv4:
		return text + " " + header.IPv4(k.Get(ip4)).String()
	case header.EtherIPv6:
		text += " " + netip.AddrFrom16(k.Get128(ip6).Bytes()).String()
		outer := len(text)
		if egress || k.Get(field.IPProto) != header.ProtoICMPv6 {
			return text
		}
		if to := k.Get128(field.NDTarget); k.Get(field.ICMP6Type) == ndAdvertisement && to != k.Get128(ip6) {
			text += " nd.target " + netip.AddrFrom16(to.Bytes()).String()
		}
		for _, id := range [...]field.ID{field.NDSLL, field.NDTLL} {
			if at := k.Get(id); at != 0 && at != k.Get(mac) {
				text += " " + id.String() + " " + header.FormatMAC(at)
			}
		}
		if len(text) == outer && k.Get(field.ICMP6Type) == ndAdvertisement {
			text += " in a neighbor advertisement"
		}
	case etherNone:
		text += " in a frame without an ethertype"
	default:
		text += fmt.Sprintf(" with ethertype 0x%04x", k.Get(field.EthType))
	}
	return text
}

// groupBit tells Ethernet addresses of groups from those of machines; etherNone is how flows see frames that have
// a length in their type's place.
const (
	groupBit  = 1 << 40
	etherNone = 0x05ff
)

// Types of ICMPv6's neighbor discovery (RFC 4861).
const (
	ndSolicitation  = 135
	ndAdvertisement = 136
)
