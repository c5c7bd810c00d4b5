// Package ledger keeps account of connections as people mean them: one row for
// what crosses several zones and chassis and is translated on the way, in both
// directions.
//
// A Ledger is a replay.Handler. Connections are numbered from 1 in the order in
// which they were first seen. What is kept grows with the number of
// connections, not of packets. It changes nothing about a replay.
package ledger

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Ledger is the connections of a replay.
type Ledger struct {
	Conns []*Conn // by number, from 1

	why     *why.Explainer
	names   *Names
	taps    []*replay.Tap
	numbers Numbers

	groups map[string]*why.Group // of ECMP routes and policies, by what the ledger calls them
}

// Conn is one connection.
type Conn struct {
	ID          int
	Asked       nat.Tuple // as its first packet entered: client and what it asked for
	Sent        nat.Tuple // as that packet left: source and who got it; zero: it did not
	From, To    Point
	First, Last conntrack.Time
	Dir         [2]Count // original direction, replies
	Zones       []Zone   // in the order in which they were met
	NAT         []NAT    // on the way there
	States      []State
	Drops       []Drop
	Instead     []Drop   // packets that OVN answered itself, held for their next hop, …: see instead
	Members     []Member // chosen of load balancers and ECMP routes

	// Who had the addresses when the connection had them: what is asked about was
	// then, and the network may have become another.
	client, asked, source, server string
	partial                       []partial
	stale                         string // the translation it uses that the network no longer has
	ends                          ends
	marked                        []string // what a Marker said of it last

	kept [2]int // packets whose ways are kept: see Stories
	home bool   // an answer left where it was asked from
}

// Point is the port of a chassis where a connection's packets enter or leave, by its names.
type Point struct {
	Port    string
	Chassis string

	called, host string // the same in the words of people
}

// pointOf is where a packet enters.
func pointOf(p *replay.Point) Point {
	return Point{p.Name(), p.Chassis.Name, p.Called(), p.Chassis.Host()}
}

// Count is one direction's packets; Bytes are of whole frames.
type Count struct {
	Packets, Bytes, Retransmissions int

	at   Point  // where its packets enter
	next uint32 // sequence number behind all seen
	seen bool
}

// Zone is a connection tracking zone that keeps it.
type Zone struct {
	Chassis     string
	Zone        uint16
	Name        string
	Orig, Reply nat.Tuple
	State       string // ct_state of the last look-up

	called, host string // zone and chassis in the words of people
}

// NAT is a translation of the first packet, with who asked for it.
type NAT struct {
	Kind, From, To string
	By             string
}

// State is a moment from which on a connection is in a state.
type State struct {
	Time  conntrack.Time
	State string
}

// partial is fragments of a datagram that wait for the rest of it.
type partial struct {
	of *datagram
	Drop
}

// Drop is packets of it that were dropped for one reason, or of which something else
// became than that they left.
type Drop struct {
	Packets int
	Stage   string // where they ended
	Reason  string
	What    string // became of them, in a few words; "": they were dropped
	Decided string // the stage of the flow that decided so, which may be one before
}

// New returns an empty ledger of a replay that x explains.
func New(x *why.Explainer, taps []*replay.Tap) *Ledger {
	names := NewNames(x.Book.Net, x.Floating)
	names.kept = x.Names
	return &Ledger{why: x, names: names, taps: taps, groups: map[string]*why.Group{}}
}

// Names are those of addresses.
func (l *Ledger) Names() *Names { return l.names }

// Observed implements replay.Handler.
func (l *Ledger) Observed(*replay.Frame, *replay.Point) {}

// Skipped implements replay.Handler.
func (l *Ledger) Skipped(*replay.Frame, *replay.Point, string) {}

// Entered implements replay.Handler.
func (l *Ledger) Entered(f *replay.Frame, p *replay.Point, out *sim.Outcome) { l.Note(f, p, out) }

// Note enters a packet and returns its connection, nil if it has none: it is
// no IP packet, or no first one of its datagram.
func (l *Ledger) Note(f *replay.Frame, p *replay.Point, out *sim.Outcome) *Conn {
	c, _ := l.note(f, p, out)
	return c
}

