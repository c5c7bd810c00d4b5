// Package report makes one HTML page of a replay: what became of the packets and
// why, the way they took through the network, their connections, each packet's
// trace with the bytes that change at every hop, and what was observed beside
// what was predicted.
//
// The page is self-contained and asks for nothing over any network: its policy
// (Content-Security-Policy) forbids it. What comes from captures and databases is
// in it as compressed data alone, which its script puts into text, never markup.
// A packet costs some hundred bytes of the page at most; beyond MaxBytes packets
// the bytes of those that were simply delivered are left out, and beyond MaxPackets
// all but what verifying finds. Both is said.
package report

import (
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

//go:embed page.html
var page string

// MaxPackets is how many packets are in the page, and MaxBytes up to how many the
// bytes of each are.
const (
	MaxPackets = 100_000
	MaxBytes   = 20_000
)

// headers is how many bytes of a packet are shown.
const headers = 128

// Report is being made of a replay: a replay.Handler.
type Report struct {
	why    *why.Explainer
	taps   []*replay.Tap
	conns  ledger.Numbers
	data   data
	texts  map[string]int
	paths  map[string]int
	flows  map[*network.Flow]int
	ports  map[portOn]int
	byConn map[int]int
	begun  int64

	steps []step // of the packet
	key   []byte
}

// portOn is a port on a chassis.
type portOn struct {
	port    *network.Port
	chassis *network.Chassis
}

// data is what the page's script reads. Numbers refer to the lists; -1 to
// nothing. Names are short: there is one of each for every packet.
type data struct {
	About About    `json:"about"`
	Begun string   `json:"begun"` // time of the first packet, RFC 3339
	Texts []string `json:"texts,omitempty"`
	// Datapaths and Chassis are all of the network: steps and ports have their indexes there.
	Datapaths []placeData  `json:"datapaths"`
	Chassis   []placeData  `json:"chassis"`
	Ports     []portData   `json:"ports"`
	Flows     []flowData   `json:"flows"`
	Paths     [][]step     `json:"paths,omitempty"`
	Packets   []packetData `json:"packets,omitempty"`
	Conns     []connData   `json:"conns,omitempty"`
	Result    *resultData  `json:"result,omitempty"`
	Without   int          `json:"without,omitempty"` // packets whose bytes are left out
	Left      int          `json:"left,omitempty"`    // packets that are not in the page
}

// About is what the page says of itself.
type About struct {
	Title    string   `json:"title"`
	Program  string   `json:"program"`
	Command  string   `json:"command,omitempty"`
	Database string   `json:"database"`
	OVN      string   `json:"ovn,omitempty"`
	Captures []string `json:"captures"`
}

type portData struct {
	Name     string `json:"n"`
	Datapath int    `json:"d"` // -1: none
	Chassis  int    `json:"c"`
}

type flowData struct {
	UUID     string `json:"u"`
	Stage    string `json:"s"`
	Priority uint16 `json:"p"`
	Match    string `json:"m"`
	Actions  string `json:"a"`
}

// step is a table on a packet's way: datapath, chassis, 1 in egress, table, flow, and how deep: copies
// of a packet come from the last that is less deep.
type step [6]int

type packetData struct {
	Time    int64     `json:"t"` // ns since the first
	Capture int       `json:"f"`
	Frame   int       `json:"n"`
	In      int       `json:"i"`
	Packet  int       `json:"p"`
	Verdict string    `json:"v"` // see letters
	Why     int       `json:"w"`
	Out     [][2]int  `json:"o,omitempty"` // port, packet
	Conn    int       `json:"c"`
	Path    int       `json:"h"`
	NAT     []int     `json:"x,omitempty"`
	CT      []int     `json:"k,omitempty"`
	Notes   []int     `json:"m,omitempty"`
	Bytes   string    `json:"b,omitempty"` // as it entered, base64
	Hops    []hop     `json:"s,omitempty"`
	Length  int       `json:"l"`
	Differ  []differs `json:"d,omitempty"` // how what it led to differs from what was observed
}

// differs is a difference of a packet: its kind, and where it is.
type differs struct {
	Kind string `json:"k"`
	At   int    `json:"a"` // a text: port and fields
}

// hop is where a packet came to, and the bytes that changed since the step
// before: each stretch as its offset and base64.
type hop struct {
	At      int    `json:"a"`
	Leaves  bool   `json:"o,omitempty"`
	Changed []any  `json:"c,omitempty"`
	Whole   string `json:"w,omitempty"` // where the length changed, too
}

type connData struct {
	Text                    int `json:"p"`
	Number                  int
	First, Last             int64
	Packets, Bytes, Dropped int
}

// resultData is what verifying found.
type resultData struct {
	Observed, Matched, Autonomous, Guessed, Inferred int
	Verdict                                          string // as verify says it
	Damaged                                          string // what of the inputs could not be read
	Class                                            string // ok, bad or warn: how the verdict looks
	Differ                                           []differData
}

type differData struct {
	Kind                 string
	Item                 replay.Item
	Observed, Predicted_ string
}

// New begins the report of a replay of captures taken at some places.
func New(x *why.Explainer, taps []*replay.Tap, about About) *Report {
	about.OVN = x.Book.Net.Version
	for _, t := range taps {
		about.Captures = append(about.Captures, t.Name)
	}
	datapaths, chassis := places(x.Book.Net)
	return &Report{why: x, taps: taps, data: data{About: about, Datapaths: datapaths, Chassis: chassis},
		texts: map[string]int{}, paths: map[string]int{}, flows: map[*network.Flow]int{}, ports: map[portOn]int{},
		byConn: map[int]int{}}
}

// Entered implements replay.Handler.
func (r *Report) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	if len(r.data.Packets) == 0 {
		r.begun, r.data.Begun = int64(f.Time), replay.Timestamp(f.Time)
	}
	if len(r.data.Packets) >= MaxPackets {
		r.data.Left++
		return
	}
	rec := replay.NewRecord(r.why, f, p, replay.NameOf(r.taps, f), out, false)
	d := packetData{
		Time: int64(f.Time) - r.begun, Capture: r.text(rec.Capture), Frame: f.Number, In: r.port(p.Port, p.Chassis),
		Packet: r.text(rec.Packet), Verdict: letter(rec), Why: r.reason(rec, out), Path: r.path(&out.Trace),
		Length: f.Wire,
	}
	for _, o := range out.Outputs {
		i := len(d.Out)
		d.Out = append(d.Out, [2]int{r.port(o.Port, o.Chassis), r.text(rec.Outputs[i].Packet)})
	}
	for i := range rec.NAT {
		n := &rec.NAT[i]
		d.NAT = append(d.NAT, r.text(strings.Replace(n.String(), " -> ", " → ", 1)+" at "+n.Stage))
	}
	for _, c := range rec.CT {
		s := fmt.Sprintf("zone %d (%s) %s", c.Zone, c.ZoneName, c.State)
		if c.Original != nil {
			s += fmt.Sprintf(" %s %s:%d > %s:%d", c.Original.Proto, c.Original.Src, c.Original.Sport, c.Original.Dst,
				c.Original.Dport)
		}
		d.CT = append(d.CT, r.text(s))
	}
	for _, x := range rec.Decided {
		switch x.Kind {
		case why.Rerouted.String(), why.Marked.String():
			d.Notes = append(d.Notes, r.text(x.Kind+" "+x.Text))
		}
	}
	if rec.Inferred != "" {
		d.Notes = append(d.Notes, r.text("inferred: "+rec.Inferred))
	}
	for _, n := range rec.Notes {
		d.Notes = append(d.Notes, r.text(n.Reason))
	}
	if len(r.data.Packets) < MaxBytes || rec.Verdict == "dropped" {
		r.hops(&d, f, out)
	} else {
		r.data.Without++
	}
	d.Conn = r.connection(&d, r.conns.Number(f, p, out))
	r.data.Packets = append(r.data.Packets, d)
}

