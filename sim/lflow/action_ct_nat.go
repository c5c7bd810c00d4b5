package lflow

import (
	"net/netip"

	"ovnreplay/nat/header"
)

// CTNAT is ct_dnat, ct_snat, ct_dnat_in_czone and ct_snat_in_czone. Without
// Addr it applies the NAT the connection already has.
type CTNAT struct {
	SNAT           bool
	InCommonZone   bool
	Commit         bool // the explicit "commit" of newer versions
	Addr           netip.Addr
	PortLo, PortHi uint16 // 0, 0: no range
}

func init() {
	statements["ct_dnat"] = ctNAT("ct_dnat", CTNAT{})
	statements["ct_snat"] = ctNAT("ct_snat", CTNAT{SNAT: true})
	statements["ct_dnat_in_czone"] = ctNAT("ct_dnat_in_czone", CTNAT{InCommonZone: true})
	statements["ct_snat_in_czone"] = ctNAT("ct_snat_in_czone", CTNAT{SNAT: true, InCommonZone: true})
}

func ctNAT(name string, a CTNAT) func(*parser) Action {
	return func(p *parser) Action {
		p.notLast(name)
		p.require("ip")
		if !p.match(TokenLParen) {
			return a
		}
		a := a
		if !p.isAddr() {
			p.syntax("expecting IPv4 or IPv6 address")
		}
		a.Commit = true
		a.Addr = p.addr()
		if p.match(TokenComma) {
			p.portRange(&a)
		}
		p.force(TokenRParen)
		return a
	}
}

// portRange parses a port or two. OVN cuts the numbers to 16 bits.
func (p *parser) portRange(a *CTNAT) {
	if p.tok.Type != TokenInteger || p.tok.Format != FormatDecimal {
		p.syntax("expecting Integer for port range")
	}
	if a.PortLo = uint16(p.tok.Value.Lo); a.PortLo == 0 {
		p.syntax("range can't be 0")
	}
	p.advance()
	if !p.match(TokenHyphen) {
		return
	}
	if p.tok.Type != TokenInteger {
		p.syntax("expecting Integer for port range")
	}
	if a.PortHi = uint16(p.tok.Value.Lo); a.PortHi <= a.PortLo {
		p.syntax("range high should be greater than range low")
	}
	p.advance()
}

func (a CTNAT) format(f *actionFormat) {
	f.str("ct_")
	if a.SNAT {
		f.str("snat")
	} else {
		f.str("dnat")
	}
	if a.InCommonZone {
		f.str("_in_czone")
	}
	if a.Addr.IsValid() {
		f.str("(")
		f.addr(a.Addr)
		if a.PortLo != 0 {
			f.printf(",%d", a.PortLo)
		}
		if a.PortHi != 0 {
			f.printf("-%d", a.PortHi)
		}
		f.str(")")
	}
	f.str(";")
}

func (a CTNAT) compile(Resolver) (Op, error) {
	op := Op{Code: OpCTNAT, SNAT: a.SNAT, Commit: a.Commit, PortLo: a.PortLo, PortHi: a.PortHi, Zone: ZoneDNAT}
	if a.SNAT {
		op.Zone = ZoneSNAT
	}
	if a.InCommonZone {
		op.Zone = ZoneCommon
	}
	if a.Addr.IsValid() {
		op.Commit = true
		op.Addr, op.V6 = header.Bytes(a.Addr), !a.Addr.Is4()
	}
	return op, nil
}
