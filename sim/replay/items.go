package replay

import (
	"cmp"
	"fmt"
	"slices"
)

// Report is the result of a verification; its JSON form is what verify --json prints.
type Report struct {
	Version    int    `json:"version"` // of this form, see FormVersion
	Packets    int    `json:"packets"`
	Entered    int    `json:"entered"`
	Observed   int    `json:"observed"`
	Matched    int    `json:"matched"`
	Autonomous int    `json:"autonomous"`
	Guessed    int    `json:"guessed"`
	Inferred   int    `json:"inferred"` // of the matched, those whose packet on its way in is in no capture
	Mismatched []Item `json:"mismatched"`
	Missing    []Item `json:"missing"`
	Unexpected []Item `json:"unexpected"`

	// Offloaded counts matched packets whose checksum was left to a network
	// card at one of the two places, Cut those of which only what the captures
	// hold was compared.
	Offloaded int `json:"offloaded"`
	Cut       int `json:"cut,omitempty"`
	// Segmented counts packets of one place that are several at another.
	Segmented int `json:"segmented"`
	// TooShort counts frames that their capture cut before the end of the headers.
	TooShort int `json:"too_short,omitempty"`

	// Outdated counts the differences that a change of the database during the
	// capture explains: they are gone with --db-time follow.
	Outdated int    `json:"outdated,omitempty"`
	Skipped  []Item `json:"skipped,omitempty"`

	// Repeated and Foreign count frames that are nobody's: seen before on
	// another interface or in another capture, or of the tunnel network but in
	// no tunnel.
	Repeated int `json:"repeated"`
	Foreign  int `json:"foreign,omitempty"`

	// Lost counts packets that a capture should hold and does not, although it
	// was taken where and when they passed. Explained counts observed packets
	// that were not predicted for what captures do not hold.
	Lost      int `json:"lost"`
	Explained int `json:"explained,omitempty"`

	// Groups are causes, most packets first: what artefacts of capturing explain
	// is in none of the lists above.
	Groups []Group `json:"groups"`
	List   bool    `json:"-"` // Write lists the packets

	// Omitted counts items that are not listed, being too many or not selected,
	// by list.
	Omitted map[string]int `json:"omitted,omitempty"`

	// Early counts what was decided about before its time, because more waited
	// for a counterpart than VerifyOptions.MaxWaiting.
	Early int `json:"early,omitempty"`

	// Underlay counts apart what captures of the tunnel network show.
	Underlay *UnderlayCounts `json:"underlay,omitempty"`

	// Ties are the logical flows that packets met of which OVN leaves open which is used.
	Ties []Tie `json:"ties,omitempty"`

	// Races are packets that met the network as it was before a change that had been
	// committed, as captures show.
	Races []Race `json:"races,omitempty"`

	// Small are fragments below the usual size that Open vSwitch took, as captures show.
	Small []Small `json:"small_fragments,omitempty"`

	// Compared tells what the verdict rests on, by where packets left OVN.
	Compared []Compared `json:"compared"`

	// Interrupted: the captures were not read to their end, so there is no verdict.
	Interrupted bool `json:"interrupted,omitempty"`
	// Damaged says what of the inputs could not be read: the verdict is about the rest.
	Damaged string `json:"damaged,omitempty"`
	// Unverified says why nothing could be verified; empty if something was.
	Unverified string `json:"unverified,omitempty"`

	// Bounds is what kept packets from what they would have done otherwise.
	Bounds *Bounds `json:"bounds,omitempty"`

	Clocks []ClockReport `json:"clocks,omitempty"`
	Strict bool          `json:"strict,omitempty"`
}

// Tie is two logical flows of the same stage and priority that match the same packets
// and act differently.
type Tie struct {
	Used     FlowRef `json:"used"`
	Other    FlowRef `json:"other"`
	Priority int     `json:"priority"`
	Packets  int     `json:"packets"`
}

// Compared counts the packets that were observed leaving OVN at a place.
type Compared struct {
	Port     string `json:"port"` // or the tunnel
	Chassis  string `json:"chassis"`
	Observed int    `json:"observed"`
	Compared int    `json:"compared"` // of them, those with a counterpart to be held against
	Full     int    `json:"full"`     // of those, the ones of which both hold every byte

	where *Point
}

// title is where, in the words of people; on which chassis, where another's is called so.
func (c *Compared) title(all []Compared) string {
	if c.where == nil { // of a report that was read
		return c.Port
	}
	name := c.where.Called()
	if slices.ContainsFunc(all, func(o Compared) bool { return o.where.Called() == name && o.Chassis != c.Chassis }) {
		return fmt.Sprintf("%s (%s)", name, c.where.Chassis.Host())
	}
	return name
}

// UnderlayCounts count packets in tunnels.
type UnderlayCounts struct {
	Packets  int `json:"packets"`
	Entered  int `json:"entered"`  // whose way into OVN is in no capture: injected where they come out
	Observed int `json:"observed"` // sent by a chassis whose side was replayed
	Matched  int `json:"matched"`

	Explained int `json:"explained,omitempty"` // see Report.Explained
}

