package replay

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim/printable"
)

// Write prints the report for people: what differs, each with its likeliest
// place, and the sums. Quietly, only the sums.
func (r *Report) Write(w io.Writer, quiet bool) error {
	var b strings.Builder
	if !quiet {
		r.writeGroups(&b)
	}
	if !quiet && r.List {
		section(&b, "mismatched", r.Mismatched)
		section(&b, "missing", r.Missing)
		section(&b, "unexpected", r.Unexpected)
		section(&b, "skipped", r.Skipped)
	}
	verdict := "everything observed was predicted, byte for byte"
	switch {
	case r.Interrupted:
		verdict = "interrupted after " + printable.Count(r.all(), "packet") + ": no verdict"
	case r.Unverified != "":
		verdict = "nothing was verified: " + r.Unverified
	case len(r.Compared) == 0 && r.OK():
		verdict = "nothing left OVN where captures are, as predicted: every packet that entered ends there"
	case r.differing() > 0:
		verdict = "prediction and capture differ"
	case !r.OK():
		verdict = "everything observed was predicted, but not strictly: there are guesses, inferences or skipped frames"
	}
	if r.Damaged != "" && !r.Interrupted {
		verdict += ", of what could be read"
	}
	printable.Fprintf(&b, "%s\n", verdict)
	for i := range r.Compared {
		c := &r.Compared[i]
		printable.Fprintf(&b, "at %s: observed %d, compared %d, in full %d\n", c.title(r.Compared), c.Observed,
			c.Compared, c.Full)
	}
	printable.Fprintf(&b, "packets %d: entered %d, observed %d", r.Packets, r.Entered, r.Observed)
	for _, n := range []struct {
		count int
		what  string
	}{{r.Repeated, "repeated"}, {r.Foreign, "not OVN's"}, {len(r.Skipped), "skipped"}} {
		if n.count > 0 {
			printable.Fprintf(&b, ", %d %s", n.count, n.what)
		}
	}
	printable.Fprintf(&b, "\nmatched %d (guessed %d", r.Matched, r.Guessed)
	if r.Inferred > 0 {
		printable.Fprintf(&b, ", inferred %d", r.Inferred)
	}
	printable.Fprintf(&b, "), autonomous %d, mismatched %d, missing %d, unexpected %d\n",
		r.Autonomous, len(r.Mismatched)+r.Omitted["mismatched"], len(r.Missing)+r.Omitted["missing"],
		len(r.Unexpected)+r.Omitted["unexpected"])
	if r.Early > 0 {
		printable.Fprintf(&b, "decided early %d: more packets waited for their counterpart than are kept; use "+
			"--window, or "+
			"fewer packets\n", r.Early)
	}
	if u := r.Underlay; u != nil {
		printable.Fprintf(&b, "underlay: packets %d, injected where they come out %d, observed %d, matched %d\n",
			u.Packets, u.Entered, u.Observed, u.Matched)
	}
	for i := range r.Ties {
		t := &r.Ties[i]
		printable.Fprintf(&b, "tie-undefined: two logical flows of %s of %s have the same priority (%d) and match "+
			"the same packets but act differently, and OVN leaves open which is used: %s used %s, not %s\n",
			t.Used.Stage, t.Used.Datapath, t.Priority, plural(t.Packets, "packet"), t.Used.UUID, t.Other.UUID)
	}
	r.writeRaces(&b)
	r.writeSmall(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeRaces says which packets came before a change was in the switches.
func (r *Report) writeRaces(b *strings.Builder) {
	const most = 3
	for i := range r.Races {
		x := &r.Races[i]
		if i == most {
			printable.Fprintf(b, "race: and %s more (--json lists them)\n", plural(len(r.Races)-most, "packet"))
			return
		}
		printable.Fprintf(b, "race: %s frame %d at %s (%s) came %d ms after the network changed at %s, and met "+
			"it as it "+
			"was before: the change was not in the switch yet\n",
			x.Capture, x.Frame, x.Port, x.Packet, (x.Time-x.Change)/1e6, Timestamp(conntrack.Time(x.Change)))
	}
}

// all counts the captured packets, those of the tunnel network too.
func (r *Report) all() int {
	if r.Underlay != nil {
		return r.Packets + r.Underlay.Packets
	}
	return r.Packets
}

// maxShown is how many items of a list are printed for people.
const maxShown = 50

func section(b *strings.Builder, name string, items []Item) {
	if n := len(items) - maxShown; n > 0 {
		items = items[:maxShown]
		defer func() { printable.Fprintf(b, "%s: and %d more (--json lists them)\n", name, n) }()
	}
	for i := range items {
		it := &items[i]
		printable.Fprintf(b, "%s: %s frame %d at %s: %s\n", name, it.Capture, it.Frame, cmp.Or(it.called, it.Port),
			it.Packet)
		if it.Reason != "" {
			printable.Fprintf(b, "    %s\n", it.Reason)
		}
		if it.From != nil && len(it.Fields) > 0 {
			how := ""
			if it.Inferred {
				how = ", inferred from it"
			}
			printable.Fprintf(b, "    predicted from %s frame %d at %s%s\n", it.From.Capture, it.From.Frame,
				it.From.Port, how)
		}
		for _, d := range it.Fields {
			writeDifference(b, &d)
		}
		if it.Flow != nil {
			printable.Fprintf(b, "    by %s\n", it.Flow)
		}
		for i := range it.Suspects {
			printable.Fprintf(b, "    or %s\n", &it.Suspects[i])
		}
	}
}

func writeDifference(b *strings.Builder, d *Difference) {
	printable.Fprintf(b, "    %s: predicted %s, observed %s", d.Field, d.Predicted, d.Observed)
	if d.Old != "" {
		printable.Fprintf(b, " (entered with %s)", d.Old)
	}
	if d.Stage != "" {
		printable.Fprintf(b, ", last set at %s by flow %s", d.Stage, d.Flow)
	}
	b.WriteByte('\n')
}

// String names a flow for people.
func (r *FlowRef) String() string {
	if r.UUID == "" {
		return fmt.Sprintf("%s of %s, where no flow matches", r.Stage, cmp.Or(r.called, r.Datapath))
	}
	match := r.Match
	if len(match) > 100 {
		match = match[:97] + "..."
	}
	text := fmt.Sprintf("flow %s, %s of %s: %s", r.UUID, r.Stage, cmp.Or(r.called, r.Datapath), match)
	if r.Object != "" {
		text += ", of " + r.Object
	}
	return text
}
