package lflow

import (
	"net/netip"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
)

// CTLBOp tells load-balancing actions apart.
type CTLBOp uint8

const (
	LB CTLBOp = iota + 1 // ct_lb: natted is a ct_label bit (older versions)
	LBMark
	LBMarkLocal
)

// CTLB is ct_lb, ct_lb_mark and ct_lb_mark_local. Without Backends it is a
// look-up that applies the connection's NAT.
type CTLB struct {
	Op         CTLBOp
	Backends   []Backend
	HashFields string // "" is the five-tuple
	Hashed     bool   // hash_fields was given, if only ""
	SkipSNAT   bool
	ForceSNAT  bool
}

// Backend is a load balancer's member. Port is 0 when only addresses are translated.
type Backend struct {
	Addr     netip.Addr
	Port     uint16
	PortName string // ct_lb_mark_local only
}

// Balance is a load-balancing choice, compiled.
type Balance struct {
	Op        CTLBOp
	Backends  []Destination
	Hash      []field.ID // fields hashed; nil is the five-tuple
	SkipSNAT  bool
	ForceSNAT bool
}

// Destination is a member of a load balancer, compiled; Port 0 leaves the port alone.
type Destination struct {
	Addr   [16]byte
	V6     bool
	Port   uint16
	Target uint32 // ct_lb_mark_local: the member's logical port
}

func init() {
	statements["ct_lb"] = ctLB(LB)
	statements["ct_lb_mark"] = ctLB(LBMark)
	statements["ct_lb_mark_local"] = ctLB(LBMarkLocal)
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

var lbNames = [...]string{LB: "ct_lb", LBMark: "ct_lb_mark", LBMarkLocal: "ct_lb_mark_local"}

func (a CTLB) format(f *actionFormat) {
	f.str(lbNames[a.Op])
	if len(a.Backends) == 0 {
		f.str(";")
		return
	}
	f.str("(backends=")
	for i, b := range a.Backends {
		if i > 0 {
			f.str(",")
		}
		if a.Op == LBMarkLocal {
			f.quoted(b.PortName)
			f.str(":")
		}
		f.endpoint(b.Addr, b.Port)
	}
	if a.Hashed || a.HashFields != "" {
		f.str("; hash_fields=")
		f.quoted(a.HashFields)
	}
	if a.SkipSNAT {
		f.str("; skip_snat")
	}
	if a.ForceSNAT {
		f.str("; force_snat")
	}
	f.str(");")
}

// endpoint appends an address, and the port if there is one.
func (f *actionFormat) endpoint(addr netip.Addr, port uint16) {
	switch {
	case port == 0:
		f.addr(addr)
	case addr.Is4():
		f.addr(addr)
		f.printf(":%d", port)
	default:
		f.str("[")
		f.addr(addr)
		f.printf("]:%d", port)
	}
}

func (a CTLB) compile(r Resolver) (Op, error) {
	lb := &Balance{Op: a.Op, SkipSNAT: a.SkipSNAT, ForceSNAT: a.ForceSNAT, Hash: hashFields(a.HashFields)}
	for _, b := range a.Backends {
		to := Destination{Port: b.Port}
		to.Addr, to.V6 = header.Bytes(b.Addr), !b.Addr.Is4()
		if b.PortName != "" {
			to.Target, _ = r.Port(b.PortName)
		}
		lb.Backends = append(lb.Backends, to)
	}
	return Op{Code: OpCTLB, LB: lb}, nil
}

// hashFields turns ct_lb's hash_fields into field IDs; names OVS does not
// know are ignored, as it does.
func hashFields(s string) []field.ID {
	if s == "" {
		return nil
	}
	var ids []field.ID
	for name := range strings.SplitSeq(s, ",") {
		if id, ok := hashFieldByName[name]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

var hashFieldByName = map[string]field.ID{
	"eth_src": field.EthSrc, "eth_dst": field.EthDst, "ip_proto": field.IPProto,
	"ip_src": field.IP4Src, "ip_dst": field.IP4Dst, "ipv6_src": field.IP6Src, "ipv6_dst": field.IP6Dst,
	"tcp_src": field.TpSrc, "tcp_dst": field.TpDst, "udp_src": field.TpSrc, "udp_dst": field.TpDst,
	"sctp_src": field.TpSrc, "sctp_dst": field.TpDst, "tp_src": field.TpSrc, "tp_dst": field.TpDst,
}
