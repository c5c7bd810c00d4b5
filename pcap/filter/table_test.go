package filter

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// expressions are what people write, and what the manual page gives as examples.
var expressions = []string{
	"", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "pim", "vrrp", "ah", "esp",
	"ether proto 0x88cc",
	"host 10.0.0.1", "src host 10.0.0.1", "dst 10.0.0.1", "src 10.0.0.1 and dst 10.0.0.2", "src or dst host 10.0.0.1",
	"src and dst host 10.0.0.1",
	"ip host 10.0.0.1", "arp host 10.0.0.1", "host 2001:db8::1", "ip6 src host fe80::3", "host 10.0.0.1 or 10.0.0.2",
	"host (10.0.0.1 or 10.0.0.2)",
	"not host 10.0.0.1", "not host 10.0.0.1 and 10.0.0.2", "net 10", "net 10.1", "net 10.1.2", "net 10.0.0.0/8",
	"net 10.0.0.0 mask 255.0.0.0",
	"src net 10.0.0.0/30", "net 2001:db8::/32", "dst net ff00::/8", "ip6 net 2001:db8::/32 and not tcp", "host 10",
	"net 0.0.0.0/0", "net ::/0",
	"ether host 02:00:00:00:00:01", "ether src 02:00:00:00:00:01", "ether dst ff:ff:ff:ff:ff:ff",
	"ether host 2-0-0-0-0-2 or 0100.5e00.0001",
	"port 80", "src port 80", "dst port 443", "tcp port 80", "udp port 53", "sctp port 80", "tcp port 80 or 443",
	"tcp dst port (80 or 443 or 22)",
	"tcp port 80 and not 443", "portrange 6000-6008", "tcp src portrange 0-1023", "udp portrange 6000-53", "port http",
	"port domain", "tcp port ssh",
	"src and dst port 80", "portrange ftp-http", "portrange 80", "port not 80", `port (not (80 or 443))`,
	"tcp port 80 or (443 or 22)",
	"proto 6", `proto \tcp`, "ip proto 17", `ip proto \icmp`, "ip6 proto 58", "ip6 proto 44", "proto 47",
	`ether proto \ip`, `ether proto \arp`, "ether proto 0xfe",
	"ether proto 66", `ether proto \ipx`, `ether proto \stp`, `ether proto \atalk`, `ether proto \netbeui`,
	"ether proto 6",
	"protochain 6", "ip6 protochain 6", "ip protochain 6", "ip6 protochain 58", `ip6 protochain \udp`,
	"ip6 protochain 44", "not protochain 17",
	"broadcast", "ether broadcast", "ip broadcast", "multicast", "ether multicast", "ip multicast", "ip6 multicast",
	"not broadcast and not multicast",
	"less 60", "greater 60", "len <= 60", "len > 100", "len = 42", "not less 60", "len - 14 > 40",
	"vlan", "vlan 100", "vlan and ip", "vlan 100 and tcp", "vlan and vlan", "vlan 100 && vlan 5",
	"vlan && vlan 5 && ip", "ip or vlan", "vlan or ip",
	"not vlan", "not vlan and ip", "vlan and port 80", "(vlan and tcp) or tcp", "tcp or (vlan and tcp)",
	"vlan and ether host 02:00:00:00:00:01", "vlan and arp",
	"mpls", "mpls 1024", "mpls && mpls 1024", "mpls 100000 && mpls 1024", "mpls && host 10.0.0.1", "mpls and ip6",
	"mpls and mpls and tcp", "vlan and mpls",
	"pppoes", "pppoes 39", "pppoes 0x27 && ip", "pppoes and tcp port 80", "pppoed", "pppoes and ip6 and udp",
	"vlan and pppoes and ip", "pppoes and mpls and ip",
	"geneve", "geneve 11", "geneve 0xb && ip", "geneve and tcp", "geneve and host 10.0.0.1",
	"geneve and ether host 02:00:00:00:00:01", "geneve and arp",
	"geneve and vlan", "geneve and vlan 5 and ip", "geneve and geneve", "geneve and tcp port 80",
	"geneve and icmp[icmptype] = icmp-echo", "vlan and geneve and ip",
	"geneve and ip[8] < 64", "geneve and ether[0] & 1 = 1", "geneve and broadcast", "geneve and ip6 and udp",
	"geneve and pppoes and ip", "geneve and mpls",
	"tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"tcp[tcpflags] & (tcp-rst|tcp-ack) == (tcp-rst|tcp-ack)", "tcp[13] = 0x12",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", "ip[2:2] > 40", "ip[0] & 0xf != 5",
	"ip[6:2] & 0x1fff = 0",
	"ether[0] & 1 = 0 and ip[16] >= 224", "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
	"icmp6[icmp6type] = icmp6-neighborsolicit",
	"ether[12:2] = 0x800", "link[0:4] = 0x02000000", "udp[0:2] = 53", "sctp[0:2] = 80", "igmp[0] = 0x16",
	"arp[6:2] = 2", "ip6[6] = 6", "icmp[0] = 8 or icmp[0] = 0",
	"ip[8] = 64 or ip[8] = 1", "ip[ip[0] & 0xf] > 3", "ether[len - 1] = 0", "tcp[100] = 1", "not tcp[100] = 1",
	"1 + tcp[0] = 5", "-ip[8] < 0xfffffff0", "ip[8] * 2 / 2 % 3 = 1",
	"ip[8] ^ 0x40 = 0", "ip[8] | 1 = 65", "1 << 3 = 8", "ip[8] >> 4 = 4", "ip[8] = 0x40 && ip[9] == 6", "2 ^ 1 + 1 = 0",
	"len & 0xf = 2", "ip[-2] = 8",
	"tcp or udp and port 80", "tcp or (udp and port 80)", "not tcp and not udp", "not (tcp or udp)", "! tcp && ! udp",
	"ip and not (src net 10.0.0.0/8 or dst port 53)",
	"tcp and port 80 or port 443 and not host 10.0.0.1", "atalk", "aarp", "decnet", "lat", "iso", "stp", "ipx",
	"netbeui", "clnp", "esis", "isis", "l1", "l2", "iih", "lsp", "snp",
	"decnet src 10.123", "decnet host 1.1", "llc", "llc i", "llc u", "llc ui", "llc rr", "llc rnr", "llc xid",
	"iso proto 0x82", `iso proto \isis`, "isis proto 18",
	"inbound", "outbound", "ifindex 3", "inbound and tcp", "not outbound", "ip and arp", "tcp and udp", "ip or not ip",
	"byte 0 = 2", "byte 12 > 7", "byte 12 < 8",
}

