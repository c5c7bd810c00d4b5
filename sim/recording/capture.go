package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"ovnreplay/pcap"
	filters "ovnreplay/pcap/filter"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
)

// Capture is one capture with the place it was taken at.
type Capture struct {
	File    string // or a pattern: a rotated set; "-" is standard input
	Port    string // "" is found from the packets
	Chassis string // "" is where the port is
	Kind    replay.Kind
}

// ParseCapture reads FILE[@PORT[@CHASSIS]], FILE@any[@CHASSIS], FILE@underlay[:CHASSIS]
// and FILE@tunnel:CHASSIS. FILE may be a pattern: a rotated set.
func ParseCapture(arg string) (Capture, error) {
	file, place, placed := pcap.CutFile(arg)
	c := Capture{File: file}
	if !placed {
		return c, nil
	}
	port, on, _ := strings.Cut(place, "@")
	c.Chassis = on
	where, chassis, colon := strings.Cut(port, ":")
	switch {
	case port == "":
		return c, fmt.Errorf("-r %s: a port's name belongs after the @", arg)
	case where == "underlay", where == "tunnel" && colon:
		if c.Kind = replay.AtUnderlay; where == "tunnel" {
			c.Kind = replay.InTunnel
		}
		if colon {
			c.Chassis = chassis
		}
	case port == "any":
		c.Kind = replay.AtHost
	default:
		c.Port = port
	}
	return c, nil
}

// split makes captures of their own of a pattern's files where they are from
// different ports; files of one port are a rotated set.
func (r *Recording) split(owners *replay.Owners, c Capture) ([]Capture, error) {
	if c.Port != "" || c.Kind != 0 || c.File == "-" || !strings.ContainsAny(c.File, "*?[") {
		return []Capture{c}, nil
	}
	if _, err := os.Stat(c.File); err == nil {
		return []Capture{c}, nil
	}
	files, err := filepath.Glob(c.File)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no capture matches this pattern", c.File)
	}
	var out []Capture
	var places []string
	for _, f := range files {
		one := c
		one.File = f
		out = append(out, one)
		if p := r.glance(owners, one); p != "" && (len(places) == 0 || places[0] != p) {
			places = append(places, p)
		}
	}
	if len(places) > 1 {
		return out, nil
	}
	return []Capture{c}, nil
}

// glance says where a file seems to be from, "" if that cannot be told.
func (r *Recording) glance(owners *replay.Owners, c Capture) string {
	t := &replay.Tap{Name: c.File}
	err := owners.Locate(t, r.firstRecords(c.File), r.Net.ChassisByName(c.Chassis))
	if err != nil || len(t.Sites()) == 0 {
		return ""
	}
	return t.Sites()[0].String()
}

// unfiltered reads all packets: where a capture was taken and how its clock goes
// does not depend on which of its packets are replayed.
func (r *Recording) unfiltered() pcap.Options {
	opts := r.spec.Reading
	opts.Filter = nil
	return opts
}

// firstRecords are the first records of a file or set, whatever the filter
// selects: none of what cannot be read, which opening it to replay it reports.
func (r *Recording) firstRecords(file string) []pcap.Record {
	set, err := pcap.OpenSet(file, r.unfiltered())
	if err != nil {
		return nil
	}
	defer set.Close()
	open := &openCapture{source: set}
	open.peek(readAhead)
	return open.ahead
}

// Begins is the time of the first record of all captures; false if a capture is a
// stream, or none can be read.
func (s *Spec) Begins() (first int64, ok bool) {
	for _, c := range s.Captures {
		if isStream(c.File) {
			return 0, false // what is read once must not be read here
		}
		set, err := pcap.OpenSet(c.File, pcap.Options{MaxFrames: s.Reading.MaxFrames})
		if pcap.Packetless(err) {
			continue
		}
		if err != nil {
			return 0, false
		}
		var rec pcap.Record
		if set.Next(&rec) == nil && (!ok || rec.Time < first) {
			first, ok = rec.Time, true
		}
		set.Close()
	}
	return first, ok
}

// source is a file, a set of files or a stream.
type source interface {
	pcap.Source
	Close() error
	Progress() (read, size int64)
}

// openCapture is a capture being read; the first records were read ahead to
// find where it was taken.
type openCapture struct {
	source
	ahead []pcap.Record
	stop  error // what followed the records read ahead, if it was not a record
	live  bool  // a stream: nothing is to be read ahead of need
}

// Next implements pcap.Source.
func (c *openCapture) Next(rec *pcap.Record) error {
	if len(c.ahead) > 0 {
		*rec, c.ahead = c.ahead[0], c.ahead[1:]
		return nil
	}
	if c.stop != nil {
		return c.stop
	}
	return c.source.Next(rec)
}

