package lflow

// Mirror is "mirror(port);".
type Mirror struct{ Port string }

func init() {
	statements["mirror"] = (*parser).mirror
}

func (p *parser) mirror() Action {
	p.force(TokenLParen)
	a := Mirror{p.str("expecting port name string")}
	p.force(TokenRParen)
	return a
}

func (a Mirror) format(f *actionFormat) {
	f.str("mirror(")
	f.quoted(a.Port)
	f.str(");")
}

func (a Mirror) compile(r Resolver) (Op, error) {
	return Op{Code: OpMirror, Ports: portsOf([]string{a.Port}, r)}, nil
}
