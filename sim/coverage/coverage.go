// Package coverage counts what a replay's packets touched of a network: logical
// flows, the Northbound rows behind them, load balancers' backends; and what
// nothing touched.
//
// A Coverage is a replay.Handler. It is read when the replay is over.
package coverage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/ledger"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Coverage is how many packets met what.
type Coverage struct {
	why      *why.Explainer
	flows    map[*network.Flow]*met
	kept     kept // of a session
	rows     map[row]*tally
	backends map[backend]*chosen
	packets  int

	// Port is the only one whose pipelines count; nil: all do.
	Port    *network.Port
	entered map[pipeline]trace.Event // of the packet, the last of each
}

// chosen is how many packets had their address changed to another, and whether a load
// balancer chose it for one of them: a NAT row does the same.
type chosen struct {
	packets  int
	balanced bool
	by       string // the load balancer, as a session tells
}

// backend is a load balancer's address and who was chosen.
type backend struct {
	proto   uint8
	vip, to netip.AddrPort
}

// row is a Northbound row by the beginning of its UUID, and what its flows are for: a port
// of a router has some that are routes, and others; a load balancer some for each of its addresses.
type row struct {
	hint string
	kind string         // as stages tell it, see kinds
	vip  netip.AddrPort // see vipOf; the zero one: all
}

// tally counts packets, each once.
type tally struct{ packets, last int }

func (t *tally) add(packet int) {
	if t.last != packet {
		t.last, t.packets = packet, t.packets+1
	}
}

// met is how many packets met a flow, and any of those of its row, and of the row's for one address: none if
// it has no row.
type met struct {
	tally
	rows []*tally
}

// New returns an empty count.
func New(x *why.Explainer) *Coverage {
	return &Coverage{why: x, flows: map[*network.Flow]*met{}, rows: map[row]*tally{}, backends: map[backend]*chosen{},
		entered: map[pipeline]trace.Event{}}
}

// Entered implements replay.Handler.
func (c *Coverage) Entered(_ *replay.Frame, _ *replay.Point, out *sim.Outcome) {
	c.packets++
	c.why.At(out.Of.Time) // rows are listed as they are in the end
	clear(c.entered)
	for _, ev := range out.Trace.Events() {
		if c.Port != nil && ev.Kind == trace.Enter {
			c.entered[pipelineOf(&ev)] = ev
		}
		if ev.Kind != trace.Match || c.Port != nil && !c.ofPort(&ev) {
			continue
		}
		f := c.flow(&ev)
		m := c.flows[f]
		if m == nil {
			m = &met{rows: c.rowsOf(f)}
			c.flows[f] = m
		}
		m.add(c.packets)
		for _, t := range m.rows {
			t.add(c.packets)
		}
	}
	for i := range out.Trace.NAT {
		if n := &out.Trace.NAT[i]; n.Dst && !n.Undo {
			if !n.From.HasPorts() && !n.From.Reversible() { // an ICMP error about a connection
				continue
			}
			k := backend{n.From.Proto, netip.AddrPortFrom(n.From.DstAddr(), n.From.DstPort),
				netip.AddrPortFrom(n.To.DstAddr(), n.To.DstPort)}
			if c.backends[k] == nil {
				c.backends[k] = &chosen{}
			}
			x := c.backends[k]
			x.packets++
			x.balanced = x.balanced || n.Flow >= 0 && c.why.Balances(c.why.Book.Net.Flows[n.Flow])
			if x.by == "" && c.ofSession() {
				x.by = ledger.Balancer(c.why, k.proto, k.vip, out.Of.Time)
			}
		}
	}
}

// pipeline is one of a datapath on a chassis.
type pipeline struct {
	chassis, datapath int32
	egress            bool
}

func pipelineOf(ev *trace.Event) pipeline {
	return pipeline{ev.Chassis, ev.Datapath, ev.Egress}
}