// note is Note, and what the packet is to its connection.
func (l *Ledger) note(f *replay.Frame, p *replay.Point, out *sim.Outcome) (c *Conn, x note) {
	x, ok := l.numbers.note(f, p, out)
	if !ok {
		return nil, x
	}
	l.names.net, l.names.now = l.why.Book.Net, f.Time
	if x.opened {
		l.open(f, p, &x)
	}
	c = l.Conns[x.id-1]
	at := pointOf(p)
	d := &c.Dir[b2i(x.reply)]
	if d.at == (Point{}) {
		d.at = at
	}
	if !out.Late && d.at == at { // else it is the same packet, come over a wire between chassis
		d.count(c, f, x.about)
	}
	c.Last = max(c.Last, f.Time)
	l.follow(c, &x, out)
	c.ends.note(l.why, l.names, [2]netip.Addr{c.Asked.SrcAddr(), c.serverAddr()}, out, f.Time)
	if !x.about {
		c.move(f, &x)
		c.answer(f, out, &x)
	}
	return c, x
}

// open begins a connection.
func (l *Ledger) open(f *replay.Frame, p *replay.Point, x *note) *Conn {
	t := x.tuple
	c := &Conn{ID: len(l.Conns) + 1, Asked: t, First: f.Time, Last: f.Time}
	if at := pointOf(p); x.reply {
		c.To = at
	} else {
		c.From = at
	}
	c.client, c.asked = l.names.Endpoint(&t, false), l.names.Endpoint(&t, true)
	l.Conns = append(l.Conns, c)
	return c
}

// follow notes what became of a packet.
func (l *Ledger) follow(c *Conn, x *note, out *sim.Outcome) {
	t := &out.Trace
	for i := range t.CT {
		l.zone(c, &t.CT[i])
	}
	if x.of != nil && out.Drop != trace.DropFragment { // with this fragment the datagram is complete
		c.partial = slices.DeleteFunc(c.partial, func(p partial) bool { return p.of == x.of })
	}
	decided := l.why.Decide(out)
	if x.way {
		l.translated(c, out, decided)
	}
	if o := x.left; o != nil {
		c.Sent, c.To = x.as, Point{o.Port.Name, o.Chassis.Name, o.Port.Called(), o.Chassis.Host()}
		c.source, c.server = l.names.Address(x.as.SrcAddr()), l.names.Address(x.as.DstAddr())
	}
	l.members(c, x, out)
	if !x.reply && !out.Late && opensAnew(out) {
		c.stale, c.marked = "", nil
	}
	if len(t.Texts) > 0 {
		if now := marks(t); now != nil {
			c.marked = now
		}
	}
	for _, d := range decided {
		switch d.Kind {
		case why.Dropped:
			c.Drops = noted(c.Drops, &d, "")
		case why.Held:
			if d.Reason == trace.DropFragment && x.of != nil {
				c.wait(x.of, &d)
			} else {
				c.Instead = noted(c.Instead, &d, what(&d, out))
			}
		case why.Answered, why.Taken, why.Unknown, why.Untranslated:
			c.Instead = noted(c.Instead, &d, what(&d, out))
		}
		if d.Stale != "" {
			c.stale = d.Stale
		}
	}
}

// maxPartial bounds the datagrams of a connection of which fragments wait.
const maxPartial = 64

// wait notes a fragment that waits for the rest of its datagram.
func (c *Conn) wait(of *datagram, d *why.Decision) {
	if len(c.partial) >= maxPartial {
		c.Instead = noted(c.Instead, d, "held")
		return
	}
	c.partial = append(c.partial, partial{of, dropOf(d, "held")})
}

// instead are the connection's packets that OVN answered itself, or that are held.
func (c *Conn) instead() []Drop {
	list := slices.Clone(c.Instead)
	for i := range c.partial {
		list = counted(list, &c.partial[i].Drop)
	}
	return list
}

// what became of a packet that did not leave and was not dropped.
func what(d *why.Decision, out *sim.Outcome) string {
	switch d.Kind {
	case why.Held:
		return "held"
	case why.Taken:
		return "taken by ovn-controller"
	case why.Unknown:
		return "not known what became of"
	case why.Untranslated:
		return "not translated back"
	}
	if o := answerOf(out); o != nil {
		if text := o.Headers().Message(o.Data); text != "" {
			return "answered by OVN with " + text
		}
	}
	return "answered by OVN"
}

// marks are what a Marker said of a packet.
func marks(t *trace.Trace) (texts []string) {
	for _, ev := range t.Events() {
		if ev.Kind == trace.Gone {
			texts = append(texts, t.Texts[ev.Arg])
		}
	}
	return texts
}

// noted counts a packet among those that fared alike.
func noted(list []Drop, d *why.Decision, what string) []Drop {
	x := dropOf(d, what)
	return counted(list, &x)
}

// dropOf is one packet of which something became.
func dropOf(d *why.Decision, what string) Drop {
	return Drop{1, cmp.Or(d.At, d.Stage), d.Sentence(), what, d.Stage}
}

