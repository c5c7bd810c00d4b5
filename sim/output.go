package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// output is the action "output;": from ingress on to the egress pipeline of
// whatever the outport is, from egress out of the port.
func (e *Engine) output(p *pkt, f *table.Flow, at position) {
	if at.egress {
		e.leave(p, f)
		return
	}
	out := uint32(p.Key.Get(field.Outport))
	switch {
	case out == 0:
		e.drop(p, trace.DropNoOutport, f)
	case out&groupBit != 0:
		e.toGroup(p, f, out)
	default:
		e.toPort(p, f, e.Net.Ports[out])
	}
}

// toPort sends p to one port: into the egress pipeline here, or by tunnel to
// the chassis that has the port.
func (e *Engine) toPort(p *pkt, f *table.Flow, port *network.Port) {
	c := p.chassis.Chassis
	if port.Type == network.ChassisRedirect {
		if !e.resident(port, c) {
			e.toChassis(p, f, port, port.ActiveChassis())
			return
		}
		if port.Distributed != nil {
			e.event(p, trace.Event{Kind: trace.Redirect, Flow: -1, Port: uint32(port.Index),
				Arg: int32(port.Distributed.Index)})
			port = port.Distributed
			p.Key.Set(field.Outport, uint64(port.Index))
		}
		e.toEgress(p, f, port)
		return
	}
	if len(port.Additional) > 0 && p.Key.Get(field.Flags)&flagTunnelRX == 0 && !e.opts.Anywhere {
		e.toEvery(p, f, port)
		return
	}
	if !e.isHere(port, c) {
		ln := e.throughLocalnet(port)
		if ln == nil {
			e.toChassis(p, f, port, port.ActiveChassis())
			return
		}
		port = ln
		p.Key.Set(field.Outport, uint64(port.Index))
	}
	e.toEgress(p, f, port)
}

// toEvery sends p to a port that is on several chassis, as while its machine
// migrates: each gets a copy, by tunnel even where a localnet port leads there.
func (e *Engine) toEvery(p *pkt, f *table.Flow, port *network.Port) {
	here := p.chassis.Chassis
	if port.Chassis != nil && port.Chassis != here {
		e.toChassis(p, f, port, port.Chassis)
	}
	for _, to := range port.Additional {
		if to != here {
			e.toChassis(p, f, port, to)
		}
	}
	if e.isHere(port, p.chassis.Chassis) {
		e.toEgress(p, f, port)
	}
}

// isHere reports whether a port's packets are delivered on chassis c.
func (e *Engine) isHere(port *network.Port, c *network.Chassis) bool {
	switch port.Type {
	case network.Patch, network.Localport:
		return true
	case network.Localnet:
		return true
	case network.Virtual: // has no interface: its packets are sent to its parent's address
		return e.opts.Anywhere
	}
	if port.Parent != nil {
		return e.resident(port.Parent, c)
	}
	return e.resident(port, c)
}

// resident reports whether chassis c handles a port's packets.
func (e *Engine) resident(port *network.Port, c *network.Chassis) bool {
	return e.opts.Anywhere || port.ResidentOn(c)
}

// throughLocalnet returns the localnet port by which a port of another
// chassis is reached, nil if there is none: packets for it then take a tunnel,
// as those for a network function always do, and with always_tunnel all others.
func (e *Engine) throughLocalnet(port *network.Port) *network.Port {
	if len(port.Datapath.Localnet) == 0 || port.IsFunction() || e.tunnels[port.Datapath.AZ.Index] {
		return nil
	}
	return port.Datapath.Localnet[0]
}

// toEgress runs the egress pipeline for an outport of this chassis.
func (e *Engine) toEgress(p *pkt, f *table.Flow, port *network.Port) {
	e.loadZones(p, port, false)
	flags := p.Key.Get(field.Flags)
	if p.Key.Get(field.Inport) == uint64(port.Index) && flags&flagLoopback == 0 {
		e.dropAt(p, trace.DropLoopback, f, port)
		return
	}
	clearBits(&p.Key, &registerMask)
	p.depth++
	e.event(p, trace.Event{Kind: trace.Enter, Egress: true, Flow: -1,
		Port: uint32(p.Key.Get(field.Inport)), Arg: int32(port.Index)})
	e.pipeline(p, true, 0)
	p.depth--
}

// toChassis sends p through a tunnel: only the keys of the datapath and the
// ports go with it.
func (e *Engine) toChassis(p *pkt, f *table.Flow, port *network.Port, to *network.Chassis) {
	switch {
	case to == nil:
		e.dropAt(p, trace.DropUnbound, f, port)
		return
	case to == p.chassis.Chassis:
		e.dropAt(p, trace.DropNotLocal, f, port)
		return
	case p.Key.Get(field.Flags)&(flagLocalOnly|flagLocalport) != 0:
		e.dropAt(p, trace.DropLocalOnly, f, port)
		return
	case !e.connected(p.chassis.Chassis, to):
		e.dropAt(p, trace.DropNoTunnel, f, port)
		return
	}
	c := e.copyOf(p)
	if e.arrive(c, to, uint32(port.Index), f) && c.depth <= maxDepth {
		e.toPort(c, f, e.Net.Ports[c.Key.Get(field.Outport)])
	}
	e.put(c)
}

