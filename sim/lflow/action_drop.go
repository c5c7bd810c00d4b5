package lflow

// Drop is "drop;", the only action of its flow; no actions at all are the same (see
// parser.actions).
type Drop struct{}

func (Drop) format(f *actionFormat) { f.str("drop;") }

func (Drop) compile(Resolver) (Op, error) { return Op{Code: OpDrop}, nil }
