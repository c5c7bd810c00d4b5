package replay

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// FormVersion is the version of the forms of Record and Report in JSON, which
// docs/schema describes. It counts up when a field goes or changes its meaning;
// that fields are added does not change it.
const FormVersion = 1

// Record is one injected packet's fate with every name spelled out: the object
// that run --json prints.
type Record struct {
	Version int    `json:"version"` // of this form, see FormVersion
	Frame   int    `json:"frame"`
	Time    string `json:"time"` // RFC 3339, nanoseconds, UTC
	Capture string `json:"capture"`
	Inport  string `json:"inport"`
	inport  string // what people call it
	Chassis string `json:"chassis"`
	Packet  string `json:"packet"`
	Conn    int    `json:"conn,omitempty"` // its connection, as run -w and connections number them
	Verdict string `json:"verdict"`        // delivered, dropped, consumed or not known
	// Drop is where the packet ended, and why. The flow that decided so, which may be of an earlier stage,
	// is the last of Decided.
	Drop *DropInfo `json:"drop,omitempty"`
	// Unknown is where the packet ends in the replay, and what that lacks to say
	// that it did in truth.
	Unknown *DropInfo `json:"unknown,omitempty"`
	// Decided are the flows that decided: those that translated or rerouted
	// the packet, in order, and last the one that dropped, held or answered it.
	Decided []DecisionInfo `json:"decided,omitempty"`
	Outputs []OutInfo      `json:"outputs"`
	CT      []CTInfo       `json:"ct"`
	NAT     []NATInfo      `json:"nat"`
	Path    []PathInfo     `json:"path"`

	// Inferred says how it is known that the packet entered, which is in no
	// capture; Frame and Capture are those of the observation that shows it.
	Inferred string     `json:"inferred,omitempty"`
	Notes    []NoteInfo `json:"notes,omitempty"`
}

// DropInfo says where and why a packet was dropped.
type DropInfo struct {
	Stage  string `json:"stage,omitempty"` // where it ended
	Flow   string `json:"flow,omitempty"`  // of that stage
	Reason string `json:"reason"`
}

// DecisionInfo is a logical flow that decided, and the Northbound row behind it
// where that is known.
type DecisionInfo struct {
	Kind     string `json:"kind"` // dropped, answered, held, taken, not known; translated, rewritten, …
	Datapath string `json:"datapath,omitempty"`
	datapath string // what people call it
	Stage    string `json:"stage,omitempty"` // the flow's
	// At is the stage where the packet ended, if it did: a later one where the flow set a bit by which
	// that ends it, as flows of ACLs and port security do.
	At       string      `json:"at,omitempty"`
	Flow     string      `json:"flow,omitempty"`
	Priority *uint16     `json:"priority,omitempty"`
	Match    string      `json:"match,omitempty"`
	Hint     string      `json:"hint,omitempty"` // the beginning of the Northbound row's UUID
	Object   *ObjectInfo `json:"object,omitempty"`
	Text     string      `json:"text"`
	Stale    string      `json:"stale,omitempty"` // what the connection uses and the network no longer has
	// Rewrite is what a stateless NAT row did: "stateless DNAT 203.0.113.5 -> 10.0.0.5".
	Rewrite string `json:"rewrite,omitempty"`
}

// ObjectInfo is a row of the Northbound database.
type ObjectInfo struct {
	Table string `json:"table"`
	UUID  string `json:"uuid"`
	Name  string `json:"name,omitempty"`
	Of    string `json:"of,omitempty"` // the switch, router or port group it belongs to
	Text  string `json:"text,omitempty"`
	Owner string `json:"owner,omitempty"` // the pod, policy, service or security group it was made for
}

// Decisions are what decided a packet's fate, spelled out.
func Decisions(x *why.Explainer, out *sim.Outcome) (list []DecisionInfo) {
	for _, d := range x.Decide(out) {
		list = append(list, decisionInfo(&d))
	}
	return list
}

