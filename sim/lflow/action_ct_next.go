package lflow

// CTNext is "ct_next;", "ct_next(dnat);" and "ct_next(snat);". Older
// versions only have the first, which on a router means the dnat zone.
type CTNext struct{ Zone ZoneName }

func init() {
	statements["ct_next"] = (*parser).ctNext
}

// ctNext parses ct_next. The zone left out is the dnat zone: versions
// without the argument know no other.
func (p *parser) ctNext() Action {
	p.notLast("ct_next")
	p.require("ip")
	if !p.match(TokenLParen) {
		return CTNext{ZoneDNAT}
	}
	return CTNext{p.zone("ct_next")}
}

func (a CTNext) format(f *actionFormat) {
	if f.env.OneCTNext && a.Zone != ZoneSNAT {
		f.str("ct_next;")
		return
	}
	f.zone("ct_next", a.Zone)
}

func (a CTNext) compile(Resolver) (Op, error) { return Op{Code: OpCTNext, Zone: a.Zone}, nil }
