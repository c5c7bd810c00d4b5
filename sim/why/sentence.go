package why

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// dropped tells why a packet ended at an event.
func (x *Explainer) dropped(out *sim.Outcome, at int) Decision {
	t := &out.Trace
	d := x.decision(Dropped, t, at, x.flowAt(t, at))
	if d.Reason = out.Drop; out.Verdict == sim.Consumed {
		d.Kind = Taken
	}
	var parts []string
	if s, stale := x.unanswered(out); s != "" {
		parts = append(parts, s)
		if d.Stale = stale; stale != "" {
			parts = append(parts, "stale: "+stale)
		}
	} else if s := x.refused(t, at); s != "" && (decides(d.Reason) || d.Flow == nil) {
		parts = append(parts, s)
	}
	if s := forgotten(t, at); s != "" {
		parts = append(parts, s)
	}
	if s := x.clash(t, at); s != "" {
		parts = append(parts, s)
	}
	if s := x.portAt(t, at); s != "" {
		parts = append(parts, s)
	}
	switch {
	case d.Flow != nil && decides(d.Reason):
		parts = append(parts, x.decided(&d, out, at))
	case d.Flow != nil:
		parts = append(parts, "at "+x.name(d.Flow, d.Datapath))
	case d.Reason == trace.DropNoMatch:
		d.Stage = d.At
		parts = append(parts, x.noRoute(out, d.Stage, d.Datapath)+
			fmt.Sprintf("no flow of %s of %s matches", d.Stage, d.Datapath.Called()))
	case len(parts) == 0:
		parts = append(parts, "in "+d.Datapath.Called())
	}
	if s := x.gap(out); s != "" {
		parts = append(parts, s)
	}
	d.Text = strings.Join(parts, "; ")
	return d
}

// forgotten tells that conntrack does not know a packet's connection any more, or did
// not take it in, which may be why the packet ends later; "" if that is not so.
func forgotten(t *trace.Trace, at int) string {
	for _, ev := range t.Events()[:at] {
		switch ev.Reason {
		case trace.NotCommitted, trace.NotInZone, trace.NotTranslated, trace.Expired:
			if ev.Kind == trace.Note {
				return ev.Reason.String()
			}
		}
	}
	return ""
}

// clash names the connection to which the answers to a packet's connection would belong,
// for which it could not be committed; "" if that is not why it ends.
func (x *Explainer) clash(t *trace.Trace, at int) string {
	if t.Events()[at].Reason != trace.DropClash || x.Conntrack == nil || len(t.CT) == 0 {
		return ""
	}
	s := &t.CT[len(t.CT)-1]
	answer := s.Orig.Reverse()
	for _, e := range x.Conntrack(x.Book.Net.Chassis[s.Chassis]).Answered(&answer) {
		if e.Zone == s.Zone {
			b := Binding{Entry: e}
			return fmt.Sprintf("what answers it would answer %s, whose %s zone %s keeps", trace.TupleString(&e.Orig),
				b.Kind(), x.zone(s))
		}
	}
	return ""
}

// gap tells that a router on a packet's way has no route to the zone that has the
// network it was for; "" if that is not so.
func (x *Explainer) gap(out *sim.Outcome) string {
	if x.Gaps == nil || len(x.Book.Net.AZs) < 2 {
		return ""
	}
	crossed := map[int32]bool{}
	for _, ev := range out.Trace.Events() {
		crossed[ev.Datapath] = true
	}
	for _, g := range x.Gaps() {
		if crossed[int32(g.Router.Index)] && slices.ContainsFunc(aimedAt(out), g.Network.Contains) {
			return g.String()
		}
	}
	return ""
}

// headersOf are the headers of a packet as it entered.
func headersOf(out *sim.Outcome) *packet.Headers {
	if h := out.Of.Headers; h != nil {
		return h
	}
	h := new(packet.Headers)
	h.Read(out.Of.Frame)
	return h
}

// aimedAt are the addresses that a packet was for, translated ones included.
func aimedAt(out *sim.Outcome) (list []netip.Addr) {
	h := headersOf(out)
	switch h.Key.Get(field.EthType) {
	case header.EtherIPv4:
		list = append(list, header.IPv4(h.Key.Get(field.IP4Dst)))
	case header.EtherIPv6:
		list = append(list, netip.AddrFrom16(h.Key.Get128(field.IP6Dst).Bytes()))
	}
	for i := range out.Trace.NAT {
		if n := &out.Trace.NAT[i]; n.Dst {
			list = append(list, header.Addr(n.To.V6, &n.To.Dst))
		}
	}
	return list
}

