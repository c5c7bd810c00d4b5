package nat

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// Sides says which ends of a packet a translation touches.
type Sides uint8

const (
	Source Sides = 1 << iota
	Destination
)

// Reverse swaps source and destination: what a reply needs.
func (s Sides) Reverse() Sides { return s&Source<<1 | s&Destination>>1 }

// Rewrite turns a packet of the connection direction named by from into one
// named by to: the addresses of the given sides, and the ports (or ICMP ID)
// in which from and to differ. p must have been parsed from ip and is kept in
// step; it reports whether any byte changed.
//
// In an ICMP error the outer addresses are treated so and the quoted packet,
// which travels the other way, is given the reverse of to. A quote too short
// for its checksum keeps what it has. The error's own checksum covers the
// quote and is updated for it.
//
// The checksums are updated as CheckSum found them (call it first): good stays
// good, bad equally bad, partial partial, an absent UDP checksum absent.
func Rewrite(ip []byte, p *Packet, from, to *Tuple, sides Sides) bool {
	changed := false
	if sides&Source != 0 {
		changed = p.setAddr(ip, true, &to.Src) || changed
	}
	if sides&Destination != 0 {
		changed = p.setAddr(ip, false, &to.Dst) || changed
	}
	if p.IsError && p.KeepQuote {
		return changed
	}
	if p.IsError {
		return p.rewriteInner(ip, from, to, sides) || changed
	}
	if p.Fragment {
		return changed // no transport header to be found, or an incomplete one
	}
	return p.setPorts(ip, from, to) || changed
}

// addrAt returns where an address is within an IP header.
func addrAt(v6, source bool) (at, size int) {
	switch {
	case v6 && source:
		return 8, 16
	case v6:
		return 24, 16
	case source:
		return 12, 4
	}
	return 16, 4
}

func (p *Packet) setAddr(ip []byte, source bool, to *[16]byte) bool {
	own := &p.Tuple.Src
	if !source {
		own = &p.Tuple.Dst
	}
	if *own == *to {
		return false
	}
	at, size := addrAt(p.Tuple.V6, source)
	p.fixForAddr(ip, own[:size], to[:size])
	copy(ip[at:at+size], to[:size])
	*own = *to
	return true
}

// fixForAddr updates the checksums that cover an address of the outer header.
func (p *Packet) fixForAddr(ip, old, new []byte) {
	if !p.Tuple.V6 {
		patch(ip, 10, old, new)
	}
	t := &p.Tuple
	at := checksumAt(t, p.L4)
	if at < 0 || at+2 > p.End || p.FragOffset != 0 || t.Proto == header.ProtoSCTP || t.ICMP() && !t.V6 {
		return
	}
	if p.Sum == SumPartial {
		patchPartial(ip, at, old, new)
		return
	}
	patchTransport(ip, at, t.Proto, t.V6, old, new)
}

// patch updates the checksum at offset at.
func patch(ip []byte, at int, old, new []byte) {
	binary.BigEndian.PutUint16(ip[at:], header.Update16(binary.BigEndian.Uint16(ip[at:]), old, new))
}

// patchPartial updates a checksum field that holds a sum not yet inverted.
func patchPartial(ip []byte, at int, old, new []byte) {
	binary.BigEndian.PutUint16(ip[at:], ^header.Update16(^binary.BigEndian.Uint16(ip[at:]), old, new))
}

// patchTransport is patch with UDP's zero kept: none stays none, and a computed zero is sent as ffff (RFC 768).
func patchTransport(ip []byte, at int, proto uint8, v6 bool, old, new []byte) {
	udp := proto == header.ProtoUDP || proto == header.ProtoUDPLite
	hc := binary.BigEndian.Uint16(ip[at:])
	if udp && hc == 0 && !v6 {
		return
	}
	hc = header.Update16(hc, old, new)
	if udp && hc == 0 {
		hc = 0xffff
	}
	binary.BigEndian.PutUint16(ip[at:], hc)
}

func (p *Packet) setPorts(ip []byte, from, to *Tuple) bool {
	if p.Tuple.ICMP() {
		if from.SrcPort == to.SrcPort {
			return false
		}
		return p.setPort(ip, p.L4+4, &p.Tuple.SrcPort, to.SrcPort)
	}
	if !hasPorts(p.Tuple.Proto) {
		return false
	}
	changed := false
	if from.SrcPort != to.SrcPort {
		changed = p.setPort(ip, p.L4, &p.Tuple.SrcPort, to.SrcPort)
	}
	if from.DstPort != to.DstPort {
		changed = p.setPort(ip, p.L4+2, &p.Tuple.DstPort, to.DstPort) || changed
	}
	return changed
}

func (p *Packet) setPort(ip []byte, at int, own *uint16, to uint16) bool {
	if *own == to {
		return false
	}
	var old, new [2]byte
	binary.BigEndian.PutUint16(old[:], *own)
	binary.BigEndian.PutUint16(new[:], to)
	t := &p.Tuple
	sum := checksumAt(t, p.L4)
	switch {
	case p.Sum == SumPartial: // covers the pseudo header only; SCTP's stays zero
	case t.Proto == header.ProtoSCTP:
		var diff [4]byte
		diff[at-p.L4], diff[at-p.L4+1] = old[0]^new[0], old[1]^new[1]
		crc := binary.LittleEndian.Uint32(ip[sum:]) ^ header.SCTPDelta(diff, p.statedLength(ip))
		binary.LittleEndian.PutUint32(ip[sum:], crc)
	case sum >= 0 && sum+2 <= p.End:
		patchTransport(ip, sum, t.Proto, t.V6, old[:], new[:])
	}
	copy(ip[at:], new[:])
	*own = to
	if t.ICMP() {
		t.SrcPort, t.DstPort = to, to
	}
	return true
}
