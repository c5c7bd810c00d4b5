package lflow

import (
	"net/netip"
)

// DHCPRelay is dhcp_relay_req_chk (Dst = …) and dhcp_relay_resp_chk.
type DHCPRelay struct {
	Dst           FieldRef
	Relay, Server netip.Addr
	Response      bool
}

func init() {
	functions["dhcp_relay_req_chk"] = dhcpRelay(false)
	functions["dhcp_relay_resp_chk"] = dhcpRelay(true)
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

func (a DHCPRelay) format(f *actionFormat) {
	name := "dhcp_relay_req_chk"
	if a.Response {
		name = "dhcp_relay_resp_chk"
	}
	f.field(a.Dst)
	f.printf(" = %s(%s, %s);", name, a.Relay, a.Server)
}

func (a DHCPRelay) compile(Resolver) (Op, error) {
	op := Op{Code: OpDHCPRelay}
	if a.Dst.Symbol != nil {
		op.Dst = a.Dst.Slice()
	}
	return op, nil
}

func (a DHCPRelay) targets() []FieldRef { return []FieldRef{a.Dst} }
