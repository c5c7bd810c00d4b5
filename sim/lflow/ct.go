package lflow

import (
	"net/netip"

	"ovnreplay/sim/field"
)

// zone parses "dnat" or "snat" and the closing parenthesis.
func (p *parser) zone(name string) ZoneName {
	zone := ZoneDNAT
	switch {
	case p.matchID("dnat"):
	case p.matchID("snat"):
		zone = ZoneSNAT
	case name == "ct_next":
		p.fail("\"ct_next\" action accepts only \"dnat\" or \"snat\" parameter.")
	default:
		p.fail("\"%s\" action accepts only \"dnat\" or \"snat\" parameter.", name)
	}
	p.force(TokenRParen)
	return zone
}

// ctNext parses ct_next. The zone left out is the dnat zone: versions
// without the argument know no other.
func (p *parser) ctNext() Action {
	p.notLast("ct_next")
	p.require("ip")
	if !p.match(TokenLParen) {
		return CTNext{ZoneDNAT}
	}
	return CTNext{p.zone("ct_next")}
}

func (p *parser) ctCommitToZone() Action {
	p.notLast("ct_commit_to_zone")
	p.require("ip")
	p.force(TokenLParen)
	return CTCommitToZone{Zone: p.zone("ct_commit_to_zone")}
}

func (p *parser) ctCommitNAT() Action {
	p.notLast("ct_commit_nat")
	p.require("ip")
	a := CTCommitToZone{Zone: ZoneDNAT, NAT: true}
	if p.match(TokenLParen) {
		a.Zone = p.zone("ct_commit_nat")
	}
	return a
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

func ctLB(op CTLBOp) func(*parser) Action {
	return func(p *parser) Action {
		if p.env.Table >= p.env.Tables {
			name := "ct_lb_*"
			if op == LB {
				name = "ct_lb"
			}
			p.fail("\"%s\" action not allowed in last table.", name)
		}
		p.require("ip")
		a := CTLB{Op: op}
		if p.match(TokenLParen) && !p.match(TokenRParen) {
			p.ctLBArguments(&a)
		}
		if len(a.Backends) == 0 {
			return CTLB{Op: op} // nothing to hash
		}
		return a
	}
}

// ctLBArguments parses "backends=…; hash_fields="…"; skip_snat)". Until
// 20.03 the list of backends stood there without a name and alone.
func (p *parser) ctLBArguments(a *CTLB) {
	switch {
	case p.matchID("backends"):
		p.force(TokenEquals)
	case !p.env.Strict && a.Op == LB && (p.isAddr() || p.tok.Type == TokenLSquare):
		for !p.match(TokenRParen) {
			a.Backends = append(a.Backends, p.backend(false))
		}
		return
	default:
		p.syntax("expecting backends")
	}
	for !p.match(TokenSemicolon) && !p.match(TokenRParen) {
		a.Backends = append(a.Backends, p.backend(a.Op == LBMarkLocal))
	}
	if p.matchID("hash_fields") {
		if !p.match(TokenEquals) || p.tok.Type != TokenString {
			p.syntax("invalid hash_fields")
		}
		a.HashFields, a.Hashed = p.tok.Text, true
		p.advance()
		p.advance() // ; or )
	}
	switch {
	case p.matchID("skip_snat"):
		a.SkipSNAT = true
		p.advance()
	case p.matchID("force_snat"):
		a.ForceSNAT = true
		p.advance()
	}
}

// backend parses "ip", "ip:port" or "[ip6]:port", with the name of a logical
// port before it if withPort, and the comma after it if there is one.
func (p *parser) backend(withPort bool) Backend {
	var b Backend
	if withPort {
		b.PortName = p.str("expecting logical port name for distributed load balancer")
		p.force(TokenColon)
	}
	if p.match(TokenLSquare) {
		if p.tok.Type != TokenInteger || p.tok.Format != FormatIPv6 {
			p.syntax("expecting IPv6 address")
		}
		b.Addr = p.addr()
		if !p.match(TokenRSquare) {
			p.syntax("no closing square bracket")
		}
		if p.match(TokenColon) {
			b.Port = p.uint16("port number")
		}
	} else {
		if !p.isAddr() {
			p.syntax("expecting IP address")
		}
		b.Addr = p.addr()
		if p.match(TokenColon) {
			if b.Addr.Is6() {
				p.syntax("IPv6 address needs square brackets if port is included")
			}
			b.Port = p.uint16("port number")
		}
	}
	p.match(TokenComma)
	return b
}

// proto parses tcp, udp or sctp.
func (p *parser) proto() uint8 {
	switch {
	case p.matchID("tcp"):
		return 6
	case p.matchID("udp"):
		return 17
	case p.matchID("sctp"):
		return 132
	}
	p.syntax("invalid protocol")
	return 0
}

// argument passes "name =".
func (p *parser) argument(name string) {
	if !p.matchID(name) {
		p.syntax("invalid parameter")
	}
	p.force(TokenEquals)
}

func (p *parser) commitECMP() Action {
	p.force(TokenLParen)
	p.argument("ipv6")
	var a CommitECMPNextHop
	a.V6 = p.bool()
	p.force(TokenComma)
	p.argument("proto")
	a.Proto = p.proto()
	p.force(TokenRParen)
	return a
}

// bool parses true or false, quoted or not.
func (p *parser) bool() bool {
	if (p.tok.Type == TokenID || p.tok.Type == TokenString) && (p.tok.Text == "true" || p.tok.Text == "false") {
		yes := p.tok.Text == "true"
		p.advance()
		return yes
	}
	p.syntax("expecting true or false")
	return false
}

func (p *parser) commitAffinity() Action {
	p.force(TokenLParen)
	var a CommitLBAffinity
	p.argument("vip")
	a.VIP = p.endpoint()
	p.advance()
	p.force(TokenComma)
	p.argument("backend")
	a.Backend = p.endpoint()
	if a.Backend.Addr().Is4() != a.VIP.Addr().Is4() {
		p.syntax("invalid protocol family")
	}
	p.advance()
	p.force(TokenComma)
	if a.VIP.Port() != 0 {
		p.argument("proto")
		a.Proto = p.proto()
		p.force(TokenComma)
	}
	p.argument("timeout")
	a.Timeout = p.uint16("affinity timeout")
	p.force(TokenRParen)
	return a
}

// endpoint returns the address and port in the string that is the current token.
func (p *parser) endpoint() netip.AddrPort {
	if p.tok.Type == TokenString {
		if ap, ok := parseEndpoint(p.tok.Text); ok {
			return ap
		}
	}
	p.syntax("invalid parameter")
	return netip.AddrPort{}
}
