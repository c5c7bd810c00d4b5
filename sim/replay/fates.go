package replay

import (
	"bytes"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"

	"ovnreplay/sim/printable"
)

// Differ holds the fates of the same packets on two networks against each other.
type Differ struct {
	A, B *Fates
	// Report is called for each packet that fares differently.
	Report func(*FateDifference) error

	Packets   int
	Different int
}

// Fates is a Handler that keeps what became of packets until the other
// network's Fates have the same packets.
type Fates struct {
	net    *network.Network
	taps   []*Tap
	filter *Filter
	why    *why.Explainer
	fates  []*packetFate
}

// NewFates returns the Fates of a replay; packets that the filter does not
// select are counted only.
func NewFates(e *sim.Engine, taps []*Tap, filter *Filter) *Fates {
	return &Fates{net: e.Net, taps: taps, filter: filter, why: why.New(e, nil)}
}

type packetFate struct {
	capture string
	number  int
	index   int
	late    bool
	packet  string
	port    string
	verdict string
	drop    string
	outs    []outFrame
	path    []pathFlow
	chosen  bool
	decided string   // by which flow it did not leave as it was
	looked  []string // what conntrack found, zone by zone
}

type outFrame struct {
	port, chassis string
	data          []byte
}

// pathFlow is a logical flow as both networks can have it: UUIDs differ
// between databases whose flows are the same.
type pathFlow struct {
	datapath, stage, match, actions, uuid string
	priority                              uint16
}

// Entered implements Handler.
func (s *Fates) Entered(f *Frame, p *Point, out *sim.Outcome) {
	if f.Inferred {
		return
	}
	x := &packetFate{
		capture: NameOf(s.taps, f), number: f.Number, index: f.Capture, late: out.Late,
		packet: Line(f.Data), port: p.Name(), verdict: out.Verdict.String(), chosen: s.filter.Packet(f, p, out),
	}
	if out.Verdict != sim.Delivered {
		x.drop = out.Drop.String()
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		x.outs = append(x.outs, outFrame{o.Port.Name, o.Chassis.Name, bytes.Clone(o.Data)})
	}
	events := out.Trace.Events()
	for i := range events {
		if ev := &events[i]; ev.Kind == trace.Match || ev.Kind == trace.Miss {
			x.path = append(x.path, s.flow(ev))
		}
	}
	for _, d := range s.why.Decide(out) {
		if d.Kind != why.Translated {
			x.decided = d.Kind.String() + ": " + d.Text
		}
	}
	for i := range out.Trace.CT {
		c := &out.Trace.CT[i]
		x.looked = append(x.looked, s.why.Book.Zone(c.Chassis, c.Zone)+" "+
			trace.StateString(c.State&^conntrack.Tracked))
	}
	s.fates = append(s.fates, x)
}

func (s *Fates) flow(ev *trace.Event) pathFlow {
	net := s.net
	x := pathFlow{datapath: net.Datapaths[ev.Datapath].Name, stage: s.why.Book.StageName(ev.Flow, ev.Table)}
	if ev.Flow >= 0 {
		f := net.Flows[ev.Flow]
		x.match, x.actions, x.priority, x.uuid = f.Match, f.Actions, f.Priority, f.UUID
	}
	return x
}

// Observed implements Handler.
func (s *Fates) Observed(*Frame, *Point) {}

// Skipped implements Handler.
func (s *Fates) Skipped(*Frame, *Point, string) {}

// Settle compares what both sides know; at the end, also what only one does.
func (d *Differ) Settle(end bool) error {
	for len(d.A.fates) > 0 && len(d.B.fates) > 0 {
		a, b := d.A.fates[0], d.B.fates[0]
		switch {
		case a.same(b):
			d.A.fates, d.B.fates = d.A.fates[1:], d.B.fates[1:]
			if err := d.compare(a, b); err != nil {
				return err
			}
		case slices.ContainsFunc(d.B.fates, a.same):
			d.B.fates = d.B.fates[1:]
			if err := d.compare(nil, b); err != nil {
				return err
			}
		default:
			d.A.fates = d.A.fates[1:]
			if err := d.compare(a, nil); err != nil {
				return err
			}
		}
	}
	if !end {
		return nil
	}
	for _, a := range d.A.fates {
		if err := d.compare(a, nil); err != nil {
			return err
		}
	}
	for _, b := range d.B.fates {
		if err := d.compare(nil, b); err != nil {
			return err
		}
	}
	return nil
}

