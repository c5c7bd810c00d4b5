// Package archive turns what became of packets into bytes and back.
//
// A packet's bytes hold what is its own: its time, its headers, addresses and
// ports. What it shares with others, the way through the logical network, is
// in a piece: bytes that are kept once however many packets refer to them. So
// are the flows, ports and whatever else a way names: reading needs neither
// the database nor an engine.
//
// A Writer belongs to an engine; who calls it keeps packets and pieces, and
// hands the pieces to a Reader again. What is read may be damaged or hostile:
// that is an error, never a panic. Payload is not kept.
package archive

import (
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/conntrack/coding"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
)

// Version is the number of the form in which packets and pieces are written.
const Version = 8

// Packet is a packet and what became of it.
type Packet struct {
	Frame   replay.Frame // Data ends with the headers
	Point   *replay.Point
	Capture string
	Outcome sim.Outcome // without tunnels and Of; frames end with the headers

	// Book names what the outcome's trace refers to. It is nil in a Writer.
	Book *trace.Book
	// Objects are the rows of the Northbound database that its flows were made of,
	// as far as the replay knew them.
	Objects *network.Objects
	// Elsewhere is what why.Explainer.Elsewhere said of its flows.
	Elsewhere map[*network.Flow]string

	stages []stage
	peers  []uint32
	values []field.Uint128 // of the trace, while they are coded
}

// stage is a table in which no flow matched, with one that is there: it says
// what the table is called.
type stage struct {
	datapath int32
	egress   bool
	table    uint8
	flow     int32
}

// kind is what a piece is.
type kind uint8

const (
	pathPiece kind = iota + 1
	flowPiece
	portPiece
	datapathPiece
	chassisPiece
	groupPiece
	textPiece
	excerptPiece // what is common to a whole network
)

// coder writes or reads; indexes in a network become numbers of pieces, and back.
type coder struct {
	*coding.Coder
	numbers numbers
}

// numbers knows the piece of a thing and the thing of a piece.
type numbers interface {
	piece(k kind, index int32) uint64
	index(k kind, piece uint64) int32
}

// ref codes the index of something; -1 is none.
func (c *coder) ref(k kind, index *int32) {
	n := uint64(0)
	if !c.Reading() && *index >= 0 {
		n = c.numbers.piece(k, *index)
	}
	coding.Uint(c.Coder, &n)
	if c.Reading() && c.Err() == nil {
		*index = -1
		if n != 0 {
			*index = c.numbers.index(k, n)
		}
		if n != 0 && *index < 0 {
			c.Fail("piece %d is not of kind %d", n, k)
		}
	}
}

// need codes the index of something that must be there.
func (c *coder) need(k kind, index *int32) {
	c.ref(k, index)
	if c.Reading() && c.Err() == nil && *index < 0 {
		c.Fail("something of kind %d is missing", k)
	}
}

// noPort stands for what is no port of its own: a multicast group.
const noPort = 1 << 31

// port codes the index of a port; 0 is none, whatever is no port is noPort.
func (c *coder) port(index *uint32) {
	none, other := *index == 0, *index >= noPort
	c.Bools(&none, &other)
	if !c.Reading() && !none && !other {
		n := c.numbers.piece(portPiece, int32(*index))
		coding.Uint(c.Coder, &n)
		return
	}
	switch {
	case !c.Reading():
	case none:
		*index = 0
	case other:
		*index = noPort
	default:
		var n uint64
		coding.Uint(c.Coder, &n)
		if c.Err() != nil {
			return
		}
		if i := c.numbers.index(portPiece, n); i > 0 {
			*index = uint32(i)
		} else {
			c.Fail("piece %d is not a port", n)
		}
	}
}

// portOf is port for an index that is a signed number.
func (c *coder) portOf(index *int32) {
	u := uint32(*index)
	c.port(&u)
	*index = int32(u)
}

// path codes what the packet shares with others on its way.
func (c *coder) path(p *Packet) {
	c.point(p)
	out, t := &p.Outcome, &p.Outcome.Trace
	c.Bools(&out.Late, &p.Frame.Bare, &p.Frame.Inferred)
	coding.Uint(c.Coder, &out.Verdict)
	coding.Uint(c.Coder, &out.Drop)
	coding.Int(c.Coder, &out.DropAt)
	var prev trace.Event
	events := t.Events()
	coding.Slice(c.Coder, &events, 2, func(ev *trace.Event) {
		c.event(ev, &prev)
		prev = *ev
	})
	if c.Reading() {
		t.Put(events, nil)
	}
	coding.Slice(c.Coder, &t.CT, 8, c.ct)
	coding.Slice(c.Coder, &t.NAT, 2, c.nat)
	coding.Slice(c.Coder, &t.Texts, 1, c.Text)
	coding.Slice(c.Coder, &out.Outputs, 4, c.output)
	coding.Slice(c.Coder, &p.stages, 4, func(s *stage) {
		c.need(datapathPiece, &s.datapath)
		c.Bools(&s.egress)
		coding.Uint(c.Coder, &s.table)
		c.need(flowPiece, &s.flow)
	})
	coding.Slice(c.Coder, &p.peers, 1, c.port)
}

