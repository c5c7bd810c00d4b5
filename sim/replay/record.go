package replay

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Record is one injected packet's fate with every name spelled out: the object
// that run --json prints.
type Record struct {
	Frame   int        `json:"frame"`
	Time    string     `json:"time"` // RFC 3339, nanoseconds, UTC
	Capture string     `json:"capture"`
	Inport  string     `json:"inport"`
	Chassis string     `json:"chassis"`
	Packet  string     `json:"packet"`
	Verdict string     `json:"verdict"`
	Drop    *DropInfo  `json:"drop,omitempty"`
	Outputs []OutInfo  `json:"outputs"`
	CT      []CTInfo   `json:"ct"`
	NAT     []NATInfo  `json:"nat"`
	Path    []PathInfo `json:"path"`

	// Inferred says how it is known that the packet entered, which is in no
	// capture; Frame and Capture are those of the observation that shows it.
	Inferred string     `json:"inferred,omitempty"`
	Notes    []NoteInfo `json:"notes,omitempty"`
}

// DropInfo says where and why a packet was dropped.
type DropInfo struct {
	Stage  string `json:"stage,omitempty"`
	Flow   string `json:"flow,omitempty"`
	Reason string `json:"reason"`
}

// OutInfo is one packet that leaves.
type OutInfo struct {
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
	Bytes   int    `json:"bytes"`
	Packet  string `json:"packet"`
	Guessed bool   `json:"guessed,omitempty"`
	Made    bool   `json:"made,omitempty"` // by ovn-controller
	Hex     string `json:"hex,omitempty"`
}

// CTInfo is one pass through connection tracking.
type CTInfo struct {
	Chassis  string `json:"chassis"`
	Zone     uint16 `json:"zone"`
	ZoneName string `json:"zone_name"`
	State    string `json:"state"`
	Original *Tuple `json:"original,omitempty"`
	Reply    *Tuple `json:"reply,omitempty"`
	Mark     uint32 `json:"mark"`
	Label    string `json:"label"`
	Created  bool   `json:"created,omitempty"`
	Stage    string `json:"stage"`
	Flow     string `json:"flow"`
}

// Tuple is one direction of a connection.
type Tuple struct {
	Proto string `json:"proto"`
	Src   string `json:"src"`
	Dst   string `json:"dst"`
	Sport uint16 `json:"sport"`
	Dport uint16 `json:"dport"`
}

// NATInfo is one translation.
type NATInfo struct {
	Kind  string `json:"kind"`  // SNAT, DNAT, un-SNAT, un-DNAT
	Field string `json:"field"` // src or dst
	From  string `json:"from"`
	To    string `json:"to"`
	Stage string `json:"stage"`
	Flow  string `json:"flow"`
}

// PathInfo is one logical flow on the packet's way.
type PathInfo struct {
	Datapath string `json:"datapath"`
	Pipeline string `json:"pipeline"`
	Table    uint8  `json:"table"`
	Stage    string `json:"stage"`
	Flow     string `json:"flow,omitempty"`

	// OpenFlow are the switch's flows of the logical flow, where they are known;
	// Lacking says that it has none.
	OpenFlow []string `json:"openflow,omitempty"`
	Lacking  bool     `json:"no_openflow,omitempty"`
}

// NoteInfo is something the reader should know: a guess, an approximation, a
// flow that was left out.
type NoteInfo struct {
	Reason string `json:"reason"`
	Stage  string `json:"stage,omitempty"`
	Flow   string `json:"flow,omitempty"`
}

// NewRecord spells out a packet's fate. The frames' bytes are included when hexed.
func NewRecord(b *trace.Book, f *Frame, p *Point, capture string, out *sim.Outcome, hexed bool) *Record {
	r := &Record{
		Frame: f.Number, Time: Timestamp(f.Time), Capture: capture, Inport: p.Name(), Chassis: p.Chassis.Name,
		Packet: packet.DescribeKey(&f.Headers().Key), Verdict: out.Verdict.String(),
		Outputs: []OutInfo{}, CT: []CTInfo{}, NAT: []NATInfo{}, Path: []PathInfo{},
	}
	if f.Inferred {
		r.Inferred = f.Why
	}
	for i := range out.Outputs {
		r.Outputs = append(r.Outputs, outInfo(&out.Outputs[i], hexed))
	}
	w := recorder{book: b, record: r, trace: &out.Trace}
	events := out.Trace.Events()
	for i := range events {
		w.event(&events[i], i == out.DropAt)
	}
	if r.Drop == nil && out.Verdict == sim.Dropped {
		r.Drop = &DropInfo{Reason: out.Drop.String()}
	}
	return r
}

