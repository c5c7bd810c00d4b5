package annotate

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// teller puts a packet's fate into lines. Its buffers are used again for each.
type teller struct {
	book *trace.Book
	why  *why.Explainer

	out      *sim.Outcome
	verdict  sim.Verdict
	end      *why.Decision // by which the packet did not leave; nil if it did
	briefs   map[*trace.Path][]int32
	from     []byte // lines on where the packet is from, which its outputs have too
	called   []byte // lines on what people call its ports
	inCalled []byte // and those of them on the one where it entered
	beside   []byte // lines on what else flows did to it, or ought to have done
	nat, ct  []byte // lines
	acl      []byte
	notes    []byte
	chassis  []byte // values
	hosts    []byte // the chassis as people call them
	path     []byte
	conn     int
	flow     *trace.Event // of the flow that decided, nil: none

	// While a trace is read: the flow met last, and where the packet was.
	last   *trace.Event
	on, dp int32

	deeds   map[doer]deed
	objects *network.Objects // of which deeds tell

	value  []byte
	line   []byte
	all    []byte
	branch []int
}

// read takes in what became of a frame.
func (t *teller) read(f *replay.Frame, p *replay.Point, name string, out *sim.Outcome) {
	t.out = out
	for _, b := range []*[]byte{&t.from, &t.nat, &t.ct, &t.acl, &t.notes, &t.chassis, &t.hosts, &t.path, &t.beside} {
		*b = (*b)[:0]
	}
	t.flow, t.last, t.on, t.dp = nil, nil, -1, -1
	t.come(int32(p.Chassis.Index))
	out.Trace.Parts(func(first int, path *trace.Path, own []trace.Event) {
		for i := range own {
			t.event(&own[i], first+i)
		}
		if path != nil {
			events := path.Events()
			for _, i := range t.brief(path) {
				t.event(&events[i], first+int(i))
			}
		}
	})
	t.decide()
	t.origin(f, p, name)
}

// event takes in an event, the trace's i-th.
func (t *teller) event(ev *trace.Event, i int) {
	out := t.out
	switch ev.Kind {
	case trace.Enter, trace.Match, trace.Miss:
		t.come(ev.Chassis)
		if ev.Datapath != t.dp {
			t.dp = ev.Datapath
			t.path = appendStep(t.path, t.book.Net.Datapaths[t.dp].Name)
		}
		if ev.Kind != trace.Enter {
			t.last = ev
			t.match(ev)
			t.rewrite(ev)
			t.diverts(ev)
		}
	case trace.CT:
		t.track(&out.Trace.CT[ev.Arg])
	case trace.NAT:
		t.translate(&out.Trace.NAT[ev.Arg], ev, t.last)
	case trace.Broken:
		t.leftOut(ev)
	case trace.Gone:
		t.notes = t.once(t.notes, "note", appendClean(append(t.value[:0], "stale: "...), out.Trace.Texts[ev.Arg]))
	case trace.Note, trace.Learn, trace.Made:
		if ev.Reason == trace.GoesOn {
			t.come(ev.Chassis) // where it was held
		}
		t.note(ev, t.last)
	}
	if out.Verdict != sim.Dropped && out.Verdict != sim.Unknown || out.DropAt < 0 || i <= out.DropAt {
		t.flow = t.last
	}
}

// come notes the chassis where the packet is.
func (t *teller) come(chassis int32) {
	if chassis != t.on {
		t.on = chassis
		t.chassis = appendStep(t.chassis, t.book.Net.Chassis[chassis].Name)
		t.hosts = appendStep(t.hosts, t.book.Net.Chassis[chassis].Host())
	}
}

// maxBriefs bounds the paths of which is remembered what there is to tell of them.
const maxBriefs = 1 << 12

// brief returns which events of a path make a difference to what is told: those
// that event tells of, and of the flows the last one before each of these.
func (t *teller) brief(path *trace.Path) []int32 {
	if list, ok := t.briefs[path]; ok {
		return list
	}
	if t.briefs == nil || len(t.briefs) >= maxBriefs {
		t.briefs = map[*trace.Path][]int32{}
	}
	list := []int32{}
	events, on, dp, last := path.Events(), int32(-1), int32(-1), int32(-1)
	for i := range events {
		ev := &events[i]
		tells := false
		switch ev.Kind {
		case trace.Enter, trace.Match, trace.Miss:
			tells = ev.Chassis != on || ev.Datapath != dp || t.acls(ev) || t.bears(ev) || ev.Kind == trace.Enter
			on, dp = ev.Chassis, ev.Datapath
		case trace.CT, trace.NAT, trace.Broken, trace.Note, trace.Learn, trace.Made, trace.Drop:
			tells = true
		}
		if tells && last >= 0 {
			list, last = append(list, last), -1
		}
		switch {
		case tells:
			list = append(list, int32(i))
		case ev.Kind == trace.Match || ev.Kind == trace.Miss:
			last = int32(i)
		}
	}
	if last >= 0 {
		list = append(list, last)
	}
	t.briefs[path] = list
	return list
}

