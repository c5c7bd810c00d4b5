package lflow

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ovnreplay/sim/field"
)

// constant is a Constant and the address set it came from.
type constant struct {
	Constant
	set string
}

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
	values []constant
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
	if len(cs.values) > 0 && cs.isStr != isStr {
		p.syntax("expecting " + cs.kind())
	}
	cs.isStr = isStr
}

// constantSet parses a constant, or several in braces, into mem's memory.
func (p *parser) constantSet(mem []constant) constantSet {
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
		cs.values = append(cs.values, constant{Constant: Constant{String: p.tok.Text}})
	case TokenInteger, TokenMaskedInteger:
		p.setType(cs, false)
		cs.values = append(cs.values, constant{Constant: numberConstant(&p.tok)})
	case TokenMacro:
		set, ok := p.env.addressSet(p.tok.Text)
		if !ok {
			p.syntax("expecting address set name")
		}
		p.setType(cs, false)
		cs.values = append(cs.values, set...)
	case TokenPortGroup:
		ports, ok := p.env.portGroup(p.tok.Text)
		if !ok {
			p.syntax("expecting port group name")
		}
		p.setType(cs, true)
		for _, port := range ports {
			cs.values = append(cs.values, constant{Constant: Constant{String: port}})
		}
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
	for i := range cs.values {
		if w := numberWidth(&cs.values[i].Constant); w > s.Width {
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
	return cs.values[0].Constant
}

// withoutSets calls parse with neither address sets nor port groups: actions
// have none, and OVN says that they are missing.
func (p *parser) withoutSets(parse func()) {
	env := p.env
	p.env = &Env{}
	parse()
	p.env = env
}

// preparsed is what Preparse works out: address sets as constants and, by the
// names matches use, the ports of port groups in every datapath.
type preparsed struct {
	sets   map[string][]constant
	groups map[string][]string
}

// Preparse turns the address sets into constants once, and sorts out port
// groups; this Env and the copies made of it afterwards share the result.
// Without it every use of a set parses it anew. AddressSets and PortGroups
// must not change from then on.
func (e *Env) Preparse() {
	pre := &preparsed{
		sets:   make(map[string][]constant, len(e.AddressSets)),
		groups: make(map[string][]string, len(e.PortGroups)),
	}
	for name, elements := range e.AddressSets {
		pre.sets[name] = parseSet(name, elements)
	}
	for _, key := range slices.Sorted(maps.Keys(e.PortGroups)) {
		if name, ok := groupName(key); ok {
			pre.groups[name] = append(pre.groups[name], e.PortGroups[key]...)
		}
	}
	e.pre = pre
}

func (e *Env) addressSet(name string) ([]constant, bool) {
	if e.pre != nil {
		set, ok := e.pre.sets[name]
		return set, ok
	}
	elements, ok := e.AddressSets[name]
	if !ok {
		return nil, false
	}
	return parseSet(name, elements), true
}

// parseSet returns the constants among elements, in order of value. What is
// no constant is left out, as OVN does; Env.BadElements tells.
func parseSet(name string, elements []string) []constant {
	set := make([]constant, 0, len(elements))
	for _, s := range elements {
		if t := setElement(s); t.Type != TokenError {
			set = append(set, constant{numberConstant(&t), name})
		}
	}
	slices.SortFunc(set, compareConstants)
	return set
}

// setElement lexes an element of an address set; a TokenError says it is none.
func setElement(s string) Token {
	var t Token
	lx := newLexer(s)
	if lx.next(&t); t.Type != TokenInteger && t.Type != TokenMaskedInteger {
		t.Type = TokenError
	}
	return t
}

func compareConstants(a, b constant) int {
	if d := a.Value.Cmp(b.Value); d != 0 || !a.Masked && !b.Masked {
		return d
	}
	switch {
	case !b.Masked:
		return -1
	case !a.Masked:
		return 1
	}
	return a.Mask.Cmp(b.Mask)
}

// BadElements lists the elements of the address sets that are no constants
// and match nothing, each with its set's name, in order.
func (e *Env) BadElements() []string {
	var bad []string
	for name, elements := range e.AddressSets {
		for _, s := range elements {
			if t := setElement(s); t.Type == TokenError {
				bad = append(bad, fmt.Sprintf("$%s: %q", name, s))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// portGroup returns the ports of the group a match calls name. The Southbound
// database has one of that name for each datapath, with the datapath's key
// before it. For no datapath in particular they are taken together, which
// matches the same packets: none is at a port of another datapath.
func (e *Env) portGroup(name string) ([]string, bool) {
	if ports, ok := e.PortGroups[strconv.FormatInt(e.DatapathKey, 10)+"_"+name]; ok {
		return ports, true
	}
	if ports, ok := e.PortGroups[name]; ok || e.DatapathKey != 0 {
		return ports, ok
	}
	if e.pre == nil {
		once := Env{PortGroups: e.PortGroups}
		once.Preparse()
		return once.portGroup(name)
	}
	ports, ok := e.pre.groups[name]
	return ports, ok
}

// groupName takes the datapath's key off the name of a port group.
func groupName(key string) (string, bool) {
	digits, name, ok := strings.Cut(key, "_")
	return name, ok && digits != "" && allDigits(digits)
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