func decisionInfo(d *why.Decision) DecisionInfo {
	x := DecisionInfo{Kind: d.Kind.String(), Stage: d.Stage, At: d.At, Text: d.Text, Stale: d.Stale}
	if d.Kind == why.Rewritten {
		x.Rewrite = d.Rewrite.String()
	}
	if d.Datapath != nil {
		x.Datapath, x.datapath = d.Datapath.Name, d.Datapath.Called()
	}
	if f := d.Flow; f != nil {
		x.Flow, x.Priority, x.Match, x.Hint = f.UUID, &f.Priority, f.Match, f.StageHint
	}
	if o := d.Object; o != nil {
		x.Object = &ObjectInfo{o.Table, o.UUID, o.Name, o.Of, o.Text, o.Owner}
	}
	return x
}

// OutInfo is one packet that leaves.
type OutInfo struct {
	Port    string `json:"port"`
	called  string // what people call it
	Chassis string `json:"chassis"`
	host    string // what people call it
	Bytes   int    `json:"bytes"`
	Packet  string `json:"packet"`
	Guessed bool   `json:"guessed,omitempty"`
	Made    bool   `json:"made,omitempty"`   // by ovn-controller
	Answer  bool   `json:"answer,omitempty"` // OVN's own, to a packet that left elsewhere itself
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
	Kind  string `json:"kind"`  // SNAT, DNAT, un-SNAT, un-DNAT; without conntrack stateless SNAT, stateless DNAT
	Field string `json:"field"` // src or dst
	From  string `json:"from"`  // "" where a stateless NAT row does not ask for one
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

	made bool // it says what ovn-controller sends
}

// NewRecord spells out a packet's fate. The frames' bytes are included when hexed.
func NewRecord(x *why.Explainer, f *Frame, p *Point, capture string, out *sim.Outcome, hexed bool) *Record {
	r := &Record{
		Version: FormVersion, Frame: f.Number, Time: Timestamp(f.Time), Capture: capture, Inport: p.Name(),
		inport:  p.Called(),
		Chassis: p.Chassis.Name,
		Packet:  f.Headers().Describe(f.Data), Verdict: out.Verdict.String(),
		Outputs: []OutInfo{}, CT: []CTInfo{}, NAT: []NATInfo{},
	}
	if f.Inferred {
		r.Inferred = f.Why
	}
	too := why.AnswersToo(out)
	for i := range out.Outputs {
		r.Outputs = append(r.Outputs, outInfo(&out.Outputs[i], hexed))
		r.Outputs[i].Answer = too && why.Answers(out, &out.Outputs[i])
	}
	w := recorder{book: x.Book, record: r, trace: &out.Trace}
	events := out.Trace.Events()
	flows := 0
	for i := range events {
		if events[i].Kind == trace.Match || events[i].Kind == trace.Miss {
			flows++
		}
	}
	r.Path = make([]PathInfo, 0, flows)
	for i := range events {
		w.event(&events[i], i == out.DropAt)
	}
	if r.Drop == nil && (out.Verdict == sim.Dropped || out.Verdict == sim.Unknown) {
		r.Drop = &DropInfo{Reason: out.Drop.String()}
	}
	if out.Verdict == sim.Unknown {
		r.Drop.Reason = out.Drop.String()
		r.Unknown, r.Drop = r.Drop, nil
	}
	if why.Instead(out) {
		r.Verdict = sim.Consumed.String() // not it, but what OVN made of it was delivered
	}
	tracked := r.NAT
	r.NAT = []NATInfo{}
	for _, d := range x.Decide(out) {
		switch d.Kind {
		case why.Translated:
			r.NAT, tracked = append(r.NAT, tracked[0]), tracked[1:]
		case why.Rewritten:
			r.NAT = append(r.NAT, rewriteInfo(&d))
		}
		r.Decided = append(r.Decided, decisionInfo(&d))
		r.Notes = slices.DeleteFunc(r.Notes, func(n NoteInfo) bool { // it is said there
			return n.Reason != "" && strings.Contains(d.Text, n.Reason)
		})
		if d.Stale != "" {
			r.Notes = slices.DeleteFunc(r.Notes, func(n NoteInfo) bool { return n.Reason == stale+d.Stale })
		}
	}
	r.settle()
	return r
}

