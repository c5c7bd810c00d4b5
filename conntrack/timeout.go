package conntrack

import "fmt"

// Second is a second of Time.
const Second Time = 1e9

// Timeout names a state's timeout. The names are those of Open vSwitch's
// timeout policies (ovs-vswitchd.conf.db(5), CT_Timeout_Policy) extended by
// what the kernel has beyond them (nf_conntrack-sysctl).
type Timeout uint8

const (
	TCPSynSent Timeout = iota
	TCPSynRecv
	TCPEstablished
	TCPFinWait
	TCPCloseWait
	TCPLastAck
	TCPTimeWait
	TCPClose
	TCPSynSent2
	TCPRetransmit
	TCPUnack
	UDPFirst
	UDPSingle
	UDPMultiple
	ICMPFirst
	ICMPReply
	GRESingle
	GREStream
	SCTPClosed
	SCTPCookieWait
	SCTPCookieEchoed
	SCTPEstablished
	SCTPShutdownSent
	SCTPShutdownRecd
	SCTPShutdownAckSent
	SCTPHeartbeatSent
	Generic

	timeouts
)

var timeoutNames = [timeouts]string{
	"tcp_syn_sent", "tcp_syn_recv", "tcp_established", "tcp_fin_wait", "tcp_close_wait", "tcp_last_ack",
	"tcp_time_wait", "tcp_close", "tcp_syn_sent2", "tcp_retransmit", "tcp_unack",
	"udp_first", "udp_single", "udp_multiple", "icmp_first", "icmp_reply", "gre_single", "gre_stream",
	"sctp_closed", "sctp_cookie_wait", "sctp_cookie_echoed", "sctp_established",
	"sctp_shutdown_sent", "sctp_shutdown_recd", "sctp_shutdown_ack_sent", "sctp_heartbeat_sent", "generic",
}

func (t Timeout) String() string { return timeoutNames[t] }

// ParseTimeout finds a timeout by its name.
func ParseTimeout(name string) (Timeout, error) {
	for i, n := range timeoutNames {
		if n == name {
			return Timeout(i), nil
		}
	}
	return 0, fmt.Errorf("unknown timeout %q", name)
}

// Defaults in seconds: net/netfilter of Linux 6, and the default policy of
// Open vSwitch's userspace datapath (3.x). Zero: the profile has no such state.
var defaultTimeouts = map[Profile][timeouts]Time{
	Linux: {
		TCPSynSent: 120, TCPSynRecv: 60, TCPEstablished: 432000, TCPFinWait: 120, TCPCloseWait: 60, TCPLastAck: 30,
		TCPTimeWait: 120, TCPClose: 10, TCPSynSent2: 120, TCPRetransmit: 300, TCPUnack: 300,
		UDPFirst: 30, UDPSingle: 30, UDPMultiple: 120, ICMPFirst: 30, ICMPReply: 30, GRESingle: 30, GREStream: 180,
		SCTPClosed: 10, SCTPCookieWait: 3, SCTPCookieEchoed: 3, SCTPEstablished: 210,
		SCTPShutdownSent: 3, SCTPShutdownRecd: 3, SCTPShutdownAckSent: 3, SCTPHeartbeatSent: 30, Generic: 600,
	},
	OVSUserspace: {
		TCPSynSent: 30, TCPSynRecv: 30, TCPEstablished: 86400, TCPFinWait: 900, TCPTimeWait: 45, TCPClose: 30,
		UDPFirst: 60, UDPSingle: 60, UDPMultiple: 30, ICMPFirst: 60, ICMPReply: 30,
	},
}

func (t *Table) setTimeouts() {
	d := defaultTimeouts[t.opt.Profile]
	for i := range d {
		t.timeout[i] = d[i] * Second
	}
	for k, v := range t.opt.Timeouts {
		if k < timeouts {
			t.timeout[k] = v
		}
	}
}
