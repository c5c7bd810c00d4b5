package replay

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Choose implements sim.Chooser: the datapath's choice is read from a pinned
// connection, or from the frame that shows it, the same packet on its way out
// further on.
func (s *Run) Choose(c *sim.Choice, p *packet.Packet) (taken int, ok bool) {
	if r := s.resuming; r != nil {
		for i := range c.Options {
			if r.takes(s, c.Kind, &c.Options[i]) {
				return i, true
			}
		}
		return 0, false
	}
	if c.Itself {
		return s.itself(p, c)
	}
	if pin := s.pinned(p); pin != nil && c.Kind == trace.GuessBackend {
		if i := optionOf(c, pin.Reply.Src, pin.Reply.SrcPort, pin.Reply.V6); i >= 0 {
			return i, true
		}
	}
	s.further(p, anyFrame, func(f *Frame) bool {
		for i := range c.Options {
			if takes(f, c.Kind, &c.Options[i]) {
				taken, ok = i, true
			}
		}
		return ok
	})
	if !ok && c.Kind == trace.GuessNextHop {
		if taken, ok = s.behind(p, c); !ok {
			taken, ok = s.laterOf(p, c)
		}
	}
	if !ok && c.Kind == trace.GuessBackend {
		if taken, ok = s.laterOf(p, c); !ok {
			s.ruleOut(c)
		}
	}
	if !ok && c.Kind == trace.GuessBackend {
		if taken, ok = s.answeredBy(p, c); !ok {
			taken, ok = s.sentBack(p, c)
		}
	}
	if !ok {
		taken, ok = s.trial.left(c)
	}
	return taken, ok
}

// itself finds the option in a frame that is the packet itself on its way out, and
// not another that is sent again with the same bytes.
func (s *Run) itself(p *packet.Packet, c *sim.Choice) (taken int, ok bool) {
	s.further(p, anyFrame, func(f *Frame) bool {
		for g, n := s.alike(f.id).first, 0; g != nil && n < maxAlike; g, n = g.same, n+1 {
			if g.dir == Entered && g.Time <= f.Time && g.Time > s.now {
				return false
			}
		}
		for i := range c.Options {
			if takes(f, c.Kind, &c.Options[i]) {
				taken, ok = i, true
			}
		}
		return ok
	})
	return taken, ok
}

// behind finds the one next hop that is a router from which the packet is seen to come
// further on.
func (s *Run) behind(p *packet.Packet, c *sim.Choice) (taken int, ok bool) {
	router := func(m mac) (only *network.Datapath) {
		for _, port := range s.owners.ports[m] {
			switch d := port.Datapath; {
			case d.Router && (only == nil || only == d):
				only = d
			case d.Router:
				return nil // of several
			}
		}
		return only
	}
	s.further(p, anyFrame, func(f *Frame) bool {
		if f.Bare || len(f.Data) < 14 {
			return false
		}
		from, n := router(macAt(f.Data[6:])), 0
		for i := range c.Options {
			if o := &c.Options[i]; from != nil && o.EthDst != 0 && router(mac(o.EthDst)) == from {
				taken, n = i, n+1
			}
		}
		ok = n == 1
		return ok
	})
	return taken, ok
}

// ruleOut notes the options that lead to where captures would show the packet:
// none does.
func (s *Run) ruleOut(c *sim.Choice) {
	for i := range c.Options {
		o := &c.Options[i]
		for _, p := range s.owners.byIP[header.Addr(o.V6, &o.Addr)] {
			o.RuledOut = o.RuledOut || p.Type == network.VIF && s.wouldShow(p, c)
		}
	}
}

// wouldShow reports whether captures hold what goes to an interface from where a
// choice is made, at that moment.
func (s *Run) wouldShow(p *network.Port, c *sim.Choice) bool {
	to := p.ActiveChassis()
	for _, t := range s.Taps {
		if t.Frames == 0 || c.Time < t.first || c.Time > t.last {
			continue
		}
		for _, site := range t.Sites() {
			tunnelled := to != nil && c.Chassis != nil && to != c.Chassis &&
				(site.Chassis == to || site.Chassis == c.Chassis)
			if site.covers(p) || site.Kind != AtPort && tunnelled {
				return true
			}
		}
	}
	return false
}

