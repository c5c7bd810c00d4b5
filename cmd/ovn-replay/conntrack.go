package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/packaging/flags"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/job"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/show"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// newConntrackCommand is "conntrack": the connection tracking table of a
// replay, dumps of real ones, and the tracker alone.
func newConntrackCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conntrack",
		Short: "The connection tracking table: list, export, import, states",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newConntrackListCommand(stdin, stdout, stderr, "list", "Replay, and list the connections left at the end",
			conntrack.DpctlStats),
		newConntrackListCommand(stdin, stdout, stderr, "export", "Replay, and write the table as a dump",
			conntrack.Dpctl),
		newConntrackImportCommand(stdin, stdout),
		newConntrackStatesCommand(stdin, stdout),
	)
	return cmd
}

// conntrackListOptions is "conntrack list" and "conntrack export": the table after a replay.
type conntrackListOptions struct {
	input
	stdout  io.Writer
	format  string
	chassis string
	zone    string
	compare []string // FILE or FILE@CHASSIS
	output  string
}

func newConntrackListCommand(stdin io.Reader, stdout, stderr io.Writer, name, short string,
	f conntrack.Format) *cobra.Command {
	o := &conntrackListOptions{input: newInput(stdin, stderr), stdout: stdout}
	cmd := &cobra.Command{
		Use:   name + " SESSION | --db SOURCE -r FILE[@PORT]… | --case DIR",
		Short: short,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return o.listSession(cmd.Context(), args[0])
			}
			return o.run(cmd)
		},
	}
	o.flags(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.format, "format", f.String(), strings.Join(conntrack.FormatNames(), ", "))
	fs.StringVar(&o.chassis, "chassis", "", "only this chassis' table")
	fs.StringVar(&o.zone, "zone", "", "only this zone, by name or number")
	if name == "list" {
		fs.StringArrayVar(&o.compare, "compare", nil,
			"hold the table against the dump in `FILE[@CHASSIS]` (repeatable); print only what differs")
	} else {
		fs.StringVarP(&o.output, "output", "o", "-", "write to `FILE`, - is standard output")
	}
	return cmd
}

func (o *conntrackListOptions) run(cmd *cobra.Command) (err error) {
	format, err := conntrack.ParseFormat(o.format)
	if err != nil {
		return fmt.Errorf("--format %w", err)
	}
	defer store.Frugal(cmd.Context())()
	output.Of(cmd.Context()).Reads(o.compare...)
	o.Writes = []output.Destination{{Flag: "-o", Name: o.output}}
	j, err := o.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.Close()
	session := j.Start(show.New(j, nil, trace.NoFormat), j.Ahead())
	damage := errors.Join(j.Run(cmd.Context(), session), j.Damaged())
	out, complete, err := o.create(cmd.Context())
	if err != nil {
		return err
	}
	differ := false
	if len(o.compare) > 0 {
		var ds []conntrack.Difference
		ds, err = j.Compare(o.compare, func() { session.Until(math.MaxInt64) })
		for _, d := range ds {
			fmt.Fprintln(out, d.String())
		}
		differ = len(ds) > 0
	} else {
		var list []conntrack.Listing
		if list, err = j.Listings(o.chassis, o.zone); err == nil {
			err = conntrack.WriteListings(out, list, format)
		}
	}
	if err = errors.Join(err, damage, complete()); err == nil && differ {
		err = errDifference
	}
	return err
}

// listSession lists the tables that a session keeps.
func (o *conntrackListOptions) listSession(ctx context.Context, file string) (err error) {
	format, err := conntrack.ParseFormat(o.format)
	switch {
	case err != nil:
		return fmt.Errorf("--format %w", err)
	case len(o.compare) > 0:
		return errors.New("--compare needs a replay: give --db and -r, or --case")
	}
	if err := o.BesideSession(); err != nil {
		return err
	}
	session, err := store.OpenSession(file, false)
	if err != nil {
		return err
	}
	defer session.Close()
	list, err := archive.Listings(session, o.chassis, o.zone)
	if err != nil {
		return err
	}
	output.Of(ctx).Reads(file)
	out, complete, err := o.create(ctx)
	if err != nil {
		return err
	}
	return errors.Join(conntrack.WriteListings(out, list, format), complete())
}

// create begins the output; what it returns completes it.
func (o *conntrackListOptions) create(ctx context.Context) (*bufio.Writer, func() error, error) {
	f, done, err := output.Of(ctx).Open("-o", o.output, o.stdout)
	if err != nil {
		return nil, nil, err
	}
	w := bufio.NewWriter(f)
	return w, func() error {
		err := w.Flush()
		if err == nil {
			done()
		}
		return err
	}, nil
}

// newConntrackImportCommand is "conntrack import": check dumps and show them in another form.
func newConntrackImportCommand(stdin io.Reader, stdout io.Writer) *cobra.Command {
	var format, profile string
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Read dumps of real tables, check that a replay can start from them, and print them",
		Long: `Read dumps (ovs-appctl dpctl/dump-conntrack with any options, conntrack -L plain or
extended, /proc/net/nf_conntrack), fill a table from them, and print that table.
To start a replay from a dump, give it to the replaying command with --ct-import.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := conntrack.ParseFormat(format)
			if err != nil {
				return fmt.Errorf("--format %w", err)
			}
			defer store.Frugal(cmd.Context())()
			table, err := filesOf(stdin).ReadTable(profile, args)
			if err != nil {
				return err
			}
			return table.WriteDump(stdout, 0, f)
		},
	}
	cmd.Flags().StringVar(&format, "format", conntrack.Dpctl.String(), strings.Join(conntrack.FormatNames(), ", "))
	cmd.Flags().StringVar(&profile, "ct-profile", "", flags.Profile)
	return cmd
}

// newConntrackStatesCommand is "conntrack states": one zone, every packet
// committed, and the state of each printed as Open vSwitch's own test program
// does (ovstest test-conntrack pcap).
func newConntrackStatesCommand(stdin io.Reader, stdout io.Writer) *cobra.Command {
	var file, profile, selects string
	cmd := &cobra.Command{
		Use:   "states -r FILE",
		Short: "Commit every packet of a capture in one zone and print its ct_state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := filesOf(stdin).ReadProfile(profile)
			if err != nil {
				return err
			}
			if file == "" {
				return errors.New("no packets: name a capture with -r FILE")
			}
			opts, err := job.Reading(selects)
			if err != nil {
				return err
			}
			r, err := filesOf(stdin).OpenCapture(file, opts)
			if err != nil {
				return err
			}
			defer r.Close()
			w := bufio.NewWriter(stdout)
			return errors.Join(recording.WriteStates(cmd.Context(), w, r, conntrack.NewTable(p)), w.Flush())
		},
	}
	cmd.Flags().StringVarP(&file, "read", "r", "", "capture `FILE`, - is standard input")
	flags.PcapFilter(cmd.Flags(), &selects)
	cmd.Flags().StringVar(&profile, "ct-profile", "", flags.Profile)
	return cmd
}