// onOtherLinks are compared on every other link type.
var onOtherLinks = []string{
	"", "ip", "ip6", "arp", "tcp port 80", "host 10.0.0.1", "net 2001:db8::/32", "udp", "not tcp", "ip[8] = 64",
	"tcp[13] & 2 != 0", "ether[0] = 0x45", "geneve and ip",
	"geneve and ether host 02:00:00:00:00:01", "protochain 6", "ip multicast", "inbound", "outbound and tcp",
	"ifindex 2", "pppoes and ip", "ether proto 0xe0", "ipx", "stp", "iso",
	"atalk", "less 50", "ether proto 0x800", "not (ip or ip6)", "ip broadcast",
}

// TestExpressions has tcpdump read captures with every expression, and compares
// frame by frame; half of the frames are cut by the snap length.
func TestExpressions(t *testing.T) {
	t.Parallel()
	o := newTcpdump(t)
	const whole, cut = 250, 250
	var jobs sync.WaitGroup
	free := make(chan bool, 2)
	frameCount, compared := 0, 0
	for _, link := range links {
		packets := frames(link, 3, whole, cut)
		file := o.write(link, "table", packets, binary.LittleEndian)
		list := onOtherLinks
		if link == linkEthernet {
			list = append([]string{numbered("host 10.0.0.1" + strings.Repeat(" or 10.0.%.%", 60))}, expressions...)
		}
		for _, expr := range list {
			compared++
			frameCount += len(packets)
			free <- true
			jobs.Go(func() {
				o.compare(file, Link{Type: link}, packets, expr)
				<-free
			})
		}
	}
	jobs.Wait()
	t.Logf("%d expressions, %d answers compared", compared, frameCount)
}

