package lflow

// Sample is "sample(probability=…, …);".
type Sample struct {
	Probability  uint16
	CollectorSet uint32
	Domain       uint8
	Point        uint32
	PointCookie  bool
	PointField   FieldRef // Symbol nil unless the point is a field
}

func init() {
	statements["sample"] = (*parser).sample
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

func (a Sample) format(f *actionFormat) {
	f.printf("sample(probability=%d,collector_set=%d,obs_domain=%d,obs_point=", a.Probability, a.CollectorSet, a.Domain)
	switch {
	case a.PointCookie:
		f.str("$cookie")
	case a.PointField.Symbol != nil:
		f.field(a.PointField)
	default:
		f.number(uint64(a.Point))
	}
	f.str(");")
}

func (Sample) compile(Resolver) (Op, error) { return Op{Code: OpNote}, nil }
