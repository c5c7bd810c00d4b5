package why

import (
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
// that are about ports which have none.
func (x *Explainer) secured(out *sim.Outcome, at int, f *network.Flow) string {
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

// insecure tells the addresses of a packet that port security looks at, in the switch where
// it entered: what others see of it, routers may have changed. An ICMPv6 packet's may also
// be those inside of it.
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
	}
	return text
}

// ndAdvertisement is the type of ICMPv6's neighbor advertisements.
const ndAdvertisement = 136