// peek reads until n records are known.
func (c *openCapture) peek(n int) {
	for len(c.ahead) < n && c.stop == nil {
		var rec, kept pcap.Record
		if c.stop = c.source.Next(&rec); c.stop == nil {
			kept.CopyFrom(&rec)
			c.ahead = append(c.ahead, kept)
		}
	}
}

// readAhead is how many records are looked at to find a capture's port.
const readAhead = 200

// maxCaptures bounds the captures of a replay: each is open until its end, and each pair's clocks are compared.
const maxCaptures = 2000

// openAll opens the captures with their clocks corrected, and places them.
func (r *Recording) openAll(ctx context.Context) error {
	owners := replay.NewOwners(r.Net)
	defer r.tellPassed()
	var captures []Capture
	for i, c := range r.spec.Captures {
		several, err := r.split(owners, c)
		if err != nil {
			return err
		}
		if captures = append(captures, several...); len(captures)+len(r.spec.Captures)-i-1 > maxCaptures {
			return fmt.Errorf("%s: there are more than %d captures, all of which would be open at once; give those of "+
				"one port as a rotated set (a pattern), or joined with mergecap", c.File, maxCaptures)
		}
	}
	clocks, err := r.align(ctx, owners, captures)
	if err != nil {
		return err
	}
	var guessed []placed
	var empty error
	for i, c := range captures {
		open, err := r.openSource(ctx, c.File, clocks[i])
		if pcap.Packetless(err) && len(captures) > 1 {
			r.passOver(err)
			empty = err
			continue
		}
		if err != nil {
			return err
		}
		t := &replay.Tap{Index: len(r.Taps), Name: c.File, File: c.File}
		switch {
		case c.File == "-":
			t.Name = "standard input"
		case !utf8.ValidString(c.File): // JSON has none of its bytes
			t.Name = printable.Line(c.File)
		}
		if err := r.locate(owners, open, t, c); errors.Is(err, errEmpty) {
			r.pass(t.Name, err.Error()+"; it is passed over", "hold no packets and are passed over")
			open.Close()
			continue
		} else if err != nil {
			open.Close()
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		if c.Chassis == "" && !open.live {
			r.then(t, open)
		}
		for _, lost := range t.Lost {
			r.tell("%s: %s", t.Name, lost)
		}
		for _, s := range t.Sites() {
			if s.Doubt != "" {
				r.tell("%s: %s", t.Name, s.Doubt)
			}
		}
		if c.Port == "" && c.Kind == 0 && !open.live {
			guessed = append(guessed, placed{t, open})
		}
		r.captures = append(r.captures, open)
		r.Names = append(r.Names, c.File)
		r.Taps = append(r.Taps, t)
	}
	if len(r.captures) == 0 && empty != nil {
		return empty
	}
	r.tellPacketless()
	return r.together(owners, guessed)
}

// tellPacketless says so if no capture holds packets. One without any whose port is named, beside
// others that hold some, is a capture of that port all the same.
func (r *Recording) tellPacketless() {
	for _, open := range r.captures {
		if !r.packetless(open) {
			return
		}
	}
	for _, t := range r.Taps {
		r.pass(t.Name, errEmpty.Error(), "hold no packets")
	}
}

// openSource opens a file, a set of files, standard input, or a pipe.
func (r *Recording) openSource(ctx context.Context, file string, clock pcap.Clock) (*openCapture, error) {
	if isStream(file) {
		src, name := r.files.Stdin, "standard input"
		if file != "-" {
			p := &pipe{name: file}
			r.pipes = append(r.pipes, p)
			src, name = p, file
		}
		stream, err := pcap.NewReaderWith(Interruptible(ctx, src), name, r.spec.Reading)
		if err != nil {
			return nil, err
		}
		stream.Clock = clock
		return &openCapture{source: stream, live: true}, nil
	}
	set, err := pcap.OpenSet(file, r.spec.Reading)
	if err != nil {
		return nil, err
	}
	set.Clock = clock
	for _, err := range set.Passed() {
		r.passOver(err)
	}
	open := &openCapture{source: set}
	if open.peek(1); pcap.Packetless(open.stop) {
		set.Close()
		return nil, open.stop
	}
	if r.spec.Reading.Filter != nil {
		// A filter that does not suit the capture is bad usage: found out before
		// anything is replayed.
		if bad := new(filters.Error); errors.As(open.stop, &bad) {
			return nil, open.stop
		}
	}
	return open, nil
}

// locate finds where a capture was taken, unless that is given.
func (r *Recording) locate(owners *replay.Owners, open *openCapture, t *replay.Tap, c Capture) error {
	var chassis *network.Chassis
	if c.Chassis != "" {
		if chassis = r.Net.ChassisByName(c.Chassis); chassis == nil {
			return r.Net.NoChassis(c.Chassis)
		}
	}
	switch {
	case c.Kind == replay.AtHost || c.Kind == replay.InTunnel || c.Kind == replay.AtUnderlay && chassis != nil:
		if chassis == nil && len(r.Net.Chassis) == 1 {
			chassis = r.Net.Chassis[0]
		}
		if chassis == nil {
			return errors.New("say on which chassis it was taken: FILE@any@CHASSIS")
		}
		t.Site = &replay.Site{Kind: c.Kind, Chassis: chassis, Found: "given"}
		if c.Kind == replay.AtHost && !open.live {
			open.peek(readAhead)
			owners.Learn(t, open.ahead)
		}
		return nil
	case c.Port != "":
		port, err := r.portAt(c.Port, chassis)
		if err != nil {
			return err
		}
		t.Site = &replay.Site{Kind: replay.AtPort, Port: port, Chassis: chassis, Found: "given"}
		if chassis == nil {
			t.Site.Chassis, err = replay.ChassisOf(r.Net, port)
			t.Site.Doubt = replay.AtSeveral(port, t.Site.Chassis)
		}
		return err
	}
	return r.find(owners, open, t, chassis)
}

// then puts a capture of an interface that moved since where that was when it begins.
func (r *Recording) then(t *replay.Tap, open *openCapture) {
	for _, s := range t.Sites() {
		if s.Kind != replay.AtPort || s.Port.Type != network.VIF || len(s.Port.Been) < 2 {
			continue
		}
		if first, ok := open.firstTime(); ok {
			if c := r.Net.ChassisAt(s.Port, time.Unix(0, first)); c != nil {
				s.Chassis = c
			}
		}
	}
}

// portAt finds a port by name, at a chassis if one is given: of ports that several zones
// have under one name that of the chassis' zone.
func (r *Recording) portAt(name string, at *network.Chassis) (*network.Port, error) {
	port, err := r.Net.FindPort(name)
	if err != nil || at == nil || !port.Elsewhere(at) {
		return port, err
	}
	if own := at.AZ.PortNamed(port.Name); own != nil && own.Twin == nil && !own.Elsewhere(at) {
		return own, nil
	}
	switch c := port.ActiveChassis(); {
	case at.Remote():
		return nil, fmt.Errorf("chassis %s is of a zone whose database is not given, and has no port %s: add that "+
			"database with --db, or name another chassis", at.Host(), port.Called())
	case port.Datapath.AZ != at.AZ:
		return nil, fmt.Errorf("port %s is of zone %s, and chassis %s of zone %s: give FILE@%s with a chassis of its "+
			"own zone, or a port of that one", port.Called(), port.Datapath.AZ.Name, at.Host(), at.AZ.Name, name)
	default:
		return nil, fmt.Errorf("port %s is at chassis %s, and not at %s: give FILE@%s@%s, or the port of that chassis",
			port.Called(), c.Host(), at.Host(), name, c.Host())
	}
}

// errEmpty is a capture without packets: nothing is to be placed.
var errEmpty = errors.New("it holds no packets")

// packetless reports whether a capture that is no stream has no packets, whatever is selected.
func (r *Recording) packetless(open *openCapture) bool {
	if open.live || r.spec.Reading.Filter != nil {
		return false
	}
	open.peek(1)
	return len(open.ahead) == 0 && open.stop == io.EOF
}

// nothing says why a capture without packets cannot be placed.
func (r *Recording) nothing() error {
	if r.spec.Reading.Filter != nil {
		return errors.New("--pcap-filter selects no packets to find the capture's logical port from; name it with " +
			"-r FILE@PORT")
	}
	return errors.New("no packets to find the capture's logical port from; name it with -r FILE@PORT")
}

// find places a capture by its first packets; of a stream, by as few as will do.
func (r *Recording) find(owners *replay.Owners, open *openCapture, t *replay.Tap, chassis *network.Chassis) error {
	n := readAhead
	if open.live {
		n = 1
	} else if r.spec.Reading.Filter != nil && owners.Locate(t, r.firstRecords(t.File), chassis) == nil &&
		len(t.Sites()) > 0 {
		return nil
	}
	for {
		open.peek(n)
		if len(open.ahead) == 0 && open.stop == io.EOF && r.spec.Reading.Filter == nil {
			return errEmpty
		}
		if len(open.ahead) == 0 {
			return r.nothing()
		}
		err := owners.Locate(t, open.ahead, chassis)
		if err == nil || n >= readAhead || open.stop != nil {
			return err
		}
		n++
	}
}
