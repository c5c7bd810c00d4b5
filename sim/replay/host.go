package replay

import (
	"slices"

	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// A capture of all interfaces of a host says of a frame on which of them it was,
// by a number, and not which logical port that is. The frames whose addresses
// tell it teach it for the others of the same interface and VLAN.

// device is an interface of a host as captures number it, and a VLAN there.
type device struct{ iface, index, vid int }

func (o *Owners) deviceOf(rec *pcap.Record, m *pcap.LinkMeta) device {
	d := device{iface: rec.Interface.Index, index: m.IfIndex}
	if b := m.Payload; m.EtherType == header.EtherVLAN && len(b) >= 2 {
		if vid := int(b[0]&0xf)<<8 | int(b[1]); o.vids[vid] { // else it goes through with what it has
			d.vid = vid
		}
	}
	return d
}

// learn notes the logical port behind an interface of the host: none is, if
// frames of several are on it.
func (t *Tap) learn(d device, p *network.Port) {
	if d.index == 0 {
		return
	}
	if t.hosted == nil {
		t.hosted = map[device]*network.Port{}
	}
	if known, ok := t.hosted[d]; ok && known != p {
		p = nil
	}
	t.hosted[d] = p
}

// Learn looks at the first records of a capture of all interfaces of a host,
// for which logical ports are behind them.
func (o *Owners) Learn(t *Tap, recs []pcap.Record) {
	if t.Site == nil || t.Site.Kind != AtHost {
		return
	}
	for i := range recs {
		eth, m, err := pcap.Frame(&recs[i])
		if err != nil {
			continue
		}
		if _, fault := m.Decap(); fault != pcap.TunnelOK {
			if p, _ := o.hostPlace(t.Site.Chassis, &m, eth); p != nil {
				t.learn(o.deviceOf(&recs[i], &m), p)
			}
		}
	}
}

// placeOnHost finds where a frame met somewhere on a chassis crossed: by its
// addresses, or by the interface it was on.
func (o *Owners) placeOnHost(t *Tap, c *network.Chassis, rec *pcap.Record, m *pcap.LinkMeta,
	eth []byte) (*network.Port, Direction) {
	d := o.deviceOf(rec, m)
	port, dir := o.hostPlace(c, m, eth)
	if port != nil {
		t.learn(d, port)
		return port, dir
	}
	port, told := t.hosted[d]
	if port == nil {
		if port, dir = o.hostPlaceByIP(c, m); d.index != 0 && port != nil && t.hosts(port) && hasDevice(port) {
			port, dir = nil, Unknown // its device is another
		}
		if port == nil && !told && m.Direction == pcap.DirectionOut {
			port, dir = o.lastOf(t, c, metaMAC(m.HasSrc, m.Src)), Left
			if port != nil {
				t.learn(d, port)
			}
		}
		return tagBehind(port, eth), dir
	}
	if !leadsOut(port) {
		switch m.Direction {
		case pcap.DirectionIn:
			return port, Entered
		case pcap.DirectionOut:
			return port, Left
		}
		return nil, Unknown
	}
	src, dst := metaMAC(m.HasSrc, m.Src), metaMAC(m.HasDst, m.Dst)
	switch sent := o.send[src]; {
	case sent != nil && sent.has(c):
		return port, Left
	case sent == nil && m.Direction == pcap.DirectionOut: // the host's own
		return nil, Unknown
	case sent != nil, m.HasDst && (dst.multicast() || o.send[dst] != nil), !m.HasDst && o.answersFor(m):
		return port, Entered
	}
	return nil, Unknown
}

// lastOf is the one interface of a chassis behind no device that frames told so far
// which is beside the sender of a frame, an interface or a router of OVN's: the frame's
// device is its.
func (o *Owners) lastOf(t *Tap, c *network.Chassis, src mac) (last *network.Port) {
	for _, p := range o.net.Ports[1:] {
		if !hasDevice(p) || !p.ResidentOn(c) || t.hosts(p) || src == 0 ||
			p.Type == network.Localport && !o.at(src, c) ||
			hasMAC(p, src) || !o.near(p.Datapath, src) {
			continue
		}
		if last != nil {
			return nil
		}
		last = p
	}
	return last
}

// at reports whether an Ethernet address is that of a port at a chassis, from where alone
// packets go to its localports.
func (o *Owners) at(m mac, c *network.Chassis) bool {
	return slices.ContainsFunc(o.ports[m], func(p *network.Port) bool { return p.ResidentOn(c) })
}

// hasDevice reports whether a port has an interface of its own at a host.
func hasDevice(p *network.Port) bool {
	return p.Type == network.VIF && p.Parent == nil || p.Type == network.Localport
}

// hosts reports whether frames told the device of an interface.
func (t *Tap) hosts(p *network.Port) bool {
	for _, q := range t.hosted {
		if q == p {
			return true
		}
	}
	return false
}

// answersFor reports whether what comes over a wire to an address is for OVN.
func (o *Owners) answersFor(m *pcap.LinkMeta) bool {
	_, dst := metaIPs(m)
	return !dst.IsValid() || dst.IsMulticast() || o.send[mac(header.MACOfLinkLocal(dst))] != nil ||
		dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || o.has(dst) || o.behindRouters(dst)
}

// behindRouters reports whether an address, nobody's it may be, is of a network that is
// on no wire: only OVN's routers lead there.
func (o *Owners) behindRouters(a netip.Addr) bool {
	return slices.ContainsFunc(o.overlay, func(n netip.Prefix) bool { return n.Contains(a) })
}

// has reports whether an address is of OVN's: a port's, or one that stands for
// others'.
func (o *Owners) has(a netip.Addr) bool {
	return len(o.byIP[a]) > 0 || o.announced[a] != 0 || o.floating[a].IsValid() || o.virtual[a]
}

// hostPlace finds, by Ethernet addresses, the logical port that a frame met
// somewhere on a chassis crossed at. A frame that an interface of the host
// received came from the port behind it; one that it sent goes there.
func (o *Owners) hostPlace(c *network.Chassis, m *pcap.LinkMeta, eth []byte) (*network.Port, Direction) {
	src, dst := metaMAC(m.HasSrc, m.Src), metaMAC(m.HasDst, m.Dst)
	if m.Direction != pcap.DirectionOut {
		if p := o.interfaceOf(src, c); p != nil {
			return tagBehind(p, eth), Entered
		}
	}
	if m.Direction != pcap.DirectionIn {
		if p := o.interfaceOf(dst, c); p != nil {
			return tagBehind(p, eth), Left
		}
	}
	if sent := o.send[src]; m.HasSrc && sent != nil && sent.has(c) &&
		(m.HasDst || m.EtherType == header.EtherVLAN || !o.toInterface(m, c, src)) {
		if w := o.wireNear(src); w != nil {
			return w, Left
		}
		from, _ := metaIPs(m)
		return o.wireToward(from), Left
	}
	if sent := o.send[dst]; m.HasDst && sent != nil {
		return o.wireNear(dst), Entered
	}
	return nil, Unknown
}

// toInterface reports whether a cooked frame is for an interface of the chassis.
func (o *Owners) toInterface(m *pcap.LinkMeta, c *network.Chassis, src mac) bool {
	return m.Direction != pcap.DirectionIn && o.interfaceByIP(m, c, src) != nil
}

// hostPlaceByIP finds, by IP addresses, where a frame without its Ethernet
// destination crossed.
func (o *Owners) hostPlaceByIP(c *network.Chassis, m *pcap.LinkMeta) (*network.Port, Direction) {
	if m.HasDst {
		return nil, Unknown
	}
	if m.Direction != pcap.DirectionIn && m.EtherType != header.EtherVLAN {
		if p := o.interfaceByIP(m, c, metaMAC(m.HasSrc, m.Src)); p != nil {
			return p, Left
		}
	}
	if m.Direction == pcap.DirectionOut {
		return nil, Unknown
	}
	if p := o.routerByIP(m); p != nil {
		return o.wireBeside(p), Entered
	}
	src, dst := metaIPs(m)
	if t, asks := solicited(m); asks {
		dst = t
	}
	foreign := m.HasSrc && o.send[macOf(m.Src)] == nil
	switch {
	case dst.IsLinkLocalUnicast():
		return o.wireNear(mac(header.MACOfLinkLocal(dst))), Entered
	case o.has(dst) && o.wireToward(dst) != nil:
		return o.wireToward(dst), Entered
	case foreign && o.answersFor(m):
		return o.wireOfSender(src), Entered
	}
	return nil, Unknown
}

// solicited is the address that a neighbor solicitation asks for.
func solicited(m *pcap.LinkMeta) (target netip.Addr, asks bool) {
	const solicitation = 135
	b := m.Payload
	if m.EtherType != header.EtherIPv6 || len(b) < 64 || b[6] != header.ProtoICMPv6 || b[40] != solicitation {
		return target, false
	}
	return netip.AddrFrom16([16]byte(b[48:64])), true
}

// wireOfSender returns the wire over which somebody outside sends: that of his network, or
// the only one there is.
func (o *Owners) wireOfSender(a netip.Addr) *network.Port {
	if w := o.wireToward(a); w != nil {
		return w
	}
	return o.oneWire(func(netip.Prefix) bool { return true })
}

// wireToward returns the localnet port of the network outside that an address
// is of, nil if there is none or several.
func (o *Owners) wireToward(a netip.Addr) *network.Port {
	return o.oneWire(func(n netip.Prefix) bool { return n.Contains(a) })
}

// oneWire returns the localnet port of all networks outside that are such, nil if there is
// none or several.
func (o *Owners) oneWire(such func(netip.Prefix) bool) (wire *network.Port) {
	for _, n := range o.networks {
		if !such(n.prefix) {
			continue
		}
		if wire != nil && wire != n.wire {
			return nil
		}
		wire = n.wire
	}
	return wire
}

func tagBehind(p *network.Port, eth []byte) *network.Port {
	if p == nil {
		return nil
	}
	if q := behind(p, eth); q != nil {
		return q
	}
	return p
}

func metaMAC(has bool, m [6]byte) mac {
	if !has {
		return 0
	}
	return macOf(m)
}

// interfaceOf returns the interface of the chassis that has an Ethernet address.
func (o *Owners) interfaceOf(m mac, c *network.Chassis) *network.Port {
	if m == 0 {
		return nil
	}
	for _, p := range o.ports[m] {
		if (p.Type == network.VIF || p.Type == network.Localport) && p.ResidentOn(c) {
			return p
		}
	}
	return nil
}

// interfaceByIP returns the interface of the chassis a cooked frame is for: it
// has the destination address and is where the sender's address is.
func (o *Owners) interfaceByIP(m *pcap.LinkMeta, c *network.Chassis, src mac) *network.Port {
	_, dst := metaIPs(m)
	ports := o.byIP[dst]
	if len(ports) == 0 && dst.IsLinkLocalUnicast() {
		ports = o.ports[mac(header.MACOfLinkLocal(dst))]
	}
	for _, p := range ports {
		if (p.Type == network.VIF || p.Type == network.Localport) && p.ResidentOn(c) &&
			(src == 0 || o.near(p.Datapath, src)) {
			return p
		}
	}
	return nil
}

// near reports whether an Ethernet address belongs to a port of the datapath
// or to a peer of one, or of a switch that it is linked to.
func (o *Owners) near(dp *network.Datapath, m mac) bool {
	for _, p := range o.ports[m] {
		if o.same(p.Datapath, dp) || p.Peer != nil && o.same(p.Peer.Datapath, dp) {
			return true
		}
	}
	return false
}

// same reports whether two datapaths are one, or switches that are linked.
func (o *Owners) same(a, b *network.Datapath) bool { return a == b || slices.Contains(o.links[b], a) }

// routerByIP returns the router port a frame is for, by its IP address.
func (o *Owners) routerByIP(m *pcap.LinkMeta) *network.Port {
	_, dst := metaIPs(m)
	for _, p := range o.byIP[dst] {
		if p.Datapath.Router {
			return p
		}
	}
	return nil
}

// wireNear returns the localnet port beside the ports of an address.
func (o *Owners) wireNear(m mac) *network.Port {
	for _, p := range o.ports[m] {
		if w := o.wireBeside(p); w != nil {
			return w
		}
	}
	if p := o.announcer[m]; p != nil {
		return o.wireBeside(p)
	}
	return nil
}

func (o *Owners) wireBeside(p *network.Port) *network.Port {
	dp := p.Datapath
	if dp.Router && p.Peer != nil {
		dp = p.Peer.Datapath
	}
	if len(dp.Localnet) == 0 {
		return nil
	}
	return dp.Localnet[0]
}