// Timestamp writes a moment of the capture's clock in RFC 3339.
func Timestamp(t conntrack.Time) string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func outInfo(o *sim.Output, hexed bool) OutInfo {
	info := OutInfo{Port: o.Port.Name, Chassis: o.Chassis.Name, Bytes: o.Wire, Packet: packet.DescribeKey(&o.Headers().Key), Guessed: o.Guess, Made: o.Made}
	if hexed {
		info.Hex = hex.EncodeToString(o.Data)
	}
	return info
}

// recorder follows the events and knows the flow they belong to.
type recorder struct {
	book   *trace.Book
	record *Record
	trace  *trace.Trace
	table  uint8
}

func (w *recorder) event(ev *trace.Event, deciding bool) {
	r := w.record
	stage, uuid := w.flow(ev)
	switch ev.Kind {
	case trace.Match, trace.Miss:
		if deciding {
			r.Drop = &DropInfo{Stage: stage, Flow: uuid, Reason: trace.DropNoAction.String()}
		}
		w.table = ev.Table
		stage, uuid = w.flow(ev)
		path := PathInfo{
			Datapath: w.book.Net.Datapaths[ev.Datapath].Name, Pipeline: pipelineName(ev.Egress),
			Table: ev.Table, Stage: stage, Flow: uuid,
		}
		if w.book.OpenFlow != nil && ev.Flow >= 0 {
			var known bool
			path.OpenFlow, known = w.book.OpenFlow(ev.Chassis, ev.Flow)
			path.Lacking = known && len(path.OpenFlow) == 0
		}
		r.Path = append(r.Path, path)
	case trace.CT:
		r.CT = append(r.CT, w.ct(&w.trace.CT[ev.Arg], stage, uuid))
	case trace.NAT:
		r.NAT = append(r.NAT, natInfo(&w.trace.NAT[ev.Arg], stage, uuid))
	case trace.Drop:
		if deciding {
			r.Drop = &DropInfo{Stage: stage, Flow: uuid, Reason: ev.Reason.String()}
		}
	case trace.Broken:
		r.Notes = append(r.Notes, NoteInfo{"logical flow does not compile: " + w.trace.Texts[ev.Arg], stage, uuid})
	case trace.Note, trace.Learn, trace.Made:
		r.Notes = append(r.Notes, NoteInfo{ev.Reason.String(), stage, uuid})
	}
}

// flow names the flow of an event: its own, else the last that matched.
func (w *recorder) flow(ev *trace.Event) (stage, uuid string) {
	if ev.Flow >= 0 {
		f := w.book.Net.Flows[ev.Flow]
		return w.book.StageName(ev.Flow, f.Table), f.UUID
	}
	if n := len(w.record.Path); n > 0 && ev.Kind != trace.Miss {
		return w.record.Path[n-1].Stage, w.record.Path[n-1].Flow
	}
	return w.book.StageName(-1, ev.Table), ""
}

func pipelineName(egress bool) string {
	if egress {
		return "egress"
	}
	return "ingress"
}

func (w *recorder) ct(s *trace.CTStep, stage, uuid string) CTInfo {
	c := CTInfo{
		Chassis: w.book.Net.Chassis[s.Chassis].Name, Zone: s.Zone, ZoneName: w.book.Zone(s.Chassis, s.Zone),
		State: trace.StateString(s.State), Mark: s.Mark, Label: trace.LabelString(s.Label), Created: s.Created,
		Stage: stage, Flow: uuid,
	}
	if s.Connected {
		c.Original, c.Reply = newTuple(&s.Orig), newTuple(&s.Reply)
	}
	return c
}

func newTuple(t *nat.Tuple) *Tuple {
	return &Tuple{packet.ProtoName(t.Proto), t.SrcAddr().String(), t.DstAddr().String(), t.SrcPort, t.DstPort}
}

func natInfo(s *trace.NATStep, stage, uuid string) NATInfo {
	from, to := s.Ends()
	n := NATInfo{Kind: s.Name(), Field: "src", From: from, To: to, Stage: stage, Flow: uuid}
	if s.Dst {
		n.Field = "dst"
	}
	return n
}

