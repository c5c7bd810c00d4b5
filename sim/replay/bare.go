package replay

import (
	"iter"
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// Cooked, raw and null captures hold packets without their Ethernet header.
// What it was is worked out from the network.

// metaIPs returns the addresses of an IP packet; for ARP, of sender and target.
func metaIPs(m *pcap.LinkMeta) (src, dst netip.Addr) {
	b, t := m.Payload, m.EtherType
	if t == header.EtherVLAN && len(b) >= 4 {
		t, b = uint16(b[2])<<8|uint16(b[3]), b[4:]
	}
	switch {
	case t == header.EtherIPv4 && len(b) >= 20:
		return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	case t == header.EtherIPv6 && len(b) >= 40:
		return netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	case t == header.EtherARP && len(b) >= 28:
		return netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	}
	return src, dst
}

// bareDirection tells which way a frame without Ethernet header crossed a
// port: by the sender's Ethernet address where the capture has it, by the IP
// addresses, or by what the capturing host said of it. host: the capture was
// taken on the chassis, not behind the port.
func (o *Owners) bareDirection(p *network.Port, c *network.Chassis, m *pcap.LinkMeta, host bool) Direction {
	src, dst := metaIPs(m)
	if leadsOut(p) {
		switch {
		case m.HasSrc:
			if sent := o.send[macOf(m.Src)]; sent != nil && sent.has(c) {
				return Left
			}
			return Entered
		case m.Direction == pcap.DirectionOut, o.inside(p, src):
			return Left
		case m.Direction == pcap.DirectionIn, o.inside(p, dst):
			return Entered
		}
		return Unknown
	}
	switch {
	case m.HasSrc && hasMAC(p, macOf(m.Src)):
		return Entered
	case m.HasSrc:
		return Left
	case hasIP(p, src):
		return Entered
	case hasIP(p, dst):
		return Left
	case m.Direction == pcap.DirectionIn:
		return entersIf(host)
	case m.Direction == pcap.DirectionOut:
		return entersIf(!host)
	}
	return Unknown
}

func entersIf(b bool) Direction {
	if b {
		return Entered
	}
	return Left
}

// inside reports whether OVN answers for an address on a wire.
func (o *Owners) inside(wire *network.Port, a netip.Addr) bool {
	return a.IsValid() && (len(o.byIP[a]) > 0 || o.announced[a] != 0)
}

func hasIP(p *network.Port, a netip.Addr) bool {
	for _, addr := range p.Addresses {
		for _, ip := range addr.IPs {
			if ip.Addr() == a {
				return true
			}
		}
	}
	return false
}

// dress appends the frame of a packet that crossed a port, with the Ethernet
// header the network gives it: a packet that entered goes to whoever has its
// destination's address there, else to the router.
func (o *Owners) dress(buf []byte, p *network.Port, d Direction, m *pcap.LinkMeta) []byte {
	var src, dst mac
	if len(p.Addresses) > 0 && !leadsOut(p) {
		src = macOf(p.Addresses[0].MAC)
	}
	if d == Left {
		if group := groupOf(m); group != 0 {
			src = group
		}
		return m.AppendEthernet(buf, src.bytes(), [6]byte{})
	}
	dst = o.nextHop(p, m)
	return m.AppendEthernet(buf, dst.bytes(), src.bytes())
}

// groupOf is the Ethernet address of all to whom a packet is sent, 0 if it is sent to one.
func groupOf(m *pcap.LinkMeta) mac {
	switch from, to := metaIPs(m); {
	case header.GroupMAC(to) != 0:
		return mac(header.GroupMAC(to))
	case m.EtherType == header.EtherARP && from == to: // it announces itself
		return broadcast
	}
	return 0
}

// heardKey is an address on a switch.
type heardKey struct {
	datapath *network.Datapath
	addr     netip.Addr
}

// maxHeard bounds how many addresses frames tell.
const maxHeard = 1 << 14

// onLink reports whether an address is of the network of a port's switch: what goes
// to others goes to a router, whoever sent from them.
func onLink(p *network.Port, a netip.Addr) bool {
	return slices.ContainsFunc(p.Datapath.Ports, func(q *network.Port) bool {
		return q.Peer != nil && slices.ContainsFunc(q.Peer.Addresses, func(at network.Address) bool {
			return slices.ContainsFunc(at.IPs, func(ip netip.Prefix) bool { return ip.Contains(a) })
		})
	})
}

// hear notes behind which Ethernet address a sender's address is found on a switch:
// answers to it go there.
func (o *Owners) hear(p *network.Port, m *pcap.LinkMeta) {
	src, _ := metaIPs(m)
	from := macOf(m.Src)
	if !m.HasSrc || !src.IsValid() || from.multicast() ||
		o.heard[heardKey{p.Datapath, src}] == from || !onLink(p, src) {
		return
	}
	if len(o.heard) >= maxHeard {
		clear(o.heard)
	}
	o.heard[heardKey{p.Datapath, src}] = from
}

// addressed gives a frame that entered, whose capture does not tell to whom it was
// sent, the destination that another frame of the same packet has on the same switch:
// in a tunnel, or at the only port where it left; at several it was sent to all.
func (s *Run) addressed(f *Frame) {
	if !f.aimless || f.dir != Entered {
		return
	}
	var to mac
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		switch {
		case l != f && l.dir == Left && routed(f, l) && to == 0 && !leadsOut(f.point.Port) &&
			s.owners.ofInterface(macAt(f.Data)):
			to = s.owners.routerOf(f)
		case l == f || len(l.Data) < 14 || macAt(l.Data[6:]) != macAt(f.Data[6:]):
		case macAt(f.Data).multicast() && f.Headers().Key.Get(field.EthType) != header.EtherARP:
		case !l.Bare && l.dir != Entered:
			s.readdress(f, macAt(l.Data))
			return
		case l.dir != Left || l.point.Port == nil || !s.owners.same(l.point.Port.Datapath, f.point.Port.Datapath) ||
			l.point.Port.Type != network.VIF || len(l.point.Port.Addresses) == 0:
		case l.homeless && l.point.Port == f.point.Port: // it is of another port
		case macAt(f.Data).multicast() && !hasIP(l.point.Port, header.IPv4(f.Headers().Key.Get(field.ARPTPA))):
			to = broadcast
		case to == 0:
			to = macOf(l.point.Port.Addresses[0].MAC)
		case to != macOf(l.point.Port.Addresses[0].MAC):
			to = broadcast
		}
	}
	if (to == broadcast || to == 0 && macAt(f.Data) == broadcast) && s.spared(f) {
		to = s.owners.routerHaving(f.point.Port, header.IPv4(f.Headers().Key.Get(field.ARPTPA)))
	}
	s.readdress(f, to)
}

