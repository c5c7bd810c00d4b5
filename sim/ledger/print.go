package ledger

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
)

// Row is a connection as JSON shows it. Fields that do not apply are left out;
// new ones may be added, none changes its meaning.
type Row struct {
	Version  int         `json:"version"` // of this form, see replay.FormVersion
	ID       int         `json:"id"`
	Proto    string      `json:"proto"`
	ICMPID   uint16      `json:"icmp_id,omitempty"`
	Client   Endpoint    `json:"client"`
	Asked    Endpoint    `json:"asked"`            // what the client asked for
	Source   *Endpoint   `json:"source,omitempty"` // the client as the server sees it, where that is another
	Server   *Endpoint   `json:"server,omitempty"` // who answers, where that is another than was asked
	From     Where       `json:"from"`
	To       *Where      `json:"to,omitempty"`
	NAT      []RowNAT    `json:"nat,omitempty"`
	Zones    []RowZone   `json:"zones,omitempty"`
	States   []RowState  `json:"states,omitempty"`
	State    string      `json:"state"`
	Original Counts      `json:"original"`
	Reply    Counts      `json:"reply"`
	Dropped  int         `json:"dropped"`
	Drops    []RowDrop   `json:"drops,omitempty"`
	Instead  []RowDrop   `json:"instead,omitempty"` // answered by OVN itself, held, or not translated back
	Members  []RowMember `json:"members,omitempty"`
	Flapping []string    `json:"flapping,omitempty"`
	Stale    string      `json:"stale,omitempty"`
	First    string      `json:"first"` // RFC 3339, nanoseconds, UTC
	Last     string      `json:"last"`
}

// Endpoint is an address and port with who has it, if that is known.
type Endpoint struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	Name    string `json:"name,omitempty"`
}

// Where is a port where packets enter or leave.
type Where struct {
	Port    string `json:"port"`
	Chassis string `json:"chassis"`

	called, host string // the same in the words of people
}

// Counts are a direction's packets.
type Counts struct {
	Packets         int `json:"packets"`
	Bytes           int `json:"bytes"`
	Retransmissions int `json:"retransmissions"`
}

// RowNAT is a translation on the way there.
type RowNAT struct {
	Kind string `json:"kind"`
	From string `json:"from"`
	To   string `json:"to"`
	By   string `json:"by,omitempty"`
}

// RowZone is a conntrack zone that keeps the connection.
type RowZone struct {
	Chassis  string `json:"chassis"`
	Zone     uint16 `json:"zone"`
	Name     string `json:"name,omitempty"`
	Original string `json:"original"`
	Reply    string `json:"reply"`
	State    string `json:"state"`

	called, host string // zone and chassis in the words of people
}

// RowState is a state with the moment it began.
type RowState struct {
	Time  string `json:"time"`
	State string `json:"state"`
}

// RowDrop is packets dropped for one reason.
type RowDrop struct {
	Packets int    `json:"packets"`
	Stage   string `json:"stage"` // where they ended
	Reason  string `json:"reason"`
	What    string `json:"what,omitempty"`          // became of them: "held", "answered by OVN with …"; none: dropped
	Decided string `json:"decided_stage,omitempty"` // that of the flow that decided so, which may be one before
}

// RowMember is a backend or next hop that was chosen.
type RowMember struct {
	Group  string `json:"group"`
	Member string `json:"member"`
	Flow   string `json:"flow"`
	Times  int    `json:"times"`
}

