package main

import (
	"strings"
	"testing"
)

// Microflows that OVN refuses, and some that it takes, are refused in the
// same words; headers of those that it takes are the same.
func TestParityOfMicroflows(t *testing.T) {
	needsTool(t, "ovn-trace")
	db := cases + "/nodeport/sb.db"
	theirs, our := startOVNTrace(t, db), openOurs(t, db)
	year, _ := traceVersion(t)
	const in = `inport == "breth0_ovn-worker" && `
	for _, m := range []string{
		"", "1", "0", `inport`, `inport == "nowhere"`, `ip4`, `inport == {"a", "b"}`, `inport == "a" || inport == "b"`,
		in + "0", in + "1", in + "ip4 && ip6", in + "tcp.src == 80", in + "ip4 && tcp.src > 1024",
		in + "ip4 && tcp.src[1..15] == 0x28", in + "ip4 && tcp.src > 79 && tcp.src < 82",
		in + "ip4 && 80 <= tcp.src <= 81",
		in + "ip4 && tcp.src == {80, 81}", in + "ip", in + "icmp", in + "icmp4", in + "icmp6", in + "arp", in + "rarp",
		in + "ip4.src == 1.2.3.4 && ip6.dst == ::1", in + "ip4.src == 1.2.3.0/24", in + "ip4.src != 1.2.3.4",
		in + "eth.type == 0x1234", in + "eth.type == 0x8847", in + "vlan.present", in + "vlan.vid == 5", in +
			"vlan.vid == 5 && vlan.pcp == 3",
		in + "ip.ttl == 64 && ip.ttl == 65 && ip4", in + "ip.ttl == 64", in + "ip4 && !tcp",
		in + "!ip.later_frag && ip4",
		in + "ip4 && ip.is_frag", in + "ip4 && ip.first_frag", in + "ip4 && ip.later_frag && ip.is_frag", in +
			"ip6 && ip.is_frag && udp",
		in + "ip4 && tcp.flags == 0x12", in + "ip4 && tcp && tcp.flags[1]",
		in + "ip6.label == 0x12345", in + "nd", in + "nd_ns", in +
			"nd_na && nd.target == fe80::1 && nd.tll == 00:00:00:00:00:01",
		in + "nd_ns && nd.sll == 00:00:00:00:00:01", in + "nd_rs", in + "ip4.mcast", in + "ip4 && ip.proto == 47", in +
			"ip6 && ip.proto == 132 && sctp.dst == 5",
		in + "ip4 && ip.proto == 58", in + "reg0 == 1", in + "reg0[1] && reg9 == 0x10 && xreg2 == 5",
		in + "ct.est && ip4", in + "ct_mark == 5", in + "ct_label.natted",
		in + "flags.loopback", in + "pkt.mark == 7", in + `outport == "etor-GR_ovn-worker"`, in +
			"is_chassis_resident(\"x\")", in + "!is_chassis_resident(\"x\")",
		in + "ip4.src == ", in + "&&", in + "ip4 &&& ip6", in + "nosuch == 1", in + "ip4.src == 1.2.3",
		in + "eth.src == 1", in + "ip4 || ip6", in + "(ip4 || ip6)",
		in + "ip4 && (udp.dst == 53 || udp.dst == 53)", in +
			"arp.op == 1 && arp.tpa == 10.0.0.1 && arp.sha == 00:00:00:00:00:01", in + "arp.op == 300",
		in + "$set == 1", in + "ip4.src == $nosuch", in + "inport == @nosuch", in + "tcp.src == 99999", in +
			"ip4 && tcp.src == 0x10000",
	} {
		if year > 23 && strings.Contains(m, "ct_label.natted") {
			continue // a field no more
		}
		a, ok := theirs.trace(t, m)
		if !ok {
			t.Errorf("%s: ovn-trace did not survive", m)
			continue
		}
		b, _ := our.trace(t, our.engine, m)
		if x, y := firstLine(a), untaken(m, firstLine(b)); x != y {
			t.Errorf("%s\n%s\nwant\n%s", m, y, x)
		}
	}
}

// Without friendly names ports and datapaths go by what the database calls them.
func TestParityOfPlainNames(t *testing.T) {
	needsTool(t, "ovn-trace")
	db := cases + "/cloud-l3-geneve/sb.db.gz"
	theirs, our := startOVNTrace(t, db, "--no-friendly-names"), openOurs(t, db)
	our.opts.PlainNames = true
	gen := newMicroflows(our.net, 7)
	same, named := 0, 0
	for range 100 {
		m := gen.next()
		a, ok := theirs.trace(t, m)
		b, _ := our.trace(t, our.anywhere, m)
		switch {
		case !ok || tracks(a):
		case a == b:
			same++
			if strings.Count(a, "dp=") > 1 {
				named++
			}
		case newDifference(a, b).rule() == nil:
			t.Errorf("%s\n%s", m, newDifference(a, b))
		}
	}
	if same < 30 || named < 5 {
		t.Errorf("only %d traces were compared, %d of them with names", same, named)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// untaken puts 0 for what we take where a microflow says nothing, as ovn-trace has it.
func untaken(microflow, line string) string {
	said := []string{"tp_src=49152", "tp_src=0", "tp_dst=49153", "tp_dst=0", "icmp_type=8,", "icmp_type=0,",
		"icmp_type=128,", "icmp_type=0,"}
	if !strings.Contains(microflow, "ip.ttl") {
		said = append(said, "nw_ttl=64", "nw_ttl=0")
	}
	return strings.NewReplacer(said...).Replace(line)
}
