package sim

import (
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// TunnelOutput is a packet one chassis sends to another: the frame and the
// tunnel keys that go with it, as the underlay shows them.
type TunnelOutput struct {
	From, To *network.Chassis
	Datapath *network.Datapath
	Inport   uint32 // tunnel key of the port it entered the datapath at
	Outport  uint32 // tunnel key of the port it goes to, or of a multicast group
	Time     conntrack.Time
	Data     []byte // the inner frame
	Wire     int    // its length on the wire
	Guess    bool   // a choice on its way was guessed
	Seen     bool   // a choice on its way was read from a capture
	Event    int    // index of its Tunnel event
	Made     bool   // ovn-controller made the packet

	headers packet.HeadersOnce
}

// Headers returns the inner frame's headers, parsed when first asked for.
func (t *TunnelOutput) Headers() *packet.Headers { return t.headers.Of(t.Data) }

// recordTunnel notes that p goes to another chassis now.
func (e *Engine) recordTunnel(p *pkt, to *network.Chassis, outport uint32) {
	p.Flush()
	t := TunnelOutput{
		From: p.chassis.Chassis, To: to, Datapath: p.dp, Time: e.now, Wire: p.Wire,
		Guess: p.guess, Seen: p.seen, Made: p.made, Event: e.out.Trace.Len(),
	}
	if in := e.Net.Ports[p.Key.Get(field.Inport)]; in != nil {
		t.Inport = in.TunnelKey
	}
	switch port := e.port(outport); {
	case outport == 0: // flood_remote
	case outport&groupBit != 0:
		t.Outport = e.group(p.dp, outport).TunnelKey
	case port.Type == network.VTEP:
		t.Inport = 0 // a VTEP knows no ports
	default:
		t.Outport = port.TunnelKey
	}
	start := len(e.outData)
	e.outData = append(e.outData, p.Data...)
	t.Data = e.outData[start:len(e.outData):len(e.outData)]
	e.out.Tunnels = append(e.out.Tunnels, t)
}

// floodRemote is flood_remote: a copy to every chassis of another availability
// zone (other_config:is-remote), but not of what came through a tunnel. It has
// no outport. What becomes of it there is only known if that zone's database is
// joined.
func (e *Engine) floodRemote(p *pkt, f *table.Flow) {
	if p.Key.Get(field.Flags)&flagTunnelRX != 0 {
		return
	}
	here := p.chassis.Chassis
	for _, to := range e.away {
		switch {
		case to == here || !e.foreign(here, to) || !e.connected(here, to):
		case e.remote[to.Index]:
			e.recordTunnel(p, to, 0)
			e.event(p, trace.Event{Kind: trace.Tunnel, Flow: -1, Arg: int32(to.Index)})
		default:
			c := e.copyOf(p)
			if e.arrive(c, to, 0, f) {
				e.goOnFlooded(c)
			}
			e.put(c)
		}
	}
}

// cross makes p's datapath and inport those that another availability zone has
// of the same tunnel keys, and returns its outport there; false if it has none.
func (e *Engine) cross(p *pkt, z *network.AZ, outport uint32) (uint32, bool) {
	twin := p.dp.In(z)
	if twin == nil {
		return 0, false
	}
	key := uint32(0)
	switch {
	case outport == 0:
	case outport&groupBit != 0:
		key = e.group(p.dp, outport).TunnelKey
	default:
		key = e.Net.Ports[outport].TunnelKey
	}
	var there uint32
	if key != 0 {
		if there, _ = e.tunnelOutport(twin, key); there == 0 {
			return 0, false
		}
	}
	inport := uint64(0)
	if in := e.Net.Ports[p.Key.Get(field.Inport)]; in != nil {
		if at := twin.PortByKey(in.TunnelKey); at != nil {
			inport = uint64(at.Index)
		}
	}
	p.dp = twin
	p.Key.Set(field.Inport, inport)
	return there, true
}

// Arrival is a packet that comes out of a tunnel at a chassis.
type Arrival struct {
	Chassis         *network.Chassis
	From            *network.Chassis // that sent it; nil: not known
	Datapath        uint32           // tunnel keys, as the underlay shows them
	Inport, Outport uint32
	Time            conntrack.Time
	Frame           []byte          // the inner frame
	Headers         *packet.Headers // of it, if they are read
	Wire            int             // its length on the wire, if the capture cut it

	Ref uint64 // whatever the caller knows the packet by
}

// flooded replays what another zone's flood_remote sent: an answer of ARP or
// ND begins a fresh ingress at its port, anything else goes nowhere.
func (e *Engine) flooded(in Arrival, dp *network.Datapath) (*Outcome, error) {
	port := dp.PortByKey(in.Inport)
	if port == nil {
		return nil, fmt.Errorf("datapath %s has no port of tunnel key %d", dp.Name, in.Inport)
	}
	p := e.begin(Injection{Port: port, Chassis: in.Chassis, Time: in.Time, Frame: in.Frame, Headers: in.Headers,
		Wire: in.Wire, Ref: in.Ref}, in.Time)
	clearMetadata(&p.Key)
	p.dp, p.zone.port, p.zone.dnat, p.zone.snat = dp, 0, 0, 0
	p.Key.Set(field.Inport, uint64(port.Index))
	p.Key.Set(field.Flags, flagTunnelRX)
	e.goOnFlooded(p)
	e.put(p)
	e.judge()
	return &e.out, nil
}

// goOnFlooded is what becomes of a packet of flood_remote where it comes out of
// the tunnel.
func (e *Engine) goOnFlooded(p *pkt) {
	e.event(p, trace.Event{Kind: trace.Enter, Port: uint32(p.Key.Get(field.Inport)), Flow: -1})
	if isNeighborAnswer(&p.Key) {
		e.pipeline(p, false, 0)
	} else {
		e.drop(p, trace.DropNoOutport, nil)
	}
}

// isNeighborAnswer reports whether a packet is an ARP reply or a neighbor
// advertisement.
func isNeighborAnswer(k *field.Key) bool {
	const advertisement = 136
	return k.Get(field.EthType) == header.EtherARP && k.Get(field.ARPOp) == 2 ||
		k.Get(field.ICMP6Type) == advertisement && k.Get(field.ICMP6Code) == 0
}

// Arrive replays one packet from the moment it comes out of a tunnel on. The
// error says which of its keys the network does not have.
func (e *Engine) Arrive(in Arrival) (*Outcome, error) {
	dp := in.Chassis.AZ.DatapathByKey(in.Datapath)
	if dp == nil {
		return nil, fmt.Errorf("no datapath of %s's zone has tunnel key %d", in.Chassis.Name, in.Datapath)
	}
	if v := vtepOf(dp); v != nil && in.Outport == 0 && in.Inport == 0 {
		p := e.begin(Injection{Port: v, Chassis: in.Chassis, Time: in.Time, Frame: in.Frame, Headers: in.Headers,
			Wire: in.Wire, Ref: in.Ref}, in.Time)
		e.enter(p, v)
		e.put(p)
		e.judge()
		return &e.out, nil
	}
	if in.Outport == 0 && in.Inport != 0 {
		return e.flooded(in, dp)
	}
	outport, group := e.tunnelOutport(dp, in.Outport)
	if outport == 0 {
		return nil, fmt.Errorf("datapath %s has no port or group of tunnel key %d", dp.Name, in.Outport)
	}
	inport := dp.PortByKey(in.Inport)
	p := e.begin(Injection{Port: inport, Chassis: in.Chassis, Time: in.Time, Frame: in.Frame, Headers: in.Headers,
		Wire: in.Wire, Ref: in.Ref}, in.Time)
	p.dp = dp
	if inport != nil {
		p.Key.Set(field.Inport, uint64(inport.Index))
	}
	switch {
	case in.From != nil && !e.takesIn(in.Chassis, in.From):
		e.dropAt(p, trace.DropStranger, nil, inport)
	case group != nil:
		e.arrived(p, in.Chassis, outport)
		e.toMembers(p, nil, group, true)
	default:
		e.arrived(p, in.Chassis, outport)
		e.toPort(p, nil, e.Net.Ports[outport])
	}
	e.put(p)
	e.judge()
	return &e.out, nil
}

// vtepOf returns the port by which a hardware VTEP is on a datapath, nil if
// none is. Its tunnels carry the datapath's key alone, so that what comes from
// there begins at the ingress pipeline.
func vtepOf(dp *network.Datapath) *network.Port {
	if !dp.HasVTEP {
		return nil
	}
	for _, p := range dp.Ports {
		if p.Type == network.VTEP {
			return p
		}
	}
	return nil
}

// tunnelOutport returns the outport that a tunnel key means, 0 if none has it.
func (e *Engine) tunnelOutport(dp *network.Datapath, key uint32) (uint32, *network.Group) {
	if port := dp.PortByKey(key); port != nil {
		return uint32(port.Index), nil
	}
	if g := dp.GroupByKey(key); g != nil {
		return groupBit | e.groups[g.Index], g
	}
	return 0, nil
}

// arrived makes p a packet that has come out of a tunnel at a chassis.
func (e *Engine) arrived(p *pkt, to *network.Chassis, outport uint32) {
	e.event(p, trace.Event{Kind: trace.Tunnel, Flow: -1, Port: outport &^ groupBit, Arg: int32(to.Index)})
	p.Flush()
	if p.completes {
		p.Complete()
		p.completes = false
	}
	p.depth++
	inport := p.Key.Get(field.Inport)
	clearMetadata(&p.Key)
	p.ct.Clear()
	p.recirculated, p.hashed = 1, false // the tunnel's header is off
	e.fresh(p)
	p.chassis = e.on(to)
	p.Key.Set(field.Inport, inport)
	p.Key.Set(field.Outport, uint64(outport))
	p.Key.Set(field.Flags, flagTunnelRX)
	p.zone.port = 0
	dp := p.dp.Index
	p.zone.dnat, p.zone.snat = zoneNumber(p.chassis.zones.dnat[dp]), zoneNumber(p.chassis.zones.snat[dp])
}
