package table

import (
	"fmt"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
)

// Code says what an Op does; each is one action of package lflow.
type Code uint8

const (
	Output Code = iota + 1
	Drop
	Next // Egress, Table
	Load // Dst = Value
	LoadOVNField
	Move     // Dst = A
	Exchange // A <-> B
	Push     // A
	Pop      // Dst
	DecTTL

	CTNext // Zone
	CTCommit
	CTCommitToZone
	CTNAT // NAT, Zone
	CTLB  // LB
	CTClear
	CTSNATToVIP
	CTStateSave // Dst
	CTOriginal  // Dst = A

	Nested // Block, Inner

	GetMACBind    // A port, B IP
	PutMACBind    // A port, B IP, C MAC
	LookupMACBind // Dst, A port, B IP, C MAC (Width 0: any MAC)
	PutFDB        // A port, B MAC
	GetFDB        // Dst, B MAC
	GetRemoteFDB  // Dst
	LookupFDB     // Dst, A port, B MAC

	PutOpts // Dst, Action
	DHCPRelay
	Result // Dst, Result
	Plain  // Plain
	CheckPktLarger
	Note // set_meter, set_queue, sample, trigger_event: the packet goes on unchanged
	Log
	ServiceCheck // handle_svc_check
	BindVport
	FwdGroup
	Select
	CommitECMPNextHop
	CommitLBAffinity
	Mirror
	CheckEVPNARP

	Codes // how many there are, and the zero one
)

// Op is one compiled action. Which fields it uses depends on Code.
type Op struct {
	Code   Code
	Egress bool  // Next: of the egress pipeline
	Table  uint8 // Next
	V6     bool
	SNAT   bool // CTNAT
	Commit bool // CTNAT
	NAT    bool // CTCommitToZone: ct_commit_nat
	Zone   Zone

	Block  lflow.NestedOp
	Result lflow.ResultOp
	Plain  lflow.PlainOp

	Dst, A, B, C field.Slice
	Value, Mask  field.Uint128
	OVNField     lflow.OVNField
	N            uint32

	Addr           [16]byte // CTNAT
	PortLo, PortHi uint16

	Seq   uint16 // number within its flow, blocks included, in the order written
	Inner []Op
	LB    *LB
	Ports []uint32 // FwdGroup, BindVport, Mirror

	// Action is the parsed action: for traces, and for the rare operations
	// that ovn-controller performs with their arguments in full.
	Action lflow.Action
}

// Zone is which of a packet's conntrack zones an operation uses.
type Zone uint8

const (
	ZoneDefault Zone = iota // router: dnat; switch: the port's
	ZoneDNAT
	ZoneSNAT
	ZoneCommon // ct_*_in_czone
)

// LB is a load-balancing choice.
type LB struct {
	Op        lflow.CTLBOp
	Backends  []Backend
	Hash      []field.ID // fields hashed; nil is the five-tuple
	SkipSNAT  bool
	ForceSNAT bool
}

// Backend is a member of a load balancer; Port 0 leaves the port alone.
type Backend struct {
	Addr   [16]byte
	V6     bool
	Port   uint16
	Target uint32 // ct_lb_mark_local: the member's logical port
}

// Forks reports whether the action sends a copy of the packet on, through
// conntrack, instead of the packet itself.
func (op *Op) Forks() bool {
	switch op.Code {
	case CTNext, CTNAT, CTLB, CTCommitToZone:
		return true
	}
	return false
}

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

func compileOps(actions []lflow.Action, r Resolver) ([]Op, error) {
	ops := make([]Op, 0, len(actions))
	for _, a := range actions {
		op, err := compileOp(a, r)
		if err != nil {
			return nil, err
		}
		op.Action = a
		ops = append(ops, op)
	}
	return ops, nil
}

