package nat

import (
	"encoding/binary"
	"math/bits"
)

// Taker knows which tuples are in use in the zone a connection is about to enter.
type Taker interface {
	// Taken is whether a live connection already owns the reply tuple.
	Taken(reply Tuple) bool
}

// RunTaker is a Taker that can tell of many ports at once.
type RunTaker interface {
	Taker
	// TakenRun is how many of the tuples from reply on, each with the next
	// destination port (of ICMP, ID), are taken for sure: n at most. Of those
	// it does not count, Taken has to be asked.
	TakenRun(reply *Tuple, n int) int
}

// takenRun asks a Taker for a run, 0 if it cannot tell.
func takenRun(t Taker, reply *Tuple, n int) int {
	if r, ok := t.(RunTaker); ok {
		return r.TakenRun(reply, n)
	}
	return 0
}

// Choice is what a binding yields for a new connection.
type Choice struct {
	Reply Tuple // the reply direction after translation
	Guess bool  // the datapath draws this at random or by a private hash; here a rule chose
}

// attempts bounds the first round of a search for a free port; later rounds
// halve it. Both the kernel and Open vSwitch do so.
const attempts = 128

// ChooseUserspace picks the reply tuple as Open vSwitch's userspace conntrack
// does: if moves, the port (of ICMP the ID) asked for or the packet's own, and
// then the next free one up; other protocols have nothing to give way with. It
// is false when nothing free was found.
func (b *Binding) ChooseUserspace(orig *Tuple, taken Taker, moves bool) (Choice, bool) {
	c := Choice{Reply: orig.Reverse()}
	hash := b.hash(orig)
	addr := b.userspaceAddr(orig, hash, &c.Guess)
	if b.Kind == Src {
		c.Reply.Dst = addr
	} else {
		c.Reply.Src = addr
	}
	if !moves {
		return c, !taken.Taken(c.Reply)
	}
	s, d := b.sourcePorts(orig, hash), b.destPorts(orig, hash)
	c.Reply.DstPort, c.Reply.SrcPort = s.first, d.first
	if b.Kind == Dst && b.PortLo != 0 && !orig.ICMP() && d.search(&c, &c.Reply.SrcPort, taken) {
		c.Guess = c.Guess || d.lo != d.hi
		return c, true
	}
	ok := s.search(&c, &c.Reply.DstPort, taken)
	c.Guess = c.Guess || b.Kind == Src && b.PortLo != b.PortHi
	return c, ok
}

func (b *Binding) userspaceAddr(orig *Tuple, hash uint32, guess *bool) [16]byte {
	if b.AddrLo == ([16]byte{}) {
		switch b.Kind {
		case Src:
			return orig.Src
		case Dst:
			return orig.Dst
		}
		return [16]byte{} // nat without arguments on a new connection: what OVS does too
	}
	if b.AddrLo == b.AddrHi {
		return b.AddrLo
	}
	*guess = true
	return addrPlus(b.V6, b.AddrLo, hash%(addrSpan(b.V6, &b.AddrLo, &b.AddrHi)+1))
}

// ports is a range to search, from first on upwards, wrapping from hi to lo.
type ports struct {
	first, lo, hi uint16
}

// sourcePorts: without a range of its own a source port stays in its class,
// because ports below 512 and 1024 once meant something.
func (b *Binding) sourcePorts(orig *Tuple, hash uint32) ports {
	if b.Kind == Src && b.PortLo == 0 || b.Kind == Dst {
		lo, hi := portClass(orig.SrcPort)
		return ports{orig.SrcPort, lo, hi}
	}
	return b.portRange(hash)
}

func (b *Binding) destPorts(orig *Tuple, hash uint32) ports {
	if b.Kind == Dst && b.PortLo != 0 && !orig.ICMP() {
		return b.portRange(hash)
	}
	return ports{orig.DstPort, orig.DstPort, orig.DstPort}
}