// letters are the verdicts, as the page's script reads them.
var letters = map[string]string{"delivered": "d", "dropped": "x", "consumed": "c", "not known": "u"}

// letter is a packet's verdict for the page's script; of those that are consumed some are answered.
func letter(rec *replay.Record) string {
	for i := range rec.Decided {
		if rec.Decided[i].Kind == why.Answered.String() && rec.Verdict == sim.Consumed.String() {
			return "a"
		}
	}
	return letters[rec.Verdict]
}

// Observed implements replay.Handler.
func (r *Report) Observed(*replay.Frame, *replay.Point) {}

// Skipped implements replay.Handler.
func (r *Report) Skipped(*replay.Frame, *replay.Point, string) {}

// reason says why the packet did not leave, -1 if it did.
func (r *Report) reason(rec *replay.Record, out *sim.Outcome) int {
	var parts []string
	if rec.Drop != nil {
		parts = append(parts, strings.TrimPrefix(rec.Drop.Stage+": ", ": ")+rec.Drop.Reason)
	}
	if rec.Unknown != nil {
		parts = append(parts, rec.Unknown.Reason)
	}
	for _, d := range rec.Decided {
		switch d.Kind {
		case why.Translated.String(), why.Rewritten.String(), why.Rerouted.String(), why.Marked.String():
		default:
			parts = append(parts, d.Text)
		}
	}
	if len(parts) == 0 {
		return -1
	}
	return r.text(strings.Join(parts, ", ") + r.apart(out))
}