func (c *coder) point(p *Packet) {
	pt := p.Point
	port, from, chassis := uint32(0), int32(-1), int32(-1)
	if !c.Reading() {
		chassis = int32(pt.Chassis.Index)
		if pt.Port != nil {
			port = uint32(pt.Port.Index)
		}
		if pt.From != nil {
			from = int32(pt.From.Index)
		}
	}
	c.port(&port)
	c.need(chassisPiece, &chassis)
	c.ref(chassisPiece, &from)
	if !c.Reading() || c.Err() != nil {
		return
	}
	net := c.network()
	p.Point = &replay.Point{Chassis: net.Chassis[chassis]}
	if from >= 0 {
		p.Point.From = net.Chassis[from]
	}
	if port != 0 && port < noPort {
		p.Point.Port = net.Ports[port]
	}
}

func (c *coder) network() *network.Network { return c.numbers.(*excerpt).net }

func (c *coder) event(ev, prev *trace.Event) {
	coding.Uint(c.Coder, &ev.Kind)
	sameDatapath := ev.Datapath == prev.Datapath && ev.Chassis == prev.Chassis
	sameTable, sameDepth, sameFlow := ev.Table == prev.Table, ev.Depth == prev.Depth, ev.Flow == prev.Flow
	reason, port := ev.Reason != 0, ev.Port != 0
	arg := ev.Arg != 0 || ev.Kind == trace.Tunnel || ev.Kind == trace.Flood // 0 is one of them
	c.Bools(&ev.Egress, &sameDatapath, &sameTable, &sameDepth, &sameFlow, &reason, &port, &arg)
	if c.Reading() {
		ev.Datapath, ev.Chassis, ev.Table, ev.Depth, ev.Flow = prev.Datapath, prev.Chassis, prev.Table, prev.Depth,
			prev.Flow
	}
	first := prev.Kind == 0
	if !sameDatapath || first {
		c.need(datapathPiece, &ev.Datapath)
		c.need(chassisPiece, &ev.Chassis)
	}
	if !sameTable {
		coding.Uint(c.Coder, &ev.Table)
	}
	if !sameDepth {
		coding.Uint(c.Coder, &ev.Depth)
	}
	if !sameFlow || first {
		c.ref(flowPiece, &ev.Flow)
	}
	if reason {
		coding.Uint(c.Coder, &ev.Reason)
	}
	if port {
		c.eventPort(ev)
	}
	if arg {
		c.eventArg(ev)
	}
}

func (c *coder) eventPort(ev *trace.Event) {
	switch ev.Kind {
	case trace.Enter, trace.Out, trace.Member, trace.Jump, trace.Redirect, trace.Flood, trace.Tunnel, trace.Drop:
		c.port(&ev.Port)
	default:
		coding.Uint(c.Coder, &ev.Port)
	}
}

func (c *coder) eventArg(ev *trace.Event) {
	switch ev.Kind {
	case trace.Enter, trace.Member, trace.Redirect:
		c.portOf(&ev.Arg)
	case trace.Tunnel:
		c.need(chassisPiece, &ev.Arg)
	case trace.Flood:
		c.need(groupPiece, &ev.Arg)
	default:
		coding.Int(c.Coder, &ev.Arg)
	}
}

func (c *coder) ct(s *trace.CTStep) {
	c.need(chassisPiece, &s.Chassis)
	coding.Uint(c.Coder, &s.Zone)
	c.zone(s.Chassis, s.Zone)
	c.Bools(&s.Commit, &s.Created, &s.Guess, &s.Loose, &s.Connected, &s.Override)
	coding.Uint(c.Coder, &s.State)
	coding.Uint(c.Coder, &s.Mark)
	coding.Uint(c.Coder, &s.Label.Hi)
	coding.Uint(c.Coder, &s.Label.Lo)
	coding.Uint(c.Coder, &s.Refusal)
	if s.Refusal != conntrack.NotRefused {
		coding.Uint(c.Coder, &s.Check.Of)
		coding.Uint(c.Coder, &s.Check.State)
		coding.Uint(c.Coder, &s.Check.Flags)
		coding.Uint(c.Coder, &s.Check.Profile)
	}
}

// check codes the numbers of a comparison that conntrack refused a packet by.
func (c *coder) check(s *trace.CTStep) {
	if s.Refusal == conntrack.NotRefused {
		return
	}
	for _, n := range [...]*uint32{&s.Check.Got, &s.Check.Low, &s.Check.High, &s.Check.Slack} {
		coding.Uint(c.Coder, n)
	}
}