// counted adds packets to those that fared alike.
func counted(list []Drop, x *Drop) []Drop {
	for i := range list {
		if y := list[i]; y == (Drop{y.Packets, x.Stage, x.Reason, x.What, x.Decided}) {
			list[i].Packets += x.Packets
			return list
		}
	}
	const most = 8
	if len(list) < most {
		list = append(list, *x)
	}
	return list
}

// translated notes the translations of a connection's first packets.
func (l *Ledger) translated(c *Conn, out *sim.Outcome, decided []why.Decision) {
	n := 0
	for _, d := range decided {
		if made(&out.Trace, d.Event) {
			break // what OVN made in its place is translated
		}
		var x NAT
		switch d.Kind {
		case why.Translated:
			s := &out.Trace.NAT[n]
			n++
			x.Kind = s.Name()
			x.From, x.To = s.Ends()
		case why.Rewritten:
			x.Kind = d.Rewrite.Name()
			x.From, x.To = d.Rewrite.Ends()
		default:
			continue
		}
		if d.Object != nil {
			x.By = d.Object.String()
		}
		if !slices.Contains(c.NAT, x) {
			c.NAT = append(c.NAT, x)
		}
	}
}

// made reports whether OVN has made something of a packet before an event.
func made(t *trace.Trace, event int) bool {
	for _, ev := range t.Events()[:event] {
		if ev.Kind == trace.Made && ev.Reason != trace.MadeARP && ev.Reason != trace.MadeNDNS {
			return true
		}
	}
	return false
}

// zone notes a look-up.
func (l *Ledger) zone(c *Conn, s *trace.CTStep) {
	at := l.why.Book.Net.Chassis[s.Chassis]
	if !s.Connected {
		return
	}
	chassis := at.Name
	i := slices.IndexFunc(c.Zones, func(z Zone) bool { return z.Chassis == chassis && z.Zone == s.Zone })
	if i < 0 {
		i = len(c.Zones)
		name := l.why.Book.Zone(s.Chassis, s.Zone)
		c.Zones = append(c.Zones, Zone{Chassis: chassis, Zone: s.Zone, Name: name,
			called: l.why.Book.ZoneCalled(name), host: at.Host()})
	}
	z := &c.Zones[i]
	z.Orig, z.Reply, z.State = s.Orig, s.Reply, trace.StateString(s.State)
}

// count adds a packet to a direction of a connection.
func (d *Count) count(c *Conn, f *replay.Frame, about bool) {
	d.Packets++
	d.Bytes += f.Wire
	if c.Asked.Proto != header.ProtoTCP || about {
		return
	}
	seq, end, ok := segment(f)
	if !ok || end == seq {
		return
	}
	if d.seen && int32(end-d.next) <= 0 {
		d.Retransmissions++
		return
	}
	d.next, d.seen = end, true
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Text names a connection in a sentence: "conn 3 tcp 10.0.0.1:1 > 10.0.0.2:2".
func (c *Conn) Text() string { return fmt.Sprintf("conn %d %s", c.ID, trace.TupleString(&c.Asked)) }

// Sort puts connections in an order: id, first, last, packets, bytes,
// retransmissions or drops; the greatest first, but by id and time.
func Sort(list []*Conn, by string) error {
	num := map[string]func(*Conn) int{
		"packets":         func(c *Conn) int { return c.Dir[0].Packets + c.Dir[1].Packets },
		"bytes":           func(c *Conn) int { return c.Dir[0].Bytes + c.Dir[1].Bytes },
		"retransmissions": func(c *Conn) int { return c.Dir[0].Retransmissions + c.Dir[1].Retransmissions },
		"drops":           (*Conn).Dropped,
	}
	switch by {
	case "", "id", "first":
		return nil
	case "last":
		slices.SortStableFunc(list, func(a, b *Conn) int { return cmp.Compare(a.Last, b.Last) })
		return nil
	}
	of := num[by]
	if of == nil {
		return fmt.Errorf("--sort %s: sort by id, first, last, packets, bytes, retransmissions or drops", by)
	}
	slices.SortStableFunc(list, func(a, b *Conn) int { return cmp.Compare(of(b), of(a)) })
	return nil
}

// Dropped is how many packets of it were dropped.
func (c *Conn) Dropped() (n int) {
	for _, d := range c.Drops {
		n += d.Packets
	}
	return n
}

func tcpFlags(f *replay.Frame) uint8 {
	l4 := f.Headers().Layout.L4
	if l4 == 0 || l4+14 > len(f.Data) {
		return 0
	}
	return f.Data[l4+13]
}
