package lflow

// Plain is every action that is a bare word.
type Plain struct{ Op PlainOp }

// PlainOp tells bare words apart.
type PlainOp uint8

const (
	IGMP              PlainOp = iota + 1
	HandleDHCPv6Reply         // written handle_dhcpv6_reply
	HandleBFDMsg
	FloodRemote
	MACCacheUse

	PlainOps // how many there are, and the zero one
)

func init() {
	statements["igmp"] = constantly(Plain{IGMP})
	statements["handle_dhcpv6_reply"] = constantly(Plain{HandleDHCPv6Reply})
	statements["handle_bfd_msg"] = (*parser).handleBFD
	statements["flood_remote"] = constantly(Plain{FloodRemote})
	statements["mac_cache_use"] = constantly(Plain{MACCacheUse})
}

func (p *parser) handleBFD() Action {
	p.force(TokenLParen)
	p.force(TokenRParen)
	return Plain{HandleBFDMsg}
}

var plainNames = [...]string{
	IGMP: "igmp;", HandleDHCPv6Reply: "handle_dhcpv6_reply;", HandleBFDMsg: "handle_bfd_msg();",
	FloodRemote: "flood_remote;", MACCacheUse: "mac_cache_use;",
}

func (a Plain) format(f *actionFormat) { f.str(plainNames[a.Op]) }

func (a Plain) compile(Resolver) (Op, error) { return Op{Code: OpPlain, Plain: a.Op}, nil }