// decide finds why the packet itself did not leave. What OVN made of it may
// have left instead.
func (t *teller) decide() {
	t.verdict, t.end = t.out.Verdict, nil
	made := t.verdict != sim.Delivered
	for i := range t.out.Outputs {
		made = made || t.out.Outputs[i].Made
	}
	if !made && !why.Instead(t.out) {
		if d, ok := t.why.Untranslated(t.out); ok {
			t.passedBy(&d)
		}
		return
	}
	list := t.why.Decide(t.out)
	if n := len(list); n > 0 {
		switch d := &list[n-1]; d.Kind {
		case why.Answered, why.Held:
			t.verdict, t.end = sim.Consumed, d
		case why.Dropped, why.Taken, why.Unknown:
			t.end = d
		case why.Untranslated:
			t.passedBy(d)
		}
	}
}

// entered returns the comment of the packet itself.
func (t *teller) entered() []byte {
	t.all = t.all[:0]
	t.value = t.value[:0]
	t.judge()
	t.say("ovn-replay")
	t.reason()
	for i := range t.out.Outputs {
		t.call(t.out.Outputs[i].Port)
	}
	t.all = append(append(t.all, t.from...), t.called...)
	t.value = append(t.value[:0], t.chassis...)
	t.say("chassis")
	if !bytes.Equal(t.chassis, t.hosts) {
		t.value = append(t.value[:0], t.hosts...)
		t.say("host")
	}
	t.all = append(append(append(t.all, t.nat...), t.beside...), t.ct...)
	t.connection()
	t.all = append(append(t.all, t.acl...), t.notes...)
	t.value = append(t.value[:0], t.path...)
	t.say("path")
	t.decider()
	return t.all
}

// output returns the comment of a packet that leaves: where it comes from, and
// how it was translated. The rest is at the packet it comes from.
func (t *teller) output(o *sim.Output) []byte {
	t.all = t.all[:0]
	t.value = appendClean(append(t.value[:0], "predicted output at "...), o.Port.Name)
	t.say("ovn-replay")
	t.called = append(t.called[:0], t.inCalled...)
	t.call(o.Port)
	t.all = append(append(t.all, t.from...), t.called...)
	t.at(o.Chassis)
	if o.Made {
		t.all = append(t.all, "note: ovn-controller made it\n"...)
	} else {
		if len(t.out.Outputs) > 1 {
			t.translated(o.Event)
		}
		t.all = append(t.all, t.nat...)
	}
	if o.Guess {
		t.all = append(t.all, "note: a choice on its way was guessed\n"...)
	}
	t.connection()
	return t.all
}

// hop returns the comment of the packet as it comes to a datapath.
func (t *teller) hop(h *sim.Hop) []byte {
	t.all = t.all[:0]
	t.value = appendClean(append(t.value[:0], "hop at "...), h.Port.Name)
	t.value = appendClean(append(t.value, " of "...), h.Port.Datapath.Name)
	t.say("ovn-replay")
	t.all = append(append(t.all, t.from...), t.inCalled...)
	t.at(h.Chassis)
	t.connection()
	return t.all
}

// at says on which chassis the packet is.
func (t *teller) at(c *network.Chassis) {
	t.value = appendClean(t.value[:0], c.Name)
	t.say("chassis")
	if c.Host() != c.Name {
		t.value = appendClean(t.value[:0], c.Host())
		t.say("host")
	}
}

// passed returns the comment of a frame that did not enter.
func (t *teller) passed(f *replay.Frame, p *replay.Point, name string) []byte {
	t.all, t.from = t.all[:0], t.from[:0]
	t.value = append(t.value[:0], "observed"...)
	t.say("ovn-replay")
	t.origin(f, p, name)
	t.all = append(append(t.all, t.from...), t.called...)
	return t.all
}