func (x *packetFate) same(y *packetFate) bool {
	return x.index == y.index && x.capture == y.capture && x.number == y.number && x.late == y.late
}

// FateDifference is a packet that fares differently: what diff --json prints.
type FateDifference struct {
	Version int         `json:"version"` // of this form, see FormVersion
	Capture string      `json:"capture"`
	Frame   int         `json:"frame"`
	Inport  string      `json:"inport"`
	Packet  string      `json:"packet"`
	A       FateSummary `json:"a"`
	B       FateSummary `json:"b"`
}

// FateSummary is what became of a packet on one network.
type FateSummary struct {
	Verdict string   `json:"verdict"`
	Drop    string   `json:"drop,omitempty"`
	Outputs []string `json:"outputs"`
	// Flow is where this network's way parts from the other's.
	Flow *FlowRef `json:"flow,omitempty"`
	// Decided is the flow that dropped, held, answered or rerouted it.
	Decided string `json:"decided,omitempty"`
	// Conntrack is what was found where the two networks' look-ups part, by
	// zone: "vm1 est|rpl"; "never asked" if there was no such look-up.
	Conntrack string `json:"conntrack,omitempty"`
}

// compare reports two fates of one packet that differ; nil: not entered there.
func (d *Differ) compare(a, b *packetFate) error {
	d.Packets++
	if a != nil && b != nil && a.verdict == b.verdict && a.drop == b.drop && slices.EqualFunc(a.outs, b.outs, sameOut) {
		return nil
	}
	one := a
	if one == nil {
		one = b
	}
	if !one.chosen && (b == nil || !b.chosen) {
		return nil
	}
	d.Different++
	x := FateDifference{Version: FormVersion, Capture: one.capture, Frame: one.number, Inport: one.port,
		Packet: one.packet, A: a.json(), B: b.json()}
	if a != nil && b != nil {
		i := part(a.path, b.path)
		x.A.Flow, x.B.Flow = a.flow(i), b.flow(i)
		x.A.Conntrack, x.B.Conntrack = lookups(a.looked, b.looked)
	}
	return d.Report(&x)
}

// lookups tells what two packets found in conntrack where that first differs.
func lookups(a, b []string) (string, string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) && i == len(b) {
		return "", ""
	}
	at := func(list []string) string {
		if i < len(list) {
			return "found " + list[i]
		}
		return "never asked"
	}
	return at(a), at(b)
}

func sameOut(a, b outFrame) bool {
	return a.port == b.port && a.chassis == b.chassis && bytes.Equal(a.data, b.data)
}

// part returns where two ways part: the first flows that say different things.
func part(a, b []pathFlow) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		x.uuid, y.uuid = "", ""
		if x != y {
			return i
		}
	}
	return min(len(a), len(b))
}

func (x *packetFate) flow(i int) *FlowRef {
	if i >= len(x.path) {
		if i = len(x.path) - 1; i < 0 {
			return nil
		}
	}
	f := x.path[i]
	return &FlowRef{UUID: f.uuid, Datapath: f.datapath, Stage: f.stage, Match: f.match}
}

func (x *packetFate) json() FateSummary {
	if x == nil {
		return FateSummary{Verdict: "not entered", Outputs: []string{}}
	}
	out := FateSummary{Verdict: x.verdict, Drop: x.drop, Outputs: []string{}, Decided: x.decided}
	for _, o := range x.outs {
		out.Outputs = append(out.Outputs, o.port+": "+Line(o.data))
	}
	return out
}

// String is the difference for people.
func (x *FateDifference) String() string {
	var b strings.Builder
	printable.Fprintf(&b, "%s frame %d at %s: %s\n", x.Capture, x.Frame, x.Inport, x.Packet)
	for _, s := range []struct {
		name string
		fate FateSummary
	}{{"A", x.A}, {"B", x.B}} {
		printable.Fprintf(&b, "    %s: %s", s.name, s.fate.Verdict)
		if s.fate.Drop != "" {
			printable.Fprintf(&b, " (%s)", s.fate.Drop)
		}
		if len(s.fate.Outputs) > 0 {
			printable.Fprintf(&b, " to %s", strings.Join(s.fate.Outputs, "; "))
		}
		if s.fate.Flow != nil {
			printable.Fprintf(&b, "\n       by %s", s.fate.Flow)
		}
		if s.fate.Decided != "" {
			printable.Fprintf(&b, "\n       %s", s.fate.Decided)
		}
		if s.fate.Conntrack != "" {
			printable.Fprintf(&b, "\n       conntrack: %s", s.fate.Conntrack)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
