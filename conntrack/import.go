package conntrack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Import puts the connections of a dump into the table, as live at now. A
// dump does not show TCP windows: those of imported connections are learned
// from the first packets, and until then nothing is out of window. Where it
// shows no timeout the state's own begins anew.
//
// An entry that shares a tuple with a live connection of its zone, or whose
// state has an unknown name, is an error; those before it stay imported.
func (t *Table) Import(now Time, entries []Entry) error {
	in := t.Importing(now)
	for i := range entries {
		if err := in.Add(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// Importer is Import, connection by connection: none is kept but in the table.
type Importer struct {
	t     *Table
	n     int    // connections, so far
	since uint64 // what the table had created before
}

// Importing begins an import of what lives at now.
func (t *Table) Importing(now Time) *Importer {
	t.tick(now)
	return &Importer{t: t, since: t.seq}
}

// Add imports a connection.
func (in *Importer) Add(e *Entry) error {
	in.n++
	if err := in.t.importEntry(e); err != nil {
		return fmt.Errorf("entry %d (zone %d, %s): %w", in.n, e.Zone, &e.Orig, err)
	}
	return nil
}

// Undo takes back what was imported.
func (in *Importer) Undo() {
	t := in.t
	t.flush(t.now, func(c *conn) bool { return c.seq > in.since })
	if t.seq = in.since; t.nodes == 0 { // places and memory, too
		t.pool = pool{}
		t.resize(minBuckets)
	}
}

var errTaken = errors.New("another connection has its tuple")

func (t *Table) importEntry(e *Entry) error {
	t.zone = e.Zone
	if t.Taken(e.Orig) || t.Taken(e.Reply) {
		return errTaken
	}
	idx := t.pool.alloc()
	c := t.pool.at(idx)
	c.zone, c.mark, c.label, c.created = e.Zone, e.Mark, e.Label, t.now
	c.tuple = [2]nat.Tuple{e.Orig, e.Reply}
	wait, err := t.importState(e, c)
	if err != nil {
		t.pool.free(idx)
		return err
	}
	if e.Timeout >= 0 {
		wait = e.Timeout
	}
	c.expires = t.now + max(wait, 1)
	t.importNAT(e, c)
	if h := slices.Index(helperNames[:], e.Helper); h > 0 {
		c.helper = Helper(h)
	}
	t.insert(idx)
	if e.Parent != (nat.Tuple{}) {
		c.status |= expected
		t.adopt(idx, e.Parent)
	}
	return nil
}

// importNAT works out from the tuples what was translated.
func (t *Table) importNAT(e *Entry, c *conn) {
	plain := e.Orig.Reverse()
	src := plain.Dst != e.Reply.Dst || plain.DstPort != e.Reply.DstPort
	dst := plain.Src != e.Reply.Src || plain.SrcPort != e.Reply.SrcPort
	switch {
	case dst && plain.Src == e.Reply.Src && plain.Dst != e.Reply.Dst:
		c.natSide = nat.Source
	case dst:
		c.natSide = nat.Destination
	case src:
		c.natSide = nat.Source
	}
	if t.opt.Profile == OVSUserspace {
		return
	}
	c.status |= srcNATDone | dstNATDone
	if src {
		c.status |= srcNAT
	}
	if dst {
		c.status |= dstNAT
	}
}

// importState sets a connection's protocol state and returns its timeout.
func (t *Table) importState(e *Entry, c *conn) (Time, error) {
	if t.opt.Profile == OVSUserspace {
		return t.importUserspace(e, c)
	}
	for i, s := range [...]status{0, seenReply, assured} {
		if e.Status&(1<<i) != 0 {
			c.status |= s
		}
	}
	if e.Status == 0 && e.seenReply() || e.Status == 0 && e.State == "" {
		c.status |= seenReply // a userspace dump does not tell; most have
	}
	if e.Status == 0 && e.assured() {
		c.status |= assured
	}
	switch e.Orig.Proto {
	case header.ProtoTCP:
		return t.importLinuxTCP(e, c)
	case header.ProtoSCTP:
		return t.importLinuxSCTP(e, c)
	}
	return t.timeout[t.idleTimeout(c)], nil
}

// idleTimeout is the timeout of a connection without states.
func (t *Table) idleTimeout(c *conn) Timeout {
	switch {
	case c.tuple[0].ICMP():
		return ICMPFirst
	case c.tuple[0].Proto == header.ProtoUDP && c.status&assured != 0:
		return UDPMultiple
	case c.tuple[0].Proto == header.ProtoUDP:
		return UDPFirst
	case c.tuple[0].Proto == header.ProtoGRE && c.status&assured != 0:
		return GREStream
	case c.tuple[0].Proto == header.ProtoGRE:
		return GRESingle
	}
	return Generic
}

func (t *Table) importLinuxTCP(e *Entry, c *conn) (Time, error) {
	s := slices.Index(tcpNames[:], shownKernelState(e))
	if s < 0 {
		return 0, fmt.Errorf("unknown TCP state %q", e.State)
	}
	c.state = uint8(s)
	c.last.index = segNone
	for i := range c.peer {
		c.peer[i].scale = e.Scale[i]
		c.peer[i].flags = uint8(e.TCPFlags[i])&^(peerMaxAck|peerUnacked) | peerLiberal | peerSack
	}
	if s == int(tcpNone) {
		return t.timeout[TCPSynSent], nil
	}
	return t.timeout[tcpTimeouts[s]], nil
}

func (t *Table) importLinuxSCTP(e *Entry, c *conn) (Time, error) {
	s := slices.Index(sctpNames[:], e.State)
	if s < 0 && e.State != "" {
		return 0, fmt.Errorf("unknown SCTP state %q", e.State)
	}
	c.state = uint8(max(s, 0))
	c.peer[0].maxAck, c.peer[1].maxAck = e.VTag[0], e.VTag[1]
	return t.timeout[sctpTimeouts[c.state]], nil
}

func (t *Table) importUserspace(e *Entry, c *conn) (Time, error) {
	switch {
	case e.Orig.Proto == header.ProtoTCP:
		ends := e.PeerState
		if ends[0] == "" {
			s := dpctlEnd(e.State)
			ends = [2]string{s, s}
			if s == "SYN_SENT" {
				ends[1] = "CLOSED" // nobody has answered
			}
		}
		for i, name := range ends {
			s := slices.Index(endNames[:], name)
			if s < 0 {
				return 0, fmt.Errorf("unknown TCP state %q", name)
			}
			c.peer[i].flags = uint8(s)
			c.peer[i].maxWin = math.MaxUint16 // until it says: what it had offered is in no dump
			c.peer[i].scale = scaleUnknown | scaleResume
			if e.TCPFlags[i]&TCPWindowScale != 0 {
				c.peer[i].scale = scaleKnown | scaleResume | e.Scale[i]
			}
		}
		return t.timeout[userTimeout(c.peer[0].flags, c.peer[1].flags)], nil
	case e.Orig.ICMP():
		c.state = userAnswered
		return t.timeout[ICMPReply], nil
	}
	c.state = userAnswered
	if e.Status != 0 && e.Status&StatusSeenReply == 0 {
		c.state = userMultiple
	}
	return t.timeout[UDPMultiple], nil
}

// Zones maps the names of zones to their numbers on one chassis.
type Zones map[string]uint16

// ReadZones reads the zones of a chassis: lines "NAME NUMBER" as ovn-appctl
// ct-zone-list prints them, or ct-zone-NAME="NUMBER" from br-int's
// external_ids, one or many to a line. name is for messages.
func ReadZones(r io.Reader, name string) (Zones, error) {
	z := Zones{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" {
			continue
		}
		if err := z.line(line); err != nil {
			return nil, &DumpError{name, n, 1, err.Error()}
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return z, nil
}

func (z Zones) line(line string) error {
	if !strings.Contains(line, "ct-zone-") {
		at := strings.LastIndexAny(line, " \t")
		if at < 0 {
			return fmt.Errorf("%q is not NAME NUMBER", line)
		}
		return z.add(strings.TrimSpace(line[:at]), line[at+1:])
	}
	line = strings.NewReplacer("{", "", "}", "", `"`, "").Replace(line)
	line = strings.TrimSpace(strings.TrimPrefix(line[strings.Index(line, ":")+1:], ":"))
	for _, item := range strings.Split(line, ",") {
		item = strings.TrimSpace(item)
		key, value, ok := strings.Cut(item, "=")
		if name, is := strings.CutPrefix(key, "ct-zone-"); ok && is {
			if err := z.add(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (z Zones) add(name, number string) error {
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a zone number", number)
	}
	if old, ok := z[name]; ok && old != uint16(n) {
		return fmt.Errorf("zone %s has two numbers: %d and %d", name, old, n)
	}
	z[name] = uint16(n)
	return nil
}

// Rezone moves entries from a chassis' zone numbers to others, by name. It
// returns the numbers no name was known for, whose entries keep them.
func (z Zones) Rezone(entries []Entry, to func(name string) (uint16, bool)) (unknown []uint16) {
	names := map[uint16]string{}
	for name, n := range z {
		if old, ok := names[n]; !ok || name < old {
			names[n] = name
		}
	}
	told := map[uint16]bool{}
	for i := range entries {
		e := &entries[i]
		n, ok := to(names[e.Zone])
		switch {
		case ok && names[e.Zone] != "":
			e.Zone = n
		case !told[e.Zone]:
			told[e.Zone] = true
			unknown = append(unknown, e.Zone)
		}
	}
	return unknown
}