// portNumbered is the port of an outport, nil if that is a group or none.
func (e *Engine) portNumbered(outport uint32) *network.Port {
	if outport&groupBit != 0 {
		return nil
	}
	return e.Net.Ports[outport]
}

// takesIn reports whether a chassis takes in what another sends through a tunnel: of
// another zone's, if its own knows it.
func (e *Engine) takesIn(to, from *network.Chassis) bool {
	return to.AZ == from.AZ || e.remote[to.Index] || e.remote[from.Index] ||
		e.connected(to, from) && e.reaches[to.AZ.Index][from.Index]
}

// arrive sends p through a tunnel, to come out of it at a chassis. It returns
// false if nothing comes out: the chassis' zone does not know p's keys.
func (e *Engine) arrive(p *pkt, to *network.Chassis, outport uint32, f *table.Flow) bool {
	e.recordTunnel(p, to, outport)
	if from := p.chassis.Chassis; !e.takesIn(to, from) || to.AZ != from.AZ && !e.remote[to.Index] &&
		!e.remote[from.Index] && !e.reaches[from.AZ.Index][to.Index] {
		e.dropAt(p, trace.DropStranger, f, e.portNumbered(outport))
		return false
	}
	if to.AZ != p.dp.AZ && !e.remote[to.Index] {
		there, ok := e.cross(p, to.AZ, outport)
		if !ok {
			e.dropAt(p, trace.DropNotThere, f, e.portNumbered(outport))
			return false
		}
		outport = there
	}
	e.arrived(p, to, outport)
	return true
}

func zoneNumber(z int32) uint16 { return uint16(max(z, 0)) }

// toGroup gives each member of a multicast group its own copy. Members that
// are patch ports are served on the sending chassis only; chassis with other
// members get one copy by tunnel, unless a localnet port connects them. Remote
// ports get a tunnel packet each, and on a transit switch patch ports are as
// others: what comes from another zone is for its routers too.
func (e *Engine) toGroup(p *pkt, f *table.Flow, out uint32) {
	g := e.group(p.dp, out)
	if g == nil {
		e.drop(p, trace.DropNoOutport, f) // ovn-controller finds no key for its name
		return
	}
	e.event(p, trace.Event{Kind: trace.Flood, Flow: int32(f.Index), Port: uint32(p.Key.Get(field.Inport)),
		Arg: int32(g.Index)})
	served := e.toMembers(p, f, g, false)
	local := p.Key.Get(field.Flags)&(flagLocalOnly|flagLocalport) != 0
	if !e.stopped(p) && !local && len(p.dp.Localnet) == 0 && !e.opts.Anywhere {
		for _, to := range e.Net.Chassis {
			if to != p.chassis.Chassis && e.hasMember(g, p.chassis.Chassis, to) && e.connected(p.chassis.Chassis, to) {
				c := e.copyOf(p)
				if e.arrive(c, to, out, f) {
					e.toMembers(c, f, e.group(c.dp, uint32(c.Key.Get(field.Outport))), true)
				}
				e.put(c)
				served = true
			}
		}
	}
	if !e.stopped(p) && e.toMembers(p, f, g, true) {
		served = true
	}
	if !served {
		e.drop(p, trace.DropNoGroup, f)
	}
}

// toMembers delivers to the members on p's chassis: first, on the sending one
// only, to patch ports, localports and remote ports; then, after the copies for
// other chassis, to the rest (bound).
func (e *Engine) toMembers(p *pkt, f *table.Flow, g *network.Group, bound bool) bool {
	served := false
	for _, port := range g.Ports {
		if e.servedFirst(port) == bound {
			continue
		}
		switch port.Type {
		case network.Patch, network.Localport, network.Localnet:
		case network.Remote:
			if to := port.ActiveChassis(); !e.isHere(port, p.chassis.Chassis) &&
				(to == nil || !e.connected(p.chassis.Chassis, to)) {
				continue
			}
		case network.ChassisRedirect:
			if !e.resident(port, p.chassis.Chassis) {
				continue
			}
		default:
			if !e.isHere(port, p.chassis.Chassis) {
				continue
			}
		}
		served = true
		c := e.copyOf(p)
		c.depth++
		c.Key.Set(field.Outport, uint64(port.Index))
		e.event(c, trace.Event{Kind: trace.Member, Flow: -1, Port: uint32(port.Index),
			Arg: int32(p.Key.Get(field.Inport))})
		if len(port.Additional) > 0 && e.isHere(port, p.chassis.Chassis) {
			e.toEgress(c, f, port) // and not to its other chassis
		} else {
			e.toPort(c, f, port)
		}
		e.put(c)
		if e.stopped(p) {
			break
		}
	}
	return served
}

