package lflow

import (
	"ovnreplay/sim/field"
)

// CTOriginal is "dst = ct_nw_dst();" and its kin: a field of the original
// tuple of the packet's connection.
type CTOriginal struct {
	Dst FieldRef
	Src field.ID // CTNwDst, CTIP6Dst, CTTpDst or CTProto
}

func init() {
	functions["ct_nw_dst"] = ctOriginal(field.CTNwDst, 32)
	functions["ct_ip6_dst"] = ctOriginal(field.CTIP6Dst, 128)
	functions["ct_tp_dst"] = ctOriginal(field.CTTpDst, 16)
	functions["ct_proto"] = ctOriginal(field.CTProto, 8)
}

func ctOriginal(src field.ID, width int) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.noArguments(start, dst, width)
		return CTOriginal{Dst: dst, Src: src}
	}
}

var originalNames = map[field.ID]string{
	field.CTNwDst: "ct_nw_dst", field.CTIP6Dst: "ct_ip6_dst", field.CTTpDst: "ct_tp_dst", field.CTProto: "ct_proto",
}

func (a CTOriginal) format(f *actionFormat) { f.result(a.Dst, originalNames[a.Src]) }

func (a CTOriginal) compile(Resolver) (Op, error) {
	return Op{Code: OpCTOriginal, Dst: a.Dst.Slice(), A: field.Whole(a.Src)}, nil
}

func (a CTOriginal) targets() []FieldRef { return []FieldRef{a.Dst} }
