package network

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Object is a row of the Northbound database: what a person asked for, and
// what northd made logical flows of.
type Object struct {
	Table string // of the Northbound database: ACL, NAT, Load_Balancer …
	UUID  string
	Name  string // its own, "" if it has none
	Of    string // the switch, router or port group that it belongs to, "" if none
	Text  string // what it says: "to-lport 1001 drop: ip4.src == 10.0.0.0/8"
	Owner string // who asked for it, from external_ids: "NetworkPolicy default/web"

	Until int64 // when it went or became another, in nanoseconds since the Unix epoch; 0: it is so

	Lead  string // what Text begins with, before its parts
	Parts []Part // of a load balancer: its addresses, of which Text tells the first
}

// Part is one of the addresses that a load balancer has.
type Part struct {
	At   netip.AddrPort // port 0: all; the zero one where variables name it
	Text string         // with its backends
}

// maxParts is how many of an object's parts are told.
const maxParts = 4

// About is the object as it is to whoever asks about some of its parts only: of an
// object without parts, or of which none is asked about, the object.
func (o *Object) About(asked func(netip.AddrPort) bool) *Object {
	var parts []Part
	for _, p := range o.Parts {
		if p.At.IsValid() && asked(p.At) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 || len(parts) == len(o.Parts) {
		return o
	}
	narrow := *o
	narrow.Text = TextOf(o.Lead, parts, len(o.Parts)-len(parts))
	return &narrow
}

// TextOf is what an object says of some of its parts, where it has others.
func TextOf(lead string, parts []Part, others int) string {
	var list []string
	for _, p := range parts[:min(len(parts), maxParts)] {
		list = append(list, p.Text)
	}
	if n := len(parts) - len(list) + others; n > 0 {
		list = append(list, fmt.Sprintf("and %d more", n))
	}
	return strings.TrimSpace(lead + " " + strings.Join(list, "; "))
}

// String names the object as a person would: `ACL "web" of pg-1 (to-lport …)`.
func (o *Object) String() string {
	var b strings.Builder
	b.WriteString(objectWords[o.Table])
	if b.Len() == 0 {
		b.WriteString(o.Table)
	}
	if o.Name != "" {
		b.WriteString(` "` + o.Name + `"`)
	} else {
		b.WriteString(" " + o.UUID[:min(8, len(o.UUID))])
	}
	if o.Of != "" {
		b.WriteString(" of " + o.Of)
	}
	if o.Text != "" {
		b.WriteString(" (" + o.Text + ")")
	}
	if o.Owner != "" {
		b.WriteString(" for " + o.Owner)
	}
	return b.String()
}

var objectWords = map[string]string{
	"ACL": "ACL", "Load_Balancer": "load balancer", "NAT": "NAT", "Logical_Router_Static_Route": "route",
	"Logical_Router_Policy": "router policy", "QoS": "QoS rule", "DHCP_Options": "DHCP options",
	"Logical_Router_Port": "router port", "Logical_Switch_Port": "switch port", "Logical_Switch": "switch",
	"Logical_Router": "router", "DNS": "DNS",
}

// Objects are a Northbound database's, found by what a logical flow says of
// where it comes from. The nil Objects has none.
type Objects struct {
	Source string    // where the database is from
	All    []*Object // by table and UUID

	byHint map[string][]*Object
	byFlow map[*Flow]*Object // where a flow says of which it is
}

// hintLen is how much of a row's UUID northd writes into stage-hint.
const hintLen = 8

// NewObjects files objects.
func NewObjects(source string, all []*Object) *Objects {
	s := &Objects{Source: source, All: all, byHint: map[string][]*Object{}}
	slices.SortStableFunc(s.All, func(a, b *Object) int {
		return strings.Compare(a.Table+" "+a.UUID, b.Table+" "+b.UUID)
	})
	for _, o := range s.All {
		s.file(o)
	}
	return s
}

func (s *Objects) file(o *Object) {
	h := o.UUID[:min(hintLen, len(o.UUID))]
	s.byHint[h] = append(s.byHint[h], o)
}

// Made notes the object that a flow was made of.
func (s *Objects) Made(f *Flow, o *Object) {
	if s.byFlow == nil {
		s.byFlow = map[*Flow]*Object{}
	}
	s.byFlow[f] = o
}

// Knows reports whether there is a row that a flow's hint leads to.
func (s *Objects) Knows(hint string) bool { return len(s.byHint[hint[:min(hintLen, len(hint))]]) > 0 }

// JoinObjects files the objects of several zones' databases together; nil ones
// are left out, and of none it is nil. Of a row that several have the first counts.
func JoinObjects(several ...*Objects) *Objects {
	several = slices.DeleteFunc(several, func(o *Objects) bool { return o == nil })
	switch len(several) {
	case 0:
		return nil
	case 1:
		return several[0]
	}
	var sources []string
	var all []*Object
	known := map[string]bool{}
	for _, o := range several {
		sources = append(sources, o.Source)
		fresh := slices.DeleteFunc(slices.Clone(o.All), func(x *Object) bool { return known[x.UUID] })
		for _, x := range fresh { // each in all its states
			known[x.UUID] = true
		}
		all = append(all, fresh...)
	}
	return NewObjects(strings.Join(sources, ", "), all)
}

// ForFlow returns the row that a logical flow was made of, as it is, nil if the flow does
// not say or the row is not there. Rows whose UUIDs begin alike are told apart
// by the stage.
func (s *Objects) ForFlow(f *Flow) *Object { return s.At(f, math.MaxInt64) }

// At is ForFlow with the row as it was at a moment, in nanoseconds since the Unix epoch.
func (s *Objects) At(f *Flow, now int64) *Object {
	if s == nil || f.StageHint == "" {
		return nil
	}
	if o := s.byFlow[f]; o != nil {
		return o
	}
	list := s.byHint[f.StageHint[:min(hintLen, len(f.StageHint))]]
	var best *Object
	for _, o := range list {
		if slices.ContainsFunc(stagesOf[o.Table], func(part string) bool { return strings.Contains(f.Stage, part) }) {
			best = o.nearer(best, now)
		}
	}
	several := slices.ContainsFunc(list, func(o *Object) bool { return o.UUID != list[0].UUID })
	if best != nil || several {
		return best
	}
	for _, o := range list {
		best = o.nearer(best, now)
	}
	return best
}

// nearer is which of two states of a row it was in at a moment: that which ended next after it, or
// else last.
func (o *Object) nearer(other *Object, now int64) *Object {
	until := func(x *Object) int64 {
		if x.Until == 0 {
			return math.MaxInt64
		}
		return x.Until
	}
	if other == nil {
		return o
	}
	a, b := until(o), until(other)
	if (a > now) == (b > now) && (a > now) == (a < b) || a > now && b <= now {
		return o
	}
	return other
}

// stagesOf are parts of the names of the stages that rows of a table are found in.
var stagesOf = map[string][]string{
	"ACL": {"acl"}, "Load_Balancer": {"lb", "nat", "stateful", "defrag", "hairpin"}, "NAT": {"nat"},
	"Logical_Router_Static_Route": {"routing", "arp_resolve"}, "Logical_Router_Policy": {"policy"}, "QoS": {"qos"},
	"DHCP_Options": {"dhcp"}, "Logical_Router_Port": {"lr_"}, "Logical_Switch_Port": {"ls_"},
}