// Row spells a connection out.
func (l *Ledger) Row(c *Conn) *Row {
	r := &Row{
		Version: replay.FormVersion,
		ID:      c.ID, Proto: packet.ProtoName(c.Asked.Proto), From: Where(c.From), State: c.state(),
		Client:   Endpoint{c.Asked.SrcAddr().String(), c.Asked.SrcPort, c.client},
		Asked:    Endpoint{c.Asked.DstAddr().String(), c.Asked.DstPort, c.asked},
		Original: counts(&c.Dir[0]), Reply: counts(&c.Dir[1]), Dropped: c.Dropped(),
		Flapping: c.Flapping(), Stale: c.Stale(), First: replay.Timestamp(c.First), Last: replay.Timestamp(c.Last),
	}
	if c.To.Port != "" {
		to := Where(c.To)
		r.To = &to
		if c.Sent != (nat.Tuple{}) && (c.Sent.Src != c.Asked.Src || c.Sent.SrcPort != c.Asked.SrcPort) {
			r.Source = &Endpoint{c.Sent.SrcAddr().String(), c.Sent.SrcPort, c.source}
		}
		if c.Sent != (nat.Tuple{}) && (c.Sent.Dst != c.Asked.Dst || c.Sent.DstPort != c.Asked.DstPort) {
			r.Server = &Endpoint{c.Sent.DstAddr().String(), c.Sent.DstPort, c.server}
		}
	}
	if c.Asked.ICMP() { // no ports: an ID
		r.ICMPID, r.Client.Port, r.Asked.Port = c.Asked.SrcPort, 0, 0
		for _, e := range []*Endpoint{r.Source, r.Server} {
			if e != nil {
				e.Port = 0
			}
		}
	}
	for _, n := range c.NAT {
		r.NAT = append(r.NAT, RowNAT(n))
	}
	for i := range c.Zones {
		z := &c.Zones[i]
		r.Zones = append(r.Zones, RowZone{z.Chassis, z.Zone, z.Name, trace.TupleString(&z.Orig),
			trace.TupleString(&z.Reply), z.State, z.called, z.host})
	}
	for _, s := range c.States {
		r.States = append(r.States, RowState{replay.Timestamp(s.Time), s.State})
	}
	for _, d := range c.Drops {
		r.Drops = append(r.Drops, RowDrop(d))
	}
	for _, d := range c.instead() {
		r.Instead = append(r.Instead, RowDrop(d))
	}
	for _, m := range c.Members {
		r.Members = append(r.Members, RowMember{m.Group, m.Member, m.Flow, m.Times})
	}
	return r
}

func counts(c *Count) Counts { return Counts{c.Packets, c.Bytes, c.Retransmissions} }

// String writes an endpoint with its name in brackets.
func (e Endpoint) String() string {
	s := e.Address
	if e.Port != 0 {
		if strings.Contains(s, ":") {
			s = "[" + s + "]"
		}
		s += fmt.Sprintf(":%d", e.Port)
	}
	if e.Name != "" {
		s += " (" + e.Name + ")"
	}
	return s
}

// at names the stage, if there is one: what no flow decided has none.
func (d *RowDrop) at() string {
	if d.Stage == "" {
		return ""
	}
	return " at " + d.Stage
}

// Line is the connection in one line.
func (r *Row) Line() string {
	var b strings.Builder
	printable.Fprintf(&b, "%d  %s-%s %s %s > %s", r.ID, r.First[11:23], r.Last[11:23], r.Proto, r.Client, r.Asked)
	if r.ICMPID != 0 {
		printable.Fprintf(&b, " id %d", r.ICMPID)
	}
	named := r.Server == nil || r.Server.Name == ""
	for _, n := range r.NAT {
		printable.Fprintf(&b, " | %s %s -> %s", n.Kind, n.From, n.To)
		if !named && strings.HasSuffix(n.Kind, "DNAT") &&
			n.To == (Endpoint{r.Server.Address, r.Server.Port, ""}).String() {
			printable.Fprintf(&b, " (%s)", r.Server.Name)
			named = true
		}
	}
	if !named {
		printable.Fprintf(&b, " | answered by %s", r.Server)
	}
	printable.Fprintf(&b, " | %s", r.State)
	printable.Fprintf(&b, " | %d+%d packets, %d+%d bytes", r.Original.Packets, r.Reply.Packets, r.Original.Bytes,
		r.Reply.Bytes)
	if n := r.Original.Retransmissions + r.Reply.Retransmissions; n > 0 {
		printable.Fprintf(&b, ", %d sent again", n)
	}
	if r.Stale != "" {
		b.WriteString(" | stale: " + r.Stale)
	}
	if r.Dropped > 0 {
		d, most := r.Drops[0], ""
		if d.Packets < r.Dropped { // the others elsewhere, or for another reason: see Write
			most = fmt.Sprintf(", %d", d.Packets)
		}
		printable.Fprintf(&b, " | %d dropped%s%s: %s", r.Dropped, most, d.at(), d.Reason)
	}
	for _, d := range r.Instead {
		printable.Fprintf(&b, " | %d %s: %s", d.Packets, d.What, d.Reason)
	}
	if len(r.Flapping) > 0 {
		printable.Fprintf(&b, " | flapping: several members of %s", strings.Join(r.Flapping, ", "))
	}
	return printable.Line(b.String())
}

