package lflow

// Push and Pop save and restore a field on a stack of the packet's own.
type (
	Push struct{ Field FieldRef }
	Pop  struct{ Field FieldRef }
)

func init() {
	statements["push"] = (*parser).push
	statements["pop"] = (*parser).pop
}

func (p *parser) push() Action {
	p.force(TokenLParen)
	f := p.lvalue()
	p.force(TokenRParen)
	return Push{f}
}

func (p *parser) pop() Action {
	p.force(TokenLParen)
	start := p.tok.Pos
	f := p.lvalue()
	p.checkWritable(start, f)
	p.force(TokenRParen)
	return Pop{f}
}

func (a Push) format(f *actionFormat) { f.call("push", a.Field) }

func (a Push) compile(Resolver) (Op, error) { return Op{Code: OpPush, A: a.Field.Slice()}, nil }

func (a Pop) format(f *actionFormat) { f.call("pop", a.Field) }

func (a Pop) compile(Resolver) (Op, error) { return Op{Code: OpPop, Dst: a.Field.Slice()}, nil }

func (a Pop) targets() []FieldRef { return []FieldRef{a.Field} }
