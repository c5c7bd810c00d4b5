package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// pkt is a packet on its way.
type pkt struct {
	packet.Packet
	stack []field.Uint128
	carried
}

// carried is what Open vSwitch, or the engine, carries beside a packet.
type carried struct {
	ct      conntrack.Meta
	sight   conntrack.Sight
	dp      *network.Datapath
	chassis *chassis
	zone    zoneNumbers
	depth   int
	broken  bool // left for good: nothing more happens to it

	guess, seen, made bool

	walk   uint32 // which of OVS's translations p is in: see Engine.pause
	cloned bool   // in a clone within that translation

	recirculated int  // how often, since it came to the datapath
	hashed       bool // it has its dp_hash

	midway    bool // of a connection that conntrack picked up in the middle
	completes bool // Open vSwitch computes its checksum on the way out: see packet.Complete

	pinned int // how many walks under way go on with p when what they lead to is over

	mru     int // put together by conntrack from fragments of at most so many bytes; 0: not
	segment int // as Injection.Segment
}

// zoneNumbers are the zones that a packet's actions mean.
type zoneNumbers struct{ port, dnat, snat uint16 }

// load replaces the numbers of those zones that there are; the others are -1.
func (z *zoneNumbers) load(numbers *[3]int32) {
	for i, to := range [...]*uint16{&z.port, &z.dnat, &z.snat} {
		if n := numbers[i]; n >= 0 {
			*to = uint16(n)
		}
	}
}

// maxDepth bounds crossings and nested blocks, as OVS bounds resubmits.
const maxDepth = 64

// maxSteps bounds the stages one injected packet visits, copies included: a
// network that loops must end.
const maxSteps = 1 << 16

// Injection is a packet to replay.
type Injection struct {
	Port    *network.Port
	Chassis *network.Chassis
	// Datapath is where a packet without a Port enters, as only one that is made
	// up can.
	Datapath *network.Datapath
	Time     conntrack.Time
	Frame    []byte
	Headers  *packet.Headers // of Frame, if the caller has read them; an Outcome has them where it is handed on
	Wire     int             // length on the wire, if the capture cut the frame
	// Segment is the length of the frames that segmentation offload makes of the
	// packet, where it is several by the time it is on a wire. 0: it is one frame.
	Segment int

	Ref uint64 // whatever the caller knows the packet by

	Given *Given // what a what-if question fixes; nil is nothing
}

// Inject replays one packet that enters OVN at a logical port. The tag of a
// tagged port (localnet, container) is taken off the frame, and that of a frame that has
// a priority and no VLAN where it comes over a wire (dl_vlan=0 of ovn-controller's
// physical flows).
func (e *Engine) Inject(in Injection) *Outcome {
	p := e.begin(in, in.Time)
	if in.Port == nil {
		e.enterNowhere(p, in.Datapath)
	} else {
		tci := p.Key.Get(field.VLANTCI)
		wire := in.Port.Type == network.Localnet || in.Port.Type == network.L2Gateway
		if in.Port.Tag != 0 || wire && tci&vlanPresent != 0 && tci&0xfff == 0 {
			p.Key.Set(field.VLANTCI, 0)
			p.Flush()
		}
		e.enter(p, in.Port)
	}
	e.put(p)
	e.judge()
	return &e.out
}

// Refuse is Inject where the port is not bound: nothing takes what its interface
// sends.
func (e *Engine) Refuse(in Injection) *Outcome {
	p := e.begin(in, in.Time)
	p.dp = in.Port.Datapath
	e.event(p, trace.Event{Kind: trace.Enter, Port: uint32(in.Port.Index), Flow: -1})
	e.dropAt(p, trace.DropUnbound, nil, in.Port)
	e.put(p)
	e.judge()
	return &e.out
}

// begin starts the outcome of an injected packet at a moment, and returns the
// packet as it stands where it was injected.
func (e *Engine) begin(in Injection, now conntrack.Time) *pkt {
	e.reset(in, now)
	e.paths.last = nil
	p := e.get()
	p.reset(e.on(in.Chassis), &in)
	e.out.Of.Headers = nil
	e.fresh(p)
	return p
}

// pause notes that p goes to ovn-controller in the middle of its walk and
// comes back. Open vSwitch translates a packet's walk up to the next recirculation
// as one: a pause within a clone (of a patch port, of a clone{} block) ends the
// translation, and whatever was still to be done outside the clone is lost:
// the members of a multicast group that come after a router's port, say.
func (e *Engine) pause(p *pkt) {
	if p.cloned {
		e.paused = append(e.paused, p.walk)
	}
	p.recirculated = 0
	e.fresh(p)
}