// settle has what is said of the packet's end agree with the flow that decided it.
func (r *Record) settle() {
	d := r.end()
	if d == nil || r.Drop == nil {
		return
	}
	if d.Kind == why.Answered.String() || d.Kind == why.Held.String() && r.Drop.Reason != trace.DropFragment.String() {
		r.Drop = nil // of what else became of the packet, or was sent for it
		return
	}
	r.Drop.Stage = d.At
	if d.Flow != "" && r.Drop.Reason == trace.DropNoAction.String() {
		r.Drop.Reason = trace.DropAction.String() // the flow that decided says so
	}
}

// Timestamp writes a moment of the capture's clock in RFC 3339.
func Timestamp(t conntrack.Time) string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func outInfo(o *sim.Output, hexed bool) OutInfo {
	info := OutInfo{Port: o.Port.Name, called: o.Port.Called(), Chassis: o.Chassis.Name,
		host: o.Chassis.Host(), Bytes: o.Wire,
		Packet: o.Headers().Describe(o.Data), Guessed: o.Guess, Made: o.Made}
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
	case trace.Broken, trace.Note, trace.Learn, trace.Made, trace.Gone:
		w.noted(ev, stage, uuid)
	}
}

// noted adds the note that an event is.
func (w *recorder) noted(ev *trace.Event, stage, uuid string) {
	if ev.Kind == trace.Broken {
		w.record.Notes = append(w.record.Notes, NoteInfo{
			Reason: notCompiled + w.trace.Texts[ev.Arg], Stage: stage, Flow: uuid})
		return
	}
	if ev.Kind == trace.Gone {
		w.note(NoteInfo{Reason: stale + w.trace.Texts[ev.Arg]})
		return
	}
	w.note(NoteInfo{Reason: w.noteText(ev.Reason), Stage: stage, Flow: uuid, made: ev.Kind == trace.Made})
}

// noteText is a reason in words; with the zone where it is about the look-up
// that it follows.
func (w *recorder) noteText(why trace.Reason) string {
	if n := len(w.record.CT); why == trace.LooseConnection && n > 0 && w.record.CT[n-1].ZoneName != "" {
		return "its connection was never committed in zone " + w.record.CT[n-1].ZoneName + ": tracked from here on"
	}
	return why.String()
}

// note notes something once: a packet may meet it again on its way.
func (w *recorder) note(n NoteInfo) {
	if !slices.ContainsFunc(w.record.Notes, func(m NoteInfo) bool { return m.Reason == n.Reason }) {
		w.record.Notes = append(w.record.Notes, n)
	}
}

const stale = "stale: "

const notCompiled = "logical flow does not compile and is left out: "