// say appends the value as lines of a key.
func (t *teller) say(key string) {
	if len(t.value) > 0 {
		t.all = appendWrapped(t.all, key, t.value, "\n")
	}
}

// judge makes the verdict the value.
func (t *teller) judge() {
	b := t.value
	switch t.verdict {
	case sim.Delivered:
		b = append(b, "delivered"...)
		for i := range t.out.Outputs {
			sep := ", "
			if i == 0 {
				sep = " to "
			}
			b = appendClean(append(b, sep...), t.out.Outputs[i].Port.Name)
		}
	case sim.Consumed:
		b = append(b, "consumed"...)
	case sim.Unknown:
		b = append(b, "not known"...)
	default:
		b = append(b, "dropped"...)
	}
	t.value = b
}

// reason says why nothing left.
func (t *teller) reason() {
	switch t.verdict {
	case sim.Consumed:
		t.value = append(t.value[:0], t.consumer()...)
		if t.end != nil && t.end.At != "" {
			t.value = appendClean(append(t.value, " at "...), t.end.At)
		}
		t.say("consumed")
		for i := range t.out.Outputs {
			o := &t.out.Outputs[i]
			b := appendClean(t.value[:0], packet.Describe(o.Data))
			t.value = appendClean(append(b, " to "...), o.Port.Name)
			t.say("answered")
		}
	case sim.Dropped, sim.Unknown:
		b := t.value[:0]
		switch {
		case t.end != nil && t.end.At != "":
			b = append(appendClean(b, t.end.At), ": "...)
		case t.flow != nil:
			b = append(t.stage(b, t.flow), ": "...)
		}
		if why := t.out.Drop; why == trace.DropNoAction && t.end != nil && t.end.Text != "" {
			b = append(b, trace.DropAction.String()...) // by which flow is told
		} else {
			b = append(b, why.String()...)
		}
		if t.flow != nil && t.flow.Flow >= 0 {
			b = appendFlow(b, t.book.Net.Flows[t.flow.Flow])
		}
		t.value = b
		if t.verdict == sim.Unknown {
			t.say("unknown")
		} else {
			t.say("drop")
		}
	}
	if t.end != nil && t.end.Text != "" {
		t.value = appendClean(t.value[:0], t.end.Text)
		t.say("decided")
	}
}

// call adds what people call a port, where that is not its name, to the lines on that.
func (t *teller) call(p *network.Port) {
	if p == nil || p.Called() == p.Name {
		return
	}
	b := appendClean(t.value[:0], p.Name)
	t.called = t.once(t.called, "called", appendClean(append(b, " is "...), p.Called()))
}

// consumer says why ovn-controller has the packet.
func (t *teller) consumer() string {
	events := t.out.Trace.Events()
	for i := range events {
		ev := &events[i]
		if ev.Kind == trace.Drop && (ev.Reason == trace.DropConsumed || ev.Reason == trace.DropWaits ||
			ev.Reason == trace.DropFragment) {
			return ev.Reason.String()
		}
	}
	return trace.DropConsumed.String()
}

// origin says where the packet is from.
func (t *teller) origin(f *replay.Frame, p *replay.Point, name string) {
	b := appendClean(t.value[:0], name)
	b = strconv.AppendInt(append(b, ':'), int64(f.Number), 10)
	b = append(b, " at "...)
	t.value = appendClean(b, p.Name())
	t.from = appendWrapped(t.from, "from", t.value, "\n")
	t.called = t.called[:0]
	t.call(p.Port)
	t.inCalled = append(t.inCalled[:0], t.called...)
	if f.Inferred {
		t.value = appendClean(t.value[:0], f.Why)
		t.from = appendWrapped(t.from, "inferred", t.value, "\n")
	}
}

func (t *teller) connection() {
	if t.conn != 0 {
		t.value = strconv.AppendInt(t.value[:0], int64(t.conn), 10)
		t.say("conn")
	}
}

// match notes the flow of an ACL: of those of its stages, such alone have the
// UUID of a northbound row.
func (t *teller) match(ev *trace.Event) {
	if !t.acls(ev) {
		return
	}
	f := t.book.Net.Flows[ev.Flow]
	b := t.stage(t.value[:0], ev)
	b = append(b, " priority "...)
	b = strconv.AppendUint(b, uint64(f.Priority), 10)
	b = appendFlow(b, f)
	b = appendClean(append(b, ": "...), f.Match[:min(len(f.Match), maxMatch)])
	if len(f.Match) > maxMatch {
		b = append(b, "..."...)
	}
	t.acl = t.once(t.acl, "acl", b)
}

