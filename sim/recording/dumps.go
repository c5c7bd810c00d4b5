package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/openflow"
	"ovnreplay/sim/replay"
)

// readZones reads the output of "ovn-appctl ct-zone-list": a name and a number a line.
func readZones(name string, files Files) (map[string]uint16, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zones := map[string]uint16{}
	sc := bufio.NewScanner(f)
	n := 1
	for ; sc.Scan(); n++ {
		words := strings.Fields(sc.Text())
		if len(words) == 0 {
			continue
		}
		zone, err := strconv.ParseUint(words[len(words)-1], 10, 16)
		if err != nil || len(words) < 2 {
			return nil, fmt.Errorf("%s: line %d: want a zone's name and number, as ovn-appctl ct-zone-list prints",
				name, n)
		}
		zones[strings.Join(words[:len(words)-1], " ")] = uint16(zone)
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s: line %d is too long: want names and numbers of zones, as ovn-appctl ct-zone-list "+
			"prints", name, n)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return zones, nil
}

// addZones reads the zone numbers of the spec's files.
func (r *Recording) addZones() error {
	s := r.spec
	for _, arg := range s.ZoneFiles {
		file, name, _ := pcap.CutFile(arg)
		if name == "" {
			c := r.zonesOf()
			if c == nil {
				return fmt.Errorf("%s: the database has %d chassis; say whose zones these are: %s@CHASSIS", file,
					len(r.Net.Chassis), file)
			}
			name = c.Name
		}
		c := r.Net.ChassisByName(name)
		if c == nil {
			return fmt.Errorf("%s: %w", file, r.Net.NoChassis(name))
		}
		zones, err := readZones(file, r.files)
		if err != nil {
			return err
		}
		if s.Zones == nil {
			s.Zones = map[string]map[string]uint16{}
		}
		s.Zones[c.Name] = zones
	}
	return nil
}

// zonesOf is the chassis that zones without one belong to: the only one that is
// not another database's (is-remote), or the one where all captures are said to be
// from. nil: there is none such.
func (r *Recording) zonesOf() (only *network.Chassis) {
	remote := func(c *network.Chassis) bool { return c.Remote() }
	if own := slices.DeleteFunc(slices.Clone(r.Net.Chassis), remote); len(own) == 1 {
		return own[0]
	}
	for _, c := range r.spec.Captures {
		at := r.Net.ChassisByName(c.Chassis)
		if port, err := r.Net.FindPort(c.Port); err == nil && at == nil {
			at, _ = replay.ChassisOf(r.Net, port)
		}
		if at == nil || only != nil && only != at {
			return nil
		}
		only = at
	}
	return only
}

// order returns what tells which of two logical flows that both match a switch uses:
// what the dump of its flows shows, of flows that lived until it was taken.
func (r *Recording) order() (sim.Tie, error) {
	if len(r.spec.OpenFlow) == 0 {
		return nil, nil
	}
	orders := map[*network.Chassis]*openflow.Order{} // nil: of a switch that is not said
	for _, arg := range r.spec.OpenFlow {
		name, on, _ := pcap.CutFile(arg)
		c := r.Net.ChassisByName(on)
		if orders[c] == nil {
			orders[c] = &openflow.Order{}
		}
		part, err := r.addOrder(orders[c], name)
		switch {
		case err != nil:
			return nil, err
		case part != "":
			r.tell("%s is a part of a switch's flows (%s): it does not tell which of two logical flows a switch has",
				name, part)
			return nil, nil
		}
	}
	// A switch keeps the flow that it has until that goes: of two of which one has
	// gone since, the dump tells nothing.
	last := make(map[string]bool, len(r.Net.Flows))
	for _, f := range r.Net.Flows {
		last[f.UUID] = true
	}
	return func(on *network.Chassis, a, b *network.Flow) int {
		if !last[a.UUID] || !last[b.UUID] {
			return 0
		}
		for _, c := range []*network.Chassis{r.Net.ChassisByName(on.Name), nil} {
			if o := orders[c]; o != nil {
				return o.Compare(a.UUID, b.UUID)
			}
		}
		return 0
	}, nil
}

func (r *Recording) addOrder(o *openflow.Order, name string) (part string, err error) {
	f, err := r.files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return o.Add(f, name)
}

