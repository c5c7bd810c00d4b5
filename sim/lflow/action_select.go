package lflow

// Select is "dst = select(1=10, …);" and with values "select(values=(…); hash_fields=…)".
type Select struct {
	Dst        FieldRef
	Members    []Member
	HashFields string
	Hashed     bool // hash_fields was given, if only ""
}

// Member is one choice of select.
type Member struct{ ID, Weight uint16 }

func init() {
	functions["select"] = (*parser).selectAction
}

// selectAction parses "select(id=weight, …)" and
// "select(values=(id=weight, …); hash_fields="…")".
func (p *parser) selectAction(start int, dst FieldRef) Action {
	p.checkWritable(start, dst)
	if dst.Width < 16 {
		p.failAt(start, p.last, "cannot use %d-bit field %s[%d..%d] for \"select\", which requires at least 16 bits.",
			dst.Width, dst.Symbol.Name, dst.Ofs, dst.Ofs+dst.Width-1)
	}
	if p.env.Table >= p.env.Tables {
		p.fail("\"select\" action not allowed in last table.")
	}
	p.name()
	a := Select{Dst: dst}
	hashed := p.matchID("values")
	if hashed {
		p.force(TokenEquals)
		p.force(TokenLParen)
	}
	for !p.match(TokenRParen) {
		m := Member{ID: p.uint16("id"), Weight: 100}
		if p.match(TokenEquals) {
			if m.Weight = p.uint16("weight"); m.Weight == 0 {
				p.syntax("weight can't be 0")
			}
		}
		p.match(TokenComma)
		a.Members = append(a.Members, m)
	}
	if len(a.Members) <= 1 {
		p.syntax("expecting at least 2 group members")
	}
	if hashed {
		p.force(TokenSemicolon)
		if !p.matchID("hash_fields") {
			p.syntax("expecting hash_fields")
		}
		if !p.match(TokenEquals) || p.tok.Type != TokenString || p.peek() != TokenRParen {
			p.syntax("invalid hash_fields")
		}
		a.HashFields, a.Hashed = p.tok.Text, true
		p.advance()
		p.force(TokenRParen)
	}
	return a
}

func (a Select) format(f *actionFormat) {
	f.field(a.Dst)
	f.str(" = select(")
	hashed := a.Hashed || a.HashFields != ""
	if hashed {
		f.str("values=(")
	}
	for i, m := range a.Members {
		if i > 0 {
			f.str(", ")
		}
		f.printf("%d=%d", m.ID, m.Weight)
	}
	if hashed {
		f.str("); hash_fields=")
		f.quoted(a.HashFields)
	}
	f.str(");")
}

func (a Select) compile(Resolver) (Op, error) { return Op{Code: OpSelect, Dst: a.Dst.Slice()}, nil }

func (a Select) targets() []FieldRef { return []FieldRef{a.Dst} }
