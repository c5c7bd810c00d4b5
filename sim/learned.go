package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// learned is what ovn-controller knows beside the logical flows, and what it
// learns during the replay. Each table starts with the database's rows.
type learned struct {
	macs     map[macKey]macEntry
	statics  map[macKey]staticMAC
	fdb      map[fdbKey]fdbEntry
	affinity map[affinityKey]affinityEntry
	ecmp     map[ecmpKey]ecmpEntry
	hairpins map[replyKey]bool
	mrouters []mrouter

	rows   map[macKey]uint64         // the MAC bindings of the database
	dates  map[macKey]conntrack.Time // of them: since when they are as they are; 0: it does not say
	probes map[probeKey]probe
	active map[activeKey]conntrack.Time // ports that became active, and when

	// pending are the moments at which what was learned last takes effect, MAC
	// bindings and FDB entries apart, by chassis.
	pending [2]map[int]*pending
}

// maxPending is how many MAC bindings, and how many FDB entries, ovn-controller
// takes before the Southbound database has them (MAX_MAC_BINDINGS and
// MAX_FDB_ENTRIES of controller/mac-learn.c); it drops the others.
const maxPending = 1000

// pending is a ring of moments.
type pending struct {
	from  [maxPending]conntrack.Time
	first int
	count int
}

const (
	pendingMACs = iota
	pendingFDB
)

// room notes that a chassis learns something that takes effect learnDelay from
// now; false: it has too much on its way already.
func (l *learned) room(kind, chassis int, now conntrack.Time) bool {
	if l.pending[kind] == nil {
		l.pending[kind] = map[int]*pending{}
	}
	q := l.pending[kind][chassis]
	if q == nil {
		q = &pending{}
		l.pending[kind][chassis] = q
	}
	for q.count > 0 && q.from[q.first] <= now {
		q.first = (q.first + 1) % maxPending
		q.count--
	}
	if q.count == maxPending {
		return false
	}
	q.from[(q.first+q.count)%maxPending] = now + learnDelay
	q.count++
	return true
}

type macKey struct {
	port uint32
	ip   field.Uint128 // IPv4 in the low 32 bits
	v6   bool
}

// macEntry is a MAC binding. A change takes effect when ovn-controller has
// had it back from the Southbound database: until from, old holds.
type macEntry struct {
	mac, old uint64
	known    bool // old is a binding
	from     conntrack.Time
	since    conntrack.Time // when it was learned; 0: it is the database's
}

type staticMAC struct {
	mac      uint64
	override bool // wins over a learned binding
}

type fdbKey struct {
	dp  uint32
	mac uint64
}

// fdbEntry is who is behind an Ethernet address: port, and old (0: nobody knows) until from.
type fdbEntry struct {
	port, old uint32
	from      conntrack.Time
}

func (l *learned) init(net *network.Network) {
	l.macs = map[macKey]macEntry{}
	l.statics = map[macKey]staticMAC{}
	l.fdb = map[fdbKey]fdbEntry{}
	l.affinity = map[affinityKey]affinityEntry{}
	l.ecmp = map[ecmpKey]ecmpEntry{}
	l.hairpins = map[replyKey]bool{}
	l.probes = map[probeKey]probe{}
	l.active = map[activeKey]conntrack.Time{}
	l.rows = nil
	l.read(net)
}

// read takes the database's rows. It returns the MAC bindings that were not
// there before; those that the database has no more are forgotten.
func (l *learned) read(net *network.Network) (fresh []macKey) {
	rows := map[macKey]uint64{}
	l.dates = map[macKey]conntrack.Time{}
	for _, b := range net.MACBindings {
		if b.Port == nil {
			continue
		}
		k, mac := bindingKey(&b), header.MACNumber(b.MAC)
		if rows[k], l.dates[k] = mac, 0; b.Timestamp != 0 {
			l.dates[k] = conntrack.Time(b.Timestamp)*1e6 + 999_999 // a row tells milliseconds, cut
		}
		if was, ok := l.rows[k]; !ok || was != mac {
			l.macs[k] = macEntry{mac: mac}
			fresh = append(fresh, k)
		}
	}
	for k, mac := range l.rows {
		if _, ok := rows[k]; !ok && l.macs[k].mac == mac {
			delete(l.macs, k)
		}
	}
	l.rows = rows
	l.statics = map[macKey]staticMAC{}
	for _, b := range net.StaticMACs {
		if b.Port != nil {
			l.statics[bindingKey(&b)] = staticMAC{header.MACNumber(b.MAC), b.Override}
		}
	}
	l.readFDB(net)
	return fresh
}