// EachDumped calls each with every connection of a dump in a file; - is standard input.
func (f Files) EachDumped(name string, each func(*conntrack.Entry) error) error {
	r, called := f.Stdin, "standard input"
	if name != "-" {
		file, err := f.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		r, called = file, name
	}
	d := conntrack.NewDump(r, called)
	var e conntrack.Entry
	for {
		switch err := d.Next(&e); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := each(&e); err != nil {
			return err
		}
	}
}

// ReadDump reads a dump of connections from a file; - is standard input.
func (f Files) ReadDump(name string) (all []conntrack.Entry, err error) {
	err = f.EachDumped(name, func(e *conntrack.Entry) error {
		all = append(all, *e)
		return nil
	})
	return all, err
}

// ReadProfile reads whose connection tracking is meant: one of the two by name,
// Open vSwitch's own with its release, or a file of settings.
func (f Files) ReadProfile(name string) (conntrack.Options, error) {
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
	file, err := f.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return conntrack.Options{}, fmt.Errorf("--ct-profile %s: no such profile or file; use linux, ovs-userspace, "+
			"or a file of settings", name)
	}
	if err != nil {
		return conntrack.Options{}, err
	}
	defer file.Close()
	return conntrack.ReadProfile(file, name)
}

// ReadDump reads the dump that FILE or FILE@CHASSIS names, and finds the chassis.
func (r *Recording) ReadDump(arg string) ([]conntrack.Entry, *network.Chassis, error) {
	file, chassis, err := r.dumpOf(arg)
	if err != nil {
		return nil, nil, err
	}
	es, err := r.files.ReadDump(file)
	return es, chassis, err
}

// dumpOf finds the file and the chassis of FILE or FILE@CHASSIS.
func (r *Recording) dumpOf(arg string) (file string, chassis *network.Chassis, err error) {
	file, name, _ := pcap.CutFile(arg)
	chassis = r.onlyChassis()
	if name != "" {
		chassis = r.Net.ChassisByName(name)
	}
	switch {
	case chassis == nil && name == "":
		return "", nil, fmt.Errorf("%s: the captures come from several chassis; say whose table this is: %s@CHASSIS",
			file, file)
	case chassis == nil:
		return "", nil, fmt.Errorf("%s: %w", file, r.Net.NoChassis(name))
	}
	return file, chassis, nil
}

// onlyChassis is the chassis all captures were taken on, nil if there are several.
func (r *Recording) onlyChassis() (only *network.Chassis) {
	for _, t := range r.Taps {
		for _, s := range t.Sites() {
			if only != nil && only != s.Chassis {
				return nil
			}
			only = s.Chassis
		}
	}
	if only == nil && len(r.Net.Chassis) == 1 {
		return r.Net.Chassis[0]
	}
	return only
}

