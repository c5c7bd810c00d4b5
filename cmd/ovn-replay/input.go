package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/replay"
	"ovnreplay/store"
)

// input is what the commands that replay take: a network and captures.
type input struct {
	stdin    io.Reader
	stderr   io.Writer
	db       string
	captures []string // -r: FILE, FILE@PORT or FILE@PORT@CHASSIS
	caseDir  string
	profile  string
	quiet    bool
}

func (in *input) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&in.db, "db", "", "Southbound database: a file")
	f.StringArrayVarP(&in.captures, "read", "r", nil, "capture `FILE[@PORT[@CHASSIS]]`, - is standard input (repeatable)")
	f.StringVar(&in.caseDir, "case", "", "`DIR` of a recorded case: all inputs at once")
	f.StringVar(&in.profile, "ct-profile", "", "connection tracking of: linux or ovs-userspace (default linux)")
	f.BoolVarP(&in.quiet, "quiet", "q", false, "print less")
	cmd.MarkFlagsMutuallyExclusive("db", "case")
	cmd.MarkFlagsMutuallyExclusive("read", "case")
}

// capture is one capture with the place it was taken at.
type capture struct {
	file    string
	port    string // "" is found from the packets
	chassis string // "" is where the port is
}

// job is everything a replay needs, opened.
type job struct {
	net      *network.Network
	engine   *sim.Engine
	captures []*openCapture
	points   []*replay.Point
	names    []string // of the captures, as the user gave them
	warnings []error  // damage after which the rest is still used
}

// openCapture is a capture being read; the first records were read ahead to
// find where it was taken.
type openCapture struct {
	*pcap.Reader
	ahead []pcap.Record
	stop  error // what followed the records read ahead, if it was not a record
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
	return c.Reader.Next(rec)
}

// open reads the database and opens the captures.
func (in *input) open(ctx context.Context) (*job, error) {
	spec, err := in.spec()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, spec.db, store.Options{})
	if err != nil {
		return nil, err
	}
	j := &job{warnings: db.Warnings}
	if j.net, err = network.Load(db); err != nil {
		return nil, err
	}
	if err := j.load(in, spec); err != nil {
		return nil, err
	}
	return j, nil
}

// spec is what to replay, from flags or from a case.
type spec struct {
	db       string
	captures []capture
	profile  string
	zones    map[string]map[string]uint16
}

func (in *input) spec() (*spec, error) {
	if in.caseDir != "" {
		s, err := readCase(in.caseDir)
		if err == nil && in.profile != "" {
			s.profile = in.profile
		}
		return s, err
	}
	switch {
	case in.db == "":
		return nil, errors.New("no network: name a Southbound database with --db FILE, or a recorded case with --case DIR")
	case len(in.captures) == 0:
		return nil, errors.New("no packets: name a capture with -r FILE@PORT")
	}
	s := &spec{db: in.db, profile: in.profile}
	for _, arg := range in.captures {
		found, err := parseCapture(arg)
		if err != nil {
			return nil, err
		}
		s.captures = append(s.captures, found...)
	}
	return s, nil
}

// parseCapture splits FILE[@PORT[@CHASSIS]]; FILE may be a pattern.
func parseCapture(arg string) ([]capture, error) {
	if _, err := os.Stat(arg); err == nil || arg == "-" {
		return []capture{{file: arg}}, nil
	}
	parts := strings.SplitN(arg, "@", 3)
	c := capture{file: parts[0]}
	if len(parts) > 1 {
		c.port = parts[1]
	}
	if len(parts) > 2 {
		c.chassis = parts[2]
	}
	if !strings.ContainsAny(c.file, "*?[") {
		return []capture{c}, nil
	}
	files, err := filepath.Glob(c.file)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no capture matches this pattern", c.file)
	}
	var out []capture
	for _, f := range files {
		out = append(out, capture{f, c.port, c.chassis})
	}
	return out, nil
}

// load builds the engine and opens the captures of a spec on j.net.
func (j *job) load(in *input, s *spec) error {
	profile, err := parseProfile(s.profile)
	if err != nil {
		return err
	}
	if j.engine, err = sim.New(j.net, sim.Options{Profile: profile, Zones: s.zones}); err != nil {
		return err
	}
	owners := replay.NewOwners(j.net)
	for i, c := range s.captures {
		if err := j.openCapture(in, owners, i, c); err != nil {
			j.close()
			return err
		}
	}
	return nil
}

