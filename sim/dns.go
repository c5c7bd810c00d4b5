package sim

import (
	"strings"

	"ovnreplay/sim/answer"
	"ovnreplay/sim/field"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
	"ovnreplay/sim/trace"
)

// flagFromController marks a DNS answer, so that to-lport ACLs let it pass.
const flagFromController = 1 << 19

// lookupDNS is "dst = dns_lookup();": a query for a name that the datapath
// has a record of becomes its answer.
func (e *Engine) lookupDNS(p *pkt, f *table.Flow, op *table.Op) {
	if e.beyondRate(p, f) {
		return
	}
	p.Flush()
	style := answer.DNSStyle{Additional: e.additional(p.chassis.AZ), Refuse: e.has(p.chassis.AZ, network.DNSOwned)}
	var frame answer.Frame
	q, ok := answer.ParseDNS(&p.Packet, style)
	if ok {
		record, owned, found := e.dnsRecord(p, q.Name)
		if ok = found; ok {
			frame, ok = answer.DNS(&p.Packet, style, q, record, owned)
		}
		if ok && e.has(p.chassis.AZ, network.DNSShuffles) {
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
// lower case.
func (e *Engine) dnsRecord(p *pkt, name string) (record string, owned, ok bool) {
	if e.has(p.chassis.AZ, network.DNSAnyCase) {
		name = strings.ToLower(name)
	}
	for _, d := range p.dp.DNS {
		if r, ok := d.Records[name]; ok {
			return r, d.Options["ovn-owned"] == "true", true
		}
	}
	return "", false, false
}

// additional says how a zone's OVN treats queries with additional records.
func (e *Engine) additional(z *network.AZ) answer.Additional {
	switch {
	case e.has(z, network.DNSDropsAdditional):
		return answer.AdditionalDropped
	case e.has(z, network.DNSIgnoresAdditional):
		return answer.AdditionalIgnored
	case e.has(z, network.DNSCountsAnew):
		return answer.AdditionalUncounted
	}
	return answer.AdditionalRepeated
}