// spared reports whether an interface of a frame's switch that its capture shows did not
// get an ARP request: it was for a router's Ethernet address, and at most flooded like one to
// all, where port security lets none get what is for another.
func (s *Run) spared(f *Frame) bool {
	t, got := s.Taps[f.Capture], map[*network.Port]bool{}
	for l, n := s.alike(f.id).first, 0; l != nil && n < maxAlike; l, n = l.same, n+1 {
		if l.dir == Left && l.point.Port != nil && macAt(l.Data[6:]) == macAt(f.Data[6:]) {
			got[l.point.Port] = true
		}
	}
	return slices.ContainsFunc(f.point.Port.Datapath.Ports, func(p *network.Port) bool {
		return p.Type == network.VIF && p != f.point.Port && !got[p] && p.ResidentOn(f.point.Chassis) && t.hosts(p)
	})
}

// routerHaving is the Ethernet address of a router that has an address on a port's network,
// 0 if none has.
func (o *Owners) routerHaving(p *network.Port, a netip.Addr) mac {
	return o.routerOn(p, func(ip netip.Prefix) bool { return ip.Addr() == a })
}

// routerOn is the Ethernet address of the router on a port's network one of whose
// addresses there is what is sought; 0 if none is.
func (o *Owners) routerOn(p *network.Port, sought func(netip.Prefix) bool) mac {
	for q := range o.portsOf(p.Datapath) {
		if q.Peer == nil {
			continue
		}
		for _, a := range q.Peer.Addresses {
			if slices.ContainsFunc(a.IPs, sought) {
				return macOf(a.MAC)
			}
		}
	}
	return 0
}

// routed reports whether a router has handed a packet on between two frames of it.
func routed(f, l *Frame) bool {
	was, is := f.Headers().Key.Get(field.IPTTL), l.Headers().Key.Get(field.IPTTL)
	return is < was && len(l.Data) >= 14 && macAt(l.Data[6:]) != macAt(f.Data[6:])
}

// ofInterface reports whether an Ethernet address is an interface's.
func (o *Owners) ofInterface(m mac) bool {
	return slices.ContainsFunc(o.ports[m], func(p *network.Port) bool { return p.Type == network.VIF })
}

// routerOf is the Ethernet address of the router on the network from which a frame
// was sent.
func (o *Owners) routerOf(f *Frame) mac {
	src := addrOf(f.Headers(), endpoints(f.Headers())[0])
	return o.routerOn(f.point.Port, func(ip netip.Prefix) bool { return ip.Contains(src) })
}

// readdress gives a frame a destination, if that is known.
func (s *Run) readdress(f *Frame, to mac) {
	if to != 0 && to != macAt(f.Data) {
		b := to.bytes()
		copy(f.Data, b[:])
		f.heads = packet.HeadersOnce{}
	}
}

// redress gives a frame whose capture does not tell its Ethernet destination the
// one it has when it enters at its point, where it seemed to leave at first.
func (o *Owners) redress(f *Frame) {
	if m, err := pcap.EthernetMeta(f.Data); err == nil && f.Bare && macAt(f.Data) == 0 {
		m.HasDst = false
		dst := o.nextHop(f.point.Port, &m).bytes()
		copy(f.Data, dst[:])
		f.heads = packet.HeadersOnce{}
	}
}

