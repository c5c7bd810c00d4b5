package lflow

// Nested is every action with a block that is not ct_commit.
type Nested struct {
	Op    NestedOp
	Inner []Action
}

// NestedOp tells actions with a block apart.
type NestedOp uint8

const (
	Clone NestedOp = iota + 1
	ARP
	ICMP4
	ICMP4Error
	ICMP6
	ICMP6Error
	TCPReset
	SCTPAbort
	Reject
	NDNA
	NDNARouter
	NDNS
)

func init() {
	statements["clone"] = nested(Clone, "")
	statements["arp"] = nested(ARP, "ip")
	statements["icmp4"] = nested(ICMP4, "ip4")
	statements["icmp4_error"] = nested(ICMP4Error, "ip4")
	statements["icmp6"] = nested(ICMP6, "ip6")
	statements["icmp6_error"] = nested(ICMP6Error, "ip6")
	statements["tcp_reset"] = nested(TCPReset, "tcp")
	statements["sctp_abort"] = nested(SCTPAbort, "sctp")
	statements["reject"] = nested(Reject, "")
	statements["nd_na"] = nested(NDNA, "nd_ns")
	statements["nd_na_router"] = nested(NDNARouter, "nd_ns")
	statements["nd_ns"] = nested(NDNS, "ip")
}

func nested(op NestedOp, prereq string) func(*parser) Action {
	return func(p *parser) Action {
		scope := p.scope
		if op == Clone {
			scope = WriteDefault
		}
		return Nested{Op: op, Inner: p.block(prereq, scope)}
	}
}

// block parses { … } in the given scope. With a prerequisite, that stands for
// those of the actions inside; without, they are the whole flow's, before
// those it has already.
func (p *parser) block(prereq string, scope Scope) []Action {
	p.force(TokenLCurly)
	if p.blocks+1 == maxBlocks {
		p.fail("maximum depth of nested actions reached")
	}
	outer, outerScope := p.prereqs, p.scope
	p.prereqs, p.scope = nil, scope
	p.blocks++
	inner := p.actions(TokenRCurly)
	p.blocks--
	p.scope = outerScope
	if prereq != "" {
		p.prereqs = outer
		p.require(prereq)
	} else {
		p.prereqs = append(p.prereqs, outer...)
	}
	return inner
}

var nestedNames = [...]string{
	Clone: "clone", ARP: "arp", ICMP4: "icmp4", ICMP4Error: "icmp4_error", ICMP6: "icmp6",
	ICMP6Error: "icmp6_error", TCPReset: "tcp_reset", SCTPAbort: "sctp_abort", Reject: "reject",
	NDNA: "nd_na", NDNARouter: "nd_na_router", NDNS: "nd_ns",
}

func (a Nested) format(f *actionFormat) { f.block(nestedNames[a.Op], a.Inner) }

func (a Nested) compile(r Resolver) (Op, error) {
	inner, err := Compile(a.Inner, r)
	return Op{Code: OpNested, Block: a.Op, Inner: inner}, err
}

func (f *actionFormat) block(name string, inner []Action) {
	f.str(name)
	f.str(" { ")
	f.actions(inner)
	f.str(" };")
}

// maxBlocks is how deep actions may nest in one another's { }.
const maxBlocks = 32
