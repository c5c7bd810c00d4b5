package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/job"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/show"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

type showOptions struct {
	stdout io.Writer
	stderr io.Writer
	format string
	json   bool
	asOVN  bool
	wide   bool
	ovs    []string
}

func newShowCommand(_ io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &showOptions{stdout: stdout, stderr: stderr}
	cmd := &cobra.Command{
		Use:   "show SESSION [N | N-M]…",
		Short: "Show packets of a session as they were replayed",
		Long: `show lists the packets of a session that "run --session" made, numbered from 1 in
the order in which run showed them, or shows the traces of those named.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.show(cmd.Context(), args[0], args[1:]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "",
		"line, detailed, summary, minimal or json (default line for the list, detailed for a packet)")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	flags.OVS(f, &o.ovs)
	f.BoolVar(&o.wide, "wide", false,
		"on a terminal, too: one line a packet, whatever its width, as when it is piped")
	f.BoolVar(&o.asOVN, "as-ovn-trace", false,
		"print the ovn-trace command line that asks about the packet, with what conntrack said at each step")
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
	format, ok := trace.ParseFormat(o.format)
	if !ok {
		return fmt.Errorf("--format %s: no such format; use line, detailed, summary, minimal or json", o.format)
	}
	var ranges []archive.Range
	for _, s := range numbers {
		r, err := archive.ParseRange(s)
		if err != nil {
			return err
		}
		ranges = append(ranges, r)
	}
	flows, err := openflow.ReadSwitches(ctx, o.ovs, nil, store.OpenFile, (&job.Spec{Stderr: o.stderr}).Tell)
	if err != nil {
		return err
	}
	defer flows.Report(o.stderr, "packets")
	file, err := job.OpenKept(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if len(numbers) == 0 {
		ranges = []archive.Range{{First: 1, Last: file.Len()}}
	}
	out := bufio.NewWriter(o.stdout)
	lines := show.TerminalLines(o.stdout)
	if o.wide || format != trace.LineFormat {
		lines = nil
	}
	if lines != nil {
		if len(numbers) == 0 {
			lines.Width -= numberWidth
		}
		out = bufio.NewWriter(output.Raw(o.stdout)) // the lines themselves are fit for a terminal
	}
	defer func() { err = errors.Join(err, out.Flush()) }()
	var kept show.Kept
	for _, r := range ranges {
		if format == trace.JSONFormat {
			if err := kept.Before(ctx, file, r.First); err != nil {
				return err
			}
		}
		err := archive.Each(ctx, file, r.First, r.Last, func(n uint64, p *archive.Packet) error {
			if o.asOVN {
				return show.AsOVNTrace(out, p)
			}
			flows.Attach(p.Book)
			flows.Met(p.Book, &p.Outcome.Trace)
			if len(numbers) > 0 {
				return kept.Packet(out, n, p, format, lines)
			}
			return kept.Listed(out, n, p, format, lines)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// numberWidth is what a list's lines begin with.
const numberWidth = 8
