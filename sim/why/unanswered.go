package why

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Binding is a translation that a chassis keeps, and by which a packet would
// have been translated back.
type Binding struct {
	Chassis *network.Chassis
	Zone    uint16
	Name    string // of the zone
	conntrack.Entry
}

// Kind names what the binding does to packets in the original direction.
func (b *Binding) Kind() string {
	kind := ""
	if b.Orig.Dst != b.Reply.Src || b.Orig.DstPort != b.Reply.SrcPort {
		kind = "DNAT"
	}
	if b.Orig.Src != b.Reply.Dst || b.Orig.SrcPort != b.Reply.DstPort {
		kind += "SNAT"
	}
	if kind == "DNATSNAT" {
		return "DNAT and SNAT"
	}
	return kind
}

// Answers returns the translated connections to which a packet would be the
// answer, by its addresses and ports when it entered.
func (x *Explainer) Answers(frame []byte) (list []Binding) {
	if x.Conntrack == nil {
		return nil
	}
	t, ok := tupleOf(frame)
	if !ok {
		return nil
	}
	for _, c := range x.Book.Net.Chassis {
		table := x.Conntrack(c)
		if table == nil {
			continue
		}
		for _, e := range table.Answered(&t) {
			list = append(list, Binding{c, e.Zone, x.Book.Zone(int32(c.Index), e.Zone), e})
		}
	}
	return list
}

// tupleOf reads a frame's tuple; of an ICMP error there is none.
func tupleOf(frame []byte) (nat.Tuple, bool) {
	var p packet.Packet
	p.Set(frame, len(frame))
	ip := p.IP()
	if ip == nil {
		return nat.Tuple{}, false
	}
	var n nat.Packet
	if n.Parse(ip[:p.Layout.L3End-p.Layout.L3]) != nat.NoFault || n.IsError || n.Fragment {
		return nat.Tuple{}, false
	}
	return n.Tuple, true
}

// unanswered tells, of a packet that answers a translated connection and was
// not translated back, which binding would have applied and what passed it by:
// "SNAT of tcp 10.1.0.12:60042 > … is in zone r1_snat, which was not looked up".
//
// stale is what of it the network no longer has.
func (x *Explainer) unanswered(out *sim.Outcome) (text, stale string) {
	if undone(&out.Trace) {
		return "", ""
	}
	if x.Conntrack == nil {
		return out.Trace.Said(trace.Missed, 0), ""
	}
	for _, b := range x.Answers(out.Of.Frame) {
		if s := x.passedBy(&out.Trace, &b); s != "" {
			return s, x.staleBinding(&b, out.Of.Time)
		}
	}
	return "", ""
}

// undone reports whether a packet was translated back.
func undone(t *trace.Trace) bool {
	return slices.ContainsFunc(t.NAT, func(n trace.NATStep) bool { return n.Undo })
}

// Needed tells by which binding a packet that was not translated back would have been; "" if
// there is none, or it was.
func (x *Explainer) Needed(out *sim.Outcome) (text string) {
	if undone(&out.Trace) {
		return ""
	}
	if x.Conntrack == nil {
		return out.Trace.Said(trace.Needed, 0)
	}
	for _, b := range x.Answers(out.Of.Frame) {
		text = fmt.Sprintf("it answers %s, whose %s zone %s of %s keeps", trace.TupleString(&b.Orig), b.Kind(),
			x.Book.ZoneCalled(b.Name), b.Chassis.Host())
	}
	return text
}

// known reports whether some zone knew a packet as the asking side's.
func known(t *trace.Trace) bool {
	return slices.ContainsFunc(t.CT, func(s trace.CTStep) bool {
		return s.State&(conntrack.Reply|conntrack.Invalid) == 0
	})
}

// staleBinding is what a binding needs and the network no longer has.
func (x *Explainer) staleBinding(b *Binding, now conntrack.Time) string {
	d, _ := x.zoneOwner(b)
	if d == nil {
		return ""
	}
	for _, k := range [...]kept{
		{d, false, b.Orig.HasPorts(), netip.AddrPortFrom(b.Orig.DstAddr(), b.Orig.DstPort),
			netip.AddrPortFrom(b.Reply.SrcAddr(), b.Reply.SrcPort)},
		{d, true, b.Orig.HasPorts(), netip.AddrPortFrom(b.Orig.SrcAddr(), b.Orig.SrcPort),
			netip.AddrPortFrom(b.Reply.DstAddr(), b.Reply.DstPort)},
	} {
		if s := x.stale(k, now); s != "" {
			return s
		}
	}
	return ""
}

// untranslated tells of an answer that left without being translated back;
// false if it is none. What some zone knows as the asking side's is none.
func (x *Explainer) untranslated(out *sim.Outcome) (Decision, bool) {
	if out.Late { // what it met before it was held is not in this trace
		return Decision{}, false
	}
	if known(&out.Trace) {
		return Decision{}, false
	}
	s, stale := x.unanswered(out)
	if s == "" || out.Trace.Len() == 0 {
		return Decision{}, false
	}
	d := x.decision(Untranslated, &out.Trace, out.Trace.Len()-1, nil)
	d.Text, d.Stale = s, stale
	return d, true
}

