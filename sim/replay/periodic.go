package replay

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"

	"ovnreplay/nat/header"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/network"
)

// periodic adds the frames that ovn-controller sends into a switch every so
// often, on each chassis for its own ports: advertisements of the routers on
// it, the queries of its multicast querier, and the health checks of backends.
func (a *autonomous) periodic(net *network.Network) {
	for _, p := range net.Ports[1:] {
		if frame, ok := periodicAdvert(p); ok {
			a.flood(net, p.Peer.Datapath, frame)
		}
	}
	var dscp map[*network.Datapath][]uint8
	if len(net.ServiceMonitors) > 0 {
		dscp = marks(net)
	}
	for i := range net.ServiceMonitors {
		if probe, port, ok := probe(net, &net.ServiceMonitors[i]); ok {
			for _, c := range net.Chassis {
				k := autoKey{port.Index, c.Index}
				a.probes[k], a.marks[k] = append(a.probes[k], probe), dscp[port.Datapath]
			}
		}
	}
	for i := range net.MACBindings {
		a.keep(net, &net.MACBindings[i])
	}
	for i := range net.ECMPNexthops {
		a.monitor(net, &net.ECMPNexthops[i])
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

// keep adds the questions by which a router keeps a MAC binding that would age: to
// the machine, or to all. Releases differ in which they ask.
func (a *autonomous) keep(net *network.Network, b *network.MACBinding) {
	if b.Port == nil || b.Port.Peer == nil || !b.Port.Datapath.Router || !b.Port.Datapath.BindingsAge() {
		return
	}
	if src, ok := firstOf(b.Port, b.IP.Is6()); ok { // as for neighbours of its own subnet, so for all
		a.flood(net, b.Port.Peer.Datapath, neighbourProbe([6]byte{}, b.Port.Addresses[0].MAC, src, b.IP))
	}
	for _, addr := range b.Port.Addresses {
		for _, ip := range addr.IPs {
			if ip.Addr().Is4() != b.IP.Is4() || !ip.Masked().Contains(b.IP) {
				continue
			}
			for _, to := range [...][6]byte{b.MAC, {}} {
				a.flood(net, b.Port.Peer.Datapath, neighbourProbe(to, addr.MAC, ip.Addr(), b.IP))
			}
		}
		if b.IP.IsLinkLocalUnicast() && b.IP.Is6() {
			for _, to := range [...][6]byte{b.MAC, {}} {
				a.flood(net, b.Port.Peer.Datapath,
					neighbourProbe(to, addr.MAC, netip.AddrFrom16(header.LinkLocal(addr.MAC)), b.IP))
			}
		}
	}
}

// monitor adds the questions by which a router finds out whether a next hop of ECMP
// symmetric reply still has the Ethernet address that connections remember (since OVN
// 25.03). A port with IPv4 addresses asks by ARP.
func (a *autonomous) monitor(net *network.Network, h *network.ECMPNexthop) {
	if h.Port == nil || h.Port.Peer == nil {
		return
	}
	v4, has4 := firstOf(h.Port, false)
	v6, has6 := firstOf(h.Port, true)
	switch mac := h.Port.Addresses; {
	case has4 && h.Nexthop.Is4():
		a.flood(net, h.Port.Peer.Datapath, neighbourProbe([6]byte{}, mac[0].MAC, v4, h.Nexthop))
	case has4: // asked by ARP too, for no address
		a.flood(net, h.Port.Peer.Datapath, neighbourProbe([6]byte{}, mac[0].MAC, v4, netip.IPv4Unspecified()))
	case has6 && h.Nexthop.Is6():
		a.flood(net, h.Port.Peer.Datapath, neighbourProbe([6]byte{}, mac[0].MAC, v6, h.Nexthop))
	}
}

// neighbourProbe asks a machine, or with no Ethernet address all, for an address.
func neighbourProbe(to, mac [6]byte, src, target netip.Addr) []byte {
	if target.Is6() {
		return answer.Solicitation(to, mac, src.As16(), target.As16()).Data
	}
	f := arpFrame(mac, header.EtherARP, 1, src.As4())
	if to != [6]byte{} {
		copy(f, to[:])
	}
	ip := target.As4()
	copy(f[38:], ip[:])
	return f
}

// probe describes the health check of a monitored service, with no source port
// and sequence number: false if the port has no such address.
func probe(net *network.Network, m *network.ServiceMonitor) (p answer.Probe, port *network.Port, ok bool) {
	dst, err1 := netip.ParseAddr(m.IP)
	src, err2 := netip.ParseAddr(m.SrcIP)
	mac, isMAC := header.ParseMAC(m.SrcMAC)
	function := m.Type == "network-function"
	port = net.Port(m.LogicalPort)
	if function {
		port = net.Port(m.InputPort)
	}
	if err1 != nil || err2 != nil || !isMAC || port == nil || src.Is4() != dst.Is4() {
		return p, nil, false
	}
	p = answer.Probe{SrcMAC: mac, V6: dst.Is6(), Proto: checkProtocol(m), DstPort: uint16(m.Port)}
	copy(p.Src[:], src.AsSlice())
	copy(p.Dst[:], dst.AsSlice())
	if function {
		p.DstMAC, ok = header.ParseMAC(m.MAC)
		return p, port, ok
	}
	p.DstMAC, ok = checkedAt(port, dst)
	return p, port, ok
}

// checkProtocol is the protocol of a health check: TCP unless it says another.
func checkProtocol(m *network.ServiceMonitor) uint8 {
	switch m.Protocol {
	case "udp":
		return header.ProtoUDP
	case "icmp":
		return header.ProtoICMP
	}
	return header.ProtoTCP
}

// checkedAt is the Ethernet address at which an address of a port is checked:
// the one it is with, or the first that comes without any.
func checkedAt(port *network.Port, dst netip.Addr) (mac [6]byte, ok bool) {
	for _, a := range port.Addresses {
		if len(a.IPs) == 0 || slices.ContainsFunc(a.IPs, func(ip netip.Prefix) bool { return ip.Addr() == dst }) {
			return a.MAC, true
		}
	}
	return mac, false
}

// isProbe reports whether a frame is the health check p but for what is random, and for what
// is told of any frame where it was captured: see likeFrames.
func isProbe(frame []byte, wire int, bare bool, p answer.Probe) bool {
	at := 14 + 20
	if p.V6 {
		at = 14 + 40
	}
	if len(frame) < at+8 {
		return false
	}
	p = p.Chosen(frame)
	sent := p.Frame().Data
	if bytes.Equal(sent, frame) {
		return true
	}
	return likeFrames(compared(sent, len(sent)), compared(frame, wire), bare).same
}

// compared is a frame as likeFrames takes it.
func compared(frame []byte, wire int) *waiter {
	w := &waiter{data: frame, wire: wire}
	w.form = formOf(frame, w.Headers(), wire)
	return w
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
	mac, isMAC := header.ParseMAC(o["ipv6_ra_src_eth"])
	src, err6 := netip.ParseAddr(o["ipv6_ra_src_addr"])
	flags, ok := advertFlags(o)
	if !isMAC || err6 != nil || !src.Is6() || !ok {
		return nil, false
	}
	a := answer.NewAdvert(flags).SourceLink(mac)
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
	return answer.PeriodicAdvert(mac, src.As16(), a).Data, true
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
	mac, ok := header.ParseMAC(m.EthSrc)
	if !ok {
		return nil
	}
	response := m.QueryMaxResponse
	if response == 0 {
		response = 1
	}
	if src, err := netip.ParseAddr(m.IP4Src); err == nil && src.Is4() {
		frames = append(frames, answer.IGMPQuery(mac, src.As4(), response).Data)
	}
	if src, err := netip.ParseAddr(m.IP6Src); err == nil && src.Is6() {
		frames = append(frames, answer.MLDQuery(mac, src.As16(), response).Data)
	}
	return frames
}
