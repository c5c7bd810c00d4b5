package replay

import (
	"fmt"
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// Kind is what a capture, or one interface of it, was taken on.
type Kind uint8

const (
	AtPort     Kind = iota + 1 // the interface of one logical port
	AtHost                     // every interface of a chassis: "any", or a mirror of br-int
	AtUnderlay                 // the tunnel network of a chassis
	InTunnel                   // its tunnel device, which shows frames without the tunnel's headers
)

// Site is where frames were captured.
type Site struct {
	Kind    Kind
	Port    *network.Port // AtPort
	Chassis *network.Chassis
	Found   string // how it was found: "given", "interface name", …
	Doubt   string // why it may be another, where that is not so unlikely
	tunnels bool   // AtUnderlay: all of its tunnels end at the chassis, and not at another as well
}

// Tap is one capture. Frames of an interface without a site of its own are
// from Site.
type Tap struct {
	Index int
	Name  string
	File  string // if that is another than the name
	Site  *Site
	// Chassis, if not nil, is where all of it was taken.
	Chassis *network.Chassis
	// Interfaces gives pcapng interfaces sites of their own, by
	// pcap.Interface.Index; nil: none of a known place.
	Interfaces map[int]*Site
	// Lost says which interfaces of it could not be placed, and why.
	Lost []string

	// Unplaced counts frames by why they were placed nowhere.
	Unplaced map[string]int
	placed   map[crossingPoint]*int
	counted  crossingPoint // what counts counts
	counts   *int

	// Frames counts all, Faults those whose link layer cannot be read; Fault
	// describes the first of them.
	Frames, Faults int
	Fault          string

	first   conntrack.Time // of its frames
	last    conntrack.Time
	twins   int // frames that were there just before
	firsts  int // those that were not
	seconds int // those that were once
	tags    int // frames that have their VLAN's tag
	points  map[pointKey]*Point
	at      *Point // of the last frame
	again   pcap.Sightings
	devices map[placeKey]struct{}
	hosted  map[device]*network.Port // AtHost: what is behind interfaces, nil: several ports
	aging   []placeAge
}

// site returns where a record was captured, nil if that is not known.
func (t *Tap) site(i *pcap.Interface) *Site {
	if i != nil && t.Interfaces != nil {
		if s, ok := t.Interfaces[i.Index]; ok {
			return s
		}
	}
	return t.Site
}

// Sites returns every site of the capture, the default first.
func (t *Tap) Sites() []*Site {
	var out []*Site
	if t.Site != nil {
		out = append(out, t.Site)
	}
	var order []int
	for i := range t.Interfaces {
		order = append(order, i)
	}
	slices.Sort(order)
	for _, i := range order {
		if s := t.Interfaces[i]; s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Point is where frames cross the border of OVN: a logical port on a chassis,
// or the tunnel between two chassis.
type Point struct {
	Port    *network.Port // nil: the underlay
	Chassis *network.Chassis
	From    *network.Chassis // the underlay: who sent the frame
	Capture int
	Found   string

	spot *spot // of the last frame that was noted here
}

// Name is the port's name, or the tunnel's.
func (p *Point) Name() string {
	switch {
	case p == nil:
		return ""
	case p.Port != nil:
		return p.Port.Name
	case p.From != nil:
		return fmt.Sprintf("tunnel %s > %s", p.From.Name, p.Chassis.Name)
	}
	return "underlay of " + p.Chassis.Name
}

// Called is Name in the words of people.
func (p *Point) Called() string {
	switch {
	case p == nil:
		return ""
	case p.Port != nil:
		return p.Port.Called()
	case p.From != nil:
		return fmt.Sprintf("tunnel %s > %s", p.From.Host(), p.Chassis.Host())
	}
	return "underlay of " + p.Chassis.Host()
}

func (p *Point) key() pointKey {
	if p.Port == nil && p.From != nil {
		return tunnelKey(p.From, p.Chassis)
	}
	return keyOf(p.Port, p.Chassis)
}

type pointKey struct{ port, chassis int }

func keyOf(p *network.Port, c *network.Chassis) pointKey { return pointKey{p.Index, c.Index} }

// tunnelKey is the point of the tunnel between two chassis.
func tunnelKey(from, to *network.Chassis) pointKey { return pointKey{-1 - to.Index, from.Index} }

// point returns the capture's point at a port, which it remembers.
func (t *Tap) point(p *network.Port, c *network.Chassis) *Point {
	if last := t.at; last != nil && last.Port == p && last.Chassis == c {
		return last
	}
	known := t.points[keyOf(p, c)]
	if known == nil {
		known = t.remember(keyOf(p, c), &Point{Port: p, Chassis: c, Capture: t.Index})
	}
	t.at = known
	return known
}

func (t *Tap) tunnel(from, to *network.Chassis) *Point {
	if known := t.points[tunnelKey(from, to)]; known != nil {
		return known
	}
	return t.remember(tunnelKey(from, to), &Point{Chassis: to, From: from, Capture: t.Index})
}

func (t *Tap) remember(k pointKey, p *Point) *Point {
	if t.points == nil {
		t.points = map[pointKey]*Point{}
	}
	for _, s := range t.Sites() {
		if s.Port == p.Port && s.Found != "" {
			p.Found = s.Found
		}
	}
	t.points[k] = p
	return p
}

// crossingPoint is where frames crossed OVN's border, and which way.
type crossingPoint struct {
	dir   Direction
	point *Point
}

// count notes where a frame was placed, or why nowhere, for people who ask.
func (t *Tap) count(f *Frame) {
	if f.skip != "" {
		t.leaveOut(f.skip)
		return
	}
	if t.placed == nil {
		t.placed = map[crossingPoint]*int{}
	}
	if k := (crossingPoint{f.dir, f.point}); t.counts == nil || t.counted != k {
		n := t.placed[k]
		if n == nil {
			n = new(int)
			t.placed[k] = n
		}
		t.counted, t.counts = k, n
	}
	*t.counts++
}

// leaveOut notes why a frame was placed nowhere.
func (t *Tap) leaveOut(why string) {
	if t.Unplaced == nil {
		t.Unplaced = map[string]int{}
	}
	t.Unplaced[why]++
}

// become makes the capture's sites refer to the network as it is now: a port
// that is gone stays what it was, one that was made anew is another.
func (t *Tap) become(net *network.Network) {
	for _, s := range t.Sites() {
		if s.Port == nil {
			continue
		}
		if p := net.Port(s.Port.Name); p != nil {
			s.Port = p
		}
	}
}

// On returns a tap of the same capture on another network, where the same
// ports and chassis have the same names.
func (t *Tap) On(net *network.Network) (*Tap, error) {
	moved := &Tap{Index: t.Index, Name: t.Name}
	if t.Chassis != nil {
		moved.Chassis = net.ChassisByName(t.Chassis.Name)
	}
	var err error
	if t.Site != nil {
		if moved.Site, err = t.Site.on(net); err != nil {
			return nil, err
		}
	}
	for i, s := range t.Interfaces {
		there, err := s.on(net)
		if err != nil {
			return nil, err
		}
		moved.set(i, there)
	}
	return moved, nil
}

func (s *Site) on(net *network.Network) (*Site, error) {
	moved := &Site{Kind: s.Kind, Found: s.Found, Chassis: net.ChassisByName(s.Chassis.Name)}
	if s.Port != nil {
		if moved.Port = net.Port(s.Port.Name); moved.Port == nil {
			return nil, fmt.Errorf("no logical port %q in this database", s.Port.Name)
		}
	}
	if moved.Chassis == nil && moved.Port != nil {
		moved.Chassis, _ = ChassisOf(net, moved.Port)
	}
	if moved.Chassis == nil {
		return nil, fmt.Errorf("no chassis %q in this database", s.Chassis.Name)
	}
	return moved, nil
}

// NameOf is the name of the file a frame is in.
func NameOf(taps []*Tap, f *Frame) string {
	if f.File != "" {
		return f.File
	}
	return taps[f.Capture].Name
}
