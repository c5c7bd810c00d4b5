package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/sim/annotate"
	"ovnreplay/sim/job"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/show"
	"ovnreplay/sim/trace"
	"ovnreplay/store/output"
)

type verifyOptions struct {
	input
	stdout io.Writer
	json   bool
	window time.Duration
	ignore []string
	strict bool
	write  string
	only   string
	list   bool
	mtu    []string
	junit  string
	mute   bool // standard output is for something else, which tells the result, or a file or the status does
}

func newVerifyCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &verifyOptions{input: newInput(stdin, stderr), stdout: stdout}
	cmd := &cobra.Command{
		Use:   "verify --db SOURCE FILE[@PORT]… | --case DIR",
		Short: "Replay captures and hold every packet seen leaving OVN against the prediction",
		Long: `verify replays captures and compares, byte for byte, the packets they show leaving
OVN with the packets the replay says leave there.

Exit status: 0 everything matched; 1 there is a difference; 2 nothing could be
verified (the reason is said), bad usage or bad input; 129, 130 or 143 interrupted,
without a verdict.`,
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.Captures = append(o.Captures, captures...)
			return o.verify(cmd)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as one JSON object")
	cmd.Flags().DurationVar(&o.window, "window", 30*time.Second, "how long a prediction waits for its observation, "+
		"on the captures' clock")
	cmd.Flags().StringSliceVar(&o.ignore, "ignore", nil, "`FIELD`s that may differ, such as ip.ttl (repeatable)")
	cmd.Flags().StringVarP(&o.write, "write", "w", "", "write what was observed, with verdicts and what was "+
		"predicted instead, as pcapng to `FILE`")
	cmd.Flags().StringVar(&o.only, "only", "",
		"with -w: write only packets of `KIND`: matched, mismatched, missing, unexpected, or as for run")
	cmd.Flags().StringVar(&o.junit, "junit", "", "write the result to `FILE`, as CI systems read test results")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "guesses, inferred packets and skipped frames are differences too")
	cmd.Flags().StringSliceVar(&o.mtu, "mtu", nil, "the MTU of a port, `PORT=N`, or a switch's conf.db: "+
		"longer packets do not leave there (repeatable)")
	cmd.Flags().BoolVar(&o.list, "list", false, "list the packets that differ, after the causes")
	return cmd
}

func (o *verifyOptions) verify(cmd *cobra.Command) (err error) {
	only, err := show.ParseOnly(o.only, true)
	switch {
	case err != nil:
		return err
	case o.only != "" && o.write == "":
		return fmt.Errorf("--only %s: is of what is written: name a file with -w", o.only)
	case o.window < 0:
		return fmt.Errorf("--window %s: no prediction waits less than no time", o.window)
	}
	o.KeepBlocks = o.write != ""
	o.mute = !o.json && (output.Stdout(o.junit) || output.Stdout(o.write) && (o.Quiet || o.junit != ""))
	o.Writes = []output.Destination{{Flag: "-w", Name: o.write}, {Flag: "--junit", Name: o.junit}, output.Said(!o.mute)}
	if err := replay.CheckIgnored(o.ignore); err != nil {
		return fmt.Errorf("--ignore: %w", err)
	}
	mtus, err := job.MTUs(cmd.Context(), o.mtu, o.Source)
	if err != nil {
		return err
	}
	j, err := o.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.Close()
	if err := j.KnowMTUs(o.mtu, mtus); err != nil {
		return err
	}
	opts := replay.VerifyOptions{Window: conntrack.Time(o.window), Ignore: o.ignore, Strict: o.strict, MTU: mtus,
		Causes: j.Causes}
	var notes *show.Printer
	written := func() error { return nil }
	if o.write != "" {
		notes = show.New(j, bufio.NewWriter(io.Discard), trace.NoFormat)
		if written, err = notes.Annotate(cmd.Context(), o.write, o.stdout,
			annotate.CommandLine(os.Args[1:])); err != nil {
			return err
		}
		if err := notes.Compare(only); err != nil {
			return err
		}
		opts.Matched, opts.Conn = notes.Notes.Matched, notes.Number
	}
	v := replay.NewVerifier(opts)
	var h replay.Handler = v
	if notes != nil {
		h = replay.Handlers(notes, v) // a packet has its number when it is verified
	}
	damage := errors.Join(j.Run(cmd.Context(), j.Start(h, job.LookAhead)), j.Damaged())
	if errors.As(damage, new(*job.Interruption)) {
		v.Interrupt()
	}
	report := v.Finish()
	if damage != nil {
		report.Damaged = printable.Errors(damage)
	}
	report.Clocks, report.List = j.Clocks, o.list
	if b := replay.BoundsOf(j.Engine); !b.Empty() {
		report.Bounds = &b
	}
	o.unread(report)
	ok := report.OK()
	j.ByHistory(cmd.Context(), opts, report)
	j.Filter.Select(report)
	if notes != nil {
		damage = errors.Join(damage, notes.Err, notes.Notes.Differing(report), written())
		defer func() { notes.Wrote(err) }()
	}
	if err := o.printJUnit(cmd.Context(), report, j); err != nil {
		return err
	}
	if err := o.print(report); err != nil {
		return err
	}
	return verdict(ok, report, damage)
}

// verdict is how a command ends whose replay was held against the captures, and was all right or not.
func verdict(ok bool, r *replay.Report, damage error) error {
	switch {
	case damage != nil:
		return damage
	case r.Unverified != "":
		return errors.New("nothing was verified: " + r.Unverified)
	case !ok:
		return errDifference
	}
	return nil
}

// printJUnit writes the --junit file.
func (o *verifyOptions) printJUnit(ctx context.Context, r *replay.Report, j *job.Job) error {
	if o.junit == "" {
		return nil
	}
	var names []string
	for _, t := range j.Taps {
		names = append(names, t.Name)
	}
	w, done, err := output.Of(ctx).Open("--junit", o.junit, output.Raw(o.stdout))
	if err != nil {
		return err
	}
	if err := r.WriteJUnit(w, names); err != nil {
		return err
	}
	done()
	return nil
}

func (o *verifyOptions) print(r *replay.Report) error {
	if o.mute {
		return nil
	}
	if o.json {
		e := output.Encoder(o.stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.Write(show.Folding(o.stdout), o.Quiet)
}