func compileOp(a lflow.Action, r Resolver) (Op, error) {
	switch a := a.(type) {
	case lflow.Output:
		return Op{Code: Output}, nil
	case lflow.Drop:
		return Op{Code: Drop}, nil
	case lflow.Next:
		return Op{Code: Next, Egress: a.Pipeline == lflow.Egress, Table: a.Table}, nil
	case lflow.Load:
		return compileLoad(a, r), nil
	case lflow.Move:
		return Op{Code: Move, Dst: a.Dst.Slice(), A: a.Src.Slice()}, nil
	case lflow.Exchange:
		return Op{Code: Exchange, A: a.A.Slice(), B: a.B.Slice()}, nil
	case lflow.Push:
		return Op{Code: Push, A: a.Field.Slice()}, nil
	case lflow.Pop:
		return Op{Code: Pop, Dst: a.Field.Slice()}, nil
	case lflow.DecTTL:
		return Op{Code: DecTTL}, nil
	case lflow.Nested:
		inner, err := compileOps(a.Inner, r)
		return Op{Code: Nested, Block: a.Op, Inner: inner}, err
	}
	if op, ok := compileCT(a, r); ok {
		return op, nil
	}
	if op, ok := compileLearned(a); ok {
		return op, nil
	}
	if op, ok := compileController(a, r); ok {
		return op, nil
	}
	return Op{}, fmt.Errorf("action %T has no operation", a)
}

func compileLoad(a lflow.Load, r Resolver) Op {
	if a.Dst.Symbol.OVNField != lflow.NoOVNField {
		return Op{Code: LoadOVNField, OVNField: a.Dst.Symbol.OVNField, Value: a.Value.Value}
	}
	op := Op{Code: Load, Dst: a.Dst.Slice(), Value: a.Value.Value}
	op.Mask = field.Ones(int(op.Dst.Width))
	if a.Value.Masked {
		op.Mask = a.Value.Mask
	}
	if a.Dst.Symbol.IsString() && a.Value.String != "" {
		port, _ := r.Port(a.Value.String) // as in OVN, an unknown port is 0
		op.Value = field.U64(uint64(port))
	}
	return op
}

func compileCT(a lflow.Action, r Resolver) (Op, bool) {
	switch a := a.(type) {
	case lflow.CTNext:
		return Op{Code: CTNext, Zone: zone(a.Zone)}, true
	case lflow.CTCommit:
		inner, err := compileOps(a.Nested, r)
		return Op{Code: CTCommit, Inner: inner}, err == nil
	case lflow.CTCommitToZone:
		return Op{Code: CTCommitToZone, Zone: zone(a.Zone), NAT: a.NAT}, true
	case lflow.CTNAT:
		return compileNAT(a), true
	case lflow.CTLB:
		return Op{Code: CTLB, LB: compileLB(a, r)}, true
	case lflow.CTClear:
		return Op{Code: CTClear}, true
	case lflow.CTSNATToVIP:
		return Op{Code: CTSNATToVIP}, true
	case lflow.CTStateSave:
		return Op{Code: CTStateSave, Dst: a.Dst.Slice()}, true
	case lflow.CTOriginal:
		return Op{Code: CTOriginal, Dst: a.Dst.Slice(), A: field.Whole(a.Src)}, true
	}
	return Op{}, false
}

func compileNAT(a lflow.CTNAT) Op {
	op := Op{Code: CTNAT, SNAT: a.SNAT, Commit: a.Commit, PortLo: a.PortLo, PortHi: a.PortHi, Zone: ZoneDNAT}
	if a.SNAT {
		op.Zone = ZoneSNAT
	}
	if a.InCommonZone {
		op.Zone = ZoneCommon
	}
	if a.Addr.IsValid() {
		op.Commit = true
		op.Addr, op.V6 = header.Bytes(a.Addr), !a.Addr.Is4()
	}
	return op
}

func compileLB(a lflow.CTLB, r Resolver) *LB {
	lb := &LB{Op: a.Op, SkipSNAT: a.SkipSNAT, ForceSNAT: a.ForceSNAT, Hash: hashFields(a.HashFields)}
	for _, b := range a.Backends {
		to := Backend{Port: b.Port}
		to.Addr, to.V6 = header.Bytes(b.Addr), !b.Addr.Is4()
		if b.PortName != "" {
			to.Target, _ = r.Port(b.PortName)
		}
		lb.Backends = append(lb.Backends, to)
	}
	return lb
}

