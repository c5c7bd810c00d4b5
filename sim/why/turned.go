package why

import (
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Switches and routers answer ARP requests, and routers echo requests, by flows that turn the
// packet into its answer: what leaves is not the packet that entered.

// answer is a field that tells questions from answers.
type answer struct {
	field           field.ID
	of              uint64 // the protocol that has it, 0: ARP
	question, reply uint64
}

// Operations of ARP (RFC 826) and types of messages (RFC 792, RFC 4443).
var answers = [...]answer{
	{field.ARPOp, 0, 1, 2},
	{field.ICMP4Type, header.ProtoICMP, 8, 0},
	{field.ICMP6Type, header.ProtoICMPv6, 128, 129},
}

// turns returns what tells a packet's answer from it; nil if it asks nothing that flows answer.
func turns(h *packet.Headers) *answer {
	arp := h.Key.Get(field.EthType) == header.EtherARP
	for i := range answers {
		a := &answers[i]
		if arp == (a.of == 0) && (arp || h.Layout.L4 != 0 && h.Key.Get(field.IPProto) == a.of) &&
			h.Key.Get(a.field) == a.question {
			return a
		}
	}
	return nil
}

// Instead reports whether all that left is what OVN made of the packet: an
// ICMP error, a reset, an answer, a question for the next hop.
func Instead(out *sim.Outcome) bool {
	if len(out.Outputs) == 0 {
		return false
	}
	var a *answer
	for i := range out.Outputs {
		o := &out.Outputs[i]
		if o.Made {
			continue
		}
		if a == nil {
			if a = turns(headersOf(out)); a == nil {
				return false
			}
		}
		if !a.given(o) {
			return false
		}
	}
	return true
}

// given reports whether a packet that leaves is the answer.
func (a *answer) given(o *sim.Output) bool {
	k := &o.Headers().Key
	if a.of == 0 {
		return k.Get(field.EthType) == header.EtherARP && k.Get(a.field) == a.reply
	}
	return k.Get(field.IPProto) == a.of && k.Get(a.field) == a.reply
}

// Answers reports whether a packet that left is OVN's answer to the one that entered, which may have left
// elsewhere itself: what is flooded is answered where a flow or ovn-controller knows the answer.
func Answers(out *sim.Outcome, o *sim.Output) bool {
	if o.Made {
		k := &o.Headers().Key
		asks := k.Get(field.ARPOp) == 1 && k.Get(field.EthType) == header.EtherARP ||
			k.Get(field.ICMP6Type) == ndSolicitation && k.Get(field.IPProto) == header.ProtoICMPv6
		return !asks // for a next hop
	}
	a := turns(headersOf(out))
	return a != nil && a.given(o)
}

// AnswersToo reports whether OVN answers a packet that also left itself.
func AnswersToo(out *sim.Outcome) bool {
	answers := 0
	for i := range out.Outputs {
		if Answers(out, &out.Outputs[i]) {
			answers++
		}
	}
	return answers > 0 && !Instead(out)
}

// also is the decision of the flow by which OVN answers a packet that left, too; false if none does.
func (x *Explainer) also(out *sim.Outcome) (d Decision, ok bool) {
	if !AnswersToo(out) {
		return d, false
	}
	if d, ok = x.turned(out); !ok {
		for i, ev := range slices.Backward(out.Trace.Events()) {
			if ok = ev.Kind == trace.Made && ev.Reason != trace.MadeARP && ev.Reason != trace.MadeNDNS; ok {
				d = x.made(&out.Trace, i)
				break
			}
		}
	}
	d.Kind = AlsoAnswered
	return d, ok
}

// turned is the decision of the flow by which a packet was turned into its answer; false if none
// did.
func (x *Explainer) turned(out *sim.Outcome) (Decision, bool) {
	a := turns(headersOf(out))
	if a == nil {
		return Decision{}, false
	}
	t := &out.Trace
	for i, ev := range slices.Backward(t.Events()) {
		if ev.Kind != trace.Match {
			continue
		}
		if f := x.Book.Net.Flows[ev.Flow]; x.of(f).turns == a {
			d := x.decision(Answered, t, i, f)
			d.Text = x.denial(f, "answered") + x.name(f, d.Datapath)
			return d, true
		}
	}
	return Decision{}, false
}

// turn notes that an action makes an answer of a question.
func (s *sides) turn(a lflow.Action) {
	l, ok := a.(lflow.Load)
	if !ok {
		return
	}
	to := l.Dst.Slice().Field
	for i := range answers {
		if x := &answers[i]; x.field == to && l.Value.Value.Lo == x.reply {
			s.turns = x
		}
	}
}
