package filter

import (
	"strings"

	"ovnreplay/nat/header"
)

// keywords are the words of the language, each with its canonical spelling.
var keywords = makeKeywords()

func makeKeywords() map[string]string {
	m := map[string]string{}
	for _, w := range strings.Fields(`dst src link arp rarp ip sctp tcp udp icmp igmp igrp pim vrrp carp radio ip6 icmp6
		ah esp atalk aarp decnet lat sca moprc mopdl iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui
		host net mask port portrange proto protochain gateway less greater byte broadcast multicast and or not len
		inbound outbound ifindex vlan mpls pppoed pppoes geneve llc rnr ` + foreign) {
		m[w] = w
	}
	for alias, w := range map[string]string{
		"ether": "link", "ppp": "link", "slip": "link", "fddi": "link", "tr": "link", "wlan": "link",
		"es-is": "esis", "is-is": "isis", "length": "len", "rulenum": "rnr",
		"direction": "dir", "address1": "addr1", "address2": "addr2", "address3": "addr3", "address4": "addr4",
	} {
		m[alias] = w
	}
	return m
}

// foreign are the keywords of link types that are not read here: 802.11, ATM,
// SS7, and the logs of OpenBSD's packet filter.
const foreign = `type subtype dir addr1 addr2 addr3 addr4 ra ta
	lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect
	on ifname rset ruleset srnr subrulenum reason action
	fisu lssu lsu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls`

// isForeign holds the words of foreign.
var isForeign = set(foreign)

// protocols are the words that name a protocol.
var protocols = set(`link ip arp rarp sctp tcp udp icmp igmp igrp pim vrrp carp atalk aarp decnet lat sca mopdl moprc
	ip6 icmp6 ah esp iso esis isis l1 l2 iih lsp snp psnp csnp clnp stp ipx netbeui radio`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// numbers are offsets and values of header fields that have names.
var numbers = map[string]uint32{
	"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcpflags": 13,
	"tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64,
	"tcp-cwr": 128,

	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8,
	"icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12, "icmp-tstamp": 13,
	"icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,

	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
	"icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130,
	"icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133,
	"icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
	"icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
	"icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144,
	"icmp6-homeagentdiscoveryreply": 145, "icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147,
	"icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149, "icmp6-multicastrouteradvert": 151,
	"icmp6-multicastroutersolicit": 152, "icmp6-multicastrouterterm": 153,
}

// Values that a protocol's field may be given by name.
var (
	etherTypes = map[string]uint32{
		"aarp": header.EtherAARP, "arp": header.EtherARP, "atalk": header.EtherATalk, "decnet": header.EtherDECnet,
		"ip": header.EtherIPv4, "ip6": header.EtherIPv6,
		"lat": header.EtherLAT, "loopback": header.EtherLoopback, "mopdl": header.EtherMOPDL,
		"moprc": header.EtherMOPRC, "rarp": header.EtherRARP,
		"sca": header.EtherSCA, "iso": sapISO, "stp": sapSTP, "ipx": sapIPX, "netbeui": sapNetBEUI,
	}
	isoProtocols = map[string]uint32{"clnp": isoCLNP, "esis": isoESIS, "isis": isoISIS}
	llcTypes     = map[string]llcType{
		"i": {0, 0x01}, "s": {1, 0x03}, "u": {3, 0x03},
		"rr": {0x01, 0x0f}, "rnr": {0x05, 0x0f}, "rej": {0x09, 0x0f},
		"ui": {0x03, 0xef}, "ua": {0x63, 0xef}, "disc": {0x43, 0xef}, "dm": {0x0f, 0xef}, "sabme": {0x6f, 0xef},
		"test": {0xe3, 0xef}, "xid": {0xaf, 0xef}, "frmr": {0x87, 0xef},
	}
)

// llcType is a value of the LLC control byte under a mask.
type llcType struct{ value, mask uint32 }

// Service access points of 802.2. They and the EtherTypes, which begin at 1501,
// are one space of numbers: what "ether proto" takes.
const (
	sapIP         = 0x06
	sapSTP        = 0x42
	sapSNAP       = 0xaa
	sapIPX        = 0xe0
	sapNetBEUI    = 0xf0
	sapISO        = 0xfe
	maxLength8023 = 1500
)

// Network protocols of ISO.
const (
	isoCLNP = 0x81
	isoESIS = 0x82
	isoISIS = 0x83
)
