package lflow

// Result is every "dst = name();" with no arguments that is not above.
type Result struct {
	Op  ResultOp
	Dst FieldRef
}

// ResultOp tells argument-less result actions apart.
type ResultOp uint8

const (
	DNSLookup ResultOp = iota + 1
	CheckLBHairpin
	CheckLBHairpinReply
	CheckInPortSec
	CheckOutPortSec
	CheckECMPNextHopMAC
	CheckECMPNextHop
	CheckLBAffinity

	ResultOps // how many there are, and the zero one
)

func init() {
	functions["dns_lookup"] = result(DNSLookup)
	functions["chk_lb_hairpin"] = result(CheckLBHairpin)
	functions["chk_lb_hairpin_reply"] = result(CheckLBHairpinReply)
	functions["check_in_port_sec"] = result(CheckInPortSec)
	functions["check_out_port_sec"] = result(CheckOutPortSec)
	functions["chk_ecmp_nh_mac"] = result(CheckECMPNextHopMAC)
	functions["chk_ecmp_nh"] = result(CheckECMPNextHop)
	functions["chk_lb_aff"] = result(CheckLBAffinity)
}

func result(op ResultOp) function {
	return func(p *parser, start int, dst FieldRef) Action {
		p.noArguments(start, dst, 1)
		if op == DNSLookup {
			p.require("udp")
		}
		return Result{Op: op, Dst: dst}
	}
}

var resultNames = [...]string{
	DNSLookup: "dns_lookup", CheckLBHairpin: "chk_lb_hairpin", CheckLBHairpinReply: "chk_lb_hairpin_reply",
	CheckInPortSec: "check_in_port_sec", CheckOutPortSec: "check_out_port_sec",
	CheckECMPNextHopMAC: "chk_ecmp_nh_mac", CheckECMPNextHop: "chk_ecmp_nh", CheckLBAffinity: "chk_lb_aff",
}

func (a Result) format(f *actionFormat) { f.result(a.Dst, resultNames[a.Op]) }

func (a Result) compile(Resolver) (Op, error) {
	return Op{Code: OpResult, Dst: a.Dst.Slice(), Result: a.Op}, nil
}

func (a Result) targets() []FieldRef { return []FieldRef{a.Dst} }
