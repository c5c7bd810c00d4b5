package trace

import (
	"fmt"
	"io"
	"strings"
)

// Format is a way to show a trace.
type Format uint8

const (
	LineFormat Format = iota + 1
	DetailedFormat
	SummaryFormat
	MinimalFormat
	JSONFormat
	NoFormat
)

// Write shows the trace in ovn-trace's detailed, summary or minimal form.
func (b *Book) Write(w io.Writer, t *Trace, f Format) error {
	r := renderer{book: b, trace: t, format: f}
	for i := range t.Events {
		r.event(&t.Events[i])
	}
	_, err := io.WriteString(w, r.out.String())
	return err
}

// renderer writes one trace.
type renderer struct {
	book   *Book
	trace  *Trace
	format Format
	out    strings.Builder
	hidden bool // the current flow is not worth showing
}

func (r *renderer) event(ev *Event) {
	switch ev.Kind {
	case Enter:
		r.pipeline(r.book.Pipeline(ev), ev.Depth)
	case Tunnel:
		r.pipeline(fmt.Sprintf("tunnel to chassis %q", r.book.Net.Chassis[ev.Arg].Name), ev.Depth)
	case Match:
		r.match(ev)
	case Act:
		r.action(ev)
	case CT:
		r.comment(ev, r.book.CT(&r.trace.CT[ev.Arg]))
	case NAT:
		r.effect(ev, r.book.NAT(&r.trace.NAT[ev.Arg]))
	case Out:
		r.leaves(ev)
	case Member:
		r.comment(ev, "multicast copy for "+r.book.Port(ev.Port))
	case Miss:
		r.comment(ev, fmt.Sprintf("table %d of %s: no match", ev.Table, r.book.datapath(ev.Datapath)))
	case Broken:
		r.effect(ev, fmt.Sprintf("logical flow %s was left out: %s", short(r.book.Net.Flows[ev.Flow].UUID), r.trace.Texts[ev.Arg]))
	case Drop:
		r.effect(ev, ev.Reason.String())
	case Made, Learn, Note:
		r.comment(ev, ev.Reason.String())
	}
}

// pipeline writes a pipeline's header.
func (r *renderer) pipeline(header string, depth uint16) {
	switch r.format {
	case DetailedFormat:
		fmt.Fprintf(&r.out, "\n%s\n%s\n", header, strings.Repeat("-", len(header)))
	case SummaryFormat:
		r.indented(depth, header+":")
	}
}

func (r *renderer) match(ev *Event) {
	f := r.book.Net.Flows[ev.Flow]
	r.hidden = f.Match == "1" && f.Actions == "next;" && f.Priority == 0
	if r.format == DetailedFormat && !r.hidden {
		r.indented(0, r.book.Stage(ev))
	}
}

// minimalHides are the beginnings of actions that a minimal trace leaves out:
// those that only move the packet through the pipelines or set registers.
var minimalHides = []string{"next", "output", "reg", "xreg", "xxreg", "flags.", "outport", "inport", "drop", "ct_clear", "get_", "put_", "lookup_"}

func (r *renderer) action(ev *Event) {
	if r.hidden {
		return
	}
	text := r.book.Action(ev.Flow, ev.Arg)
	switch r.format {
	case DetailedFormat:
		r.indented(1, text)
	case SummaryFormat:
		r.indented(ev.Depth+1, text)
	case MinimalFormat:
		for _, p := range minimalHides {
			if strings.HasPrefix(text, p) {
				return
			}
		}
		r.indented(0, text)
	}
}

// comment writes what belongs to the fuller forms only, effect what every form shows.
func (r *renderer) comment(ev *Event, text string) {
	if r.format != MinimalFormat {
		r.effect(ev, text)
	}
}

func (r *renderer) effect(ev *Event, text string) {
	depth := uint16(0)
	switch r.format {
	case DetailedFormat:
		depth = 1
	case SummaryFormat:
		depth = ev.Depth + 1
	}
	r.indented(depth, "/* "+text+" */")
}

func (r *renderer) leaves(ev *Event) {
	port := r.book.Net.Ports[ev.Port]
	if r.format == MinimalFormat {
		r.indented(0, fmt.Sprintf("output(%q);", port.Name))
		return
	}
	r.effect(ev, fmt.Sprintf("output to %q, type %q", port.Name, port.TypeName))
}

func (r *renderer) indented(depth uint16, text string) {
	r.out.WriteString(strings.Repeat("    ", int(depth)))
	r.out.WriteString(text)
	r.out.WriteByte('\n')
}
