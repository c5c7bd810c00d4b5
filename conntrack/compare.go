package conntrack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ovnreplay/nat"
)

// Difference is one line in which two listings of a table differ.
type Difference struct {
	Kind         DifferenceKind
	Ours, Theirs Entry    // as far as there is one
	Fields       []string // what differs, for Different
}

// DifferenceKind is how.
type DifferenceKind uint8

const (
	Stale     DifferenceKind = iota + 1 // only in ours
	Missing                             // only in theirs
	Different                           // in both, not the same
)

var differenceNames = [...]string{"", "stale", "missing", "different"}

func (k DifferenceKind) String() string { return differenceNames[k] }

// String is one line: the kind, the entry as dpctl prints it, and what differs.
func (d *Difference) String() string {
	e := &d.Ours
	if d.Kind == Missing {
		e = &d.Theirs
	}
	s := d.Kind.String() + ": " + string(AppendEntry(nil, e, Dpctl))
	if len(d.Fields) > 0 {
		s += ": " + strings.Join(d.Fields, ", ")
	}
	return s
}

type entryKey struct {
	zone uint16
	orig nat.Tuple
}

// Compare holds our listing against a dump of the real table: connections
// are the same by zone and original tuple, and must then agree in reply
// tuple, mark, label, state (as a plain dump shows it), helper and parent.
// Timeouts are not compared. The differences come in order of zone and tuple.
func Compare(ours, theirs []Entry) []Difference {
	var out []Difference
	mine := map[entryKey]*Entry{}
	for i := range ours {
		mine[entryKey{ours[i].Zone, ours[i].Orig}] = &ours[i]
	}
	for i := range theirs {
		e := &theirs[i]
		k := entryKey{e.Zone, e.Orig}
		o, ok := mine[k]
		delete(mine, k)
		switch {
		case !ok:
			out = append(out, Difference{Kind: Missing, Theirs: *e})
		default:
			if f := differing(o, e); f != nil {
				out = append(out, Difference{Different, *o, *e, f})
			}
		}
	}
	for _, e := range mine {
		out = append(out, Difference{Kind: Stale, Ours: *e})
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(compareEntries(a.entry(), b.entry()), int(a.Kind)-int(b.Kind))
	})
	return out
}

// dumpTime is how long after the last packet a dump is taken at most, as far as Ended
// goes.
const dumpTime = 30 * Second

// Ended takes those out of the differences between our listing and a dump that are
// connections which had ended when the dump was taken, some time after the last packet:
// they had less time left than dumpTime, and than any that the dump still has. It returns
// how long after the last packet that was at least; 0: there are none.
func Ended(ds []Difference, ours []Entry) (rest []Difference, after Time) {
	stale := map[entryKey]bool{}
	for i := range ds {
		if d := &ds[i]; d.Kind == Stale {
			stale[entryKey{d.Ours.Zone, d.Ours.Orig}] = true
		}
	}
	until := dumpTime
	for i := range ours {
		if e := &ours[i]; !stale[entryKey{e.Zone, e.Orig}] {
			until = min(until, e.Timeout)
		}
	}
	for _, d := range ds {
		if d.Kind == Stale && d.Ours.Timeout < until {
			after = max(after, d.Ours.Timeout)
			continue
		}
		rest = append(rest, d)
	}
	return rest, after
}

func (d *Difference) entry() *Entry {
	if d.Kind == Missing {
		return &d.Theirs
	}
	return &d.Ours
}

// compareEntries orders entries by zone, then by tuple.
func compareEntries(a, b *Entry) int {
	x, y := &a.Orig, &b.Orig
	return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(x.Proto, y.Proto), x.SrcAddr().Compare(y.SrcAddr()),
		x.DstAddr().Compare(y.DstAddr()), cmp.Compare(x.SrcPort, y.SrcPort), cmp.Compare(x.DstPort, y.DstPort),
		cmp.Compare(x.Type, y.Type))
}

// SortEntries orders entries by zone, then by tuple, for listings to be read or compared.
func SortEntries(es []Entry) {
	slices.SortStableFunc(es, func(a, b Entry) int { return compareEntries(&a, &b) })
}

func differing(a, b *Entry) (fields []string) {
	note := func(what string, x, y any) {
		if x != y {
			fields = append(fields, fmt.Sprintf("%s %v, theirs %v", what, x, y))
		}
	}
	note("reply", a.Reply.String(), b.Reply.String())
	note("mark", a.Mark, b.Mark)
	note("labels", string(appendLabel(nil, a.Label)), string(appendLabel(nil, b.Label)))
	note("state", dpctlState(a.State), dpctlState(b.State))
	note("helper", a.Helper, b.Helper)
	if b.Parent != (nat.Tuple{}) { // shown by few formats
		note("parent", a.Parent.String(), b.Parent.String())
	}
	return fields
}
