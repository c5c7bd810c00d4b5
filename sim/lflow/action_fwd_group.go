package lflow

// FwdGroup is "fwd_group(liveness=…, childports=…);".
type FwdGroup struct {
	Liveness bool
	Children []string
}

func init() {
	statements["fwd_group"] = (*parser).fwdGroup
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

func (a FwdGroup) format(f *actionFormat) {
	f.str("fwd_group(")
	if a.Liveness {
		f.str(`liveness="true", `)
	}
	f.str("childports=") // even without any: fwd_group() would not parse
	for i, child := range a.Children {
		if i > 0 {
			f.str(", ")
		}
		f.quoted(child)
	}
	f.str(");")
}

func (a FwdGroup) compile(r Resolver) (Op, error) {
	return Op{Code: OpFwdGroup, Ports: portsOf(a.Children, r)}, nil
}

func portsOf(names []string, r Resolver) []uint32 {
	var out []uint32
	for _, name := range names {
		if port, ok := r.Port(name); ok {
			out = append(out, port)
		}
	}
	return out
}
