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
	"slices"
	"strings"

	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/printable"
	"ovnreplay/sim/replay"
	"ovnreplay/sim/trace"
	"ovnreplay/sim/why"
)

// Coverage is how many packets met what.
type Coverage struct {
	why      *why.Explainer
	flows    map[*network.Flow]int
	backends map[backend]int
	packets  int

	last map[*network.Flow]int // the packet that met a flow last
}

// backend is a load balancer's address and who was chosen.
type backend struct{ vip, backend string }

// New returns an empty count.
func New(x *why.Explainer) *Coverage {
	return &Coverage{why: x, flows: map[*network.Flow]int{}, backends: map[backend]int{}, last: map[*network.Flow]int{}}
}

// Entered implements replay.Handler.
func (c *Coverage) Entered(_ *replay.Frame, _ *replay.Point, out *sim.Outcome) {
	c.packets++
	for _, ev := range out.Trace.Events() {
		if ev.Kind != trace.Match {
			continue
		}
		if f := c.why.Book.Net.Flows[ev.Flow]; c.last[f] != c.packets { // a packet counts once
			c.last[f] = c.packets
			c.flows[f]++
		}
	}
	for i := range out.Trace.NAT {
		if n := &out.Trace.NAT[i]; n.Dst && !n.Undo {
			from, to := n.Ends()
			c.backends[backend{from, to}]++
		}
	}
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
	Stage    string `json:"stage,omitempty"`
	Flow     string `json:"flow,omitempty"` // UUID, of one that stands for the row
	Object   string `json:"object,omitempty"`
	Packets  int    `json:"packets"`
}

// Options say what is listed.
type Options struct {
	Port      *network.Port // only ACLs of this port
	Untouched bool          // also what no packet met
	Flows     bool          // every logical flow, not only those that people asked for
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
	{"load balancer", func(s string) bool { return s == "ls_in_lb" || s == "ls_in_stateful" }},
	{"nat", func(s string) bool {
		return strings.HasSuffix(s, "_dnat") || strings.HasSuffix(s, "_snat") || strings.HasSuffix(s, "nat")
	}},
	{"dhcp", func(s string) bool { return strings.Contains(s, "dhcp_options") }},
}

// kindOf is the kind of thing that a flow was made for, "" if nobody asked for
// it: northd makes many of its own.
func (c *Coverage) kindOf(f *network.Flow) string {
	if f.StageHint == "" {
		if _, leads := c.why.Leads(f); !leads || !strings.Contains(f.Stage, "lr_in_ip_routing") {
			return ""
		}
	}
	for _, k := range kinds {
		if k.is(f.Stage) {
			if k.kind == "nat" && c.why.Balances(f) {
				return "load balancer"
			}
			return k.kind
		}
	}
	return ""
}

// Rows lists what was met: an ACL, load balancer or other Northbound row once,
// with the sum of its flows unless flows are asked for; by kind, the most met first.
func (c *Coverage) Rows(o Options) []Row {
	var rows []Row
	of := map[[2]string]int{} // index of the row of a kind and hint
	for _, f := range c.why.Book.Net.Flows {
		kind, n := c.kindOf(f), c.flows[f]
		if o.Port != nil && (kind != "acl" || !c.concerns(f, o.Port)) {
			continue
		}
		if kind == "" && o.Flows {
			kind = "flow"
		}
		if kind == "" {
			continue
		}
		if at, ok := of[[2]string{kind, f.StageHint}]; ok && f.StageHint != "" && !o.Flows {
			if rows[at].Packets == 0 && n > 0 {
				rows[at].Flow, rows[at].Stage, rows[at].Name = f.UUID, f.StageName(), nameOf(f)
			}
			rows[at].Packets += n
			continue
		}
		of[[2]string{kind, f.StageHint}] = len(rows)
		r := rowOf(kind, nameOf(f), n)
		r.Stage, r.Flow = f.StageName(), f.UUID
		switch n := len(f.Datapaths); n {
		case 0: // a session's, which does not say
			r.Datapath = "the network"
		case 1:
			r.Datapath = f.Datapaths[0].Name
		default:
			r.Datapath = fmt.Sprintf("%d datapaths", n)
		}
		if x := c.why.Objects.ForFlow(f); x != nil {
			r.Object = x.String()
		}
		rows = append(rows, r)
	}
	if o.Port == nil {
		rows = append(rows, c.backendRows(o)...)
	}
	if !o.Untouched {
		rows = slices.DeleteFunc(rows, func(r Row) bool { return r.Packets == 0 })
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(b.Packets, a.Packets),
			strings.Compare(a.Datapath, b.Datapath),
			strings.Compare(a.Name, b.Name))
	})
	return rows
}

func nameOf(f *network.Flow) string { return fmt.Sprintf("priority %d: %s", f.Priority, f.Match) }

// backendRows are load balancers' backends, those that nobody was given too if
// they are asked for.
func (c *Coverage) backendRows(o Options) (rows []Row) {
	seen := map[backend]bool{}
	for _, lb := range c.why.Book.Net.LoadBalancers {
		for i := range lb.VIPs {
			for _, b := range lb.VIPs[i].Backends {
				k := backend{lb.VIPs[i].Text, b.String()}
				n := c.backends[k]
				seen[k] = true
				if n > 0 || o.Untouched {
					r := rowOf("backend", k.vip+" -> "+k.backend, n)
					r.Object = lb.Name
					rows = append(rows, r)
				}
			}
		}
	}
	for k, n := range c.backends {
		if !seen[k] {
			rows = append(rows, rowOf("backend", k.vip+" -> "+k.backend, n))
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
		switch {
		case r.Datapath == "":
			printable.Fprintf(&b, "  %6s  %s", n, r.Name)
			if r.Object != "" {
				printable.Fprintf(&b, ", %s", r.Object)
			}
		case r.Object != "":
			printable.Fprintf(&b, "  %6s  %s: flow %.8s of %s of %s", n, r.Object, r.Flow, r.Stage, r.Datapath)
		default:
			printable.Fprintf(&b, "  %6s  %s (%s of %s, flow %.8s)", n, r.Name, r.Stage, r.Datapath, r.Flow)
		}
		b.WriteByte('\n')
	}
	printable.Fprintf(&b, "%d packets, of %d logical flows %d were met\n", c.packets, len(c.why.Book.Net.Flows),
		len(c.flows))
	_, err := io.WriteString(w, b.String())
	return err
}

func rowOf(kind, name string, packets int) Row {
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