// readFDB takes the database's FDB rows, each from when it says that it was made.
func (l *learned) readFDB(net *network.Network) {
	for _, f := range net.FDB {
		dp := f.Datapath
		port := dp.PortByKey(f.PortKey)
		if port == nil {
			continue
		}
		k, entry := fdbKey{uint32(dp.Index), header.MACNumber(f.MAC)}, fdbEntry{port: uint32(port.Index)}
		if !dp.FDBAges() {
			entry.from = conntrack.Time(f.Timestamp) * 1e6
		}
		if l.fdb[k].port != entry.port {
			l.fdb[k] = entry
		}
	}
}

func bindingKey(b *network.MACBinding) macKey {
	ip := b.IP.As16()
	k := macKey{port: uint32(b.Port.Index), ip: field.FromBytes(ip), v6: !b.IP.Is4()}
	if !k.v6 {
		k.ip = field.U64(k.ip.Lo & 0xffffffff)
	}
	return k
}

// learnDelay is how long ovn-controller takes to see what it learned come
// back from the Southbound database (measured: a few milliseconds).
const learnDelay = 5_000_000

// binding returns the MAC bound to an address behind a port, as get_arp finds it.
func (l *learned) binding(now conntrack.Time, k macKey) (uint64, bool) {
	mac, _, ok := l.bindingSince(now, k)
	return mac, ok
}

// bindingSince is binding, with when the address was learned last; 0: it was not.
func (l *learned) bindingSince(now conntrack.Time, k macKey) (mac uint64, since conntrack.Time, ok bool) {
	static, isStatic := l.statics[k]
	e, learned := l.macs[k]
	switch {
	case isStatic && static.override:
	case learned && now >= e.from:
		return e.mac, e.since, true
	case learned && e.known:
		return e.old, e.since, true
	}
	return static.mac, e.since, isStatic
}

// learnMAC is put_arp and put_nd.
func (e *Engine) learnMAC(c *chassis, k macKey, mac uint64) bool {
	l, now := &e.learned, e.now
	old, known := l.binding(now, k)
	entry, pending := l.macs[k]
	if known && old == mac || pending && entry.mac == mac {
		return false
	}
	if (!pending || entry.from <= now) && !l.room(pendingMACs, c.index, now) {
		e.reached(BindingsFull, c, 0, maxPending)
		return false
	}
	l.macs[k] = macEntry{mac: mac, old: old, known: known, from: now + learnDelay, since: now}
	return true
}

// raceTime is how long after it was learned a binding may still be on its way
// into the flow tables: packets held for it may go before others find it.
const raceTime = 100e6

// early reports whether p came before its next hop's binding, which was learned then (0: it was
// not), could be found: see racing and younger.
func (e *Engine) early(p *pkt, f *table.Flow, at position, hop macKey, since conntrack.Time) bool {
	date, ofDatabase := e.learned.dates[e.bound(hop)]
	return e.racing(p, f, at, hop, since, date) || since == 0 && ofDatabase && e.younger(p, f, at, hop, date)
}

// racing reports whether a packet for a next hop that was learned only just, by what was
// replayed or by the database's row, found it unknown still: a capture shows that it made
// ovn-controller ask again.
func (e *Engine) racing(p *pkt, f *table.Flow, at position, hop macKey, since, date conntrack.Time) bool {
	if date <= e.now {
		since = max(since, date)
	}
	if since == 0 || e.now-since > raceTime || e.opts.Choose == nil || e.quiet ||
		!e.opts.Choose.Asked(hop.ip, hop.v6, e.asker(p, at)) {
		return false
	}
	p.seen = true
	e.note(p, trace.Note, trace.Racing, f)
	return true
}