// untold is that what became of a packet is not known: in the replay it ends at
// a flow, which in truth it need not have met.
func (x *Explainer) untold(out *sim.Outcome, at int) Decision {
	d := x.decision(Unknown, &out.Trace, at, x.flowAt(&out.Trace, at))
	d.Reason = out.Drop
	d.Text = "capture also where that entered"
	if d.Flow != nil {
		d.Text = "without it the packet ends at " + x.name(d.Flow, d.Datapath) + "; " + d.Text
	} else {
		d.Stage = d.At
	}
	return d
}

// unasked tells, of a packet that an ACL denied, that its switch has not looked
// it up: an answer is then judged as a question is.
func (x *Explainer) unasked(t *trace.Trace, d *Decision, at int) string {
	if !isACL(d.Stage) || d.Datapath == nil {
		return ""
	}
	for j := at; j >= 0; j-- {
		if ev := &t.Events()[j]; ev.Kind == trace.CT && int(ev.Datapath) == d.Datapath.Index {
			return ""
		}
	}
	if x.stateful == nil || x.statefulAt != x.Book.Net.Became {
		x.stateful, x.statefulAt = map[*network.Datapath]bool{}, x.Book.Net.Became
	}
	stateful, known := x.stateful[d.Datapath]
	if !known {
		stateful = x.isStateful(d.Datapath)
		x.stateful[d.Datapath] = stateful
	}
	if stateful || x.Conntrack == nil { // a session does not hold all of a switch's flows
		return "conntrack was not asked on " + d.Datapath.Called()
	}
	return fmt.Sprintf("conntrack was never asked on %s: it has no stateful ACL", d.Datapath.Called())
}

// isStateful reports whether a switch looks packets up at all.
func (x *Explainer) isStateful(d *network.Datapath) bool {
	for _, tables := range d.Flows {
		for _, flows := range tables {
			for _, f := range flows {
				// Flows for load balancers are there on every switch, behind a bit
				// that nothing sets; ACLs that need connections set it for all IP.
				if strings.Contains(f.Stage, "pre_acl") && f.Priority == 100 && x.of(f).asksFor() {
					return true
				}
			}
		}
	}
	return false
}

// decides reports whether a reason is a flow's own will: it says so, or it says
// nothing more.
func decides(r trace.Reason) bool {
	return r == trace.DropAction || r == trace.DropNoAction || r == trace.DropConsumed
}

// refused tells which check made conntrack refuse the packet, if its last pass
// before an event did and was in the same datapath.
func (x *Explainer) refused(t *trace.Trace, at int) string {
	for j := at; j >= 0; j-- {
		ev := &t.Events()[j]
		if ev.Kind != trace.CT {
			continue
		}
		s := &t.CT[ev.Arg]
		if s.State&conntrack.Invalid == 0 || s.Refusal == conntrack.NotRefused ||
			ev.Datapath != t.Events()[at].Datapath {
			return ""
		}
		return fmt.Sprintf("ct.inv in zone %s: %s", x.zone(s), s.Refusal.Explain(&s.Check))
	}
	return ""
}

func (x *Explainer) zone(s *trace.CTStep) string {
	if name := x.Book.Zone(s.Chassis, s.Zone); name != "" {
		return x.Book.ZoneCalled(name)
	}
	return fmt.Sprint(s.Zone)
}

// stageOf names the stage of an event at which nothing matched, by the flows
// of its table.
func (x *Explainer) stageOf(t *trace.Trace, at int) string {
	for j := at; j >= 0; j-- {
		ev := &t.Events()[j]
		if ev.Kind != trace.Miss {
			continue
		}
		p := 0
		if ev.Egress {
			p = 1
		}
		if tables := x.Book.Net.Datapaths[ev.Datapath].Flows[p]; int(ev.Table) < len(tables) {
			for _, f := range tables[ev.Table] {
				if f.Stage != "" {
					return f.Stage
				}
			}
		}
		return x.Book.StageName(-1, ev.Table)
	}
	return x.Book.StageName(-1, t.Events()[at].Table)
}