func (b *Binding) portRange(hash uint32) ports {
	lo, hi := b.PortLo, max(b.PortLo, b.PortHi)
	return ports{lo + uint16(hash%(uint32(hi-lo)+1)), lo, hi}
}

func portClass(port uint16) (lo, hi uint16) {
	switch {
	case port < 512:
		return 1, 511
	case port < 1024:
		return 600, 1023
	}
	return 1024, 65535
}

func (r ports) next(p uint16) uint16 {
	if p < r.lo || p >= r.hi {
		return r.lo
	}
	return p + 1
}

// after is the port n further on; n leads to the end of the range at most.
func (r ports) after(p uint16, n int) uint16 {
	if n == 0 {
		return p
	}
	return r.next(p + uint16(n-1))
}

// search looks for a free tuple by moving *port, which points into c.Reply.
// After the first round a datapath jumps to a random port, so that is a guess.
func (r ports) search(c *Choice, port *uint16, taken Taker) bool {
	size := int(r.hi-r.lo) + 1
	n := min(size, attempts)
	all := n
	if r.first < r.lo || r.first > r.hi {
		all++ // the packet's own port lies outside its class: one try more
	}
	for p := r.first; ; n /= 2 {
		for i := 0; i < min(n, all); i++ {
			c.put(port, p)
			if port == &c.Reply.DstPort && p >= r.lo && p <= r.hi {
				run := takenRun(taken, &c.Reply, min(n-i, all-i, int(r.hi-p)+1))
				if p, i = r.after(p, run), i+run; i >= min(n, all) {
					break
				}
				c.put(port, p)
			}
			if !taken.Taken(c.Reply) {
				return true
			}
			p = r.next(p)
		}
		if n >= size || n < 16 {
			c.put(port, r.first)
			return false
		}
		c.Guess = true
		p = r.lo + uint16((uint32(p-r.lo)*2654435761)%uint32(size))
	}
}

// put puts a value where port points to in the reply tuple. The ID of ICMP is
// in two places there.
func (c *Choice) put(port *uint16, v uint16) {
	*port = v
	if c.Reply.ICMP() {
		c.Reply.SrcPort, c.Reply.DstPort = v, v
	}
}

// hash stands for the keyed hashes of the datapaths: any fixed function will do.
func (b *Binding) hash(t *Tuple) uint32 {
	h := uint64(0x9e3779b97f4a7c15)
	mix := func(v uint64) {
		hi, lo := bits.Mul64(h^v, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	mix(binary.BigEndian.Uint64(t.Src[:8]))
	mix(binary.BigEndian.Uint64(t.Src[8:]))
	mix(binary.BigEndian.Uint64(t.Dst[:8]))
	mix(binary.BigEndian.Uint64(t.Dst[8:]))
	mix(uint64(t.SrcPort)<<32 | uint64(t.DstPort)<<16 | uint64(t.Proto))
	mix(uint64(b.PortLo)<<16 | uint64(b.PortHi))
	return uint32(h)
}

// addrSpan is hi - lo, at most 2^32 - 2.
func addrSpan(v6 bool, lo, hi *[16]byte) uint32 {
	if !v6 {
		return binary.BigEndian.Uint32(hi[:]) - binary.BigEndian.Uint32(lo[:])
	}
	l, borrow := bits.Sub64(binary.BigEndian.Uint64(hi[8:]), binary.BigEndian.Uint64(lo[8:]), 0)
	h, _ := bits.Sub64(binary.BigEndian.Uint64(hi[:]), binary.BigEndian.Uint64(lo[:]), borrow)
	if h != 0 || l > 0xfffffffe {
		return 0xfffffffe
	}
	return uint32(l)
}

func addrPlus(v6 bool, a [16]byte, n uint32) [16]byte {
	if !v6 {
		binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+n)
		return a
	}
	l, carry := bits.Add64(binary.BigEndian.Uint64(a[8:]), uint64(n), 0)
	binary.BigEndian.PutUint64(a[8:], l)
	binary.BigEndian.PutUint64(a[:], binary.BigEndian.Uint64(a[:])+carry)
	return a
}