// younger reports whether the database's binding of a next hop was not there when a
// packet came. Its row says so, or not since when it is (OVN before 22.09), and a capture
// shows that the packet made ovn-controller ask. Between routers none would: there the
// row decides, where it came soon after and is not renewed as it is used. The binding
// is then forgotten: what is learned counts.
func (e *Engine) younger(p *pkt, f *table.Flow, at position, hop macKey, date conntrack.Time) bool {
	if date != 0 && date <= e.now || e.opts.Choose == nil || e.quiet {
		return false
	}
	k := e.bound(hop)
	inside := date != 0 && date-e.now < waitTimeout && e.amongRouters(e.port(k.port))
	if !inside && !e.opts.Choose.Asked(hop.ip, hop.v6, e.asker(p, at)) {
		return false
	}
	delete(e.learned.macs, k)
	p.seen = true
	e.note(p, trace.Note, trace.Younger, f)
	return true
}

// amongRouters reports whether a router's port leads to none but other routers' ports,
// and its bindings are as old as their rows say.
func (e *Engine) amongRouters(port *network.Port) bool {
	if port == nil || port.Peer == nil || e.aging[port.Datapath.Index] {
		return false
	}
	if d := port.Peer.Datapath; !d.Router {
		return !slices.ContainsFunc(d.Ports, func(p *network.Port) bool { return p.Peer == nil })
	}
	return true
}

// asker is the address from which ovn-controller would ask for p's next hop: a
// later stage may make it that of a distributed floating IP.
func (e *Engine) asker(p *pkt, at position) uint64 {
	q := e.copyOf(p)
	defer e.put(q)
	q.Key.Set(field.EthDst, 0)
	e.peek(q, at.next())
	return q.Key.Get(field.EthSrc)
}

// getMACBind is get_arp and get_nd. The switch's flow of an IPv4 binding looks at reg0
// and the port, not at the protocol, and reg0 is the beginning of xxreg0
// (consider_neighbor_flow of ovn-controller): a policy with an IPv4 next hop that
// applies to IPv6, too, finds that.
func (e *Engine) getMACBind(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	hop := p.macKey(op)
	mac, since, ok := e.learned.bindingSince(e.now, hop)
	if !ok && hop.v6 {
		mac, ok = e.learned.binding(e.now, macKey{port: hop.port, ip: field.U64(p.Key.Get128(field.XXReg0).Hi >> 32)})
	}
	if ok && e.early(p, f, at, hop, since) {
		mac, ok = 0, false
	} else if seen, shown := e.seenHop(p, f, at, hop, mac); shown {
		mac, ok = seen, true
	}
	e.found(p, f, ok, mac)
	p.Key.Set(field.EthDst, mac) // 0 when there is none
	return position{}, false
}

// seenHop returns the Ethernet address that a capture shows p's next hop to have,
// where none shows how it was learned.
func (e *Engine) seenHop(p *pkt, f *table.Flow, at position, hop macKey, bound uint64) (uint64, bool) {
	if e.opts.Choose == nil || e.quiet {
		return 0, false
	}
	seen, ok := e.opts.Choose.NextHop(hop.ip, hop.v6, bound, &p.Packet)
	if !ok || seen.From != 0 && seen.From != e.asker(p, at) || !seen.Gateway && e.learned.another(hop, seen.To) {
		return 0, false
	}
	e.learned.macs[hop] = macEntry{mac: seen.To}
	p.seen = true
	e.note(p, trace.Note, trace.ObservedChoice, f)
	return seen.To, true
}

// another reports whether an Ethernet address is bound to another address than k's
// behind its port.
func (l *learned) another(k macKey, mac uint64) bool {
	for other, e := range l.macs {
		if other.port == k.port && other.v6 == k.v6 && other.ip != k.ip && e.mac == mac {
			return true
		}
	}
	return false
}