// flow names the flow of an event: its own, else the last that matched.
func (w *recorder) flow(ev *trace.Event) (stage, uuid string) {
	if ev.Flow >= 0 {
		f := w.book.Net.Flows[ev.Flow]
		return w.book.StageName(ev.Flow, f.Table), f.UUID
	}
	if n := len(w.record.Path); n > 0 && ev.Kind != trace.Miss {
		return w.record.Path[n-1].Stage, w.record.Path[n-1].Flow
	} else if ev.Kind == trace.Drop {
		return "", "" // it came to no stage
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
	return NATInfo{Kind: s.Name(), Field: s.Field(), From: from, To: to, Stage: stage, Flow: uuid}
}

// rewriteInfo is a translation by a stateless NAT row.
func rewriteInfo(d *why.Decision) NATInfo {
	n := NATInfo{Kind: d.Rewrite.Name(), Field: "src", Stage: d.Stage, Flow: d.Flow.UUID}
	if d.Rewrite.Dst {
		n.Field = "dst"
	}
	n.From, n.To = d.Rewrite.Ends()
	return n
}

// Stateless reports whether conntrack has no part in it.
func (n *NATInfo) Stateless() bool { return strings.HasPrefix(n.Kind, "stateless ") }

// String is "DNAT 172.18.0.4:30007 -> 10.244.1.3:80".
func (n *NATInfo) String() string {
	if n.From == "" {
		return n.Kind + " -> " + n.To
	}
	return n.Kind + " " + n.From + " -> " + n.To
}

// At is where the packet entered, in the words of people.
func (r *Record) At() string { return cmp.Or(r.inport, r.Inport) }

// to is where an output left, in the words of people.
func (o *OutInfo) to() string { return cmp.Or(o.called, o.Port) }

// Line is the record in one readable line.
func (r *Record) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s:%d %s %s", r.Time[11:26], r.Capture, r.Frame, r.At(), r.Packet)
	for i := range r.NAT {
		b.WriteString(" | " + r.translation(i, (*ObjectInfo).String))
	}
	for _, text := range r.besides() {
		b.WriteString(" | " + text)
	}
	if r.Inferred != "" {
		fmt.Fprintf(&b, " | inferred: %s", r.Inferred)
	}
	b.WriteString(" | " + r.Fate())
	for _, n := range r.Notes {
		fmt.Fprintf(&b, " (%s)", n.Reason)
	}
	if text := r.lacking(); text != "" {
		b.WriteString(" | " + text)
	}
	return printable.Line(b.String())
}

// binding is the row behind the translation with that number, nil if none is known or it undoes one.
func (r *Record) binding(i int) *ObjectInfo {
	if d := r.translator(i); d != nil && !strings.HasPrefix(r.NAT[i].Kind, "un-") {
		return d.Object
	}
	return nil
}

// translator is the decision of the translation with that number, nil if there is none.
func (r *Record) translator(n int) *DecisionInfo {
	return r.nth(n, why.Translated.String(), why.Rewritten.String())
}

// translation is the translation with that number in words, with the row behind it, as it is named.
func (r *Record) translation(i int, name func(*ObjectInfo) string) string {
	text := r.NAT[i].String()
	if o := r.binding(i); o != nil {
		text += " by " + name(o)
	}
	if d := r.translator(i); d != nil && d.Stale != "" {
		text += " (stale: " + d.Stale + ")"
	}
	return text
}

// besides are what flows did to the packet beside conntrack's translations, or ought to have done.
func (r *Record) besides() (all []string) {
	for _, kind := range [...]string{why.Rerouted.String(), why.Marked.String()} {
		for i := 0; r.nth(i, kind) != nil; i++ {
			all = append(all, kind+" "+r.nth(i, kind).Text)
		}
	}
	if d := r.nth(0, why.Untranslated.String()); d != nil {
		text := "not translated back: " + d.Text
		if d.Stale != "" {
			text += " (stale: " + d.Stale + ")"
		}
		all = append(all, text)
	}
	return all
}

// lacking is the finding that the switch lacks logical flows of the packet's way, "" if there is none.
func (r *Record) lacking() string {
	lacking := 0
	for i := range r.Path {
		if r.Path[i].Lacking {
			lacking++
		}
	}
	if lacking == 0 {
		return ""
	}
	return fmt.Sprintf("finding: no OpenFlow flows of %d logical flows on its way", lacking)
}

// nth is the decision of some kinds with that number, nil if there are fewer.
func (r *Record) nth(n int, kinds ...string) *DecisionInfo {
	for i := range r.Decided {
		if !slices.Contains(kinds, r.Decided[i].Kind) {
			continue
		}
		if n == 0 {
			return &r.Decided[i]
		}
		n--
	}
	return nil
}

// TranslatedBy is the flow, or the row behind it, of the packet's translation with
// that number: "by load balancer …"; "" if none is known.
func (r *Record) TranslatedBy(n int) string {
	if d := r.translator(n); d != nil {
		return d.Text
	}
	return ""
}

