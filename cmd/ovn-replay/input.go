package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	filters "ovnreplay/pcap/filter"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
)

// input is what the commands that replay take: a network and captures.
type input struct {
	stdin    io.Reader
	stderr   io.Writer
	db       string
	captures []string // -r: see parseCapture
	caseDir  string
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
	goesOn   bool // captures may be missing: there is a session
}

func (in *input) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&in.db, "db", os.Getenv("OVN_SB_DB"), "Southbound database `SOURCE`: a file, directory or tar, unix:, tcp: or ssl: server, or snapshot:NAME (default $OVN_SB_DB)")
	sourceFlags(f, &in.source)
	f.StringVar(&in.moment.dbTime, "db-time", "", "with a database file: `follow` its history, so that each packet meets the network of its own moment, or the network of one time")
	f.BoolVar(&in.moment.watch, "watch", false, "with a live server: keep following its changes")
	in.captureFlags(f)
}

// captureFlags are those of every command that replays captures.
func (in *input) captureFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&in.captures, "read", "r", nil,
		"capture `FILE[@PORT[@CHASSIS]]`, FILE@any[@CHASSIS] or FILE@underlay[:CHASSIS]; a pattern is a rotated set, - is standard input (repeatable)")
	f.StringVar(&in.caseDir, "case", "", "`DIR` of a recorded case: all inputs at once")
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
	in       *input
	net      *network.Network
	engine   *sim.Engine
	captures []*openCapture
	taps     []*replay.Tap
	names    []string // of the captures, as the user gave them
	clocks   []replay.ClockReport
	pins     []conntrack.Entry
	filter   *filter
	reading  pcap.Options // how the captures are read
	warnings []error      // damage after which the rest is still used
	source   string       // of the database
	recorded []string     // dumps of OpenFlow flows that the case holds
	changes  replay.Changes
	stop     func() // ends changes; nil if there are none
}

// spec is what to replay, from flags or from a case.
type spec struct {
	db       string
	captures []capture
	reading  pcap.Options
	profile  string
	zones    map[string]map[string]uint16
	imports  []string // FILE or FILE@CHASSIS
	openflow []string // the same
}

// open reads the database and opens the captures.
func (in *input) open(ctx context.Context) (*job, error) {
	spec, err := in.spec()
	if err != nil {
		return nil, err
	}
	open := southbound.Open
	if in.moment.dbTime != "" && in.moment.dbTime != follows {
		open = func(ctx context.Context, source string, _ store.Options) (*network.Network, []error, error) {
			return in.fixed(ctx, source)
		}
	}
	net, warnings, err := open(ctx, spec.db, in.source)
	if err != nil {
		return nil, err
	}
	changes, stop, err := in.changes(ctx, spec.db)
	if err != nil {
		return nil, err
	}
	j, err := in.load(ctx, spec, net, warnings)
	if err != nil {
		stop()
		return nil, err
	}
	j.source, j.changes, j.stop = spec.db, changes, stop
	return j, nil
}

func (in *input) spec() (*spec, error) {
	s := &spec{db: in.db, profile: in.profile}
	switch {
	case in.caseDir != "":
		var err error
		if s, err = readCase(in.caseDir); err != nil {
			return nil, err
		}
		if in.profile != "" {
			s.profile = in.profile
		}
	case in.db == "":
		return nil, errors.New("no network: name a Southbound database with --db FILE, or a recorded case with --case DIR")
	case len(in.captures) == 0 && !in.goesOn:
		return nil, errors.New("no packets: name a capture with -r FILE@PORT")
	}
	for _, arg := range in.captures {
		c, err := parseCapture(arg)
		if err != nil {
			return nil, err
		}
		s.captures = append(s.captures, c)
	}
	s.imports = append(s.imports, in.imports...)
	var err error
	s.reading, err = pcapOptions(in.selects)
	return s, err
}