func compileLearned(a lflow.Action) (Op, bool) {
	switch a := a.(type) {
	case lflow.GetMACBind:
		return Op{Code: GetMACBind, A: a.Port.Slice(), B: a.IP.Slice(), V6: a.V6}, true
	case lflow.PutMACBind:
		return Op{Code: PutMACBind, A: a.Port.Slice(), B: a.IP.Slice(), C: a.MAC.Slice(), V6: a.V6}, true
	case lflow.LookupMACBind:
		op := Op{Code: LookupMACBind, Dst: a.Dst.Slice(), A: a.Port.Slice(), B: a.IP.Slice(), V6: a.V6}
		if a.MAC.Symbol != nil {
			op.C = a.MAC.Slice()
		}
		return op, true
	case lflow.PutFDB:
		return Op{Code: PutFDB, A: a.Port.Slice(), B: a.MAC.Slice()}, true
	case lflow.GetFDB:
		if a.Remote {
			return Op{Code: GetRemoteFDB, Dst: a.Dst.Slice()}, true
		}
		return Op{Code: GetFDB, Dst: a.Dst.Slice(), B: a.MAC.Slice()}, true
	case lflow.LookupFDB:
		return Op{Code: LookupFDB, Dst: a.Dst.Slice(), A: a.Port.Slice(), B: a.MAC.Slice()}, true
	case lflow.CheckEVPNARP:
		return Op{Code: CheckEVPNARP, Dst: a.Dst.Slice(), B: a.IP.Slice()}, true
	}
	return Op{}, false
}

func compileController(a lflow.Action, r Resolver) (Op, bool) {
	switch a := a.(type) {
	case lflow.PutOpts:
		return Op{Code: PutOpts, Dst: a.Dst.Slice()}, true
	case lflow.DHCPRelay:
		op := Op{Code: DHCPRelay}
		if a.Dst.Symbol != nil {
			op.Dst = a.Dst.Slice()
		}
		return op, true
	case lflow.Result:
		return Op{Code: Result, Dst: a.Dst.Slice(), Result: a.Op}, true
	case lflow.Plain:
		return Op{Code: Plain, Plain: a.Op}, true
	case lflow.CheckPktLarger:
		return Op{Code: CheckPktLarger, Dst: a.Dst.Slice(), N: uint32(a.Length)}, true
	case lflow.SetMeter, lflow.SetQueue, lflow.Sample, lflow.TriggerEvent:
		return Op{Code: Note}, true
	case lflow.Log:
		return Op{Code: Log}, true
	case lflow.HandleSvcCheck:
		return Op{Code: ServiceCheck}, true
	case lflow.BindVport:
		port, _ := r.Port(a.Vport)
		return Op{Code: BindVport, A: a.Parent.Slice(), Ports: []uint32{port}}, true
	case lflow.FwdGroup:
		return Op{Code: FwdGroup, Ports: portsOf(a.Children, r)}, true
	case lflow.Select:
		return Op{Code: Select, Dst: a.Dst.Slice()}, true
	case lflow.CommitECMPNextHop:
		return Op{Code: CommitECMPNextHop, V6: a.V6, N: uint32(a.Proto)}, true
	case lflow.CommitLBAffinity:
		return Op{Code: CommitLBAffinity}, true
	case lflow.Mirror:
		return Op{Code: Mirror, Ports: portsOf([]string{a.Port}, r)}, true
	}
	return Op{}, false
}

func portsOf(names []string, r Resolver) []uint32 {
	var out []uint32
	for _, name := range names {
		if port, ok := r.Port(name); ok {
			out = append(out, port)
		}
	}
	return out
}

func zone(z lflow.ZoneName) Zone {
	switch z {
	case lflow.ZoneDNAT:
		return ZoneDNAT
	case lflow.ZoneSNAT:
		return ZoneSNAT
	}
	return ZoneDefault
}

// hashFields turns ct_lb's hash_fields into field IDs; names OVS does not
// know are ignored, as it does.
func hashFields(s string) []field.ID {
	if s == "" {
		return nil
	}
	var ids []field.ID
	for name := range strings.SplitSeq(s, ",") {
		if id, ok := hashFieldByName[name]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

var hashFieldByName = map[string]field.ID{
	"eth_src": field.EthSrc, "eth_dst": field.EthDst, "ip_proto": field.IPProto,
	"ip_src": field.IP4Src, "ip_dst": field.IP4Dst, "ipv6_src": field.IP6Src, "ipv6_dst": field.IP6Dst,
	"tcp_src": field.TpSrc, "tcp_dst": field.TpDst, "udp_src": field.TpSrc, "udp_dst": field.TpDst,
	"sctp_src": field.TpSrc, "sctp_dst": field.TpDst, "tp_src": field.TpSrc, "tp_dst": field.TpDst,
}