// Untranslated says which binding an answer passed by, "" if it is none.
func (r *Record) Untranslated() string {
	if d := r.nth(0, why.Untranslated.String()); d != nil {
		return d.Text
	}
	return ""
}

// end is the decision by which the packet itself did not leave, nil if it did.
func (r *Record) end() *DecisionInfo {
	for _, kind := range [...]why.Kind{why.Dropped, why.Held, why.Answered, why.Taken, why.Unknown} {
		if d := r.nth(0, kind.String()); d != nil {
			return d
		}
	}
	return nil
}

// Fate says what became of the packet: where it left, what left in its place
// instead, or why nothing did.
func (r *Record) Fate() string {
	f := r.fate()
	return f.short + f.joint + f.more
}

// ending is what became of a packet: in a few words, and the rest of it.
type ending struct{ short, joint, more string }

// answered is the short ending of a packet in whose place OVN sent others.
const answered = "answered"

func (r *Record) fate() ending {
	d := r.end()
	switch {
	case d != nil && d.Kind == why.Held.String():
		return r.heldFate(d)
	case d != nil && d.Kind == why.Answered.String():
		if len(r.Outputs) == 0 {
			return ending{answered, ", ", d.Text}
		}
		return ending{answered, ": ", strings.TrimPrefix(inAnswer(r.Outputs, d), answered+": ")}
	case r.Unknown != nil && d != nil:
		return ending{r.Verdict, ": ", r.Unknown.Reason + "; " + d.Text}
	case r.Drop != nil:
		return r.dropFate(d)
	case len(r.Outputs) == 0 && d != nil:
		return ending{r.Verdict, ", ", d.Text}
	}
	return r.leftFate()
}

// leftFate is where a packet left, and what OVN answered to it beside that.
func (r *Record) leftFate() ending {
	f := ending{short: r.Verdict}
	sep := " to "
	var own []OutInfo
	for _, o := range r.Outputs {
		if o.Answer {
			own = append(own, o)
			continue
		}
		f.short += sep + o.to()
		sep = ", "
	}
	if d := r.nth(0, why.AlsoAnswered.String()); d != nil {
		f.joint, f.more = "; ", inAnswer(own, d)
	}
	return f
}

// inAnswer tells of what OVN answered to a packet, and by which flow.
func inAnswer(list []OutInfo, d *DecisionInfo) string {
	s := ""
	for _, o := range list {
		s += answered + ": " + o.Packet + ", delivered to " + o.to() + "; "
	}
	return strings.TrimSuffix(s, "; ") + ", " + d.Text
}

func (r *Record) heldFate(d *DecisionInfo) ending {
	f := ending{short: "held at " + cmp.Or(d.datapath, d.Datapath), joint: "; "}
	for i, o := range r.Outputs {
		f.joint = ": "
		f.more += [...]string{"", ", "}[min(i, 1)] + fmt.Sprintf("%s sent to %s (%s)", o.Packet, o.to(),
			cmp.Or(o.host, o.Chassis))
	}
	if f.more != "" {
		f.more += "; "
	}
	f.more += d.Text
	return f
}

func (r *Record) dropFate(d *DecisionInfo) ending {
	f := ending{short: r.Verdict, joint: ": ", more: r.Drop.Reason}
	if d == nil {
		if r.Drop.Stage != "" {
			f.short += " at " + r.Drop.Stage
		}
		return f
	}
	if r.Drop.Stage != "" {
		f.short += " at " + r.Drop.Stage
	}
	if d.Text != "" {
		f.more += ", " + d.Text
	}
	return f
}

// short names the row by what it was made for, if that is known, else by itself.
func (o *ObjectInfo) short() string {
	if o.Owner != "" {
		return o.Owner
	}
	return (&network.Object{Table: o.Table, UUID: o.UUID, Name: o.Name, Of: o.Of}).String()
}

// String names the row for people.
func (o *ObjectInfo) String() string {
	return (&network.Object{Table: o.Table, UUID: o.UUID, Name: o.Name, Of: o.Of, Text: o.Text,
		Owner: o.Owner}).String()
}
