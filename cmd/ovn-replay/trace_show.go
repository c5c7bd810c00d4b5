package main

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// trace traces the packet, and with --reply the answer to it.
func (t *tracer) trace(q *question) (sim.Verdict, error) {
	out := t.engine.Inject(q.in)
	if err := t.show(q, out, false); err != nil || !t.reply || out.Verdict != sim.Delivered {
		return out.Verdict, err
	}
	delivered := make([]sim.Output, len(out.Outputs))
	for i, o := range out.Outputs {
		o.Data = bytes.Clone(o.Data)
		delivered[i] = o
	}
	verdict := sim.Dropped
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

// replyDelay is how long the receiver takes to answer.
const replyDelay = conntrack.Time(1e6)

// answer traces the answer to a packet that was delivered.
func (t *tracer) answer(q *question, o *sim.Output) (sim.Verdict, error) {
	frame, err := microflow.Reply(o.Data, macOf(o.Port))
	if err != nil {
		return 0, fmt.Errorf("--reply: at %s: %w", o.Port.Name, err)
	}
	r := &question{in: sim.Injection{Port: o.Port, Chassis: o.Chassis, Time: q.in.Time + replyDelay, Frame: frame, Wire: len(frame)}}
	packet.Parse(frame, &r.key)
	r.key.Set(field.Inport, uint64(o.Port.Index))
	out := t.engine.Inject(r.in)
	return out.Verdict, t.show(r, out, true)
}

// macOf returns a port's own Ethernet address, 0 if it is not known.
func macOf(p *network.Port) uint64 {
	if len(p.Addresses) == 0 {
		return 0
	}
	return header.MACNumber(p.Addresses[0].MAC)
}

// show writes one packet's trace in the forms that were asked for.
func (t *tracer) show(q *question, out *sim.Outcome, reply bool) error {
	t.switches.met(t.book, &out.Trace)
	tree := t.book.Tree(&out.Trace)
	header := trace.FormatFlow(t.engine.Net, &q.key)
	if t.traceOptions.json {
		t.json = append(t.json, t.record(q, out, header, tree, reply))
		return nil
	}
	if reply {
		fmt.Fprintln(t.out)
	}
	fmt.Fprintf(t.out, "# %s\n", header)
	if t.allChassis {
		fmt.Fprintf(t.out, "# on %s: %s\n", chassisName(q.in.Chassis), t.fate(out))
	}
	forms := t.forms()
	for _, f := range forms {
		if len(forms) > 1 {
			fmt.Fprintf(t.out, "# %s trace.\n", f.name)
		}
		if err := trace.WriteTree(t.out, tree, f.format); err != nil {
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
func (t *tracer) fate(out *sim.Outcome) string {
	s := out.Verdict.String()
	for i := range out.Outputs {
		o := &out.Outputs[i]
		s += [...]string{": ", "; "}[min(i, 1)] + fmt.Sprintf("%s at %s of %s", packet.Describe(o.Data), o.Port.Name, chassisName(o.Chassis))
	}
	if len(out.Outputs) == 0 {
		s += ": " + out.Drop.String()
		if d := why.New(t.engine, nil).Decide(out); len(d) > 0 {
			s += ", " + d[len(d)-1].Text
		}
	}
	return s
}

type form struct {
	name   string
	format trace.Format
}

// forms lists the forms that were asked for, in ovn-trace's order.
func (o *traceOptions) forms() []form {
	var forms []form
	for _, f := range []struct {
		form
		asked bool
	}{
		{form{"Detailed", trace.DetailedFormat}, o.detailed || o.all || !o.summary && !o.minimal},
		{form{"Summary", trace.SummaryFormat}, o.summary || o.all},
		{form{"Minimal", trace.MinimalFormat}, o.minimal || o.all},
	} {
		if f.asked {
			forms = append(forms, f.form)
		}
	}
	return forms
}

// traceRecord is what trace --json prints, a line for each packet: first the
// packet that was asked about, then with --reply each answer.
type traceRecord struct {
	Flow     string           `json:"flow"`   // the header line
	Packet   string           `json:"packet"` // in a few words
	Reply    bool             `json:"reply,omitempty"`
	Datapath string           `json:"datapath"`
	Inport   string           `json:"inport"`
	Chassis  string           `json:"chassis"`
	Verdict  string           `json:"verdict"` // delivered, dropped or consumed
	Drop     string           `json:"drop,omitempty"`
	Outputs  []traceOutput    `json:"outputs"`
	Trace    []trace.JSONNode `json:"trace"`
}

// traceOutput is a packet that leaves, with its bytes in hexadecimal.
type traceOutput struct {
	Port    string `json:"port"`
	Chassis string `json:"chassis"`
	Packet  string `json:"packet"`
	Guessed bool   `json:"guessed,omitempty"`
	Hex     string `json:"hex"`
}

func (t *tracer) record(q *question, out *sim.Outcome, header string, tree []*trace.Node, reply bool) traceRecord {
	r := traceRecord{
		Flow: header, Packet: packet.Describe(q.in.Frame), Reply: reply,
		Chassis: q.in.Chassis.Name, Verdict: out.Verdict.String(),
		Outputs: []traceOutput{}, Trace: t.book.JSON(&out.Trace, tree),
	}
	if q.in.Port != nil {
		r.Datapath, r.Inport = q.in.Port.Datapath.Name, q.in.Port.Name
	} else {
		r.Datapath = q.in.Datapath.Name
	}
	if out.Verdict != sim.Delivered {
		r.Drop = out.Drop.String()
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		r.Outputs = append(r.Outputs, traceOutput{o.Port.Name, o.Chassis.Name, packet.Describe(o.Data), o.Guess, hex.EncodeToString(o.Data)})
	}
	return r
}
