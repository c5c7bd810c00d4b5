package lflow

// Output is "output;".
type Output struct{}

func init() {
	statements["output"] = constantly(Output{})
}

func (Output) format(f *actionFormat) { f.str("output;") }

func (Output) compile(Resolver) (Op, error) { return Op{Code: OpOutput}, nil }
