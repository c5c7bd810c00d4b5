package lflow

// TriggerEvent is "trigger_event(event = …);".
type TriggerEvent struct {
	Event   string
	Options []Option
	Meter   string
}

func init() {
	statements["trigger_event"] = (*parser).triggerEvent
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
		if _, ok := ParseEndpoint(value); !ok {
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

func (a TriggerEvent) format(f *actionFormat) {
	f.str("trigger_event(event = ")
	f.quoted(a.Event)
	if a.Meter != "" {
		f.str(", meter = ")
		f.quoted(a.Meter)
	}
	f.options(a.Options, ", ")
}

func (TriggerEvent) compile(Resolver) (Op, error) { return Op{Code: OpNote}, nil }
