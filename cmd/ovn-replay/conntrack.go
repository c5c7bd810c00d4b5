package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/archive"
	"ovnreplay/sim/trace"
	"ovnreplay/store"

	"ovnreplay/sim/printable"
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
		newConntrackListCommand(stdin, stdout, stderr, "list", "Replay, and list the connections left at the end", conntrack.DpctlStats),
		newConntrackListCommand(stdin, stdout, stderr, "export", "Replay, and write the table as a dump", conntrack.Dpctl),
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

func newConntrackListCommand(stdin io.Reader, stdout, stderr io.Writer, name, short string, f conntrack.Format) *cobra.Command {
	o := &conntrackListOptions{input: input{stdin: stdin, stderr: stderr}, stdout: stdout}
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
		fs.StringArrayVar(&o.compare, "compare", nil, "hold the table against the dump in `FILE[@CHASSIS]` (repeatable); print only what differs")
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
	output.Of(cmd.Context()).Reads(o.compare...)
	o.writes = []output.Destination{{Flag: "-o", Name: o.output}}
	j, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.close()
	damage := errors.Join(j.feed(cmd.Context(), j.session(&printer{job: j, format: trace.NoFormat}, j.ahead())), errors.Join(j.warnings...))
	out, complete, err := o.create(cmd.Context())
	if err != nil {
		return err
	}
	differ := false
	if len(o.compare) > 0 {
		differ, err = o.compareAll(j, out)
	} else {
		err = o.list(j, out, format)
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
	session, err := store.OpenSession(file, false)
	if err != nil {
		return err
	}
	defer session.Close()
	tables, _, err := archive.Tables(session)
	if err != nil {
		return err
	}
	output.Of(ctx).Reads(file)
	out, complete, err := o.create(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		es := slices.DeleteFunc(t.Table.Entries(0), func(e conntrack.Entry) bool {
			return o.zone != "" && o.zone != fmt.Sprint(e.Zone) && o.zone != t.Zones[e.Zone]
		})
		if o.chassis != "" && o.chassis != t.Chassis || len(es) == 0 {
			continue
		}
		conntrack.SortEntries(es)
		if len(tables) > 1 {
			printable.Fprintf(out, "# chassis %s\n", t.Chassis)
		}
		if err := conntrack.WriteDump(out, es, format); err != nil {
			return err
		}
	}
	return complete()
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

// list prints the tables one after the other; several are told apart by a comment with the chassis' name.
func (o *conntrackListOptions) list(j *job, out *bufio.Writer, format conntrack.Format) error {
	chosen := o.chosen(j)
	if len(chosen) == 0 {
		return fmt.Errorf("--chassis %s: no such chassis in the database", o.chassis)
	}
	tables, filled := make([][]conntrack.Entry, len(chosen)), 0
	for n, i := range chosen {
		if tables[n] = o.entries(j, i); len(tables[n]) > 0 {
			filled++
		}
	}
	for n, i := range chosen {
		if filled > 1 && len(tables[n]) > 0 {
			printable.Fprintf(out, "# chassis %s\n", j.Net.Chassis[i].Name)
		}
		if err := conntrack.WriteDump(out, tables[n], format); err != nil {
			return err
		}
	}
	return nil
}

// chosen are the indexes of the chassis asked for.
func (o *conntrackListOptions) chosen(j *job) (out []int) {
	for i := range j.Net.Chassis {
		if o.chassis == "" || o.chassis == j.Net.Chassis[i].Name {
			out = append(out, i)
		}
	}
	return out
}

func (o *conntrackListOptions) entries(j *job, chassis int) []conntrack.Entry {
	c := j.Net.Chassis[chassis]
	es := j.Engine.Conntrack(c).Entries(0)
	conntrack.SortEntries(es)
	if o.zone == "" {
		return es
	}
	return slices.DeleteFunc(es, func(e conntrack.Entry) bool {
		return o.zone != fmt.Sprint(e.Zone) && o.zone != j.Engine.ZoneName(int32(c.Index), e.Zone)
	})
}

// compareAll prints what differs from the dumps, and tells whether anything does.
func (o *conntrackListOptions) compareAll(j *job, out *bufio.Writer) (differ bool, err error) {
	for _, arg := range o.compare {
		es, chassis, err := j.ReadDump(arg)
		if err != nil {
			return false, err
		}
		for _, d := range conntrack.Compare(j.Engine.Conntrack(chassis).Entries(0), es) {
			fmt.Fprintln(out, d.String())
			differ = true
		}
	}
	return differ, nil
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
			p, err := filesOf(stdin).ReadProfile(profile)
			if err != nil {
				return err
			}
			table := conntrack.NewTable(p)
			for _, file := range args {
				es, err := filesOf(stdin).ReadDump(file)
				if err != nil {
					return err
				}
				if err := table.Import(0, es); err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			return conntrack.WriteDump(stdout, table.Entries(0), f)
		},
	}
	cmd.Flags().StringVar(&format, "format", conntrack.Dpctl.String(), strings.Join(conntrack.FormatNames(), ", "))
	cmd.Flags().StringVar(&profile, "ct-profile", "", ctProfileUsage)
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
			opts, err := pcapOptions(selects)
			if err != nil {
				return err
			}
			r, err := openCaptureFile(stdin, file, opts)
			if err != nil {
				return err
			}
			defer r.Close()
			w := bufio.NewWriter(stdout)
			return errors.Join(printStates(w, r, conntrack.NewTable(p)), w.Flush())
		},
	}
	cmd.Flags().StringVarP(&file, "read", "r", "", "capture `FILE`, - is standard input")
	pcapFilterFlag(cmd.Flags(), &selects)
	cmd.Flags().StringVar(&profile, "ct-profile", "", ctProfileUsage)
	return cmd
}

func openCaptureFile(stdin io.Reader, file string, opts pcap.Options) (*pcap.Reader, error) {
	if file == "-" {
		return pcap.NewReaderWith(stdin, "standard input", opts)
	}
	return pcap.OpenWith(file, opts)
}

func printStates(w io.Writer, r *pcap.Reader, table *conntrack.Table) error {
	var rec pcap.Record
	for {
		err := r.Next(&rec)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		_, meta, err := pcap.Frame(&rec)
		if err != nil && meta.Payload == nil {
			return fmt.Errorf("%s: frame %d: %w", rec.File, rec.Frame, err)
		}
		m := conntrack.Meta{State: conntrack.Tracked | conntrack.Invalid} // what is not IP
		if ip := ipOf(&meta); ip != nil {
			m.Clear()
			table.Execute(conntrack.Time(rec.Time), ip, &m, &conntrack.Request{Commit: true})
		}
		printable.Fprintf(w, "%d: %s\n", rec.Frame, m.State)
	}
}

// ipOf is the IP packet in a frame, behind at most one VLAN tag; nil: there is none.
func ipOf(meta *pcap.LinkMeta) []byte {
	payload, kind := meta.Payload, meta.EtherType
	if (kind == header.EtherVLAN || kind == header.EtherQinQ) && len(payload) >= 4 {
		payload, kind = payload[4:], binary.BigEndian.Uint16(payload[2:])
	}
	if kind == header.EtherIPv4 || kind == header.EtherIPv6 {
		return payload
	}
	return nil
}