func parseProfile(name string) (conntrack.Profile, error) {
	switch name {
	case "", "linux":
		return conntrack.Linux, nil
	case "ovs-userspace":
		return conntrack.OVSUserspace, nil
	}
	return 0, fmt.Errorf("--ct-profile %s: no such profile; use linux or ovs-userspace", name)
}

// readAhead is how many records are looked at to find a capture's port.
const readAhead = 200

func (j *job) openCapture(in *input, owners *replay.Owners, index int, c capture) error {
	var r *pcap.Reader
	var err error
	if c.file == "-" {
		r, err = pcap.NewReader(in.stdin, "standard input")
	} else {
		r, err = pcap.Open(c.file)
	}
	if err != nil {
		return err
	}
	open := &openCapture{Reader: r}
	j.captures = append(j.captures, open)
	j.names = append(j.names, c.file)
	port, found, err := j.findPort(owners, open, c)
	if err != nil {
		return err
	}
	p := &replay.Point{Port: port, Capture: index, Found: found}
	if p.Chassis, err = j.findChassis(port, c); err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	j.points = append(j.points, p)
	return nil
}

func (j *job) findPort(owners *replay.Owners, open *openCapture, c capture) (*network.Port, string, error) {
	if c.port != "" {
		port, err := j.net.FindPort(c.port)
		if err != nil {
			err = fmt.Errorf("%s: %w", c.file, err)
		}
		return port, "given", err
	}
	frames, err := open.peek(readAhead)
	if err != nil {
		return nil, "", err
	}
	if len(frames) == 0 {
		return nil, "", fmt.Errorf("%s: no packets to find the capture's logical port from; name it with -r %s@PORT", c.file, c.file)
	}
	port, err := owners.Find(frames)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", c.file, err)
	}
	return port, "packets' addresses", nil
}

func (j *job) findChassis(port *network.Port, c capture) (*network.Chassis, error) {
	if c.chassis == "" {
		return replay.ChassisOf(j.net, port)
	}
	chassis := j.net.ChassisByName(c.chassis)
	if chassis == nil {
		return nil, fmt.Errorf("no chassis %q in the database", c.chassis)
	}
	return chassis, nil
}

// peek reads up to n records ahead and returns their Ethernet frames.
func (c *openCapture) peek(n int) ([][]byte, error) {
	var frames [][]byte
	for len(c.ahead) < n {
		var rec pcap.Record
		if err := c.Reader.Next(&rec); err != nil {
			c.stop = err
			break
		}
		c.ahead = append(c.ahead, rec)
		if eth, _, _ := pcap.Frame(&rec); eth != nil {
			frames = append(frames, eth)
		}
	}
	return frames, nil
}

func (j *job) close() {
	for _, c := range j.captures {
		c.Close()
	}
}

// feed hands every frame of the captures to the session, in the order of their
// times. Damage to one capture ends that capture; the others go on, and the
// first damage is the error that is returned.
func (j *job) feed(ctx context.Context, s *replay.Session) error {
	sources := make([]pcap.Source, len(j.captures))
	for i, c := range j.captures {
		sources[i] = c
	}
	merge := pcap.NewMerge(sources...)
	var rec pcap.Record
	var damage error
	for ctx.Err() == nil {
		err := merge.Next(&rec)
		if err == io.EOF {
			break
		}
		var ce *pcap.CaptureError
		if errors.As(err, &ce) {
			damage = errors.Join(damage, ce.Err)
			continue
		}
		if err != nil {
			damage = errors.Join(damage, err)
			continue
		}
		eth, meta, err := pcap.Frame(&rec)
		if eth == nil {
			damage = errors.Join(damage, fmt.Errorf("%s: frame %d: link type %v has no Ethernet header (%v); capture on the port's own interface", rec.File, rec.Frame, rec.LinkType, linkProblem(&meta, err)))
			break
		}
		s.Add(replay.Frame{Capture: rec.Capture, Number: rec.Frame, Time: conntrack.Time(rec.Time), Data: eth, Wire: rec.OrigLen})
	}
	s.Flush()
	return damage
}

func linkProblem(m *pcap.LinkMeta, err error) string {
	if err != nil {
		return err.Error()
	}
	return "addresses unknown"
}
