package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// writer makes up expressions.
type writer struct{ *rand.Rand }

func (w writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w writer) words(s string) string { return w.one(strings.Fields(s)...) }

// expression nests to a depth.
func (w writer) expression(depth int) string {
	out := w.term(depth)
	for range w.IntN(3) {
		operator := w.one(" and ", " or ", " && ", " || ")
		switch {
		case w.IntN(6) == 0:
			out += operator + w.one("", "not ") + w.id()
		default:
			out += operator + w.term(depth)
		}
	}
	return out
}

func (w writer) term(depth int) string {
	if depth > 0 {
		switch w.IntN(8) {
		case 0:
			return w.one("not ", "! ") + w.term(depth-1)
		case 1:
			return "(" + w.expression(depth-1) + ")"
		}
	}
	switch w.IntN(12) {
	case 0, 1, 2:
		return w.words("ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet " +
			"lat iso stp ipx netbeui clnp esis isis l1 l2 iih snp lsp csnp psnp llc pppoed")
	case 3, 4, 5:
		return w.qualified()
	case 6, 7:
		return w.sum(2) + " " + w.words("> < >= <= = == !=") + " " + w.sum(2)
	case 8:
		return w.words("vlan mpls pppoes geneve vlan mpls pppoes geneve") +
			w.one("", "", " 5", " 100", " 11", " 1024", " (39)")
	case 9:
		return w.one("less ", "greater ") + w.words("20 40 60 100")
	case 10:
		return w.one("", "", "ether ", "ip ", "ip6 ") + w.words("broadcast multicast")
	}
	return w.one("inbound", "outbound", "ifindex 1", "ifindex 3", "llc ui", "llc i", "llc s", "llc u", "llc rr",
		"byte 5 = 3", "byte 0 > 2",
		"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", "icmp[icmptype] == icmp-echo", "icmp6[icmp6type] = 135",
		"ip[6:2] & 0x1fff != 0")
}

const randomIPv4 = "10.0.0.1 10.0.0.2 10.1.2.3 192.168.1.1 224.0.0.1 255.255.255.255 127.0.0.1 0.0.0.0"
const randomIPv6 = "2001:db8::1 2001:db8:1::2 fe80::3 ff02::1 ::1"
const randomMACs = "02:00:00:00:00:01 2:0:0:0:0:2 ffff.ffff.ffff 01-00-5e-00-00-01"
const randomPort = "80 443 53 22 6081 http domain 0 65535"

func (w writer) qualified() string {
	direction := w.one("", "", "src ", "dst ", "src or dst ", "dst and src ")
	list := func(ids string) string {
		if w.IntN(4) > 0 {
			return w.words(ids)
		}
		return "(" + w.words(ids) + w.one(" or ", " and ", " or not ") + w.words(ids) + ")"
	}
	switch w.IntN(10) {
	case 0:
		return w.one("", "ip ", "arp ", "rarp ") + direction + "host " + list(randomIPv4)
	case 1:
		return w.one("", "ip6 ") + direction + "host " + list(randomIPv6)
	case 2:
		return "ether " + direction + "host " + list(randomMACs)
	case 3:
		return w.one("", "ip ") + direction + "net " +
			w.words("10 10.0 10.0.0 10.0.0.0/8 192.168.0.0/16 10.0.0.0/30 224.0.0.0/4 0.0.0.0/0 172.16.0.0/12")
	case 4:
		return direction + "net " + w.words("2001:db8::/32 fe80::/10 ff00::/8 ::/0 2001:db8:1::/48 fe80::3/128")
	case 5, 6:
		return w.one("", "tcp ", "udp ", "sctp ") + direction + "port " + list(randomPort)
	case 7:
		return w.one("", "tcp ", "udp ") + direction + "portrange " +
			w.words("6000-6010 0-1023 80-53 22 443-6081 ftp-http")
	case 8:
		return w.one("", "ip ", "ip6 ") + w.one("proto ", "protochain ", "proto ") +
			w.words("6 17 1 58 50 51 132 \\tcp \\udp \\icmp 0 59")
	}
	return w.one("ether proto ", "ether proto ", "iso proto ", "isis proto ") +
		w.words("0x800 0x86dd 0x806 \\arp \\ip 0xfe 6 66 0x8100 0xe0 0x82 24")
}

// id repeats qualifiers: most of the time it does not fit.
func (w writer) id() string {
	return w.words(randomIPv4 + " 80 443 53 2001:db8::1 02:00:00:00:00:01 6 17 (80)")
}

func (w writer) sum(depth int) string {
	if depth > 0 {
		switch w.IntN(6) {
		case 0, 1:
			return w.sum(depth-1) + " " + w.words("+ - * / & | ^ << >> %") + " " + w.sum(depth-1)
		case 2:
			return "(" + w.sum(depth-1) + " " + w.words("+ - * & | ^ << >> %") + " " + w.sum(depth-1) + ")"
		case 3:
			return "- " + w.sum(depth-1)
		}
	}
	switch w.IntN(5) {
	case 0:
		return w.words("0 1 2 4 5 6 0x0f 0xff 60 255 1024 tcp-syn icmp-echo")
	case 1:
		return "len"
	}
	offset := w.words("0 1 2 3 6 8 9 12 13 16 20 24 40")
	if depth > 0 && w.IntN(4) == 0 {
		offset = w.sum(depth - 1)
	}
	return fmt.Sprintf("%s[%s%s]", w.words("ip ip ip6 arp ether tcp udp icmp icmp6 sctp link rarp igmp decnet"), offset,
		w.one("", "", ":1", ":2", ":4"))
}

// soup is words in no order, of which a few make sense; words that are said
// before those that need them are drawn often.
func (w writer) soup() string {
	var out []string
	for range 1 + w.IntN(7) {
		out = append(out, w.one(
			"host", "net", "port", "src", "dst", "proto", "ether", "ip", "tcp", "not", "!", "(", ")", "and", "or", "80",
			"10.0.0.1", "10.0",
			w.words(`ip6 arp udp icmp icmp6 iso isis decnet vlan mpls pppoes geneve llc less greater len
				portrange protochain broadcast multicast
				src dst mask byte ui rnr inbound ifindex stp l1 ah radio gateway`),
			w.words("80 6 0 5 1 0x10 010 2001:db8::1 ::/0 10.0.0.0/8 02:00:00:00:00:01 80-90 \\tcp \\ip 255.0.0.0"),
			w.words("[ ] [0] [0:2] [8] + - * / & | = != > < >= 0 / 8 & 1 && || : == << ^ %")))
	}
	return strings.Join(out, w.one(" ", " ", " ", ""))
}

// mutated is an expression with words lost, doubled or exchanged.
func (w writer) mutated() string {
	words := strings.Fields(w.expression(1))
	for range 1 + w.IntN(2) {
		i, j := w.IntN(len(words)), w.IntN(len(words))
		switch w.IntN(4) {
		case 0:
			if len(words) > 1 {
				words = append(words[:i], words[i+1:]...)
			}
		case 1:
			words[i] += " " + words[j]
		case 2:
			words[i], words[j] = words[j], words[i]
		case 3:
			words[i] = w.soup()
		}
	}
	return strings.Join(words, " ")
}
