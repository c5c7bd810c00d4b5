package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store/output"
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

Exit status: 0 every packet fares the same; 1 some do not; 2 no packet entered, bad
usage or bad input; 129, 130 or 143 interrupted, without a verdict.`,
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
	o.dbs = databasesOf(o.a)
	return nil
}

func (o *diffOptions) run(cmd *cobra.Command) error {
	output.Of(cmd.Context()).Reads(o.b)
	ja, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer ja.close()
	jb, err := o.other(cmd, ja)
	if err != nil {
		return err
	}
	d := &replay.Differ{
		A: replay.NewFates(ja.Engine, ja.Taps, ja.filter), B: replay.NewFates(jb.Engine, jb.Taps, jb.filter), Report: o.report,
	}
	sa, sb := ja.session(d.A, ja.ahead()), jb.session(d.B, ja.ahead())
	var failed error
	damage := errors.Join(ja.feedTo(cmd.Context(), func(rec *pcap.Record) {
		sa.Add(rec)
		sb.Add(rec)
		failed = errors.Join(failed, d.Settle(false))
	}, func() {
		sa.Flush()
		sb.Flush()
	}), errors.Join(ja.warnings...))
	if err := errors.Join(failed, d.Settle(true)); err != nil {
		return err
	}
	if !o.quiet && !o.json && damage == nil {
		fmt.Fprintf(o.stdout, "%d packets, %d fare differently\n", d.Packets, d.Different)
	}
	if by := new(interruption); o.json && errors.As(damage, &by) {
		damage = errors.Join(damage, encoder(o.stdout).Encode(interruptedJSON{true, by.packets}))
	}
	switch {
	case damage != nil:
		return damage
	case d.Packets == 0:
		return errors.New("nothing was compared: no packet of the captures entered OVN on either network")
	case d.Different > 0:
		return errDifference
	}
	return nil
}

// report writes a packet that fares differently.
func (o *diffOptions) report(x *replay.FateDifference) error {
	switch {
	case o.json:
		return encoder(o.stdout).Encode(x)
	case o.quiet:
		return nil
	}
	_, err := io.WriteString(o.stdout, x.String())
	return err
}

// other prepares the replay on the second network, whose captures are the
// first one's.
func (o *diffOptions) other(cmd *cobra.Command, ja *job) (*job, error) {
	net, warnings, err := southbound.Open(cmd.Context(), o.b, o.source)
	if err != nil {
		return nil, err
	}
	r, err := ja.On(net)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.b, err)
	}
	jb := &job{Recording: r, in: &o.input, warnings: warnings, sources: databasesOf(o.b)}
	if jb.filter, err = replay.NewFilter(jb.Engine, o.filter); err != nil {
		r.Close()
		return nil, fmt.Errorf("--filter: %w", err)
	}
	return jb, nil
}
