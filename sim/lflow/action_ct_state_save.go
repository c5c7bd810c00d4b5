package lflow

// CTStateSave is "dst = ct_state_save();".
type CTStateSave struct{ Dst FieldRef }

func init() {
	functions["ct_state_save"] = (*parser).ctStateSave
}

func (p *parser) ctStateSave(start int, dst FieldRef) Action {
	p.noArguments(start, dst, 8)
	return CTStateSave{dst}
}

func (a CTStateSave) format(f *actionFormat) { f.result(a.Dst, "ct_state_save") }

func (a CTStateSave) compile(Resolver) (Op, error) {
	return Op{Code: OpCTStateSave, Dst: a.Dst.Slice()}, nil
}

func (a CTStateSave) targets() []FieldRef { return []FieldRef{a.Dst} }
