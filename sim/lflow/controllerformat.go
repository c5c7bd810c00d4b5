package lflow

import "net/netip"

// lookup appends a if it is an action on bindings learned or on the network.
func (f *actionFormat) lookup(a Action) bool {
	arpOrND := func(v6 bool) string {
		if v6 {
			return "nd"
		}
		return "arp"
	}
	switch a := a.(type) {
	case GetMACBind:
		f.call("get_"+arpOrND(a.V6), a.Port, a.IP)
	case PutMACBind:
		f.call("put_"+arpOrND(a.V6), a.Port, a.IP, a.MAC)
	case LookupMACBind:
		if a.MAC.Symbol == nil {
			f.result(a.Dst, "lookup_"+arpOrND(a.V6)+"_ip", a.Port, a.IP)
		} else {
			f.result(a.Dst, "lookup_"+arpOrND(a.V6), a.Port, a.IP, a.MAC)
		}
	case PutFDB:
		f.call("put_fdb", a.Port, a.MAC)
	case GetFDB:
		name := "get_fdb"
		if a.Remote {
			name = "get_remote_fdb"
		}
		f.result(a.Dst, name, a.MAC)
	case LookupFDB:
		f.result(a.Dst, "lookup_fdb", a.Port, a.MAC)
	case CheckEVPNARP:
		f.result(a.Dst, "chk_evpn_arp", a.IP)
	case Result:
		f.result(a.Dst, resultNames[a.Op])
	case Select:
		f.selectAction(a)
	case CheckPktLarger:
		f.field(a.Dst)
		f.printf(" = check_pkt_larger(%d);", a.Length)
	case CommitECMPNextHop:
		f.printf("commit_ecmp_nh(ipv6 = %t, proto = %s);", a.V6, protoName(a.Proto))
	case CommitLBAffinity:
		f.commitAffinity(a)
	default:
		return false
	}
	return true
}

var resultNames = [...]string{
	DNSLookup: "dns_lookup", CheckLBHairpin: "chk_lb_hairpin", CheckLBHairpinReply: "chk_lb_hairpin_reply",
	CheckInPortSec: "check_in_port_sec", CheckOutPortSec: "check_out_port_sec",
	CheckECMPNextHopMAC: "chk_ecmp_nh_mac", CheckECMPNextHop: "chk_ecmp_nh", CheckLBAffinity: "chk_lb_aff",
}

func protoName(proto uint8) string {
	switch proto {
	case 17:
		return "udp"
	case 132:
		return "sctp"
	}
	return "tcp"
}

func (f *actionFormat) selectAction(a Select) {
	f.field(a.Dst)
	f.str(" = select(")
	hashed := a.Hashed || a.HashFields != ""
	if hashed {
		f.str("values=(")
	}
	for i, m := range a.Members {
		if i > 0 {
			f.str(", ")
		}
		f.printf("%d=%d", m.ID, m.Weight)
	}
	if hashed {
		f.str("); hash_fields=")
		f.quoted(a.HashFields)
	}
	f.str(");")
}

func (f *actionFormat) commitAffinity(a CommitLBAffinity) {
	endpoint := func(name string, ap netip.AddrPort) {
		f.printf("%s = \"", name)
		if ap.Addr().Is4() {
			f.addr(ap.Addr())
		} else {
			f.str("[")
			f.addr(ap.Addr())
			f.str("]")
		}
		if ap.Port() != 0 {
			f.printf(":%d", ap.Port())
		}
		f.str("\", ")
	}
	f.str("commit_lb_aff(")
	endpoint("vip", a.VIP)
	endpoint("backend", a.Backend)
	if a.Proto != 0 {
		f.printf("proto = %s, ", protoName(a.Proto))
	}
	f.printf("timeout = %d);", a.Timeout)
}

// controller appends a if it is an action of the controller or of no effect
// on the packet.
func (f *actionFormat) controller(a Action) bool {
	switch a := a.(type) {
	case Plain:
		f.str(plainNames[a.Op])
	case PutOpts:
		f.field(a.Dst)
		f.printf(" = %s(", optsNames[a.Op])
		f.options(a.Options, "")
	case DHCPRelay:
		name := "dhcp_relay_req_chk"
		if a.Response {
			name = "dhcp_relay_resp_chk"
		}
		f.field(a.Dst)
		f.printf(" = %s(%s, %s);", name, a.Relay, a.Server)
	case Log:
		f.log(a)
	case SetMeter:
		if a.Burst != 0 {
			f.printf("set_meter(%d, %d);", a.Rate, a.Burst)
		} else {
			f.printf("set_meter(%d);", a.Rate)
		}
	case SetQueue:
		f.printf("set_queue(%d);", a.ID)
	case TriggerEvent:
		f.str("trigger_event(event = ")
		f.quoted(a.Event)
		if a.Meter != "" {
			f.str(", meter = ")
			f.quoted(a.Meter)
		}
		f.options(a.Options, ", ")
	case BindVport:
		f.str("bind_vport(")
		f.quoted(a.Vport)
		f.str(", ")
		f.field(a.Parent)
		f.str(");")
	case HandleSvcCheck:
		f.call("handle_svc_check", a.Port)
	case FwdGroup:
		f.fwdGroup(a)
	case Sample:
		f.sample(a)
	case Mirror:
		f.str("mirror(")
		f.quoted(a.Port)
		f.str(");")
	default:
		return false
	}
	return true
}

var plainNames = [...]string{
	IGMP: "igmp;", HandleDHCPv6Reply: "handle_dhcpv6_reply;", HandleBFDMsg: "handle_bfd_msg();",
	FloodRemote: "flood_remote;", MACCacheUse: "mac_cache_use;",
}

var optsNames = [...]string{
	PutDHCPv4Opts: "put_dhcp_opts", PutDHCPv6Opts: "put_dhcpv6_opts", PutNDRAOpts: "put_nd_ra_opts",
}

// options appends "name = value, …);", with before in front of the first.
func (f *actionFormat) options(options []Option, before string) {
	for i := range options {
		o := &options[i]
		f.str(before)
		before = ", "
		f.str(o.Name)
		f.str(" = ")
		braces := o.Braces || len(o.Values) != 1
		if braces {
			f.str("{")
		}
		for j := range o.Values {
			if j > 0 {
				f.str(", ")
			}
			f.b = o.Values[j].append(f.b)
		}
		if braces {
			f.str("}")
		}
	}
	f.str(");")
}

func (f *actionFormat) log(a Log) {
	f.str("log(")
	if a.HasName || a.Name != "" {
		f.str("name=")
		f.quoted(a.Name)
		f.str(", ")
	}
	f.printf("verdict=%s, severity=%s", a.Verdict, a.Severity)
	if a.HasMeter || a.Meter != "" {
		f.str(", meter=")
		f.quoted(a.Meter)
	}
	f.str(");")
}

func (f *actionFormat) fwdGroup(a FwdGroup) {
	f.str("fwd_group(")
	if a.Liveness {
		f.str(`liveness="true", `)
	}
	f.str("childports=") // even without any: fwd_group() would not parse
	for i, child := range a.Children {
		if i > 0 {
			f.str(", ")
		}
		f.quoted(child)
	}
	f.str(");")
}

func (f *actionFormat) sample(a Sample) {
	f.printf("sample(probability=%d,collector_set=%d,obs_domain=%d,obs_point=", a.Probability, a.CollectorSet, a.Domain)
	switch {
	case a.PointCookie:
		f.str("$cookie")
	case a.PointField.Symbol != nil:
		f.field(a.PointField)
	default:
		f.number(uint64(a.Point))
	}
	f.str(");")
}
