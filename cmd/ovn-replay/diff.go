package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/trace"
)

// diffOptions is "diff": the same packets on two networks.
type diffOptions struct {
	input
	stdout io.Writer
	a, b   string
	json   bool
}

func newDiffCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &diffOptions{input: input{stdin: stdin, stderr: stderr}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "diff --db A --db B -r FILE[@PORT]… | --case DIR --db B",
		Short: "Replay the same packets on two networks and report those whose fate differs",
		Long: `diff replays the same captures on two Southbound databases and reports every packet
that another port, other bytes or nothing comes of, with the logical flows where the
two ways part.

Exit status: 0 every packet fares the same, 1 some do not, 2 bad usage or bad input.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	var dbs []string
	cmd.Flags().StringArrayVar(&dbs, "db", nil, "the two Southbound databases (twice; once with --case)")
	sourceFlags(cmd.Flags(), &o.source)
	o.captureFlags(cmd.Flags())
	cmd.MarkFlagsMutuallyExclusive("read", "case")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object a difference")
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.databases(dbs) }
	return cmd
}

// databases decides which two networks are meant.
func (o *diffOptions) databases(dbs []string) error {
	switch {
	case o.caseDir != "" && len(dbs) == 1:
		o.b = dbs[0]
	case o.caseDir == "" && len(dbs) == 2:
		o.a, o.b = dbs[0], dbs[1]
	default:
		return errors.New("name two databases: --db A --db B, or a case and the other one: --case DIR --db B")
	}
	o.db = o.a
	return nil
}

func (o *diffOptions) run(cmd *cobra.Command) error {
	ja, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer ja.close()
	jb, err := o.other(cmd, ja)
	if err != nil {
		return err
	}
	d := &differ{o: o, a: newSide(ja), b: newSide(jb)}
	sa, sb := ja.session(d.a, ja.ahead()), jb.session(d.b, jb.ahead())
	var failed error
	damage := errors.Join(ja.feedTo(cmd.Context(), func(rec *pcap.Record) {
		sa.Add(rec)
		sb.Add(rec)
		failed = errors.Join(failed, d.settle(false))
	}, func() {
		sa.Flush()
		sb.Flush()
	}), errors.Join(ja.warnings...))
	if err := errors.Join(failed, d.settle(true)); err != nil {
		return err
	}
	if !o.quiet && !o.json {
		fmt.Fprintf(o.stdout, "%d packets, %d fare differently\n", d.packets, d.different)
	}
	switch {
	case damage != nil:
		return damage
	case d.different > 0:
		return errDifference
	}
	return nil
}

// other prepares the replay on the second network, whose captures are the
// first one's.
func (o *diffOptions) other(cmd *cobra.Command, ja *job) (*job, error) {
	net, warnings, err := southbound.Open(cmd.Context(), o.b, o.source)
	if err != nil {
		return nil, err
	}
	spec, err := o.spec()
	if err != nil {
		return nil, err
	}
	spec.captures = nil
	jb, err := o.load(cmd.Context(), spec, net, warnings)
	if err != nil {
		return nil, err
	}
	jb.names = ja.names
	for _, t := range ja.taps {
		moved, err := t.On(net)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.b, err)
		}
		jb.taps = append(jb.taps, moved)
	}
	return jb, nil
}

// differ holds the fates of the same packets on two networks against each other.
type differ struct {
	o         *diffOptions
	a, b      *side
	packets   int
	different int
}

// side is a Handler that keeps fates until the other side has theirs.
type side struct {
	job   *job
	book  *trace.Book
	fates []*packetFate
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

func newSide(j *job) *side { return &side{job: j, book: bookOf(j.engine)} }

// Entered implements replay.Handler.
func (s *side) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) {
	if f.Inferred {
		return
	}
	x := &packetFate{
		capture: s.job.nameOf(f), number: f.Number, index: f.Capture, late: out.Late,
		packet: replay.Line(f.Data), port: p.Name(), verdict: out.Verdict.String(), chosen: s.job.filter.packet(f, p, out),
	}
	if out.Verdict != sim.Delivered {
		x.drop = out.Drop.String()
	}
	for i := range out.Outputs {
		o := &out.Outputs[i]
		x.outs = append(x.outs, outFrame{o.Port.Name, o.Chassis.Name, bytes.Clone(o.Data)})
	}
	for i := range out.Trace.Events {
		if ev := &out.Trace.Events[i]; ev.Kind == trace.Match || ev.Kind == trace.Miss {
			x.path = append(x.path, s.flow(ev))
		}
	}
	s.fates = append(s.fates, x)
}

func (s *side) flow(ev *trace.Event) pathFlow {
	net := s.job.net
	x := pathFlow{datapath: net.Datapaths[ev.Datapath].Name, stage: s.book.StageName(ev.Flow, ev.Table)}
	if ev.Flow >= 0 {
		f := net.Flows[ev.Flow]
		x.match, x.actions, x.priority, x.uuid = f.Match, f.Actions, f.Priority, f.UUID
	}
	return x
}

// Observed implements replay.Handler.
func (s *side) Observed(*replay.Frame, *replay.Point) {}

// Skipped implements replay.Handler.
func (s *side) Skipped(*replay.Frame, *replay.Point, string) {}

// settle compares what both sides know; at the end, also what only one does.
func (d *differ) settle(end bool) error {
	for len(d.a.fates) > 0 && len(d.b.fates) > 0 {
		a, b := d.a.fates[0], d.b.fates[0]
		switch {
		case a.index == b.index && a.capture == b.capture && a.number == b.number && a.late == b.late:
			d.a.fates, d.b.fates = d.a.fates[1:], d.b.fates[1:]
			if err := d.compare(a, b); err != nil {
				return err
			}
		case slices.ContainsFunc(d.b.fates, a.same):
			d.b.fates = d.b.fates[1:]
			if err := d.compare(nil, b); err != nil {
				return err
			}
		default:
			d.a.fates = d.a.fates[1:]
			if err := d.compare(a, nil); err != nil {
				return err
			}
		}
	}
	if !end {
		return nil
	}
	for _, a := range d.a.fates {
		if err := d.compare(a, nil); err != nil {
			return err
		}
	}
	for _, b := range d.b.fates {
		if err := d.compare(nil, b); err != nil {
			return err
		}
	}
	return nil
}

func (x *packetFate) same(y *packetFate) bool {
	return x.index == y.index && x.capture == y.capture && x.number == y.number && x.late == y.late
}

// fateDifference is a packet that fares differently: what diff --json prints.
type fateDifference struct {
	Capture string   `json:"capture"`
	Frame   int      `json:"frame"`
	Inport  string   `json:"inport"`
	Packet  string   `json:"packet"`
	A       fateJSON `json:"a"`
	B       fateJSON `json:"b"`
}

type fateJSON struct {
	Verdict string   `json:"verdict"`
	Drop    string   `json:"drop,omitempty"`
	Outputs []string `json:"outputs"`
	// Flow is where this network's way parts from the other's.
	Flow *replay.FlowRef `json:"flow,omitempty"`
}

// compare reports two fates of one packet that differ; nil: not entered there.
func (d *differ) compare(a, b *packetFate) error {
	d.packets++
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
	d.different++
	x := fateDifference{Capture: one.capture, Frame: one.number, Inport: one.port, Packet: one.packet, A: a.json(), B: b.json()}
	if a != nil && b != nil {
		i := part(a.path, b.path)
		x.A.Flow, x.B.Flow = a.flow(i), b.flow(i)
	}
	if d.o.json {
		return json.NewEncoder(d.o.stdout).Encode(x)
	}
	if d.o.quiet {
		return nil
	}
	_, err := io.WriteString(d.o.stdout, x.String())
	return err
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

func (x *packetFate) flow(i int) *replay.FlowRef {
	if i >= len(x.path) {
		if i = len(x.path) - 1; i < 0 {
			return nil
		}
	}
	f := x.path[i]
	return &replay.FlowRef{UUID: f.uuid, Datapath: f.datapath, Stage: f.stage, Match: f.match}
}

func (x *packetFate) json() fateJSON {
	if x == nil {
		return fateJSON{Verdict: "not entered", Outputs: []string{}}
	}
	out := fateJSON{Verdict: x.verdict, Drop: x.drop, Outputs: []string{}}
	for _, o := range x.outs {
		out.Outputs = append(out.Outputs, o.port+": "+replay.Line(o.data))
	}
	return out
}

// String is the difference for people.
func (x *fateDifference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s frame %d at %s: %s\n", x.Capture, x.Frame, x.Inport, x.Packet)
	for _, s := range []struct {
		name string
		fate fateJSON
	}{{"A", x.A}, {"B", x.B}} {
		fmt.Fprintf(&b, "    %s: %s", s.name, s.fate.Verdict)
		if s.fate.Drop != "" {
			fmt.Fprintf(&b, " (%s)", s.fate.Drop)
		}
		if len(s.fate.Outputs) > 0 {
			fmt.Fprintf(&b, " to %s", strings.Join(s.fate.Outputs, "; "))
		}
		if s.fate.Flow != nil {
			fmt.Fprintf(&b, "\n       by %s", s.fate.Flow)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
