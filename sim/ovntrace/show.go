package ovntrace

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Trace traces the packet, and with --reply the answer to it. A packet that got the answer which it asks for from OVN
// counts as delivered, one that OVN refused or holds does not.
func (t *Tracer) Trace(q *Question) (sim.Verdict, error) {
	out := t.engine.Inject(q.In)
	verdict := fared(out)
	if err := t.Show(q, out, false); err != nil || !t.Reply || out.Verdict != sim.Delivered {
		return verdict, err
	}
	if why.Instead(out) {
		t.Tell("--reply: what left is OVN's own, and not the packet: nobody answers it")
		return verdict, nil
	}
	delivered := make([]sim.Output, len(out.Outputs))
	for i, o := range out.Outputs {
		o.Data = bytes.Clone(o.Data)
		delivered[i] = o
	}
	verdict = sim.Dropped
	for i := range delivered {
		v, err := t.answer(q, &delivered[i])
		if err != nil {
			return 0, err
		}
		if v == sim.Delivered {
			verdict = v
		}
	}
	return verdict, nil
}

// verdictOf is what became of the packet itself: what OVN made of it may have left in its place.
func verdictOf(out *sim.Outcome) sim.Verdict {
	if why.Instead(out) {
		return sim.Consumed
	}
	return out.Verdict
}

// fared is what became of a packet for who sent it: an answer that it asks for is as good as delivery.
func fared(out *sim.Outcome) sim.Verdict {
	if refused(out) {
		return sim.Consumed
	}
	return out.Verdict
}

// refused reports whether all that left is an error or a reset, or a question for the next hop of a packet that waits.
func refused(out *sim.Outcome) bool {
	return why.Instead(out) && slices.ContainsFunc(out.Trace.Events(), func(ev trace.Event) bool {
		return ev.Kind == trace.Made && (ev.Reason == trace.MadeICMP || ev.Reason == trace.MadeReset) ||
			ev.Reason == trace.DropWaits
	})
}

// replyDelay is how long the receiver takes to answer.
const replyDelay = conntrack.Time(1e6)

// answer traces the answer to a packet that was delivered.
func (t *Tracer) answer(q *Question, o *sim.Output) (sim.Verdict, error) {
	frame, err := microflow.Reply(o.Data, macOf(o.Port))
	if err != nil {
		return 0, fmt.Errorf("--reply: at %s: %w", o.Port.Name, err)
	}
	r := &Question{In: sim.Injection{Port: o.Port, Chassis: o.Chassis, Time: q.In.Time + replyDelay, Frame: frame,
		Wire: len(frame)}}
	packet.Parse(frame, &r.key)
	r.key.Set(field.Inport, uint64(o.Port.Index))
	out := t.engine.Inject(r.In)
	return fared(out), t.Show(r, out, true)
}

// macOf returns a port's own Ethernet address, 0 if it is not known.
func macOf(p *network.Port) uint64 {
	if len(p.Addresses) == 0 {
		return 0
	}
	return header.MACNumber(p.Addresses[0].MAC)
}

// Show writes one packet's trace in the forms that were asked for.
func (t *Tracer) Show(q *Question, out *sim.Outcome, reply bool) error {
	t.Switches.Met(t.book, &out.Trace)
	tree := t.book.Tree(&out.Trace)
	header := trace.FormatFlow(t.engine.Net, &q.key)
	if t.JSON {
		t.records = append(t.records, t.record(q, out, header, tree, reply))
		return nil
	}
	if reply {
		fmt.Fprintln(t.Out)
	}
	fmt.Fprintf(t.Out, "# %s\n", header)
	if t.AllChassis {
		fmt.Fprintf(t.Out, "# on %s: %s\n", chassisName(q.In.Chassis), t.fate(out))
	}
	forms := t.forms()
	for _, f := range forms {
		if len(forms) > 1 {
			fmt.Fprintf(t.Out, "# %s trace.\n", f.name)
		}
		if err := trace.WriteTree(t.Out, tree, f.format); err != nil {
			return err
		}
	}
	return nil
}

