package lflow

import (
	"net/netip"

	"ovnreplay/sim/field"
)

// assignment parses the actions that begin with a field: loads, moves,
// exchanges and "field = name(…)".
func (p *parser) assignment() Action {
	start := p.tok.Pos
	dst := p.lvalue()
	switch {
	case p.match(TokenExchange):
		return p.move(start, dst, true)
	case !p.match(TokenEquals):
		p.syntax("expecting `=' or `<->'")
	}
	if p.tok.Type != TokenID {
		p.checkWritable(start, dst)
		return Load{Dst: dst, Value: p.assigned(dst)}
	}
	if f := functions[p.tok.Text]; f != nil {
		if p.peek() == TokenLParen || p.is("dhcp_relay_req_chk") || p.is("dhcp_relay_resp_chk") {
			return f(p, start, dst)
		}
	}
	return p.move(start, dst, false)
}

// move parses the right side of an assignment or exchange.
func (p *parser) move(start int, dst FieldRef, exchange bool) Action {
	src := p.lvalue()
	d, s := dst.Symbol, src.Symbol
	switch {
	case (d.Width != 0) != (s.Width != 0) && exchange:
		p.failAt(start, p.last, "Can't exchange %s field (%s) with %s field (%s).", kindOf(d), d.Name, kindOf(s), s.Name)
	case (d.Width != 0) != (s.Width != 0):
		p.failAt(start, p.last, "Can't assign %s field (%s) to %s field (%s).", kindOf(s), s.Name, kindOf(d), d.Name)
	case dst.Width != src.Width && exchange:
		p.failAt(start, p.last, "Can't exchange %d-bit field with %d-bit field.", dst.Width, src.Width)
	case dst.Width != src.Width:
		p.failAt(start, p.last, "Can't assign %d-bit value to %d-bit destination.", src.Width, dst.Width)
	case dst.Width == 0 && d.bits() != s.bits():
		what := "assignment"
		if exchange {
			what = "exchange"
		}
		p.failAt(start, p.last, "String fields %s and %s are incompatible for %s.", d.Name, s.Name, what)
	}
	p.checkWritable(start, dst)
	if exchange {
		p.checkWritable(start, src)
		return Exchange{dst, src}
	}
	return Move{dst, src}
}

func kindOf(s *Symbol) string {
	if s.Width == 0 {
		return "string"
	}
	return "integer"
}

// function parses "name(…)" after "dst =". The name is the current token.
type function func(p *parser, start int, dst FieldRef) Action

var functions = map[string]function{
	"select":               (*parser).selectAction,
	"put_dhcp_opts":        (*parser).putDHCPv4,
	"put_dhcpv6_opts":      (*parser).putDHCPv6,
	"put_nd_ra_opts":       (*parser).putRA,
	"check_pkt_larger":     (*parser).checkPktLarger,
	"lookup_arp":           lookupMACBind(false, true),
	"lookup_nd":            lookupMACBind(true, true),
	"lookup_arp_ip":        lookupMACBind(false, false),
	"lookup_nd_ip":         lookupMACBind(true, false),
	"get_fdb":              getFDB(false),
	"get_remote_fdb":       getFDB(true),
	"lookup_fdb":           (*parser).lookupFDB,
	"dhcp_relay_req_chk":   dhcpRelay(false),
	"dhcp_relay_resp_chk":  dhcpRelay(true),
	"chk_evpn_arp":         (*parser).checkEVPNARP,
	"dns_lookup":           result(DNSLookup),
	"chk_lb_hairpin":       result(CheckLBHairpin),
	"chk_lb_hairpin_reply": result(CheckLBHairpinReply),
	"check_in_port_sec":    result(CheckInPortSec),
	"check_out_port_sec":   result(CheckOutPortSec),
	"chk_ecmp_nh_mac":      result(CheckECMPNextHopMAC),
	"chk_ecmp_nh":          result(CheckECMPNextHop),
	"chk_lb_aff":           result(CheckLBAffinity),
	"ct_state_save":        (*parser).ctStateSave,
	"ct_nw_dst":            ctOriginal(field.CTNwDst, 32),
	"ct_ip6_dst":           ctOriginal(field.CTIP6Dst, 128),
	"ct_tp_dst":            ctOriginal(field.CTTpDst, 16),
	"ct_proto":             ctOriginal(field.CTProto, 8),
}

// name passes "name(" and returns the name.
func (p *parser) name() string {
	name := p.tok.Text
	p.advance()
	p.force(TokenLParen)
	return name
}

