package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
	"ovnreplay/sim/annotate"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/trace"
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
	o := &runOptions{input: newInput(stdin, stderr), stdout: stdout}
	cmd := &cobra.Command{
		Use:   "run --db SOURCE FILE[@PORT]… | --case DIR",
		Short: "Replay captures and show each packet's fate",
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.Captures = append(o.Captures, captures...)
			return o.run(cmd)
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "line", "line, detailed, summary, minimal, json or none")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	f.BoolVar(&o.hex, "hex", false, "with json: include the bytes of the packets that leave")
	f.StringVar(&o.session, "session", "", "go on where the session in `FILE` ended, and keep this replay in it; "+
		"see show")
	flags.OVS(f, &o.ovs)
	f.BoolVar(&o.wide, "wide", false, "on a terminal, too: one line a packet, whatever its width, as when it is piped")
	f.BoolVar(&o.Hops, "hops", false, "with -w: write each packet as it comes to every datapath, too")
	f.StringVar(&o.only, "only", "",
		"show only packets of `KIND`: delivered, dropped, consumed, unknown, natted, guessed, inferred or noted "+
			"(several "+
			"separated by commas)")
	f.BoolVar(&o.verdict, "epb-verdict", false,
		"with -w: write an epb_verdict option too; Wireshark 4.0 damages such a capture when it saves it")
	f.StringVarP(&o.write, "write", "w", "", "write the annotated pcapng to `FILE`, - is standard output")
	return cmd
}

func (o *runOptions) run(cmd *cobra.Command) (err error) {
	if o.json {
		o.format = "json"
	}
	format, ok := trace.ParseFormat(o.format)
	if !ok {
		return fmt.Errorf("--format %s: no such format; use line, detailed, summary, minimal, json or none", o.format)
	}
	if output.Stdout(o.write) && !cmd.Flags().Changed("format") && !o.json {
		format = trace.NoFormat
	}
	only, err := show.ParseOnly(o.only, false)
	if err != nil {
		return err
	}
	for _, name := range []string{"hops", "epb-verdict"} {
		if cmd.Flags().Changed(name) && o.write == "" {
			return fmt.Errorf("--%s: is of what is written: name a file with -w", name)
		}
	}
	output.Of(cmd.Context()).Reads(o.ovs...)
	o.GoesOn, o.KeepBlocks = o.session != "", o.write != ""
	conn := 0
	if o.Filter, conn, err = ledger.CutConn(o.Filter); err != nil {
		return fmt.Errorf("--filter: %w", err)
	}
	o.Writes = []output.Destination{{Flag: "-w", Name: o.write}, {Flag: "--session", Name: o.session},
		output.Said(format != trace.NoFormat)}
	j, err := o.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.Close()
	out, done := output.Buffer(o.stdout, j.Live())
	var p *show.Printer
	defer func() {
		if err = errors.Join(err, done()); p != nil {
			p.Wrote(err)
		}
	}()
	flows, err := openflow.ReadSwitches(cmd.Context(), o.ovs, j.OpenFlow, store.OpenFile, o.Tell)
	if err != nil {
		return err
	}
	flows.There(j.Net)
	defer flows.Report(o.Stderr, "packets")
	p = show.New(j, out, format)
	p.Words.Hex, p.Only, p.Conn, p.Lines, p.Switches = o.hex, only, conn, o.lines, flows
	if p.Lines == nil && !o.wide {
		p.Lines = show.TerminalLines(o.stdout)
	}
	p.Lines.Expect(j.Taps)
	if p.Lines != nil && p.Lines.Colour {
		p.Out = bufio.NewWriter(output.Raw(o.stdout)) // the lines themselves are fit for a terminal
		defer func() { err = errors.Join(err, p.Out.Flush()) }()
	}
	if o.Quiet && format == trace.LineFormat {
		p.Format = trace.NoFormat
		defer func() {
			if j.Begun { // of what could be read
				_, bad := fmt.Fprintln(out, &p.Counts)
				err = errors.Join(err, bad)
			}
		}()
	}
	flows.Attach(p.Words.Why.Book)
	written := func() error { return nil }
	if o.write != "" {
		if written, err = p.Annotate(cmd.Context(), o.write, o.stdout, annotate.CommandLine(os.Args[1:])); err != nil {
			return err
		}
		p.Notes.Verdicts = o.verdict
	}
	if o.session != "" {
		err = j.Keep(cmd.Context(), o.session, p, p.Before())
	} else {
		err = j.Run(cmd.Context(), j.Start(p, j.Ahead()))
	}
	err = errors.Join(err, p.Err, j.Damaged())
	if j.Begun {
		err = errors.Join(err, written())
	}
	if b := replay.BoundsOf(j.Engine); !b.Empty() && format == trace.JSONFormat {
		err = errors.Join(err, output.Encoder(out).Encode(boundsJSON{replay.FormVersion, b}))
	}
	return err
}

// boundsJSON is the line of JSON after the packets, if there is something to tell.
type boundsJSON struct {
	Version int `json:"version"`
	replay.Bounds
}
