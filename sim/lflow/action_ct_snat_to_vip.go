package lflow

// CTSNATToVIP is "ct_snat_to_vip;".
type CTSNATToVIP struct{}

func init() {
	statements["ct_snat_to_vip"] = constantly(CTSNATToVIP{})
}

func (CTSNATToVIP) format(f *actionFormat) { f.str("ct_snat_to_vip;") }

func (CTSNATToVIP) compile(Resolver) (Op, error) { return Op{Code: OpCTSNATToVIP}, nil }
