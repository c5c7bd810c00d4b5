package sim

import (
	"strings"

	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// flagFromController marks a DNS answer, so that to-lport ACLs let it pass.
const flagFromController = 1 << 19

// lookupDNS is "dst = dns_lookup();": a query for a name that the datapath
// has a record of becomes its answer.
func (e *Engine) lookupDNS(p *pkt, f *table.Flow, op *table.Op) {
	p.Flush()
	style := answer.DNSStyle{Additional: e.additional(), Refuse: e.since(24, 3, 0)}
	var frame answer.Frame
	q, ok := answer.ParseDNS(&p.Packet, style)
	if ok {
		record, owned, found := e.dnsRecord(p, q.Name)
		if ok = found; ok {
			frame, ok = answer.DNS(&p.Packet, style, q, record, owned)
		}
		if ok && e.since(26, 3, 0) {
			e.order(p, f, frame, q)
		}
	}
	e.become(p, f, op, frame, trace.MadeDNS, ok)
	p.Key.Set(field.Flags, p.Key.Get(field.Flags)|flagFromController)
}

// order gives the addresses of an answer the order that ovn-controller gave
// them at random, where a capture shows the answer.
func (e *Engine) order(p *pkt, f *table.Flow, frame answer.Frame, q answer.Question) {
	payload := answer.Payload(&p.Packet, frame)
	if q.Answers(payload) < 2 {
		return
	}
	if e.opts.Choose != nil {
		if seen := e.opts.Choose.Answer(func(b []byte) bool { return q.Reordered(payload, b) }); seen != nil {
			answer.SetPayload(&p.Packet, frame, seen)
			p.seen = true
			e.note(p, trace.Note, trace.ObservedChoice, f)
			return
		}
	}
	p.guess = true
	e.note(p, trace.Note, trace.GuessDNSOrder, f)
}

// dnsRecord finds the record of a name on p's datapath. Records have names in
// lower case; until 20.06 a query had to have them so too.
func (e *Engine) dnsRecord(p *pkt, name string) (record string, owned, ok bool) {
	if e.since(20, 6, 0) {
		name = strings.ToLower(name)
	}
	for _, d := range p.dp.DNS {
		if r, ok := d.Records[name]; ok {
			return r, d.Options["ovn-owned"] == "true", true
		}
	}
	return "", false, false
}

// additional says how the network's OVN treats queries with additional
// records: a fix that came with patch releases, and a later one of it.
func (e *Engine) additional() answer.Additional {
	if e.since(24, 3, 0) {
		return answer.AdditionalDropped
	}
	// In each series: from which patch release they are ignored, and from
	// which one dropped.
	for _, s := range [...]struct{ year, month, ignored, dropped int }{
		{23, 9, 0, 2}, {23, 6, 0, 3}, {23, 3, 1, 3}, {22, 12, 1, 99}, {22, 9, 2, 99}, {22, 3, 3, 6},
	} {
		if !e.since(s.year, s.month, 0) || e.since(s.year, s.month+1, 0) {
			continue
		}
		switch {
		case e.since(s.year, s.month, s.dropped):
			return answer.AdditionalDropped
		case e.since(s.year, s.month, s.ignored):
			return answer.AdditionalIgnored
		}
	}
	if e.since(22, 3, 0) {
		return answer.AdditionalUncounted
	}
	return answer.AdditionalRepeated
}
