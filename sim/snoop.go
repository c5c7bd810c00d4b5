package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// Tunnel keys of the groups that ovn-controller sends snooped packets to, and
// the flag that keeps it from snooping them again.
const (
	keyRouterFlood = 32770 // reports: towards multicast routers
	keyFloodL2     = 32772 // queries: every port that is not a router's
	flagSnooped    = 1 << 22
)

// snoop is the action "igmp;": ovn-controller takes the packet and sends
// membership reports on to the multicast routers, queries on to every host.
// Nothing happens to it on a switch that does not snoop.
func (e *Engine) snoop(p *pkt, f *table.Flow) {
	if e.beyondRate(p, f) {
		return
	}
	p.Flush()
	kind := answer.NoMulticast
	if e.snoops(p.dp) && e.has(p.chassis.AZ, network.SnoopedReports) {
		kind = answer.Multicast(&p.Packet)
	}
	switch kind {
	case answer.Report:
		g := p.dp.GroupByKey(keyRouterFlood)
		e.reinject(p, f, g)
		for _, r := range e.learned.mrouters {
			if r.port.Datapath == p.dp && r.from <= e.now && (g == nil || !slices.Contains(g.Ports, r.port)) {
				c := e.snooped(p)
				c.Key.Set(field.Outport, uint64(r.port.Index))
				e.toPort(c, f, r.port)
				e.put(c)
			}
		}
	case answer.Query:
		e.learnRouter(p, f)
		e.reinject(p, f, p.dp.GroupByKey(keyFloodL2))
	}
	e.drop(p, trace.DropConsumed, f)
}

// reinject sends a copy of p to a group, if the switch has it.
func (e *Engine) reinject(p *pkt, f *table.Flow, g *network.Group) {
	if g == nil {
		return
	}
	c := e.snooped(p)
	c.Key.Set(field.Outport, uint64(groupBit|e.groups[g.Index]))
	e.output(c, f, position{})
	e.put(c)
}

// snooped is a copy of p as ovn-controller puts snooped packets back: of the
// metadata, only where it came from.
func (e *Engine) snooped(p *pkt) *pkt {
	c := e.copyOf(p)
	inport := c.Key.Get(field.Inport)
	clearMetadata(&c.Key)
	c.ct.Clear()
	e.fresh(c)
	c.zone.port, c.zone.dnat, c.zone.snat = 0, 0, 0
	c.Key.Set(field.Inport, inport)
	c.Key.Set(field.Flags, flagSnooped)
	c.depth++
	return c
}

// mrouter is a port behind which a query came from: reports go there too,
// once ovn-northd has made it a member of the group.
type mrouter struct {
	port *network.Port
	from conntrack.Time
}

// routerDelay is how long that takes: twice through the Southbound database.
const routerDelay = 4 * learnDelay

func (e *Engine) learnRouter(p *pkt, f *table.Flow) {
	port := e.port(uint32(p.Key.Get(field.Inport)))
	unspecified := p.Key.Get(field.EthType) == header.EtherIPv6 && p.Key.Get128(field.IP6Src).IsZero()
	if port == nil || unspecified ||
		slices.ContainsFunc(e.learned.mrouters, func(r mrouter) bool { return r.port == port }) {
		return
	}
	e.learned.mrouters = append(e.learned.mrouters, mrouter{port, e.now + routerDelay})
	e.note(p, trace.Learn, trace.LearnRouter, f)
}

// snoops reports whether a switch's IP_Multicast row has snooping on.
func (e *Engine) snoops(dp *network.Datapath) bool {
	for i := range e.Net.IPMulticast {
		if m := &e.Net.IPMulticast[i]; m.Datapath == dp {
			return m.Enabled
		}
	}
	return false
}
