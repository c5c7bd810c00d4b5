package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/sim/replay"
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
	list   bool
	mtu    map[string]int
	junit  string
}

func newVerifyCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &verifyOptions{input: input{stdin: stdin, stderr: stderr}, stdout: stdout}
	cmd := &cobra.Command{
		Use:   "verify --db SOURCE FILE[@PORT]… | --case DIR",
		Short: "Replay captures and hold every packet seen leaving OVN against the prediction",
		Long: `verify replays captures and compares, byte for byte, the packets they show leaving
OVN with the packets the replay says leave there.

Exit status: 0 everything matched; 1 there is a difference; 2 nothing could be
verified (the reason is said), bad usage or bad input; 129, 130 or 143 interrupted,
without a verdict.`,
		RunE: func(cmd *cobra.Command, captures []string) error {
			o.captures = append(o.captures, captures...)
			return o.verify(cmd)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as one JSON object")
	cmd.Flags().DurationVar(&o.window, "window", 30*time.Second, "how long a prediction waits for its observation, on the captures' clock")
	cmd.Flags().StringSliceVar(&o.ignore, "ignore", nil, "`FIELD`s that may differ, such as ip.ttl (repeatable)")
	cmd.Flags().StringVarP(&o.write, "write", "w", "", "write what was observed, with verdicts and what was predicted instead, as pcapng to `FILE`")
	cmd.Flags().StringVar(&o.junit, "junit", "", "write the result to `FILE`, as CI systems read test results")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "guesses, inferred packets and skipped frames are differences too")
	cmd.Flags().StringToIntVar(&o.mtu, "mtu", nil, "the MTU of a port, `PORT=N`: longer packets do not leave there (repeatable)")
	cmd.Flags().BoolVar(&o.list, "list", false, "list the packets that differ, after the causes")
	return cmd
}

func (o *verifyOptions) verify(cmd *cobra.Command) (err error) {
	o.keeps = o.write != ""
	o.writes = []output.Destination{{Flag: "-w", Name: o.write}}
	j, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.close()
	opts := replay.VerifyOptions{Window: conntrack.Time(o.window), Ignore: o.ignore, Strict: o.strict, MTU: o.mtu}
	var notes *printer
	written := func() error { return nil }
	if o.write != "" {
		notes = &printer{job: j, out: bufio.NewWriter(io.Discard), format: trace.NoFormat, why: j.explainer()}
		if written, err = notes.annotate(cmd.Context(), o.write, o.stdout); err != nil {
			return err
		}
		notes.notes.Compared = true
		opts.Matched = notes.notes.Matched
	}
	v := replay.NewVerifier(opts)
	var h replay.Handler = v
	if notes != nil {
		h = replay.Handlers(v, notes)
	}
	damage := errors.Join(j.feed(cmd.Context(), j.session(h, lookAhead)), errors.Join(j.warnings...))
	if errors.As(damage, new(*interruption)) {
		v.Interrupt()
	}
	report := v.Finish()
	report.Clocks, report.List = j.Clocks, o.list
	if b := replay.BoundsOf(j.Engine); !b.Empty() {
		report.Bounds = &b
	}
	if o.selects != "" && report.Unverified != "" && report.Packets == 0 {
		report.Unverified = "--pcap-filter selects none of the captures' packets"
	}
	ok := report.OK()
	o.byHistory(cmd.Context(), j, report)
	for _, list := range []*[]replay.Item{&report.Mismatched, &report.Missing, &report.Unexpected, &report.Skipped} {
		*list = j.filter.Items(*list)
	}
	if notes != nil {
		damage = errors.Join(damage, notes.err, notes.notes.Compare(report), written())
	}
	if err := o.printJUnit(report, j); err != nil {
		return err
	}
	if err := o.print(report); err != nil {
		return err
	}
	switch {
	case damage != nil:
		return damage
	case report.Unverified != "":
		return errors.New("nothing was verified: " + report.Unverified)
	case !ok:
		return errDifference
	}
	return nil
}

// printJUnit writes the --junit file.
func (o *verifyOptions) printJUnit(r *replay.Report, j *job) error {
	if o.junit == "" {
		return nil
	}
	var names []string
	for _, t := range j.Taps {
		names = append(names, t.Name)
	}
	f, err := os.Create(o.junit)
	if err != nil {
		return err
	}
	return errors.Join(r.WriteJUnit(f, names), f.Close())
}

func (o *verifyOptions) print(r *replay.Report) error {
	if o.json {
		e := encoder(o.stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.Write(o.stdout, o.quiet)
}
