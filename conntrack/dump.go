package conntrack

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"ovnreplay/nat"
	"ovnreplay/nat/header"
)

// Format is a way to write a table down.
type Format uint8

const (
	Dpctl         Format = iota // ovs-appctl dpctl/dump-conntrack
	DpctlMore                   // with -m
	DpctlStats                  // with -s
	DpctlMoreStat               // with -m -s
	ConntrackList               // conntrack -L
	ConntrackExt                // conntrack -L -o extended
	Proc                        // /proc/net/nf_conntrack
)

var formatNames = [...]string{"dpctl", "dpctl-m", "dpctl-s", "dpctl-m-s", "conntrack", "conntrack-extended", "proc"}

func (f Format) String() string { return formatNames[f] }

// FormatNames lists the formats by name.
func FormatNames() []string { return formatNames[:] }

// ParseFormat finds a format by its name.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return 0, fmt.Errorf("unknown dump format %q (one of %v)", name, formatNames)
}

// WriteDump writes one line an entry. What a format has no place for (the
// plain one for timeouts, say) is left out.
func WriteDump(w io.Writer, entries []Entry, f Format) error {
	b := bufio.NewWriter(w)
	var line []byte
	for i := range entries {
		line = append(AppendEntry(line[:0], &entries[i], f), '\n')
		b.Write(line)
	}
	return b.Flush()
}

// AppendEntry appends an entry's line, without its end.
func AppendEntry(b []byte, e *Entry, f Format) []byte {
	if f <= DpctlMoreStat {
		return appendDpctl(b, e, f == DpctlMore || f == DpctlMoreStat, f == DpctlStats || f == DpctlMoreStat)
	}
	return appendConntrack(b, e, f)
}

var dpctlProtos = map[uint8]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 132: "sctp",
	136: "udplite"}

func appendDpctl(b []byte, e *Entry, more, stats bool) []byte {
	if n, ok := dpctlProtos[e.Orig.Proto]; ok {
		b = append(b, n...)
	} else {
		b = strconv.AppendUint(b, uint64(e.Orig.Proto), 10)
	}
	b = appendDpctlTuple(append(b, ",orig=("...), &e.Orig)
	b = appendDpctlTuple(append(b, "),reply=("...), &e.Reply)
	b = append(b, ')')
	if more {
		b = appendUint(b, ",id=", uint64(e.ID))
	}
	if e.Zone != 0 {
		b = appendUint(b, ",zone=", uint64(e.Zone))
	}
	if more {
		b = appendFlags(append(b, ",status="...), uint64(e.Status), statusNames[:])
	}
	if stats {
		b = appendUint(b, ",timeout=", seconds(e.Timeout))
	}
	if e.Mark != 0 {
		b = appendUint(b, ",mark=", uint64(e.Mark))
	}
	if e.Label != (Label{}) {
		b = appendLabel(append(b, ",labels="...), e.Label)
	}
	b = appendDpctlProto(b, e, more)
	if e.Helper != "" {
		b = append(append(b, ",helper="...), e.Helper...)
	}
	if more && e.Parent != (nat.Tuple{}) {
		b = append(appendDpctlTuple(append(b, ",parent=("...), &e.Parent), ')')
	}
	return b
}

func appendDpctlTuple(b []byte, t *nat.Tuple) []byte {
	b = appendAddr(append(b, "src="...), t.SrcAddr())
	b = appendAddr(append(b, ",dst="...), t.DstAddr())
	if t.ICMP() {
		b = appendUint(b, ",id=", uint64(t.SrcPort))
		b = appendUint(b, ",type=", uint64(t.Type))
		return appendUint(b, ",code=", uint64(t.Code))
	}
	b = appendUint(b, ",sport=", uint64(t.SrcPort))
	return appendUint(b, ",dport=", uint64(t.DstPort))
}

// appendDpctlProto: TCP shows the later of two states, or both with -m.
func appendDpctlProto(b []byte, e *Entry, more bool) []byte {
	switch {
	case e.Orig.Proto == header.ProtoSCTP && e.State != "":
		b = append(append(b, ",protoinfo=(state="...), e.State...)
		b = appendUint(b, ",vtag_orig=", uint64(e.VTag[0]))
		b = appendUint(b, ",vtag_reply=", uint64(e.VTag[1]))
		return append(b, ')')
	case e.Orig.Proto != header.ProtoTCP || e.State == "":
		return b
	case !more:
		return append(append(append(b, ",protoinfo=(state="...), dpctlState(e.State)...), ')')
	}
	ends := e.PeerState
	if ends[0] == "" {
		s := dpctlEnd(e.State)
		ends = [2]string{s, s}
	}
	b = append(append(b, ",protoinfo=(state_orig="...), ends[0]...)
	b = append(append(b, ",state_reply="...), ends[1]...)
	if e.Scale != ([2]uint8{}) {
		b = appendUint(b, ",wscale_orig=", uint64(e.Scale[0]))
		b = appendUint(b, ",wscale_reply=", uint64(e.Scale[1]))
	}
	b = appendFlags(append(b, ",flags_orig="...), uint64(e.TCPFlags[0]), tcpFlagNames[:])
	b = appendFlags(append(b, ",flags_reply="...), uint64(e.TCPFlags[1]), tcpFlagNames[:])
	return append(b, ')')
}

var statusNames = [...]string{"EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED", "SRC_NAT", "DST_NAT", "SEQ_ADJUST",
	"SRC_NAT_DONE", "DST_NAT_DONE", "DYING", "FIXED_TIMEOUT", "TEMPLATE", "UNTRACKED"}

var tcpFlagNames = [...]string{"WINDOW_SCALE", "SACK_PERM", "CLOSE_INIT", "BE_LIBERAL", "DATA_UNACKNOWLEDGED",
	"MAXACK_SET"}

// dpctlEnd is how dpctl names a state of the kernel's.
func dpctlEnd(s string) string {
	switch s {
	case "NONE", "CLOSE":
		return "CLOSED"
	case "SYN_SENT2":
		return "SYN_SENT"
	case "FIN_WAIT":
		return "FIN_WAIT_1"
	}
	return s
}

// dpctlState is dpctlEnd with the states merged that a short dump merges.
func dpctlState(s string) string {
	switch s = dpctlEnd(s); s {
	case "FIN_WAIT_2":
		return "TIME_WAIT"
	case "SYN_RECV":
		return "ESTABLISHED"
	}
	return s
}

func appendUint(b []byte, key string, v uint64) []byte {
	return strconv.AppendUint(append(b, key...), v, 10)
}

func appendAddr(b []byte, a netip.Addr) []byte { return a.AppendTo(b) }

func appendFlags(b []byte, v uint64, names []string) []byte {
	if v == 0 {
		return append(b, '0')
	}
	first := true
	for i, n := range names {
		if v&(1<<i) == 0 {
			continue
		}
		if !first {
			b = append(b, '|')
		}
		b, first = append(b, n...), false
	}
	return b
}

func appendLabel(b []byte, l Label) []byte {
	if l.Hi == 0 {
		return appendHexBytes(append(b, "0x"...), l.Lo)
	}
	b = appendHexBytes(append(b, "0x"...), l.Hi)
	return fmt.Appendf(b, "%016x", l.Lo)
}

// appendHexBytes: the first byte without, the rest with a leading zero, as ovs-appctl prints.
func appendHexBytes(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 16) }

func seconds(t Time) uint64 {
	if t < 0 {
		return 0
	}
	return uint64(t / Second)
}