// comesTo places a frame that a host sent by an interface which its capture does not tell: at
// one of those where it is predicted to come.
func (s *Run) comesTo(f *Frame) {
	c, t := f.point.Chassis, s.Taps[f.Capture]
	if len(f.Data) < 14 {
		return
	}
	id := identityHash(f.Data, f.Headers())
	if f.skip == "" && s.inferrer.expected.has(expectKey{f.point.key(), id}) {
		return
	}
	to := s.dueAt(c, id, macAt(f.Data[6:]))
	if to == nil {
		return
	}
	if !macAt(f.Data).multicast() && len(to.Addresses) > 0 {
		copy(f.Data, to.Addresses[0].MAC[:])
		f.heads = packet.HeadersOnce{}
	}
	f.id, f.skip, f.dir, f.point = id, "", Left, t.point(to, c)
}

// dueAt is an interface of a chassis where a packet is predicted to come, nil: there is none.
// One that came in is remembered with where it goes; what a router asks of itself goes to
// interfaces of the switches it is on.
func (s *Run) dueAt(c *network.Chassis, id uint64, src mac) (to *network.Port) {
	among := func(ports []*network.Port) bool {
		for _, p := range ports {
			if hasDevice(p) && p.ResidentOn(c) && s.inferrer.expected.has(expectKey{keyOf(p, c), id}) {
				to = p
				return true
			}
		}
		return false
	}
	s.history.fates.each(id, func(x *fate) bool { return !among(x.outs) })
	for _, q := range s.owners.ports[src] {
		if to == nil && q.Datapath.Router && q.Peer != nil {
			among(q.Peer.Datapath.Ports)
		}
	}
	return to
}

func (m mac) bytes() [6]byte { return header.MACBytes(uint64(m)) }

const broadcast mac = 0xffffffffffff

// nextHop returns the Ethernet address that a packet entering at p is sent to.
func (o *Owners) nextHop(p *network.Port, m *pcap.LinkMeta) mac {
	src, dst := metaIPs(m)
	if m.HasDst {
		return macOf(m.Dst)
	}
	b, t := m.Payload, m.EtherType
	if t == header.EtherVLAN && len(b) >= 4 {
		t, b = uint16(b[2])<<8|uint16(b[3]), b[4:]
	}
	if t == header.EtherARP && len(b) >= 28 {
		if b[7] == 2 && src != dst { // who answers nobody announces to all
			return macAt(b[18:])
		}
		return broadcast
	}
	return o.neighbour(p, src, dst)
}

// neighbour returns the Ethernet address behind which a packet of one of a
// switch's ports finds an address: a group's own, the port's that has it, else the
// router's. 0: it is on the same network, and nobody's there that is known.
func (o *Owners) neighbour(p *network.Port, src, dst netip.Addr) mac {
	if g := mac(header.GroupMAC(dst)); g != 0 {
		return g
	}
	var router, first mac
	near := false
	own := mac(header.MACOfLinkLocal(dst))
	for q := range o.portsOf(p.Datapath) {
		r := q
		if q.Peer != nil {
			r = q.Peer
		}
		if own != 0 && q != p && hasMAC(r, own) {
			return own
		}
		for _, addr := range r.Addresses {
			for _, ip := range addr.IPs {
				if ip.Addr() == dst && q != p {
					return macOf(addr.MAC)
				}
				if q.Peer != nil && ip.Contains(src) && router == 0 {
					router, near = macOf(addr.MAC), ip.Contains(dst)
				}
			}
			if q.Peer != nil && first == 0 {
				first = macOf(addr.MAC)
			}
		}
	}
	if a := o.heard[heardKey{p.Datapath, dst}]; a != 0 {
		return a
	}
	if a := o.announced[dst]; a != 0 && leadsOut(p) {
		return a
	}
	if a := o.outside[o.floating[dst]]; a != 0 && leadsOut(p) {
		return a
	}
	switch {
	case near && !leadsOut(p) && o.announced[dst] == 0 && !o.floating[dst].IsValid():
		return 0
	case router != 0:
		return router
	}
	return first
}

// portsOf yields the ports of a switch, and those of others that it is linked to: they are
// one network.
func (o *Owners) portsOf(dp *network.Datapath) iter.Seq[*network.Port] {
	return func(yield func(*network.Port) bool) {
		for _, q := range dp.Ports {
			if !yield(q) {
				return
			}
		}
		for _, other := range o.links[dp] {
			for _, q := range other.Ports {
				if !yield(q) {
					return
				}
			}
		}
	}
}

// readLinks notes which other switches each is linked to, also by way of others.
func (o *Owners) readLinks() {
	for _, dp := range o.net.Datapaths {
		if dp.Router {
			continue
		}
		all := []*network.Datapath{dp}
		for i := 0; i < len(all); i++ {
			for _, q := range all[i].Ports {
				if q.Peer != nil && !q.Peer.Datapath.Router && !slices.Contains(all, q.Peer.Datapath) {
					all = append(all, q.Peer.Datapath)
				}
			}
		}
		if len(all) > 1 {
			o.links[dp] = all[1:]
		}
	}
}
