package lflow

import (
	"net/netip"

	"ovnreplay/sim/field"
)

// Action is one action of a logical flow; its dynamic type says which.
// A flow's actions are a []Action in the order written.
type Action interface{ action() }

// Pipeline is a logical pipeline.
type Pipeline uint8

const (
	Ingress Pipeline = iota + 1
	Egress
)

// Constant is a literal value of an action's argument.
type Constant struct {
	String string // when the destination is a string
	Value  field.Uint128
	Mask   field.Uint128 // all ones for an unmasked constant
	Masked bool
	Format Format // as written, for printing; 0 for strings

	wide *wideNumber // beyond 128 bits, for printing
}

// Format is how an integer constant was written.
type Format uint8

const (
	FormatDecimal Format = iota + 1
	FormatHexadecimal
	FormatIPv4
	FormatIPv6
	FormatEthernet
)

// The actions. Where a type serves several of OVN's, Op tells them apart.
type (
	// Output is "output;".
	Output struct{}
	// Drop is "drop;", the only action of its flow.
	Drop struct{}
	// Next is "next;", "next(table);" and "next(pipeline=…, table=…);".
	Next struct {
		Pipeline Pipeline
		Table    uint8
		Explicit bool // not simply the next table of the flow's own pipeline
	}
	// Load is "dst = constant;". Fields without a place in the flow key
	// (Dst.Symbol.OVNField) are loaded too.
	Load struct {
		Dst   FieldRef
		Value Constant
	}
	// Move is "lhs = rhs;"; Exchange is "lhs <-> rhs;".
	Move     struct{ Dst, Src FieldRef }
	Exchange struct{ A, B FieldRef }
	// Push and Pop save and restore a field on a stack of the packet's own.
	Push struct{ Field FieldRef }
	Pop  struct{ Field FieldRef }
	// DecTTL is "ip.ttl--;".
	DecTTL struct{}

	// CTNext is "ct_next;", "ct_next(dnat);" and "ct_next(snat);". Older
	// versions only have the first, which on a router means the dnat zone.
	CTNext struct{ Zone ZoneName }
	// CTCommit is "ct_commit { … };" and the older "ct_commit(…);" and "ct_commit;".
	// Nested holds assignments to ct_mark, ct_label and their parts only.
	CTCommit struct {
		Nested []Action
		V1     bool // written "ct_commit(ct_mark=…, ct_label=…)"
	}
	// CTCommitToZone is "ct_commit_to_zone(zone);"; with NAT, "ct_commit_nat(zone);"
	// ("ct_commit_nat;" in older versions: the dnat zone).
	CTCommitToZone struct {
		Zone ZoneName
		NAT  bool
	}
	// CTNAT is ct_dnat, ct_snat, ct_dnat_in_czone and ct_snat_in_czone. Without
	// Addr it applies the NAT the connection already has.
	CTNAT struct {
		SNAT           bool
		InCommonZone   bool
		Commit         bool // the explicit "commit" of newer versions
		Addr           netip.Addr
		PortLo, PortHi uint16 // 0, 0: no range
	}
	// CTLB is ct_lb, ct_lb_mark and ct_lb_mark_local. Without Backends it is a
	// look-up that applies the connection's NAT.
	CTLB struct {
		Op         CTLBOp
		Backends   []Backend
		HashFields string // "" is the five-tuple
		Hashed     bool   // hash_fields was given, if only ""
		SkipSNAT   bool
		ForceSNAT  bool
	}
	// CTClear is "ct_clear;".
	CTClear struct{}
	// CTSNATToVIP is "ct_snat_to_vip;".
	CTSNATToVIP struct{}
	// CTStateSave is "dst = ct_state_save();".
	CTStateSave struct{ Dst FieldRef }
	// CTOriginal is "dst = ct_nw_dst();" and its kin: a field of the original
	// tuple of the packet's connection.
	CTOriginal struct {
		Dst FieldRef
		Src field.ID // CTNwDst, CTIP6Dst, CTTpDst or CTProto
	}

	// Nested is every action with a block that is not ct_commit.
	Nested struct {
		Op    NestedOp
		Inner []Action
	}

	// GetMACBind is get_arp and get_nd: eth.dst becomes the MAC bound to IP.
	GetMACBind struct {
		Port, IP FieldRef
		V6       bool
	}
	// PutMACBind is put_arp and put_nd.
	PutMACBind struct {
		Port, IP, MAC FieldRef
		V6            bool
	}
	// LookupMACBind is lookup_arp, lookup_nd, lookup_arp_ip and lookup_nd_ip.
	// The last two have no MAC (MAC.Symbol is nil).
	LookupMACBind struct {
		Dst, Port, IP, MAC FieldRef
		V6                 bool
	}
	// PutFDB, GetFDB and LookupFDB are put_fdb, get_fdb/get_remote_fdb and lookup_fdb.
	PutFDB struct{ Port, MAC FieldRef }
	GetFDB struct {
		Dst, MAC FieldRef
		Remote   bool
	}
	LookupFDB struct{ Dst, MAC, Port FieldRef }

	// PutOpts is put_dhcp_opts, put_dhcpv6_opts and put_nd_ra_opts.
	PutOpts struct {
		Op      OptsOp
		Dst     FieldRef
		Options []Option
	}
	// DHCPRelay is dhcp_relay_req_chk (Dst = …) and dhcp_relay_resp_chk.
	DHCPRelay struct {
		Dst           FieldRef
		Relay, Server netip.Addr
		Response      bool
	}
	// Result is every "dst = name();" with no arguments that is not above.
	Result struct {
		Op  ResultOp
		Dst FieldRef
	}
	// Plain is every action that is a bare word.
	Plain struct{ Op PlainOp }

	// CheckPktLarger is "dst = check_pkt_larger(n);".
	CheckPktLarger struct {
		Dst    FieldRef
		Length uint16
	}
	// Log is "log(verdict=…, …);".
	Log struct {
		Verdict  string // allow, drop, reject or pass
		Severity string
		Name     string
		Meter    string
		HasName  bool // a name was given, if only ""
		HasMeter bool
	}
	// SetMeter and SetQueue change nothing of the packet.
	SetMeter struct{ Rate, Burst uint64 }
	SetQueue struct{ ID uint16 }
	// TriggerEvent is "trigger_event(event = …);".
	TriggerEvent struct {
		Event   string
		Options []Option
		Meter   string
	}
	// BindVport is "bind_vport(vport, parent);".
	BindVport struct {
		Vport  string
		Parent FieldRef
	}
	// HandleSvcCheck is "handle_svc_check(port);".
	HandleSvcCheck struct{ Port FieldRef }
	// FwdGroup is "fwd_group(liveness=…, childports=…);".
	FwdGroup struct {
		Liveness bool
		Children []string
	}
	// Select is "dst = select(1=10, …);" and with values "select(values=(…); hash_fields=…)".
	Select struct {
		Dst        FieldRef
		Members    []Member
		HashFields string
		Hashed     bool // hash_fields was given, if only ""
	}
	// Sample is "sample(probability=…, …);".
	Sample struct {
		Probability  uint16
		CollectorSet uint32
		Domain       uint8
		Point        uint32
		PointCookie  bool
		PointField   FieldRef // Symbol nil unless the point is a field
	}
	// CommitECMPNextHop is "commit_ecmp_nh(ipv6 = …, proto = …);".
	CommitECMPNextHop struct {
		V6    bool
		Proto uint8 // 0 when absent
	}
	// CommitLBAffinity is "commit_lb_aff(vip = …, backend = …, proto = …, timeout = …);".
	CommitLBAffinity struct {
		VIP, Backend netip.AddrPort
		Proto        uint8 // 0 when absent
		Timeout      uint16
	}
	// Mirror is "mirror(port);".
	Mirror struct{ Port string }
	// CheckEVPNARP is "dst = chk_evpn_arp(ip);".
	CheckEVPNARP struct{ Dst, IP FieldRef }
)