// laterOf finds the option in a later packet of the same client's port: where the first one
// never comes through, or no capture shows where it went, its retransmission shows the choice, or the
// next packet of the connection, under whatever address that leaves.
func (s *Run) laterOf(p *packet.Packet, c *sim.Choice) (int, bool) {
	h := p.Headers()
	proto, ends := h.Key.Get(field.IPProto), endpoints(h)
	taken, ok := 0, false
	shown := func(f *Frame) bool {
		for i := range c.Options {
			if takes(f, c.Kind, &c.Options[i]) {
				taken, ok = i, true
			}
		}
		return ok
	}
	for f, n := s.filedBy(ends[0]).first, 0; f != nil && n < maxSameHead; f, n = f.peer, n+1 {
		if f.dir != Entered {
			if shown(f) {
				break
			}
			continue
		}
		if k := f.Headers(); k.Key.Get(field.IPProto) == proto && endpoints(k) == ends {
			if s.furtherOf(f.Data, k, anyFrame, shown); ok {
				break
			}
		}
	}
	return taken, ok
}

// answeredBy finds the option that answers a TCP connection's first packet, where
// no capture shows that arriving: it acknowledges what comes just after.
func (s *Run) answeredBy(p *packet.Packet, c *sim.Choice) (int, bool) {
	h := p.Headers()
	if !opensTCP(h) || len(p.Data) < h.Layout.L4+8 {
		return 0, false
	}
	const window = 1 << 20
	seq := binary.BigEndian.Uint32(p.Data[h.Layout.L4+4:])
	answers := func(f *Frame) bool {
		k := &f.Headers().Key
		if f.dir != Entered || f.skip != "" || k.Get(field.IPProto) != header.ProtoTCP ||
			k.Get(field.TCPFlags)&header.FlagACK == 0 {
			return false
		}
		_, ack := tcpNumbers(f)
		return ack-seq > 0 && ack-seq < window
	}
	taken, first := 0, (*Frame)(nil)
	for i := range c.Options {
		o := &c.Options[i]
		if f := s.earliestFrom(endpoint{o.Addr, o.Port}, answers); f != nil && (first == nil || f.order < first.order) {
			taken, first = i, f
		}
	}
	return taken, first != nil
}

// sentBack finds the option whose interface sends what the packet's sender gets back in
// the virtual address' name, where both are on one switch: the frame's Ethernet source.
func (s *Run) sentBack(p *packet.Packet, c *sim.Choice) (taken int, ok bool) {
	if p.Layout.L4 == 0 {
		return 0, false
	}
	ends := flowEnds(p.Data, p.Headers())
	for f, n := s.filedBy(ends[1]).first, 0; f != nil && n < maxSameHead/4; f, n = f.peer, n+1 {
		if f.dir != Left || f.skip != "" || f.Bare || len(f.Data) < 14 || flowEnds(f.Data, f.Headers())[1] != ends[0] {
			continue
		}
		found := 0
		for i := range c.Options {
			o := &c.Options[i]
			if slices.ContainsFunc(s.owners.byIP[header.Addr(o.V6, &o.Addr)], func(q *network.Port) bool {
				return q.Type == network.VIF && hasMAC(q, macAt(f.Data[6:]))
			}) {
				taken, found = i, found+1
			}
		}
		return taken, found == 1
	}
	return 0, false
}

// earliestFrom is the first of the frames read ahead that came from an end, or from an
// address if the port is 0, and are what is sought. Of an end's thousands the first are looked at.
func (s *Run) earliestFrom(e endpoint, sought func(*Frame) bool) *Frame {
	if e.port != 0 {
		for f, n := s.filedBy(e).first, 0; f != nil && n < maxSameHead/4; f, n = f.peer, n+1 {
			if sought(f) {
				return f
			}
		}
		return nil
	}
	for _, f := range s.queue[s.head:] {
		if sought(f) && endpoints(f.Headers())[0].addr == e.addr {
			return f
		}
	}
	return nil
}

