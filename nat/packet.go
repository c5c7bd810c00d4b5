package nat

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// Packet says where the parts of one IP packet are. It holds offsets into the
// bytes it was parsed from and no reference to them.
type Packet struct {
	Tuple Tuple // of the packet itself; an ICMP error's has no ports
	L4    int   // offset of the transport header
	End   int   // offset of the first byte behind the packet (or of where it was cut off)
	Total int   // where the packet ends by its own header
	Cut   bool  // the IP length promises more bytes than there are
	Sum   Sum   // of the transport checksum; set by CheckSum

	Fragment   bool   // any fragment, first included; ports are 0
	More       bool   // more fragments follow
	FragOffset int    // in bytes
	FragID     uint32 // 16 bits in IPv4
	FragNext   uint8  // IPv6: the protocol behind the fragment header

	IsError bool // ICMP error that quotes a packet

	// PatchCutTCP makes Rewrite put a change of ports into the checksum of a
	// quoted TCP header that was cut off behind that checksum. Open vSwitch's
	// userspace does; the kernel touches only checksums of whole headers.
	PatchCutTCP bool
	// KeepQuote makes Rewrite leave quoted packets alone.
	KeepQuote bool
	// QuotedSCTP is what Rewrite does to the checksum of a quoted SCTP packet.
	QuotedSCTP QuotedSCTP

	Inner Inner
}

// QuotedSCTP is what becomes of the CRC of an SCTP packet quoted in an ICMP
// error, if the quote holds it. It covers as much of the packet as is quoted.
type QuotedSCTP uint8

const (
	KeepCRC   QuotedSCTP = iota // Open vSwitch before 3.2, which knows no ports of SCTP
	UpdateCRC                   // Open vSwitch since 3.2: right stays right, wrong equally wrong
	MakeCRC                     // the kernel: computed anew
)

// Inner is the packet quoted in an ICMP error, as far as it goes.
type Inner struct {
	Tuple Tuple
	L3    int // offset of the quoted IP header
	L4    int // offset of the quoted transport header
	// Fragment: it is the first of several, which alone has ports.
	Fragment bool
}

// Fault is why bytes are not an IP packet that can be tracked. Zero: they are.
type Fault uint8

const (
	NoFault        Fault = iota
	FaultVersion         // neither IPv4 nor IPv6
	FaultTruncated       // too short for its headers
	FaultLength          // header or packet length impossible
	FaultExtension       // IPv6 extension headers do not end in a transport header
	FaultQuote           // an ICMP error whose quoted packet cannot be read
)

var faultText = [...]string{"", "not IPv4 or IPv6", "too short for its headers", "impossible length",
	"IPv6 extension headers lead nowhere", "unreadable packet in ICMP error"}

func (f Fault) String() string { return faultText[f] }

// Parse reads the headers of the IP packet in ip into p. Bytes behind the
// length the IP header states (Ethernet padding) are ignored. Checksums are
// not looked at: see CheckSum and HeaderSumOK.
func (p *Packet) Parse(ip []byte) Fault {
	*p = Packet{}
	if f := p.parseL3(ip); f != NoFault {
		return f
	}
	if p.Fragment {
		return NoFault
	}
	if f := parseL4(ip[:p.End], p.L4, &p.Tuple, false); f != NoFault {
		return f
	}
	if p.Tuple.ICMP() && isErrorType(p.Tuple.V6, p.Tuple.Type) {
		p.IsError = true
		return p.parseInner(ip[:p.End])
	}
	return NoFault
}

// ParseTuple returns the tuple of an IP packet. It is false for what no
// connection can be named by: malformed packets and fragments.
func ParseTuple(ip []byte) (Tuple, bool) {
	var p Packet
	f := p.Parse(ip)
	return p.Tuple, f == NoFault && !p.Fragment
}

// FirstTuple returns the tuple of a fragment parsed from ip that is the first of its
// datagram: Tuple has no ports then, as for whoever tracks connections. It is false
// for other packets, and where the fragment is too short for them.
func (p *Packet) FirstTuple(ip []byte) (Tuple, bool) {
	t := p.Tuple
	ok := p.Fragment && p.FragOffset == 0 && parseL4(ip[:p.End], p.L4, &t, true) == NoFault
	return t, ok
}

func (p *Packet) parseL3(ip []byte) Fault {
	if len(ip) == 0 {
		return FaultTruncated
	}
	switch ip[0] >> 4 {
	case 4:
		return p.parseIPv4(ip)
	case 6:
		return p.parseIPv6(ip)
	}
	return FaultVersion
}

