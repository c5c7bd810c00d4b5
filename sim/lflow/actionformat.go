package lflow

import (
	"fmt"
	"net/netip"
	"strconv"

	"ovnreplay/sim/field"
)

// FormatActions returns the canonical form of actions, OVN's own. env says
// where the flow is, for "next". No actions are "drop;".
//
// Strings are escaped where OVN would print what it cannot read back.
func FormatActions(actions []Action, env *Env) string {
	if env == nil {
		env = &Env{}
	}
	f := actionFormat{env: env}
	f.actions(actions)
	return string(f.b)
}

// actionFormat collects the text of actions.
type actionFormat struct {
	env *Env
	b   []byte
}

func (f *actionFormat) actions(actions []Action) {
	if len(actions) == 0 {
		f.str("drop;")
	}
	for i, a := range actions {
		if i > 0 {
			f.str(" ")
		}
		f.action(a)
	}
}

func (f *actionFormat) str(s string)    { f.b = append(f.b, s...) }
func (f *actionFormat) quoted(s string) { f.b = appendQuoted(f.b, s) }
func (f *actionFormat) field(r FieldRef) {
	f.b = r.append(f.b)
}
func (f *actionFormat) number(n uint64) { f.b = strconv.AppendUint(f.b, n, 10) }

func (f *actionFormat) printf(format string, args ...any) { f.b = fmt.Appendf(f.b, format, args...) }

// call appends "name(field, field…);".
func (f *actionFormat) call(name string, args ...FieldRef) {
	f.str(name)
	f.str("(")
	for i, arg := range args {
		if i > 0 {
			f.str(", ")
		}
		f.field(arg)
	}
	f.str(");")
}

// result appends "dst = name(field…);".
func (f *actionFormat) result(dst FieldRef, name string, args ...FieldRef) {
	f.field(dst)
	f.str(" = ")
	f.call(name, args...)
}

// action appends a. Actions of the packet's path are here; those of
// connection tracking and of the controller follow in their own functions.
func (f *actionFormat) action(a Action) {
	switch a := a.(type) {
	case Output:
		f.str("output;")
	case Drop:
		f.str("drop;")
	case Next:
		f.next(a)
	case Load:
		f.load(a)
	case Move:
		f.pair(a.Dst, " = ", a.Src)
	case Exchange:
		f.pair(a.A, " <-> ", a.B)
	case Push:
		f.call("push", a.Field)
	case Pop:
		f.call("pop", a.Field)
	case DecTTL:
		f.str("ip.ttl--;")
	case Nested:
		f.block(nestedNames[a.Op], a.Inner)
	default:
		if !f.connection(a) && !f.lookup(a) && !f.controller(a) {
			f.printf("?%T;", a)
		}
	}
}

func (f *actionFormat) pair(a FieldRef, op string, b FieldRef) {
	f.field(a)
	f.str(op)
	f.field(b)
	f.str(";")
}

func (f *actionFormat) block(name string, inner []Action) {
	f.str(name)
	f.str(" { ")
	f.actions(inner)
	f.str(" };")
}

var nestedNames = [...]string{
	Clone: "clone", ARP: "arp", ICMP4: "icmp4", ICMP4Error: "icmp4_error", ICMP6: "icmp6",
	ICMP6Error: "icmp6_error", TCPReset: "tcp_reset", SCTPAbort: "sctp_abort", Reject: "reject",
	NDNA: "nd_na", NDNARouter: "nd_na_router", NDNS: "nd_ns",
}

func (f *actionFormat) next(a Next) {
	switch {
	case a.Pipeline != f.env.Pipeline:
		name := "ingress"
		if a.Pipeline == Egress {
			name = "egress"
		}
		f.printf("next(pipeline=%s, table=%d);", name, a.Table)
	case int(a.Table) != int(f.env.Table)+1:
		f.printf("next(%d);", a.Table)
	default:
		f.str("next;")
	}
}

func (f *actionFormat) load(a Load) {
	f.field(a.Dst)
	f.str(" = ")
	switch a.Dst.Symbol.OVNField {
	case NoOVNField:
		f.b = a.Value.append(f.b)
	case ICMP4InnerIP4Src:
		f.b = appendIPv4(f.b, uint32(a.Value.Value.Lo))
	default:
		f.number(uint64(uint16(a.Value.Value.Lo))) // 16 bits of either MTU, as OVN prints them
	}
	f.str(";")
}

