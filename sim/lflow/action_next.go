package lflow

// Next is "next;", "next(table);" and "next(pipeline=…, table=…);".
type Next struct {
	Pipeline Pipeline
	Table    uint8
	Explicit bool // not simply the next table of the flow's own pipeline
}

func init() {
	statements["next"] = (*parser).nextAction
}

func (p *parser) nextAction() Action {
	if p.env.Tables == 0 {
		p.fail("\"next\" action not allowed here.")
	}
	a := Next{Pipeline: p.env.Pipeline}
	table := int(p.env.Table) + 1
	if p.match(TokenLParen) {
		if n, ok := p.smallInt(); ok {
			table = n
			p.advance()
		} else {
			for ok := true; ok; ok = p.match(TokenComma) {
				p.nextArgument(&a.Pipeline, &table)
			}
		}
		p.force(TokenRParen)
	}
	limit := int(p.env.Tables)
	if a.Pipeline == Egress {
		limit = min(limit, EgressTables)
	}
	if table >= limit {
		p.fail("\"next\" action cannot advance beyond table %d.", limit)
	}
	a.Table = uint8(table)
	a.Explicit = a.Pipeline != p.env.Pipeline || table != int(p.env.Table)+1
	return a
}

func (p *parser) nextArgument(pipeline *Pipeline, table *int) {
	switch {
	case p.matchID("pipeline"):
		p.force(TokenEquals)
		switch {
		case p.matchID("ingress"):
			*pipeline = Ingress
		case p.matchID("egress"):
			*pipeline = Egress
		default:
			p.syntax(`expecting "ingress" or "egress"`)
		}
	case p.matchID("table"):
		p.force(TokenEquals)
		*table = p.forceInt()
	default:
		p.syntax(`expecting "pipeline" or "table"`)
	}
}

func (a Next) format(f *actionFormat) {
	switch {
	case a.Pipeline != f.env.Pipeline:
		name := "ingress"
		if a.Pipeline == Egress {
			name = "egress"
		}
		f.printf("next(pipeline=%s, table=%d);", name, a.Table)
	case int(a.Table) != int(f.env.Table)+1:
		f.printf("next(%d);", a.Table)
	default:
		f.str("next;")
	}
}

func (a Next) compile(Resolver) (Op, error) {
	return Op{Code: OpNext, Egress: a.Pipeline == Egress, Table: a.Table}, nil
}