// filedBy are the frames read ahead that came from an end, oldest first.
func (s *Run) filedBy(e endpoint) chain {
	if s.clients == nil {
		s.clients = map[endpoint]chain{}
		for _, f := range s.queue[s.head:] {
			s.byClient(f)
		}
	}
	return s.clients[e]
}

// byClient files a frame that enters or leaves by where it came from, once
// filedBy has been asked for that.
func (s *Run) byClient(f *Frame) {
	if s.clients == nil || f.dir != Entered && f.dir != Left && f.dir != Crossed {
		return
	}
	k := endpoints(f.Headers())[0]
	f.filed = true
	s.clients[k] = s.clients[k].with(f, func(f *Frame) **Frame { return &f.peer })
}

// unfile takes the oldest frame out of what byClient filed.
func (s *Run) unfile(f *Frame) {
	if !f.filed {
		return
	}
	k := endpoints(f.Headers())[0]
	if c := s.clients[k].without(f, func(f *Frame) **Frame { return &f.peer }); c.first == nil {
		delete(s.clients, k)
	} else {
		s.clients[k] = c
	}
}

// SourcePort implements sim.Chooser, in the same two ways.
func (s *Run) SourcePort(addr [16]byte, v6 bool, p *packet.Packet) (port uint16, ok bool) {
	if s.resuming != nil {
		if port, ok = s.resuming.sourcePort(s, addr); ok || s.resuming.told {
			return port, ok
		}
	}
	if pin := s.pinned(p); pin != nil && pin.Reply.Dst == addr {
		return pin.Reply.DstPort, true
	}
	x := portFrom{addr: addr, v6: v6}
	if s.further(p, anyFrame, x.shows); !x.ok {
		return s.laterPort(p, addr, x.shows)
	}
	return x.port, true
}

// MovedPort implements sim.Chooser.
func (s *Run) MovedPort(p *packet.Packet) (port uint16, ok bool) {
	h := p.Headers()
	x := portFrom{addr: endpoints(h)[0].addr, v6: h.Key.Get(field.EthType) == header.EtherIPv6}
	switch {
	case s.resuming != nil:
		return s.resuming.sourcePort(s, x.addr)
	case s.opts.ofAnother:
		return 0, false
	}
	s.further(p, anyFrame, x.shows)
	return x.port, x.ok
}

// OfAnother says that the captures may be of another network: that a port was moved there is
// no reason to move it here.
func (s *Run) OfAnother() { s.opts.ofAnother = true }

// portFrom is the port, or ID of ICMP, that packets from an address have.
type portFrom struct {
	addr [16]byte
	v6   bool
	port uint16
	ok   bool
}

// shows reports whether a frame is from the address, and keeps its port then.
func (x *portFrom) shows(f *Frame) bool {
	var p nat.Packet
	if l := &f.Headers().Layout; l.L3 == 0 || p.Parse(f.Data[l.L3:l.L3End]) != nat.NoFault {
		return false
	}
	if p.Tuple.Src == x.addr && p.Tuple.V6 == x.v6 {
		x.port, x.ok = p.Tuple.SrcPort, true
	}
	return x.ok
}