func (r *Report) text(s string) int {
	i, ok := r.texts[s]
	if !ok {
		i = len(r.data.Texts)
		r.texts[s] = i
		r.data.Texts = append(r.data.Texts, s)
	}
	return i
}

func (r *Report) port(p *network.Port, c *network.Chassis) int {
	k := portOn{p, c}
	i, ok := r.ports[k]
	if !ok {
		i = len(r.data.Ports)
		r.ports[k] = i
		d := portData{Name: "tunnel", Datapath: -1, Chassis: c.Index}
		if p != nil {
			d.Name, d.Datapath = p.Called(), p.Datapath.Index
		}
		r.data.Ports = append(r.data.Ports, d)
	}
	return i
}

// maxText is how much of a match or an action is shown.
const maxText = 400

func (r *Report) flow(f *network.Flow) int {
	i, ok := r.flows[f]
	if !ok {
		i = len(r.data.Flows)
		r.flows[f] = i
		r.data.Flows = append(r.data.Flows, flowData{f.UUID, f.StageName(), f.Priority, cutText(f.Match),
			cutText(f.Actions)})
	}
	return i
}

func cutText(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// path returns the number of a packet's way, which others share.
func (r *Report) path(t *trace.Trace) int {
	steps, k := r.steps[:0], r.key[:0]
	for _, ev := range t.Events() {
		if ev.Kind != trace.Match && ev.Kind != trace.Miss {
			continue
		}
		s := step{int(ev.Datapath), int(ev.Chassis), 0, int(ev.Table), -1, int(ev.Depth)}
		if ev.Egress {
			s[2] = 1
		}
		if ev.Flow >= 0 {
			s[4] = r.flow(r.why.Book.Net.Flows[ev.Flow])
		}
		steps = append(steps, s)
		for _, v := range s {
			k = binary.AppendVarint(k, int64(v))
		}
	}
	r.steps, r.key = steps, k
	i, ok := r.paths[string(k)]
	if !ok {
		i = len(r.data.Paths)
		r.paths[string(k)] = i
		r.data.Paths = append(r.data.Paths, slices.Clone(steps))
	}
	return i
}

// hops notes the packet's bytes, and how they change on its way.
func (r *Report) hops(d *packetData, f *replay.Frame, out *sim.Outcome) {
	last := f.Data[:min(len(f.Data), headers)]
	d.Bytes = base64.StdEncoding.EncodeToString(last)
	add := func(at int, leaves bool, now []byte) {
		now = now[:min(len(now), headers)]
		h := hop{At: at, Leaves: leaves}
		if len(now) != len(last) {
			h.Whole = base64.StdEncoding.EncodeToString(now)
		} else {
			h.Changed = changes(last, now)
		}
		d.Hops = append(d.Hops, h)
		last = now
	}
	for i := range out.Hops {
		h := &out.Hops[i]
		add(r.port(h.Port, h.Chassis), false, h.Data)
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		add(r.port(o.Port, o.Chassis), true, o.Data)
	}
}

// changes are the stretches at which b differs from a, as offset and base64 in turn.
func changes(a, b []byte) (out []any) {
	for i := 0; i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		end := i + 1
		for end < len(b) && a[end] != b[end] {
			end++
		}
		out = append(out, i, base64.StdEncoding.EncodeToString(b[i:end]))
		i = end
	}
	return out
}

func (r *Report) connection(d *packetData, n int) int {
	if n == 0 {
		return -1
	}
	i, ok := r.byConn[n]
	if !ok {
		i = len(r.data.Conns)
		r.byConn[n] = i
		r.data.Conns = append(r.data.Conns, connData{Text: d.Packet, Number: n, First: d.Time})
	}
	c := &r.data.Conns[i]
	c.Last = d.Time
	c.Packets++
	c.Bytes += d.Length
	if d.Verdict == letters["dropped"] {
		c.Dropped++
	}
	return i
}

