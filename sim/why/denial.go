package why

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// decided tells which flow decided that a packet ends at an event, and what kind
// of thing said no.
func (x *Explainer) decided(d *Decision, out *sim.Outcome, at int) string {
	ends := d.Flow // it may only carry out what another decided
	*d = x.blame(*d, &out.Trace, at)
	var said string
	switch {
	case d.Reason == trace.DropConsumed:
		said = "by "
		if strings.Contains(d.Stage, "_lb") {
			said = x.denial(d.Flow, "by")
		}
	case strings.Contains(ends.Stage, "l2_unknown"):
		said = "no port is known for " + x.ethernet(out, d.Datapath, at) + ": "
	case strings.HasPrefix(d.Stage, "lr_in_ip_routing") && d.Flow.Priority == 0:
		said = x.noRoute(out, d.Stage, d.Datapath)
	case strings.Contains(d.Stage, "_port_sec"):
		said = x.secured(out, at, d.Flow)
	default:
		said = x.denial(d.Flow, "by")
	}
	said += x.name(d.Flow, d.Datapath)
	if s := x.Elsewhere(ends, d.Datapath); s != "" {
		said += "; " + s
	}
	if s := x.unasked(&out.Trace, d, at); s != "" {
		said += "; " + s
	}
	return said
}

// denial begins a sentence about a flow that decided: what kind of thing said no.
func (x *Explainer) denial(f *network.Flow, otherwise string) string {
	for _, k := range denials {
		switch by := strings.HasPrefix(k.says, "by"); {
		case !k.is(x, f), otherwise != "by" && !by && !k.always:
		case x.Object(f) != nil: // its name begins with what it is
			return k.says + " "
		default:
			return strings.TrimSuffix(k.says+" "+k.kind, " ") + x.loggedName(f) + " "
		}
	}
	return "by "
}

var denials = []struct {
	is     func(*Explainer, *network.Flow) bool
	says   string
	kind   string // of thing, for a flow of which no Northbound row is known
	always bool   // of what is answered, too
}{
	{(*Explainer).refuses, "conntrack refused it:", "", false},
	{func(_ *Explainer, f *network.Flow) bool { return isACL(f.Stage) }, "by", "ACL", false},
	{inStage("port_sec"), "by port security:", "", false},
	{inStage("lr_in_admission"), "this router port takes no such frame:", "", false},
	{(*Explainer).ownAddress, "the address is the router's own, and nothing translates it to another:", "", false},
	{inStage("lr_in_arp_resolve"), "no next hop:", "", false},
	{(*Explainer).unrouted, "the router sends no such packet on:", "", false},
	{inStage("lr_in_ip_routing"), "by", "route", false},
	{inStage("lr_in_policy"), "by", "router policy", false},
	{inStage("lr_in_ip_input"), "the router itself takes no such packet:", "", false},
	{inStage("larger_pkts"), "larger than the MTU:", "", true},
	{inStage("_qos"), "by", "QoS rule", false},
	{inStage("dhcp"), "by", "DHCP options", false},
	{inStage("_lb_aff_learn"), "the packet by which a client's backend is learned ends here:", "load balancer", true},
	{(*Explainer).withoutBackends, "no backend:", "load balancer", true},
	{inStage("_lb"), "by", "load balancer", false},
}

// refuses reports whether an ACL's flow is that which drops what conntrack refused.
func (x *Explainer) refuses(f *network.Flow) bool { return isACL(f.Stage) && x.of(f).refusing }

func inStage(part string) func(*Explainer, *network.Flow) bool {
	return func(_ *Explainer, f *network.Flow) bool { return strings.Contains(f.Stage, part) }
}

// withoutBackends reports whether a flow is what northd makes of a load balancer's
// address that has no backend, or none that is alive: it drops or rejects.
func (x *Explainer) withoutBackends(f *network.Flow) bool {
	balances := strings.HasSuffix(f.StageName(), "_lb") || strings.HasSuffix(f.StageName(), "_pre_lb") ||
		f.StageName() == "lr_in_dnat"
	return balances && !x.of(f).balances && x.of(f).denies
}

// ownAddress reports whether a flow is that by which a router drops what is still
// for an address of its own behind all that it translates.
func (x *Explainer) ownAddress(f *network.Flow) bool {
	return strings.HasPrefix(f.Stage, "lr_in_arp_resolve") && x.of(f).denies && len(x.of(f).asks.addr[1]) > 0
}

// unrouted reports whether a flow is that of no route by which a router drops what it never
// sends on: router solicitations and advertisements.
func (x *Explainer) unrouted(f *network.Flow) bool {
	return strings.HasPrefix(f.Stage, "lr_in_ip_routing") && f.StageHint == "" && f.Priority > 0 && x.of(f).denies &&
		len(x.of(f).asks.addr[0])+len(x.of(f).asks.addr[1]) == 0
}

// loggedName is the name of an ACL as its log entries have it, for a flow of which
// no Northbound row is known.
func (x *Explainer) loggedName(f *network.Flow) string {
	if name := x.of(f).logged; name != "" && x.Object(f) == nil {
		return fmt.Sprintf(" %q,", name)
	}
	return ""
}

