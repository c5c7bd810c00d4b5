package sim

import (
	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// checkEVPNARP: what a kernel's EVPN tables say is not known.
func (e *Engine) checkEVPNARP(p *pkt, f *table.Flow, op *table.Op) {
	p.Key.Store(op.Dst, field.Uint128{})
	e.note(p, trace.Note, trace.ApproxAction, f)
}

// mirror gives a copy of p to the port it is mirrored to.
func (e *Engine) mirror(p *pkt, f *table.Flow, op *table.Op) {
	for _, n := range op.Ports {
		port := e.port(n)
		if port == nil {
			continue
		}
		c := e.copyOf(p)
		c.depth++
		c.Key.Set(field.Outport, uint64(n))
		e.toPort(c, f, port)
		e.put(c)
	}
}

// bindVport is bind_vport: the virtual port is where the packet came from.
// The logical flows for that are those of the database, which ovn-northd
// changes only when the port moves.
func (e *Engine) bindVport(p *pkt, f *table.Flow, op *table.Op) {
	from := e.port(uint32(p.Key.Load(op.A).Lo))
	for _, n := range op.Ports {
		if v := e.port(n); v != nil && from != nil && e.parents[v.Index] != from {
			e.note(p, trace.Note, trace.ApproxAction, f)
		}
	}
}

// consumed: ovn-controller takes the packet.
func (e *Engine) consumed(p *pkt, f *table.Flow) {
	if !e.beyondRate(p, f) {
		e.drop(p, trace.DropConsumed, f)
	}
}

func (e *Engine) unchanged(*pkt, *table.Flow) {}

// plain runs the actions that are bare words.
func (e *Engine) plain(p *pkt, f *table.Flow, op *table.Op) { plainHandlers[op.Plain](e, p, f) }

// result runs "dst = name();".
func (e *Engine) result(p *pkt, f *table.Flow, op *table.Op) {
	if op.Result == lflow.DNSLookup {
		e.lookupDNS(p, f, op)
		return
	}
	v := resultHandlers[op.Result](e, p, f)
	e.found(p, f, v, 0)
	p.Key.Store(op.Dst, bit(v))
}

// ecmpKey names one learned symmetric reply: the connection as its original
// direction has it.
type ecmpKey struct {
	dp    int
	tuple nat.Tuple
}

type ecmpEntry struct {
	mac         uint64
	used, since conntrack.Time
}

// Lifetimes of a learned symmetric reply (ovn-sb(5), commit_ecmp_nh).
const (
	ecmpIdle = 20e9
	ecmpHard = 30e9
)

// commitECMP is commit_ecmp_nh: replies of this connection will go back to
// the router the packet came from.
func (e *Engine) commitECMP(p *pkt, f *table.Flow, op *table.Op) {
	t, ok := tupleOf(p)
	if !ok || op.N != 0 && uint32(t.Proto) != op.N {
		return
	}
	k := ecmpKey{p.dp.Index, t}
	mac := p.Key.Get(field.EthSrc)
	if old, ok := e.learned.ecmp[k]; ok && old.mac == mac && e.ecmpAlive(old) {
		return
	}
	e.learned.ecmp[k] = ecmpEntry{mac: mac, used: e.now, since: e.now}
	e.note(p, trace.Learn, trace.LearnECMP, f)
}

func (e *Engine) ecmpAlive(x ecmpEntry) bool {
	return e.now-x.used < ecmpIdle && e.now-x.since < ecmpHard
}

// checkECMP is chk_ecmp_nh (the reply direction) and chk_ecmp_nh_mac (the
// original one, from the same router).
func (e *Engine) checkECMP(p *pkt, sameMAC bool) bool {
	t, ok := tupleOf(p)
	if !ok {
		return false
	}
	if !sameMAC {
		t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	}
	k := ecmpKey{p.dp.Index, t}
	x, ok := e.learned.ecmp[k]
	if !ok || !e.ecmpAlive(x) || sameMAC && x.mac != p.Key.Get(field.EthSrc) {
		return false
	}
	x.used = e.now
	e.learned.ecmp[k] = x
	return true
}

// affinityKey names a client of a virtual address.
type affinityKey struct {
	dp     int
	client [16]byte
	vip    [16]byte
	port   uint16
	proto  uint8
}

type affinityEntry struct {
	backend [16]byte
	port    uint16
	timeout conntrack.Time
	used    conntrack.Time
	guess   bool // the backend is one
}

// OVN keeps the virtual address a packet was for, and later the backend its
// client sticks to, in these registers (ovn-northd(8)).
var (
	regVIP4 = field.Slice{Field: field.XXReg1, Ofs: 96, Width: 32} // reg4
	regVIP6 = field.Slice{Field: field.XXReg1, Ofs: 0, Width: 128}
	regPort = field.Slice{Field: field.XXReg0, Ofs: 32, Width: 16} // reg2[0..15]

	// Up to OVN 24.03, where switches had another for IPv6.
	oldSwitchVIP6 = field.Slice{Field: field.XXReg0, Ofs: 0, Width: 128}
	oldPort       = field.Slice{Field: field.XReg4, Ofs: 32, Width: 16} // reg8[0..15]
)

// stick leaves the backend a client sticks to in registers.
func (e *Engine) stick(p *pkt, v6 bool, x *affinityEntry) {
	vip6, port := regVIP6, regPort
	if e.oldAffinity[p.dp.AZ.Index] {
		port = oldPort
		if !p.dp.Router {
			vip6 = oldSwitchVIP6
		}
	}
	v := field.FromBytes(x.backend)
	if v6 {
		p.Key.Store(vip6, v)
	} else {
		p.Key.Store(regVIP4, v.Rsh(96))
	}
	p.Key.Store(port, field.U64(uint64(x.port)))
}

// commitAffinity is commit_lb_aff.
func (e *Engine) commitAffinity(p *pkt, f *table.Flow, op *table.Op) {
	a, ok := op.Action.(lflow.CommitLBAffinity)
	t, isIP := tupleOf(p)
	if !ok || !isIP {
		return
	}
	k := affinityKey{p.dp.Index, t.Src, header.Bytes(a.VIP.Addr()), a.VIP.Port(), a.Proto}
	x := affinityEntry{
		backend: header.Bytes(a.Backend.Addr()), port: a.Backend.Port(),
		timeout: conntrack.Time(a.Timeout) * 1e9, used: e.now, guess: p.guess,
	}
	if old, ok := e.learned.affinity[k]; ok && old.backend == x.backend && old.port == x.port {
		x.guess = x.guess || old.guess // a retransmission follows the connection's guess
	}
	e.learned.affinity[k] = x
	e.note(p, trace.Learn, trace.LearnAffinity, f)
}

// askAffinity looks whether it can be seen by now what was guessed when the
// client came to stick to its backend: the packet that taught it need not have
// got through.
func (e *Engine) askAffinity(p *pkt, f *table.Flow, k *affinityKey, x *affinityEntry) {
	if o, ok := e.seenBackend(p, k); ok {
		x.backend, x.port, x.guess, p.seen = o.Addr, o.Port, false, true
		e.note(p, trace.Note, trace.ObservedChoice, f)
		return
	}
	p.guess = true
	e.note(p, trace.Note, trace.GuessBackend, f)
}

// seenBackend is the backend to which a capture shows that the packet went, of
// those that clients of a virtual address stick to.
func (e *Engine) seenBackend(p *pkt, k *affinityKey) (ChoiceOption, bool) {
	o, _, ok := e.shownBackend(p, k, false)
	return o, ok
}

// shownBackend is seenBackend, with how long clients stick to it; itself: the packet
// itself must be shown, and no other of its connection.
func (e *Engine) shownBackend(p *pkt, k *affinityKey, itself bool) (o ChoiceOption, sticks conntrack.Time, ok bool) {
	if e.opts.Choose == nil || e.quiet {
		return o, 0, false
	}
	c := Choice{Kind: trace.GuessBackend, Time: e.now, Itself: itself}
	for _, g := range e.teaching[p.dp.Index] {
		for _, op := range e.Compiled(int32(g.Index)).Ops {
			a, ok := op.Action.(lflow.CommitLBAffinity)
			if ok && header.Bytes(a.VIP.Addr()) == k.vip && a.VIP.Port() == k.port {
				b := a.Backend
				c.Options = append(c.Options, ChoiceOption{Addr: header.Bytes(b.Addr()), V6: b.Addr().Is6(),
					Port: b.Port()})
				sticks = conntrack.Time(a.Timeout) * conntrack.Second
			}
		}
	}
	if len(c.Options) == 0 {
		return o, 0, false
	}
	i, ok := e.opts.Choose.Choose(&c, &p.Packet)
	if !ok || i < 0 || i >= len(c.Options) {
		return o, 0, false
	}
	return c.Options[i], sticks, true
}

// stuckBefore reports whether a capture shows that the packet went to a backend,
// although its client is not known to stick to any: the packet that teaches the
// switch is never passed on, so that was before the captures.
func (e *Engine) stuckBefore(p *pkt, f *table.Flow, k *affinityKey) bool {
	o, sticks, ok := e.shownBackend(p, k, true)
	if !ok {
		return false
	}
	x := affinityEntry{backend: o.Addr, port: o.Port, timeout: sticks, used: e.now}
	e.learned.affinity[*k] = x
	e.stick(p, o.V6, &x)
	p.seen = true
	e.note(p, trace.Note, trace.ObservedChoice, f)
	return true
}

// forgot reports whether a capture shows that the packet went to another backend
// than the one its client sticks to: the switch has lost the flow it had learned,
// as when it was restarted or its flows were replaced.
func (e *Engine) forgot(p *pkt, f *table.Flow, k *affinityKey, x *affinityEntry) bool {
	o, ok := e.seenBackend(p, k)
	if !ok || o.Addr == x.backend && o.Port == x.port {
		return false
	}
	p.seen = true
	e.note(p, trace.Note, trace.LostAffinity, f)
	return true
}

// checkAffinity is chk_lb_aff: if the client sticks to a backend, its address
// and port are left in registers.
func (e *Engine) checkAffinity(p *pkt, f *table.Flow) bool {
	t, ok := tupleOf(p)
	if !ok {
		return false
	}
	keys := [...]affinityKey{
		{p.dp.Index, t.Src, t.Dst, t.DstPort, t.Proto},
		{p.dp.Index, t.Src, t.Dst, 0, 0},
	}
	for _, k := range keys {
		x, ok := e.learned.affinity[k]
		if !ok || e.now-x.used >= x.timeout {
			continue
		}
		x.used = e.now
		switch {
		case x.guess:
			e.askAffinity(p, f, &k, &x)
		case e.forgot(p, f, &k, &x):
			delete(e.learned.affinity, k)
			continue
		}
		e.learned.affinity[k] = x
		e.stick(p, t.V6, &x)
		return true
	}
	for i := range keys {
		if e.stuckBefore(p, f, &keys[i]) {
			return true
		}
	}
	return false
}
