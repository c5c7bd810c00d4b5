package lflow

import (
	"ovnreplay/sim/field"
)

// OpCode says what an Op does.
type OpCode uint8

const (
	OpOutput OpCode = iota + 1
	OpDrop
	OpNext // Egress, Table
	OpLoad // Dst = Value
	OpLoadOVNField
	OpMove     // Dst = A
	OpExchange // A <-> B
	OpPush     // A
	OpPop      // Dst
	OpDecTTL

	OpCTNext // Zone
	OpCTCommit
	OpCTCommitToZone
	OpCTNAT // NAT, Zone
	OpCTLB  // LB
	OpCTClear
	OpCTSNATToVIP
	OpCTStateSave // Dst
	OpCTOriginal  // Dst = A

	OpNested // Block, Inner

	OpGetMACBind    // A port, B IP
	OpPutMACBind    // A port, B IP, C MAC
	OpLookupMACBind // Dst, A port, B IP, C MAC (Width 0: any MAC)
	OpPutFDB        // A port, B MAC
	OpGetFDB        // Dst, B MAC
	OpGetRemoteFDB  // Dst
	OpLookupFDB     // Dst, A port, B MAC

	OpPutOpts // Dst, Action
	OpDHCPRelay
	OpResult // Dst, Result
	OpPlain  // Plain
	OpCheckPktLarger
	OpNote // set_meter, set_queue, sample, trigger_event: the packet goes on unchanged
	OpLog
	OpServiceCheck // handle_svc_check
	OpBindVport
	OpFwdGroup
	OpSelect
	OpCommitECMPNextHop
	OpCommitLBAffinity
	OpMirror
	OpCheckEVPNARP

	OpCodes // how many there are, and the zero one
)

// Op is one compiled action. Which fields it uses depends on Code.
type Op struct {
	Code   OpCode
	Egress bool  // Next: of the egress pipeline
	Table  uint8 // Next
	V6     bool
	SNAT   bool // CTNAT
	Commit bool // CTNAT
	NAT    bool // CTCommitToZone: ct_commit_nat
	Zone   ZoneName

	Block  NestedOp
	Result ResultOp
	Plain  PlainOp

	Dst, A, B, C field.Slice
	Value, Mask  field.Uint128
	OVNField     OVNField
	N            uint32

	Addr           [16]byte // CTNAT
	PortLo, PortHi uint16

	Seq   uint16 // number within its flow, blocks included, in the order written
	Inner []Op
	LB    *Balance
	Ports []uint32 // FwdGroup, BindVport, Mirror

	// Action is the parsed action: for traces, and for the rare operations
	// that ovn-controller performs with their arguments in full.
	Action Action
}

// Forks reports whether the action sends a copy of the packet on, through
// conntrack, instead of the packet itself.
func (op *Op) Forks() bool {
	switch op.Code {
	case OpCTNext, OpCTNAT, OpCTLB, OpCTCommitToZone:
		return true
	}
	return false
}

// Resolver gives names in matches and actions their numbers in the flow key.
type Resolver interface {
	// Port returns the key value of a logical port or multicast group; false
	// if the network has neither.
	Port(name string) (uint32, bool)
}

// Compile makes operations of actions, in the order written.
func Compile(actions []Action, r Resolver) ([]Op, error) {
	ops := make([]Op, 0, len(actions))
	for _, a := range actions {
		op, err := a.compile(r)
		if err != nil {
			return nil, err
		}
		op.Action = a
		ops = append(ops, op)
	}
	return ops, nil
}