// ClockReport is how a capture's clock stands against the first one's.
type ClockReport struct {
	Capture     string `json:"capture"`
	Against     string `json:"against"`
	Offset      int64  `json:"offset_ns"` // to be added
	Drift       int64  `json:"drift_ppt"` // parts per 10^12
	Uncertainty int64  `json:"uncertainty_ns"`
	Pairs       int    `json:"pairs"`
	Corrected   bool   `json:"corrected"`
	Reason      string `json:"reason"`
}

// OK reports whether everything observed was predicted, nothing else was, and
// there was something to observe.
// Strictly, it must also have been predicted without a guess or an inference,
// and no frame may have been left out.
func (r *Report) OK() bool {
	switch u := r.Underlay; {
	case r.Interrupted, r.Unverified != "",
		r.differing() > 0,
		r.Matched+r.Autonomous+r.Explained != r.Observed,
		u != nil && u.Matched+u.Explained != u.Observed:
		return false
	}
	return !r.Strict || r.Guessed+r.Inferred+len(r.Skipped)+r.Omitted["skipped"] == 0
}

// differing counts the packets that differ, those that are not listed too.
func (r *Report) differing() int {
	return len(r.Mismatched) + len(r.Missing) + len(r.Unexpected) +
		r.Omitted["mismatched"] + r.Omitted["missing"] + r.Omitted["unexpected"]
}

// omit counts an item that a list does not hold.
func (r *Report) omit(name string) {
	if r.Omitted == nil {
		r.Omitted = map[string]int{}
	}
	r.Omitted[name]++
}

// Item is one packet that verification has something to say about.
type Item struct {
	Capture string       `json:"capture"`
	Frame   int          `json:"frame"`
	Port    string       `json:"port"`
	called  string       // what people call the port
	Chassis string       `json:"chassis,omitempty"`
	Time    Moment       `json:"time"`
	Reason  string       `json:"reason,omitempty"`
	From    *Origin      `json:"from,omitempty"` // the injected packet that predicted it
	Fields  []Difference `json:"fields,omitempty"`
	Flow    *FlowRef     `json:"flow,omitempty"` // where predicted and observed first part
	// Suspects are the other flows that decided about the packet: what
	// translated, routed and dropped it.
	Suspects []FlowRef `json:"suspects,omitempty"`
	Inferred bool      `json:"inferred,omitempty"`
	Packet   string    `json:"packet"` // one line
	Hex      string    `json:"hex,omitempty"`

	data []byte
	wire int

	// Of a mismatched one, what was predicted.
	predicted     []byte
	predictedWire int
}

// Bytes returns the item's frame and its length on the wire.
func (it *Item) Bytes() (frame []byte, wire int) { return it.data, it.wire }

// Predicted returns the frame that was predicted in place of a mismatched one,
// and its length on the wire.
func (it *Item) Predicted() (frame []byte, wire int) { return it.predicted, it.predictedWire }

// Origin is the captured frame a prediction came from.
type Origin struct {
	Capture string `json:"capture"`
	Frame   int    `json:"frame"`
	Port    string `json:"port"`
	Conn    int    `json:"-"` // its connection's number, 0: not known, see VerifyOptions.Conn
}

// Difference is a field whose predicted and observed values differ.
type Difference struct {
	Field     string `json:"field"`
	Old       string `json:"old,omitempty"` // as the packet entered
	Predicted string `json:"predicted"`
	Observed  string `json:"observed"`
	Flow      string `json:"flow,omitempty"` // UUID of the logical flow that last set it
	Stage     string `json:"stage,omitempty"`
}

// FlowRef names a logical flow.
type FlowRef struct {
	UUID     string `json:"uuid"`
	Datapath string `json:"datapath"`
	called   string // what people call the datapath
	Stage    string `json:"stage"`
	Match    string `json:"match,omitempty"`
	Hint     string `json:"hint,omitempty"`   // beginning of the Northbound row's UUID it was made from
	Object   string `json:"object,omitempty"` // that row, where diff knows it
}

// Lists of a report are bounded: a capture may have nothing to do with the network.
const (
	maxItems = 100_000
	maxHex   = 1000
)

// add puts an item on one of the report's lists.
func (r *Report) add(name string, list *[]Item, it Item) {
	if len(*list) >= maxItems {
		r.omit(name)
		return
	}
	if len(*list) >= maxHex {
		it.Hex = ""
	}
	*list = append(*list, it)
}

// sort orders the lists by time.
func (r *Report) sort() {
	for _, list := range []*[]Item{&r.Mismatched, &r.Missing, &r.Unexpected, &r.Skipped} {
		slices.SortStableFunc(*list, func(a, b Item) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Capture, b.Capture), cmp.Compare(a.Frame, b.Frame))
		})
	}
}
