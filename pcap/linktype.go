package pcap

import "strconv"

// LinkType is a LINKTYPE_ value of the tcpdump.org registry.
type LinkType uint16

// Link types whose frames this package understands; others are carried as they are.
const (
	LinkNull     LinkType = 0 // 4 bytes address family, in the capturing host's byte order
	LinkEthernet LinkType = 1
	LinkRaw12    LinkType = 12  // raw IP where DLT_RAW is 12
	LinkRaw14    LinkType = 14  // raw IP where DLT_RAW is 14
	LinkRaw      LinkType = 101 // IPv4 or IPv6, told by the version nibble
	LinkLoop     LinkType = 108 // as LinkNull, in network byte order
	LinkSLL      LinkType = 113 // Linux "any" capture
	LinkIPv4     LinkType = 228
	LinkIPv6     LinkType = 229
	LinkSLL2     LinkType = 276 // Linux "any" capture, version 2
)

func (t LinkType) String() string {
	switch t {
	case LinkNull:
		return "NULL"
	case LinkEthernet:
		return "EN10MB"
	case LinkRaw, LinkRaw12, LinkRaw14:
		return "RAW"
	case LinkLoop:
		return "LOOP"
	case LinkSLL:
		return "LINUX_SLL"
	case LinkIPv4:
		return "IPV4"
	case LinkIPv6:
		return "IPV6"
	case LinkSLL2:
		return "LINUX_SLL2"
	}
	return "link type " + strconv.Itoa(int(t))
}
