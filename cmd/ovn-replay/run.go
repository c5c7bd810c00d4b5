package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/annotate"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

type runOptions struct {
	input
	stdout  io.Writer
	format  string
	json    bool
	hex     bool
	write   string
	verdict bool
	only    string
	wide    bool
	lines   *replay.Lines // given, else those of the terminal that stdout is
	session string
	ovs     []string
}

func newRunCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &runOptions{input: input{stdin: stdin, stderr: stderr}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "run --db SOURCE FILE[@PORT]… | --case DIR",
		Short: "Replay captures and show each packet's fate",
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.captures = append(o.captures, captures...)
			return o.run(cmd)
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "line", "line, detailed, summary, minimal, json or none")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	f.BoolVar(&o.hex, "hex", false, "with json: include the bytes of the packets that leave")
	f.StringVar(&o.session, "session", "", "go on where the session in `FILE` ended, and keep this replay in it; see show")
	ovsFlag(f, &o.ovs)
	f.BoolVar(&o.wide, "wide", false, "on a terminal, too: one line a packet, whatever its width, as when it is piped")
	f.BoolVar(&o.hops, "hops", false, "with -w: write each packet as it comes to every datapath, too")
	f.StringVar(&o.only, "only", "", "show only packets of `KIND`: delivered, dropped, consumed, natted, guessed, inferred or noted (several separated by commas)")
	f.BoolVar(&o.verdict, "epb-verdict", false, "with -w: write an epb_verdict option too; Wireshark 4.0 damages such a capture when it saves it")
	f.StringVarP(&o.write, "write", "w", "", "write the annotated pcapng to `FILE`, - is standard output")
	return cmd
}

var formats = map[string]trace.Format{
	"line": trace.LineFormat, "detailed": trace.DetailedFormat, "summary": trace.SummaryFormat,
	"minimal": trace.MinimalFormat, "json": trace.JSONFormat, "none": trace.NoFormat,
}

func (o *runOptions) run(cmd *cobra.Command) (err error) {
	if o.json {
		o.format = "json"
	}
	format, ok := formats[o.format]
	if !ok {
		return fmt.Errorf("--format %s: no such format; use line, detailed, summary, minimal, json or none", o.format)
	}
	if o.write == "-" && format != trace.NoFormat {
		if cmd.Flags().Changed("format") || o.json {
			return errors.New("-w - and --format both write to standard output; use --format none")
		}
		format = trace.NoFormat
	}
	only, err := parseOnly(o.only)
	if err != nil {
		return err
	}
	output.Of(cmd.Context()).Reads(o.ovs...)
	o.goesOn, o.keeps = o.session != "", o.write != ""
	conn := 0
	if o.filter, conn, err = ledger.CutConn(o.filter); err != nil {
		return fmt.Errorf("--filter: %w", err)
	}
	o.writes = []output.Destination{{Flag: "-w", Name: o.write}, {Flag: "--session", Name: o.session}}
	j, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.close()
	out := bufio.NewWriterSize(o.stdout, 64<<10)
	defer func() { err = errors.Join(err, out.Flush()) }()
	flows, err := readSwitches(cmd.Context(), o.ovs, j.recorded, o.stderr)
	if err != nil {
		return err
	}
	defer flows.report(o.stderr, "packets")
	p := newPrinter(j, out, format)
	p.words.Hex = o.hex
	p.only, p.lines, p.flows = only, o.lines, flows
	if p.lines == nil && !o.wide {
		p.lines = terminalLines(o.stdout)
	}
	if p.lines != nil && p.lines.Colour {
		p.out = bufio.NewWriter(output.Raw(o.stdout)) // the lines themselves are fit for a terminal
		defer func() { err = errors.Join(err, p.out.Flush()) }()
	}
	if o.quiet && format == trace.LineFormat {
		p.format = trace.NoFormat
		defer func() {
			if err == nil {
				_, err = fmt.Fprintln(out, &p.counts)
			}
		}()
	}
	flows.attach(p.why.Book)
	if conn != 0 {
		p.ledger, p.conn = ledger.New(p.why, j.Taps), conn
	}
	written := func() error { return nil }
	if o.write != "" {
		if written, err = p.annotate(cmd.Context(), o.write, o.stdout); err != nil {
			return err
		}
		p.notes.Verdicts = o.verdict
	}
	if o.session != "" {
		err = j.kept(cmd.Context(), o.session, p)
	} else {
		err = j.feed(cmd.Context(), j.session(p, j.ahead()))
	}
	err = errors.Join(err, p.err, errors.Join(j.warnings...))
	if j.begun {
		err = errors.Join(err, written())
	}
	if b := replay.BoundsOf(j.Engine); !b.Empty() && format == trace.JSONFormat {
		err = errors.Join(err, encoder(out).Encode(boundsJSON{replay.FormVersion, b}))
	}
	if by := new(interruption); errors.As(err, &by) && format == trace.JSONFormat {
		err = errors.Join(err, json.NewEncoder(out).Encode(interruptedJSON{true, by.packets}))
	}
	return err
}

