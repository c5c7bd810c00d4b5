// Package job opens what a replay takes, wherever it comes from: networks in
// databases, captures, dumps, a recorded case. It decides which network packets
// meet (the last, that of their own moment, a live server's), finds names in
// Northbound databases, and feeds what the captures hold to a session.
//
// What it decides of itself it tells on Stderr. It never writes a file and never
// judges a packet.
package job

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ovnreplay/pcap"
	filters "ovnreplay/pcap/filter"
	"ovnreplay/sim/northbound"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/recording"
	"ovnreplay/sim/southbound"
	"ovnreplay/store"
	"ovnreplay/store/output"
)

// Spec is where a replay's network and captures are, in the forms of the command
// line, and how they are read.
type Spec struct {
	DBs    []string               // Southbound databases: see store.Open
	Given  func(flag string) bool // whether it is on the command line, rather than a default; nil: none is
	Source store.Options
	DBTime string // Follow, Last or a time; "": Follow if the history holds the captures
	Fixed  bool   // without DBTime it is Last, which is said
	Watch  bool   // follow a live server's changes
	NBs    []string

	Captures []string // see recording.ParseCapture
	Case     string   // a folder: all inputs at once
	GoesOn   bool     // captures may be missing: there is a session
	Selects  string   // a pcap-filter(7) of what is read of them
	Frames   int      // that a compressed one may hold; 0: see pcap.Options
	Offsets  []string
	NoAlign  bool
	NoInfer  bool // inject only packets that are in a capture

	// Of connection tracking: see recording.Spec.
	Profile              string
	Imports, Zones, Pins []string

	Filter     string // packets that are shown
	Hops       bool   // packets are recorded at every datapath
	KeepBlocks bool   // what captures carry beside packets
	Explain    bool   // tell how each capture was placed
	Quiet      bool
	Writes     []output.Destination // files that the command will write

	Stdin  io.Reader
	Stderr io.Writer

	read    *southbound.Read  // of DBs
	remade  northbound.Remade // while packets meet the network of their own moment
	younger string            // what may be otherwise than it was when the captures were made
}

// Reading is how captures are read with an expression of pcap-filter(7).
func Reading(expr string) (pcap.Options, error) {
	if strings.TrimSpace(expr) == "" {
		return pcap.Options{}, nil
	}
	e, err := filters.Parse(expr)
	if err != nil {
		return pcap.Options{}, fmt.Errorf("--pcap-filter: %w", err)
	}
	return pcap.Options{Filter: e}, nil
}

// recording is what is replayed.
func (in *Spec) recording() (*recording.Spec, error) {
	if local := store.LocalSource(); len(in.DBs) == 0 && in.Case == "" && local != "" {
		in.DBs = []string{local}
	}
	s := &recording.Spec{DBs: in.DBs, Profile: in.Profile}
	switch {
	case in.Case != "":
		var err error
		if s, err = recording.ReadCase(in.Case, in.files()); err != nil {
			return nil, err
		}
		if in.Profile != "" {
			s.Profile = in.Profile
		}
		if in.given("db") {
			s.DBs = in.DBs
		}
	case len(in.DBs) == 0:
		return nil, errors.New("no network: this host has no Southbound database; name one with --db FILE, or a " +
			"recorded case with --case DIR")
	case len(in.Captures) == 0 && !in.GoesOn:
		return nil, errors.New("no packets: name a capture with -r FILE@PORT")
	}
	for _, arg := range in.Captures {
		c, err := recording.ParseCapture(arg)
		if err != nil {
			return nil, err
		}
		if c.File == "-" && slices.ContainsFunc(s.Captures, func(c recording.Capture) bool { return c.File == "-" }) {
			return nil, errors.New("-r -: standard input was given already, and can be read once")
		}
		s.Captures = append(s.Captures, c)
	}
	s.Imports = append(s.Imports, in.Imports...)
	s.ZoneFiles, s.Pins, s.Offsets, s.NoAlign, s.NoInfer = in.Zones, in.Pins, in.Offsets, in.NoAlign, in.NoInfer
	s.Hops = in.Hops
	var err error
	s.Reading, err = Reading(in.Selects)
	s.Reading.MaxFrames = in.Frames
	s.Reading.KeepBlocks, s.Reading.AttachBlocks = in.KeepBlocks, in.KeepBlocks
	return s, err
}

// files is how the files of a recording are read.
func (in *Spec) files() recording.Files {
	return recording.Files{Stdin: in.Stdin, Open: store.OpenFile}
}

// Tell says what the user should know, on a line of its own whatever the names in it are,
// unless told to be quiet.
func (in *Spec) Tell(format string, args ...any) {
	if !in.Quiet {
		printable.Fprintf(in.Stderr, "ovn-replay: "+format+"\n", args...)
	}
}

func (in *Spec) given(flag string) bool { return in.Given != nil && in.Given(flag) }

// replays are the flags that say what is replayed, and how.
var replays = []string{"db", "read", "case", "nb", "ct-profile", "ct-import", "ct-zones", "pin", "offset", "no-align",
	"no-infer",
	"filter", "pcap-filter", "explain-points", "db-time", "watch"}

// BesideSession refuses what would be ignored where a session is asked about: it
// was replayed already.
func (in *Spec) BesideSession() error {
	for _, flag := range replays {
		if in.given(flag) {
			return fmt.Errorf("--%s says what to replay, and a session is asked about, which was replayed: give "+
				"one of them",
				flag)
		}
	}
	return nil
}
