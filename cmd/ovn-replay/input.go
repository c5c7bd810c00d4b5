package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	filters "ovnreplay/pcap/filter"
	"ovnreplay/sim/network"
	"ovnreplay/sim/northbound"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/sim/why"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// input is what the commands that replay take: a network and captures.
type input struct {
	stdin    io.Reader
	stderr   io.Writer
	dbs      []string    // --db
	dbGiven  func() bool // rather than $OVN_SB_DB
	captures []string    // -r: see parseCapture
	caseDir  string
	nbs      []string // --nb
	profile  string
	imports  []string // --ct-import
	zones    []string // --ct-zones
	pins     []string // --pin
	offsets  []string // --offset
	filter   string   // --filter
	selects  string   // --pcap-filter
	noInfer  bool
	noAlign  bool
	explain  bool // --explain-points
	quiet    bool
	source   store.Options // how the database is read
	moment   momentFlags
	hops     bool // packets are recorded at every datapath
	keeps    bool // what captures carry beside packets
	goesOn   bool // captures may be missing: there is a session
	writes   []output.Destination
}

func (in *input) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	in.dbGiven = func() bool { return f.Changed("db") }
	f.StringArrayVar(&in.dbs, "db", databasesOf(os.Getenv("OVN_SB_DB")), "Southbound database `SOURCE`: a file, directory or tar, unix:, tcp: or ssl: server, or snapshot:NAME; repeated: of several zones (default $OVN_SB_DB)")
	sourceFlags(f, &in.source)
	f.StringVar(&in.moment.dbTime, "db-time", "", "with a database file: `follow` its history, so that each packet meets the network of its own moment (the default if the history holds the captures), or the last network, or that of one time")
	f.BoolVar(&in.moment.watch, "watch", false, "with a live server: keep following its changes")
	in.captureFlags(f)
}

// databasesOf is the default of --db.
func databasesOf(env string) []string {
	if env == "" {
		return nil
	}
	return []string{env}
}

// captureFlags are those of every command that replays captures.
func (in *input) captureFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&in.captures, "read", "r", nil,
		"capture `FILE[@PORT[@CHASSIS]]`, FILE@any[@CHASSIS] or FILE@underlay[:CHASSIS]; a pattern is a rotated set, - is standard input (repeatable)")
	f.StringVar(&in.caseDir, "case", "", "`DIR` of a recorded case: all inputs at once; --db and --ct-profile replace the case's, the others are added to them")
	f.StringArrayVar(&in.nbs, "nb", nil, "Northbound database `SOURCE`, for the names of ACLs, load balancers, NAT rows and routes (default: the one beside the Southbound database)")
	f.StringVar(&in.profile, "ct-profile", "", ctProfileUsage)
	f.StringArrayVar(&in.imports, "ct-import", nil, "start a chassis' connection tracking from the dump in `FILE[@CHASSIS]` (repeatable)")
	f.StringArrayVar(&in.zones, "ct-zones", nil, "a chassis' zone numbers, as ovn-appctl ct-zone-list prints them, in `FILE[@CHASSIS]` (repeatable)")
	f.StringArrayVar(&in.pins, "pin", nil, "connections of the real tables, as a dump in `FILE`: they dictate what the datapath chose at random (repeatable)")
	f.StringArrayVar(&in.offsets, "offset", nil, "correct a capture's clock by hand: `FILE=+1.5ms` (repeatable)")
	f.BoolVar(&in.noAlign, "no-align", false, "leave the captures' clocks as they are")
	f.BoolVar(&in.noInfer, "no-infer", false, "inject only packets that are in a capture")
	f.StringVar(&in.filter, "filter", "", "list only packets that match the logical flow expression `EXPR`, such as 'ip4.dst == 10.0.0.0/8 && ct.rpl'")
	pcapFilterFlag(f, &in.selects)
	f.BoolVar(&in.explain, "explain-points", false, "tell on standard error how each capture was placed")
	f.BoolVarP(&in.quiet, "quiet", "q", false, "print less")
}

// pcapFilterFlag selects packets as they are read.
func pcapFilterFlag(f *pflag.FlagSet, expr *string) {
	f.StringVar(expr, "pcap-filter", "", "read only the packets of the captures that tcpdump would with `EXPR`, such as 'tcp port 80 and not host 10.0.0.1' (see pcap-filter(7))")
}

