package lflow

// CheckPktLarger is "dst = check_pkt_larger(n);".
type CheckPktLarger struct {
	Dst    FieldRef
	Length uint16
}

func init() {
	functions["check_pkt_larger"] = (*parser).checkPktLarger
}

func (p *parser) checkPktLarger(start int, dst FieldRef) Action {
	p.destination(start, dst, 1)
	p.name()
	n := p.quietInt()
	p.force(TokenRParen)
	return CheckPktLarger{Dst: dst, Length: uint16(n)}
}

func (a CheckPktLarger) format(f *actionFormat) {
	f.field(a.Dst)
	f.printf(" = check_pkt_larger(%d);", a.Length)
}

func (a CheckPktLarger) compile(Resolver) (Op, error) {
	return Op{Code: OpCheckPktLarger, Dst: a.Dst.Slice(), N: uint32(a.Length)}, nil
}

func (a CheckPktLarger) targets() []FieldRef { return []FieldRef{a.Dst} }
