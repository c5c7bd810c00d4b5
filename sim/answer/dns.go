package answer

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/sim/packet"
)

// The DNS message (RFC 1035).
const (
	dnsLen     = 12
	dnsTTL     = 3600
	dnsClassIN = 1

	typeA    = 1
	typePTR  = 12
	typeAAAA = 28
	typeANY  = 255

	rcodeRefused = 5
)

// Question is what a DNS query asks.
type Question struct {
	Name string // without a final dot, as written
	Type uint16
	name []byte // as on the wire
	rest int    // offset of what follows the question in the UDP payload
}

// DNSStyle is how a release answers.
type DNSStyle struct {
	Additional Additional
	Refuse     bool // answers "refused" for an address family OVN knows not to exist
}

// Additional is what becomes of a query with additional records (EDNS).
type Additional uint8

const (
	AdditionalDropped   Additional = iota // answered without them
	AdditionalIgnored                     // not answered
	AdditionalRepeated                    // answered, with them between question and answer
	AdditionalUncounted                   // the same, but their number is 0
)

// ParseDNS reads the first question of a query. It returns false if
// ovn-controller would not look it up.
func ParseDNS(in *packet.Packet, s DNSStyle) (q Question, ok bool) {
	b := udpPayload(in)
	if len(b) < dnsLen || b[2]&0x80 != 0 || be.Uint16(b[4:]) == 0 ||
		s.Additional == AdditionalIgnored && be.Uint16(b[10:]) != 0 {
		return q, false
	}
	if n := int(be.Uint16(in.Data[in.Layout.L4+4:])) - udpLen; n < len(b) {
		b = b[:max(n, 0)]
	}
	if len(b) < dnsLen {
		return q, false
	}
	var labels [][]byte
	at := dnsLen
	for at < len(b) && b[at] != 0 {
		end := at + 1 + int(b[at])
		if end > len(b) {
			return q, false
		}
		labels = append(labels, b[at+1:end])
		at = end
	}
	at++
	if at+4 > len(b) {
		return q, false
	}
	q.Name = string(bytes.Join(labels, []byte{'.'}))
	q.name = b[dnsLen:at]
	q.Type = be.Uint16(b[at:])
	q.rest = at + 4
	switch q.Type {
	case typeA, typeAAAA, typeANY, typePTR:
		return q, true
	}
	return q, false
}

// DNS is the answer that dns_lookup makes of a query whose name has the given
// record: addresses, or for PTR a name. owned says the name is OVN's alone.
//
// The message is not made of layers: question and additional records stay as they
// came, and each answer repeats the name byte for byte, which may be none that an
// encoder of names would write.
func DNS(in *packet.Packet, s DNSStyle, q Question, record string, owned bool) (Frame, bool) {
	var answers []byte
	count := 0
	add := func(typ uint16, data []byte) {
		answers = append(answers, q.name...)
		answers = be.AppendUint16(answers, typ)
		answers = be.AppendUint16(answers, dnsClassIN)
		answers = be.AppendUint32(answers, dnsTTL)
		answers = be.AppendUint16(answers, uint16(len(data)))
		answers = append(answers, data...)
		count++
	}
	refuse := false
	if q.Type == typePTR {
		add(typePTR, DomainName(record))
	} else {
		v4, v6, ok := Addresses(record)
		if !ok {
			return Frame{}, false
		}
		if q.Type != typeAAAA {
			for _, a := range v4 {
				add(typeA, a.AsSlice())
			}
		}
		if q.Type != typeA {
			for _, a := range v6 {
				add(typeAAAA, a.AsSlice())
			}
		}
		refuse = s.Refuse && owned && count == 0 && q.Type != typeANY
	}
	if count == 0 && !refuse {
		return Frame{}, false
	}
	msg := bytes.Clone(udpPayload(in)[:q.rest])
	if s.Additional != AdditionalDropped {
		msg = bytes.Clone(udpPayload(in))
	}
	if s.Additional != AdditionalRepeated {
		be.PutUint16(msg[10:], 0)
	}
	msg[2] |= 0x80
	if refuse {
		msg[3] |= rcodeRefused
	}
	be.PutUint16(msg[6:], uint16(count))
	out := replaceUDP(in, append(msg, answers...))
	if isV4(in) {
		ip := out[in.Layout.L3:]
		clear(ip[10:12])
		be.PutUint16(ip[10:], header.Checksum(0, ip[:ip4Len]))
	} else {
		sumUDP6(in, out)
	}
	return whole(out), true
}

// Payload returns the DNS message of an answer to in; it is part of the frame.
func Payload(in *packet.Packet, f Frame) []byte { return f.Data[in.Layout.L4+udpLen:] }

// SetPayload puts another message of the same length in its place.
func SetPayload(in *packet.Packet, f Frame, payload []byte) {
	copy(Payload(in, f), payload)
	if !isV4(in) {
		clear(f.Data[in.Layout.L4+6 : in.Layout.L4+8])
		sumUDP6(in, f.Data)
	}
}

// Answers returns how many records a message that DNS made of the question has.
func (q Question) Answers(msg []byte) int { return len(q.records(msg)) }

// records splits the answers that follow the question in a message; nil if
// they are not as DNS writes them.
func (q Question) records(msg []byte) (list [][]byte) {
	for b := msg[min(q.rest, len(msg)):]; len(b) > 0; {
		head := len(q.name) + 10
		if len(b) < head || !bytes.HasPrefix(b, q.name) {
			return nil
		}
		n := head + int(be.Uint16(b[head-2:]))
		if n > len(b) {
			return nil
		}
		list, b = append(list, b[:n]), b[n:]
	}
	return list
}

// Reordered reports whether two messages that answer the question differ in no
// more than the order of their answers.
func (q Question) Reordered(a, b []byte) bool {
	if len(a) != len(b) || len(a) < q.rest || !bytes.Equal(a[:q.rest], b[:q.rest]) {
		return false
	}
	x, y := q.records(a), q.records(b)
	slices.SortFunc(x, bytes.Compare)
	slices.SortFunc(y, bytes.Compare)
	return slices.EqualFunc(x, y, bytes.Equal)
}

// DomainName encodes a name in labels, uncompressed (RFC 1035).
func DomainName(s string) []byte {
	b := make([]byte, len(s)+2)
	at, n := 0, 0
	for i := range len(s) {
		if s[i] == '.' {
			b[at] = byte(n)
			at += n + 1
			n = 0
		} else {
			b[i+1] = s[i]
			n++
		}
	}
	if n > 0 {
		b[at] = byte(n)
	}
	return b
}

// Addresses parses a list of addresses between blanks, each perhaps with a
// prefix length, up to the first thing that is none.
func Addresses(s string) (v4, v6 []netip.Addr, ok bool) {
	for _, p := range Prefixes(s) {
		if a := p.Addr(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4, v6, len(v4)+len(v6) > 0
}

// Prefixes parses such a list with the lengths, those of single addresses
// being full.
func Prefixes(s string) (out []netip.Prefix) {
	for text := range tokens(s, " \t\n") {
		end := strings.IndexFunc(text, func(r rune) bool {
			return !strings.ContainsRune("0123456789abcdefABCDEF.:/", r)
		})
		whole := end < 0
		if !whole {
			text = text[:end]
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return out
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if out = append(out, p); !whole {
			return out
		}
	}
	return out
}
