package lflow

// BindVport is "bind_vport(vport, parent);".
type BindVport struct {
	Vport  string
	Parent FieldRef
}

func init() {
	statements["bind_vport"] = (*parser).bindVport
}

func (p *parser) bindVport() Action {
	p.force(TokenLParen)
	a := BindVport{Vport: p.str("expecting port name string")}
	p.force(TokenComma)
	a.Parent = p.field(0)
	p.force(TokenRParen)
	return a
}

func (a BindVport) format(f *actionFormat) {
	f.str("bind_vport(")
	f.quoted(a.Vport)
	f.str(", ")
	f.field(a.Parent)
	f.str(");")
}

func (a BindVport) compile(r Resolver) (Op, error) {
	port, _ := r.Port(a.Vport)
	return Op{Code: OpBindVport, A: a.Parent.Slice(), Ports: []uint32{port}}, nil
}