// interruptedJSON is the last line of JSON that an interrupted command prints.
type interruptedJSON struct {
	Interrupted bool `json:"interrupted"`
	Packets     int  `json:"packets"` // read until then
}

// kept goes on where the session in a file ended, and keeps the replay there.
func (j *job) kept(ctx context.Context, session string, h replay.Handler) error {
	file, err := store.OpenSession(session, true)
	if err != nil {
		return err
	}
	return errors.Join(j.keptIn(ctx, file, h, j.ahead()), file.Close())
}

func (j *job) keptIn(ctx context.Context, file archive.File, h replay.Handler, ahead conntrack.Time) error {
	if len(j.sources) > 1 {
		return errors.New("--session: a session is of one database; give one --db")
	}
	k, err := archive.Keep(file, j.Engine, j.Taps, strings.Join(j.sources, ", "), h, j.in.tell)
	if err != nil {
		return err
	}
	j.Taps, j.changes = k.Taps, k.Changes(j.changes)
	return k.Replay(j.session(k, ahead), !j.Empty(), func(add func(*pcap.Record), end func()) error {
		return j.feedTo(ctx, add, end)
	})
}

// printer is a replay.Handler that shows each packet's fate, and writes the
// annotated capture.
type printer struct {
	job    *job
	out    *bufio.Writer
	live   bool // each packet is to be shown at once
	format trace.Format
	why    *why.Explainer
	words  replay.Renderer
	buf    []byte
	notes  *annotate.Capture
	only   only
	ledger *ledger.Ledger // to know connections by their numbers, nil if none is asked for
	conn   int
	lines  *replay.Lines // of a terminal
	flows  *switches     // nil: none are shown
	counts counts
	err    error

	publish func() error // gives the annotated capture its place; nil: it has it
}

func newPrinter(j *job, out *bufio.Writer, format trace.Format) *printer {
	x := j.explainer()
	return &printer{job: j, out: out, live: j.Live(), format: format, why: x, words: replay.Renderer{Why: x}}
}

// annotate begins the annotated capture; the function it returns completes it.
func (p *printer) annotate(ctx context.Context, name string, stdout io.Writer) (func() error, error) {
	w, done, err := output.Of(ctx).Open("-w", name, output.Raw(stdout))
	if err != nil {
		return nil, err
	}
	if p.notes, err = annotate.New(w, p.why, p.job.Taps, p.job.about()); err != nil {
		return nil, err
	}
	if file, ok := w.(*output.File); ok && p.live {
		p.publish = file.Publish
	}
	return func() error {
		err := p.notes.Close(p.job.TakeBlocks())
		if err == nil {
			done()
		}
		return p.wrote(name, err)
	}, nil
}

// wrote says what was written, unless that or another output failed.
func (p *printer) wrote(name string, err error) error {
	if err == nil && p.err == nil && name != "-" {
		packets, interfaces := p.notes.Written()
		p.job.in.tell("wrote %s: %d packets at %d interfaces", name, packets, interfaces)
	}
	return err
}

