package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
	"ovnreplay/pcap"
	"ovnreplay/sim/job"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/store/output"
)

// diffOptions is "diff": the same packets on two networks.
type diffOptions struct {
	input
	stdout io.Writer
	b      job.Spec // the other network's
	json   bool
}

func newDiffCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &diffOptions{input: newInput(stdin, stderr), stdout: stdout}
	cmd := &cobra.Command{
		Use:   "diff --db A --db B -r FILE[@PORT]… | --db A… --db-b B… -r FILE… | --case DIR --db B",
		Short: "Replay the same packets on two networks and report those whose fate differs",
		Long: `diff replays the same captures on two networks and reports every packet that another
port, other bytes or nothing comes of, with the logical flows where the two ways part.
Each network is a Southbound database, or those of several connected zones: a directory
or archive that holds them, or --db for each of the first network and --db-b for each
of the second. With --db-time-b one database is held against itself at another time.

Exit status: 0 every packet fares the same; 1 some do not; 2 no packet entered, bad
usage or bad input; 129, 130 or 143 interrupted, without a verdict.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.DBs, "db", nil,
		"the two networks' Southbound databases (twice; once with --case); with --db-b, the first network's")
	f.StringArrayVar(&o.b.DBs, "db-b", nil,
		"a Southbound `DATABASE` of the second network (repeatable: of several zones)")
	f.StringVar(&o.DBTime, "db-time", "", flags.DBTime+"last)")
	f.StringVar(&o.b.DBTime, "db-time-b", "", "`TIME` of the second network, if it is not that of --db-time")
	flags.Source(f, &o.Source)
	flags.Captures(f, &o.Spec)
	cmd.MarkFlagsMutuallyExclusive("read", "case")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object a difference")
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.databases() }
	return cmd
}

// databases decides which two networks are meant.
func (o *diffOptions) databases() error {
	a, b, when := o.DBs, o.b.DBs, o.b.DBTime
	switch {
	case len(b) > 0 && (o.Case != "" || len(a) > 0):
	case len(b) == 0 && o.Case == "" && len(a) == 2:
		a, b = a[:1], a[1:]
	case len(b) == 0 && when != "" && (o.Case != "") != (len(a) > 0):
		b = a // itself at another time
	case len(b) == 0 && o.Case != "" && len(a) > 0:
		a, b = nil, a
	case len(b) == 0 && len(a) > 2:
		return errors.New("which of them are the first network's? name those of the second with --db-b: " +
			"--db A1 --db A2 --db-b B1 --db-b B2")
	default:
		return errors.New("name two databases: --db A --db B, or a case and the other one: --case DIR --db B")
	}
	o.DBs, o.Fixed = a, true
	o.Given = func(flag string) bool { return flag == "db" && len(a) > 0 }
	o.b = o.Spec
	o.b.DBs, o.b.DBTime = b, cmp.Or(when, o.DBTime)
	o.b.Given = func(flag string) bool { return flag == "db" && len(b) > 0 }
	return nil
}

func (o *diffOptions) run(cmd *cobra.Command) error {
	output.Of(cmd.Context()).Reads(o.b.DBs...)
	ja, err := o.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer ja.Close()
	jb, err := ja.On(cmd.Context(), &o.b)
	if err != nil {
		return err
	}
	defer jb.Close()
	d := &replay.Differ{
		A: replay.NewFates(ja.Engine, ja.Objects, ja.Taps, ja.Filter),
		B: replay.NewFates(jb.Engine, jb.Objects, jb.Taps, jb.Filter), Report: o.report,
	}
	sa, sb := ja.Start(d.A, ja.Ahead()), jb.Start(d.B, ja.Ahead())
	sa.OfAnother()
	sb.OfAnother()
	var failed error
	damage := errors.Join(ja.FeedTo(cmd.Context(), func(rec *pcap.Record) {
		sa.Add(rec)
		sb.Add(rec)
		failed = errors.Join(failed, d.Settle(false))
	}, func() {
		failed = errors.Join(failed, d.Flush(sa, sb))
	}), ja.Damaged())
	if err := errors.Join(failed, d.Settle(true)); err != nil {
		return err
	}
	if !o.Quiet && !o.json && damage == nil {
		fmt.Fprintf(o.stdout, "%s, %d fare differently\n", printable.Count(d.Packets, "packet"), d.Different)
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