// ofPort reports whether a packet that meets a flow is in the pipeline of the port: it came
// in there, or is to leave there.
func (c *Coverage) ofPort(ev *trace.Event) bool {
	in := c.entered[pipelineOf(ev)]
	if ev.Egress {
		return int(in.Arg) == c.Port.Index
	}
	return int(in.Port) == c.Port.Index
}

// rowsOf are the counts of a flow's row, and of its address; none if it has no row.
func (c *Coverage) rowsOf(f *network.Flow) (list []*tally) {
	kind := stageKind(f)
	if f.StageHint == "" || kind == "" {
		return nil
	}
	keys := []row{{hint: f.StageHint, kind: kind}}
	if vip := c.vipOf(f); vip.IsValid() {
		keys = append(keys, row{f.StageHint, kind, vip})
	}
	for _, k := range keys {
		if c.rows[k] == nil {
			c.rows[k] = &tally{}
		}
		list = append(list, c.rows[k])
	}
	return list
}

// vipOf is the address that a flow of a NAT stage is for, if it is a load balancer's; the zero one if it is
// for none, or several.
func (c *Coverage) vipOf(f *network.Flow) netip.AddrPort {
	if stageKind(f) != "nat" {
		return netip.AddrPort{}
	}
	return c.why.For(f)
}

// key is the row that a flow is listed in: of load balancers, by each of their addresses.
func (c *Coverage) key(f *network.Flow, balancers map[string]bool) row {
	k := row{hint: f.StageHint, kind: stageKind(f)}
	if balancers[f.StageHint] {
		k.vip = c.vipOf(f)
	}
	return k
}

// Observed implements replay.Handler.
func (c *Coverage) Observed(*replay.Frame, *replay.Point) {}

// Skipped implements replay.Handler.
func (c *Coverage) Skipped(*replay.Frame, *replay.Point, string) {}

// Row is how many packets met one thing.
type Row struct {
	Version  int    `json:"version"` // of this form, see replay.FormVersion
	Kind     string `json:"kind"`    // acl, load balancer, nat, route, policy, qos, backend or flow
	Name     string `json:"name"`
	Datapath string `json:"datapath,omitempty"`
	called   string // what people call it
	Stage    string `json:"stage,omitempty"`
	Flow     string `json:"flow,omitempty"` // UUID, of one that stands for the row
	Object   string `json:"object,omitempty"`
	Packets  int    `json:"packets"`
}

// Options say what is listed.
type Options struct {
	Untouched bool // also what no packet met
	Flows     bool // every logical flow, not only those that people asked for
}

// kinds are the stages whose flows people ask for.
var kinds = []struct {
	kind string
	is   func(string) bool
}{
	{"acl", func(s string) bool {
		return strings.Contains(s, "_acl") && !strings.Contains(s, "pre_acl") && !strings.Contains(s, "acl_hint") &&
			!strings.Contains(s, "acl_action") && !strings.Contains(s, "acl_sample")
	}},
	{"route", func(s string) bool { return s == "lr_in_ip_routing" || s == "lr_in_ip_routing_ecmp" }},
	{"policy", func(s string) bool { return s == "lr_in_policy" || s == "lr_in_policy_ecmp" }},
	{"qos", func(s string) bool { return strings.Contains(s, "_qos") }},
	{"nat", func(s string) bool { // a load balancer's, too
		return s == "ls_in_lb" || s == "ls_in_stateful" || strings.HasSuffix(s, "nat")
	}},
	{"dhcp", func(s string) bool { return strings.Contains(s, "dhcp_options") }},
}

// mostACL is the highest priority of an ACL's flow: the highest of an ACL, and what northd adds.
// Above are flows of its own, such as those that let answers of DHCP through.
const mostACL = 32767 + 1000

// stageKind is the kind of the stage that a flow is in, "" if people ask for none of its flows.
func stageKind(f *network.Flow) string {
	for _, k := range kinds {
		if k.is(f.Stage) {
			if k.kind == "acl" && f.Priority > mostACL {
				return ""
			}
			return k.kind
		}
	}
	return ""
}