// compare checks one expression on one capture.
func (o *tcpdump) compare(file string, link Link, packets []frame, expr string) {
	want, theirs := o.selects(file, len(packets), expr)
	p, err := compile(expr, link)
	switch {
	case theirs != nil && strings.HasSuffix(theirs.Error(), rejectsAll) && err == nil:
		want = make([]bool, len(packets))
	case (theirs == nil) != (err == nil):
		o.tb.Errorf("link %d, %q:\n  here: %v\n  tcpdump: %v", link.Type, expr, err, theirs)
		return
	case err != nil:
		return
	}
	for i, f := range packets {
		if got := p.Match(f.data, f.length); got != want[i] {
			o.tb.Errorf("link %d, %q, frame %d, %d of %d bytes %x: %v, tcpdump %v", link.Type, expr, i, len(f.data),
				f.length, f.data, got, want[i])
			return
		}
	}
}

// TestBigEndian: the address family of a NULL frame is in the byte order of the
// host that captured it.
func TestBigEndian(t *testing.T) {
	t.Parallel()
	o := newTcpdump(t)
	packets := frames(linkLoop, 4, 50, 0)
	file := o.write(linkNull, "big", packets, binary.BigEndian)
	for _, expr := range []string{"ip", "ip6", "tcp", "not ip"} {
		o.compare(file, Link{Type: linkNull, BigEndian: true}, packets, expr)
	}
}

// TestUnsimplified compares programs as they are before they are simplified
// with those of tcpdump without its optimizer.
func TestUnsimplified(t *testing.T) {
	t.Parallel()
	o := newTcpdump(t)
	packets := frames(linkEthernet, 5, 200, 200)
	file := o.write(linkEthernet, "plain", nil, binary.LittleEndian)
	for i, expr := range expressions {
		if i%4 != 0 {
			continue
		}
		e, err := Parse(expr)
		if err != nil {
			continue
		}
		p, err := e.compile(Link{Type: linkEthernet}, false)
		theirs, theirErr := o.compile(file, expr, "-O")
		if err != nil || theirErr != nil {
			continue
		}
		for _, f := range packets {
			if got, want := p.Match(f.data, f.length), runClassic(theirs, f); got != want {
				t.Fatalf("%q on %x: %v, tcpdump -O %v", expr, f.data, got, want)
			}
		}
	}
}

// TestRefused gives tcpdump and Parse expressions that neither takes, and says
// how the error reads here.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range refused {
		_, err := compile(c.expr, Link{Type: linkEthernet})
		if err == nil {
			t.Errorf("%q is taken", c.expr)
		} else if err.Error() != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.expr, err, c.want)
		}
	}
	o := newTcpdump(t)
	file := o.write(linkEthernet, "refused", nil, binary.LittleEndian)
	for _, c := range refused {
		if _, err := o.compile(file, c.expr); err == nil {
			t.Errorf("tcpdump takes %q", c.expr)
		}
	}
}

