package lflow

// GetMACBind is get_arp and get_nd: eth.dst becomes the MAC bound to IP.
type GetMACBind struct {
	Port, IP FieldRef
	V6       bool
}

// PutMACBind is put_arp and put_nd.
type PutMACBind struct {
	Port, IP, MAC FieldRef
	V6            bool
}

// LookupMACBind is lookup_arp, lookup_nd, lookup_arp_ip and lookup_nd_ip.
// The last two have no MAC (MAC.Symbol is nil).
type LookupMACBind struct {
	Dst, Port, IP, MAC FieldRef
	V6                 bool
}

func init() {
	statements["get_arp"] = getMACBind(false)
	statements["get_nd"] = getMACBind(true)
	statements["put_arp"] = putMACBind(false)
	statements["put_nd"] = putMACBind(true)
	functions["lookup_arp"] = lookupMACBind(false, true)
	functions["lookup_nd"] = lookupMACBind(true, true)
	functions["lookup_arp_ip"] = lookupMACBind(false, false)
	functions["lookup_nd_ip"] = lookupMACBind(true, false)
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

func arpOrND(v6 bool) string {
	if v6 {
		return "nd"
	}
	return "arp"
}

func (a GetMACBind) format(f *actionFormat) { f.call("get_"+arpOrND(a.V6), a.Port, a.IP) }

func (a GetMACBind) compile(Resolver) (Op, error) {
	return Op{Code: OpGetMACBind, A: a.Port.Slice(), B: a.IP.Slice(), V6: a.V6}, nil
}

func (a PutMACBind) format(f *actionFormat) { f.call("put_"+arpOrND(a.V6), a.Port, a.IP, a.MAC) }

func (a PutMACBind) compile(Resolver) (Op, error) {
	return Op{Code: OpPutMACBind, A: a.Port.Slice(), B: a.IP.Slice(), C: a.MAC.Slice(), V6: a.V6}, nil
}

func (a LookupMACBind) format(f *actionFormat) {
	if a.MAC.Symbol == nil {
		f.result(a.Dst, "lookup_"+arpOrND(a.V6)+"_ip", a.Port, a.IP)
	} else {
		f.result(a.Dst, "lookup_"+arpOrND(a.V6), a.Port, a.IP, a.MAC)
	}
}

func (a LookupMACBind) compile(Resolver) (Op, error) {
	op := Op{Code: OpLookupMACBind, Dst: a.Dst.Slice(), A: a.Port.Slice(), B: a.IP.Slice(), V6: a.V6}
	if a.MAC.Symbol != nil {
		op.C = a.MAC.Slice()
	}
	return op, nil
}

func (a LookupMACBind) targets() []FieldRef { return []FieldRef{a.Dst} }
