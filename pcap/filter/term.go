package filter

import "ovnreplay/nat/header"

// qualifiers say what an id is of, and where it is looked for.
type qualifiers struct {
	set       bool   // there are some
	protocol  string // canonical, or "" for whichever fits
	direction string // src, dst, and, or; "" is or
	kind      string // host, net, port, portrange, proto, protochain, gateway; "" is host
}

// term reads what is true or false by itself.
func (p *parser) term() value {
	t := p.peek()
	protocol := ""
	if t.kind == keyword && protocols[t.text] {
		protocol = p.take().text
	}
	if q, ok := p.qualify(protocol); ok {
		return value{form: terms, node: p.operand(q, ids).node, quals: q, token: t}
	}
	v := value{form: terms, token: t}
	switch k := p.peek(); {
	case k.is(keyword, "broadcast"), k.is(keyword, "multicast"):
		p.take()
		v.node = &cast{multi: k.text == "multicast", protocol: protocol, column: t.column}
	case protocol == "":
		v.node = p.special()
	case protocol == "link" || protocol == "radio":
		p.wanted("what is tested of %v, such as %q", t, "host 02:00:5e:10:00:01")
	default:
		v.node = &abbreviation{protocol, t.column}
	}
	return v
}

// qualify reads the qualifiers that follow a protocol, if any do.
func (p *parser) qualify(protocol string) (q qualifiers, ok bool) {
	q = qualifiers{set: true, protocol: protocol}
	if t := p.peek(); t.is(keyword, "src") || t.is(keyword, "dst") {
		ok = true
		q.direction = p.direction()
	}
	t := p.peek()
	if t.kind != keyword {
		return q, ok
	}
	switch t.text {
	case "host", "net", "port", "portrange":
		q.kind, ok = p.take().text, true
	case "proto", "protochain", "gateway":
		if !ok {
			q.kind, ok = p.take().text, true
		}
		if t.text == "gateway" {
			p.fail(t.column, `"gateway" is not supported, nor is it by libpcap with IPv6: write "ether host ADDRESS `+
				`and not host ADDRESS"`)
		}
	}
	return q, ok
}

// direction reads src, dst, or both with a word between.
func (p *parser) direction() string {
	first := p.take().text
	t := p.peek()
	if !t.is(keyword, "and") && !t.is(keyword, "or") {
		return first
	}
	p.take()
	other := map[string]string{"src": "dst", "dst": "src"}[first]
	p.expect(keyword, other)
	return t.text
}

// special reads the primitives that are not made of qualifiers.
func (p *parser) special() node {
	t := p.peek()
	if t.kind != keyword {
		p.wanted("%s", terms)
		return nil
	}
	if isForeign[t.text] || t.text == "rnr" {
		p.fail(t.column, "%v tests what the link types read here do not have", t)
		return nil
	}
	p.take()
	switch t.text {
	case "less":
		return &lengthTest{limit: p.number("a length"), less: true}
	case "greater":
		return &lengthTest{limit: p.number("a length")}
	case "byte":
		return p.byteTest(t)
	case "inbound", "outbound":
		return &inbound{t.text == "outbound", t.column}
	case "ifindex":
		return &ifindex{p.number("an interface index"), t.column}
	case "llc":
		return p.llc(t)
	case "pppoed":
		return &linkPayload{header.EtherPPPoED, t.column}
	case "vlan", "mpls", "pppoes", "geneve":
		return p.encapsulation(t)
	}
	p.at--
	p.wanted("%s", terms)
	return nil
}

// encapsulation reads vlan, mpls, pppoes or geneve, and the number it may have.
func (p *parser) encapsulation(t token) node {
	e := &encapsulation{kind: t.text, column: t.column}
	if next := p.peek(); next.kind == number || next.is(symbol, "(") {
		v := p.operand(qualifiers{}, plain)
		if p.err != nil {
			return e
		}
		e.numbered, e.number = true, v.sum.number
		limit := map[string]uint32{"vlan": 0xfff, "mpls": 0xfffff, "pppoes": 0xffff, "geneve": 0xffffff}[t.text]
		if e.number > limit {
			p.fail(next.column, "%s %d is above the greatest, %d", t.text, e.number, limit)
		}
	}
	return e
}

func (p *parser) llc(t token) node {
	if next := p.peek(); next.kind != name && !next.is(keyword, "rnr") {
		return &llc{column: t.column}
	}
	next := p.take()
	kind, ok := llcTypes[next.text]
	if !ok {
		p.fail(next.column, "%v is no type of LLC frame: want i, s, u, rr, rnr, rej, ui, ua, disc, dm, sabme, "+
			"test, xid or "+
			"frmr", next)
	}
	return &llc{kind: kind, typed: true, column: t.column}
}

// byteTest reads an old form of link[OFFSET] > VALUE.
func (p *parser) byteTest(t token) node {
	b := &byteTest{offset: p.number("an offset"), op: p.take().text}
	switch b.op {
	case "=", "<", ">":
	default:
		p.fail(t.column, `"byte" is followed by an offset, one of = < >, and a value; better write "link[OFFSET] `+
			`= VALUE"`)
	}
	b.value = p.number("a value")
	return b
}