var refused = []struct{ expr, want string }{
	{"foo", `column 1: expected a test such as "host 10.0.0.1" or "tcp port 80", found "foo"`},
	{"host", `column 5: expected an address, number or name, found the end`},
	{"tcp port", `column 9: expected an address, number or name, found the end`},
	{"tcp 80", `column 5: expected "and", "or" or the end, found "80"`},
	{"tcp and", `column 8: expected a test such as "host 10.0.0.1" or "tcp port 80", found the end`},
	{"tcp and and udp", `column 9: expected a test such as "host 10.0.0.1" or "tcp port 80", found "and"`},
	{"(tcp", `column 5: expected ")", found the end`},
	{"tcp)", `column 4: expected "and", "or" or the end, found ")"`},
	{"()", `column 2: expected a test such as "host 10.0.0.1" or "tcp port 80", found ")"`},
	{"10.0.0.1", `column 1: expected a test such as "host 10.0.0.1" or "tcp port 80", found "10.0.0.1"`},
	{"tcp or 80", `column 8: "80" stands by itself: say what it is, such as "host 80" or "port 80"`},
	{"(tcp port 80) or 443", `column 18: "443" stands by itself: say what it is, such as "host 443" or "port 443"`},
	{"net 10/8", `column 7: a net with a mask is written with at least two parts, such as 10.0.0.0/8`},
	{"net 10.0.0.1/8", `column 5: "10.0.0.1" has bits set that the mask leaves out`},
	{"net 10.0.0.0/33", `column 14: an IPv4 mask has at most 32 bits, not 33`},
	{"host 10.0.0.0/8", `column 6: a mask follows a "net", not a "host"`},
	{"host 10.0.0.256", `column 6: "10.0.0.256" is no IPv4 address: its parts are decimal numbers up to 255`},
	{"net 2001:db8::1/32", `column 5: "2001:db8::1" has bits set that the prefix leaves out`},
	{"tcp host 10.0.0.1", `column 10: "tcp" does not go with the IPv4 address "10.0.0.1": want ip, arp or ` +
		`rarp, or none`},
	{"ip host 2001:db8::1", `column 9: "ip" does not go with the IPv6 address "2001:db8::1": want ip6, or none`},
	{"host 00:11:22:33:44:55", `column 6: an Ethernet address follows "ether host", "ether src" or "ether dst"`},
	{"ether host 00:11:22:33:44:",
		`column 12: "00:11:22:33:44:" is no Ethernet address: want six bytes, such as 02:00:5e:10:00:01`},
	{"ether host 5", `column 12: "5" is no Ethernet address: want six bytes, such as 02:00:5e:10:00:01`},
	{"port 65536", `column 6: a port is a number up to 65535, not 65536`},
	{"port no-such-service", `column 6: no port "no-such-service" is known: give its number`},
	{"icmp port 80", `column 11: "icmp" has no ports: want tcp, udp or sctp, or none`},
	{"portrange 80 - 90", `column 14: expected "and", "or" or the end, found "-"`},
	{"portrange 80-x", `column 11: "80-x" is no range of ports: want FIRST-LAST without spaces, such as 6000-6008`},
	{"proto no-such-protocol", `column 7: no protocol "no-such-protocol" is known: give its number`},
	{"tcp proto 6", `column 11: "tcp" carries no protocol that "proto" could tell: want ether, ip, ip6 or ` +
		`iso, or none`},
	{"arp protochain 6", `column 16: "arp" has no chain of headers: want ip or ip6, or none`},
	{"gateway 10.0.0.1", `column 1: "gateway" is not supported, nor is it by libpcap with IPv6: write "ether host ` +
		`ADDRESS and not host ADDRESS"`},
	{"vlan 4096", `column 6: vlan 4096 is above the greatest, 4095`},
	{"mpls 1048576", `column 6: mpls 1048576 is above the greatest, 1048575`},
	{"mpls and vlan", `column 10: "vlan" cannot follow "mpls"`},
	{"mpls and arp", `column 10: only IPv4 and IPv6 can be told after MPLS`},
	{"geneve and protochain 6", `column 23: "protochain" cannot follow "geneve"`},
	{"less", `column 5: expected a length, found the end`},
	{"ip[0:3] = 1", `column 6: a field has 1, 2 or 4 bytes, not 3`},
	{"ip[0] = ", `column 9: expected a value such as "ip[0]", "len" or 5, found the end`},
	{"ip[0]", `column 6: expected a comparison, found the end`},
	{"ip[0 = 1", `column 6: expected "]", found "="`},
	{"ah[0] = 1", `column 1: the bytes of "ah" cannot be named`},
	{"len / 0 = 1", `column 5: division by zero`},
	{"len / (1 - 1) = 1", `column 5: division by zero`},
	{"len / ip[0] = 1", `column 5: division by zero: libpcap takes what the right side begins with for all of it; ` +
		`put something else, such as "len", first`},
	{"len % 0 = 1", `column 5: modulus by zero`},
	{"len << 32 = 1", `column 5: a shift of more than 31 bits`},
	{"len-14 > 3", `column 1: expected a test such as "host 10.0.0.1" or "tcp port 80", found "len-14"`},
	{"len = 08", `column 7: 08 is no number: after a leading 0 only octal digits, or x and hexadecimal ones, ` +
		`may follow`},
	{"len = 4294967296", `column 7: 4294967296 does not fit in 32 bits`},
	{"tcp # comment", `column 5: '#' is not of the language of filters: see pcap-filter(7)`},
	{"TCP", `column 1: expected a test such as "host 10.0.0.1" or "tcp port 80", found "TCP"`},
	{"ether", `column 6: expected what is tested of "ether", such as "host 02:00:5e:10:00:01", found the end`},
	{"ip broadcast and arp multicast", `column 18: "arp" has no multicast addresses`},
	{"inbound", `column 1: the direction cannot be told in Ethernet frames: only a capture on "any" (Linux ` +
		`cooked) has it`},
	{"ifindex 1", `column 1: the interface cannot be told in Ethernet frames: only a capture on "any" of the second ` +
		`version (LINUX_SLL2) has it`},
	{"ifname eth0", `column 1: "ifname" tests what the link types read here do not have`},
	{"wlan addr1 00:11:22:33:44:55",
		`column 6: expected what is tested of "wlan", such as "host 02:00:5e:10:00:01", found "addr1"`},
	{"llc foo", `column 5: "foo" is no type of LLC frame: want i, s, u, rr, rnr, rej, ui, ua, disc, dm, sabme, ` +
		`test, xid or frmr`},
	{"port ((80 or 443))", `column 7: a list in brackets cannot be in brackets again, or begin a list: leave ` +
		`its "(" out`},
	{"vxlan", `column 1: expected a test such as "host 10.0.0.1" or "tcp port 80", found "vxlan"`},
	{"src or src 10.0.0.1", `column 8: expected "dst", found "src"`},
	{"1+(2+(3+(4+(5+(6+(7+(8+(9+(10+(11+(12+(13+(14+(15+(16+(17+len)))))))))))))))) > 3",
		`column 56: too many values are needed at once: simplify the arithmetic`},
}

// TestNotHere are expressions that tcpdump may take and this package does not:
// names that only a resolver knows.
func TestNotHere(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"host localhost": `column 6: "localhost" is no address; names of hosts are not looked up: give ` +
			`the number`,
		"net loopback": `column 5: "loopback" is no network: want a number such as 10.1.0.0/16; names are ` +
			`not looked up`,
		"ether host my-printer": `column 12: "my-printer" is no address; names of hosts are not looked up: give ` +
			`the number`,
		"byte 5 & 3": `column 1: "byte" is followed by an offset, one of = < >, and a value; better write ` +
			`"link[OFFSET] = VALUE"`,
	} {
		if _, err := compile(expr, Link{Type: linkEthernet}); fmt.Sprint(err) != want {
			t.Errorf("%q:\n got %v\nwant %s", expr, err, want)
		}
	}
	if _, err := compile("ip", Link{Type: 127}); fmt.Sprint(err) != "column 1: packets of link type 127 cannot be "+
		"filtered: only Ethernet, Linux cooked, raw IP and loopback" {
		t.Error(err)
	}
}
