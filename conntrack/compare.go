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
	Ours, Theirs *Entry   // of the listings; nil: there is none
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
	s := d.Kind.String() + ": " + string(AppendEntry(nil, d.entry(), Dpctl))
	if len(d.Fields) > 0 {
		s += ": " + strings.Join(d.Fields, ", ")
	}
	return s
}

// Compare holds our listing against a dump of the real table: connections
// are the same by zone and original tuple, and must then agree in reply
// tuple, mark, label, state (as a plain dump shows it), helper and parent.
// Timeouts are not compared. The differences come in order of zone and tuple.
func Compare(ours, theirs []Entry) []Difference {
	var out []Difference
	a, b := inOrder(ours), inOrder(theirs)
	for len(a) > 0 || len(b) > 0 {
		var first *Entry
		if len(b) == 0 || len(a) > 0 && compareEntries(a[0], b[0]) <= 0 {
			first = a[0]
		} else {
			first = b[0]
		}
		n, m := alike(first, a), alike(first, b)
		out = compareAlike(out, a[:n], b[:m])
		a, b = a[n:], b[m:]
	}
	return out
}

// inOrder lists entries by zone and tuple; of equal ones the earlier first.
func inOrder(es []Entry) []*Entry {
	list := make([]*Entry, len(es))
	for i := range es {
		list[i] = &es[i]
	}
	slices.SortStableFunc(list, compareEntries)
	return list
}

// alike counts the entries at the beginning of a list that have an entry's zone and tuple.
func alike(e *Entry, list []*Entry) (n int) {
	for n < len(list) && compareEntries(e, list[n]) == 0 {
		n++
	}
	return n
}

// compareAlike appends what differs of entries of one zone and tuple.
func compareAlike(out []Difference, ours, theirs []*Entry) []Difference {
	if len(ours) > 0 && len(theirs) == 0 {
		return append(out, Difference{Kind: Stale, Ours: ours[len(ours)-1]})
	}
	extra := theirs
	if len(ours) > 0 {
		extra = theirs[1:]
	}
	for _, e := range extra {
		out = append(out, Difference{Kind: Missing, Theirs: e})
	}
	if len(ours) > 0 {
		if f := differing(ours[len(ours)-1], theirs[0]); f != nil {
			out = append(out, Difference{Different, ours[len(ours)-1], theirs[0], f})
		}
	}
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
	stale := map[*Entry]bool{}
	for i := range ds {
		if d := &ds[i]; d.Kind == Stale {
			stale[d.Ours] = true
		}
	}
	until := dumpTime
	for i := range ours {
		if e := &ours[i]; !stale[e] {
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
		return d.Theirs
	}
	return d.Ours
}

// compareEntries orders entries by zone, then by tuple.
func compareEntries(a, b *Entry) int { return compareTuples(a.Zone, &a.Orig, b.Zone, &b.Orig) }

func compareTuples(zone uint16, x *nat.Tuple, other uint16, y *nat.Tuple) int {
	return cmp.Or(cmp.Compare(zone, other), cmp.Compare(x.Proto, y.Proto), x.SrcAddr().Compare(y.SrcAddr()),
		x.DstAddr().Compare(y.DstAddr()), cmp.Compare(x.SrcPort, y.SrcPort), cmp.Compare(x.DstPort, y.DstPort),
		cmp.Compare(x.Type, y.Type), cmp.Compare(x.Code, y.Code))
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
	if a.Reply != b.Reply {
		note("reply", a.Reply.String(), b.Reply.String())
	}
	note("mark", a.Mark, b.Mark)
	if a.Label != b.Label {
		note("labels", string(appendLabel(nil, a.Label)), string(appendLabel(nil, b.Label)))
	}
	note("state", dpctlState(a.State), dpctlState(b.State))
	note("helper", a.Helper, b.Helper)
	if b.Parent != (nat.Tuple{}) && a.Parent != b.Parent { // shown by few formats
		note("parent", a.Parent.String(), b.Parent.String())
	}
	return fields
}
