package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ovnreplay/pcap"
	filters "ovnreplay/pcap/filter"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
)

// capture is one capture with the place it was taken at.
type capture struct {
	file    string
	port    string // "" is found from the packets
	chassis string // "" is where the port is
	kind    replay.Kind
}

// parseCapture reads FILE[@PORT[@CHASSIS]], FILE@any[@CHASSIS] and
// FILE@underlay[:CHASSIS]. FILE may be a pattern: a rotated set.
func parseCapture(arg string) (capture, error) {
	if _, err := os.Stat(arg); err == nil || arg == "-" {
		return capture{file: arg}, nil
	}
	parts := strings.SplitN(arg, "@", 3)
	c := capture{file: parts[0]}
	if len(parts) > 2 {
		c.chassis = parts[2]
	}
	if len(parts) < 2 {
		return c, nil
	}
	where, chassis, colon := strings.Cut(parts[1], ":")
	switch {
	case parts[1] == "":
		return c, fmt.Errorf("-r %s: a port's name belongs after the @", arg)
	case where == "underlay" && (colon || len(parts) == 2 || parts[1] == "underlay"):
		c.kind = replay.AtUnderlay
		if colon {
			c.chassis = chassis
		}
	case parts[1] == "any":
		c.kind = replay.AtHost
	default:
		c.port = parts[1]
	}
	return c, nil
}

// split makes captures of their own of a pattern's files where they are from
// different ports; files of one port are a rotated set.
func (j *job) split(owners *replay.Owners, c capture) ([]capture, error) {
	if c.port != "" || c.kind != 0 || c.file == "-" || !strings.ContainsAny(c.file, "*?[") {
		return []capture{c}, nil
	}
	if _, err := os.Stat(c.file); err == nil {
		return []capture{c}, nil
	}
	files, err := filepath.Glob(c.file)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no capture matches this pattern", c.file)
	}
	var out []capture
	var places []string
	for _, f := range files {
		one := c
		one.file = f
		out = append(out, one)
		if p := j.glance(owners, one); p != "" && (len(places) == 0 || places[0] != p) {
			places = append(places, p)
		}
	}
	if len(places) > 1 {
		return out, nil
	}
	return []capture{c}, nil
}

// glance says where a file seems to be from, "" if that cannot be told.
func (j *job) glance(owners *replay.Owners, c capture) string {
	t := &replay.Tap{Name: c.file}
	err := owners.Locate(t, j.firstRecords(c.file), j.net.ChassisByName(c.chassis))
	if err != nil || len(t.Sites()) == 0 {
		return ""
	}
	return t.Sites()[0].String()
}

// unfiltered reads all packets: where a capture was taken and how its clock goes
// does not depend on which of its packets are replayed.
func (j *job) unfiltered() pcap.Options {
	opts := j.reading
	opts.Filter = nil
	return opts
}

// firstRecords are the first records of a file or set, whatever the filter
// selects: none of what cannot be read, which opening it to replay it reports.
func (j *job) firstRecords(file string) []pcap.Record {
	set, err := pcap.OpenSet(file, j.unfiltered())
	if err != nil {
		return nil
	}
	defer set.Close()
	open := &openCapture{source: set}
	open.peek(readAhead)
	return open.ahead
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
	live  bool  // standard input: nothing is to be read ahead of need
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

// openAll opens the captures with their clocks corrected, and places them.
func (j *job) openAll(ctx context.Context, s *spec) error {
	owners := replay.NewOwners(j.net)
	var captures []capture
	for _, c := range s.captures {
		several, err := j.split(owners, c)
		if err != nil {
			return err
		}
		captures = append(captures, several...)
	}
	clocks, err := j.align(ctx, captures)
	if err != nil {
		return err
	}
	for i, c := range captures {
		open, err := j.openSource(ctx, c.file, clocks[i])
		if err != nil {
			return err
		}
		j.captures = append(j.captures, open)
		j.names = append(j.names, c.file)
		t := &replay.Tap{Index: i, Name: c.file}
		if c.file == "-" {
			t.Name = "standard input"
		}
		j.taps = append(j.taps, t)
		if err := j.locate(owners, open, t, c); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

// openSource opens a file, a set of files, or standard input.
func (j *job) openSource(ctx context.Context, file string, clock pcap.Clock) (*openCapture, error) {
	if file == "-" {
		r, err := pcap.NewReaderWith(&interruptible{ctx: ctx, src: j.in.stdin}, "standard input", j.reading)
		if err != nil {
			return nil, err
		}
		r.Clock = clock
		return &openCapture{source: r, live: true}, nil
	}
	set, err := pcap.OpenSet(file, j.reading)
	if err != nil {
		return nil, err
	}
	set.Clock = clock
	open := &openCapture{source: set}
	if j.reading.Filter != nil {
		// A filter that does not suit the capture is bad usage: found out before
		// anything is replayed.
		open.peek(1)
		if bad := new(filters.Error); errors.As(open.stop, &bad) {
			return nil, open.stop
		}
	}
	return open, nil
}

// locate finds where a capture was taken, unless that is given.
func (j *job) locate(owners *replay.Owners, open *openCapture, t *replay.Tap, c capture) error {
	var chassis *network.Chassis
	if c.chassis != "" {
		if chassis = j.net.ChassisByName(c.chassis); chassis == nil {
			return fmt.Errorf("no chassis %q in the database", c.chassis)
		}
	}
	switch {
	case c.kind == replay.AtHost || c.kind == replay.AtUnderlay && chassis != nil:
		if chassis == nil && len(j.net.Chassis) == 1 {
			chassis = j.net.Chassis[0]
		}
		if chassis == nil {
			return errors.New("say on which chassis it was taken: FILE@any@CHASSIS")
		}
		t.Site = &replay.Site{Kind: c.kind, Chassis: chassis, Found: "given"}
		return nil
	case c.port != "":
		port, err := j.net.FindPort(c.port)
		if err != nil {
			return err
		}
		t.Site = &replay.Site{Kind: replay.AtPort, Port: port, Chassis: chassis, Found: "given"}
		if chassis == nil {
			t.Site.Chassis, err = replay.ChassisOf(j.net, port)
		}
		return err
	}
	return j.find(owners, open, t, chassis)
}

// nothing says why a capture without packets cannot be placed.
func (j *job) nothing() error {
	if j.reading.Filter != nil {
		return errors.New("--pcap-filter selects no packets to find the capture's logical port from; name it with -r FILE@PORT")
	}
	return errors.New("no packets to find the capture's logical port from; name it with -r FILE@PORT")
}

// find places a capture by its first packets; of a stream, by as few as will do.
func (j *job) find(owners *replay.Owners, open *openCapture, t *replay.Tap, chassis *network.Chassis) error {
	n := readAhead
	if open.live {
		n = 1
	} else if j.reading.Filter != nil && owners.Locate(t, j.firstRecords(t.Name), chassis) == nil && len(t.Sites()) > 0 {
		return nil
	}
	for {
		open.peek(n)
		if len(open.ahead) == 0 {
			return j.nothing()
		}
		err := owners.Locate(t, open.ahead, chassis)
		if err == nil || n >= readAhead || open.stop != nil {
			return err
		}
		n++
	}
}
