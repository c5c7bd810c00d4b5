package conntrack

import (
	"fmt"
	"net/netip"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// conntrackProtos are the names conntrack(8) and the kernel print; others are "unknown".
var conntrackProtos = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 58: "icmpv6",
	132: "sctp", 136: "udplite"}

func appendConntrack(b []byte, e *Entry, f Format) []byte {
	if f != ConntrackList {
		if e.Orig.V6 {
			b = append(b, "ipv6     10 "...)
		} else {
			b = append(b, "ipv4     2 "...)
		}
	}
	name := conntrackProtos[e.Orig.Proto]
	if name == "" {
		name = "unknown"
	}
	b = fmt.Appendf(b, "%-8s %d ", name, e.Orig.Proto)
	if e.Timeout >= 0 {
		b = fmt.Appendf(b, "%d ", seconds(e.Timeout))
	}
	if e.State != "" {
		b = append(append(b, shownKernelState(e)...), ' ')
	}
	if f == Proc && e.Orig.Proto == header.ProtoGRE {
		b = append(b, "timeout=30, stream_timeout=180 "...) // its settings, by default these
	}
	b = appendKernelTuple(b, &e.Orig, f)
	if e.seenReply() {
		b = appendKernelTuple(b, &e.Reply, f)
	} else {
		b = appendKernelTuple(append(b, "[UNREPLIED] "...), &e.Reply, f)
	}
	if e.assured() {
		b = append(b, "[ASSURED] "...)
	}
	b = appendUint(b, "mark=", uint64(e.Mark))
	if e.Zone != 0 || f == Proc {
		b = appendUint(b, " zone=", uint64(e.Zone))
	}
	if f == Proc {
		return append(b, " use=2"...) // one reference more than conntrack(8) sees: the listing's
	}
	b = append(b, " use=1"...)
	if e.Helper != "" {
		b = append(append(b, " helper="...), e.Helper...)
	}
	if e.Label != (Label{}) {
		b = appendLabel(append(b, " labels="...), e.Label)
	}
	return b
}

func appendKernelTuple(b []byte, t *nat.Tuple, f Format) []byte {
	b = append(appendKernelAddr(append(b, "src="...), t.SrcAddr(), f), ' ')
	b = append(appendKernelAddr(append(b, "dst="...), t.DstAddr(), f), ' ')
	switch {
	case t.ICMP():
		return fmt.Appendf(b, "type=%d code=%d id=%d ", t.Type, t.Code, t.SrcPort)
	case t.Proto == header.ProtoGRE:
		return fmt.Appendf(b, "srckey=0x%x dstkey=0x%x ", t.SrcPort, t.DstPort)
	case t.HasPorts(), t.Proto == 33:
		return fmt.Appendf(b, "sport=%d dport=%d ", t.SrcPort, t.DstPort)
	}
	return b
}

func appendKernelAddr(b []byte, a netip.Addr, f Format) []byte {
	if f == Proc && a.Is6() {
		return append(b, a.StringExpanded()...)
	}
	return a.AppendTo(b)
}

// shownKernelState names a state as the kernel does; userspace has ends with states of their own.
func shownKernelState(e *Entry) string {
	if e.Orig.Proto != header.ProtoTCP {
		return e.State
	}
	switch e.State {
	case "CLOSED", "LISTEN":
		return "CLOSE"
	case "FIN_WAIT_1":
		return "FIN_WAIT"
	case "FIN_WAIT_2", "CLOSING":
		return "TIME_WAIT"
	}
	return e.State
}

// seenReply: userspace keeps no such bit, but its timeouts and states tell.
func (e *Entry) seenReply() bool {
	return e.Status&StatusSeenReply != 0 || e.Status == 0 && e.State != "" && e.State != "SYN_SENT"
}

func (e *Entry) assured() bool {
	return e.Status&StatusAssured != 0 || e.Status == 0 && e.State != "" && e.State != "SYN_SENT" &&
		e.State != "SYN_RECV"
}
