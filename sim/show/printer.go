// Package show is how a person sees what became of packets: which of them, one
// line each or ovn-trace's forms, JSON, a terminal's lines, counted, and the
// annotated capture beside.
//
// It decides nothing of a packet's fate.
package show

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/annotate"
	"ovnreplay/sim/job"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/store/output"
)

// Printer is a replay.Handler that shows each packet's fate, and writes the
// annotated capture.
type Printer struct {
	Job    *job.Job
	Out    *bufio.Writer
	Format trace.Format
	Words  replay.Renderer
	Only   Only
	Conn   int           // only this connection, as a ledger numbers it; 0: all
	Lines  *replay.Lines // of a terminal, nil if it is none
	Notes  *annotate.Capture
	// Switches notes what switches lack; nil: no OpenFlow flows are shown.
	Switches *openflow.Switches

	// Counts sum up the packets that are selected, shown or not.
	Counts Counts
	// Err is the first error of writing.
	Err error

	numbers ledger.Numbers // of connections, where they are asked for
	number  int            // see Number
	live    bool           // each packet is to be seen at once
	buf     []byte
	written string // the annotated capture that is complete
	files   *output.Files
	publish func() error // gives the annotated capture its place; nil: it has it
}

// New returns a printer of a job's packets, all of them; for out nil format is
// NoFormat.
func New(j *job.Job, out *bufio.Writer, format trace.Format) *Printer {
	return &Printer{Job: j, Out: out, Format: format, Words: replay.Renderer{Why: j.Explainer()}, live: j.Live()}
}

// Annotate begins the annotated capture in the file that a flag -w names, - is
// stdout; the function it returns completes it. command is the command line.
func (p *Printer) Annotate(ctx context.Context, name string, stdout io.Writer, command string) (func() error, error) {
	p.files = output.Of(ctx)
	w, done, err := p.files.Open("-w", name, output.Raw(stdout))
	if err != nil {
		return nil, err
	}
	about := annotate.About{Program: annotate.Program(), Database: strings.Join(p.Job.Sources, ", "), Command: command}
	about.Captured, about.Interfaces = p.Job.Made()
	if p.Notes, err = annotate.New(w, p.Words.Why, p.Job.Taps, about); err != nil {
		return nil, err
	}
	if file, ok := w.(*output.File); ok && p.live {
		p.publish = file.Publish
	}
	return func() error {
		err := p.Notes.Close(p.Job.TakeBlocks())
		if err == nil {
			done()
			p.written = name
		}
		return err
	}, nil
}

// Compare has the annotated capture hold what is verified: of each kind that only names what was observed,
// beside what was predicted, in the order of time; of a live capture as it comes, since someone may look on.
func (p *Printer) Compare(only Only) error {
	p.Notes.Only, p.Only = only.Compared, only
	if p.live {
		return p.Notes.Compare(nil)
	}
	return p.Notes.Compare(&output.Spool{})
}

// Wrote has it said what was written, once that has its place, unless another output failed.
func (p *Printer) Wrote(err error) {
	var failed *output.Error
	if p.written != "" && !output.Stdout(p.written) && p.Err == nil && !errors.As(err, &failed) {
		packets, interfaces := p.Notes.Written()
		p.files.After(func() error {
			p.Job.Spec.Tell("wrote %s: %s at %s", p.written, printable.Count(packets, "packet"),
				printable.Count(interfaces, "interface"))
			return nil
		})
	}
}

// Entered implements replay.Handler.
func (p *Printer) Entered(f *replay.Frame, pt *replay.Point, out *sim.Outcome) {
	conn := 0
	if p.numbered() {
		conn = p.numbers.Number(f, pt, out)
	}
	p.number, p.Words.Conn = conn, conn
	p.Counts.entered++
	if p.Conn != 0 && conn != p.Conn || !p.Job.Filter.Packet(f, pt, out) || !p.Only.Has(p.Words.Why, f, out) {
		p.pass(f, pt)
		return
	}
	p.Counts.Add(p.Words.Why, out)
	if p.Err != nil || p.Format == trace.NoFormat && p.Notes == nil && p.Words.Why.Book.OpenFlow == nil {
		return
	}
	name := replay.NameOf(p.Job.Taps, f)
	if p.Notes != nil {
		p.Err = p.Notes.Entered(f, pt, name, conn, out)
		p.see()
	}
	p.Switches.Met(p.Words.Why.Book, &out.Trace)
	p.Err = errors.Join(p.Err, p.fate(f, pt, name, out))
	if p.Err == nil && p.live {
		p.Err = p.Out.Flush()
	}
}

