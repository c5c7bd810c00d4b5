package replay

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Renderer writes what Record.Line and the JSON of a Record say, without making
// the Record: what packets share of their ways is spelled out once and copied.
// Packets that do not simply leave are few, or should be: for them the Record is
// made. Tests hold both to be the same.
type Renderer struct {
	Why *why.Explainer
	Hex bool // in JSON, the bytes of the packets that leave
	// Conn is, in JSON, the number of the packet's connection, 0 if it has none.
	Conn int

	paths        map[*trace.Path]*spelled
	words        []*spelled // of the packet's stretches, that short has met
	translations map[translation]*decided
	objects      *network.Objects // that translations are explained by
	scratch      Record           // the notes of a packet
	nats         []byte           // its translations
}

// translation is a flow that translates packets in a datapath, made of a row as that was at the moment.
type translation struct {
	flow     *network.Flow
	datapath int32
	object   *network.Object
}

// decided is a translation in words.
type decided struct {
	json []byte
	by   string // the row behind it, as Record.Line names it
}

// spelled is a path in words.
type spelled struct {
	json        []byte // elements of Record.Path
	stage, uuid string // of the last flow
	notes       []trace.Event
	decides     bool // a flow decides where the packet goes, or marks it
}

// maxSpelled bounds the paths that are kept in words.
const maxSpelled = 1 << 12

// short reports whether the Record need not be made.
func (r *Renderer) short(out *sim.Outcome) bool {
	if out.Verdict != sim.Delivered || why.Instead(out) || why.AnswersToo(out) || r.Why.Book.OpenFlow != nil {
		return false // OpenFlow notes what each packet met
	}
	if mayLackUndoing(out) {
		return false
	}
	r.Why.At(out.Of.Time)
	short, t := true, &out.Trace
	r.words = r.words[:0]
	r.steps(t, func(s *spelled) { short = short && !s.decides }, func(ev *trace.Event, _, _ string) {
		if ev.Kind == trace.NAT && r.Why.Stale(&t.NAT[ev.Arg], ev.Datapath, out.Of.Time) != "" {
			short = false
		}
	})
	return short
}

// mayLackUndoing reports whether a packet that left may answer a translated
// connection without having been translated back.
func mayLackUndoing(out *sim.Outcome) bool {
	for i := range out.Trace.NAT {
		if out.Trace.NAT[i].Undo {
			return false
		}
	}
	for i := range out.Trace.CT {
		if out.Trace.CT[i].State&(conntrack.Reply|conntrack.Invalid) == 0 {
			return false
		}
	}
	return true
}

func (r *Renderer) record(f *Frame, p *Point, capture string, out *sim.Outcome) *Record {
	of := NewRecord(r.Why, f, p, capture, out, r.Hex)
	of.Conn = r.Conn
	return of
}

// translation puts a translation in words, once.
func (r *Renderer) translation(flow, datapath int32) *decided {
	if r.objects != r.Why.Objects || r.translations == nil || len(r.translations) > maxSpelled {
		r.objects, r.translations = r.Why.Objects, map[translation]*decided{}
	}
	k := translation{datapath: datapath}
	if flow >= 0 {
		k.flow = r.Why.Book.Net.Flows[flow]
		k.object = r.Why.Object(k.flow)
	}
	x := r.translations[k]
	if x == nil {
		d := r.Why.Translation(flow, datapath)
		info := decisionInfo(&d)
		x = &decided{}
		x.json = marshal(info)
		if info.Object != nil {
			x.by = info.Object.String()
		}
		r.translations[k] = x
	}
	return x
}

func (r *Renderer) spell(path *trace.Path) *spelled {
	if s := r.paths[path]; s != nil {
		return s
	}
	if r.paths == nil || len(r.paths) >= maxSpelled {
		r.paths = map[*trace.Path]*spelled{}
	}
	s := &spelled{}
	events := path.Events()
	for i := range events {
		switch ev := &events[i]; ev.Kind {
		case trace.Match, trace.Miss:
			s.step(r.Why, ev)
		case trace.Note, trace.Learn, trace.Made:
			s.notes = append(s.notes, *ev)
		}
	}
	r.paths[path] = s
	return s
}

