package lflow

import "ovnreplay/sim/field"

// isString reports whether c is a string: strings have no number format.
func (c *Constant) isString() bool { return c.Format == 0 }

func (c *Constant) append(b []byte) []byte {
	if c.isString() {
		return appendQuoted(b, c.String)
	}
	return appendNumber(b, c.Value, c.Mask, c.Masked, c.Format, c.wide)
}

// numberConstant is the constant that integer token t stands for.
func numberConstant(t *Token) Constant {
	c := Constant{Value: t.Value, Mask: t.Mask, Format: t.Format, wide: t.wide}
	if c.Masked = t.Type == TokenMaskedInteger; !c.Masked {
		c.Mask = field.Ones(128)
	}
	return c
}

// constantSet is one constant or several of one type.
type constantSet struct {
	values []Constant
	sets   []*Set // beside the values; see Env.WholeSets
	isStr  bool
	braces bool
	pos    int // in the source
	end    int
}

func (cs *constantSet) kind() string {
	if cs.isStr {
		return "string"
	}
	return "integer"
}

// setType makes cs one of strings or of integers; it must not be the other already.
func (p *parser) setType(cs *constantSet, isStr bool) {
	if !cs.empty() && cs.isStr != isStr {
		p.syntax("expecting " + cs.kind())
	}
	cs.isStr = isStr
}

// constantSet parses a constant, or several in braces, into mem's memory.
func (p *parser) constantSet(mem []Constant) constantSet {
	cs := constantSet{values: mem[:0], pos: p.tok.Pos}
	if !p.match(TokenLCurly) {
		p.constant(&cs)
		cs.end = p.last
		return cs
	}
	cs.braces = true
	for {
		p.constant(&cs)
		p.match(TokenComma)
		if p.match(TokenRCurly) {
			cs.end = p.last
			return cs
		}
	}
}

// constant parses a constant, or the name of several, into cs.
func (p *parser) constant(cs *constantSet) {
	switch p.tok.Type {
	case TokenTemplate:
		p.fail("Unexpanded template.")
	case TokenString:
		p.setType(cs, true)
		cs.values = append(cs.values, Constant{String: p.tok.Text})
	case TokenInteger, TokenMaskedInteger:
		p.setType(cs, false)
		cs.values = append(cs.values, numberConstant(&p.tok))
	case TokenMacro:
		set, ok := p.env.addressSet(p.tok.Text)
		if !ok {
			p.syntax("expecting address set name")
		}
		p.setType(cs, false)
		p.members(cs, set)
	case TokenPortGroup:
		set, ok := p.env.portGroup(p.tok.Text)
		if !ok {
			p.syntax("expecting port group name")
		}
		p.setType(cs, true)
		p.members(cs, set)
	default:
		p.syntax("expecting constant")
	}
	p.advance()
}

// typeCheck requires that the constants of cs fit f's symbol.
func (p *parser) typeCheck(f FieldRef, cs *constantSet) {
	s := f.Symbol
	if cs.isStr != (s.Width == 0) {
		kind := "Integer"
		if s.Width == 0 {
			kind = "String"
		}
		p.failAt(cs.pos, cs.end, "%s field %s is not compatible with %s constant.", kind, s.Name, cs.kind())
	}
	if cs.isStr {
		return
	}
	p.widthCheck(s, cs, cs.values)
	for _, set := range cs.sets {
		if set.width > s.Width {
			p.widthCheck(s, cs, set.numbers)
		}
	}
}

// widthCheck requires that constants of cs have no more bits than s.
func (p *parser) widthCheck(s *Symbol, cs *constantSet, values []Constant) {
	for i := range values {
		if w := numberWidth(&values[i]); w > s.Width {
			p.failAt(cs.pos, cs.end, "%d-bit constant is not compatible with %d-bit field %s.", w, s.Width, s.Name)
		}
	}
}

// assigned parses the constant that is assigned to f. Sets are not known here.
func (p *parser) assigned(f FieldRef) Constant {
	cs := constantSet{values: p.sets[0][:0], pos: p.tok.Pos}
	p.withoutSets(func() { p.constant(&cs) })
	cs.end = p.last
	p.typeCheck(f, &cs)
	return cs.values[0]
}

// withoutSets calls parse with neither address sets nor port groups: actions
// have none, and OVN says that they are missing.
func (p *parser) withoutSets(parse func()) {
	env := p.env
	p.env = &Env{}
	parse()
	p.env = env
}

// expand replaces the templates of src. As in OVN the tokens around them are
// joined without blanks. When a template is unknown or a token is wrong src
// stays as it is, and the parser will stumble over it.
func (e *Env) expand(src string) string {
	if !Templated(src) {
		return src
	}
	var b []byte
	expanded := false
	for _, t := range Lex(src) {
		switch t.Type {
		case TokenTemplate:
			text, ok := e.Templates[t.Text]
			if !ok {
				return src
			}
			b = append(b, text...)
			expanded = true
		case TokenError:
			return src
		default:
			b = t.append(b)
		}
	}
	if !expanded {
		return src
	}
	return string(b)
}

// symtab returns the symbols to use.
func (e *Env) symtab() *Symtab {
	if e.Symbols != nil {
		return e.Symbols
	}
	return StandardSymtab()
}
