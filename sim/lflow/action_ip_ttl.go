package lflow

// DecTTL is "ip.ttl--;".
type DecTTL struct{}

func init() {
	statements["ip.ttl"] = (*parser).decTTL
}

func (p *parser) decTTL() Action {
	p.force(TokenDecrement)
	p.require("ip")
	return DecTTL{}
}

func (DecTTL) format(f *actionFormat) { f.str("ip.ttl--;") }

func (DecTTL) compile(Resolver) (Op, error) { return Op{Code: OpDecTTL}, nil }