// denies reports whether actions end a packet, or answer that it is not wanted.
func denies(actions []lflow.Action) bool {
	return slices.ContainsFunc(actions, func(a lflow.Action) bool {
		if n, ok := a.(lflow.Nested); ok {
			return n.Op == lflow.Reject
		}
		switch a.(type) {
		case lflow.Drop, lflow.TriggerEvent:
			return true
		}
		return false
	})
}

// noRoute says which address a router has no route to, if that is what a stage is
// for.
func (x *Explainer) noRoute(out *sim.Outcome, stage string, d *network.Datapath) string {
	if !strings.HasPrefix(stage, "lr_in_ip_routing") {
		return ""
	}
	if to := aimedAt(out); len(to) > 0 {
		return fmt.Sprintf("%s has no route to %s: ", d.Called(), to[len(to)-1])
	}
	return d.Called() + " has no route: "
}

// ethernet is the address to which a packet is in a switch: where it entered, the
// frame's, else what a router's flow on its way gave it.
func (x *Explainer) ethernet(out *sim.Outcome, d *network.Datapath, at int) string {
	events := out.Trace.Events()
	mac := uint64(0)
	given := false
	for i := at; i > 0 && !given; i-- {
		if ev := &events[i]; ev.Kind == trace.Match {
			f := x.Book.Net.Flows[ev.Flow]
			mac, given = x.of(f).mac, x.of(f).addresses || strings.HasPrefix(f.Stage, "lr_in_arp_resolve")
		}
	}
	if !given && int(events[0].Datapath) == d.Index {
		h := headersOf(out)
		mac = h.Key.Get(field.EthDst)
	}
	if mac == 0 { // a router learned it
		return "its Ethernet address"
	}
	return "Ethernet address " + header.FormatMAC(mac) + x.whose(mac, d)
}

// whose tells which port has an Ethernet address: of d, which should know it then, or of another
// switch. It is "" if there is no such.
func (x *Explainer) whose(mac uint64, d *network.Datapath) string {
	if x.Conntrack == nil { // a session does not hold all ports
		return ""
	}
	text := ""
	for _, p := range x.Book.Net.Ports[min(1, len(x.Book.Net.Ports)):] {
		for _, a := range p.Addresses {
			if header.MACNumber(a.MAC) == mac && p.Twin == nil && (text == "" || p.Datapath == d) {
				text = ", which is that of " + p.Called() + " of " + p.Datapath.Called()
			}
		}
	}
	return text
}

// portAt names the port that the reason for which a packet ends is about.
func (x *Explainer) portAt(t *trace.Trace, at int) string {
	ev := &t.Events()[at]
	p := x.portNumber(int(ev.Port))
	switch {
	case ev.Kind != trace.Drop:
		return ""
	case ev.Reason == trace.DropNoOutport:
		return x.nameless(t, at)
	case p == nil:
		return ""
	}
	kind := "port"
	if p.TypeName != "" {
		kind = p.TypeName + " port"
	}
	return fmt.Sprintf("%s %s of %s", kind, p.Called(), p.Datapath.Called()) + x.lacking(t, at, p)
}

func (x *Explainer) portNumber(i int) *network.Port {
	if i <= 0 || i >= len(x.Book.Net.Ports) {
		return nil
	}
	return x.Book.Net.Ports[i]
}

// apart tells the ports that must be resident for a match, or must not be, from what else it
// asks for.
func apart(e *lflow.Expr) (plain, resident, absent string) {
	if e.Kind == lflow.Condition && !e.Not {
		return "1", e.String, ""
	} else if e.Kind != lflow.And {
		return e.Text(), "", ""
	}
	var rest []string
	for _, a := range e.Args {
		switch {
		case a.Kind == lflow.Condition && !a.Not && resident == "":
			resident = a.String
			continue
		case a.Kind == lflow.Condition && a.Not:
			absent = a.String
		}
		rest = append(rest, a.Text())
	}
	return strings.Join(rest, " && "), resident, absent
}

// nearby is how much higher at most the priority of a flow is that northd puts before
// one that drops what is not for this chassis.
const nearby = 10

// Elsewhere tells that another chassis does what a flow that drops does not let this
// one do: it drops where a port is not, or there is a flow before it that asks the same and
// is for a port's chassis only. A session keeps what is said of each of its flows.
func (x *Explainer) Elsewhere(f *network.Flow, d *network.Datapath) string {
	if x.KeptElsewhere != nil {
		return x.KeptElsewhere[f]
	}
	p := 0
	if f.Egress {
		p = 1
	}
	if d == nil || int(f.Table) >= len(d.Flows[p]) || !x.of(f).denies || x.of(f).resident != "" {
		return ""
	}
	if port := x.of(f).absent; port != "" {
		return x.at(port)
	}
	for _, g := range d.Flows[p][f.Table] {
		if g.Priority < f.Priority {
			break
		}
		if g == f || g.Priority > f.Priority+nearby {
			continue
		}
		side := x.of(g)
		if side.resident == "" || side.plain != x.of(f).plain {
			continue
		}
		return x.at(side.resident)
	}
	return ""
}

// at tells for which chassis a packet is that is for that of a port.
func (x *Explainer) at(name string) string {
	if port := x.Book.Net.Port(name); port != nil && port.Chassis != nil {
		return "it is for " + port.Chassis.Host() + ", where " + port.Called() + " is"
	}
	return "it is for the chassis of " + name + ", which is on none"
}