// Line is the record in one readable line.
func (r *Record) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s:%d %s %s", r.Time[11:26], r.Capture, r.Frame, r.Inport, r.Packet)
	for _, n := range r.NAT {
		fmt.Fprintf(&b, " | %s %s -> %s", n.Kind, n.From, n.To)
	}
	if r.Inferred != "" {
		fmt.Fprintf(&b, " | inferred: %s", r.Inferred)
	}
	b.WriteString(" | " + r.Verdict)
	if r.Drop != nil {
		fmt.Fprintf(&b, " at %s: %s", r.Drop.Stage, r.Drop.Reason)
	}
	for i, o := range r.Outputs {
		sep := " to "
		if i > 0 {
			sep = ", "
		}
		b.WriteString(sep + o.Port)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, " (%s)", n.Reason)
	}
	lacking := 0
	for i := range r.Path {
		if r.Path[i].Lacking {
			lacking++
		}
	}
	if lacking > 0 {
		fmt.Fprintf(&b, " | finding: no OpenFlow flows of %d logical flows on its way", lacking)
	}
	return b.String()
}

// Comment is the record as the comment of a packet in an annotated capture:
// one "key: value" a line. With an index it is the comment of that output.
func (r *Record) Comment(output int) string {
	var b strings.Builder
	if output < 0 {
		fmt.Fprintf(&b, "ovn-replay: %s", r.Verdict)
		for _, o := range r.Outputs {
			fmt.Fprintf(&b, " to %s", o.Port)
		}
	} else {
		fmt.Fprintf(&b, "ovn-replay: predicted output at %s", r.Outputs[output].Port)
	}
	fmt.Fprintf(&b, "\nfrom: %s:%d at %s", r.Capture, r.Frame, r.Inport)
	if r.Inferred != "" {
		fmt.Fprintf(&b, "\ninferred: %s", r.Inferred)
	}
	if r.Drop != nil {
		fmt.Fprintf(&b, "\ndrop: %s: %s (flow %s)", r.Drop.Stage, r.Drop.Reason, r.Drop.Flow)
	}
	for _, n := range r.NAT {
		fmt.Fprintf(&b, "\nnat: %s %s %s -> %s at %s (flow %s)", n.Kind, n.Field, n.From, n.To, n.Stage, n.Flow)
	}
	for _, c := range r.CT {
		fmt.Fprintf(&b, "\nct: %s", c)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\nnote: %s at %s (flow %s)", n.Reason, n.Stage, n.Flow)
	}
	fmt.Fprintf(&b, "\npath: %s", strings.Join(r.crossings(), " > "))
	if p := r.deciding(); p != nil {
		fmt.Fprintf(&b, "\nflow: %s %s table %d %s", p.Flow, p.Datapath, p.Table, p.Stage)
	}
	return b.String()
}

// crossings lists the pipelines the packet passed, in order.
func (r *Record) crossings() []string {
	var out []string
	for _, p := range r.Path {
		out = append(out, p.Datapath+" "+p.Pipeline)
	}
	return slices.Compact(out)
}

// deciding is the flow that decided the packet's fate: the one that dropped it,
// or the last on its way out.
func (r *Record) deciding() *PathInfo {
	for i := len(r.Path) - 1; i >= 0; i-- {
		if p := &r.Path[i]; p.Flow != "" && (r.Drop == nil || r.Drop.Flow == p.Flow) {
			return p
		}
	}
	return nil
}

func (c CTInfo) String() string {
	s := fmt.Sprintf("zone %d", c.Zone)
	if c.ZoneName != "" {
		s += " (" + c.ZoneName + ")"
	}
	s += " " + c.State
	if c.Original != nil {
		s += fmt.Sprintf(" orig %s reply %s", c.Original, c.Reply)
	}
	return fmt.Sprintf("%s mark %#x label %s", s, c.Mark, c.Label)
}

func (t *Tuple) String() string {
	return fmt.Sprintf("%s %s > %s", t.Proto, joinPort(t.Src, t.Sport), joinPort(t.Dst, t.Dport))
}

func joinPort(addr string, port uint16) string {
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	return fmt.Sprintf("%s:%d", addr, port)
}
