// Package nat is address and port translation of packets as conntrack needs
// it: the tuple that names a packet's connection, the bindings a flow asks
// for, which tuple a binding yields, and the rewriting of packet bytes with
// checksums updated incrementally (RFC 1624), ICMP errors' inner headers included.
//
// A checksum that was right before a rewrite is right after it, one that was
// wrong is equally wrong, and a UDP checksum of zero (IPv4: none) stays zero.
// Nothing is allocated. The package keeps no state.
package nat

import (
	"net/netip"

	"ovnreplay/nat/header"
)

// Tuple names one direction of a connection. It holds no pointers and is a
// map key. For ICMP and ICMPv6 echo the ID is in both ports and the type and
// code in Type and Code; other protocols without ports leave all of them 0.
type Tuple struct {
	Src, Dst         [16]byte // IPv4 in the first 4 bytes
	SrcPort, DstPort uint16   // host order
	Proto            uint8    // IP protocol number
	V6               bool
	Type, Code       uint8 // ICMP only
}

// SrcAddr returns the source address.
func (t *Tuple) SrcAddr() netip.Addr { return header.Addr(t.V6, &t.Src) }

// DstAddr returns the destination address.
func (t *Tuple) DstAddr() netip.Addr { return header.Addr(t.V6, &t.Dst) }

// Kind says what a Binding translates.
type Kind uint8

const (
	None  Kind = iota // no nat()
	Apply             // nat: whatever the connection already has
	Src               // nat(src=…)
	Dst               // nat(dst=…)
)

// Binding is the argument of nat(): an address range and a port range. The
// zero Addr with Kind Src is all-zero SNAT: keep the address, move the source
// port only if the reply tuple would collide.
type Binding struct {
	Kind           Kind
	V6             bool
	AddrLo, AddrHi [16]byte // IPv4 in the first 4 bytes; equal for a single address
	PortLo, PortHi uint16   // 0, 0: no port range
	Flags          Flags
}

// Flags modify how a binding picks a port or address.
type Flags uint8

const (
	Persistent Flags = 1 << iota
	Hash
	Random
)
