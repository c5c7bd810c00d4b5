package sim

import (
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// A port that migrates may be blocked on the chassis it migrates to, in both
// directions, until its machine announces itself there (ovn-nb(5),
// options:activation-strategy).

// activeKey names a port on an additional chassis.
type activeKey struct{ port, chassis int }

// blocked reports whether a port is not active yet on p's chassis.
func (e *Engine) blocked(p *pkt, port *network.Port) bool {
	k := activeKey{port.Index, p.chassis.Index}
	if len(port.Additional) == 0 {
		return false
	}
	if _, needed := e.activation[k]; !needed {
		return false
	}
	from, known := e.learned.active[k]
	return !known || e.now < from
}

// Blocked reports whether a port is not active on a chassis, as far as packets told.
func (e *Engine) Blocked(port *network.Port, c *network.Chassis) bool {
	k := activeKey{port.Index, c.Index}
	if len(port.Additional) == 0 {
		return false
	}
	_, needed := e.activation[k]
	_, known := e.learned.active[k]
	return needed && !known
}

// Activate makes a port active on a chassis from now on: its machine announced itself there
// before any packet that the engine was given.
func (e *Engine) Activate(port *network.Port, c *network.Chassis) {
	e.learned.active[activeKey{port.Index, c.Index}] = e.now
}

// admitted reports whether a packet may enter at a port: if the port is not
// active yet, only the announcement that activates it may.
func (e *Engine) admitted(p *pkt, port *network.Port) bool {
	if !e.blocked(p, port) {
		return true
	}
	k := activeKey{port.Index, p.chassis.Index}
	kinds := e.activation[k]
	if !slices.ContainsFunc(port.Addresses, func(a network.Address) bool { return activates(&p.Key, kinds, &a) }) {
		e.dropAt(p, trace.DropBlocked, nil, port)
		return false
	}
	if _, known := e.learned.active[k]; !known {
		e.learned.active[k] = e.now + learnDelay
		e.event(p, trace.Event{Kind: trace.Learn, Reason: trace.LearnActive, Flow: -1})
	}
	return true
}

// activates reports whether a packet is an announcement of one of the kinds
// for an address.
func activates(k *field.Key, kinds announcements, a *network.Address) bool {
	switch k.Get(field.EthType) {
	case header.EtherRARP:
		return kinds&byRARP != 0
	case header.EtherARP:
		return kinds&byGARP != 0 && isGratuitous(k, a)
	case header.EtherIPv6:
		return kinds&byNA != 0 && isAdvertised(k, a)
	}
	return false
}

func isGratuitous(k *field.Key, a *network.Address) bool {
	mac, ip := header.MACNumber(a.MAC), k.Get(field.ARPSPA)
	return k.Get(field.EthSrc) == mac && k.Get(field.ARPSHA) == mac && k.Get(field.ARPTPA) == ip &&
		hasAddress(a, header.IPv4(ip))
}

func isAdvertised(k *field.Key, a *network.Address) bool {
	ip := k.Get128(field.IP6Src)
	if k.Get(field.ICMP6Type) != 136 || k.Get(field.ICMP6Code) != 0 || k.Get128(field.NDTarget) != ip ||
		k.Get(field.NDTLL) != header.MACNumber(a.MAC) {
		return false
	}
	from := packet.Addr6(ip)
	return hasAddress(a, from) || from == netip.AddrFrom16(header.LinkLocal(a.MAC))
}

func hasAddress(a *network.Address, ip netip.Addr) bool {
	return slices.ContainsFunc(a.IPs, func(have netip.Prefix) bool { return have.Addr() == ip })
}
