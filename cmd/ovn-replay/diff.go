package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/pcap"
	"ovnreplay/sim/replay"
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
	o := &diffOptions{input: newInput(stdin, stderr), stdout: stdout}
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
	sourceFlags(cmd.Flags(), &o.Source)
	o.captureFlags(cmd.Flags())
	cmd.MarkFlagsMutuallyExclusive("read", "case")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object a difference")
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.databases(dbs) }
	return cmd
}

// databases decides which two networks are meant.
func (o *diffOptions) databases(dbs []string) error {
	switch {
	case o.Case != "" && len(dbs) == 1:
		o.b = dbs[0]
	case o.Case == "" && len(dbs) == 2:
		o.a, o.b = dbs[0], dbs[1]
	default:
		return errors.New("name two databases: --db A --db B, or a case and the other one: --case DIR --db B")
	}
	o.DBs = databasesOf(o.a)
	return nil
}

func (o *diffOptions) run(cmd *cobra.Command) error {
	output.Of(cmd.Context()).Reads(o.b)
	ja, err := o.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer ja.Close()
	jb, err := ja.On(cmd.Context(), o.b)
	if err != nil {
		return err
	}
	d := &replay.Differ{
		A: replay.NewFates(ja.Engine, ja.Objects, ja.Taps, ja.Filter),
		B: replay.NewFates(jb.Engine, jb.Objects, jb.Taps, jb.Filter), Report: o.report,
	}
	sa, sb := ja.Start(d.A, ja.Ahead()), jb.Start(d.B, ja.Ahead())
	var failed error
	damage := errors.Join(ja.FeedTo(cmd.Context(), func(rec *pcap.Record) {
		sa.Add(rec)
		sb.Add(rec)
		failed = errors.Join(failed, d.Settle(false))
	}, func() {
		sa.Flush()
		sb.Flush()
	}), ja.Damaged())
	if err := errors.Join(failed, d.Settle(true)); err != nil {
		return err
	}
	if !o.Quiet && !o.json && damage == nil {
		fmt.Fprintf(o.stdout, "%d packets, %d fare differently\n", d.Packets, d.Different)
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
		return output.Encoder(o.stdout).Encode(x)
	case o.Quiet:
		return nil
	}
	_, err := io.WriteString(o.stdout, x.String())
	return err
}