// ZoneName is the conntrack zone an action names.
type ZoneName uint8

const (
	ZoneDefault ZoneName = iota // as written without a zone
	ZoneDNAT
	ZoneSNAT
)

// CTLBOp tells load-balancing actions apart.
type CTLBOp uint8

const (
	LB CTLBOp = iota + 1 // ct_lb: natted is a ct_label bit (older versions)
	LBMark
	LBMarkLocal
)

// Backend is a load balancer's member. Port is 0 when only addresses are translated.
type Backend struct {
	Addr     netip.Addr
	Port     uint16
	PortName string // ct_lb_mark_local only
}

// Member is one choice of select.
type Member struct{ ID, Weight uint16 }

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

// OptsOp tells option-writing actions apart.
type OptsOp uint8

const (
	PutDHCPv4Opts OptsOp = iota + 1
	PutDHCPv6Opts
	PutNDRAOpts
)

// Option is a DHCP, router advertisement or event option with its value.
type Option struct {
	Name   string
	Code   uint8
	Type   string // as in the DHCP_Options table: bool, uint8, …, ipv4, static_routes, str, domain, host_id
	Values []Constant
	Braces bool // written { … }
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

func (Output) action()            {}
func (Drop) action()              {}
func (Next) action()              {}
func (Load) action()              {}
func (Move) action()              {}
func (Exchange) action()          {}
func (Push) action()              {}
func (Pop) action()               {}
func (DecTTL) action()            {}
func (CTNext) action()            {}
func (CTCommit) action()          {}
func (CTCommitToZone) action()    {}
func (CTNAT) action()             {}
func (CTLB) action()              {}
func (CTClear) action()           {}
func (CTSNATToVIP) action()       {}
func (CTStateSave) action()       {}
func (CTOriginal) action()        {}
func (Nested) action()            {}
func (GetMACBind) action()        {}
func (PutMACBind) action()        {}
func (LookupMACBind) action()     {}
func (PutFDB) action()            {}
func (GetFDB) action()            {}
func (LookupFDB) action()         {}
func (PutOpts) action()           {}
func (DHCPRelay) action()         {}
func (Result) action()            {}
func (Plain) action()             {}
func (CheckPktLarger) action()    {}
func (Log) action()               {}
func (SetMeter) action()          {}
func (SetQueue) action()          {}
func (TriggerEvent) action()      {}
func (BindVport) action()         {}
func (HandleSvcCheck) action()    {}
func (FwdGroup) action()          {}
func (Select) action()            {}
func (Sample) action()            {}
func (CommitECMPNextHop) action() {}
func (CommitLBAffinity) action()  {}
func (Mirror) action()            {}
func (CheckEVPNARP) action()      {}