// Verified adds what verifying found.
func (r *Report) Verified(v *replay.Report) {
	res := &resultData{Observed: v.Observed, Matched: v.Matched, Autonomous: v.Autonomous, Guessed: v.Guessed,
		Inferred: v.Inferred, Differ: []differData{}}
	res.judge(v)
	for _, list := range []struct {
		kind  string
		items []replay.Item
	}{{"mismatched", v.Mismatched}, {"missing", v.Missing}, {"unexpected", v.Unexpected}} {
		for _, it := range list.items[:min(len(list.items), maxDiffer)] {
			it.Hex = ""
			frame, _ := it.Bytes()
			predicted, _ := it.Predicted()
			d := differData{Kind: list.kind, Item: it,
				Observed:   base64.StdEncoding.EncodeToString(frame[:min(len(frame), headers)]),
				Predicted_: base64.StdEncoding.EncodeToString(predicted[:min(len(predicted), headers)])}
			if list.kind == "unexpected" {
				d.Observed, d.Predicted_ = "", d.Observed
			}
			res.Differ = append(res.Differ, d)
		}
	}
	r.data.Result = res
	r.mark(v)
}

// entry is where a packet is from: a capture, which is a text, and its frame there.
type entry struct{ capture, frame int }

// mark notes with the packets which of what they led to differs from what was observed.
func (r *Report) mark(v *replay.Report) {
	found := map[entry][]differs{}
	for _, list := range []struct {
		kind  string
		items []replay.Item
	}{{"mismatched", v.Mismatched}, {"missing", v.Missing}, {"unexpected", v.Unexpected}} {
		for i := range list.items {
			it := &list.items[i]
			if it.From == nil {
				continue
			}
			text, before := "at "+it.Port, ": "
			for i := range it.Fields {
				text, before = text+before+it.Fields[i].Field, ", "
			}
			k := entry{r.text(it.From.Capture), it.From.Frame}
			found[k] = append(found[k], differs{list.kind, r.text(text)})
		}
	}
	for i := range r.data.Packets {
		p := &r.data.Packets[i]
		p.Differ = found[entry{p.Capture, p.Frame}]
	}
}

// maxDiffer bounds how many differences of a kind the page has.
const maxDiffer = 2000

// Write writes the page: its parts one after the other, so that it is never
// there as a whole.
func (r *Report) Write(w io.Writer) error {
	before, after, _ := strings.Cut(page, "@DATA@")
	if _, err := io.WriteString(w, before); err != nil {
		return err
	}
	coded := base64.NewEncoder(base64.StdEncoding, w)
	packed, err := gzip.NewWriterLevel(coded, gzip.DefaultCompression)
	if err != nil {
		return err
	}
	err = errors.Join(r.data.write(packed), packed.Close(), coded.Close())
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, after)
	return err
}

// write writes d as JSON, the lists that grow with packets an element at a time.
func (d data) write(w io.Writer) error {
	out := partWriter{w: w}
	list(&out, "{", "texts", d.Texts)
	list(&out, ",", "paths", d.Paths)
	list(&out, ",", "packets", d.Packets)
	list(&out, ",", "conns", d.Conns)
	d.Texts, d.Paths, d.Packets, d.Conns = nil, nil, nil, nil
	rest := out.json(d)
	if len(rest) > 1 {
		out.write(",")
		out.write(string(rest[1:]))
	}
	return out.err
}

// partWriter writes JSON part by part, up to the first error.
type partWriter struct {
	w   io.Writer
	err error
	buf []byte
}

func (p *partWriter) write(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text)
	}
}

func (p *partWriter) json(v any) []byte {
	text, err := json.Marshal(v)
	p.err = errors.Join(p.err, err)
	p.buf = printable.JSON(p.buf[:0], text)
	return p.buf
}

// list writes a member that is a list.
func list[T any](p *partWriter, before, name string, of []T) {
	p.write(before + `"` + name + `":`)
	before = "["
	for i := range of {
		p.write(before)
		p.write(string(p.json(of[i])))
		before = ",\n"
	}
	if len(of) == 0 {
		p.write(before)
	}
	p.write("]")
}
