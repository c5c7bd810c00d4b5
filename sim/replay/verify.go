package replay

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// Report is the result of a verification; its JSON form is what verify --json prints.
type Report struct {
	Packets    int    `json:"packets"`
	Entered    int    `json:"entered"`
	Observed   int    `json:"observed"`
	Matched    int    `json:"matched"`
	Autonomous int    `json:"autonomous"`
	Guessed    int    `json:"guessed"`
	Mismatched []Item `json:"mismatched"`
	Missing    []Item `json:"missing"`
	Unexpected []Item `json:"unexpected"`
	Skipped    []Item `json:"skipped,omitempty"`
}

// OK reports whether everything observed was predicted, and nothing else was.
func (r *Report) OK() bool {
	return len(r.Mismatched)+len(r.Missing)+len(r.Unexpected) == 0 &&
		r.Matched+r.Autonomous == r.Observed
}

// Item is one packet that verification has something to say about.
type Item struct {
	Capture string         `json:"capture"`
	Frame   int            `json:"frame"`
	Port    string         `json:"port"`
	Chassis string         `json:"chassis,omitempty"`
	Time    conntrack.Time `json:"time"`
	Reason  string         `json:"reason,omitempty"`
	From    *Origin        `json:"from,omitempty"` // the injected packet that predicted it
	Fields  []Difference   `json:"fields,omitempty"`
	Flow    *FlowRef       `json:"flow,omitempty"` // where predicted and observed first part
	Packet  string         `json:"packet"`         // one line
	Hex     string         `json:"hex,omitempty"`
}

// Origin is the captured frame a prediction came from.
type Origin struct {
	Capture string `json:"capture"`
	Frame   int    `json:"frame"`
	Port    string `json:"port"`
}

// Difference is a field whose predicted and observed values differ.
type Difference struct {
	Field     string `json:"field"`
	Old       string `json:"old,omitempty"` // as the packet entered
	Predicted string `json:"predicted"`
	Observed  string `json:"observed"`
	Flow      string `json:"flow,omitempty"` // UUID of the logical flow that last set it
	Stage     string `json:"stage,omitempty"`
}

// FlowRef names a logical flow.
type FlowRef struct {
	UUID     string `json:"uuid"`
	Datapath string `json:"datapath"`
	Stage    string `json:"stage"`
}

// Verifier is a Handler that holds predictions against observations.
//
// Two frames at one point match if they are the same bytes (as far as the
// capture holds them) and the same length. Which came first does not matter:
// clocks of captures differ.
type Verifier struct {
	Report Report

	engine   *sim.Engine
	captures []string // file names, by capture index
	points   map[pointKey]bool
	waiting  map[waitKey][]*waiter
	order    []*waiter
	auto     *autonomous
	seed     maphash.Seed
}

type pointKey struct{ port, chassis int }

type waitKey struct {
	point pointKey
	hash  uint64
}

// waiter is a prediction or an observation that has found no partner yet.
type waiter struct {
	predicted bool
	done      bool
	capture   int
	number    int
	time      conntrack.Time
	point     pointKey
	data      []byte
	wire      int
	guess     bool
	seen      bool

	// Predictions only.
	origin   Origin
	original []byte
	flows    []int32
}

// NewVerifier returns a verifier for a session with the given points.
func NewVerifier(e *sim.Engine, points []*Point, captures []string) *Verifier {
	v := &Verifier{
		engine: e, captures: captures, points: map[pointKey]bool{},
		waiting: map[waitKey][]*waiter{}, auto: newAutonomous(e.Net), seed: maphash.MakeSeed(),
	}
	v.Report.Mismatched, v.Report.Missing, v.Report.Unexpected = []Item{}, []Item{}, []Item{}
	for _, p := range points {
		v.points[keyOf(p.Port, p.Chassis)] = true
		for _, c := range p.Port.Containers {
			v.points[keyOf(c, p.Chassis)] = true
		}
	}
	return v
}

func keyOf(p *network.Port, c *network.Chassis) pointKey { return pointKey{p.Index, c.Index} }

// Entered implements Handler.
func (v *Verifier) Entered(f *Frame, p *Point, out *sim.Outcome) {
	if !out.Late {
		v.Report.Packets++
		v.Report.Entered++
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		k := keyOf(o.Port, o.Chassis)
		if !v.points[k] {
			continue
		}
		v.meet(&waiter{
			predicted: true, capture: f.Capture, number: f.Number, time: o.Time, point: k,
			data: o.Data, wire: o.Wire, guess: o.Guess, seen: o.Seen,
			origin:   Origin{v.captures[f.Capture], f.Number, p.Port.Name},
			original: f.Data, flows: flowsOf(&out.Trace, o.Event),
		})
	}
}

// Observed implements Handler.
func (v *Verifier) Observed(f *Frame, p *Point) {
	v.Report.Packets++
	v.Report.Observed++
	v.meet(&waiter{
		capture: f.Capture, number: f.Number, time: f.Time, point: keyOf(p.Port, p.Chassis),
		data: f.Data, wire: f.Wire,
	})
}

// Skipped implements Handler.
func (v *Verifier) Skipped(f *Frame, p *Point, why string) {
	v.Report.Packets++
	v.Report.Skipped = append(v.Report.Skipped, Item{
		Capture: v.captures[f.Capture], Frame: f.Number, Port: p.Port.Name, Time: f.Time, Reason: why, Packet: Line(f.Data),
	})
}