// importDump starts a chassis' table from a dump. A dump may have a million connections: none is kept but in the
// table, from which they are taken back if their zones turn out to be others.
func (r *Recording) importDump(arg string) error {
	file, chassis, err := r.dumpOf(arg)
	if err != nil {
		return err
	}
	z := foreignZones{r: r, chassis: chassis, known: len(r.spec.Zones[chassis.Name]) > 0}
	in := r.Engine.Conntrack(chassis).Importing(r.start())
	var wrong error // of the first that cannot be imported
	err = r.files.EachDumped(file, func(e *conntrack.Entry) error {
		z.note(e)
		if wrong == nil {
			wrong = in.Add(e)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case z.most():
		in.Undo()
		z.tell(arg)
		return nil
	case wrong != nil:
		return fmt.Errorf("%s: %w", arg, wrong)
	case !z.known && z.zoned:
		r.numbered = append(r.numbered, arg)
	}
	return nil
}

// tellUnnumbered says of which dumps the zones' numbers are not known.
func (r *Recording) tellUnnumbered() {
	if len(r.numbered) > 0 {
		r.tell("warning: --ct-import %s: which zones the numbers there are is not known, and connections may be put "+
			"in the wrong ones: give --ct-zones FILE[@CHASSIS], as ovn-appctl ct-zone-list prints, of each chassis",
			strings.Join(r.numbered, ", "))
	}
}

// foreignZones are the connections of a dump that are in zones which the chassis has no more: zones
// get other numbers when ovn-controller is started anew.
type foreignZones struct {
	r       *Recording
	chassis *network.Chassis
	known   bool // which zones its numbers are
	zoned   bool // one is in a zone
	all, n  int  // connections, and those in foreign zones
	zones   map[int]bool
}

// note counts a connection.
func (z *foreignZones) note(e *conntrack.Entry) {
	z.all++
	z.zoned = z.zoned || e.Zone != 0
	if !z.known {
		return
	}
	name := z.r.Engine.ZoneName(int32(z.chassis.Index), e.Zone)
	if name != "" && mayBeOf(z.r.Net.Port(name), e) {
		return
	}
	z.n++
	if z.zones == nil {
		z.zones = map[int]bool{}
	}
	z.zones[int(e.Zone)] = true
}

// most reports whether they are most: the others are in the wrong zones then. Zones that OVN did not make
// are in any dump.
func (z *foreignZones) most() bool { return 2*z.n > z.all }

// tell says that nothing is imported, and why.
func (z *foreignZones) tell(arg string) {
	list := fmt.Sprint(slices.Sorted(maps.Keys(z.zones))[:min(len(z.zones), 4)])
	what := fmt.Sprintf("%d of %d connections are in zones (%s) that ct-zone-list does not name, or names after ports "+
		"that do not have their addresses: the dump and the zone list are of different runs of ovn-controller; "+
		"nothing is imported",
		z.n, z.all, strings.Trim(list, "[]"))
	z.r.tell("%s: %s", arg, what)
	z.r.Causes = append(z.r.Causes, replay.Group{Cause: replay.CauseZones, Packets: z.n,
		Evidence: []string{arg + ": " + what},
		Advice: "dump connections and ct-zone-list at one time: ovs-appctl dpctl/dump-conntrack, ovn-appctl " +
			"ct-zone-list"})
}

// mayBeOf reports whether a connection can be in the zone of an interface: one of
// its ends is there.
func mayBeOf(p *network.Port, e *conntrack.Entry) bool {
	if p == nil || p.Type != network.VIF || p.Unknown || len(p.Addresses) == 0 {
		return true
	}
	for _, t := range [...]*nat.Tuple{&e.Orig, &e.Reply} {
		for _, a := range [...][16]byte{t.Src, t.Dst} {
			addr := netip.AddrFrom16(a)
			if !t.V6 {
				addr = netip.AddrFrom4([4]byte(a[:4]))
			}
			if addr.IsLinkLocalUnicast() || p.Has(addr) {
				return true
			}
		}
	}
	return false
}

// start is when the captures begin: the moment a dump taken before them is put at.
func (r *Recording) start() conntrack.Time {
	var first int64
	for _, c := range r.captures {
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

// ReadTable fills a table from dumps.
func (f Files) ReadTable(profile string, dumps []string) (*conntrack.Table, error) {
	p, err := f.ReadProfile(profile)
	if err != nil {
		return nil, err
	}
	table := conntrack.NewTable(p)
	for _, file := range dumps {
		in := table.Importing(0)
		if err := f.EachDumped(file, func(e *conntrack.Entry) error {
			if err := in.Add(e); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// Compare holds the chassis' tables against dumps, each FILE or FILE@CHASSIS. Nothing
// says when a dump was taken, only that it was after the last packet: what must have
// ended since then is no difference, and the tables are held against it as they are
// then and, where that does not do, as they are when goOn has made the network what it
// is at the database's end.
func (r *Recording) Compare(dumps []string, goOn func()) ([]conntrack.Difference, error) {
	tables := make([]dumped, len(dumps))
	for i, arg := range dumps {
		var err error
		if tables[i].entries, tables[i].chassis, err = r.ReadDump(arg); err != nil {
			return nil, err
		}
	}
	then := r.compare(tables)
	if len(then) == 0 {
		return then, nil
	}
	goOn()
	if last := r.compare(tables); len(last) < len(then) {
		return last, nil
	}
	return then, nil
}

// dumped is what a dump says of a chassis' table.
type dumped struct {
	entries []conntrack.Entry
	chassis *network.Chassis
}

func (r *Recording) compare(tables []dumped) (all []conntrack.Difference) {
	for _, t := range tables {
		ours := r.Engine.Conntrack(t.chassis).Entries(r.Engine.Now())
		ds, _ := conntrack.Ended(conntrack.Compare(ours, t.entries), ours)
		all = append(all, ds...)
	}
	return all
}
