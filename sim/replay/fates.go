package replay

import (
	"bytes"
	"fmt"
	"maps"
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
	stages map[string]bool // that the network has
	met    map[flowAt]*pathFlow
	enters map[flowAt]string // into the tables of a datapath, in words
	last   *packetFate       // whose way is about as long as the next one's
}

// flowAt is a flow in a datapath, or a table of it where none matched.
type flowAt struct {
	flow     *network.Flow
	datapath *network.Datapath
	egress   bool
	table    uint8
}

// NewFates returns the Fates of a replay; packets that the filter does not
// select are counted only. Objects are the Northbound database's rows, nil without one.
func NewFates(e *sim.Engine, objects *network.Objects, taps []*Tap, filter *Filter) *Fates {
	s := &Fates{net: e.Net, taps: taps, filter: filter, why: why.New(e, objects), stages: map[string]bool{},
		met: map[flowAt]*pathFlow{}, enters: map[flowAt]string{}, last: &packetFate{}}
	for _, f := range e.Net.Flows {
		s.stages[f.Stage] = true
	}
	return s
}

type packetFate struct {
	capture string
	number  int
	index   int
	late    bool
	packet  string
	port    string
	at      string // the port, in the words of people
	verdict string
	drop    string
	outs    []outFrame
	ended   trace.Reason
	path    []*pathFlow
	effects []effect
	chosen  bool
	decided string   // by which flow it did not leave as it was
	looked  []string // what conntrack found, zone by zone
}

type outFrame struct {
	port, chassis string
	to            string // the port, in the words of people
	data          []byte
}

// pathFlow is a logical flow as both networks can have it: UUIDs differ
// between databases whose flows are the same.
type pathFlow struct {
	datapath, stage, match, actions string
	priority                        uint16

	uuid, hint, object string
	called             string // the datapath, in the words of people
}

// effect is what a flow did to a packet that shows outside of OVN's pipelines, which
// differ from release to release: where it went, how it was translated, what it ended as.
type effect struct {
	text string
	by   *pathFlow // nil: none, it entered
}

// Entered implements Handler.
func (s *Fates) Entered(f *Frame, p *Point, out *sim.Outcome) {
	if f.Inferred {
		return
	}
	x := &packetFate{
		capture: NameOf(s.taps, f), number: f.Number, index: f.Capture, late: out.Late,
		packet: Line(f.Data), port: p.Name(), at: p.Called(),
		verdict: out.Verdict.String(), chosen: s.filter.Packet(f, p, out),
	}
	if out.Verdict != sim.Delivered {
		x.drop, x.ended = out.Drop.String(), out.Drop
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		x.outs = append(x.outs, outFrame{o.Port.Name, o.Chassis.Name, o.Port.Called(), bytes.Clone(o.Data)})
	}
	s.way(x, out)
	for _, d := range s.why.Decide(out) {
		if d.Kind != why.Translated && d.Kind != why.Marked {
			x.decided = d.Kind.String() + ": " + d.Text
		}
		if d.Kind == why.Dropped {
			x.effects = append(x.effects, effect{"ends", s.ref(d.Flow, d.Datapath, d.Stage)})
		}
	}
	for i := range out.Trace.CT {
		c := &out.Trace.CT[i]
		x.looked = append(x.looked, s.why.Book.ZoneCalled(s.why.Book.Zone(c.Chassis, c.Zone))+" "+
			trace.StateString(c.State&^conntrack.Tracked))
	}
	s.fates = append(s.fates, x)
}

// way notes the flows that a packet met, and what they did to it.
func (s *Fates) way(x *packetFate, out *sim.Outcome) {
	t := &out.Trace
	x.path, x.effects = make([]*pathFlow, 0, len(s.last.path)), make([]effect, 0, len(s.last.effects)+1)
	s.last = x
	var last *pathFlow
	did := func(ev *trace.Event, text string) {
		by := last
		if ev.Flow >= 0 {
			by = s.flow(ev)
		}
		x.effects = append(x.effects, effect{text, by})
	}
	for i := range t.Events() {
		switch ev := &t.Events()[i]; ev.Kind {
		case trace.Match, trace.Miss:
			last = s.flow(ev)
			x.path = append(x.path, last)
			if ev.Kind == trace.Match {
				if r, rewrites := s.why.Rewrites(s.net.Flows[ev.Flow]); rewrites {
					did(ev, r.String())
				}
			}
		case trace.Enter:
			did(ev, s.entersAt(ev))
		case trace.NAT:
			n := &t.NAT[ev.Arg]
			from, to := n.Ends()
			did(ev, n.Name()+" "+from+" -> "+to)
		case trace.Made:
			did(ev, ev.Reason.String())
		case trace.Out:
			did(ev, "leaves")
		}
	}
}

