package sim

import (
	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/trace"
)

// passage is one injected packet's way through the engine, its copies and what
// ovn-controller makes of it included: all that is of no use to the next.
type passage struct {
	now conntrack.Time
	out Outcome

	outData []byte    // of the outputs
	steps   int       // stages visited
	paused  []uint32  // translations that ended early, see pause
	states  int       // of Given.States, how many were used
	served  bool      // Given.Backend was used
	quiet   bool      // record nothing: a look ahead
	pin     nat.Tuple // of the conntrack request under way
	held    uint64    // the fragment that the conntrack pass under way keeps
	freed   []freed   // those that it lets go
}

// reset begins the passage of another packet. Buffers are kept.
func (w *passage) reset(in Injection, now conntrack.Time) {
	w.out.Trace.Reset()
	*w = passage{
		now: now,
		out: Outcome{
			Of: in, Outputs: w.out.Outputs[:0], Tunnels: w.out.Tunnels[:0], Hops: w.out.Hops[:0], Trace: w.out.Trace,
		},
		outData: w.outData[:0],
		paused:  w.paused[:0],
	}
}

// reset makes p a packet that has met nothing yet. Its buffers are kept.
func (p *pkt) reset(c *chassis, in *Injection) {
	if in.Headers != nil {
		p.SetRead(in.Frame, in.Wire, in.Headers)
	} else {
		p.Set(in.Frame, in.Wire)
	}
	p.Userspace = c.ct.Profile() == conntrack.OVSUserspace
	// Open vSwitch's own parser stops there (ipv4_sanity_check of lib/flow.c); the
	// kernel's looks at no length.
	if p.Userspace && p.Overlong() {
		p.Unread()
	}
	p.stack, p.carried = p.stack[:0], carried{chassis: c, segment: in.Segment}
}

// event records a step of the packet in progress.
func (e *Engine) event(p *pkt, ev trace.Event) {
	if e.quiet {
		return
	}
	here(p, &ev)
	e.out.Trace.Add(ev)
	if r := e.recording(); r != nil {
		r.event(ev)
	}
}

// happens is event for what each packet does: the event is made where it lies in the trace.
func (e *Engine) happens(p *pkt, kind trace.Kind, at position, flow, arg int32, port uint32) {
	if e.quiet {
		return
	}
	ev := e.out.Trace.Next(kind)
	here(p, ev)
	ev.Egress, ev.Table, ev.Flow, ev.Arg, ev.Port = at.egress, at.table, flow, arg, port
	if r := e.recording(); r != nil {
		r.event(*ev)
	}
}

// here adds to an event where p is.
func here(p *pkt, ev *trace.Event) {
	ev.Depth = uint16(p.depth)
	ev.Chassis = int32(p.chassis.index)
	ev.Datapath = int32(p.dp.Index)
}