// asked reports whether a flow was made for a row that people asked for, or leads to a next
// hop: northd makes many of its own.
func (c *Coverage) asked(f *network.Flow) bool {
	if f.StageHint != "" {
		return true
	}
	_, leads := c.why.Leads(f)
	return leads && strings.Contains(f.Stage, "lr_in_ip_routing")
}

// balancers are the rows some flow of which gives packets a backend.
func (c *Coverage) balancers() map[string]bool {
	hints := map[string]bool{}
	for _, f := range c.all() {
		if f.StageHint != "" && stageKind(f) == "nat" && c.why.Balances(f) {
			hints[f.StageHint] = true
		}
	}
	return hints
}

// Rows lists what was met: an ACL or other Northbound row once, a load balancer with each of its addresses, with
// the packets that met any of the flows, unless flows are asked for; by kind, the most met first.
func (c *Coverage) Rows(o Options) []Row {
	var flows []*network.Flow // one that stands for each row
	of := map[row]int{}       // index in it of the row of a kind and hint
	balancers := c.balancers()
	for _, f := range c.all() {
		k := c.key(f, balancers)
		if k.kind != "" && !c.asked(f) {
			k.kind = ""
		}
		if balancers[k.hint] && strings.HasSuffix(f.Stage, "_undnat") && !o.Flows {
			continue // it is for the answers, whose backend may be of several addresses
		}
		switch {
		case c.Port != nil && (k.kind != "acl" || !c.concerns(f, c.Port)), k.kind == "" && !o.Flows,
			c.flows[f] == nil && f.Datapaths == nil && !c.ofSession(): // the network has it no more
			continue
		}
		if at, ok := of[k]; ok && f.StageHint != "" && !o.Flows {
			if c.better(f, flows[at]) {
				flows[at] = f
			}
			continue
		}
		of[k] = len(flows)
		flows = append(flows, f)
	}
	var rows []Row
	for _, f := range flows {
		rows = append(rows, c.describe(f, balancers, o.Flows))
	}
	if c.Port == nil {
		rows = append(rows, c.backendRows()...)
	}
	if !o.Untouched {
		rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Packets == 0 })
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(b.Packets, a.Packets),
			strings.Compare(a.Datapath, b.Datapath), strings.Compare(a.Name, b.Name), strings.Compare(a.Flow, b.Flow))
	})
	return rows
}

// better reports whether a flow rather than another stands for their row: it was met, or gives the backend.
func (c *Coverage) better(f, other *network.Flow) bool {
	if met, was := c.flows[f] != nil, c.flows[other] != nil; met != was {
		return met
	}
	return c.why.Balances(f) && !c.why.Balances(other)
}

// describe is the row of a flow, alone or with the others of its Northbound row.
func (c *Coverage) describe(f *network.Flow, balancers map[string]bool, alone bool) Row {
	kind, packets := "flow", 0
	if c.asked(f) {
		kind = cmp.Or(stageKind(f), kind)
	}
	if kind == "nat" && (balancers[f.StageHint] || c.why.Balances(f)) {
		kind = "load balancer"
	}
	if t := c.rows[c.key(f, balancers)]; t != nil && !alone {
		packets = t.packets
	} else if m := c.flows[f]; m != nil {
		packets = m.packets
	}
	r := newRow(kind, c.nameOf(f), packets)
	r.Stage, r.Flow = f.StageName(), f.UUID
	switch at := c.datapaths(f); len(at) {
	case 0:
		r.Datapath = "the network as it was"
	case 1:
		r.Datapath, r.called = at[0].Name, at[0].Called()
	default:
		r.Datapath = fmt.Sprintf("%d datapaths", len(at))
	}
	if x := c.object(f); x != nil {
		r.Object = x.String()
	}
	return r
}