// step adds a table passed.
func (s *spelled) step(x *why.Explainer, ev *trace.Event) {
	w := recorder{book: x.Book, record: &Record{}}
	w.event(ev, false)
	p := &w.record.Path[0]
	if len(s.json) > 0 {
		s.json = append(s.json, ',')
	}
	s.json = append(s.json, marshal(p)...)
	s.stage, s.uuid = p.Stage, p.Flow
	if ev.Flow >= 0 {
		f := x.Book.Net.Flows[ev.Flow]
		_, marks := x.Marks(f)
		_, rewrites := x.Rewrites(f)
		s.decides = s.decides || marks || rewrites || x.Reroutes(f)
	}
}

// steps calls words with each stretch of the packet's way in words, and event with
// each of its own events and the stage and flow they belong to. What short has put in
// words is not looked for again.
func (r *Renderer) steps(t *trace.Trace, words func(*spelled), event func(ev *trace.Event, stage, uuid string)) {
	stage, uuid := "", ""
	met := 0
	t.Parts(func(_ int, path *trace.Path, own []trace.Event) {
		if path != nil {
			if met == len(r.words) {
				r.words = append(r.words, r.spell(path))
			}
			s := r.words[met]
			met++
			if s.json != nil {
				stage, uuid = s.stage, s.uuid
			}
			words(s)
			for i := range s.notes {
				ev := &s.notes[i]
				f := r.Why.Book.Net.Flows[ev.Flow]
				event(ev, r.Why.Book.StageName(ev.Flow, f.Table), f.UUID)
			}
			return
		}
		for i := range own {
			ev := &own[i]
			if ev.Kind == trace.Match || ev.Kind == trace.Miss {
				s := &spelled{}
				s.step(r.Why, ev)
				stage, uuid = s.stage, s.uuid
				words(s)
				continue
			}
			if !told(ev.Kind) {
				continue
			}
			at, of := stage, uuid
			if at == "" {
				at = r.Why.Book.StageName(-1, ev.Table)
			}
			if ev.Flow >= 0 {
				f := r.Why.Book.Net.Flows[ev.Flow]
				at, of = r.Why.Book.StageName(ev.Flow, f.Table), f.UUID
			}
			event(ev, at, of)
		}
	})
}

// told reports whether a Record tells of events of a kind, beside its Path.
func told(k trace.Kind) bool {
	switch k {
	case trace.CT, trace.NAT, trace.Broken, trace.Note, trace.Learn, trace.Made, trace.Gone:
		return true
	}
	return false
}

// AppendLine appends what Record.Line returns.
func (r *Renderer) AppendLine(b []byte, f *Frame, p *Point, capture string, out *sim.Outcome) []byte {
	if !r.short(out) {
		return append(b, r.record(f, p, capture, out).Line()...)
	}
	t := &out.Trace
	from := len(b)
	b = appendTimestamp(b, f.Time)
	b = append(b[:len(b)-len("2006-01-02T15:04:05.000000000Z")], b[len(b)-len("15:04:05.000000000Z"):len(b)-4]...)
	b = append(append(append(b, ' '), capture...), ':')
	b = strconv.AppendInt(b, int64(f.Number), 10)
	b = append(append(append(b, ' '), p.Called()...), ' ')
	b = f.Headers().AppendDescription(b, f.Data)
	for i := range t.NAT {
		n := &t.NAT[i]
		b = append(append(append(b, " | "...), n.Name()...), ' ')
		b = n.AppendEnds(b)
		if d := r.translation(n.Flow, 0); d.by != "" && !n.Undo {
			b = append(append(b, " by "...), d.by...)
		}
	}
	if f.Inferred && f.Why != "" {
		b = append(append(b, " | inferred: "...), f.Why...)
	}
	b = append(append(b, " | "...), out.Verdict.String()...)
	for i := range out.Outputs {
		sep := " to "
		if i > 0 {
			sep = ", "
		}
		b = append(append(b, sep...), out.Outputs[i].Port.Called()...)
	}
	if t.Noted() {
		for _, n := range r.noted(t) {
			b = append(append(append(b, " ("...), n.Reason...), ')')
		}
	}
	return printable.Append(b[:from], b[from:])
}