// recirculate sends p around in the datapath once more, as ct and the hash of a
// group do. Open vSwitch's userspace drops a packet that goes too often: it
// returns false then.
func (e *Engine) recirculate(p *pkt, f *table.Flow) bool {
	p.recirculated++
	if p.chassis.recirculations == 0 || p.recirculated <= p.chassis.recirculations {
		return true
	}
	e.drop(p, trace.DropRecirculated, f)
	p.broken = true
	return false
}

// hash sends p around for the hash by which a group chooses, even if it has but
// one bucket; once is enough until p is another packet.
func (e *Engine) hash(p *pkt, f *table.Flow) bool {
	if p.hashed {
		return true
	}
	p.hashed = true
	return e.recirculate(p, f)
}

// fresh begins another translation for p.
func (e *Engine) fresh(p *pkt) {
	e.walks++
	p.walk, p.cloned = e.walks, false
}

// stopped reports whether the translation that p is in has ended.
func (e *Engine) stopped(p *pkt) bool { return slices.Contains(e.paused, p.walk) }

// judge sums the trace up in a verdict.
func (e *Engine) judge() {
	if len(e.out.Outputs) > 0 {
		e.out.Verdict, e.out.Drop, e.out.DropAt = Delivered, trace.NoReason, -1
		return
	}
	end := e.out.Trace.Ending()
	e.out.Verdict = Dropped
	if end.Consumed {
		e.out.Verdict = Consumed
	}
	e.out.Drop, e.out.DropAt = end.Why, end.Drop
	if end.Drop < 0 {
		e.out.Drop, e.out.DropAt = trace.DropNoAction, end.Match
	}
}

// get takes a packet from the pool, put returns it.
func (e *Engine) get() *pkt {
	if n := len(e.pkts); n > 0 {
		p := e.pkts[n-1]
		e.pkts = e.pkts[:n-1]
		return p
	}
	return new(pkt)
}

func (e *Engine) put(p *pkt) { e.pkts = append(e.pkts, p) }

// copyOf returns a copy of p from the pool.
func (e *Engine) copyOf(p *pkt) *pkt {
	c := e.get()
	stack := append(c.stack[:0], p.stack...)
	data := c.Data
	*c = *p
	c.Data = append(data[:0], p.Data...)
	c.stack = stack
	c.pinned = 0
	return c
}

// enter begins a fresh ingress at a port: nothing is carried over but the frame.
func (e *Engine) enter(p *pkt, port *network.Port) {
	if p.depth > maxDepth {
		e.abandon()
		e.drop(p, trace.DropTooDeep, nil)
		return
	}
	if r := e.recording(); r != nil {
		r.enters(p)
	}
	clearMetadata(&p.Key)
	p.ct.Clear()
	p.dp = port.Datapath
	p.Key.Set(field.Inport, uint64(port.Index))
	e.loadZones(p, port, true)
	switch {
	case port.Type == network.Localnet:
		p.Key.Set(field.Flags, flagLocalnet)
	case port.Type == network.Localport:
		p.Key.Set(field.Flags, flagLocalport)
	case port.Type == network.VTEP:
		p.Key.Set(field.Flags, flagFromRamp)
	case port.Parent != nil: // its siblings are behind the same interface
		p.Key.Set(field.Flags, flagNested|flagLoopback)
	}
	e.give(p)
	if e.opts.Hops && p.depth > 0 {
		e.hop(p, port)
	}
	e.event(p, trace.Event{Kind: trace.Enter, Port: uint32(port.Index), Flow: -1})
	if e.admitted(p, port) {
		e.pipeline(p, false, 0)
	}
}

// hop records p as it comes to a datapath.
func (e *Engine) hop(p *pkt, port *network.Port) {
	if e.quiet {
		return
	}
	c := e.copyOf(p)
	defer e.put(c)
	c.Flush()
	start := len(e.outData)
	e.outData = append(e.outData, c.Data...)
	e.out.Hops = append(e.out.Hops, Hop{
		Port: port, Chassis: p.chassis.Chassis, Data: e.outData[start:len(e.outData):len(e.outData)], Wire: c.Wire,
		Event: e.out.Trace.Len(),
	})
}

// enterNowhere begins the ingress pipeline of a datapath without an inport.
func (e *Engine) enterNowhere(p *pkt, dp *network.Datapath) {
	clearMetadata(&p.Key)
	p.dp = dp
	z := &p.chassis.zones
	p.zone.port, p.zone.dnat, p.zone.snat = 0, zoneNumber(z.dnat[dp.Index]), zoneNumber(z.snat[dp.Index])
	e.give(p)
	e.event(p, trace.Event{Kind: trace.Enter, Flow: -1})
	e.pipeline(p, false, 0)
}

