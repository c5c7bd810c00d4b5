// Package recording is what was kept of a session on a real network: captures
// and where each was taken, dumps of connections and zones, and the case.json
// that names them. Opened on a network it is ready to be replayed: captures are
// placed, their clocks corrected, tables imported.
//
// It reads captures and dumps, and writes nothing. Networks are handed in: it
// knows no database, and no command line but for the forms of its arguments,
// FILE@PORT and FILE@CHASSIS.
package recording

import (
	"context"
	"fmt"
	"io"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// Spec is what a recording consists of.
type Spec struct {
	DBs      []string // the sources of its network: one, or one for each availability zone
	Captures []Capture
	Reading  pcap.Options                 // how they are read
	Profile  string                       // see Files.ReadProfile
	Zones    map[string]map[string]uint16 // numbers by chassis and name

	ZoneFiles []string // more of them: FILE or FILE@CHASSIS, as ovn-appctl ct-zone-list prints
	Imports   []string // dumps of connections from before: FILE or FILE@CHASSIS
	Pins      []string // dumps of connections that dictate what was chosen at random
	OpenFlow  []string // dumps of switches' flows: FILE or FILE@CHASSIS

	Offsets []string // of clocks, by hand: FILE=+1.5ms
	NoAlign bool     // leave the others' clocks as they are
	NoInfer bool     // inject only packets that are in a capture
	Hops    bool     // see sim.Options

	read []string // files that were read already: a case's
}

// Inputs lists the files that the recording is read from: its database too, if
// that is a file.
func (s *Spec) Inputs() []string {
	names := append(append([]string{s.Profile}, s.DBs...), s.read...)
	for _, c := range s.Captures {
		names = append(names, c.File)
	}
	for _, list := range [][]string{s.ZoneFiles, s.Imports, s.OpenFlow} {
		for _, arg := range list {
			file, _, _ := pcap.CutFile(arg)
			names = append(names, file)
		}
	}
	names = append(names, s.Pins...)
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// Files is how a recording's files are read.
type Files struct {
	Stdin io.Reader                                // what "-" names
	Open  func(name string) (io.ReadCloser, error) // a dump, compressed or not
}

// Recording is a recording opened on a network, ready to be replayed once.
type Recording struct {
	Net    *network.Network
	Engine *sim.Engine
	Taps   []*replay.Tap        // the captures' places
	Names  []string             // the captures' names, as they were given
	Clocks []replay.ClockReport // how they were compared
	Causes []replay.Group       // of differences, as far as they are known before

	spec     *Spec
	files    Files
	tell     func(format string, args ...any)
	tie      sim.Tie
	captures []*openCapture
	pins     []conntrack.Entry
	pipes    []*pipe
	passed   []passed
	reading  *ahead   // of the captures, nil: nothing is read ahead
	numbered []string // dumps with zone numbers of which nothing says what they are
}

// Open builds an engine on a network, and opens and places the captures. What
// it decides of itself it tells; tell may be nil.
func (s *Spec) Open(ctx context.Context, net *network.Network, files Files,
	tell func(format string, args ...any)) (*Recording, error) {
	if tell == nil {
		tell = func(string, ...any) {}
	}
	r := &Recording{Net: net, spec: s, files: files, tell: tell}
	var err error
	if r.tie, err = r.order(); err != nil {
		return nil, err
	}
	if err := r.equip(func() error { return r.openAll(ctx) }); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// equip builds the engine with what the recording says of it; place is called
// to know where captures were taken, before tables are imported.
func (r *Recording) equip(place func() error) error {
	profile, err := r.files.ReadProfile(r.spec.Profile)
	if err != nil {
		return err
	}
	if err := r.addZones(); err != nil {
		return err
	}
	if r.Engine, err = sim.New(r.Net, sim.Options{Conntrack: profile, Zones: r.spec.Zones, Tie: r.tie,
		Hops: r.spec.Hops}); err != nil {
		return err
	}
	if err := place(); err != nil {
		return err
	}
	for _, arg := range r.spec.Imports {
		if err := r.importDump(arg); err != nil {
			return err
		}
	}
	r.tellUnnumbered()
	for _, file := range r.spec.Pins {
		es, err := r.files.ReadDump(file)
		if err != nil {
			return fmt.Errorf("--pin %w", err)
		}
		r.pins = append(r.pins, es...)
	}
	return nil
}

// Start begins the replay; see replay.Options for ahead and changes.
func (r *Recording) Start(h replay.Handler, ahead conntrack.Time, changes replay.Changes) *replay.Run {
	return replay.NewRun(r.Engine, r.Taps, h, replay.Options{Ahead: ahead, NoInference: r.spec.NoInfer, Pins: r.pins,
		Changes: changes})
}

// Live reports whether a capture is a stream: each of its packets is to be
// answered at once.
func (r *Recording) Live() bool {
	for _, c := range r.captures {
		if c.live {
			return true
		}
	}
	return false
}

// Empty reports whether there are no captures.
func (r *Recording) Empty() bool { return len(r.captures) == 0 }

// Progress returns how many bytes of how many are read; size is less than read
// where it is not known.
func (r *Recording) Progress() (read, size int64) {
	if a := r.reading; a != nil {
		if a.now == nil {
			return 0, 0
		}
		return a.now.read, a.now.size
	}
	return r.progress()
}

// progress asks the captures, for whoever reads them.
func (r *Recording) progress() (read, size int64) {
	for _, c := range r.captures {
		n, of := c.Progress()
		read, size = read+n, size+of
	}
	return read, size
}

// On is the recording's captures on another network, with an engine and places
// of its own but no captures to read: they are fed with the first one's.
func (r *Recording) On(net *network.Network) (*Recording, error) {
	other := &Recording{Net: net, Names: r.Names, spec: r.spec, files: r.files, tie: r.tie,
		tell: func(string, ...any) {}}
	for _, t := range r.Taps {
		moved, err := t.On(net)
		if err != nil {
			return nil, err
		}
		other.Taps = append(other.Taps, moved)
	}
	return other, other.equip(func() error { return nil })
}

// Close closes the captures.
func (r *Recording) Close() {
	for _, c := range r.captures {
		c.Close()
	}
	for _, p := range r.pipes {
		p.Close()
	}
}

// Made tells of the captures that are pcapng how they were made: their first
// section headers, and by capture the interface of the first packet.
func (r *Recording) Made() (all []pcap.Section, first []*pcap.Interface) {
	first = make([]*pcap.Interface, len(r.captures))
	for i, c := range r.captures {
		if c.live {
			continue // not to be read before it is due
		}
		set, err := pcap.OpenSet(r.Names[i], r.unfiltered())
		if err != nil {
			continue
		}
		var rec pcap.Record
		set.Next(&rec) // what is wrong with it is told when it is replayed
		all = append(all, set.Sections()...)
		first[i] = rec.Interface
		set.Close()
	}
	return all, first
}

// TakeBlocks returns the blocks after the captures' last packets, if Reading
// says that blocks are kept.
func (r *Recording) TakeBlocks() (all []pcap.Block) {
	for _, c := range r.captures {
		if s, ok := c.source.(interface{ TakeBlocks() []pcap.Block }); ok {
			all = append(all, s.TakeBlocks()...)
		}
	}
	return all
}
