package replay

import (
	"fmt"
	"slices"
	"strings"
)

// Captures of one direction, as tcpdump -Q or one port of a span makes them: what goes the
// other way is in none of them. That one is such a capture must be proved: a port from which
// nobody sends, or to which nothing comes, is what people look for.

// enough packets of the other way are proved to have been there for a capture that shows
// none of them to be of one direction.
const enough = 2

// ofEntering reports whether captures of a point show only what enters.
func (x *pointSeen) ofEntering() bool { return x.left == 0 && x.lost >= enough }

// ofLeaving reports whether captures of a point show only what leaves.
func (x *pointSeen) ofLeaving() bool { return x.entered == 0 && x.left > 0 && x.inferred >= enough }

// allOf reports whether the captures of all ports together show one direction only. Where
// nothing entered nothing need be proved: then nothing is known of what OVN was given.
func (v *Verifier) allOf(entering bool) bool {
	all := &v.evidence.ports
	if entering {
		return all.ofEntering()
	}
	return all.entered == 0 && all.left > 0
}

// hidesLeaving reports whether captures of a point are known not to show what leaves there.
func (v *Verifier) hidesLeaving(p pointKey) bool {
	return p.port > 0 && (v.evidence.at(p).ofEntering() || v.evidence.at(p).left == 0 && v.allOf(true))
}

// hidesSender reports whether captures of where an observed packet may have entered are
// known not to show what enters there.
func (v *Verifier) hidesSender(w *waiter) bool {
	if v.allOf(false) {
		return true
	}
	from := v.senders(w.Headers())
	for _, t := range v.run.Taps {
		if slices.ContainsFunc(t.Sites(), func(s *Site) bool {
			return s.Kind == AtPort && from(s) && v.evidence.at(keyOf(s.Port, s.Chassis)).ofLeaving()
		}) {
			return true
		}
	}
	return false
}

// hidesOther reports whether what decides about a prediction may be in no capture, since
// some show one direction only: the packet it is of is inferred, or its connection unknown.
func (v *Verifier) hidesOther(p *waiter) bool {
	if !p.inferred && !p.way.loose {
		return false
	}
	for k, x := range v.evidence.points {
		if k.port > 0 && x.ofLeaving() {
			return true
		}
	}
	return v.allOf(false)
}

// sided says in words which captures show one direction only.
func (v *Verifier) sided() string {
	if v.allOf(true) {
		return "no capture of a port shows anything that leaves there"
	}
	if v.allOf(false) {
		return "no capture of a port shows anything that enters there"
	}
	var in, out []string
	for _, p := range v.net().Ports[1:] {
		for _, c := range v.net().Chassis {
			x := v.evidence.points[keyOf(p, c)]
			switch {
			case x == nil:
			case x.ofEntering():
				in = append(in, p.Called())
			case x.ofLeaving():
				out = append(out, p.Called())
			}
		}
	}
	var says []string
	if len(in) > 0 {
		says = append(says, "only what enters at "+someOf(in, ", "))
	}
	if len(out) > 0 {
		says = append(says, "only what leaves at "+someOf(out, ", "))
	}
	return "captures show " + strings.Join(says, ", and ")
}

// someOf is the first few of a list, and how many more there are.
func someOf(names []string, between string) string {
	const few = 4
	if n := len(names) - few; n > 0 {
		names = append(names[:few:few], fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, between)
}