// lookupMACBind is lookup_arp, lookup_nd and those of them that ask for an
// address alone.
func (e *Engine) lookupMACBind(p *pkt, f *table.Flow, op *table.Op) {
	mac, ok := e.learned.binding(e.now, p.macKey(op))
	if op.C.Width != 0 {
		ok = ok && mac == p.Key.Load(op.C).Lo
	}
	e.found(p, f, ok, p.Key.Get(field.EthDst))
	p.Key.Store(op.Dst, bit(ok))
}

// putMACBind is put_arp and put_nd.
func (e *Engine) putMACBind(p *pkt, f *table.Flow, op *table.Op) {
	l := &e.learned
	if key := p.macKey(op); e.learnMAC(p.chassis, key, p.Key.Load(op.C).Lo) {
		e.resolved(key, l.macs[key].mac, l.macs[key].from)
		e.note(p, trace.Learn, trace.LearnMAC, f)
	}
}

// behind returns the port that the FDB has for an Ethernet address now; 0: none.
func (e *Engine) behind(p *pkt, op *table.Op) uint64 {
	entry := e.learned.fdb[fdbKey{uint32(p.dp.Index), p.Key.Load(op.B).Lo}]
	if e.now < entry.from {
		return uint64(entry.old)
	}
	return uint64(entry.port)
}

func (e *Engine) getFDB(p *pkt, f *table.Flow, op *table.Op) {
	port := e.behind(p, op)
	if port == 0 {
		port = e.seenBehind(p, f, op)
	}
	p.Key.Store(op.Dst, field.U64(port))
}

// seenBehind returns the port that a capture shows p's destination to be behind, where
// none shows how that was learned.
func (e *Engine) seenBehind(p *pkt, f *table.Flow, op *table.Op) uint64 {
	if e.opts.Choose == nil || e.quiet {
		return 0
	}
	port := e.opts.Choose.Behind(p.dp, &p.Packet)
	if port == nil {
		return 0
	}
	e.learned.fdb[fdbKey{uint32(p.dp.Index), p.Key.Load(op.B).Lo}] = fdbEntry{port: uint32(port.Index)}
	p.seen = true
	e.note(p, trace.Note, trace.ObservedChoice, f)
	return uint64(port.Index)
}

// getRemoteFDB: who is behind a VTEP of an EVPN network the chassis' kernel knows.
func (e *Engine) getRemoteFDB(p *pkt, f *table.Flow, op *table.Op) {
	p.Key.Store(op.Dst, field.Uint128{})
	e.note(p, trace.Note, trace.ApproxAction, f)
}

func (e *Engine) lookupFDB(p *pkt, f *table.Flow, op *table.Op) {
	ok := e.behind(p, op) == p.Key.Load(op.A).Lo
	e.found(p, f, ok, p.Key.Get(field.EthDst))
	p.Key.Store(op.Dst, bit(ok))
}

func (e *Engine) putFDB(p *pkt, f *table.Flow, op *table.Op) {
	key := fdbKey{uint32(p.dp.Index), p.Key.Load(op.B).Lo}
	port := uint32(p.Key.Load(op.A).Lo)
	l := &e.learned
	entry := l.fdb[key]
	soon := e.now + learnDelay
	onItsWay := entry.from > e.now && entry.from <= soon
	switch {
	case entry.port == port && entry.from <= soon:
	case !onItsWay && !l.room(pendingFDB, p.chassis.index, e.now):
		e.reached(FDBFull, p.chassis, 0, maxPending)
	default:
		l.fdb[key] = fdbEntry{port, uint32(e.behind(p, op)), soon}
		e.note(p, trace.Learn, trace.LearnFDB, f)
	}
}

// macKey reads the port and address arguments of a MAC binding action.
func (p *pkt) macKey(op *table.Op) macKey {
	return macKey{port: uint32(p.Key.Load(op.A).Lo), ip: p.Key.Load(op.B), v6: op.V6}
}

func bit(b bool) field.Uint128 {
	if b {
		return field.U64(1)
	}
	return field.Uint128{}
}