// destination requires a writable field of width bits.
func (p *parser) destination(start int, f FieldRef, width int) {
	p.checkWidth(start, f, width)
	p.checkWritable(start, f)
}

// noArguments passes "name()" and checks the destination.
func (p *parser) noArguments(start int, dst FieldRef, width int) {
	name := p.name()
	if !p.match(TokenRParen) {
		p.fail("%s doesn't take any parameters", name)
	}
	p.destination(start, dst, width)
}

func result(op ResultOp) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.noArguments(start, dst, 1)
		if op == DNSLookup {
			p.require("udp")
		}
		return Result{Op: op, Dst: dst}
	}
}

func (p *parser) ctStateSave(start int, dst FieldRef) Action {
	p.noArguments(start, dst, 8)
	return CTStateSave{dst}
}

func ctOriginal(src field.ID, width int) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.noArguments(start, dst, width)
		return CTOriginal{Dst: dst, Src: src}
	}
}

// ipWidth is the width of an address.
func ipWidth(v6 bool) int {
	if v6 {
		return 128
	}
	return 32
}

func getMACBind(v6 bool) func(*parser) Action {
	return func(p *parser) Action {
		p.force(TokenLParen)
		a := GetMACBind{Port: p.field(0), V6: v6}
		p.force(TokenComma)
		a.IP = p.field(ipWidth(v6))
		p.force(TokenRParen)
		return a
	}
}

func putMACBind(v6 bool) func(*parser) Action {
	return func(p *parser) Action {
		p.force(TokenLParen)
		a := PutMACBind{Port: p.field(0), V6: v6}
		p.force(TokenComma)
		a.IP = p.field(ipWidth(v6))
		p.force(TokenComma)
		a.MAC = p.field(48)
		p.force(TokenRParen)
		return a
	}
}

func lookupMACBind(v6, withMAC bool) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.destination(start, dst, 1)
		p.name()
		a := LookupMACBind{Dst: dst, Port: p.field(0), V6: v6}
		p.force(TokenComma)
		a.IP = p.field(ipWidth(v6))
		if withMAC {
			p.force(TokenComma)
			a.MAC = p.field(48)
		}
		p.force(TokenRParen)
		return a
	}
}

func (p *parser) putFDB() Action {
	p.force(TokenLParen)
	a := PutFDB{Port: p.field(0)}
	p.force(TokenComma)
	a.MAC = p.field(48)
	p.force(TokenRParen)
	return a
}

func getFDB(remote bool) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.name()
		if dst.Width != 0 {
			p.destination(start, dst, 32)
		}
		a := GetFDB{Dst: dst, MAC: p.field(48), Remote: remote}
		p.force(TokenRParen)
		return a
	}
}

func (p *parser) lookupFDB(start int, dst FieldRef) Action {
	p.name()
	p.destination(start, dst, 1)
	a := LookupFDB{Dst: dst, Port: p.field(0)}
	p.force(TokenComma)
	a.MAC = p.field(48)
	p.force(TokenRParen)
	return a
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

func (p *parser) checkPktLarger(start int, dst FieldRef) Action {
	p.destination(start, dst, 1)
	p.name()
	n := p.quietInt()
	p.force(TokenRParen)
	return CheckPktLarger{Dst: dst, Length: uint16(n)}
}

// quietInt parses a small integer. Where OVN finds none it goes on as if the
// action were complete, and misses the semicolon.
func (p *parser) quietInt() int {
	n, ok := p.smallInt()
	switch {
	case ok:
		p.advance()
	case p.tok.Type != TokenSemicolon:
		p.syntax("expecting `;'")
	default:
		p.syntax("expecting small integer")
	}
	return n
}

func dhcpRelay(response bool) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.name()
		p.destination(start, dst, 1)
		a := DHCPRelay{Dst: dst, Response: response}
		a.Relay = p.ip4("expecting IPv4 dhcp relay and server ips")
		p.match(TokenComma)
		a.Server = p.ip4("expecting IPv4 dhcp server ip")
		p.force(TokenRParen)
		return a
	}
}

func (p *parser) ip4(what string) netip.Addr {
	if p.tok.Format != FormatIPv4 {
		p.syntax(what)
	}
	return p.addr()
}

// addr passes an address and returns it.
func (p *parser) addr() netip.Addr {
	b := p.tok.Value.Bytes()
	addr := netip.AddrFrom16(b)
	if p.tok.Format == FormatIPv4 {
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	p.advance()
	return addr
}

// isAddr reports whether the current token is an address.
func (p *parser) isAddr() bool {
	return p.tok.Type == TokenInteger && (p.tok.Format == FormatIPv4 || p.tok.Format == FormatIPv6)
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