// load builds the engine and opens the captures of a spec.
func (in *input) load(ctx context.Context, s *spec, net *network.Network, warnings []error) (*job, error) {
	j := &job{in: in, net: net, warnings: warnings, reading: s.reading, recorded: s.openflow}
	profile, err := parseProfile(s.profile)
	if err != nil {
		return nil, err
	}
	if err := in.addZones(s, net); err != nil {
		return nil, err
	}
	if j.engine, err = sim.New(net, sim.Options{Conntrack: profile, Zones: s.zones}); err != nil {
		return nil, err
	}
	if j.filter, err = newFilter(j.engine, in.filter); err != nil {
		return nil, err
	}
	if err := j.openAll(ctx, s); err != nil {
		j.close()
		return nil, err
	}
	for _, arg := range s.imports {
		if err := j.importDump(in.stdin, arg); err != nil {
			j.close()
			return nil, err
		}
	}
	for _, file := range in.pins {
		es, err := readDumpFile(in.stdin, file)
		if err != nil {
			j.close()
			return nil, fmt.Errorf("--pin %w", err)
		}
		j.pins = append(j.pins, es...)
	}
	return j, nil
}

// addZones reads the zone numbers of --ct-zones.
func (in *input) addZones(s *spec, net *network.Network) error {
	for _, arg := range in.zones {
		file, name, _ := strings.Cut(arg, "@")
		if _, err := os.Stat(arg); err == nil {
			file, name = arg, ""
		}
		if name == "" {
			c := zonesOf(s, net)
			if c == nil {
				return fmt.Errorf("%s: the database has %d chassis; say whose zones these are: %s@CHASSIS", file, len(net.Chassis), file)
			}
			name = c.Name
		}
		if net.ChassisByName(name) == nil {
			return fmt.Errorf("%s: no chassis %q in the database", file, name)
		}
		zones, err := readZones(file)
		if err != nil {
			return err
		}
		if s.zones == nil {
			s.zones = map[string]map[string]uint16{}
		}
		s.zones[name] = zones
	}
	return nil
}

// zonesOf is the chassis that zones without one belong to: the only one, or
// the one where all captures are said to be from. nil: there is none such.
func zonesOf(s *spec, net *network.Network) (only *network.Chassis) {
	if len(net.Chassis) == 1 {
		return net.Chassis[0]
	}
	for _, c := range s.captures {
		at := net.ChassisByName(c.chassis)
		if port, err := net.FindPort(c.port); err == nil && at == nil {
			at, _ = replay.ChassisOf(net, port)
		}
		if at == nil || only != nil && only != at {
			return nil
		}
		only = at
	}
	return only
}

const ctProfileUsage = "connection tracking of: linux, ovs-userspace, a release of that as in ovs-userspace:3.5, or as a `FILE` of settings says (default linux)"

// parseProfile reads the --ct-profile: one of the two by name, the second with
// its release, or a file of settings.
func parseProfile(name string) (conntrack.Options, error) {
	if release, ok := strings.CutPrefix(name, "ovs-userspace:"); ok {
		r, err := conntrack.ParseRelease(release)
		if err != nil {
			err = fmt.Errorf("--ct-profile %s: %w", name, err)
		}
		return conntrack.Options{Profile: conntrack.OVSUserspace, OVS: r}, err
	}
	switch name {
	case "", "linux":
		return conntrack.Options{Profile: conntrack.Linux}, nil
	case "ovs-userspace":
		return conntrack.Options{Profile: conntrack.OVSUserspace}, nil
	}
	f, err := store.OpenFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return conntrack.Options{}, fmt.Errorf("--ct-profile %s: no such profile or file; use linux, ovs-userspace, or a file of settings", name)
	}
	if err != nil {
		return conntrack.Options{}, err
	}
	defer f.Close()
	return conntrack.ReadProfile(f, name)
}

// lookAhead is how far behind the reading packets are replayed, so that a
// choice the datapath made at random is read from the frame that shows it.
const lookAhead = 2e9

// ahead is lookAhead, or nothing where a capture may be live: there each packet
// is answered at once.
func (j *job) ahead() conntrack.Time {
	for _, c := range j.captures {
		if c.live {
			return 0
		}
	}
	return lookAhead
}

// session begins the replay.
func (j *job) session(h replay.Handler, ahead conntrack.Time) *replay.Session {
	return replay.NewSession(j.engine, j.taps, h, replay.Options{Ahead: ahead, NoInference: j.in.noInfer, Pins: j.pins, Changes: j.changes})
}

func (j *job) close() {
	if j.stop != nil {
		j.stop()
	}
	for _, c := range j.captures {
		c.Close()
	}
}
