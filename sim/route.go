package sim

import (
	"net/netip"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// Route returns the port by which a router sends a packet on, as its routes and
// policies have it, and the next hop's address. Nothing is replayed and nothing
// remembered. The port is nil if no route leads there, or several do.
func (e *Engine) Route(c *network.Chassis, router *network.Datapath, k field.Key) (*network.Port, netip.Addr) {
	at := e.on(c)
	k.Set(field.IPTTL, 64)
	for i, flows := range router.Flows[0] {
		if len(flows) == 0 || !flows[0].Routes() {
			continue
		}
		f := at.compiled.stage(router, false, uint8(i)).Lookup(&k, at.resident)
		if f == nil || !assign(&k, f.Ops) {
			return nil, netip.Addr{}
		}
	}
	out := k.Get(field.Outport)
	if out == 0 || out >= uint64(len(e.Net.Ports)) {
		return nil, netip.Addr{}
	}
	if k.Get(field.EthType) == header.EtherIPv4 {
		return e.Net.Ports[out], header.IPv4(k.Get128(field.XXReg0).Hi >> 32)
	}
	return e.Net.Ports[out], netip.AddrFrom16(k.Get128(field.XXReg0).Bytes())
}

// assign does what actions assign to k; false if they choose, or drop.
func assign(k *field.Key, ops []lflow.Op) bool {
	for i := range ops {
		switch op := &ops[i]; op.Code {
		case lflow.OpLoad:
			k.Store(op.Dst, k.Load(op.Dst).AndNot(op.Mask).Or(op.Value.And(op.Mask)))
		case lflow.OpMove:
			k.Store(op.Dst, k.Load(op.A))
		case lflow.OpSelect, lflow.OpDrop:
			return false
		}
	}
	return true
}