// entersAt tells that a packet enters a datapath.
func (s *Fates) entersAt(ev *trace.Event) string {
	at := flowAt{nil, s.net.Datapaths[ev.Datapath], ev.Egress, 0}
	text, known := s.enters[at]
	if !known {
		text = fmt.Sprint("enters ", at.datapath.Called(), ev.Egress)
		s.enters[at] = text
	}
	return text
}

// flow is the flow of an event: packets that meet the same one share it.
func (s *Fates) flow(ev *trace.Event) *pathFlow {
	at := flowAt{nil, s.net.Datapaths[ev.Datapath], ev.Egress, ev.Table}
	if ev.Flow >= 0 {
		at.flow = s.net.Flows[ev.Flow]
	}
	if x := s.met[at]; x != nil && (at.flow == nil || x.match == at.flow.Match && x.actions == at.flow.Actions) {
		return x
	}
	x := s.ref(at.flow, at.datapath, s.why.Book.StageName(ev.Flow, ev.Table))
	s.met[at] = x
	return x
}

// ref is a flow of a datapath, nil: none that matched in a stage.
func (s *Fates) ref(f *network.Flow, d *network.Datapath, stage string) *pathFlow {
	x := &pathFlow{datapath: d.Name, stage: stage, called: d.Called()}
	if f != nil {
		x.match, x.actions, x.priority, x.uuid, x.hint = f.Match, f.Actions, f.Priority, f.UUID, f.StageHint
		if o := s.why.Object(f); o != nil {
			x.object = o.String()
		}
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

// Flush replays what either run has read ahead, by turns: what became of thousands of packets
// on one network would wait for the other.
func (d *Differ) Flush(a, b *Run) error {
	const turn = 64
	for more := true; more; {
		moreA, moreB := a.PauseSome(turn), b.PauseSome(turn)
		more = moreA || moreB
		for len(d.A.fates) > 0 && len(d.B.fates) > 0 && d.A.fates[0].same(d.B.fates[0]) {
			x, y := d.A.fates[0], d.B.fates[0]
			d.A.fates, d.B.fates = d.A.fates[1:], d.B.fates[1:]
			if err := d.compare(x, y); err != nil {
				return err
			}
		}
	}
	a.Flush()
	b.Flush()
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
	at      string      // the port, in the words of people
	Packet  string      `json:"packet"`
	A       FateSummary `json:"a"`
	B       FateSummary `json:"b"`
}

// FateSummary is what became of a packet on one network.
type FateSummary struct {
	Verdict string   `json:"verdict"`
	Drop    string   `json:"drop,omitempty"`
	Outputs []string `json:"outputs"`
	left    []string // the same, with ports in the words of people
	// Flow is where this network's way parts from the other's.
	Flow *FlowRef `json:"flow,omitempty"`
	// Actions are the flow's, where the other network's matches the same and acts otherwise.
	Actions string `json:"actions,omitempty"`
	// Decided is the flow that dropped, held, answered or rerouted it.
	Decided string `json:"decided,omitempty"`
	// Conntrack is what was found where the two networks' look-ups part, by
	// zone: "vm1 est|rpl"; "never asked" if there was no such look-up.
	Conntrack string `json:"conntrack,omitempty"`
}

// compare reports two fates of one packet that differ; nil: not entered there.
func (d *Differ) compare(a, b *packetFate) error {
	d.Packets++
	if a != nil && b != nil && a.verdict == b.verdict && endedAlike(a.ended, b.ended) &&
		slices.EqualFunc(a.outs, b.outs, sameOut) {
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
	x := FateDifference{Version: FormVersion, Capture: one.capture, Frame: one.number, Inport: one.port, at: one.at,
		Packet: one.packet, A: a.json(), B: b.json()}
	if a != nil && b != nil {
		if i := partInEffect(a.effects, b.effects); !maps.Equal(d.A.stages, d.B.stages) && i >= 0 {
			x.A.Flow, x.B.Flow = a.caused(i), b.caused(i)
		} else {
			i := part(a.path, b.path)
			x.A.Flow, x.B.Flow = a.flow(i), b.flow(i)
			x.A.Actions, x.B.Actions = actOtherwise(a.path, b.path, i)
		}
		x.A.Conntrack, x.B.Conntrack = lookups(a.looked, b.looked)
	}
	return d.Report(&x)
}

// endedAlike reports whether packets ended alike: that a flow says drop, and that it says
// nothing more, is the same.
func endedAlike(a, b trace.Reason) bool {
	said := func(r trace.Reason) trace.Reason {
		if r == trace.DropNoAction {
			return trace.DropAction
		}
		return r
	}
	return said(a) == said(b)
}

// partInEffect returns where two ways part in what became of the packet, -1: nowhere.
func partInEffect(a, b []effect) int {
	for i := range min(len(a), len(b)) {
		if a[i].text != b[i].text {
			return i
		}
	}
	if len(a) == len(b) {
		return -1
	}
	return min(len(a), len(b))
}

// caused is the flow of a packet's i-th effect, or of its last.
func (x *packetFate) caused(i int) *FlowRef {
	if i = min(i, len(x.effects)-1); i < 0 || x.effects[i].by == nil {
		return nil
	}
	return x.effects[i].by.ref()
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
func part(a, b []*pathFlow) int {
	for i := range min(len(a), len(b)) {
		if !a[i].says(b[i]) {
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
	return x.path[i].ref()
}

// actOtherwise are the actions of two ways' i-th flows, if these are alike but for them.
func actOtherwise(a, b []*pathFlow, i int) (string, string) {
	if i >= min(len(a), len(b)) {
		return "", ""
	}
	x, y := a[i], b[i]
	if x.actions == y.actions || x.datapath != y.datapath || x.stage != y.stage || x.match != y.match {
		return "", ""
	}
	return x.actions, y.actions
}

// says reports whether two flows are one, or say the same.
func (f *pathFlow) says(g *pathFlow) bool {
	return f.datapath == g.datapath && f.stage == g.stage && f.match == g.match && f.actions == g.actions &&
		f.priority == g.priority
}

func (f *pathFlow) ref() *FlowRef {
	return &FlowRef{UUID: f.uuid, Datapath: f.datapath, Stage: f.stage, Match: f.match, Hint: f.hint, Object: f.object,
		called: f.called}
}

func (x *packetFate) json() FateSummary {
	if x == nil {
		return FateSummary{Verdict: "not entered", Outputs: []string{}}
	}
	out := FateSummary{Verdict: x.verdict, Drop: x.drop, Outputs: []string{}, Decided: x.decided}
	for _, o := range x.outs {
		text := ": " + Line(o.data)
		out.Outputs, out.left = append(out.Outputs, o.port+text), append(out.left, o.to+text)
	}
	return out
}

// String is the difference for people.
func (x *FateDifference) String() string {
	var b strings.Builder
	printable.Fprintf(&b, "%s frame %d at %s: %s\n", x.Capture, x.Frame, x.at, x.Packet)
	for _, s := range []struct {
		name string
		fate FateSummary
	}{{"A", x.A}, {"B", x.B}} {
		printable.Fprintf(&b, "    %s: %s", s.name, s.fate.Verdict)
		if s.fate.Drop != "" {
			printable.Fprintf(&b, " (%s)", s.fate.Drop)
		}
		if len(s.fate.left) > 0 {
			printable.Fprintf(&b, " to %s", strings.Join(s.fate.left, "; "))
		}
		if s.fate.Flow != nil {
			printable.Fprintf(&b, "\n       by %s", s.fate.Flow)
		}
		if s.fate.Actions != "" {
			printable.Fprintf(&b, "\n       whose actions are %s", s.fate.Actions)
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
