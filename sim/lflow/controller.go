package lflow

// Actions that ovn-controller carries out, or that only it cares about.

// option parses "name = value" into an Option of one of defs.
func (p *parser) option(defs map[string]OptionDef, kind string) Option {
	if p.tok.Type != TokenID {
		p.syntax("")
	}
	def, ok := defs[p.tok.Text]
	if !ok {
		p.syntax("expecting " + kind + " option name")
	}
	o := Option{Name: p.tok.Text, Code: def.Code, Type: def.Type}
	p.advance()
	p.force(TokenEquals)
	var cs constantSet
	p.withoutSets(func() { cs = p.constantSet(p.sets[0]) })
	p.sets[0] = cs.values
	o.Braces = cs.braces
	o.Values = make([]Constant, len(cs.values))
	for i := range cs.values {
		o.Values[i] = cs.values[i].Constant
	}
	switch def.Type {
	case typeHostID:
	case typeString, typeDomain, typeDomains:
		if !cs.isStr {
			p.failAt(cs.pos, cs.end, "%s option %s requires string value.", kind, o.Name)
		}
	default:
		if cs.isStr {
			p.failAt(cs.pos, cs.end, "%s option %s requires numeric value.", kind, o.Name)
		}
	}
	return o
}

func (p *parser) putOpts(start int, dst FieldRef, op OptsOp, defs map[string]OptionDef, kind string) PutOpts {
	p.name()
	p.destination(start, dst, 1)
	a := PutOpts{Op: op, Dst: dst}
	for !p.match(TokenRParen) {
		a.Options = append(a.Options, p.option(defs, kind))
		p.match(TokenComma)
	}
	return a
}

func (p *parser) putDHCPv4(start int, dst FieldRef) Action {
	a := p.putOpts(start, dst, PutDHCPv4Opts, p.env.dhcpv4(), "DHCPv4")
	for i := range a.Options {
		if a.Options[i].Code == offerIP {
			return a
		}
	}
	p.fail("put_dhcp_opts requires offerip to be specified.")
	return nil
}

func (p *parser) putDHCPv6(start int, dst FieldRef) Action {
	return p.putOpts(start, dst, PutDHCPv6Opts, p.env.dhcpv6(), "DHCPv6")
}

func (p *parser) putRA(start int, dst FieldRef) Action {
	a := p.putOpts(start, dst, PutNDRAOpts, raOptions, "IPv6 ND RA")
	var stateful, prefix, slla bool
	for i := range a.Options {
		o := &a.Options[i]
		if len(o.Values) > 1 || !validRA(o) {
			p.fail("Invalid value for \"%s\" option", o.Name)
		}
		switch o.Code {
		case raAddressMode:
			stateful = stateful || o.Values[0].String == "dhcpv6_stateful"
		case raPrefix:
			prefix = true
		case raSourceLL:
			slla = true
		}
	}
	switch {
	case !slla:
		p.fail("slla option not present")
	case !stateful && !prefix:
		p.fail("prefix option needs to be set when address mode is slaac/dhcpv6_stateless.")
	}
	p.require("ip6")
	return a
}

// validRA reports whether a router advertisement option has a value it can have.
func validRA(o *Option) bool {
	c := &o.Values[0]
	switch o.Code {
	case raAddressMode:
		return c.String == "slaac" || c.String == "dhcpv6_stateful" || c.String == "dhcpv6_stateless"
	case raPreference:
		return c.String == "MEDIUM" || c.String == "HIGH" || c.String == "LOW"
	case raSourceLL:
		return c.Format == FormatEthernet
	case raPrefix:
		return c.Format == FormatIPv6 && c.Masked
	case raMTU:
		return c.Format == FormatDecimal
	case raRDNSS:
		return c.Format == FormatIPv6
	}
	return true
}

// triggerEvent parses trigger_event. Until 21.06 it could name a meter, among
// the options and at most once to any effect.
func (p *parser) triggerEvent() Action {
	p.force(TokenLParen)
	if !p.matchID("event") {
		p.syntax("Expecting 'event' option")
	}
	p.force(TokenEquals)
	if p.tok.Type != TokenString || len(p.tok.Text) >= 64 {
		p.syntax("Expecting string")
	}
	if p.tok.Text != emptyBackends {
		p.syntax("Unknown event '-1'")
	}
	a := TriggerEvent{Event: p.tok.Text}
	p.advance()
	p.match(TokenComma)
	for !p.match(TokenRParen) {
		if !p.env.Strict && p.matchID("meter") {
			p.force(TokenEquals)
			a.Meter = p.str("expecting string")
		} else {
			a.Options = append(a.Options, p.option(eventOptions, emptyBackends))
		}
		p.match(TokenComma)
	}
	for i := range a.Options {
		p.checkEventOption(&a.Options[i])
	}
	return a
}

func (p *parser) checkEventOption(o *Option) {
	if len(o.Values) > 1 {
		p.fail("Invalid value for \"%s\" option", o.Name)
	}
	value := o.Values[0].String
	switch o.Code {
	case eventVIP:
		if _, ok := parseEndpoint(value); !ok {
			p.fail("Invalid load balancer VIP '%s'", value)
		}
	case eventProtocol:
		if value != "tcp" && value != "udp" && value != "sctp" {
			p.fail("Load balancer protocol '%s' is not 'tcp', 'udp', or 'sctp'", value)
		}
	case eventLoadBalancer:
		if !isUUID(value) {
			p.fail("Load balancer '%s' is not a UUID", value)
		}
	}
}

// maxQueue is the highest queue a flow can choose.
const maxQueue = 0xf000

