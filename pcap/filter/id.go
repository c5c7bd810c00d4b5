package filter

import (
	"encoding/binary"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"ovnreplay/nat/header"
)

// id reads an address or a name, for the qualifiers before it.
func (p *parser) id(q qualifiers) node {
	t := p.take()
	switch {
	case !q.set:
		p.unqualified(t)
	case t.kind == mac:
		return p.ether(t, q)
	case t.kind == dots:
		return p.ipv4(t, q)
	case t.kind == ipv6:
		return p.ipv6(t, q)
	default:
		return p.named(t, q)
	}
	return nil
}

func (p *parser) unqualified(t token) {
	p.fail(t.column, `%v stands by itself: say what it is, such as "host %s" or "port %s"`, t, t.text, t.text)
}

func (p *parser) ether(t token, q qualifiers) node {
	if q.protocol != "link" || q.kind != "" && q.kind != "host" {
		p.fail(t.column, `an Ethernet address follows "ether host", "ether src" or "ether dst"`)
		return nil
	}
	n := &etherHost{direction: q.direction, column: t.column}
	digits := t.text
	if strings.ContainsAny(digits, ":-") || strings.Count(digits, ".") == 5 {
		digits = ""
		for _, b := range strings.FieldsFunc(t.text, func(r rune) bool { return strings.ContainsRune(":-.", r) }) {
			digits += strings.Repeat("0", 2-len(b)) + b
		}
	}
	v, _ := strconv.ParseUint(strings.ReplaceAll(digits, ".", ""), 16, 48)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	n.address = [6]byte(b[2:])
	return n
}

// ipv4 reads the rest of an address or of what it begins with.
func (p *parser) ipv4(t token, q qualifiers) node {
	if q.protocol == "decnet" && (q.kind == "" || q.kind == "host" || q.kind == "net") {
		return p.decnet(t, q)
	}
	address, bits, ok := p.dotted(t)
	if !ok {
		return nil
	}
	slash := p.accept(symbol, "/")
	if !slash && !p.peek().is(keyword, "mask") {
		if q.kind == "port" || q.kind == "portrange" || q.kind == "proto" || q.kind == "protochain" {
			p.fail(t.column, "%v is no %s", t, q.kind)
		}
		return p.host(t, q, address, ^uint32(0)<<(32-bits))
	}
	mask := p.mask(slash)
	if p.err == nil && address&^mask != 0 {
		p.fail(t.column, "%v has bits set that the mask leaves out", t)
	}
	if q.kind != "net" {
		p.fail(t.column, `a mask follows a "net", not a %q`, either(q.kind, "host"))
	}
	return p.host(t, q, address, mask)
}

// mask reads what follows the "/" or begins with "mask".
func (p *parser) mask(slash bool) uint32 {
	if slash {
		at := p.peek().column
		n := p.number("the length of a mask")
		if n > 32 {
			p.fail(at, "an IPv4 mask has at most 32 bits, not %d", n)
			return 0
		}
		return uint32(uint64(0xffffffff) << (32 - n))
	}
	p.take()
	if p.peek().kind != dots {
		p.wanted("a mask such as 255.255.0.0")
		return 0
	}
	t := p.take()
	m, _, _ := p.dotted(t)
	return m
}

// dotted is the value of two to four decimal numbers with dots between, as the
// upper bits of an address; the rest are zero.
func (p *parser) dotted(t token) (address uint32, bits int, ok bool) {
	for _, s := range strings.Split(t.text, ".") {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil || n > 255 {
			p.fail(t.column, "%v is no IPv4 address: its parts are decimal numbers up to 255", t)
			return 0, 0, false
		}
		address = address<<8 | uint32(n)
		bits += 8
	}
	return address << (32 - bits), bits, true
}

func (p *parser) decnet(t token, q qualifiers) node {
	area, rest, _ := strings.Cut(t.text, ".")
	node, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.ParseUint(area, 10, 32)
	n, _ := strconv.ParseUint(node, 10, 32)
	return &decnetHost{uint32(a<<10&0xfc00 | n&0x3ff), q.direction, t.column}
}