// laterPort finds the port that SNAT to an address gave a connection in a later packet
// of it, where no capture shows the first one leaving: of the same sender to the
// same end, or of that end's answers.
func (s *Run) laterPort(p *packet.Packet, addr [16]byte, shown func(*Frame) bool) (port uint16, ok bool) {
	ends, filed := flowEnds(p.Data, p.Headers()), endpoints(p.Headers())
	proto := p.Headers().Key.Get(field.IPProto)
	of := func(f *Frame) bool {
		return f.dir == Entered && f.skip == "" && f.Headers().Key.Get(field.IPProto) == proto
	}
	for f, n := s.filedBy(filed[0]).first, 0; f != nil && n < maxOfFlow && !ok; f, n = f.peer, n+1 {
		if !of(f) || flowEnds(f.Data, f.Headers())[0] != ends[0] {
			continue
		}
		s.furtherOf(f.Data, f.Headers(), anyFrame, func(l *Frame) bool {
			e := flowEnds(l.Data, l.Headers())
			if ok = e[1].addr == ends[1].addr && (e[1].port == ends[1].port || isEcho(uint8(proto), l.Headers())) &&
				shown(l); ok {
				port = e[0].port
			}
			return ok
		})
	}
	for f, n := s.filedBy(filed[1]).first, 0; f != nil && n < maxSameHead && !ok; f, n = f.peer, n+1 {
		e := flowEnds(f.Data, f.Headers())
		if !of(f) || e[1].addr != addr {
			continue
		}
		s.furtherOf(f.Data, f.Headers(), anyFrame, func(l *Frame) bool {
			if ok = flowEnds(l.Data, l.Headers())[1] == ends[0]; ok {
				port = e[1].port
			}
			return ok
		})
	}
	return port, ok
}

// askTime is how long after a packet the request it causes is seen at most: on
// a busy machine ovn-controller takes its time.
const askTime = 20e6

// Asked implements sim.Chooser: a request seen just after the packet, in any
// capture, that no other packet accounts for.
func (s *Run) Asked(ip field.Uint128, v6 bool, src uint64) bool {
	found := map[int]bool{} // by capture: one request each
	for f := s.requestsFor(ip, v6).first; f != nil; f = f.request {
		k := askKey{f.Capture, f.Number}
		if f.Time > s.now+askTime {
			break
		}
		if f.Time < min(s.now, s.turn.at) || f.dir != Left && f.dir != Crossed || found[f.Capture] ||
			!asks(f.Headers(), ip, v6, src) {
			continue
		}
		if by, taken := s.asked[k]; taken && by != s.turn.of { // a packet may be replayed more than once
			continue
		}
		if s.asked == nil {
			s.asked = map[askKey]uint64{}
		}
		s.asked[k], found[f.Capture] = s.turn.of, true
	}
	return len(found) > 0
}

// NextHop implements sim.Chooser: where captures hold no ARP or neighbor
// discovery, the frame itself tells on its way out.
func (s *Run) NextHop(ip field.Uint128, v6 bool, bound uint64, p *packet.Packet) (seen sim.SeenHop, ok bool) {
	if s.resuming != nil {
		if seen, ok = s.resuming.nextHop(bound); !ok && bound == 0 {
			seen.To = uint64(s.owners.only(hopAddr(ip, v6)))
		}
		return seen, ok || seen.To != 0
	}
	if bound != 0 || s.resolves[family(v6)] > 0 && s.requested(ip, v6) {
		return seen, false // what is known of a next hop holds, whatever captures lack
	}
	if !s.beyond.others(mac(bound)) {
		return seen, false
	}
	other := func(f *Frame) bool { // asked before whether it is the same packet
		return f.dir == Left && !f.Bare && leadsOut(f.point.Port) && uint64(macAt(f.Data)) != bound
	}
	s.further(p, other, func(f *Frame) bool {
		to := macAt(f.Data)
		gateway := s.owners.gateway(hopAddr(ip, v6), to)
		if ok = gateway || s.owners.foreign(to) && !s.onLink(to, ip, v6); ok {
			seen = sim.SeenHop{To: uint64(to), From: uint64(macAt(f.Data[6:])), Gateway: gateway}
			s.hops++
		}
		return ok
	})
	return seen, ok
}