// passedBy says why a binding was not applied; "" if the packet has not been
// in its datapath.
func (x *Explainer) passedBy(t *trace.Trace, b *Binding) string {
	orig := trace.TupleString(&b.Orig)
	text := fmt.Sprintf("it answers %s, whose %s is in zone %s", orig, b.Kind(), x.Book.ZoneCalled(b.Name))
	var looked []string
	for i := range t.CT {
		s := &t.CT[i]
		if int(s.Chassis) == b.Chassis.Index && s.Zone == b.Zone {
			if s.State&conntrack.Invalid != 0 && s.Refusal != conntrack.NotRefused {
				return text + ", where it was refused: " + s.Refusal.Explain(&s.Check)
			}
			return ""
		}
		if at := fmt.Sprintf("%s: %s", x.zone(s), stateWord(s.State)); !slices.Contains(looked, at) {
			looked = append(looked, at)
		}
	}
	d, snat := x.zoneOwner(b)
	if d == nil {
		return ""
	}
	snat = snat || b.Kind() == "SNAT" // in a common zone, too, it is undone where the others of its kind are
	f, on := x.lookup(t, d, snat, b.Chassis)
	switch {
	case on == nil:
		if s := x.wayRound(t, b, d); s != "" {
			return text + " of " + b.Chassis.Host() + s
		}
		return ""
	case on == b.Chassis && !snat && d.Router && !x.left(t, d):
		return ""
	case on != b.Chassis:
		text += fmt.Sprintf(" of %s, which was not looked up: the packet crossed %s on %s", b.Chassis.Host(),
			d.Called(), on.Host())
	case f != nil:
		text += ", which was not looked up: " + x.name(f, d) + " passed it by"
	default:
		text += ", which was not looked up"
	}
	if len(looked) > 0 {
		text += "; looked up in " + strings.Join(looked, ", ")
	} else {
		text += "; conntrack was never asked"
	}
	return text
}

// wayRound says of an answer that did not come to the router which keeps the binding that it went another way,
// since the question kept its source: it was given no SNAT by which its answers would come back to the router. It
// is "" if the answer was not routed, or ended before.
func (x *Explainer) wayRound(t *trace.Trace, b *Binding, router *network.Datapath) string {
	if b.Kind() != "DNAT" {
		return ""
	}
	for _, ev := range t.Events() {
		if ev.Kind == trace.Match && strings.HasPrefix(x.Book.Net.Flows[ev.Flow].Stage, "lr_in_ip_routing") {
			return fmt.Sprintf("; it did not come to %s, which gave the question no SNAT: %s sends what is for %s "+
				"another way", router.Called(), x.Book.Net.Datapaths[ev.Datapath].Called(), b.Orig.SrcAddr())
		}
	}
	return ""
}

// stateWord is what a look-up found, in short.
func stateWord(s conntrack.State) string {
	return strings.TrimSuffix(trace.StateString(s&^conntrack.Tracked), "untracked")
}

// zoneOwner is the datapath whose NAT zone a binding is in.
func (x *Explainer) zoneOwner(b *Binding) (d *network.Datapath, snat bool) {
	name, snat := strings.CutSuffix(b.Name, "_snat")
	if !snat {
		var dnat bool
		if name, dnat = strings.CutSuffix(b.Name, "_dnat"); !dnat {
			return nil, false
		}
	}
	for _, d := range x.Book.Net.Datapaths {
		if d.Name == name || d.UUID == name || d.NBUUID == name {
			return d, snat
		}
	}
	return nil, false
}

// left reports whether a packet came to the egress pipeline of a router, in which what it
// answers as to DNAT is undone: if it waits or ends before, that passed nothing by.
func (x *Explainer) left(t *trace.Trace, d *network.Datapath) bool {
	for i := range t.Events() {
		switch ev := &t.Events()[i]; {
		case ev.Kind == trace.Made: // what follows is another packet's
			return false
		case ev.Kind == trace.Match && int(ev.Datapath) == d.Index && x.Book.Net.Flows[ev.Flow].Egress:
			return true
		}
	}
	return false
}

// lookup is the flow that a packet met in the stage of a router in which answers
// are looked up, and the chassis on which it came to that router: the one that
// keeps the binding if it was there, nil if it was on none.
func (x *Explainer) lookup(t *trace.Trace, d *network.Datapath, snat bool, at *network.Chassis) (f *network.Flow,
	on *network.Chassis) {
	stages := []string{"_undnat", "_dnat", "_defrag"}
	if snat {
		stages = []string{"_unsnat", "_in_unsnat"}
	}
	for i := range t.Events() {
		ev := &t.Events()[i]
		if int(ev.Datapath) != d.Index {
			continue
		}
		if c := x.Book.Net.Chassis[ev.Chassis]; on != at {
			on = c
		}
		if ev.Kind != trace.Match || int(ev.Chassis) != at.Index {
			continue
		}
		met := x.Book.Net.Flows[ev.Flow]
		for _, s := range stages {
			if strings.HasSuffix(met.Stage, s) && (f == nil || met.Priority > 0) {
				f = met
			}
		}
	}
	return f, on
}
