package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/sim/annotate"
	"ovnreplay/sim/job"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/report"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

type reportOptions struct {
	input
	stdout io.Writer
	output string
	title  string
}

func newReportCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &reportOptions{input: newInput(stdin, stderr), stdout: stdout}
	cmd := &cobra.Command{
		Use:   "report -o FILE --db SOURCE FILE[@PORT]… | --case DIR",
		Short: "Write one HTML page of a replay: verdicts, causes, paths, connections, traces",
		Long: `report replays captures, verifies them, and writes what became of the packets as one
self-contained page: it can be mailed, and loads nothing from anywhere.

Exit status, as of verify: 0 everything matched; 1 there is a difference; 2 nothing
could be verified, bad usage or bad input; 129, 130 or 143 interrupted. The page is
written all the same.`,
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.Captures = append(o.Captures, captures...)
			return o.report(cmd)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the page to `FILE`, - is standard output")
	cmd.Flags().StringVar(&o.title, "title", "", "of the page")
	return cmd
}

func (o *reportOptions) report(cmd *cobra.Command) (err error) {
	if o.output == "" {
		return errors.New("no file for the report: name one with -o report.html")
	}
	o.Hops = true
	o.Writes = []output.Destination{{Flag: "-o", Name: o.output}}
	j, err := o.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.Close()
	about := report.About{Title: o.title, Program: annotate.Program(), Command: annotate.CommandLine(os.Args[1:]),
		Database: strings.Join(j.Sources, ", ")}
	if about.Title == "" {
		about.Title = "Replay of " + printable.Count(len(j.Taps), "capture")
	}
	defer store.Frugal(cmd.Context())()
	r := report.New(j.Explainer(), j.Taps, about)
	v := replay.NewVerifier(replay.VerifyOptions{Causes: j.Causes})
	damage := errors.Join(j.Run(cmd.Context(), j.Start(replay.Handlers(v, r), job.LookAhead)), j.Damaged())
	if errors.As(damage, new(*job.Interruption)) {
		v.Interrupt()
	}
	verified := v.Finish()
	if damage != nil {
		verified.Damaged = printable.Errors(damage)
	}
	o.unread(verified)
	r.Verified(verified)
	if err := o.save(cmd.Context(), r); err != nil {
		return err
	}
	return verdict(verified.OK(), verified, damage)
}

func (o *reportOptions) save(ctx context.Context, r *report.Report) error {
	w, done, err := output.Of(ctx).Open("-o", o.output, o.stdout)
	if err != nil {
		return err
	}
	if err := r.Write(w); err != nil {
		return err
	}
	done()
	if !output.Stdout(o.output) {
		output.Of(ctx).After(func() error { o.Tell("wrote %s", o.output); return nil })
	}
	return nil
}
