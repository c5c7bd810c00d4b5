// Package why says which logical flow decided a packet's fate, and why, in the
// words of whoever runs the network.
//
// A trace holds every flow that a packet met; most of them decide nothing. An
// Explainer finds those that did: the one that dropped the packet, or that set
// the bit by which a later stage drops it; those that translated, marked or
// rerouted it; the check by which conntrack refused it; and the binding that would have
// translated an answer, had its zone been looked up. With the Northbound
// database's rows it names the ACL, load balancer, NAT row or route behind.
//
// It reads traces after the fact and changes nothing. Every command that tells
// what decided asks this package.
package why

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/trace"
)

// Explainer explains what became of packets on one network.
type Explainer struct {
	Book *trace.Book
	// Objects are the Northbound database's rows, nil without one.
	Objects *network.Objects
	// Conntrack returns a chassis' table as it is now, nil if no packet has been
	// there. It is nil where tables are not at hand, as for packets of a session.
	Conntrack func(*network.Chassis) *conntrack.Table
	// Past tells what the network has lost, oldest first; of logical flows, those
	// that keep wants. It is nil where the database has no history.
	Past func(keep func(*network.Flow) bool) []network.Departure

	// Names are those of addresses, and of addresses with ports, where the network at
	// hand does not tell: nil if it does.
	Names func(key string, at conntrack.Time) string

	// KeptElsewhere is what Elsewhere said of a session's flows, nil for none.
	KeptElsewhere map[*network.Flow]string

	// Gaps are the networks of other zones to which routers have no route.
	Gaps func() []sim.Gap

	now      conntrack.Time // of which Objects are told
	sides    map[*network.Flow]*sides
	envs     *sim.Envs
	envsOf   *network.Network // and what it had become
	envsAt   int
	stateful map[*network.Datapath]bool // switches that look packets up, when the network had
	// become another so often
	statefulAt int
	staleness  staleness
	balancers  balancers
	asked      map[datagram]netip.AddrPort // by their first fragments
	stateless  stateless
}

// New returns an explainer of an engine's packets.
func New(e *sim.Engine, objects *network.Objects) *Explainer {
	return &Explainer{Book: e.Book(), Objects: objects, Conntrack: e.Tracked, Gaps: sync.OnceValue(e.Gaps)}
}

// Kind is how a decision bears on a packet.
type Kind uint8

const (
	Dropped      Kind = iota + 1 // it ends the packet
	Answered                     // OVN answers in its place
	Held                         // ovn-controller asks for the next hop first, or it is a fragment of more
	Translated                   // conntrack changes an address
	Rerouted                     // a router policy sends it elsewhere
	Untranslated                 // an answer leaves as it came, past the binding it needed
	Marked                       // a QoS rule changes its DSCP
	Unknown                      // it ends for want of what no capture shows
	Rewritten                    // a stateless NAT row changes an address, without conntrack
	Taken                        // ovn-controller has it, and sends nothing for it
	AlsoAnswered                 // it goes on, and OVN answers it, too
)

var kindText = [...]string{"", "dropped", "answered", "held", "translated", "rerouted", "untranslated", "marked",
	"not known", "rewritten", "taken", "also answered"}

// String returns the kind in a word, as JSON spells it.
func (k Kind) String() string { return kindText[k] }

// Decision is one flow that decided, with what it says.
type Decision struct {
	Kind   Kind
	Event  int // index in the trace
	Reason trace.Reason
	// Flow decided; nil if it is that none matched.
	Flow     *network.Flow
	Datapath *network.Datapath
	Stage    string // the flow's
	At       string // the stage where it ended the packet, which may be a later one; "" if the packet went on
	Object   *network.Object
	Text     string // in a sentence, without the packet
	Stale    string // what the connection uses and the network no longer has
	Rewrite  Rewrite
}

// Sentence is the reason and the flow, for a decision that stands alone.
func (d *Decision) Sentence() string {
	if d.Kind != Dropped || decides(d.Reason) || d.Reason == trace.NoReason {
		return d.Text
	}
	return d.Reason.String() + ", " + d.Text
}

// Decide returns what decided a packet's fate: each translation and policy on
// its way, in order, and at the end why it was dropped, held or answered.
func (x *Explainer) Decide(out *sim.Outcome) (list []Decision) {
	t := &out.Trace
	x.now = out.Of.Time
	for i := range t.Events() {
		ev := &t.Events()[i]
		switch ev.Kind {
		case trace.NAT:
			list = append(list, x.translated(t, i, out.Of.Time))
		case trace.Match:
			if d, ok := x.Beside(x.Book.Net.Flows[ev.Flow], ev.Datapath); ok {
				d.Event, d.Reason = i, ev.Reason
				list = append(list, d)
			}
		}
	}
	if d, ok := x.also(out); ok {
		list = append(list, d)
	}
	if d, ok := x.end(out); ok {
		list = append(list, d)
	}
	return list
}