// acls reports whether an event is that the flow of an ACL matched.
func (t *teller) acls(ev *trace.Event) bool {
	if ev.Kind != trace.Match {
		return false
	}
	f := t.book.Net.Flows[ev.Flow]
	return f.StageHint != "" && (strings.HasPrefix(f.Stage, "ls_in_acl") || strings.HasPrefix(f.Stage, "ls_out_acl"))
}

// maxMatch is how much of a match is worth a comment.
const maxMatch = 240

// once adds a value as lines of a key unless they are there.
func (t *teller) once(lines []byte, key string, value []byte) []byte {
	t.value = value
	t.line = appendWrapped(t.line[:0], key, value, "\n")
	return appendOnce(lines, t.line)
}

func (t *teller) track(s *trace.CTStep) {
	b := append(t.value[:0], "zone "...)
	b = strconv.AppendUint(b, uint64(s.Zone), 10)
	if name := t.book.Zone(s.Chassis, s.Zone); name != "" {
		b = append(appendClean(append(b, " ("...), name), ')')
	}
	b = append(b, ' ')
	b = appendState(b, s.State)
	if connected(s) {
		b = appendTuple(append(b, " orig "...), &s.Orig)
	}
	if s.Connected {
		b = appendTuple(append(b, " reply "...), &s.Reply)
	}
	if s.Mark != 0 || s.Label != (conntrack.Label{}) {
		b = strconv.AppendUint(append(b, " mark 0x"...), uint64(s.Mark), 16)
		b = append(append(b, " label "...), trace.LabelString(s.Label)...)
	}
	t.ct = t.once(t.ct, "ct", b)
}

func (t *teller) translate(s *trace.NATStep, ev, flow *trace.Event) {
	b := append(t.value[:0], s.Name()...)
	if s.Dst {
		b = appendEndpoint(append(b, " dst "...), s.From.DstAddr(), s.From.DstPort, &s.From)
		b = appendEndpoint(append(b, " -> "...), s.To.DstAddr(), s.To.DstPort, &s.To)
	} else {
		b = appendEndpoint(append(b, " src "...), s.From.SrcAddr(), s.From.SrcPort, &s.From)
		b = appendEndpoint(append(b, " -> "...), s.To.SrcAddr(), s.To.SrcPort, &s.To)
	}
	b = t.appendAt(b, ev, flow)
	if t.stale(s, ev) {
		b = append(b, " by its connection, which keeps it"...) // a note says what is gone
	} else if s.Flow >= 0 {
		b = appendBy(b, t.deed(t.book.Net.Flows[s.Flow], ev.Datapath).row)
	}
	t.nat = t.once(t.nat, "nat", b)
}

// stale reports whether a translation uses what the network no longer has.
func (t *teller) stale(s *trace.NATStep, ev *trace.Event) bool {
	if t.why.Conntrack == nil {
		return t.out.Trace.Said(trace.Outlived, int(ev.Arg)) != ""
	}
	return t.why.Stale(s, ev.Datapath, t.out.Of.Time) != ""
}

// rewrites reports whether an event is that a flow of a stateless NAT row matched.
func (t *teller) rewrites(ev *trace.Event) bool {
	if ev.Kind != trace.Match {
		return false
	}
	_, rewrites := t.why.Rewrites(t.book.Net.Flows[ev.Flow])
	return rewrites
}