func (p *Packet) parseIPv4(ip []byte) Fault {
	if len(ip) < 20 {
		return FaultTruncated
	}
	size, total := int(ip[0]&15)*4, header.Length(ip)
	if size < 20 || total < size {
		return FaultLength
	}
	if len(ip) < size {
		return FaultTruncated
	}
	p.setEnd(ip, total)
	p.L4 = size
	readIPv4Tuple(ip, &p.Tuple)
	frag := binary.BigEndian.Uint16(ip[6:])
	p.FragID = uint32(binary.BigEndian.Uint16(ip[4:]))
	p.FragOffset, p.More = int(frag&0x1fff)*8, frag&0x2000 != 0
	p.Fragment = p.More || p.FragOffset != 0
	return NoFault
}

func readIPv4Tuple(ip []byte, t *Tuple) {
	copy(t.Src[:4], ip[12:16])
	copy(t.Dst[:4], ip[16:20])
	t.Proto = ip[9]
}

func (p *Packet) parseIPv6(ip []byte) Fault {
	if len(ip) < 40 {
		return FaultTruncated
	}
	p.setEnd(ip, header.Length(ip))
	p.Tuple.V6 = true
	copy(p.Tuple.Src[:], ip[8:24])
	copy(p.Tuple.Dst[:], ip[24:40])
	return p.walkExtensions(ip[:p.End], 40, ip[6])
}

// walkExtensions follows the IPv6 extension headers to the transport header (RFC 8200).
func (p *Packet) walkExtensions(ip []byte, at int, proto uint8) Fault {
	for header.Extension(proto) {
		if at+8 > len(ip) {
			return FaultExtension
		}
		next, size := header.Step(proto, ip[at:])
		if proto == header.ProtoFragment {
			frag := binary.BigEndian.Uint16(ip[at+2:])
			p.FragID = binary.BigEndian.Uint32(ip[at+4:])
			p.FragOffset, p.More = int(frag&0xfff8), frag&1 != 0
			p.Fragment = p.More || p.FragOffset != 0
			p.FragNext = next
		}
		if p.FragOffset != 0 {
			p.Tuple.Proto, p.L4 = next, at+size
			return NoFault
		}
		if at+size > len(ip) {
			return FaultExtension
		}
		proto, at = next, at+size
	}
	p.Tuple.Proto, p.L4 = proto, at
	return NoFault
}

func (p *Packet) setEnd(ip []byte, total int) {
	p.End, p.Total, p.Cut = total, total, total > len(ip)
	if p.Cut {
		p.End = len(ip)
	}
}

// parseL4 reads ports, or ICMP type, code and ID, at offset at. A quoted
// packet need only hold its first 8 bytes of transport header.
func parseL4(ip []byte, at int, t *Tuple, quoted bool) Fault {
	l4 := ip[at:]
	need := 0
	switch {
	case t.Proto == header.ProtoTCP && !quoted:
		need = 20
	case t.Proto == header.ProtoSCTP && !quoted:
		need = 12
	case hasPorts(t.Proto), t.ICMP():
		need = 8
	}
	if len(l4) < need {
		return FaultTruncated
	}
	switch {
	case hasPorts(t.Proto):
		t.SrcPort, t.DstPort = binary.BigEndian.Uint16(l4), binary.BigEndian.Uint16(l4[2:])
	case t.ICMP():
		t.Type, t.Code = l4[0], l4[1]
		if _, ok := reverseType(t.V6, t.Type); ok {
			id := binary.BigEndian.Uint16(l4[4:])
			t.SrcPort, t.DstPort = id, id
		}
	}
	return NoFault
}

// isErrorType is whether an ICMP message of this type quotes a packet (RFC 792, RFC 4443).
func isErrorType(v6 bool, typ uint8) bool {
	if v6 {
		return typ >= 1 && typ <= 4
	}
	return typ == 3 || typ == 4 || typ == 5 || typ == 11 || typ == 12
}

func (p *Packet) parseInner(ip []byte) Fault {
	at := p.L4 + 8
	if at > len(ip) {
		return FaultQuote
	}
	quote := ip[at:]
	var in Packet
	if len(quote) == 0 || quote[0]>>4 != ip[0]>>4 {
		return FaultQuote
	}
	if f := in.parseL3(quote); f != NoFault || in.FragOffset != 0 {
		return FaultQuote
	}
	if f := parseL4(quote[:in.End], in.L4, &in.Tuple, true); f != NoFault {
		return FaultQuote
	}
	p.Inner = Inner{Tuple: in.Tuple, L3: at, L4: at + in.L4, Fragment: in.Fragment}
	return NoFault
}

// L4Length is the length of transport header and payload by the IP header;
// of a packet that was cut off there are fewer bytes.
func (p *Packet) L4Length(ip []byte) int {
	if !p.Cut {
		return p.End - p.L4
	}
	return p.statedLength(ip)
}
