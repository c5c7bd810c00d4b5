package sim

import (
	"net/netip"

	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// serverReply is handle_dhcpv6_reply: what a DHCPv6 server says to a router
// port that asks it for a prefix. An ADVERTISE is answered by a REQUEST, which
// leaves at the same port; the prefix of a REPLY comes through the database.
func (e *Engine) serverReply(p *pkt, f *table.Flow) {
	if e.beyondRate(p, f) {
		return
	}
	p.Flush()
	port := e.port(uint32(p.Key.Get(field.Inport)))
	frame, ok := answer.PrefixRequest(&p.Packet, e.has(p.chassis.AZ, network.PrefixToAllServers),
		func(iaid uint32) bool { return e.solicited(p, port, iaid) })
	if ok {
		e.note(p, trace.Made, trace.MadeDHCP, f)
		e.answerAt(p, f, frame, port, 0)
	}
	e.drop(p, trace.DropConsumed, f)
}

// solicited reports whether a router port asks for a prefix for an identity
// association: the latest that was observed, or any if none was.
func (e *Engine) solicited(p *pkt, port *network.Port, iaid uint32) bool {
	if port == nil {
		return false
	}
	from, ok := e.delegated[port.Index]
	if !ok || from.mac != p.Key.Get(field.EthDst) ||
		field.FromBytes(from.addr.As16()) != p.Key.Get128(field.IP6Dst) {
		return false
	}
	last, ok := e.learned.probes[solicitKey(port)]
	if !ok {
		p.guess = true
		return true
	}
	return last.seq == iaid
}

// Solicited tells the engine for which identity association a router port was
// seen to ask for a prefix.
func (e *Engine) Solicited(port *network.Port, iaid uint32) {
	e.learned.probes[solicitKey(port)] = probe{seq: iaid}
}

// solicitKey is where the latest solicitation of a router port is kept: with
// the other things that ovn-controller makes up and waits for an answer to.
func solicitKey(port *network.Port) probeKey {
	return probeKey{port.Index, netip.AddrPort{}}
}
