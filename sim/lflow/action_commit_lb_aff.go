package lflow

import (
	"net/netip"
)

// CommitLBAffinity is "commit_lb_aff(vip = …, backend = …, proto = …, timeout = …);".
type CommitLBAffinity struct {
	VIP, Backend netip.AddrPort
	Proto        uint8 // 0 when absent
	Timeout      uint16
}

func init() {
	statements["commit_lb_aff"] = (*parser).commitAffinity
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
		if ap, ok := ParseEndpoint(p.tok.Text); ok {
			return ap
		}
	}
	p.syntax("invalid parameter")
	return netip.AddrPort{}
}

func (a CommitLBAffinity) format(f *actionFormat) {
	endpoint := func(name string, ap netip.AddrPort) {
		f.printf("%s = \"", name)
		if ap.Addr().Is4() {
			f.addr(ap.Addr())
		} else {
			f.str("[")
			f.addr(ap.Addr())
			f.str("]")
		}
		if ap.Port() != 0 {
			f.printf(":%d", ap.Port())
		}
		f.str("\", ")
	}
	f.str("commit_lb_aff(")
	endpoint("vip", a.VIP)
	endpoint("backend", a.Backend)
	if a.Proto != 0 {
		f.printf("proto = %s, ", protoName(a.Proto))
	}
	f.printf("timeout = %d);", a.Timeout)
}

func (CommitLBAffinity) compile(Resolver) (Op, error) { return Op{Code: OpCommitLBAffinity}, nil }
