package lflow

// CTClear is "ct_clear;".
type CTClear struct{}

func init() {
	statements["ct_clear"] = constantly(CTClear{})
}

func (CTClear) format(f *actionFormat) { f.str("ct_clear;") }

func (CTClear) compile(Resolver) (Op, error) { return Op{Code: OpCTClear}, nil }
