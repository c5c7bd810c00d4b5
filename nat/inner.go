package nat

import (
	"encoding/binary"

	"ovnreplay/nat/header"
)

// rewriteInner translates the packet quoted in an ICMP error. The quote was
// sent the other way, so its source is the error's destination.
func (p *Packet) rewriteInner(ip []byte, from, to *Tuple, sides Sides) bool {
	before, want := from.Reverse(), to.Reverse()
	sides = sides.Reverse()
	changed := false
	if sides&Source != 0 {
		changed = p.setInnerAddr(ip, true, &want.Src) || changed
	}
	if sides&Destination != 0 {
		changed = p.setInnerAddr(ip, false, &want.Dst) || changed
	}
	in := &p.Inner
	if in.Tuple.ICMP() {
		if before.SrcPort != want.SrcPort {
			changed = p.setInnerPort(ip, in.L4+4, &in.Tuple.SrcPort, want.SrcPort) || changed
			in.Tuple.DstPort = in.Tuple.SrcPort
		}
		return changed
	}
	if !hasPorts(in.Tuple.Proto) {
		return changed
	}
	if before.SrcPort != want.SrcPort {
		changed = p.setInnerPort(ip, in.L4, &in.Tuple.SrcPort, want.SrcPort) || changed
	}
	if before.DstPort != want.DstPort {
		changed = p.setInnerPort(ip, in.L4+2, &in.Tuple.DstPort, want.DstPort) || changed
	}
	if in.Tuple.Proto == header.ProtoSCTP && p.QuotedSCTP == MakeCRC && p.End >= in.L4+sctpHeader {
		p.putInnerCRC(ip, header.SCTP(ip[in.L4:p.End]))
		changed = true
	}
	return changed
}

// sctpHeader is the length of SCTP's common header; its last 4 bytes are the
// CRC, least significant byte first.
const sctpHeader = 12

func (p *Packet) putInnerCRC(ip []byte, crc uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], crc)
	p.replace(ip, p.Inner.L4+sctpHeader-4, b[:])
}

func (p *Packet) setInnerAddr(ip []byte, source bool, to *[16]byte) bool {
	in := &p.Inner
	own := &in.Tuple.Src
	if !source {
		own = &in.Tuple.Dst
	}
	if *own == *to {
		return false
	}
	at, size := addrAt(p.Tuple.V6, source)
	at += in.L3
	old, new := own[:size], to[:size]
	if !p.Tuple.V6 {
		p.patchInner(ip, in.L3+10, func(hc uint16) uint16 { return header.Update16(hc, old, new) })
	}
	t := &in.Tuple
	if t.Proto != header.ProtoSCTP && !(t.ICMP() && !t.V6) {
		p.patchInnerTransport(ip, old, new, true)
	}
	p.replace(ip, at, new)
	*own = *to
	return true
}

func (p *Packet) setInnerPort(ip []byte, at int, own *uint16, to uint16) bool {
	if *own == to {
		return false
	}
	var old, new [2]byte
	binary.BigEndian.PutUint16(old[:], *own)
	binary.BigEndian.PutUint16(new[:], to)
	l4 := p.Inner.L4
	switch {
	case p.Inner.Tuple.Proto != header.ProtoSCTP:
		p.patchInnerTransport(ip, old[:], new[:], !p.PatchCutTCP)
	case p.QuotedSCTP == UpdateCRC && p.End >= l4+sctpHeader:
		var diff [4]byte
		diff[at-l4], diff[at-l4+1] = old[0]^new[0], old[1]^new[1]
		crc := binary.LittleEndian.Uint32(ip[l4+sctpHeader-4:])
		p.putInnerCRC(ip, crc^header.SCTPDelta(diff, p.End-l4))
	}
	p.replace(ip, at, new[:])
	*own = to
	return true
}

// patchInnerTransport updates the quoted transport checksum if the quote
// reaches that far, or for TCP even as far as the end of the header.
func (p *Packet) patchInnerTransport(ip, old, new []byte, whole bool) {
	t := &p.Inner.Tuple
	at := checksumAt(t, p.Inner.L4)
	need := at + 2
	if t.Proto == header.ProtoTCP && whole {
		need = p.Inner.L4 + 20
	}
	if at < 0 || need > p.End {
		return
	}
	udp := t.Proto == header.ProtoUDP || t.Proto == header.ProtoUDPLite
	p.patchInner(ip, at, func(hc uint16) uint16 {
		if udp && hc == 0 && !t.V6 {
			return 0
		}
		hc = header.Update16(hc, old, new)
		if udp && hc == 0 {
			hc = 0xffff
		}
		return hc
	})
}

func (p *Packet) patchInner(ip []byte, at int, f func(uint16) uint16) {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], f(binary.BigEndian.Uint16(ip[at:])))
	p.replace(ip, at, b[:])
}

// replace writes into the quote and keeps the ICMP error's own checksum in
// step. A field at an odd offset of the message would straddle two words, but
// every field of a quoted IP packet lies at an even one.
func (p *Packet) replace(ip []byte, at int, new []byte) {
	patch(ip, p.L4+2, ip[at:at+len(new)], new)
	copy(ip[at:], new)
}