// about is what an annotated capture says of itself.
func (j *job) about() annotate.About {
	a := annotate.About{Program: "ovn-replay", Database: strings.Join(j.sources, ", "), Command: commandLine(os.Args[1:])}
	a.Captured, a.Interfaces = j.Made()
	return a
}

// commandLine is the command with its arguments as a shell takes them.
func commandLine(args []string) string {
	line := "ovn-replay"
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		line += " " + a
	}
	return line
}

// Entered implements replay.Handler.
func (p *printer) Entered(f *replay.Frame, pt *replay.Point, out *sim.Outcome) {
	other := false // of another connection than is asked for
	if p.ledger != nil {
		c := p.ledger.Note(f, pt, out)
		other = c == nil || c.ID != p.conn
	}
	p.counts.add(out)
	if p.err != nil || p.format == trace.NoFormat && p.notes == nil && (p.why == nil || p.why.Book.OpenFlow == nil) {
		return
	}
	if other || !p.job.filter.Packet(f, pt, out) || !p.only.has(f, out) {
		p.pass(f, pt)
		return
	}
	name := replay.NameOf(p.job.Taps, f)
	if p.notes != nil {
		p.err = p.notes.Entered(f, pt, name, out)
		p.see()
	}
	if p.flows != nil {
		p.flows.met(p.why.Book, &out.Trace)
	}
	p.err = errors.Join(p.err, p.fate(f, pt, name, out))
	if p.err == nil && p.live {
		p.err = p.out.Flush()
	}
}

// fate writes a packet's fate in the format.
func (p *printer) fate(f *replay.Frame, pt *replay.Point, name string, out *sim.Outcome) error {
	switch p.format {
	case trace.NoFormat:
		if p.why != nil && p.why.Book.OpenFlow != nil { // it notes what switches lack
			replay.NewRecord(p.why, f, pt, name, out, false)
		}
		return nil
	case trace.LineFormat:
		if p.lines != nil {
			_, err := p.out.WriteString(p.lines.Record(replay.NewRecord(p.why, f, pt, name, out, false)))
			return err
		}
		p.buf = p.words.AppendLine(p.buf[:0], f, pt, name, out)
	case trace.JSONFormat:
		p.buf = p.words.AppendJSON(p.buf[:0], f, pt, name, out)
	default:
		r := replay.NewRecord(p.why, f, pt, name, out, false)
		return writeFate(p.out, p.format, p.lines, r, p.why.Book, &out.Trace)
	}
	_, err := p.out.Write(append(p.buf, '\n'))
	return err
}

// see writes out what was noted from a live capture: someone may look on.
func (p *printer) see() {
	if !p.live || p.err != nil {
		return
	}
	if p.err = p.notes.Flush(); p.err == nil && p.publish != nil {
		p.err = p.publish()
	}
}

// Observed implements replay.Handler.
func (p *printer) Observed(f *replay.Frame, pt *replay.Point) { p.pass(f, pt) }

// pass keeps what the captures carry with a frame that is not shown.
func (p *printer) pass(f *replay.Frame, pt *replay.Point) {
	if p.notes != nil {
		p.err = errors.Join(p.err, p.notes.Passed(f, pt, replay.NameOf(p.job.Taps, f)))
	}
}

// Skipped implements replay.Handler.
func (p *printer) Skipped(f *replay.Frame, pt *replay.Point, because string) {
	p.pass(f, pt)
	switch {
	case p.format != trace.LineFormat || p.job.in.filter != "" || p.ledger != nil:
	case p.lines != nil:
		p.out.WriteString(p.lines.Skipped(replay.NameOf(p.job.Taps, f), f.Number, pt.Name(), because))
	default:
		fmt.Fprintf(p.out, "%s:%d %s skipped: %s\n", replay.NameOf(p.job.Taps, f), f.Number, pt.Name(), because)
	}
}
