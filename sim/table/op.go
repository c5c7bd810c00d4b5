package table

import (
	"ovnreplay/sim/lflow"
)

// What flows compile to is the language's (see lflow.Action).
type (
	Op       = lflow.Op
	Resolver = lflow.Resolver
)

// number gives ops their Seq, from n on, and returns the number after the last.
func number(ops []Op, n uint16) uint16 {
	for i := range ops {
		ops[i].Seq = n
		n = number(ops[i].Inner, n+1)
	}
	return n
}

// Op returns the operation numbered seq, nil if there is none.
func (f *Flow) Op(seq int) *Op { return find(f.Ops, uint16(seq)) }

func find(ops []Op, seq uint16) *Op {
	for i := range ops {
		if ops[i].Seq == seq {
			return &ops[i]
		}
		if i == len(ops)-1 || ops[i+1].Seq > seq {
			return find(ops[i].Inner, seq)
		}
	}
	return nil
}
