package replay

import (
	"net"
	"net/netip"
	"strconv"

	"ovnreplay/sim/answer"
	"ovnreplay/sim/network"
)

// periodic adds the frames that ovn-controller sends into a switch every so
// often, on each chassis for its own ports: advertisements of the routers on
// it, and the queries of its multicast querier.
func (a *autonomous) periodic(net *network.Network) {
	for _, p := range net.Ports[1:] {
		if frame, ok := periodicAdvert(p); ok {
			a.flood(net, p.Peer.Datapath, frame)
		}
	}
	for i := range net.IPMulticast {
		m := &net.IPMulticast[i]
		if m.Datapath == nil || !m.Enabled || !m.Querier {
			continue
		}
		for _, frame := range queries(m) {
			a.flood(net, m.Datapath, frame)
		}
	}
}

// flood adds a frame that may leave at any port of a switch.
func (a *autonomous) flood(net *network.Network, dp *network.Datapath, frame []byte) {
	for _, p := range dp.Ports {
		switch p.Type {
		case network.VIF, network.Localport, network.Localnet, network.Virtual, network.External, network.L2Gateway:
		default:
			continue
		}
		for _, c := range net.Chassis {
			k := autoKey{p.Index, c.Index}
			a.frames[k] = append(a.frames[k], frame)
		}
	}
}

// periodicAdvert is the router advertisement that a router's port sends on its
// own, as its options describe it (ovn-nb(5), ipv6_ra_configs).
func periodicAdvert(p *network.Port) ([]byte, bool) {
	o := p.Options
	if o["ipv6_ra_send_periodic"] != "true" || p.Peer == nil {
		return nil, false
	}
	mac, err := net.ParseMAC(o["ipv6_ra_src_eth"])
	src, err6 := netip.ParseAddr(o["ipv6_ra_src_addr"])
	flags, ok := advertFlags(o)
	if err != nil || len(mac) != 6 || err6 != nil || !src.Is6() || !ok {
		return nil, false
	}
	a := answer.NewAdvert(flags).SourceLink([6]byte(mac))
	if mtu, err := strconv.ParseUint(o["ipv6_ra_mtu"], 10, 32); err == nil && mtu != 0 {
		a = a.MTU(uint32(mtu))
	}
	for _, prefix := range answer.Prefixes(o["ipv6_ra_prefixes"]) {
		if prefix.Addr().Is6() {
			a = a.Prefix(prefix.Addr().As16(), uint8(prefix.Bits()))
		}
	}
	if dns, ok := o["ipv6_ra_rdnss"]; ok {
		server, err := netip.ParseAddr(dns)
		if err != nil || !server.Is6() {
			return nil, false
		}
		a = a.RDNSS(server.As16())
	}
	if list := o["ipv6_ra_dnssl"]; list != "" {
		a = a.DNSSL(list)
	}
	if list := o["ipv6_ra_route_info"]; list != "" {
		a = a.Routes(list)
	}
	return answer.PeriodicAdvert([6]byte(mac), src.As16(), a).Data, true
}

func advertFlags(o map[string]string) (flags uint8, ok bool) {
	switch o["ipv6_ra_address_mode"] {
	case "slaac":
	case "dhcpv6_stateful":
		flags = answer.RAManaged
	case "dhcpv6_stateless":
		flags = answer.RAOther
	default:
		return 0, false
	}
	switch o["ipv6_ra_prf"] {
	case "HIGH":
		flags |= answer.RAHigh
	case "LOW":
		flags |= answer.RALow
	}
	return flags, true
}

// queries are the frames of a switch's multicast querier.
func queries(m *network.IPMulticast) (frames [][]byte) {
	mac, err := net.ParseMAC(m.EthSrc)
	if err != nil || len(mac) != 6 {
		return nil
	}
	response := m.QueryMaxResponse
	if response == 0 {
		response = 1
	}
	if src, err := netip.ParseAddr(m.IP4Src); err == nil && src.Is4() {
		frames = append(frames, answer.IGMPQuery([6]byte(mac), src.As4(), response).Data)
	}
	if src, err := netip.ParseAddr(m.IP6Src); err == nil && src.Is6() {
		frames = append(frames, answer.MLDQuery([6]byte(mac), src.As16(), response).Data)
	}
	return frames
}