// rewrite tells of a translation without conntrack.
func (t *teller) rewrite(ev *trace.Event) {
	if !t.rewrites(ev) {
		return
	}
	r, _ := t.why.Rewrites(t.book.Net.Flows[ev.Flow])
	from, to := r.Ends()
	b := append(append(t.value[:0], r.Name()...), [...]string{" src ", " dst "}[b2i(r.Dst)]...)
	if from != "" {
		b = append(append(b, from...), ' ')
	}
	b = append(append(b, "-> "...), to...)
	b = t.appendAt(b, ev, nil)
	t.nat = t.once(t.nat, "nat", appendBy(b, t.deed(t.book.Net.Flows[ev.Flow], ev.Datapath).row))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// translated makes the lines on translations those on the way to an event: of
// copies of a packet each has its own.
func (t *teller) translated(event int) {
	t.nat, t.branch = t.nat[:0], t.branch[:0]
	events := t.out.Trace.Events()
	for i, depth := event, math.MaxInt; i >= 0; i-- {
		ev := &events[i]
		if int(ev.Depth) > depth {
			continue
		}
		t.branch = append(t.branch, i)
		if depth = int(ev.Depth); ev.Kind == trace.Member {
			depth--
		}
	}
	var flow *trace.Event
	for _, i := range slices.Backward(t.branch) {
		switch ev := &events[i]; ev.Kind {
		case trace.Match, trace.Miss:
			flow = ev
			t.rewrite(ev)
		case trace.NAT:
			t.translate(&t.out.Trace.NAT[ev.Arg], ev, flow)
		}
	}
}

func (t *teller) note(ev, flow *trace.Event) {
	t.notes = t.once(t.notes, "note", t.appendAt(append(t.value[:0], ev.Reason.String()...), ev, flow))
}

// leftOut notes a flow that does not compile.
func (t *teller) leftOut(ev *trace.Event) {
	b := appendClean(append(t.value[:0], "left out: "...), t.out.Trace.Texts[ev.Arg])
	t.notes = t.once(t.notes, "note", t.appendAt(b, ev, nil))
}

// appendAt appends the stage and flow of an event, else of the last that matched.
func (t *teller) appendAt(b []byte, ev, flow *trace.Event) []byte {
	if ev.Flow < 0 && flow != nil {
		ev = flow
	}
	b = t.stage(append(b, " at "...), ev)
	if ev.Flow >= 0 {
		b = appendFlow(b, t.book.Net.Flows[ev.Flow])
	}
	return b
}

func (t *teller) stage(b []byte, ev *trace.Event) []byte {
	if ev.Flow >= 0 {
		f := t.book.Net.Flows[ev.Flow]
		if f.Stage != "" {
			return appendClean(b, f.Stage)
		}
		return strconv.AppendUint(append(b, "table "...), uint64(f.Table), 10)
	}
	if name := t.book.MissedStage(ev); name != "" {
		return appendClean(b, name)
	}
	return strconv.AppendUint(append(b, "table "...), uint64(ev.Table), 10)
}

// decider says which flow decided.
func (t *teller) decider() {
	if t.flow == nil {
		return
	}
	ev := t.flow
	if t.end != nil && t.end.Flow != nil {
		f := t.end.Flow
		b := appendClean(t.value[:0], f.UUID)
		b = appendClean(append(b, ' '), t.end.Datapath.Name)
		b = strconv.AppendUint(append(b, " table "...), uint64(f.Table), 10)
		t.value = appendClean(append(b, ' '), f.StageName())
		t.say("flow")
		return
	}
	b := append(t.value[:0], "none"...)
	if ev.Flow >= 0 {
		b = appendClean(b[:0], t.book.Net.Flows[ev.Flow].UUID)
	}
	b = appendClean(append(b, ' '), t.book.Net.Datapaths[ev.Datapath].Name)
	b = strconv.AppendUint(append(b, " table "...), uint64(ev.Table), 10)
	t.value = t.stage(append(b, ' '), ev)
	t.say("flow")
}

func appendFlow(b []byte, f *network.Flow) []byte {
	return append(appendClean(append(b, " (flow "...), f.UUID), ')')
}

// appendStep appends a name to a way: "a > b".
func appendStep(b []byte, name string) []byte {
	if len(b) > 0 {
		b = append(b, " > "...)
	}
	return appendClean(b, name)
}

func appendState(b []byte, s conntrack.State) []byte { return append(b, states[uint8(s)]...) }

// states are the texts of ct_state.
var states = func() (out [256]string) {
	for i := range out {
		out[i] = trace.StateString(conntrack.State(i))
	}
	return out
}()

func appendTuple(b []byte, t *nat.Tuple) []byte {
	b = append(append(b, packet.ProtoName(t.Proto)...), ' ')
	b = appendEndpoint(b, t.SrcAddr(), t.SrcPort, t)
	return appendEndpoint(append(b, " > "...), t.DstAddr(), t.DstPort, t)
}

func appendEndpoint(b []byte, a netip.Addr, port uint16, t *nat.Tuple) []byte {
	if t.HasPorts() {
		return netip.AddrPortFrom(a, port).AppendTo(b)
	}
	b = a.AppendTo(b)
	if port != 0 {
		b = strconv.AppendUint(append(b, " id "...), uint64(port), 10)
	}
	return b
}

// connected reports whether a pass through conntrack found or made an entry.
func connected(s *trace.CTStep) bool {
	return s.Connected || s.Created || s.State&(conntrack.Established|conntrack.Related) != 0
}
