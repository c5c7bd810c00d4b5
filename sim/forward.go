package sim

import (
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// forward is fwd_group: the packet goes out at one of the child ports. The
// datapath chooses by a hash of the packet's tuple.
func (e *Engine) forward(p *pkt, f *table.Flow, op *table.Op, at position) (position, bool) {
	ports := e.children(p, op)
	if len(ports) == 0 {
		e.drop(p, trace.DropEmptyGroup, f)
		return position{}, false
	}
	if !e.hash(p, f) {
		return position{}, false
	}
	port := ports[e.child(p, f, ports)]
	if port == nil {
		e.drop(p, trace.DropNoOutport, f)
		return position{}, false
	}
	p.Key.Set(field.Outport, uint64(port.Index))
	e.output(p, f, at)
	return position{}, false
}

// children returns the ports that a forwarding group leads to, nil for one
// that leads nowhere. ovn-controller makes no group at all if it does not know
// each of the ports, or has no tunnel to each when it is to watch them.
func (e *Engine) children(p *pkt, op *table.Op) []*network.Port {
	a, ok := op.Action.(lflow.FwdGroup)
	if !ok || len(op.Ports) != len(a.Children) {
		return nil
	}
	var ports []*network.Port
	for _, n := range op.Ports {
		port := e.port(n)
		if port == nil {
			return nil
		}
		if to := port.Chassis; a.Liveness && (to == nil || to == p.chassis.Chassis) {
			return nil
		}
		key, ok := misread(port.TunnelKey)
		if !ok {
			return nil
		}
		ports = append(ports, p.dp.PortByKey(uint32(key)))
	}
	return ports
}

// misread is the key that a forwarding group has for a port of this one:
// ovn-controller writes it in decimal behind an 0x. A key of more than 16 bits
// spoils the group.
func misread(key uint32) (read uint64, ok bool) {
	for digits := 0; key > 0; digits++ {
		read |= uint64(key) % 10 << (4 * digits)
		key /= 10
	}
	return read, read <= 0xffff
}

// child returns the index of the port that the datapath takes: as a capture
// shows, or by rule.
func (e *Engine) child(p *pkt, f *table.Flow, ports []*network.Port) int {
	if len(ports) == 1 {
		return 0
	}
	i, seen := e.chosen(p, f, len(ports), func(c *Choice) {
		c.Kind = trace.GuessMember
		for _, port := range ports {
			c.Options = append(c.Options, ChoiceOption{Out: port})
		}
	})
	if seen {
		return i
	}
	p.guess = true
	e.note(p, trace.Note, trace.GuessMember, f)
	return int(hashTuple(p) % uint64(len(ports)))
}