// host makes a test of an IPv4 address under a mask.
func (p *parser) host(t token, q qualifiers, address, mask uint32) node {
	switch q.protocol {
	case "", "ip", "arp", "rarp":
		return &host4{address, mask, q.protocol, q.direction, t.column}
	}
	p.fail(t.column, "%q does not go with the IPv4 address %v: want ip, arp or rarp, or none", spoken(q.protocol), t)
	return nil
}

func (p *parser) ipv6(t token, q qualifiers) node {
	address, err := netip.ParseAddr(t.text)
	if err != nil {
		p.fail(t.column, "%v is no IPv6 address", t)
		return nil
	}
	bits := uint32(128)
	if p.accept(symbol, "/") {
		at := p.peek().column
		if bits = p.number("the length of a prefix"); bits > 128 {
			p.fail(at, "an IPv6 prefix has at most 128 bits, not %d", bits)
			return nil
		}
	}
	prefix := netip.PrefixFrom(address, int(bits))
	switch {
	case prefix.Masked().Addr() != address:
		p.fail(t.column, "%v has bits set that the prefix leaves out", t)
	case q.kind != "" && q.kind != "host" && q.kind != "net":
		p.fail(t.column, "%v is no %s", t, q.kind)
	case q.kind != "net" && bits != 128:
		p.fail(t.column, `a prefix length follows a "net", not a "host"`)
	}
	return p.host6(t, q, prefix)
}

func (p *parser) host6(t token, q qualifiers, prefix netip.Prefix) node {
	if q.protocol != "" && q.protocol != "ip6" {
		p.fail(t.column, "%q does not go with the IPv6 address %v: want ip6, or none", spoken(q.protocol), t)
	}
	return &host6{prefix, q.direction, t.column}
}

// identify is id for a number.
func (p *parser) identify(t token, q qualifiers) node {
	switch {
	case p.err != nil:
	case !q.set:
		p.unqualified(t)
	case q.kind == "port" || q.kind == "portrange":
		return p.port(t, q, t.num, t.num, 0)
	case q.kind == "proto":
		return p.protocol(t, q, t.num)
	case q.kind == "protochain":
		return p.protochain(t, q, t.num)
	case q.protocol == "decnet":
		return &decnetHost{t.num & 0xffff, q.direction, t.column}
	case q.protocol == "link":
		p.fail(t.column, "%v is no Ethernet address: want six bytes, such as 02:00:5e:10:00:01", t)
	case q.kind == "net" && p.peek().is(symbol, "/"):
		p.fail(p.peek().column, "a net with a mask is written with at least two parts, such as 10.0.0.0/8")
	case q.kind == "net":
		address, mask := t.num, ^uint32(0)
		for address != 0 && address>>24 == 0 {
			address, mask = address<<8, mask<<8
		}
		return p.host(t, q, address, mask)
	default:
		return p.host(t, q, t.num, ^uint32(0))
	}
	return nil
}

// named is id for a name. Only names of ports and protocols are looked up.
func (p *parser) named(t token, q qualifiers) node {
	switch q.kind {
	case "port":
		n, transport, ok := lookUpPort(t.text)
		if !ok {
			p.fail(t.column, "no port %v is known: give its number", t)
			return nil
		}
		return p.port(t, q, n, n, transport)
	case "portrange":
		return p.portRange(t, q)
	case "proto", "protochain":
		n, ok := lookUpValue(q.protocol, t.text)
		if !ok {
			p.fail(t.column, "no protocol %v is known%s: give its number", t, after(q.protocol))
			return nil
		}
		if q.kind == "proto" {
			return p.protocol(t, q, n)
		}
		return p.protochain(t, q, n)
	case "net":
		p.fail(t.column, "%v is no network: want a number such as 10.1.0.0/16; names are not looked up", t)
		return nil
	}
	if a, err := netip.ParseAddr(t.text); err == nil && a.Zone() == "" && q.protocol != "link" &&
		q.protocol != "decnet" {
		if a.Is4() {
			b := a.As4()
			return p.host(t, q, binary.BigEndian.Uint32(b[:]), ^uint32(0))
		}
		return p.host6(t, q, netip.PrefixFrom(a, 128))
	}
	p.fail(t.column, "%v is no address; names of hosts are not looked up: give the number", t)
	return nil
}