// connection appends a if it is an action of connection tracking.
func (f *actionFormat) connection(a Action) bool {
	switch a := a.(type) {
	case CTNext:
		if f.env.OneCTNext && a.Zone != ZoneSNAT {
			f.str("ct_next;")
			break
		}
		f.zone("ct_next", a.Zone)
	case CTCommit:
		f.ctCommit(a)
	case CTCommitToZone:
		name := "ct_commit_to_zone"
		if a.NAT {
			name = "ct_commit_nat"
		}
		f.zone(name, a.Zone)
	case CTNAT:
		f.ctNAT(a)
	case CTLB:
		f.ctLB(a)
	case CTClear:
		f.str("ct_clear;")
	case CTSNATToVIP:
		f.str("ct_snat_to_vip;")
	case CTStateSave:
		f.result(a.Dst, "ct_state_save")
	case CTOriginal:
		f.result(a.Dst, originalNames[a.Src])
	default:
		return false
	}
	return true
}

var originalNames = map[field.ID]string{
	field.CTNwDst: "ct_nw_dst", field.CTIP6Dst: "ct_ip6_dst", field.CTTpDst: "ct_tp_dst", field.CTProto: "ct_proto",
}

func (f *actionFormat) zone(name string, zone ZoneName) {
	f.str(name)
	if zone == ZoneSNAT {
		f.str("(snat);")
	} else {
		f.str("(dnat);")
	}
}

func (f *actionFormat) ctCommit(a CTCommit) {
	switch {
	case len(a.Nested) == 0:
		f.str("ct_commit;")
		return
	case !a.V1:
		f.block("ct_commit", a.Nested)
		return
	}
	f.str("ct_commit(")
	for i, inner := range a.Nested {
		if i > 0 {
			f.str(", ")
		}
		l := inner.(Load)
		f.field(l.Dst)
		f.str("=")
		f.b = appendHex(f.b, l.Value.Value)
		if l.Value.Masked {
			f.str("/")
			f.b = appendHex(f.b, l.Value.Mask)
		}
	}
	f.str(");")
}

func (f *actionFormat) ctNAT(a CTNAT) {
	f.str("ct_")
	if a.SNAT {
		f.str("snat")
	} else {
		f.str("dnat")
	}
	if a.InCommonZone {
		f.str("_in_czone")
	}
	if a.Addr.IsValid() {
		f.str("(")
		f.addr(a.Addr)
		if a.PortLo != 0 {
			f.printf(",%d", a.PortLo)
		}
		if a.PortHi != 0 {
			f.printf("-%d", a.PortHi)
		}
		f.str(")")
	}
	f.str(";")
}

func (f *actionFormat) addr(addr netip.Addr) {
	v := addressValue(addr)
	if addr.Is4() {
		f.b = appendIPv4(f.b, uint32(v.Lo))
	} else {
		f.b = appendIPv6(f.b, v)
	}
}

var lbNames = [...]string{LB: "ct_lb", LBMark: "ct_lb_mark", LBMarkLocal: "ct_lb_mark_local"}

func (f *actionFormat) ctLB(a CTLB) {
	f.str(lbNames[a.Op])
	if len(a.Backends) == 0 {
		f.str(";")
		return
	}
	f.str("(backends=")
	for i, b := range a.Backends {
		if i > 0 {
			f.str(",")
		}
		if a.Op == LBMarkLocal {
			f.quoted(b.PortName)
			f.str(":")
		}
		f.endpoint(b.Addr, b.Port)
	}
	if a.Hashed || a.HashFields != "" {
		f.str("; hash_fields=")
		f.quoted(a.HashFields)
	}
	if a.SkipSNAT {
		f.str("; skip_snat")
	}
	if a.ForceSNAT {
		f.str("; force_snat")
	}
	f.str(");")
}

// endpoint appends an address, and the port if there is one.
func (f *actionFormat) endpoint(addr netip.Addr, port uint16) {
	switch {
	case port == 0:
		f.addr(addr)
	case addr.Is4():
		f.addr(addr)
		f.printf(":%d", port)
	default:
		f.str("[")
		f.addr(addr)
		f.printf("]:%d", port)
	}
}