// Behind implements sim.Chooser: a packet to an address that a switch has not learned is
// flooded, in tunnels with a group's key, and to all ports of unknown addresses.
func (s *Run) Behind(dp *network.Datapath, p *packet.Packet) (port *network.Port) {
	if !s.owners.strangers[dp] {
		return nil
	}
	unknown := func(q *network.Port) bool { return q != nil && q.Datapath == dp && q.Type == network.VIF && q.Unknown }
	var left []*network.Port
	s.further(p, anyFrame, func(f *Frame) bool {
		switch {
		case f.dir == Left && unknown(f.point.Port):
			left = append(left, f.point.Port)
		case f.dir == Crossed && f.tunnel.keys.datapath == dp.TunnelKey && unknown(dp.PortByKey(f.tunnel.keys.outport)):
			port = dp.PortByKey(f.tunnel.keys.outport)
		}
		return port != nil
	})
	if port == nil && len(left) == 1 && slices.ContainsFunc(dp.Ports, func(q *network.Port) bool {
		return q != left[0] && unknown(q) && s.inferrer.captures(q) && uint64(q.Index) != p.Key.Get(field.Inport)
	}) {
		return left[0]
	}
	return port
}

// beyond are the Ethernet addresses to which frames read ahead are sent over wires, those
// outside of OVN and of other gateways, few as they are: where there is none but the one
// that is known, no frame shows another.
type beyond struct {
	macs []mac
	last mac // noted last, or not to be noted
}

// maxBeyond bounds how many are told apart.
const maxBeyond = 16

// note notes where a frame is sent that crossed a wire, either way.
func (b *beyond) note(f *Frame, o *Owners) {
	if f.skip != "" || f.Bare || len(f.Data) < 14 || f.point.Port == nil || !leadsOut(f.point.Port) {
		return
	}
	to := macAt(f.Data)
	if to == b.last {
		return
	}
	b.last = to
	if len(b.macs) < maxBeyond && (f.dir == Left && !to.multicast() || o.foreign(to)) && !slices.Contains(b.macs, to) {
		b.macs = append(b.macs, to)
	}
}

// others reports whether frames may be sent to another address than one.
func (b *beyond) others(than mac) bool {
	return len(b.macs) == maxBeyond || slices.ContainsFunc(b.macs, func(m mac) bool { return m != than })
}

// foreign reports whether an Ethernet address is nobody's in OVN.
func (o *Owners) foreign(m mac) bool { return !m.multicast() && o.ports[m] == nil && o.send[m] == nil }

// onLink reports whether an Ethernet address is seen to be that of another
// neighbor than ip, on one network with it, and not of ip.
func (s *Run) onLink(m mac, ip field.Uint128, v6 bool) (other bool) {
	hop := hopAddr(ip, v6)
	for _, f := range s.queue[s.head:] {
		if f.dir != Entered || f.skip != "" || f.point.Port == nil || macAt(f.Data[6:]) != m ||
			!leadsOut(f.point.Port) {
			continue
		}
		switch a, _ := ipsOf(&f.Headers().Key); {
		case a == hop:
			return false
		case s.owners.neighbours(a, hop):
			other = true
		}
	}
	return other
}

// hopAddr is the address of a next hop.
func hopAddr(ip field.Uint128, v6 bool) netip.Addr {
	if v6 {
		return packet.Addr6(ip)
	}
	return header.IPv4(ip.Lo)
}

// gateway reports whether an Ethernet address is that of a router that may answer for an
// address on a wire: which has it, or one that flows answer for and that is in nothing else.
func (o *Owners) gateway(a netip.Addr, m mac) bool {
	return slices.ContainsFunc(o.ports[m], func(q *network.Port) bool {
		return q.Datapath.Router && (hasIP(q, a) || o.virtual[a] || o.announced[a] == m)
	})
}

// only is the Ethernet address of the one router that has an address; 0: there is none.
func (o *Owners) only(a netip.Addr) (one mac) {
	for _, p := range o.byIP[a] {
		m := macOf(p.Addresses[0].MAC)
		if !p.Datapath.Router || one != 0 && one != m {
			return 0
		}
		one = m
	}
	return one
}