// nameOf is a flow's priority and match; of one that only leads to a member of a group of
// next hops, the member and what is sent to the group.
func (c *Coverage) nameOf(f *network.Flow) string {
	if hop, leads := c.why.Leads(f); leads && strings.HasSuffix(f.StageName(), "_ecmp") && len(f.Datapaths) > 0 {
		if by := c.why.ChosenBy(f, f.Datapaths[0]); by != nil {
			return fmt.Sprintf("next hop %s of priority %d: %s", hop, by.Priority, by.Match)
		}
	}
	return fmt.Sprintf("priority %d: %s", f.Priority, f.Match)
}

// backendRows are load balancers' backends, those that nobody was given too. An address
// without a port is that of all ports.
func (c *Coverage) backendRows() (rows []Row) {
	net, known := c.why.Book.Net, map[backend]bool{}
	for _, lb := range net.LoadBalancers {
		for v := range net.VIPs(lb) {
			for _, b := range v.Backends {
				n := 0
				for k, x := range c.backends {
					if k.vip.Addr() == v.Addr && k.to.Addr() == b.Addr() && (v.Port == 0 || k.vip.Port() == v.Port &&
						k.to.Port() == b.Port() && k.proto == cmp.Or(lb.Protocol, header.ProtoTCP)) {
						n += x.packets
						known[k] = true
					}
				}
				text := b.String()
				if b.Port() == 0 {
					text = b.Addr().String()
				}
				r := newRow("backend", v.Text+" -> "+text, n)
				r.Object = lb.Name
				rows = append(rows, r)
			}
		}
	}
	for k, x := range c.backends { // of a session, and what the network has no more
		if x.balanced && !known[k] {
			r := newRow("backend", k.vip.String()+" -> "+k.to.String(), x.packets)
			r.Object = x.by
			rows = append(rows, r)
		}
	}
	return rows
}

// concerns reports whether an ACL's flow is about a port.
func (c *Coverage) concerns(f *network.Flow, p *network.Port) bool {
	return slices.Contains(f.Datapaths, p.Datapath) && c.why.Facts(f).Concern(p)
}

// Write prints rows for people, and how many packets there were.
func (c *Coverage) Write(w io.Writer, rows []Row) error {
	var b strings.Builder
	kind := ""
	for _, r := range rows {
		if r.Kind != kind {
			kind = r.Kind
			printable.Fprintf(&b, "%s:\n", kind)
		}
		n := fmt.Sprint(r.Packets)
		if r.Packets == 0 {
			n = "none"
		}
		where := cmp.Or(r.called, r.Datapath)
		switch {
		case where == "":
			printable.Fprintf(&b, "  %6s  %s", n, r.Name)
			if r.Object != "" {
				printable.Fprintf(&b, ", %s", r.Object)
			}
		case r.Object != "":
			printable.Fprintf(&b, "  %6s  %s: flow %.8s of %s of %s", n, r.Object, r.Flow, r.Stage, where)
		default:
			printable.Fprintf(&b, "  %6s  %s (%s of %s, flow %.8s)", n, r.Name, r.Stage, where, r.Flow)
		}
		b.WriteByte('\n')
	}
	packets := printable.Count(c.packets, "packet")
	if c.Port != nil {
		printable.Fprintf(&b, "%s, of which those to and from %s count\n", packets, c.Port.Called())
	} else if c.ofSession() { // which keeps no others
		printable.Fprintf(&b, "%s, %d logical flows were met\n", packets, len(c.flows))
	} else {
		printable.Fprintf(&b, "%s, of %d logical flows %d were met\n", packets, len(c.why.Book.Net.Flows),
			len(c.flows))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newRow(kind, name string, packets int) Row {
	return Row{Version: replay.FormVersion, Kind: kind, Name: name, Packets: packets}
}

// WriteJSON writes rows as one object a line.
func WriteJSON(w io.Writer, rows []Row) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range rows {
		if err := e.Encode(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}
