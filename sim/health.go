package sim

import (
	"net/netip"

	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// serviceCheck is handle_svc_check: a backend's answer to a health check. Its
// SYN ACK is answered by a reset. That the numbers are those of the check is
// taken for granted: ovn-controller drew them at random.
func (e *Engine) serviceCheck(p *pkt, f *table.Flow) {
	p.Flush()
	port := e.port(uint32(p.Key.Get(field.Inport)))
	if port != nil && e.monitored(p, port) {
		if frame, ok := answer.ProbeReset(&p.Packet, !e.shortReset()); ok {
			e.note(p, trace.Made, trace.MadeReset, f)
			c := e.injected(p, frame)
			clearMetadata(&c.Key)
			c.zone.port, c.zone.dnat, c.zone.snat = 0, 0, 0
			c.Key.Set(field.Flags, flagTunnelRX) // OVN means to set local-only, but sets this
			c.Key.Set(field.Outport, uint64(port.Index))
			c.depth++
			e.toPort(c, f, port)
			e.put(c)
		}
	}
	e.drop(p, trace.DropConsumed, f)
}

// monitored reports whether a backend's packet comes from a service that is
// checked over TCP.
func (e *Engine) monitored(p *pkt, port *network.Port) bool {
	if p.Key.Get(field.IPProto) != packet.ProtoTCP {
		return false
	}
	src := packet.Addr4(p.Key.Get(field.IP4Src))
	if p.Key.Get(field.EthType) == packet.TypeIPv6 {
		src = packet.Addr6(p.Key.Get128(field.IP6Src))
	}
	for i := range e.Net.ServiceMonitors {
		m := &e.Net.ServiceMonitors[i]
		if addr, err := netip.ParseAddr(m.IP); err == nil && addr == src && m.LogicalPort == port.Name &&
			m.Protocol != "udp" && uint64(m.Port) == p.Key.Get(field.TpSrc) {
			return true
		}
	}
	return false
}

// shortReset reports whether health checks end with a plain reset.
func (e *Engine) shortReset() bool {
	switch {
	case e.since(23, 9, 0):
		return e.since(23, 9, 1)
	case e.since(23, 6, 0):
		return e.since(23, 6, 3)
	case e.since(23, 3, 0):
		return e.since(23, 3, 3)
	case e.since(22, 4, 0):
		return false
	}
	return e.since(22, 3, 5)
}