// zone codes the name of a conntrack zone.
func (c *coder) zone(chassis int32, zone uint16) {
	name := ""
	if w, ok := c.numbers.(*Writer); ok {
		name = w.engine.ZoneName(chassis, zone)
	}
	c.Text(&name)
	if r, ok := c.numbers.(*excerpt); ok && c.Err() == nil {
		r.zones[zoneKey{chassis, zone}] = name
	}
}

func (c *coder) nat(s *trace.NATStep) {
	c.Bools(&s.Dst, &s.Undo)
	c.ref(flowPiece, &s.Flow)
}

func (c *coder) output(o *sim.Output) {
	port, chassis := uint32(0), int32(-1)
	if !c.Reading() {
		port, chassis = uint32(o.Port.Index), int32(o.Chassis.Index)
	}
	c.port(&port)
	c.need(chassisPiece, &chassis)
	c.Bools(&o.Guess, &o.Seen, &o.Made)
	coding.Int(c.Coder, &o.Event)
	if !c.Reading() || c.Err() != nil {
		return
	}
	if port == 0 || port >= noPort {
		c.Fail("an output without a port")
		return
	}
	o.Port, o.Chassis = c.network().Ports[port], c.network().Chassis[chassis]
}

// itself codes what is the packet's own; its path was coded before.
func (c *coder) itself(p *Packet) {
	f, out, t := &p.Frame, &p.Outcome, &p.Outcome.Trace
	coding.Int(c.Coder, &f.Number)
	coding.Int(c.Coder, &f.Time)
	coding.Int(c.Coder, &f.Wire)
	c.Blob(&f.Data)
	if f.Inferred {
		c.Text(&f.Why)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		after := o.Time - f.Time
		coding.Int(c.Coder, &after)
		o.Time = f.Time + after
		coding.Int(c.Coder, &o.Wire)
		c.Blob(&o.Data)
	}
	for i := range t.CT {
		c.Tuple(&t.CT[i].Orig)
		c.Tuple(&t.CT[i].Reply)
		c.check(&t.CT[i])
	}
	for i := range t.NAT {
		c.Tuple(&t.NAT[i].From)
		c.Tuple(&t.NAT[i].To)
	}
	if !c.Reading() {
		p.values = t.AppendValues(p.values[:0])
	}
	values := p.values
	coding.Slice(c.Coder, &values, 2, func(v *field.Uint128) {
		coding.Uint(c.Coder, &v.Hi)
		coding.Uint(c.Coder, &v.Lo)
	})
	if c.Reading() {
		t.Put(t.Events(), values)
	}
	coding.Slice(c.Coder, &t.Keys, field.Words, c.key)
}

// key codes the fields of a packet, in which ports have indexes.
func (c *coder) key(k *field.Key) {
	in, out := uint32(k.Get(field.Inport)), uint32(k.Get(field.Outport))
	c.port(&in)
	c.port(&out)
	bare := *k
	bare.Set(field.Inport, 0)
	bare.Set(field.Outport, 0)
	for w := range bare {
		coding.Uint(c.Coder, &bare[w])
	}
	if c.Reading() {
		*k = bare
		k.Set(field.Inport, uint64(in))
		k.Set(field.Outport, uint64(out))
	}
}

// sound checks what reading a piece by piece cannot: that indexes within the
// outcome are of something.
func (p *Packet) sound() error {
	t := &p.Outcome.Trace
	if at := p.Outcome.DropAt; at < -1 || at >= t.Len() {
		return fmt.Errorf("event %d of %d", at, t.Len())
	}
	for i := range p.Outcome.Outputs {
		if at := p.Outcome.Outputs[i].Event; at < 0 || at >= t.Len() {
			return fmt.Errorf("event %d of %d", at, t.Len())
		}
	}
	events := t.Events()
	for i := range events {
		ev := &events[i]
		n, list := 0, true
		switch ev.Kind {
		case trace.CT:
			n = len(t.CT)
		case trace.NAT:
			n = len(t.NAT)
		case trace.Broken, trace.Gone, trace.Missed, trace.Needed, trace.Unserved, trace.Told, trace.Outlived:
			n = len(t.Texts)
		case trace.Set, trace.Found, trace.Lost:
			n = len(t.Values())
		case trace.Log:
			n = len(t.Keys)
		case trace.Out:
			n = len(p.Outcome.Outputs)
		default:
			list = false
		}
		if list && (ev.Arg < 0 || int(ev.Arg) >= n) {
			return fmt.Errorf("event %d names number %d of %d", i, ev.Arg, n)
		}
		if err := needs(ev); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// needs checks that an event has the flow and port that it cannot be without.
func needs(ev *trace.Event) error {
	switch ev.Kind {
	case trace.Match, trace.Act, trace.Block, trace.Broken:
		if ev.Flow < 0 {
			return fmt.Errorf("kind %d without a flow", ev.Kind)
		}
	case trace.Enter, trace.Out, trace.Member, trace.Redirect:
		if ev.Port >= noPort || ev.Kind != trace.Enter && ev.Port == 0 {
			return fmt.Errorf("kind %d without a port", ev.Kind)
		}
	}
	return nil
}
