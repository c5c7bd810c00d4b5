package sim

import (
	"encoding/binary"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// backend chooses the member of a load balancer for p, nil if it has none on
// this chassis. With more than one the datapath's choice is a hash of its own:
// the Chooser is asked, and failing that the choice is a guess.
func (e *Engine) backend(p *pkt, f *table.Flow, lb *lflow.Balance) *lflow.Destination {
	if len(lb.Hash) == 0 && !e.hash(p, f) {
		return nil
	}
	var here [maxBackends]*lflow.Destination
	members := here[:0]
	for i := range lb.Backends {
		b := &lb.Backends[i]
		if lb.Op == lflow.LBMarkLocal && !e.localBackend(p, b) {
			continue
		}
		members = append(members, b)
	}
	switch len(members) {
	case 0:
		return nil
	case 1:
		return members[0]
	}
	if b := e.givenBackend(members); b != nil {
		return b
	}
	if e.opts.Choose != nil {
		i, left := e.ask(p, members)
		if i >= 0 {
			p.seen = true
			e.note(p, trace.Note, trace.ObservedChoice, f)
			return members[i]
		}
		members = left
	}
	p.guess = true
	e.note(p, trace.Note, trace.GuessBackend, f)
	return members[hashTuple(p)%uint64(len(members))]
}

// maxBackends is how many members fit without allocating.
const maxBackends = 64

func (e *Engine) localBackend(p *pkt, b *lflow.Destination) bool {
	return b.Target != 0 && b.Target&groupBit == 0 && e.resident(e.Net.Ports[b.Target], p.chassis.Chassis)
}

// ask lets the Chooser pick a member. If it does not, -1 and the members that it
// does not rule out, or all if there were none left.
func (e *Engine) ask(p *pkt, members []*lflow.Destination) (int, []*lflow.Destination) {
	c := Choice{Kind: trace.GuessBackend, Time: e.now, Chassis: p.chassis.Chassis}
	for _, b := range members {
		c.Options = append(c.Options, ChoiceOption{Addr: b.Addr, V6: b.V6, Port: b.Port})
	}
	if i, ok := e.opts.Choose.Choose(&c, &p.Packet); ok && i >= 0 && i < len(members) {
		return i, members
	}
	// more than what lets all pass: OVN drops what teaches, and no capture shows where it went
	if len(e.teaching[p.dp.Index]) > 1 {
		return -1, members
	}
	var left []*lflow.Destination
	for i, b := range members {
		if !c.Options[i].RuledOut {
			left = append(left, b)
		}
	}
	if len(left) == 0 {
		return -1, members
	}
	return -1, left
}

// hashTuple is a fixed hash of the packet's five-tuple, for guesses.
func hashTuple(p *pkt) uint64 {
	h := uint64(14695981039346656037)
	for _, id := range [...]field.ID{field.IPProto, field.IP4Src, field.IP4Dst, field.IP6Src, field.IP6Dst, field.TpSrc,
		field.TpDst} {
		v := p.Key.Get128(id)
		h = (h ^ v.Hi ^ v.Lo) * 1099511628211
		h ^= h >> 29
	}
	return h
}

// hairpinKey finds the VIPs whose backend a packet's destination is.
type hairpinKey struct {
	addr  [16]byte
	port  uint16
	proto uint8
}

// hairpins are the VIPs of switches by their backends, of each switch filed when
// a packet first asks: most switches of a big cluster have the same thousands,
// and few meet a packet.
type hairpins struct {
	of   []map[hairpinKey][]hairpinVIP // by datapath index
	read func(network.VIP) (network.VIP, bool)
}

type hairpinVIP struct {
	lb  *network.LoadBalancer
	vip network.VIP
	// snat is the source a hairpinned packet gets: the VIP, or the load
	// balancer's hairpin_snat_ip.
	snat [16]byte
}

// indexHairpins files the VIPs that are the same on every chassis.
func (e *Engine) indexHairpins() {
	e.hairpins = newHairpins(e.Net, func(v network.VIP) (network.VIP, bool) { return v, v.Addr.IsValid() })
}

// templateHairpins files the VIPs of template load balancers, as they read on a
// chassis.
func templateHairpins(net *network.Network, c *network.Chassis) hairpins {
	vars := net.Templates[c.Name]
	if len(vars) == 0 {
		return hairpins{}
	}
	return newHairpins(net, func(v network.VIP) (network.VIP, bool) {
		if v.Addr.IsValid() {
			return v, false
		}
		v, err := network.ParseVIP(network.ExpandTemplates(v.Text, vars), network.ExpandTemplates(v.BackendText, vars))
		return v, err == nil && v.Addr.IsValid()
	})
}

// newHairpins returns the VIPs of the network's switches, each as read says, if it
// says that it counts.
func newHairpins(net *network.Network, read func(network.VIP) (network.VIP, bool)) hairpins {
	return hairpins{make([]map[hairpinKey][]hairpinVIP, len(net.Datapaths)), read}
}

// at returns those of a switch with a backend.
func (x *hairpins) at(dp *network.Datapath, k hairpinKey) []hairpinVIP {
	if x.of == nil || dp.Router {
		return nil
	}
	if x.of[dp.Index] == nil {
		x.of[dp.Index] = x.file(dp)
	}
	return x.of[dp.Index][k]
}

// file files the VIPs of a switch.
func (x *hairpins) file(dp *network.Datapath) map[hairpinKey][]hairpinVIP {
	all := map[hairpinKey][]hairpinVIP{}
	for _, lb := range dp.LoadBalancers {
		for _, v := range lb.VIPs {
			v, ok := x.read(v)
			if !ok {
				continue
			}
			h := hairpinVIP{lb: lb, vip: v, snat: header.Bytes(v.Addr)}
			if a, ok := lb.HairpinSNAT(v.Addr.Is4()); ok {
				h.snat = header.Bytes(a)
			}
			for _, b := range v.Backends {
				k := hairpinKey{header.Bytes(b.Addr()), b.Port(), lb.Protocol}
				if v.Port == 0 {
					k.port, k.proto = 0, 0
				}
				all[k] = append(all[k], h)
			}
		}
	}
	return all
}

// hairpin finds the VIP by which a client reached itself: its packet, already
// translated, has the same source and destination.
func (e *Engine) hairpin(p *pkt) *hairpinVIP {
	t, ok := tupleOf(p)
	if !ok || t.Src != t.Dst {
		return nil
	}
	return e.findHairpin(p, &t, t.Dst, t.DstPort)
}

func (e *Engine) findHairpin(p *pkt, t *nat.Tuple, addr [16]byte, port uint16) *hairpinVIP {
	for _, k := range [...]hairpinKey{
		{addr, port, t.Proto},
		{addr, 0, 0},
	} {
		for _, list := range [...][]hairpinVIP{e.hairpins.at(p.dp, k), p.chassis.hairpins.at(p.dp, k)} {
			for i := range list {
				h := &list[i]
				// The connection's own destination tells VIPs of one backend apart.
				if p.ct.Orig.Dst == header.Bytes(h.vip.Addr) && (h.vip.Port == 0 || p.ct.Orig.DstPort == h.vip.Port) {
					return h
				}
			}
		}
	}
	return nil
}

// replyKey is what the switch learns when a packet is hairpinned: from where,
// to where and of which protocol the answer will be. port is 0 where the VIP
// has none.
type replyKey struct {
	chassis, dp int
	src, dst    [16]byte
	port        uint16
	proto       uint8
}

// checkHairpin is chk_lb_hairpin. Where it holds the switch learns the answer.
func (e *Engine) checkHairpin(p *pkt) bool {
	h := e.hairpin(p)
	if h == nil {
		return false
	}
	t, _ := tupleOf(p)
	k := replyKey{p.chassis.index, p.dp.Index, t.Dst, h.snat, t.DstPort, t.Proto}
	if h.vip.Port == 0 {
		k.port = 0
	}
	if _, known := e.learned.hairpins[k]; !known && !e.quiet {
		e.learned.hairpins[k] = true
	}
	return true
}

// hairpinReply is chk_lb_hairpin_reply: whether p is the answer to a hairpinned
// packet, from a backend to the address such packets get as source. Since OVN
// 21.03 a packet that was hairpinned teaches it, in this replay or before it, when
// its connection is known; earlier releases take it from the load balancers alone.
func (e *Engine) hairpinReply(p *pkt) bool {
	t, ok := tupleOf(p)
	if !ok {
		return false
	}
	for _, k := range [...]replyKey{
		{p.chassis.index, p.dp.Index, t.Src, t.Dst, t.SrcPort, t.Proto},
		{p.chassis.index, p.dp.Index, t.Src, t.Dst, 0, t.Proto},
	} {
		if e.learned.hairpins[k] {
			return true
		}
	}
	return e.answersHairpin(p, &t) && (!e.has(p.chassis.AZ, network.HairpinLearned) ||
		p.chassis.ct.Answers(e.now, p.zone.snat, &t))
}

// answersHairpin reports whether p can answer a hairpinned packet. Whether it does
// only a connection tells: the VIP is the node's own address, as of a nodePort, and
// others of that address ask the backend too, through a gateway that translates them.
func (e *Engine) answersHairpin(p *pkt, t *nat.Tuple) bool {
	for _, k := range [...]hairpinKey{
		{t.Src, t.SrcPort, t.Proto},
		{t.Src, 0, 0},
	} {
		for _, list := range [...][]hairpinVIP{e.hairpins.at(p.dp, k), p.chassis.hairpins.at(p.dp, k)} {
			for i := range list {
				if list[i].snat == t.Dst {
					return true
				}
			}
		}
	}
	return false
}

// hairpinSNAT is ct_snat_to_vip: a packet that its client sends to itself
// through a load balancer gets another source, so that the answer comes back.
// It is committed in the switch's snat zone.
func (e *Engine) hairpinSNAT(p *pkt, f *table.Flow, _ *table.Op) {
	h := e.hairpin(p)
	if h == nil {
		return
	}
	req := conntrack.Request{
		Zone: p.zone.snat, Commit: true,
		NAT: nat.Binding{Kind: nat.Src, V6: !h.vip.Addr.Is4(), AddrLo: h.snat, AddrHi: h.snat},
	}
	e.conntrack(p, f, &req, false)
}

// tupleOf returns the packet's tuple as its key has it, false if it is not IP.
func tupleOf(p *pkt) (t nat.Tuple, ok bool) {
	k := &p.Key
	switch k.Get(field.EthType) {
	case header.EtherIPv4:
		binary.BigEndian.PutUint32(t.Src[:], uint32(k.Get(field.IP4Src)))
		binary.BigEndian.PutUint32(t.Dst[:], uint32(k.Get(field.IP4Dst)))
	case header.EtherIPv6:
		t.V6 = true
		t.Src, t.Dst = k.Get128(field.IP6Src).Bytes(), k.Get128(field.IP6Dst).Bytes()
	default:
		return t, false
	}
	t.Proto = uint8(k.Get(field.IPProto))
	t.SrcPort, t.DstPort = uint16(k.Get(field.TpSrc)), uint16(k.Get(field.TpDst))
	return t, true
}
