package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ovnreplay/packaging/flags"
	"ovnreplay/sim/inventory"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/show"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// dbOptions are what the db commands have in common.
type dbOptions struct {
	store.Options
	json      bool
	behaviour bool // of info
	stdout    *bufio.Writer
	stderr    io.Writer
}

// newDBCommand returns "db", the commands about databases themselves.
func newDBCommand(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	o := &dbOptions{stderr: stderr}
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Look into Southbound databases, compare them, and keep snapshots",
		Long: `SOURCE is a Southbound database: a file (standalone or clustered database,
"ovsdb-client backup", "ovsdb-client -f json dump"; plain, gzip, xz or zstd), a
must-gather or sosreport (a directory or tar file), a server (unix:PATH,
tcp:HOST:PORT, ssl:HOST:PORT, or several separated by commas), or snapshot:NAME.
Without SOURCE it is $OVN_SB_DB, else OVN's local socket.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	flags.Source(cmd.PersistentFlags(), &o.Options)
	cmd.MarkFlagsMutuallyExclusive("leader-only", "no-leader-only")

	add := func(use, short string, args cobra.PositionalArgs, canJSON bool,
		do func(ctx context.Context, args []string) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			defer store.SpareGC(cmd.Context(), args)()
			if o.stdout = bufio.NewWriter(stdout); !o.json {
				o.stdout = bufio.NewWriter(show.Folding(stdout))
			}
			err := do(cmd.Context(), args)
			if flushed := o.stdout.Flush(); err == nil {
				err = flushed
			}
			return err
		}}
		if canJSON {
			c.Flags().BoolVar(&o.json, "json", false, "print JSON")
		}
		cmd.AddCommand(c)
		return c
	}
	info := add("info [SOURCE...]", "Tell what is in a database, or in each zone's, and what of it cannot be used",
		cobra.ArbitraryArgs, true, o.info)
	info.Flags().BoolVar(&o.behaviour, "behaviour", false,
		"tell which changes of OVN and Open vSwitch apply to it, and why")
	add("history SOURCE", "List the transactions of a database file: time, comment, what changed", cobra.ExactArgs(1),
		true, o.history)
	add("gather PATH", "List what is of use in a must-gather, sosreport, directory or tar file",
		cobra.ExactArgs(1), true, o.gather)
	add("diff A B", "Tell how two databases differ, by content", cobra.ExactArgs(2), true, o.diff)
	add("snapshot SOURCE NAME", "Keep a snapshot of a database", cobra.ExactArgs(2), true, o.snapshot)
	add("list", "List the snapshots", cobra.NoArgs, true, o.list)
	add("rm NAME...", "Remove snapshots", cobra.MinimumNArgs(1), false, o.remove)
	return cmd
}

// open opens a source and says on stderr what of it was not used.
func (o *dbOptions) open(ctx context.Context, source string) (*store.Database, error) {
	db, err := store.Open(ctx, source, o.Options)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(source, ":/") {
		// A snapshot's name alone will do where there is no such file.
		if snapshot, noSnapshot := store.Open(ctx, "snapshot:"+source, o.Options); noSnapshot == nil {
			db, err = snapshot, nil
		}
	}
	if err != nil {
		return nil, err
	}
	o.warn(db)
	return db, nil
}

// leftOut says which databases could not be read while others could.
func (o *dbOptions) leftOut(passed []store.Passed) {
	for _, p := range passed {
		printable.Fprintf(o.stderr, "ovn-replay: warning: %s: this database is left out: %s\n", p.Path, p.Why)
	}
}

// warn says on stderr what of a database was not used.
func (o *dbOptions) warn(db *store.Database) {
	for _, w := range db.Warnings {
		printable.Fprintf(o.stderr, "ovn-replay: warning: %s\n", printable.Errors(w))
	}
}

func (o *dbOptions) printJSON(v any) error { return output.Encoder(o.stdout).Encode(v) }

// described is what is written for people, or as JSON.
type described interface{ Write(io.Writer) }

func (o *dbOptions) print(v described) error {
	if o.json {
		return o.printJSON(v)
	}
	v.Write(o.stdout)
	return nil
}

// info tells of each database that the sources hold.
func (o *dbOptions) info(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{store.DefaultSource()}
	}
	for _, source := range args {
		found, passed, err := store.Databases(ctx, source, o.Options)
		if err != nil {
			return err
		}
		o.leftOut(passed)
		for _, f := range found {
			if err := o.infoOf(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *dbOptions) infoOf(ctx context.Context, f store.Found) error {
	db := f.Database
	if db == nil {
		var err error
		if db, err = o.open(ctx, f.Source); err != nil {
			return err
		}
	} else {
		o.warn(db)
	}
	net, err := southbound.Load(db)
	if err != nil {
		return err
	}
	i := inventory.Of(db, net)
	if o.behaviour {
		i.Behaviour = inventory.Behave(net)
	}
	return o.print(i)
}

// gather lists what is found, each with what it is.
func (o *dbOptions) gather(ctx context.Context, args []string) error {
	items, passed, err := store.Gather(ctx, args[0])
	if err != nil {
		return err
	}
	for _, p := range passed {
		printable.Fprintf(o.stderr, "ovn-replay: %s is passed over: %s\n", p.Path, p.Why)
	}
	if len(items) == 0 {
		printable.Fprintf(o.stderr, "ovn-replay: %s holds no databases, captures, conntrack or OpenFlow dumps\n",
			args[0])
	}
	for _, i := range items {
		if err := o.print(inventory.OfItem(i)); err != nil {
			return err
		}
	}
	zones, warnings, err := inventory.AZs(ctx, args[0], o.Options)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintf(o.stderr, "ovn-replay: warning: %s\n", printable.Errors(w))
	}
	for _, z := range zones {
		if err := o.print(z); err != nil {
			return err
		}
	}
	return nil
}

func (o *dbOptions) diff(ctx context.Context, args []string) error {
	var nets [2]*network.Network
	for i, source := range args {
		sources, read, err := southbound.AZs(ctx, []string{source}, o.Options)
		if err != nil {
			return err
		}
		o.leftOut(read.Passed)
		if len(sources) > 1 {
			if nets[i], err = o.join(ctx, sources, read); err != nil {
				return err
			}
			continue
		}
		db, err := o.open(ctx, source)
		if err != nil {
			return err
		}
		if nets[i], err = southbound.Load(db); err != nil {
			return err
		}
	}
	differences := network.Diff(nets[0], nets[1])
	for _, d := range differences {
		if err := o.print(inventory.OfDifference(d)); err != nil {
			return err
		}
	}
	return nil
}

// join makes one network of several zones' databases and says what they do not agree on.
func (o *dbOptions) join(ctx context.Context, sources []string, read *southbound.Read) (*network.Network, error) {
	net, warnings, err := southbound.OpenAll(ctx, sources, o.Options, read)
	for _, w := range warnings {
		fmt.Fprintf(o.stderr, "ovn-replay: warning: %s\n", printable.Errors(w))
	}
	return net, err
}

func (o *dbOptions) snapshot(ctx context.Context, args []string) error {
	db, err := o.open(ctx, args[0])
	if err != nil {
		return err
	}
	shelf, err := store.OpenShelf(o.Shelf, true)
	if err != nil {
		return err
	}
	defer shelf.Close()
	s, err := shelf.Put(db, args[1], time.Now())
	if err != nil {
		return err
	}
	if o.json {
		return o.printJSON(inventory.OfSnapshot(s))
	}
	printable.Fprintf(o.stdout, "snapshot:%s of %s: %s, %s, %s of them new, in %s\n", s.Name, s.Source,
		printable.Count(s.Rows, "row"),
		store.Bytes(s.Bytes), store.Bytes(s.Own), shelf.Path())
	return nil
}

func (o *dbOptions) list(_ context.Context, _ []string) error {
	list, path, err := store.Snapshots(o.Shelf)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		printable.Fprintf(o.stderr, "ovn-replay: no snapshots in %s: take one with \"ovn-replay db snapshot SOURCE "+
			"NAME\"\n", path)
	}
	for _, s := range list {
		if err := o.print(inventory.OfSnapshot(s)); err != nil {
			return err
		}
	}
	return nil
}

func (o *dbOptions) remove(_ context.Context, names []string) error {
	shelf, err := store.OpenShelf(o.Shelf, true)
	if err != nil {
		return err
	}
	defer shelf.Close()
	for _, name := range names {
		if err := shelf.Remove(strings.TrimPrefix(name, "snapshot:")); err != nil {
			return err
		}
	}
	return nil
}

func (o *dbOptions) history(ctx context.Context, args []string) error {
	h, err := store.OpenHistory(ctx, args[0], o.Options)
	if err != nil {
		return err
	}
	defer h.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, err := h.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := o.print(inventory.OfTransaction(t)); err != nil {
			return err
		}
	}
	for _, w := range h.Database().Warnings {
		printable.Fprintf(o.stderr, "ovn-replay: warning: %s\n", printable.Errors(w))
	}
	return nil
}
