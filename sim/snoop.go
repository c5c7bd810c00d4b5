package sim

import (
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
	p.Flush()
	kind := answer.NoMulticast
	if e.snoops(p.dp) && e.since(22, 9, 0) {
		kind = answer.Multicast(&p.Packet)
	}
	key := uint32(keyRouterFlood)
	if kind == answer.Query {
		key = keyFloodL2
	}
	if g := p.dp.GroupByKey(key); g != nil && kind != answer.NoMulticast {
		c := e.copyOf(p)
		inport := c.Key.Get(field.Inport)
		clearMetadata(&c.Key)
		c.ct.Clear()
		c.zone.port, c.zone.dnat, c.zone.snat = 0, 0, 0
		c.Key.Set(field.Inport, inport)
		c.Key.Set(field.Flags, flagSnooped)
		c.Key.Set(field.Outport, uint64(groupBit|e.groups[g.Name]))
		c.depth++
		e.output(c, f, place{})
		e.put(c)
	}
	e.drop(p, trace.DropConsumed, f)
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