// servedFirst reports whether a group's member is served on the sending chassis
// only, and before those that are bound.
func (e *Engine) servedFirst(port *network.Port) bool {
	switch port.Type {
	case network.Localport:
		return true
	case network.Patch:
		return !e.transit[port.Datapath.Index] || !e.has(port.Datapath.AZ, network.TransitPatches)
	case network.Remote:
		return e.has(port.Datapath.AZ, network.RemoteCopies)
	}
	return false
}

// hasMember reports whether a chassis has members of the group that packets
// reach by tunnel from here. A member that is on several chassis, this one
// too, is served here alone.
func (e *Engine) hasMember(g *network.Group, here, c *network.Chassis) bool {
	for _, port := range g.Ports {
		switch port.Type {
		case network.Patch, network.Localport, network.Localnet:
			continue
		case network.Remote:
			if e.servedFirst(port) {
				continue
			}
		}
		if len(port.Additional) > 0 && port.ResidentOn(here) {
			continue
		}
		if port.ResidentOn(c) || port.Parent != nil && port.Parent.ResidentOn(c) {
			return true
		}
	}
	return false
}

// leave is the end of an egress pipeline: the packet crosses to the peer's
// datapath or leaves OVN.
func (e *Engine) leave(p *pkt, f *table.Flow) {
	out := uint32(p.Key.Get(field.Outport))
	if out == 0 || out&groupBit != 0 {
		e.drop(p, trace.DropNoOutport, f)
		return
	}
	port := e.Net.Ports[out]
	switch port.Type {
	case network.Patch, network.L3Gateway:
		if port.Peer == nil {
			e.dropAt(p, trace.DropUnbound, f, port)
			return
		}
		c := e.copyOf(p)
		c.depth++
		c.cloned = true
		e.enter(c, port.Peer)
		e.put(c)
		return
	}
	if e.blocked(p, port) {
		e.dropAt(p, trace.DropBlocked, f, port)
		return
	}
	through := port
	if ln := e.throughLocalnet(port); ln != nil && !e.isHere(port, p.chassis.Chassis) {
		through = ln
	}
	e.emit(p, port, through)
}

// emit records a packet for an outport that leaves OVN at a port: the outport
// itself, or the localnet port through which it is reached. What is sent to a
// mirror's port leaves at the port that it leads to.
func (e *Engine) emit(p *pkt, outport, port *network.Port) {
	if port.MirrorTo != nil {
		port = port.MirrorTo
	}
	p.Flush()
	if p.completes { // of what is sent: the packet may go on
		p = e.copyOf(p)
		defer e.put(p)
		p.Complete()
	}
	data, wire := p.Data, p.Wire
	if port.Tag != 0 {
		c := e.copyOf(p)
		defer e.put(c)
		c.Key.Set(field.VLANTCI, uint64(port.Tag)|vlanPresent)
		c.Flush()
		data, wire = c.Data, c.Wire
	}
	if l3 := p.Layout.L3 + len(data) - len(p.Data); p.mru != 0 && wire-l3 > p.mru {
		conntrack.Refragment(data[l3:], p.mru, uint32(e.steps), func(ip []byte, length int) {
			e.record(p, outport, port, data[:l3], ip, l3+length)
		})
		return
	}
	e.record(p, outport, port, nil, data, wire)
}

// record records one frame that leaves: a header, which may be empty, and the rest.
func (e *Engine) record(p *pkt, outport, port *network.Port, header, rest []byte, wire int) {
	start := len(e.outData)
	e.outData = append(append(e.outData, header...), rest...)
	o := e.nextOutput()
	o.Port, o.Chassis, o.Time = port, p.chassis.Chassis, e.now
	o.Data, o.Wire = e.outData[start:len(e.outData):len(e.outData)], wire
	o.Guess, o.Seen, o.Made, o.Event = p.guess, p.seen, p.made, e.out.Trace.Len()
	e.happens(p, trace.Out, position{}, -1, int32(len(e.out.Outputs)-1), uint32(outport.Index))
}

// nextOutput appends an output, all of which is to be set: it holds what an earlier one did,
// but for the headers, which are most of it.
func (e *Engine) nextOutput() *Output {
	n := len(e.out.Outputs)
	e.out.Outputs = slices.Grow(e.out.Outputs, 1)[:n+1]
	o := &e.out.Outputs[n]
	o.headers.Forget()
	return o
}

const vlanPresent = 1 << 12
