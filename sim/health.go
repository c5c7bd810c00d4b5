package sim

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// serviceCheck is handle_svc_check: a backend's answer to a health check. Its
// SYN ACK is answered by a reset.
func (e *Engine) serviceCheck(p *pkt, f *table.Flow, _ *table.Op) {
	if e.beyondRate(p, f) {
		return
	}
	p.Flush()
	port := e.port(uint32(p.Key.Get(field.Inport)))
	if port != nil && e.monitored(p, port) {
		if frame, ok := answer.ProbeReset(&p.Packet, !e.has(p.chassis.AZ, network.HealthReset)); ok {
			e.note(p, trace.Made, trace.MadeReset, f)
			e.answerAt(p, f, frame, port, flagTunnelRX) // OVN means to set local-only, but sets this
		}
	}
	e.drop(p, trace.DropConsumed, f)
}

// monitored reports whether a backend's packet answers the health check of a
// service: the latest that was observed, or any if none was.
func (e *Engine) monitored(p *pkt, port *network.Port) bool {
	if p.Key.Get(field.IPProto) != header.ProtoTCP || p.Layout.L4 == 0 {
		return false
	}
	src := header.IPv4(p.Key.Get(field.IP4Src))
	if p.Key.Get(field.EthType) == header.EtherIPv6 {
		src = packet.Addr6(p.Key.Get128(field.IP6Src))
	}
	key := probeKey{port.Index, netip.AddrPortFrom(src, uint16(p.Key.Get(field.TpSrc)))}
	if !e.checks[key] {
		return false
	}
	last, ok := e.learned.probes[key]
	if !ok {
		p.guess = true
		return true
	}
	ack := binary.BigEndian.Uint32(p.Data[p.Layout.L4+8:])
	return uint64(last.port) == p.Key.Get(field.TpDst) && ack == last.seq+1
}

// probeKey names a monitored service, or a router's port that asks for a
// prefix; probe is what ovn-controller chose at random for the latest check of
// it, or question.
type probeKey struct {
	port    int
	service netip.AddrPort
}

type probe struct {
	port uint16
	seq  uint32
}

// maxProbes bounds how many services' checks are remembered.
const maxProbes = 1 << 16

// Observe tells the engine of a frame that was seen to leave OVN at a port.
// Health checks are made by ovn-controller alone, and what it answers depends
// on the latest, also where the engine's network does not have the monitor yet.
func (e *Engine) Observe(port *network.Port, frame []byte, h *packet.Headers) {
	if len(e.monitorMACs) == 0 {
		return
	}
	k, l := &h.Key, &h.Layout
	if l.L4 == 0 || k.Get(field.IPProto) != header.ProtoTCP || k.Get(field.TCPFlags) != header.FlagSYN ||
		!slices.Contains(e.monitorMACs, k.Get(field.EthSrc)) {
		return
	}
	dst := header.IPv4(k.Get(field.IP4Dst))
	if k.Get(field.EthType) == header.EtherIPv6 {
		dst = packet.Addr6(k.Get128(field.IP6Dst))
	}
	key := probeKey{port.Index, netip.AddrPortFrom(dst, uint16(k.Get(field.TpDst)))}
	if _, known := e.learned.probes[key]; known || len(e.learned.probes) < maxProbes {
		e.learned.probes[key] = probe{uint16(k.Get(field.TpSrc)), binary.BigEndian.Uint32(frame[l.L4+4:])}
	}
}

// monitorMACs are the Ethernet addresses from which services are checked: that
// of northd's choice, which it keeps in an address set, and those of monitors.
// Clients open connections to the same services from others.
func monitorMACs(net *network.Network) (macs []uint64) {
	add := func(text string) {
		if mac, ok := header.ParseMAC(text); ok && !slices.Contains(macs, header.MACNumber(mac)) {
			macs = append(macs, header.MACNumber(mac))
		}
	}
	for _, z := range net.AZs {
		for _, text := range z.AddressSets["svc_monitor_mac"] {
			add(text)
		}
	}
	for i := range net.ServiceMonitors {
		add(net.ServiceMonitors[i].SrcMAC)
	}
	return macs
}
