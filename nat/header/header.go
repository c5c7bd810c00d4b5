// Package header is what the headers on the wire are made of: numbers, flags,
// checksums, the step of the walk over IPv6 extension headers, and the forms of
// Ethernet and IP addresses. Every other room that reads or writes packets uses
// these, and none defines its own.
//
// The package knows no other. It parses no packets: what a packet means, and what
// of it is malformed, is for who walks it to say, and walkers differ. Nothing
// here allocates but what returns text.
package header

// EtherTypes (IANA, IEEE 802.3).
const (
	EtherNS            = 0x0600
	EtherIPv4          = 0x0800
	EtherARP           = 0x0806
	EtherMOPDL         = 0x6001
	EtherMOPRC         = 0x6002
	EtherDECnet        = 0x6003
	EtherLAT           = 0x6004
	EtherSCA           = 0x6007
	EtherTEB           = 0x6558 // an Ethernet frame, in Geneve
	EtherRARP          = 0x8035
	EtherATalk         = 0x809b
	EtherAARP          = 0x80f3
	EtherVLAN          = 0x8100
	EtherIPX           = 0x8137
	EtherIPv6          = 0x86dd
	EtherMPLS          = 0x8847
	EtherMPLSMulticast = 0x8848
	EtherPPPoED        = 0x8863
	EtherPPPoES        = 0x8864
	EtherQinQ          = 0x88a8
	EtherLoopback      = 0x9000
	EtherOldQinQ       = 0x9100
)

// IP protocol numbers, those of IPv6 extension headers among them (IANA).
const (
	ProtoHopByHop = 0
	ProtoICMP     = 1
	ProtoIGMP     = 2
	ProtoTCP      = 6
	ProtoIGRP     = 9
	ProtoUDP      = 17
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoGRE      = 47
	ProtoESP      = 50
	ProtoAH       = 51
	ProtoICMPv6   = 58
	ProtoNoNext   = 59 // nothing follows an IPv6 header
	ProtoDestOpts = 60
	ProtoPIM      = 103
	ProtoVRRP     = 112 // and CARP
	ProtoSCTP     = 132
	ProtoUDPLite  = 136
)

// TCP flags, of the header's byte 13 (RFC 9293).
const (
	FlagFIN = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
	FlagECE
	FlagCWR
)

// Kinds of TCP options (RFC 9293, 7323, 2018).
const (
	OptionEnd = iota
	OptionNop
	OptionMSS
	OptionScale
	OptionSackOK
	OptionSack
	OptionTimestamp = 8
)

// Option returns the kind of the TCP option that b begins with, and how long the option is: 0
// at the end of the options, or where one is none or is cut off.
func Option(b []byte) (kind uint8, size int) {
	switch {
	case len(b) == 0, b[0] == OptionEnd:
		return OptionEnd, 0
	case b[0] == OptionNop:
		return OptionNop, 1
	case len(b) < 2 || b[1] < 2 || int(b[1]) > len(b):
		return b[0], 0
	}
	return b[0], int(b[1])
}

// Extension reports whether proto is an IPv6 extension header that the walk to
// the transport header steps over (RFC 8200). ESP, behind which everything is
// encrypted, is none.
func Extension(proto uint8) bool {
	switch proto {
	case ProtoHopByHop, ProtoRouting, ProtoFragment, ProtoAH, ProtoDestOpts:
		return true
	}
	return false
}

// Step steps over the extension header that b begins with, of which at least two
// bytes are there: it returns the protocol of what follows, and where that
// begins, which may be behind b's end.
func Step(proto uint8, b []byte) (next uint8, size int) {
	switch proto {
	case ProtoFragment:
		return b[0], 8
	case ProtoAH:
		return b[0], (int(b[1]) + 2) * 4 // RFC 4302: in words of 32 bits, less two
	}
	return b[0], (int(b[1]) + 1) * 8
}