// neighbours reports whether two addresses are of one network that a router has
// a port on.
func (o *Owners) neighbours(a, b netip.Addr) bool {
	return slices.ContainsFunc(o.net.Ports[1:], func(p *network.Port) bool {
		return p.Datapath.Router && slices.ContainsFunc(p.Addresses, func(addr network.Address) bool {
			return slices.ContainsFunc(addr.IPs, func(ip netip.Prefix) bool { return ip.Contains(a) && ip.Contains(b) })
		})
	})
}

// family is 1 for IPv6, 0 for IPv4.
func family(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// requested reports whether a capture shows that an address is asked for, or has just
// been: where timestamps are coarse, before the packet that asks.
func (s *Run) requested(ip field.Uint128, v6 bool) bool {
	for i, x := range s.premature {
		if x.v6 == v6 && x.ip == ip && s.now-x.time < askTime {
			s.premature = slices.Delete(s.premature, i, i+1) // one packet calls for it
			return true
		}
	}
	return s.requestsFor(ip, v6).first != nil
}

// askedFor is the address that a request of ARP or neighbor discovery asks for.
func askedFor(h *packet.Headers) (ip field.Uint128, v6, ok bool) {
	k := &h.Key
	if k.Get(field.ICMP6Type) == 135 {
		return k.Get128(field.NDTarget), true, true
	}
	return field.Uint128{Lo: k.Get(field.ARPTPA)}, false, k.Get(field.EthType) == header.EtherARP &&
		k.Get(field.ARPOp) == 1
}

// premature is a request that left before any packet was replayed that calls for it.
type premature struct {
	ip   field.Uint128
	v6   bool
	time conntrack.Time
}

// asksEarly notes a request that is not predicted where it left.
func (s *Run) asksEarly(f *Frame) {
	const few = 8
	ip, v6, ok := askedFor(f.Headers())
	if !ok {
		return
	}
	if len(s.premature) == few {
		s.premature = append(s.premature[:0], s.premature[1:]...)
	}
	s.premature = append(s.premature, premature{ip, v6, f.Time})
}

// asking is what of a frame matters to filters of ARP and neighbor discovery.
type asking struct{ is, v6, tagged bool }

func askingOf(h *packet.Headers) asking {
	return asking{resolution(h), h.Key.Get(field.EthType) == header.EtherIPv6, h.Key.Get(field.VLANTCI) != 0}
}

// resolving notes a frame that tells or asks for an Ethernet address.
func (s *Run) resolving(f *Frame) {
	a := askingOf(f.Headers())
	if !a.is {
		return
	}
	s.resolves[family(a.v6)]++
	if f.tunnel == nil && (f.Untagged || !a.tagged) {
		s.unfiltered[family(a.v6)]++
	}
}

// filters reports whether a user's filter has kept a frame out of the captures that tells
// or asks for an Ethernet address: none is in any of them. Filters look neither into
// tunnels nor behind a VLAN's tag.
func (s *Run) filters(p pointKey, a asking) bool {
	if p.port < 0 || a.tagged {
		return a.is && s.resolves[family(a.v6)] == 0
	}
	return a.is && s.unfiltered[family(a.v6)] == 0
}

// Answer implements sim.Chooser.
func (s *Run) Answer(is func(payload []byte) bool) []byte {
	for _, f := range s.queue[s.head:] {
		if f.Time > s.now+askTime {
			break
		}
		if f.Time < s.now || f.dir != Left && f.dir != Crossed {
			continue
		}
		if i, ok := identify(f.Data, f.Headers()); ok && i.proto == header.ProtoUDP && is(i.payload) {
			return i.payload
		}
	}
	return nil
}

// askKey is a frame that asks for an address.
type askKey struct{ capture, number int }

// asks reports whether a frame is the ARP request or neighbor solicitation
// from src for an address.
func asks(h *packet.Headers, ip field.Uint128, v6 bool, src uint64) bool {
	k := &h.Key
	if k.Get(field.EthSrc) != src {
		return false
	}
	if v6 {
		return k.Get(field.ICMP6Type) == 135 && k.Get128(field.NDTarget) == ip
	}
	return k.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 1 && k.Get(field.ARPTPA) == ip.Lo
}

// further calls enough with each frame that was read ahead, may be asked for, and
// is the same packet on its way out, until it says so.
func (s *Run) further(p *packet.Packet, may, enough func(*Frame) bool) {
	s.furtherOf(p.Data, p.Headers(), may, enough)
}

func (s *Run) furtherOf(data []byte, h *packet.Headers, may, enough func(*Frame) bool) {
	id, ok := identify(data, h)
	if !ok {
		return
	}
	first := s.alike(id.hash(data, h)).first
	if first == nil && s.shows == nil {
		return
	}
	same := func(f *Frame) bool {
		other, ok := identify(f.Data, f.Headers())
		return ok && other.same(&id)
	}
	if f := s.shows; f != nil && may(f) && same(f) && enough(f) {
		return
	}
	for f, n := first, 0; f != nil && n < maxAlike; f, n = f.same, n+1 {
		if (f.dir == Left || f.dir == Crossed) && may(f) && same(f) && enough(f) {
			return
		}
	}
}

func anyFrame(*Frame) bool { return true }

// maxAlike bounds how many frames of one identity are looked at.
const maxAlike = 64

// optionOf returns which option is an address and port, -1 if none.
func optionOf(c *sim.Choice, addr [16]byte, port uint16, v6 bool) int {
	for i := range c.Options {
		o := &c.Options[i]
		if o.Addr == addr && o.V6 == v6 && (o.Port == 0 || o.Port == port) {
			return i
		}
	}
	return -1
}

// pinKey is the original direction of a connection.
type pinKey struct {
	proto    uint8
	src, dst endpoint
}

// pinsOf files the connections that dictate choices: those that were
// translated.
func pinsOf(entries []conntrack.Entry) map[pinKey]*conntrack.Entry {
	pins := map[pinKey]*conntrack.Entry{}
	for i := range entries {
		e := &entries[i]
		if e.Reply != e.Orig.Reverse() {
			pins[pinKey{e.Orig.Proto, endpoint{e.Orig.Src, e.Orig.SrcPort}, endpoint{e.Orig.Dst, e.Orig.DstPort}}] = e
		}
	}
	return pins
}

// pinned returns the pinned connection a packet opens, nil if there is none.
func (s *Run) pinned(p *packet.Packet) *conntrack.Entry {
	if len(s.pins) == 0 {
		return nil
	}
	h := p.Headers()
	e := endpoints(h)
	return s.pins[pinKey{uint8(h.Key.Get(field.IPProto)), e[0], e[1]}]
}

// takes reports whether the frame shows that the option was taken.
func takes(f *Frame, kind trace.Reason, o *sim.ChoiceOption) bool {
	switch kind {
	case trace.GuessNextHop:
		return o.EthDst != 0 && uint64(macAt(f.Data)) == o.EthDst && uint64(macAt(f.Data[6:])) == o.EthSrc
	case trace.GuessMember:
		return o.Out != nil && f.leads(o.Out)
	}
	return goesTo(f.Headers(), o)
}

// leads reports whether the frame leaves at a port, or is in a tunnel to it.
func (f *Frame) leads(port *network.Port) bool {
	if u := f.tunnel; f.dir == Crossed && u != nil {
		return u.keys.datapath == port.Datapath.TunnelKey && u.keys.outport == port.TunnelKey
	}
	return f.point != nil && f.point.Port == port
}

// goesTo reports whether the frame's destination is the option's address.
func goesTo(h *packet.Headers, o *sim.ChoiceOption) bool {
	k := &h.Key
	if o.Port != 0 && uint16(k.Get(field.TpDst)) != o.Port && k.Get(field.IPFrag) == 0 { // a fragment has no ports
		return false
	}
	if o.V6 {
		return k.Get128(field.IP6Dst).Bytes() == o.Addr
	}
	a := header.IPv4(k.Get(field.IP4Dst)).As4()
	return bytes.Equal(a[:], o.Addr[:4])
}
