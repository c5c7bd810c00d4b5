package lflow

// CommitECMPNextHop is "commit_ecmp_nh(ipv6 = …, proto = …);".
type CommitECMPNextHop struct {
	V6    bool
	Proto uint8 // 0 when absent
}

func init() {
	statements["commit_ecmp_nh"] = (*parser).commitECMP
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

func (a CommitECMPNextHop) format(f *actionFormat) {
	f.printf("commit_ecmp_nh(ipv6 = %t, proto = %s);", a.V6, protoName(a.Proto))
}

func (a CommitECMPNextHop) compile(Resolver) (Op, error) {
	return Op{Code: OpCommitECMPNextHop, V6: a.V6, N: uint32(a.Proto)}, nil
}