// loadZones loads the zones of a port's and its datapath's. On a fresh entry
// a port without a zone means zone 0; later it keeps what was loaded before.
func (e *Engine) loadZones(p *pkt, port *network.Port, fresh bool) {
	z := &p.chassis.zones
	numbers := [3]int32{z.port[port.Index], z.dnat[port.Datapath.Index], z.snat[port.Datapath.Index]}
	if fresh {
		for i := range numbers {
			numbers[i] = max(numbers[i], 0)
		}
	}
	p.zone.load(&numbers)
	if r := e.recording(); r != nil {
		for i, v := range numbers {
			if v >= 0 {
				r.zone[i] = v
			}
		}
	}
}

// flags that only the physical side sets (ovn-architecture(7)).
const (
	flagLoopback  = 1 << 0
	flagFromRamp  = 1 << 1 // from a VTEP
	flagLocalOnly = 1 << 4
	flagNested    = 1 << 5
	flagLocalport = 1 << 10
	flagLocalnet  = 1 << 15
	flagTunnelRX  = 1 << 16
)

// metadata is the mask of every field that is not of the packet.
var metadata = []field.ID{
	field.XXReg0, field.XXReg1, field.XReg4, field.Inport, field.Outport, field.Flags,
	field.PktMark, field.CTState, field.CTMark, field.CTLabel, field.CTProto, field.CTTpSrc,
	field.CTTpDst, field.CTNwSrc, field.CTNwDst, field.CTIP6Src, field.CTIP6Dst,
}

var metadataMask, registerMask, ctMask = masks()

func masks() (all, regs, ct field.Key) {
	for i, id := range metadata {
		all.Set128(id, field.Ones(128))
		if i < 3 {
			regs.Set128(id, field.Ones(128))
		}
		if id >= field.CTState && id <= field.CTIP6Dst {
			ct.Set128(id, field.Ones(128))
		}
	}
	return all, regs, ct
}

func clearBits(k, mask *field.Key) {
	for w := range k {
		k[w] &^= mask[w]
	}
}

func clearMetadata(k *field.Key) { clearBits(k, &metadataMask) }

// pipeline runs p through a pipeline of its datapath from a table on, by
// stretches that others have taken where there are such.
func (e *Engine) pipeline(p *pkt, egress bool, tbl uint8) {
	at, ok := position{egress, tbl}, true
	recorded := false // a stretch that began here
	for ok {
		if e.paths.recorder.on || !e.mayShare(p) {
			at, ok = e.stage(p, at)
			continue
		}
		if s := e.follows(p, at); s != nil && e.fits(p, s) {
			at, ok = e.take(p, s)
			continue
		}
		from := p.chassis.entrance(p.dp, at.egress, at.table)
		if from.never {
			at, ok = e.stage(p, at)
			continue
		}
		of, s := from.find(p)
		if s != nil && e.fits(p, s) {
			at, ok = e.take(p, s)
			continue
		}
		if s == nil && (of == nil || of.worthRecording()) {
			e.observe(p, from)
			recorded = true
		}
		at, ok = e.stage(p, at)
	}
	if recorded && e.paths.recorder.on {
		e.close(p, &stretch{gone: true})
	}
}

// stage runs p through one table. It returns the table where the packet goes
// on, or false when it goes nowhere from there.
func (e *Engine) stage(p *pkt, at position) (position, bool) {
	e.steps++
	if e.steps > maxSteps {
		e.abandon()
		e.drop(p, trace.DropTooDeep, nil)
		return position{}, false
	}
	s := p.chassis.compiled.stage(p.dp, at.egress, at.table)
	var f *table.Flow
	if s != nil {
		if len(s.Broken()) > 0 {
			if e.paths.recorder.on {
				e.steps--
				e.stops(p, at)
				e.steps++
			}
			e.leaveOut(p, s, at)
		}
		f = e.applies(p, s)
	}
	if f == nil {
		e.event(p, trace.Event{Kind: trace.Miss, Egress: at.egress, Table: at.table, Flow: -1})
		e.drop(p, trace.DropNoMatch, nil)
		return position{}, false
	}
	e.event(p, trace.Event{Kind: trace.Match, Egress: at.egress, Table: at.table, Flow: int32(f.Index)})
	e.noteRivals(p, f)
	return e.exec(p, f, f.Ops, at)
}

// drop records that p, or this copy of it, ends here.
func (e *Engine) drop(p *pkt, why trace.Reason, f *table.Flow) { e.dropAt(p, why, f, nil) }

// dropAt is drop for a reason that is about a port.
func (e *Engine) dropAt(p *pkt, why trace.Reason, f *table.Flow, at *network.Port) {
	ev := trace.Event{Kind: trace.Drop, Reason: why, Flow: -1}
	if f != nil {
		ev.Flow = int32(f.Index)
	}
	if at != nil {
		ev.Port = uint32(at.Index)
	}
	e.event(p, ev)
}

// note records something that happened to p without ending it.
func (e *Engine) note(p *pkt, kind trace.Kind, why trace.Reason, f *table.Flow) {
	e.event(p, trace.Event{Kind: kind, Reason: why, Flow: int32(f.Index)})
}
