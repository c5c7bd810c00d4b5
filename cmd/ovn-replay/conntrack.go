package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
	"ovnreplay/store"
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
				return o.listSession(args[0])
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
	j, err := o.open(cmd.Context())
	if err != nil {
		return err
	}
	defer j.close()
	damage := errors.Join(j.feed(cmd.Context(), j.session(&printer{job: j, format: trace.NoFormat}, j.ahead())), errors.Join(j.warnings...))
	out, closeFile, err := o.create()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	if len(o.compare) > 0 {
		err = o.compareAll(j, out)
	} else {
		err = o.list(j, out, format)
	}
	return errors.Join(err, damage)
}

// listSession lists the tables that a session keeps.
func (o *conntrackListOptions) listSession(file string) (err error) {
	format, err := conntrack.ParseFormat(o.format)
	switch {
	case err != nil:
		return fmt.Errorf("--format %w", err)
	case len(o.compare) > 0:
		return errors.New("--compare needs a replay: give --db and -r, or --case")
	}
	tables, _, err := sessionTables(file)
	if err != nil {
		return err
	}
	out, closeFile, err := o.create()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	for _, t := range tables {
		es := slices.DeleteFunc(t.Table.Entries(0), func(e conntrack.Entry) bool {
			return o.zone != "" && o.zone != fmt.Sprint(e.Zone) && o.zone != t.Zones[e.Zone]
		})
		if o.chassis != "" && o.chassis != t.Chassis || len(es) == 0 {
			continue
		}
		conntrack.SortEntries(es)
		if len(tables) > 1 {
			fmt.Fprintf(out, "# chassis %s\n", t.Chassis)
		}
		if err := conntrack.WriteDump(out, es, format); err != nil {
			return err
		}
	}
	return nil
}

func (o *conntrackListOptions) create() (*bufio.Writer, func() error, error) {
	if o.output == "" || o.output == "-" {
		w := bufio.NewWriter(o.stdout)
		return w, w.Flush, nil
	}
	f, err := os.Create(o.output)
	if err != nil {
		return nil, nil, err
	}
	w := bufio.NewWriter(f)
	return w, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
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
			fmt.Fprintf(out, "# chassis %s\n", j.net.Chassis[i].Name)
		}
		if err := conntrack.WriteDump(out, tables[n], format); err != nil {
			return err
		}
	}
	return nil
}

// chosen are the indexes of the chassis asked for.
func (o *conntrackListOptions) chosen(j *job) (out []int) {
	for i := range j.net.Chassis {
		if o.chassis == "" || o.chassis == j.net.Chassis[i].Name {
			out = append(out, i)
		}
	}
	return out
}

func (o *conntrackListOptions) entries(j *job, chassis int) []conntrack.Entry {
	c := j.net.Chassis[chassis]
	es := j.engine.Conntrack(c).Entries(0)
	conntrack.SortEntries(es)
	if o.zone == "" {
		return es
	}
	return slices.DeleteFunc(es, func(e conntrack.Entry) bool {
		return o.zone != fmt.Sprint(e.Zone) && o.zone != j.engine.ZoneName(int32(c.Index), e.Zone)
	})
}

// compareAll prints what differs from the dumps, and fails if anything does.
func (o *conntrackListOptions) compareAll(j *job, out *bufio.Writer) error {
	found := 0
	for _, arg := range o.compare {
		es, chassis, err := j.readDump(o.stdin, arg)
		if err != nil {
			return err
		}
		ours := j.engine.Conntrack(j.net.Chassis[chassis]).Entries(0)
		for _, d := range conntrack.Compare(ours, es) {
			fmt.Fprintln(out, d.String())
			found++
		}
	}
	if found > 0 {
		return errDifference
	}
	return nil
}

// readDump reads FILE or FILE@CHASSIS and finds the chassis.
func (j *job) readDump(stdin io.Reader, arg string) ([]conntrack.Entry, int, error) {
	file, name, _ := strings.Cut(arg, "@")
	if _, err := os.Stat(arg); err == nil {
		file, name = arg, ""
	}
	chassis := -1
	for i, c := range j.net.Chassis {
		if c.Name == name || name == "" && c == j.onlyChassis() {
			chassis = i
		}
	}
	switch {
	case chassis < 0 && name == "":
		return nil, 0, fmt.Errorf("%s: the captures come from several chassis; say whose table this is: %s@CHASSIS", file, file)
	case chassis < 0:
		return nil, 0, fmt.Errorf("%s: no chassis %q in the database", file, name)
	}
	es, err := readDumpFile(stdin, file)
	return es, chassis, err
}

// onlyChassis is the chassis all captures were taken on, nil if there are several.
func (j *job) onlyChassis() (only *network.Chassis) {
	for _, t := range j.taps {
		for _, s := range t.Sites() {
			if only != nil && only != s.Chassis {
				return nil
			}
			only = s.Chassis
		}
	}
	if only == nil && len(j.net.Chassis) == 1 {
		return j.net.Chassis[0]
	}
	return only
}

// importDump starts a chassis' table from a dump.
func (j *job) importDump(stdin io.Reader, arg string) error {
	es, chassis, err := j.readDump(stdin, arg)
	if err != nil {
		return err
	}
	if err := j.engine.Conntrack(j.net.Chassis[chassis]).Import(j.start(), es); err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	return nil
}

// start is when the captures begin: the moment a dump taken before them is put at.
func (j *job) start() conntrack.Time {
	var first int64
	for _, c := range j.captures {
		if t, ok := c.firstTime(); ok && (first == 0 || t < first) {
			first = t
		}
	}
	return conntrack.Time(first)
}

// firstTime looks at the next record without taking it.
func (c *openCapture) firstTime() (int64, bool) {
	c.peek(1)
	if len(c.ahead) == 0 {
		return 0, false
	}
	return c.ahead[0].Time, true
}

func readDumpFile(stdin io.Reader, file string) ([]conntrack.Entry, error) {
	if file == "-" {
		return conntrack.ReadDump(stdin, "standard input")
	}
	f, err := store.OpenFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return conntrack.ReadDump(f, file)
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
			p, err := parseProfile(profile)
			if err != nil {
				return err
			}
			table := conntrack.NewTable(p)
			for _, file := range args {
				es, err := readDumpFile(stdin, file)
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
			p, err := parseProfile(profile)
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
		fmt.Fprintf(w, "%d: %s\n", rec.Frame, m.State)
	}
}

// ipOf is the IP packet in a frame, behind at most one VLAN tag; nil: there is none.
func ipOf(meta *pcap.LinkMeta) []byte {
	payload, kind := meta.Payload, meta.EtherType
	if (kind == 0x8100 || kind == 0x88a8) && len(payload) >= 4 {
		payload, kind = payload[4:], binary.BigEndian.Uint16(payload[2:])
	}
	if kind == 0x0800 || kind == 0x86dd {
		return payload
	}
	return nil
}
