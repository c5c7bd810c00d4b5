package lflow

// CheckEVPNARP is "dst = chk_evpn_arp(ip);".
type CheckEVPNARP struct{ Dst, IP FieldRef }

func init() {
	functions["chk_evpn_arp"] = (*parser).checkEVPNARP
}

func (p *parser) checkEVPNARP(start int, dst FieldRef) Action {
	p.destination(start, dst, 1)
	p.name()
	ipStart := p.tok.Pos
	a := CheckEVPNARP{Dst: dst, IP: p.lvalue()}
	if w := a.IP.Slice().Width; w != 32 && w != 128 {
		p.failAt(ipStart, p.last, "chk_evpn_arp requires a 32-bit or 128-bit IP field")
	}
	p.force(TokenRParen)
	return a
}

func (a CheckEVPNARP) format(f *actionFormat) { f.result(a.Dst, "chk_evpn_arp", a.IP) }

func (a CheckEVPNARP) compile(Resolver) (Op, error) {
	return Op{Code: OpCheckEVPNARP, Dst: a.Dst.Slice(), B: a.IP.Slice()}, nil
}

func (a CheckEVPNARP) targets() []FieldRef { return []FieldRef{a.Dst} }
