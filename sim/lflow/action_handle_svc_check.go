package lflow

// HandleSvcCheck is "handle_svc_check(port);".
type HandleSvcCheck struct{ Port FieldRef }

func init() {
	statements["handle_svc_check"] = (*parser).handleSvcCheck
}

func (p *parser) handleSvcCheck() Action {
	p.force(TokenLParen)
	a := HandleSvcCheck{p.field(0)}
	p.force(TokenRParen)
	return a
}

func (a HandleSvcCheck) format(f *actionFormat) { f.call("handle_svc_check", a.Port) }

func (HandleSvcCheck) compile(Resolver) (Op, error) { return Op{Code: OpServiceCheck}, nil }
