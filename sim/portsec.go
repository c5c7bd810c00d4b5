package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
)

// portSecurityIn reports whether the inport's port security lets p in.
func (e *Engine) portSecurityIn(p *pkt) bool {
	port := e.portOf(p, field.Inport)
	return port == nil || len(port.PortSecurity) == 0
}

// portSecurityOut reports whether the outport's port security lets p out.
func (e *Engine) portSecurityOut(p *pkt) bool {
	port := e.portOf(p, field.Outport)
	return port == nil || len(port.PortSecurity) == 0
}

// portOf returns the port that a port field of p names, nil for none.
func (e *Engine) portOf(p *pkt, id field.ID) *network.Port {
	n := p.Key.Get(id)
	if n == 0 || n&groupBit != 0 || n >= uint64(len(e.Net.Ports)) {
		return nil
	}
	return e.Net.Ports[n]
}