// Beside is what a flow, by itself, does to packets in a datapath that go on: it rewrites, reroutes or
// marks them; false if it does none of these. What it says of a packet is left out: Event and Reason.
func (x *Explainer) Beside(f *network.Flow, datapath int32) (d Decision, ok bool) {
	rewrite, rewrites := x.Rewrites(f)
	dscp, marks := x.Marks(f)
	switch {
	case rewrites:
		d.Kind, d.Rewrite = Rewritten, rewrite
	case x.Reroutes(f):
		d.Kind = Rerouted
	case marks:
		d.Kind, d.Text = Marked, fmt.Sprintf("DSCP %d ", dscp)
	default:
		return d, false
	}
	d.Flow, d.Datapath = f, x.Book.Net.Datapaths[datapath]
	d.Stage, d.Object = f.StageName(), x.Object(f)
	d.Text += "by " + x.name(f, d.Datapath)
	return d, true
}

// Untranslated tells of an answer that left as it came, past the binding it needed; false if it is none.
func (x *Explainer) Untranslated(out *sim.Outcome) (Decision, bool) {
	if len(out.Outputs) == 0 || Instead(out) {
		return Decision{}, false
	}
	return x.end(out)
}

// Marks returns the DSCP that a flow gives packets, if it is a QoS rule that does.
func (x *Explainer) Marks(f *network.Flow) (dscp uint8, marks bool) {
	if !strings.Contains(f.Stage, "_qos") {
		return 0, false
	}
	s := x.of(f)
	return s.dscp, s.marks
}

// Reroutes reports whether a flow is a router policy that chooses the way.
func (x *Explainer) Reroutes(f *network.Flow) bool {
	return strings.HasPrefix(f.Stage, "lr_in_policy") && f.Priority > 0 && x.of(f).facts.Sends
}

// end is the decision by which nothing of the packet itself left.
func (x *Explainer) end(out *sim.Outcome) (Decision, bool) {
	d, ok := x.ending(out)
	if ok && x.Conntrack == nil {
		if s := out.Trace.Said(trace.Told, 0); s != "" {
			d.Text = s
		}
		d.Stale = out.Trace.Said(trace.Outlived, len(out.Trace.NAT))
	}
	return d, ok
}

func (x *Explainer) ending(out *sim.Outcome) (Decision, bool) {
	if len(out.Outputs) > 0 {
		return x.instead(out)
	}
	if out.Verdict == sim.Consumed {
		if i := find(&out.Trace, trace.DropWaits); i >= 0 {
			return x.held(out, i), true
		}
		if i := find(&out.Trace, trace.DropFragment); i >= 0 {
			return x.collected(&out.Trace, i), true
		}
	}
	at := out.DropAt
	if at < 0 {
		at = len(out.Trace.Events()) - 1
	}
	if at < 0 {
		return Decision{}, false
	}
	if out.Verdict == sim.Unknown {
		return x.untold(out, at), true
	}
	return x.dropped(out, at), true
}

// instead tells of what left in a packet's place; false if the packet did.
func (x *Explainer) instead(out *sim.Outcome) (Decision, bool) {
	if !Instead(out) {
		return x.untranslated(out)
	}
	if i := find(&out.Trace, trace.DropWaits); i >= 0 {
		return x.held(out, i), true
	}
	for i := range out.Trace.Events() {
		if out.Trace.Events()[i].Kind != trace.Made {
			continue
		}
		d := x.made(&out.Trace, i)
		if d.Flow != nil {
			if s := x.unasked(&out.Trace, &d, i); s != "" {
				d.Text += "; " + s
			}
			if s := x.gap(out); s != "" {
				d.Text += "; " + s
			}
			x.astray(&d, out)
		}
		return d, true
	}
	return x.turned(out)
}

// made is the decision of the flow by which ovn-controller answers, at an event.
func (x *Explainer) made(t *trace.Trace, i int) Decision {
	d := x.decision(Answered, t, i, x.flowAt(t, i))
	d.Reason = t.Events()[i].Reason
	if d.Flow != nil {
		d = x.blame(d, t, i)
		d.Text = x.denial(d.Flow, "answered") + x.name(d.Flow, d.Datapath)
	}
	return d
}

// held is the decision by which a packet waits for its next hop.
func (x *Explainer) held(out *sim.Outcome, i int) Decision {
	t := &out.Trace
	d := x.decision(Held, t, i, x.flowAt(t, i))
	d.Reason = trace.DropWaits
	d.Text = "the next hop's Ethernet address is not known"
	for j := i; j >= 0; j-- {
		ev := &t.Events()[j]
		if ev.Kind != trace.Match || ev.Datapath != t.Events()[i].Datapath {
			continue
		}
		if f := x.Book.Net.Flows[ev.Flow]; strings.HasPrefix(f.Stage, "lr_in_ip_routing") && x.of(f).facts.Sends {
			if hop := x.of(f).hop; hop.IsValid() {
				d.Text = "the Ethernet address of the next hop " + hop.String() + " is not known"
				d.Text += x.strange(hop, d.Datapath)
			}
			d.Text += "; the way is by " + x.name(f, d.Datapath)
			d.Object = x.Object(f)
			break
		}
	}
	x.astray(&d, out)
	return d
}