// lookUpValue finds the number a protocol's field has by name.
func lookUpValue(protocol, name string) (n uint32, ok bool) {
	switch protocol {
	case "", "ip", "ip6":
		return lookUpProtocol(name)
	case "link":
		n, ok = etherTypes[name]
	case "iso":
		n, ok = isoProtocols[name]
	}
	return n, ok
}

func after(protocol string) string {
	if protocol == "" {
		return ""
	}
	return " after " + strconv.Quote(spoken(protocol))
}

// spoken is what people call a protocol.
func spoken(protocol string) string {
	if protocol == "link" {
		return "ether"
	}
	return protocol
}

func either(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

var numericRange = regexp.MustCompile(`^([0-9]+)-([0-9]+)`)

// portRange reads FIRST-LAST, numbers or names.
func (p *parser) portRange(t token, q qualifiers) node {
	if m := numericRange.FindStringSubmatch(t.text); m != nil {
		first, err := strconv.ParseUint(m[1], 10, 16)
		last, err2 := strconv.ParseUint(m[2], 10, 16)
		if err != nil || err2 != nil {
			p.fail(t.column, "a port is a number up to 65535: %v", t)
		}
		return p.port(t, q, uint32(first), uint32(last), 0)
	}
	a, b, _ := strings.Cut(t.text, "-")
	first, transport, ok := lookUpPort(a)
	last, other, ok2 := lookUpPort(b)
	if !ok || !ok2 {
		p.fail(t.column, "%v is no range of ports: want FIRST-LAST without spaces, such as 6000-6008", t)
		return nil
	}
	if transport != other {
		transport = 0
	}
	return p.port(t, q, first, last, transport)
}

// port makes a test of ports; transport is the only protocol they are known
// of, 0 if it is not one.
func (p *parser) port(t token, q qualifiers, first, last, transport uint32) node {
	wanted, ok := map[string]uint32{"": 0, "tcp": header.ProtoTCP, "udp": header.ProtoUDP,
		"sctp": header.ProtoSCTP}[q.protocol]
	switch {
	case !ok:
		p.fail(t.column, "%q has no ports: want tcp, udp or sctp, or none", spoken(q.protocol))
	case wanted != 0 && transport != 0 && wanted != transport:
		p.fail(t.column, "port %v is of %s, not %s", t, map[uint32]string{header.ProtoTCP: "tcp",
			header.ProtoUDP: "udp"}[transport], q.protocol)
	case first > 65535:
		p.fail(t.column, "a port is a number up to 65535, not %d", first)
	}
	if wanted == 0 {
		wanted = transport
	}
	return &ports{min(first, last), max(first, last), q.kind == "portrange", wanted, q.direction, t.column}
}

// protocol makes a test of the protocol that another one carries.
func (p *parser) protocol(t token, q qualifiers, n uint32) node {
	switch q.protocol {
	case "", "link", "ip", "ip6", "iso", "isis":
		return &carried{n, q.protocol, t.column}
	}
	p.fail(t.column, `%q carries no protocol that "proto" could tell: want ether, ip, ip6 or iso, or none`, q.protocol)
	return nil
}

func (p *parser) protochain(t token, q qualifiers, n uint32) node {
	switch q.protocol {
	case "", "ip", "ip6":
		return &protochain{n, q.protocol, t.column}
	}
	p.fail(t.column, `%q has no chain of headers: want ip or ip6, or none`, spoken(q.protocol))
	return nil
}
