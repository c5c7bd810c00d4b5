package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/sim/archive"
	"ovnreplay/sim/microflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
	"ovnreplay/store"

	"ovnreplay/sim/printable"
)

type showOptions struct {
	stdout io.Writer
	stderr io.Writer
	format string
	json   bool
	asOVN  bool
	ovs    []string
}

func newShowCommand(_ io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &showOptions{stdout: stdout, stderr: stderr}
	cmd := &cobra.Command{
		Use:   "show SESSION [N | N-M]…",
		Short: "Show packets of a session as they were replayed",
		Long: `show lists the packets of a session that "run --session" made, numbered from 1 in
the order in which run showed them, or shows the traces of those named.`,
		Example: `  ovn-replay show s.db              # the packets
  ovn-replay show s.db 17           # the trace of packet 17
  ovn-replay show s.db 17-20 --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.show(cmd.Context(), args[0], args[1:]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "line, detailed, summary, minimal or json (default line for the list, detailed for a packet)")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	ovsFlag(f, &o.ovs)
	f.BoolVar(&o.asOVN, "as-ovn-trace", false, "print the ovn-trace command line that asks about the packet, with what conntrack said at each step")
	return cmd
}

func (o *showOptions) show(ctx context.Context, path string, numbers []string) (err error) {
	switch {
	case o.json:
		o.format = "json"
	case o.format == "" && len(numbers) == 0:
		o.format = "line"
	case o.format == "":
		o.format = "detailed"
	}
	format, ok := formats[o.format]
	if !ok {
		return fmt.Errorf("--format %s: no such format; use line, detailed, summary, minimal or json", o.format)
	}
	var ranges []packetRange
	for _, s := range numbers {
		r, err := parseRange(s)
		if err != nil {
			return err
		}
		ranges = append(ranges, r)
	}
	flows, err := readSwitches(ctx, o.ovs, nil, o.stderr)
	if err != nil {
		return err
	}
	defer flows.report(o.stderr, "packets")
	file, err := store.OpenSession(path, false)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := archive.Check(file); err != nil {
		return err
	}
	if len(numbers) == 0 {
		ranges = []packetRange{{1, file.Len()}}
	}
	out := bufio.NewWriter(o.stdout)
	defer func() { err = errors.Join(err, out.Flush()) }()
	reader := archive.NewReader(file.GetPiece)
	for _, r := range ranges {
		for n := r.first; n <= r.last; n++ {
			var err error
			if o.asOVN {
				err = showCommand(out, file, reader, n)
			} else {
				err = showPacket(out, file, reader, n, format, len(numbers) == 0, flows)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// packetRange is some packets of a session.
type packetRange struct{ first, last uint64 }

func parseRange(s string) (r packetRange, err error) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 64)
	b, err2 := strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil || a == 0 || b < a {
		return r, fmt.Errorf("%q: not a packet's number; give N or N-M, numbered from 1 as show SESSION lists them", s)
	}
	return packetRange{a, b}, nil
}

// showPacket writes packet n of a session; in a list its number comes first.
func showPacket(out *bufio.Writer, file *store.Session, reader *archive.Reader, n uint64, format trace.Format, list bool, flows *switches) error {
	p, err := archive.Read(file, reader, n)
	if err != nil {
		return err
	}
	flows.attach(p.Book)
	flows.met(p.Book, &p.Outcome.Trace)
	r := replay.NewRecord(&why.Explainer{Book: p.Book}, &p.Frame, p.Point, p.Capture, &p.Outcome, false)
	if list && format == trace.LineFormat {
		printable.Fprintf(out, "%6d  ", n)
	}
	return writeFate(out, format, nil, r, p.Book, &p.Outcome.Trace)
}

// showCommand writes the ovn-trace command line for packet n of a session.
func showCommand(out *bufio.Writer, file *store.Session, reader *archive.Reader, n uint64) error {
	p, err := archive.Read(file, reader, n)
	if err != nil {
		return err
	}
	words := []string{"ovn-trace"}
	t := &p.Outcome.Trace
	for _, ev := range t.Events() {
		if ev.Kind != trace.CT {
			continue
		}
		if s := &t.CT[ev.Arg]; ovnTraceAsks(p.Book, &ev) {
			words = append(words, "--ct "+strings.ReplaceAll(trace.StateString(s.State), "|", ","))
		}
	}
	for i := range t.NAT {
		if s := &t.NAT[i]; s.Dst && !s.Undo {
			_, to := s.Ends()
			words = append(words, "--lb-dst "+to)
			break
		}
	}
	words = append(words, fmt.Sprintf("%q", p.Point.Port.Datapath.Name),
		"'"+microflow.Express(p.Frame.Data, p.Point.Port.Name)+"'")
	_, err = fmt.Fprintln(out, strings.Join(words, " "))
	return err
}

// ovnTraceAsks reports whether ovn-trace takes the next --ct at a pass through
// conntrack: not for commits, nor for un-SNAT on gateway routers, which it
// leaves out.
func ovnTraceAsks(book *trace.Book, ev *trace.Event) bool {
	actions := book.Net.Flows[ev.Flow].Actions
	switch {
	case strings.Contains(actions, "ct_commit {"), strings.Contains(actions, "ct_commit;"), strings.Contains(actions, "ct_commit("):
		return false
	case strings.Contains(actions, "ct_snat;"):
		for _, p := range book.Net.Datapaths[ev.Datapath].Ports {
			if p.Type == network.L3Gateway {
				return false
			}
		}
	}
	return true
}

// writeFate writes a packet's fate in a format; lines, if not nil, are those of a terminal.
func writeFate(out *bufio.Writer, format trace.Format, lines *replay.Lines, r *replay.Record, book *trace.Book, t *trace.Trace) (err error) {
	switch format {
	case trace.NoFormat:
	case trace.LineFormat:
		if lines != nil {
			_, err = out.WriteString(lines.Record(r))
		} else {
			_, err = fmt.Fprintln(out, r.Line())
		}
	case trace.JSONFormat:
		err = encoder(out).Encode(r)
	default:
		printable.Fprintf(out, "# %s\n", r.Line())
		err = book.Write(out, t, format)
		fmt.Fprintln(out)
	}
	return err
}