// pcapOptions is how captures are read with a --pcap-filter.
func pcapOptions(expr string) (pcap.Options, error) {
	if strings.TrimSpace(expr) == "" {
		return pcap.Options{}, nil
	}
	e, err := filters.Parse(expr)
	if err != nil {
		return pcap.Options{}, fmt.Errorf("--pcap-filter: %w", err)
	}
	return pcap.Options{Filter: e}, nil
}

// job is everything a replay needs, opened.
type job struct {
	*recording.Recording
	in       *input
	filter   *replay.Filter
	warnings []error          // damage after which the rest is still used
	sources  []string         // of the databases
	objects  *network.Objects // of the Northbound database, nil if there is none
	recorded []string         // dumps of OpenFlow flows that the case holds
	changes  replay.Changes
	past     func(keep func(*network.Flow) bool) []network.Departure // see why.Explainer
	stop     func()                                                  // ends changes; nil if there are none
	begun    bool                                                    // the captures are being read
}

// open reads the database and opens the captures.
func (in *input) open(ctx context.Context) (*job, error) {
	spec, err := in.spec()
	if err != nil {
		return nil, err
	}
	files := output.Of(ctx)
	files.Reads(spec.Inputs()...)
	files.Reads(in.source.Files(spec.DBs)...)
	files.Reads(in.nbs...)
	for _, w := range append(in.writes, output.Destination{Name: "-"}) {
		if err := files.Check(w.Flag, w.Name); err != nil {
			return nil, err
		}
	}
	if spec.DBs, err = southbound.Zones(ctx, spec.DBs, in.source); err != nil {
		return nil, err
	}
	net, warnings, err := in.network(ctx, spec)
	if err != nil {
		return nil, err
	}
	changes, stop, err := in.changes(ctx, spec.DBs)
	if err != nil {
		return nil, err
	}
	j, err := in.load(ctx, spec, net, warnings)
	if err != nil {
		stop()
		return nil, err
	}
	j.sources, j.changes, j.stop = spec.DBs, changes, stop
	j.past = func(keep func(*network.Flow) bool) []network.Departure {
		list, err := southbound.Departed(ctx, j.sources, in.source, keep)
		if err != nil {
			j.warnings = append(j.warnings, fmt.Errorf("since when stale things are gone is not known: %w", err))
		}
		return list
	}
	if j.objects, err = in.northbound(ctx, spec.DBs, net); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

// northbound reads the Northbound databases that are named, or else those that
// are found beside the Southbound databases.
func (in *input) northbound(ctx context.Context, southbound []string, net *network.Network) (*network.Objects, error) {
	if len(in.nbs) == 0 && in.caseDir != "" {
		return northbound.InCase(ctx, in.caseDir, in.source)
	}
	var all []*network.Objects
	for _, nb := range in.nbs {
		objects, err := northbound.Open(ctx, nb, in.source)
		if err != nil {
			return nil, fmt.Errorf("--nb: %w", err)
		}
		all = append(all, objects)
	}
	if len(in.nbs) == 0 {
		for _, sb := range southbound {
			all = append(all, northbound.Beside(ctx, sb, in.source, net))
		}
	}
	return network.JoinObjects(all...), nil
}

// localDatabase is the Southbound database of the host that this runs on, as
// OVN's own tools find it; "" if there is none.
func localDatabase() string {
	dir := os.Getenv("OVN_RUNDIR")
	if dir == "" {
		dir = "/var/run/ovn"
	}
	socket := filepath.Join(dir, "ovnsb_db.sock")
	if info, err := os.Stat(socket); err != nil || info.Mode()&os.ModeSocket == 0 {
		return ""
	}
	return "unix:" + socket
}

func (in *input) spec() (*recording.Spec, error) {
	if local := localDatabase(); len(in.dbs) == 0 && in.caseDir == "" && local != "" {
		in.dbs = []string{local}
	}
	s := &recording.Spec{DBs: in.dbs, Profile: in.profile}
	switch {
	case in.caseDir != "":
		var err error
		if s, err = recording.ReadCase(in.caseDir, in.files()); err != nil {
			return nil, err
		}
		if in.profile != "" {
			s.Profile = in.profile
		}
		if in.dbGiven != nil && in.dbGiven() {
			s.DBs = in.dbs
		}
	case len(in.dbs) == 0:
		return nil, errors.New("no network: name a Southbound database with --db FILE, or a recorded case with --case DIR")
	case len(in.captures) == 0 && !in.goesOn:
		return nil, errors.New("no packets: name a capture with -r FILE@PORT")
	}
	for _, arg := range in.captures {
		c, err := recording.ParseCapture(arg)
		if err != nil {
			return nil, err
		}
		if c.File == "-" && slices.ContainsFunc(s.Captures, func(c recording.Capture) bool { return c.File == "-" }) {
			return nil, errors.New("-r -: standard input was given already, and can be read once")
		}
		s.Captures = append(s.Captures, c)
	}
	s.Imports = append(s.Imports, in.imports...)
	s.ZoneFiles, s.Pins, s.Offsets, s.NoAlign, s.NoInfer = in.zones, in.pins, in.offsets, in.noAlign, in.noInfer
	s.Hops = in.hops
	var err error
	s.Reading, err = pcapOptions(in.selects)
	s.Reading.KeepBlocks, s.Reading.AttachBlocks = in.keeps, in.keeps
	return s, err
}

// files is how the files of a recording are read.
func (in *input) files() recording.Files { return filesOf(in.stdin) }

func filesOf(stdin io.Reader) recording.Files {
	return recording.Files{Stdin: stdin, Open: store.OpenFile}
}

// tell says what the user should know, unless told to be quiet.
func (in *input) tell(format string, args ...any) {
	if !in.quiet {
		fmt.Fprintf(in.stderr, "ovn-replay: "+format+"\n", args...)
	}
}

// load builds the engine and opens the captures of a spec.
func (in *input) load(ctx context.Context, s *recording.Spec, net *network.Network, warnings []error) (*job, error) {
	r, err := s.Open(ctx, net, in.files(), in.tell)
	if err != nil {
		return nil, err
	}
	j := &job{Recording: r, in: in, warnings: warnings, recorded: s.OpenFlow}
	if j.filter, err = replay.NewFilter(j.Engine, in.filter); err != nil {
		j.close()
		return nil, fmt.Errorf("--filter: %w", err)
	}
	return j, nil
}

const ctProfileUsage = "connection tracking of: linux, ovs-userspace, a release of that as in ovs-userspace:3.5, or as a `FILE` of settings says (default linux)"

// lookAhead is how far behind the reading packets are replayed, so that a
// choice the datapath made at random is read from the frame that shows it.
const lookAhead = 2e9

// ahead is lookAhead, or nothing where a capture may be live: there each packet
// is answered at once.
func (j *job) ahead() conntrack.Time {
	if j.Live() {
		return 0
	}
	return lookAhead
}

// session begins the replay.
func (j *job) session(h replay.Handler, ahead conntrack.Time) *replay.Session {
	return j.Session(h, ahead, j.changes)
}

// feed hands every record of the captures to the session.
func (j *job) feed(ctx context.Context, s *replay.Session) error {
	return errors.Join(j.feedTo(ctx, s.Add, s.Flush), s.Err())
}

// feedTo is feed with what is done with each record and at the end; it shows
// how far it is.
func (j *job) feedTo(ctx context.Context, add func(*pcap.Record), end func()) error {
	j.begun = true
	var screen io.Writer
	if !j.in.quiet {
		screen = j.in.stderr
	}
	show := output.NewProgress(screen, j.Progress)
	defer show.Clear()
	err := j.Feed(ctx, func(rec *pcap.Record) {
		add(rec)
		show.Step()
	}, end)
	show.Clear()
	j.sayBounds()
	err = errors.Join(err, interrupted(ctx, show.Packets))
	if j.in.explain {
		for _, t := range j.Taps {
			fmt.Fprint(j.in.stderr, t.Explain())
		}
	}
	return err
}

// explainer explains the job's packets.
func (j *job) explainer() *why.Explainer {
	x := why.New(j.Engine, j.objects)
	x.Past = j.past
	return x
}

func (j *job) close() {
	if j.stop != nil {
		j.stop()
	}
	j.Recording.Close()
}