// astray tells of a packet that waits, or is answered, where it never should have come: it
// answers another, and nothing translated it back.
func (x *Explainer) astray(d *Decision, out *sim.Outcome) {
	if out.Late || known(&out.Trace) {
		return
	}
	s, stale := x.unanswered(out)
	if d.Stale = stale; stale != "" {
		s += " (stale: " + stale + ")"
	}
	if s != "" {
		d.Text = s + "; " + d.Text
	}
}

// collected is the decision by which a fragment waits for the rest of its datagram.
func (x *Explainer) collected(t *trace.Trace, i int) Decision {
	d := x.decision(Held, t, i, x.flowAt(t, i))
	d.Reason, d.Text = trace.DropFragment, "conntrack holds it until its datagram is complete"
	if d.Flow != nil {
		d.Text += ", at " + x.name(d.Flow, d.Datapath)
	}
	return d
}

// translated names the flow whose action translated the packet. What it undoes
// was decided by the flow that bound it; that one is named by the connection.
func (x *Explainer) translated(t *trace.Trace, i int, now conntrack.Time) Decision {
	ev := &t.Events()[i]
	n := &t.NAT[ev.Arg]
	d := x.Translation(n.Flow, ev.Datapath)
	d.Event, d.Reason, d.Stale = i, ev.Reason, x.Stale(n, ev.Datapath, now)
	if x.Conntrack == nil {
		d.Stale = t.Said(trace.Outlived, int(ev.Arg))
	}
	if d.Stale != "" { // the flow would translate to another address
		d.Object, d.Text = nil, "by its connection, which keeps it"
	}
	return d
}

// Translation is the decision of a flow, by its index, to translate packets in a
// datapath. What it says of a packet is left out: Event, Reason and Stale.
func (x *Explainer) Translation(flow, datapath int32) Decision {
	d := Decision{Kind: Translated, Datapath: x.Book.Net.Datapaths[datapath]}
	if flow >= 0 {
		d.Flow = x.Book.Net.Flows[flow]
		d.Stage, d.Object = d.Flow.StageName(), x.Object(d.Flow)
		d.Text = "by " + x.name(d.Flow, d.Datapath)
	}
	return d
}

// decision fills in what an event and a flow tell.
func (x *Explainer) decision(k Kind, t *trace.Trace, i int, f *network.Flow) Decision {
	ev := &t.Events()[i]
	d := Decision{Kind: k, Event: i, Reason: ev.Reason, Flow: f, Datapath: x.Book.Net.Datapaths[ev.Datapath]}
	if f != nil {
		d.Stage, d.Object = f.StageName(), x.Object(f)
	}
	switch {
	case k == Untranslated:
	case f != nil:
		d.At = d.Stage
	case slices.ContainsFunc(t.Events()[:i+1], func(e trace.Event) bool { return e.Kind == trace.Miss }):
		d.At = x.stageOf(t, i)
	}
	return d
}

// flowAt is the flow whose actions an event belongs to, nil if none matched.
func (x *Explainer) flowAt(t *trace.Trace, i int) *network.Flow {
	if ev := &t.Events()[i]; ev.Flow >= 0 && ev.Kind != trace.Miss {
		return x.Book.Net.Flows[ev.Flow]
	}
	for j := i; j >= 0; j-- {
		switch ev := &t.Events()[j]; ev.Kind {
		case trace.Miss:
			return nil
		case trace.Match:
			return x.Book.Net.Flows[ev.Flow]
		}
	}
	return nil
}

func find(t *trace.Trace, r trace.Reason) int {
	return slices.IndexFunc(t.Events(), func(ev trace.Event) bool { return ev.Kind == trace.Drop && ev.Reason == r })
}

// maxMatch is how much of a match a sentence quotes.
const maxMatch = 100

// name names a flow in a sentence, by the Northbound row behind it if that is
// known: "ACL "web" of pg-1 (to-lport 1001 drop: ip4), flow 1f2e3d4c of ls_out_acl".
func (x *Explainer) name(f *network.Flow, d *network.Datapath) string {
	at := fmt.Sprintf("flow %s of %s", short(f.UUID), f.StageName())
	if d != nil {
		at += " of " + d.Called()
	}
	if o := x.Object(f); o != nil {
		return o.String() + ", " + at
	}
	match := f.Match
	if len(match) > maxMatch {
		match = match[:maxMatch-3] + "..."
	}
	at += fmt.Sprintf(", priority %d: %s", f.Priority, match)
	if f.StageHint != "" {
		at += " (hint " + f.StageHint + ")"
	}
	return at
}

func short(uuid string) string { return uuid[:min(8, len(uuid))] }