// meet pairs w with the oldest partner of the same bytes, or lets it wait.
func (v *Verifier) meet(w *waiter) {
	k := waitKey{w.point, maphash.Bytes(v.seed, w.data)}
	list := v.waiting[k]
	for i, other := range list {
		if other.predicted != w.predicted && other.wire == w.wire && bytes.Equal(other.data, w.data) {
			v.matched(w, other)
			other.done = true
			if list = slices.Delete(list, i, i+1); len(list) == 0 {
				delete(v.waiting, k)
			} else {
				v.waiting[k] = list
			}
			return
		}
	}
	w.data, w.original, w.flows = bytes.Clone(w.data), bytes.Clone(w.original), slices.Clone(w.flows)
	v.waiting[k] = append(list, w)
	v.order = append(v.order, w)
	v.compact()
}

// compact drops the waiters that have found partners once they are many.
func (v *Verifier) compact() {
	if len(v.order) < 1024 || len(v.order) < 2*len(v.waiting) {
		return
	}
	v.order = slices.DeleteFunc(v.order, func(w *waiter) bool { return w.done })
}

func (v *Verifier) matched(a, b *waiter) {
	v.Report.Matched++
	if a.guess || a.seen || b.guess || b.seen {
		v.Report.Guessed++
	}
}

// Finish decides about everything that has found no partner.
func (v *Verifier) Finish() *Report {
	var predicted, observed []*waiter
	for _, w := range v.order {
		switch {
		case w.done:
		case w.predicted:
			predicted = append(predicted, w)
		default:
			observed = append(observed, w)
		}
	}
	for _, o := range observed {
		if i := slices.IndexFunc(predicted, func(p *waiter) bool { return !p.done && samePacket(p, o) }); i >= 0 {
			predicted[i].done = true
			v.Report.Mismatched = append(v.Report.Mismatched, v.mismatch(predicted[i], o))
			continue
		}
		if v.auto.sent(o) {
			v.Report.Autonomous++
			continue
		}
		item := v.item(o)
		item.Reason = "observed, but no packet in the captures leads to it"
		v.Report.Missing = append(v.Report.Missing, item)
	}
	for _, p := range predicted {
		if !p.done {
			item := v.item(p)
			item.Reason = "predicted to leave here, but not in the capture"
			v.Report.Unexpected = append(v.Report.Unexpected, item)
		}
	}
	return &v.Report
}

func (v *Verifier) item(w *waiter) Item {
	port := v.engine.Net.Ports[w.point.port]
	it := Item{
		Capture: v.captures[w.capture], Frame: w.number, Port: port.Name,
		Chassis: v.engine.Net.Chassis[w.point.chassis].Name, Time: w.time,
		Packet: Line(w.data), Hex: hex.EncodeToString(w.data),
	}
	if w.predicted {
		it.From = &w.origin
	}
	return it
}

func (v *Verifier) mismatch(p, o *waiter) Item {
	it := v.item(o)
	it.From = &p.origin
	it.Fields = differences(p.original, p.data, o.data)
	first := -1
	for i := range it.Fields {
		d := &it.Fields[i]
		if at := v.lastWriter(p.flows, d.Field); at >= 0 {
			f := v.engine.Net.Flows[p.flows[at]]
			d.Flow, d.Stage = f.UUID, f.Stage
			if first < 0 || at < first {
				first = at
			}
		}
	}
	if first < 0 && len(p.flows) > 0 {
		first = len(p.flows) - 1
	}
	if first >= 0 {
		f := v.engine.Net.Flows[p.flows[first]]
		it.Flow = &FlowRef{UUID: f.UUID, Stage: f.Stage}
		if len(f.Datapaths) == 1 {
			it.Flow.Datapath = f.Datapaths[0].Name
		}
	}
	it.Reason = fmt.Sprintf("%d fields differ", len(it.Fields))
	return it
}

// lastWriter returns the position in flows of the last one that sets a field,
// -1 if none does.
func (v *Verifier) lastWriter(flows []int32, name string) int {
	for i, index := range slices.Backward(flows) {
		if writes(v.engine.Compiled(index).Ops, name) {
			return i
		}
	}
	return -1
}

// writes reports whether actions set the field that a Difference names.
func writes(ops []table.Op, name string) bool {
	return slices.ContainsFunc(ops, func(op table.Op) bool {
		switch op.Code {
		case table.Load, table.Move, table.Pop:
			return op.Dst.Field.String() == name
		case table.Exchange:
			return op.A.Field.String() == name || op.B.Field.String() == name
		case table.DecTTL:
			return name == "ip.ttl"
		case table.GetMACBind:
			return name == "eth.dst"
		case table.CTNAT, table.CTLB, table.CTCommitToZone, table.CTSNATToVIP:
			return isTupleField(name)
		}
		return writes(op.Inner, name)
	})
}

// flowsOf lists the flows a packet met on its way to an output.
func flowsOf(t *trace.Trace, until int) []int32 {
	var flows []int32
	for _, ev := range t.Events[:until] {
		if ev.Kind == trace.Match {
			flows = append(flows, ev.Flow)
		}
	}
	return flows
}