// chassisName is a chassis' name with that of its host, if that is another.
func chassisName(c *network.Chassis) string {
	if c.Hostname != "" && c.Hostname != c.Name {
		return c.Name + " (" + c.Hostname + ")"
	}
	return c.Name
}

// fate says in a few words what became of a packet.
func (t *Tracer) fate(out *sim.Outcome) string {
	s := out.Verdict.String()
	decided := replay.Decisions(why.New(t.engine, nil), out)
	n := len(decided)
	if n > 0 && why.Instead(out) {
		s = decided[n-1].Kind // answered, held
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		s += [...]string{": ", "; "}[min(i, 1)] +
			fmt.Sprintf("%s at %s of %s", packet.Describe(o.Data), o.Port.Name, chassisName(o.Chassis))
	}
	if len(out.Outputs) == 0 {
		s += ": " + out.Drop.String()
	} else if !why.Instead(out) && !why.AnswersToo(out) {
		return s
	}
	if n > 0 {
		s += ", " + decided[n-1].Text
	}
	return s
}

type form struct {
	name   string
	format trace.Format
}

// forms lists the forms that were asked for, in ovn-trace's order.
func (o *Options) forms() []form {
	var forms []form
	for _, f := range []struct {
		form
		asked bool
	}{
		{form{"Detailed", trace.DetailedFormat}, o.Detailed || o.All || !o.Summary && !o.Minimal},
		{form{"Summary", trace.SummaryFormat}, o.Summary || o.All},
		{form{"Minimal", trace.MinimalFormat}, o.Minimal || o.All},
	} {
		if f.asked {
			forms = append(forms, f.form)
		}
	}
	return forms
}

// Record is what trace --json prints, a line for each packet: first the
// packet that was asked about, then with --reply each answer.
type Record struct {
	Version  int    `json:"version"` // of this form, see replay.FormVersion
	Flow     string `json:"flow"`    // the header line
	Packet   string `json:"packet"`  // in a few words
	Reply    bool   `json:"reply,omitempty"`
	Datapath string `json:"datapath"`
	Inport   string `json:"inport"`
	Chassis  string `json:"chassis"`
	Verdict  string `json:"verdict"` // delivered, dropped, consumed or not known
	Drop     string `json:"drop,omitempty"`
	// Decided are the flows that decided, as in run --json.
	Decided []replay.DecisionInfo `json:"decided,omitempty"`
	Outputs []Output              `json:"outputs"`
	Trace   []trace.JSONNode      `json:"trace"`
}

// Output is a packet that leaves, with its bytes in hexadecimal.
type Output struct {
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
	Packet  string `json:"packet"`
	Guessed bool   `json:"guessed,omitempty"`
	Made    bool   `json:"made,omitempty"` // by ovn-controller
	Hex     string `json:"hex"`
}

func (t *Tracer) record(q *Question, out *sim.Outcome, header string, tree []*trace.Node, reply bool) Record {
	r := Record{
		Version: replay.FormVersion, Flow: header, Packet: packet.Describe(q.In.Frame), Reply: reply,
		Chassis: q.In.Chassis.Name, Verdict: verdictOf(out).String(),
		Outputs: []Output{}, Trace: t.book.JSON(&out.Trace, tree),
		Decided: replay.Decisions(why.New(t.engine, nil), out),
	}
	if q.In.Port != nil {
		r.Datapath, r.Inport = q.In.Port.Datapath.Name, q.In.Port.Name
	} else {
		r.Datapath = q.In.Datapath.Name
	}
	if out.Verdict != sim.Delivered {
		r.Drop = out.Drop.String()
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		r.Outputs = append(r.Outputs, Output{o.Port.Name, o.Chassis.Name, packet.Describe(o.Data), o.Guess,
			o.Made, hex.EncodeToString(o.Data)})
	}
	return r
}
