package replay

import (
	"fmt"
	"io"

	"ovnreplay/sim"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/table"
)

// Bounds is what a replay met that kept packets from what they would have done
// otherwise, each once: limits of the system that is imitated, and logical flows
// that do not compile.
type Bounds struct {
	Limits  []LimitInfo   `json:"limits,omitempty"`
	LeftOut []LeftOutInfo `json:"left_out,omitempty"`
}

// LimitInfo is a limit that was reached.
type LimitInfo struct {
	Limit   string `json:"limit"`
	Chassis string `json:"chassis"`
	Zone    string `json:"zone,omitempty"`
	Meter   string `json:"meter,omitempty"`
	Most    int    `json:"most,omitempty"` // the limit, where it is a number
	Count   int    `json:"count"`
	Since   string `json:"since"` // RFC 3339, nanoseconds, UTC
}

// LeftOutInfo is a logical flow that does not compile.
type LeftOutInfo struct {
	Flow   string `json:"flow"`
	Stage  string `json:"stage"`
	Reason string `json:"reason"`
	Count  int    `json:"count"` // how often a packet came to its table
	Since  string `json:"since"`
}

// BoundsOf tells what an engine met.
func BoundsOf(e *sim.Engine) Bounds {
	var b Bounds
	for _, r := range e.Limits() {
		b.Limits = append(b.Limits, LimitInfo{r.Limit.String(), r.Chassis.Name, r.Zone, r.Meter, r.Most, r.Count,
			Timestamp(r.Since)})
	}
	for _, l := range e.LeftOut() {
		b.LeftOut = append(b.LeftOut, LeftOutInfo{l.Flow.UUID, l.Flow.StageName(), table.Brief(l.Err), l.Count,
			Timestamp(l.Since)})
	}
	return b
}

// Empty reports whether nothing was met.
func (b *Bounds) Empty() bool { return len(b.Limits) == 0 && len(b.LeftOut) == 0 }

// Write tells each in a line. Of many flows that do not compile the first are
// told.
func (b *Bounds) Write(w io.Writer, before string) {
	for i := range b.Limits {
		r := &b.Limits[i]
		s := r.Limit
		if r.Most > 0 {
			s += fmt.Sprintf(" (%d)", r.Most)
		}
		s += " on chassis " + r.Chassis
		if r.Zone != "" {
			s += ", zone " + r.Zone
		}
		if r.Meter != "" {
			s += ", meter " + r.Meter
		}
		printable.Fprintf(w, "%s%s: %s since %s\n", before, s, plural(r.Count, "time"), r.Since)
	}
	const most = 10
	for i := range b.LeftOut[:min(most, len(b.LeftOut))] {
		l := &b.LeftOut[i]
		printable.Fprintf(w, "%slogical flow %s of %s does not compile and was left out %s since %s: %s\n",
			before, l.Flow, l.Stage, plural(l.Count, "time"), l.Since, l.Reason)
	}
	if n := len(b.LeftOut) - most; n > 0 {
		printable.Fprintf(w, "%s%d more logical flows do not compile and were left out; db info lists them\n",
			before, n)
	}
}
