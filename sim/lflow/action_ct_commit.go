package lflow

import (
	"ovnreplay/sim/field"
)

// CTCommit is "ct_commit { … };" and the older "ct_commit(…);" and "ct_commit;".
// Nested holds assignments to ct_mark, ct_label and their parts only.
type CTCommit struct {
	Nested []Action
	V1     bool // written "ct_commit(ct_mark=…, ct_label=…)"
}

func init() {
	statements["ct_commit"] = (*parser).ctCommit
}

func (p *parser) ctCommit() Action {
	switch p.tok.Type {
	case TokenLCurly:
		return CTCommit{Nested: p.block("ip", WriteCTCommit)}
	case TokenLParen:
		p.require("ip")
		return p.ctCommitV1()
	}
	p.require("ip")
	return CTCommit{}
}

// ctCommitV1 parses "(ct_mark=…, ct_label=…)", which 24.09 dropped, into the
// assignments the newer form would have, the mark first.
func (p *parser) ctCommitV1() Action {
	p.advance()
	var mark, label *Load
	for !p.match(TokenRParen) {
		switch {
		case p.matchID("ct_mark"):
			mark = p.ctCommitArgument("ct_mark")
		case p.matchID("ct_label"):
			label = p.ctCommitArgument("ct_label")
		default:
			p.syntax("")
		}
		p.match(TokenComma)
	}
	var a CTCommit
	for _, l := range []*Load{mark, label} {
		if l != nil && !l.Value.Mask.IsZero() {
			a.Nested = append(a.Nested, *l)
			a.V1 = true
		}
	}
	return a
}

// ctCommitArgument parses a value that OVN cuts to the field's width and
// always prints in hexadecimal.
func (p *parser) ctCommitArgument(name string) *Load {
	p.force(TokenEquals)
	if p.tok.Type != TokenInteger && p.tok.Type != TokenMaskedInteger {
		p.syntax("expecting integer")
	}
	s := p.tab.Lookup(name)
	all := field.Ones(s.Width)
	c := Constant{Value: p.tok.Value.And(all), Mask: field.Ones(128), Format: FormatHexadecimal}
	if mask := p.tok.Mask.And(all); p.tok.Type == TokenMaskedInteger && mask != all {
		c.Masked, c.Mask = true, mask
	}
	p.advance()
	return &Load{Dst: FieldRef{Symbol: s, Width: s.Width}, Value: c}
}

func (a CTCommit) format(f *actionFormat) {
	switch {
	case len(a.Nested) == 0:
		f.str("ct_commit;")
		return
	case !a.V1:
		f.block("ct_commit", a.Nested)
		return
	}
	f.str("ct_commit(")
	for i, inner := range a.Nested {
		if i > 0 {
			f.str(", ")
		}
		l := inner.(Load)
		f.field(l.Dst)
		f.str("=")
		f.b = appendHex(f.b, l.Value.Value)
		if l.Value.Masked {
			f.str("/")
			f.b = appendHex(f.b, l.Value.Mask)
		}
	}
	f.str(");")
}

func (a CTCommit) compile(r Resolver) (Op, error) {
	inner, err := Compile(a.Nested, r)
	return Op{Code: OpCTCommit, Inner: inner}, err
}