// noted are the notes of a Record.
func (r *Renderer) noted(t *trace.Trace) []NoteInfo {
	w := recorder{book: r.Why.Book, record: &r.scratch, trace: t}
	r.scratch.Notes, r.scratch.CT = r.scratch.Notes[:0], r.scratch.CT[:0]
	r.steps(t, func(*spelled) {}, func(ev *trace.Event, stage, uuid string) {
		switch ev.Kind {
		case trace.CT:
			c := &t.CT[ev.Arg] // what a note may name
			r.scratch.CT = append(r.scratch.CT, CTInfo{ZoneName: w.book.Zone(c.Chassis, c.Zone)})
		case trace.Broken, trace.Note, trace.Learn, trace.Made, trace.Gone:
			w.noted(ev, stage, uuid)
		}
	})
	return r.scratch.Notes
}

func appendLabel(b []byte, l conntrack.Label) []byte {
	if l == (conntrack.Label{}) {
		return append(b, "0x0"...)
	}
	return append(b, trace.LabelString(l)...)
}

// AppendJSON appends a Record as JSON, without a line's end.
func (r *Renderer) AppendJSON(b []byte, f *Frame, p *Point, capture string, out *sim.Outcome) []byte {
	if !r.short(out) {
		return append(b, marshal(r.record(f, p, capture, out))...)
	}
	b = strconv.AppendInt(append(b, `{"version":`...), FormVersion, 10)
	b = strconv.AppendInt(append(b, `,"frame":`...), int64(f.Number), 10)
	b = appendTimestamp(append(b, `,"time":"`...), f.Time)
	b = appendString(append(b, `","capture":`...), capture)
	b = appendString(append(b, `,"inport":`...), p.Name())
	b = appendString(append(b, `,"chassis":`...), p.Chassis.Name)
	b = appendDescription(append(b, `,"packet":`...), f.Headers(), f.Data)
	if r.Conn != 0 {
		b = strconv.AppendInt(append(b, `,"conn":`...), int64(r.Conn), 10)
	}
	b = appendString(append(b, `,"verdict":`...), out.Verdict.String())
	b = r.appendDecided(b, &out.Trace)
	b = append(b, `,"outputs":[`...)
	for i := range out.Outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.appendOutput(b, &out.Outputs[i])
	}
	b = r.appendWayJSON(append(b, ']'), &out.Trace, f)
	return append(b, '}')
}

// appendDecided appends the translations.
func (r *Renderer) appendDecided(b []byte, t *trace.Trace) []byte {
	if len(t.NAT) == 0 {
		return b
	}
	b = append(b, `,"decided":[`...)
	n := 0
	r.steps(t, func(*spelled) {}, func(ev *trace.Event, _, _ string) {
		if ev.Kind != trace.NAT {
			return
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(b, r.translation(t.NAT[ev.Arg].Flow, ev.Datapath).json...)
	})
	return append(b, ']')
}

func (r *Renderer) appendOutput(b []byte, o *sim.Output) []byte {
	b = appendString(append(b, `{"port":`...), o.Port.Name)
	b = appendString(append(b, `,"chassis":`...), o.Chassis.Name)
	b = strconv.AppendInt(append(b, `,"bytes":`...), int64(o.Wire), 10)
	b = appendDescription(append(b, `,"packet":`...), o.Headers(), o.Data)
	if o.Guess {
		b = append(b, `,"guessed":true`...)
	}
	if o.Made {
		b = append(b, `,"made":true`...)
	}
	if r.Hex && len(o.Data) > 0 {
		b = append(hex.AppendEncode(append(b, `,"hex":"`...), o.Data), '"')
	}
	return append(b, '}')
}

// appendWayJSON appends the members of a Record that are about the packet's way.
func (r *Renderer) appendWayJSON(b []byte, t *trace.Trace, f *Frame) []byte {
	nats := r.nats[:0]
	b = append(b, `,"ct":[`...)
	start := len(b)
	r.steps(t, func(*spelled) {}, func(ev *trace.Event, stage, uuid string) {
		switch ev.Kind {
		case trace.CT:
			if len(b) > start {
				b = append(b, ',')
			}
			b = r.appendCTJSON(b, &t.CT[ev.Arg], stage, uuid)
		case trace.NAT:
			if len(nats) > 0 {
				nats = append(nats, ',')
			}
			nats = appendNATJSON(nats, &t.NAT[ev.Arg], stage, uuid)
		}
	})
	r.nats = nats
	b = append(append(b, `],"nat":[`...), nats...)
	b = append(b, `],"path":[`...)
	start = len(b)
	r.steps(t, func(s *spelled) {
		if len(s.json) == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, s.json...)
	}, func(*trace.Event, string, string) {})
	b = append(b, ']')
	if f.Inferred && f.Why != "" {
		b = appendString(append(b, `,"inferred":`...), f.Why)
	}
	if !t.Noted() {
		return b
	}
	if notes := r.noted(t); len(notes) > 0 {
		b = append(append(b, `,"notes":`...), marshal(notes)...)
	}
	return b
}

