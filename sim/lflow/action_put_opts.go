package lflow

// PutOpts is put_dhcp_opts, put_dhcpv6_opts and put_nd_ra_opts.
type PutOpts struct {
	Op      OptsOp
	Dst     FieldRef
	Options []Option
}

// OptsOp tells option-writing actions apart.
type OptsOp uint8

const (
	PutDHCPv4Opts OptsOp = iota + 1
	PutDHCPv6Opts
	PutNDRAOpts
)

// Option is a DHCP, router advertisement or event option with its value.
type Option struct {
	Name   string
	Code   uint8
	Type   string // as in the DHCP_Options table: bool, uint8, …, ipv4, static_routes, str, domain, host_id
	Values []Constant
	Braces bool // written { … }
}

func init() {
	functions["put_dhcp_opts"] = (*parser).putDHCPv4
	functions["put_dhcpv6_opts"] = (*parser).putDHCPv6
	functions["put_nd_ra_opts"] = (*parser).putRA
}

// option parses "name = value" into an Option of one of defs.
func (p *parser) option(defs map[string]OptionDef, kind string) Option {
	if p.tok.Type != TokenID {
		p.syntax("")
	}
	def, ok := defs[p.tok.Text]
	if !ok {
		p.syntax("expecting " + kind + " option name")
	}
	o := Option{Name: p.tok.Text, Code: def.Code, Type: def.Type}
	p.advance()
	p.force(TokenEquals)
	var cs constantSet
	p.withoutSets(func() { cs = p.constantSet(p.sets[0]) })
	p.sets[0] = cs.values
	o.Braces = cs.braces
	o.Values = make([]Constant, len(cs.values))
	copy(o.Values, cs.values)
	switch def.Type {
	case typeHostID:
	case typeString, typeDomain, typeDomains:
		if !cs.isStr {
			p.failAt(cs.pos, cs.end, "%s option %s requires string value.", kind, o.Name)
		}
	default:
		if cs.isStr {
			p.failAt(cs.pos, cs.end, "%s option %s requires numeric value.", kind, o.Name)
		}
	}
	return o
}

func (p *parser) putOpts(start int, dst FieldRef, op OptsOp, defs map[string]OptionDef, kind string) PutOpts {
	p.name()
	p.destination(start, dst, 1)
	a := PutOpts{Op: op, Dst: dst}
	for !p.match(TokenRParen) {
		a.Options = append(a.Options, p.option(defs, kind))
		p.match(TokenComma)
	}
	return a
}

func (p *parser) putDHCPv4(start int, dst FieldRef) Action {
	a := p.putOpts(start, dst, PutDHCPv4Opts, p.env.dhcpv4(), "DHCPv4")
	for i := range a.Options {
		if a.Options[i].Code == offerIP {
			return a
		}
	}
	p.fail("put_dhcp_opts requires offerip to be specified.")
	return nil
}

func (p *parser) putDHCPv6(start int, dst FieldRef) Action {
	return p.putOpts(start, dst, PutDHCPv6Opts, p.env.dhcpv6(), "DHCPv6")
}

func (p *parser) putRA(start int, dst FieldRef) Action {
	a := p.putOpts(start, dst, PutNDRAOpts, raOptions, "IPv6 ND RA")
	var stateful, prefix, slla bool
	for i := range a.Options {
		o := &a.Options[i]
		if len(o.Values) > 1 || !validRA(o) {
			p.fail("Invalid value for \"%s\" option", o.Name)
		}
		switch o.Code {
		case raAddressMode:
			stateful = stateful || o.Values[0].String == "dhcpv6_stateful"
		case raPrefix:
			prefix = true
		case raSourceLL:
			slla = true
		}
	}
	switch {
	case !slla:
		p.fail("slla option not present")
	case !stateful && !prefix:
		p.fail("prefix option needs to be set when address mode is slaac/dhcpv6_stateless.")
	}
	p.require("ip6")
	return a
}

// validRA reports whether a router advertisement option has a value it can have.
func validRA(o *Option) bool {
	c := &o.Values[0]
	switch o.Code {
	case raAddressMode:
		return c.String == "slaac" || c.String == "dhcpv6_stateful" || c.String == "dhcpv6_stateless"
	case raPreference:
		return c.String == "MEDIUM" || c.String == "HIGH" || c.String == "LOW"
	case raSourceLL:
		return c.Format == FormatEthernet
	case raPrefix:
		return c.Format == FormatIPv6 && c.Masked
	case raMTU:
		return c.Format == FormatDecimal
	case raRDNSS:
		return c.Format == FormatIPv6
	}
	return true
}

var optsNames = [...]string{
	PutDHCPv4Opts: "put_dhcp_opts", PutDHCPv6Opts: "put_dhcpv6_opts", PutNDRAOpts: "put_nd_ra_opts",
}

func (a PutOpts) format(f *actionFormat) {
	f.field(a.Dst)
	f.printf(" = %s(", optsNames[a.Op])
	f.options(a.Options, "")
}

func (a PutOpts) compile(Resolver) (Op, error) { return Op{Code: OpPutOpts, Dst: a.Dst.Slice()}, nil }

// options appends "name = value, …);", with before in front of the first.
func (f *actionFormat) options(options []Option, before string) {
	for i := range options {
		o := &options[i]
		f.str(before)
		before = ", "
		f.str(o.Name)
		f.str(" = ")
		braces := o.Braces || len(o.Values) != 1
		if braces {
			f.str("{")
		}
		for j := range o.Values {
			if j > 0 {
				f.str(", ")
			}
			f.b = o.Values[j].append(f.b)
		}
		if braces {
			f.str("}")
		}
	}
	f.str(");")
}

func (a PutOpts) targets() []FieldRef { return []FieldRef{a.Dst} }