// Number is that of the connection of the packet that entered last, 0 if it has none.
func (p *Printer) Number() int { return p.number }

// Before returns what takes in the packets that a session holds already, nil if
// nothing depends on them.
func (p *Printer) Before() job.Before {
	if !p.numbered() {
		return nil
	}
	return func(f *replay.Frame, pt *replay.Point, out *sim.Outcome) { p.numbers.Number(f, pt, out) }
}

// numbered reports whether connections' numbers are asked for.
func (p *Printer) numbered() bool {
	return p.Conn != 0 || p.Notes != nil || p.Format == trace.JSONFormat
}

// fate writes a packet's fate in the format.
func (p *Printer) fate(f *replay.Frame, pt *replay.Point, name string, out *sim.Outcome) error {
	why := p.Words.Why
	switch p.Format {
	case trace.NoFormat:
		if why.Book.OpenFlow != nil { // it notes what switches lack
			replay.NewRecord(why, f, pt, name, out, false)
		}
		return nil
	case trace.LineFormat:
		if p.Lines != nil {
			_, err := p.Out.WriteString(p.Lines.Record(replay.NewRecord(why, f, pt, name, out, false)))
			return err
		}
		p.buf = p.Words.AppendLine(p.buf[:0], f, pt, name, out)
	case trace.JSONFormat:
		p.buf = p.Words.AppendJSON(p.buf[:0], f, pt, name, out)
	default:
		p.buf = p.Words.AppendLine(append(p.buf[:0], "# "...), f, pt, name, out)
		p.Out.Write(append(p.buf, '\n'))
		err := why.Book.Write(p.Out, &out.Trace, p.Format)
		p.Out.WriteByte('\n')
		return err
	}
	_, err := p.Out.Write(append(p.buf, '\n'))
	return err
}

// see writes out what was noted from a live capture: someone may look on.
func (p *Printer) see() {
	if !p.live || p.Err != nil {
		return
	}
	if p.Err = p.Notes.Flush(); p.Err == nil && p.publish != nil {
		p.Err = p.publish()
	}
}

// Observed implements replay.Handler.
func (p *Printer) Observed(f *replay.Frame, pt *replay.Point) { p.pass(f, pt) }

// pass keeps what the captures carry with a frame that is not shown.
func (p *Printer) pass(f *replay.Frame, pt *replay.Point) {
	if p.Notes != nil {
		p.Err = errors.Join(p.Err, p.Notes.Passed(f, pt, replay.NameOf(p.Job.Taps, f)))
	}
}

// Skipped implements replay.Handler.
func (p *Printer) Skipped(f *replay.Frame, pt *replay.Point, because string) {
	p.pass(f, pt)
	switch {
	case p.Format != trace.LineFormat || p.Job.Spec.Filter != "" || p.Conn != 0 || p.Only.Compared != nil:
	case p.Lines != nil:
		p.Out.WriteString(p.Lines.Skipped(replay.NameOf(p.Job.Taps, f), f.Number, f.Time, pt.Called(), because))
	default:
		printable.Fprintf(p.Out, "%s:%d %s skipped: %s\n", replay.NameOf(p.Job.Taps, f), f.Number, pt.Name(), because)
	}
}

// WriteFate writes a packet's fate in a format; lines, if not nil, are those of a terminal.
func WriteFate(out *bufio.Writer, format trace.Format, lines *replay.Lines, r *replay.Record, book *trace.Book,
	t *trace.Trace) (err error) {
	switch format {
	case trace.NoFormat:
	case trace.LineFormat:
		if lines != nil {
			_, err = out.WriteString(lines.Record(r))
		} else {
			_, err = fmt.Fprintln(out, r.Line())
		}
	case trace.JSONFormat:
		err = output.Encoder(out).Encode(r)
	default:
		printable.Fprintf(out, "# %s\n", r.Line())
		err = book.Write(out, t, format)
		fmt.Fprintln(out)
	}
	return err
}