func (r *Renderer) appendCTJSON(b []byte, s *trace.CTStep, stage, uuid string) []byte {
	b = appendString(append(b, `{"chassis":`...), r.Why.Book.Net.Chassis[s.Chassis].Name)
	b = strconv.AppendUint(append(b, `,"zone":`...), uint64(s.Zone), 10)
	b = appendString(append(b, `,"zone_name":`...), r.Why.Book.Zone(s.Chassis, s.Zone))
	b = appendString(append(b, `,"state":`...), trace.StateString(s.State))
	if s.Connected {
		b = appendTupleJSON(append(b, `,"original":`...), &s.Orig)
		b = appendTupleJSON(append(b, `,"reply":`...), &s.Reply)
	}
	b = strconv.AppendUint(append(b, `,"mark":`...), uint64(s.Mark), 10)
	b = append(appendLabel(append(b, `,"label":"`...), s.Label), '"')
	if s.Created {
		b = append(b, `,"created":true`...)
	}
	b = appendString(append(b, `,"stage":`...), stage)
	return append(appendString(append(b, `,"flow":`...), uuid), '}')
}

func appendTupleJSON(b []byte, t *nat.Tuple) []byte {
	b = appendString(append(b, `{"proto":`...), packet.ProtoName(t.Proto))
	b = t.SrcAddr().AppendTo(append(b, `,"src":"`...))
	b = t.DstAddr().AppendTo(append(b, `","dst":"`...))
	b = strconv.AppendUint(append(b, `","sport":`...), uint64(t.SrcPort), 10)
	b = strconv.AppendUint(append(b, `,"dport":`...), uint64(t.DstPort), 10)
	return append(b, '}')
}

func appendNATJSON(b []byte, s *trace.NATStep, stage, uuid string) []byte {
	b = append(append(b, `{"kind":"`...), s.Name()...)
	b = append(append(b, `","field":"`...), s.Field()...)
	b = s.AppendFrom(append(b, `","from":"`...))
	b = s.AppendTo(append(b, `","to":"`...))
	b = appendString(append(b, `","stage":`...), stage)
	return append(appendString(append(b, `,"flow":`...), uuid), '}')
}

// appendTimestamp appends what Timestamp returns.
func appendTimestamp(b []byte, t conntrack.Time) []byte {
	return time.Unix(0, int64(t)).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
}

func appendDescription(b []byte, h *packet.Headers, frame []byte) []byte {
	var room [128]byte
	return appendText(b, h.AppendDescription(room[:0], frame))
}

// appendString appends a string as encoding/json writes it.
func appendString(b []byte, s string) []byte { return appendText(b, s) }

func appendText[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return append(b, marshal(string(s))[1:]...)
		}
	}
	return append(append(b, s...), '"')
}

// marshal is how run --json writes values: as encoding/json does, but <, > and &
// are themselves.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		panic("no such value is encoded here") // structs of strings and numbers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