// Write prints the connection with all that is known of it, indented below its line.
func (r *Row) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.Line())
	from := "from " + r.From.called + " (" + r.From.host + ")"
	if r.From == (Where{}) {
		from = "from where no capture shows it"
	}
	b.WriteString("    " + printable.Line(from))
	if r.To != nil {
		printable.Fprintf(&b, " to %s (%s)", r.To.called, r.To.host)
	}
	b.WriteByte('\n')
	for _, n := range r.NAT {
		if n.By != "" {
			printable.Fprintf(&b, "    %s by %s\n", n.Kind, n.By)
		}
	}
	for _, z := range r.Zones {
		printable.Fprintf(&b, "    zone %d (%s) of %s: %s reply %s, last %s\n", z.Zone, z.called, z.host, z.Original,
			z.Reply, z.State)
	}
	for i, s := range r.States {
		printable.Fprintf(&b, "%s %s %s", [...]string{"    states:", ","}[min(i, 1)], s.Time[11:26], s.State)
	}
	if len(r.States) > 0 {
		b.WriteByte('\n')
	}
	for _, d := range r.Drops {
		printable.Fprintf(&b, "    %d dropped%s: %s\n", d.Packets, d.at(), d.Reason)
	}
	for _, d := range r.Instead {
		printable.Fprintf(&b, "    %d %s%s: %s\n", d.Packets, d.What, d.at(), d.Reason)
	}
	for _, m := range r.Members {
		printable.Fprintf(&b, "    chosen of %s: %s, %s\n", m.Group, m.Member, printable.Count(m.Times, "time"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columns names the columns of CSV.
var columns = []string{"id", "proto", "client", "client_port", "client_name", "asked", "asked_port", "asked_name",
	"source", "source_port",
	"server", "server_port", "server_name", "from", "from_chassis", "to", "to_chassis", "nat", "state", "packets",
	"bytes", "reply_packets",
	"reply_bytes", "retransmissions", "dropped", "drop_stage", "drop_reason", "stale", "first", "last",
	"decided_stage"}

func (r *Row) fields() []string {
	n := strconv.Itoa
	port := func(e Endpoint) string {
		if e.Address == "" { // there is no such end
			return ""
		}
		return n(int(e.Port))
	}
	source, server, to := Endpoint{}, Endpoint{}, Where{}
	if r.Source != nil {
		source = *r.Source
	}
	if r.Server != nil {
		server = *r.Server
	}
	if r.To != nil {
		to = *r.To
	}
	var nats []string
	for _, x := range r.NAT {
		nats = append(nats, fmt.Sprintf("%s %s -> %s", x.Kind, x.From, x.To))
	}
	drop := RowDrop{}
	if len(r.Drops) > 0 {
		drop = r.Drops[0]
	}
	return []string{n(r.ID), r.Proto, r.Client.Address, n(int(r.Client.Port)), r.Client.Name, r.Asked.Address,
		n(int(r.Asked.Port)), r.Asked.Name,
		source.Address, port(source), server.Address, port(server), server.Name, r.From.Port,
		r.From.Chassis, to.Port, to.Chassis,
		strings.Join(nats, "; "), r.State, n(r.Original.Packets), n(r.Original.Bytes), n(r.Reply.Packets),
		n(r.Reply.Bytes),
		n(r.Original.Retransmissions + r.Reply.Retransmissions), n(r.Dropped), drop.Stage, drop.Reason,
		r.Stale, r.First, r.Last, drop.Decided}
}

// Form is a way to print rows.
type Form uint8

const (
	Lines Form = iota // one a row
	Full              // with zones, states and drops below
	JSON              // one object a line
	CSV               // with a line of names first
)

// Print prints connections.
func (l *Ledger) Print(w io.Writer, list []*Conn, form Form) error {
	table := csv.NewWriter(w)
	if form == CSV {
		if err := table.Write(columns); err != nil {
			return err
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, c := range list {
		r := l.Row(c)
		var err error
		switch form {
		case JSON:
			err = e.Encode(r)
		case CSV:
			fields := r.fields()
			for i := range fields {
				fields[i] = printable.Line(fields[i])
			}
			err = table.Write(fields)
		case Full:
			err = r.Write(w)
		default:
			_, err = fmt.Fprintln(w, r.Line())
		}
		if err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// during reports whether a moment is in a connection's time, or 0 is asked for.
func (c *Conn) during(t conntrack.Time) bool { return t == 0 || c.First <= t && t <= c.Last }