func (p *parser) setQueue() Action {
	p.force(TokenLParen)
	n := p.quietInt()
	p.force(TokenRParen)
	if n > maxQueue {
		p.fail("Queue ID %d for set_queue is not in valid range %d to %d.", n, 0, maxQueue)
	}
	return SetQueue{uint16(n)}
}

// setMeter parses set_meter(rate, burst); a number of another form counts as 0.
func (p *parser) setMeter() Action {
	p.force(TokenLParen)
	var a SetMeter
	a.Rate = p.decimal()
	if p.match(TokenComma) {
		a.Burst = p.decimal()
	}
	p.force(TokenRParen)
	if a.Rate == 0 {
		p.fail("Rate %d for set_meter is not in valid.", a.Rate)
	}
	return a
}

// decimal passes a token and returns its value if it is a decimal constant, else 0.
func (p *parser) decimal() (n uint64) {
	if p.tok.Type == TokenInteger && p.tok.Format == FormatDecimal {
		n = p.tok.Value.Lo
	}
	p.advance()
	return n
}

func (p *parser) log() Action {
	a := Log{Severity: "info"}
	if p.match(TokenLParen) {
		for !p.match(TokenRParen) {
			p.logArgument(&a)
			p.match(TokenComma)
		}
	}
	if a.Verdict == "" {
		p.syntax("expecting verdict")
	}
	return a
}

func (p *parser) logArgument(a *Log) {
	switch {
	case p.matchID("verdict"):
		p.force(TokenEquals)
		a.Verdict = p.oneOf("unknown verdict", "drop", "reject", "allow", "pass")
	case p.matchID("severity"):
		p.force(TokenEquals)
		if p.tok.Type != TokenID {
			p.syntax("expecting severity")
		}
		a.Severity = p.oneOf("unknown severity", "alert", "warning", "notice", "info", "debug")
	case p.matchID("name"):
		p.force(TokenEquals)
		if p.tok.Type == TokenString && len(p.tok.Text) >= 64 {
			p.syntax("name must be shorter than 64 characters")
		}
		a.Name, a.HasName = p.str("expecting string"), true
	case p.matchID("meter"):
		p.force(TokenEquals)
		a.Meter, a.HasMeter = p.str("expecting string"), true
	default:
		p.syntax("")
	}
}

// oneOf parses one of the given identifiers.
func (p *parser) oneOf(otherwise string, ids ...string) string {
	for _, id := range ids {
		if p.matchID(id) {
			return id
		}
	}
	p.syntax(otherwise)
	return ""
}

func (p *parser) bindVport() Action {
	p.force(TokenLParen)
	a := BindVport{Vport: p.str("expecting port name string")}
	p.force(TokenComma)
	a.Parent = p.field(0)
	p.force(TokenRParen)
	return a
}

func (p *parser) mirror() Action {
	p.force(TokenLParen)
	a := Mirror{p.str("expecting port name string")}
	p.force(TokenRParen)
	return a
}

func (p *parser) handleBFD() Action {
	p.force(TokenLParen)
	p.force(TokenRParen)
	return Plain{HandleBFDMsg}
}

func (p *parser) handleSvcCheck() Action {
	p.force(TokenLParen)
	a := HandleSvcCheck{p.field(0)}
	p.force(TokenRParen)
	return a
}

func (p *parser) fwdGroup() Action {
	var a FwdGroup
	if !p.match(TokenLParen) {
		return a
	}
	if p.matchID("liveness") {
		p.force(TokenEquals)
		a.Liveness = p.bool()
		p.force(TokenComma)
	}
	if p.matchID("childports") {
		p.force(TokenEquals)
		for !p.match(TokenRParen) {
			a.Children = append(a.Children, p.str("expecting logical switch port"))
			p.match(TokenComma)
		}
	}
	return a
}

func (p *parser) sample() Action {
	var a Sample
	if p.match(TokenLParen) {
		for !p.match(TokenRParen) {
			p.sampleArgument(&a)
			p.match(TokenComma)
		}
	}
	if a.Probability == 0 {
		p.fail("probability must be greater than zero")
	}
	// Given several times, the cookie goes before a field, a field before a number.
	switch {
	case a.PointCookie:
		a.PointField, a.Point = FieldRef{}, 0
	case a.PointField.Symbol != nil:
		a.Point = 0
	}
	return a
}

func (p *parser) sampleArgument(a *Sample) {
	isDecimal := func() bool { return p.tok.Type == TokenInteger && p.tok.Format == FormatDecimal }
	switch {
	case p.matchID("probability"):
		p.force(TokenEquals)
		if isDecimal() {
			a.Probability = p.uint16("probability")
		}
	case p.matchID("collector_set"):
		p.force(TokenEquals)
		if isDecimal() {
			a.CollectorSet = uint32(p.tok.Value.Lo)
		}
		p.advance()
	case p.matchID("obs_domain"):
		p.force(TokenEquals)
		if isDecimal() {
			domain := uint32(p.tok.Value.Lo)
			if domain > 0xff {
				p.syntax("obs_domain must be 8-bit long")
			}
			a.Domain = uint8(domain)
		}
		p.advance()
	case p.matchID("obs_point"):
		p.force(TokenEquals)
		switch {
		case p.tok.Type == TokenMacro && p.tok.Text == "cookie":
			a.PointCookie = true
			p.advance()
		case isDecimal():
			a.Point = uint32(p.decimal())
		default:
			a.PointField = p.field(32)
		}
	default:
		p.syntax("unknown argument")
	}
}
