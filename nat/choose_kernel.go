package nat

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// ChooseKernel picks the reply tuple as the kernel's nf_nat does for a
// connection whose reply tuple so far is reply: first the packet's own source
// if the binding allows it, then the address of the range by nf_nat's fixed
// hash, then the port, which is random when the packet's own is taken. Where
// nothing is free the last try is returned all the same: it is when the
// connection is confirmed that the kernel finds the clash.
//
// A Binding without addresses (all-zero) keeps the address.
func (b *Binding) ChooseKernel(reply *Tuple, zone uint16, taken Taker) Choice {
	k := kernelChooser{b: b, taken: taken, cur: reply.Reverse()}
	random := b.Flags&(Hash|Random) != 0
	if b.Kind == Src && !random && b.inRange(&k.cur) && !k.used() {
		return k.choice()
	}
	k.setAddr(zone)
	if !random {
		if b.PortLo != 0 {
			if b.portInRange(&k.cur) && (b.PortLo == b.PortHi || !k.used()) {
				return k.choice()
			}
		} else if !k.used() {
			return k.choice()
		}
	}
	k.setPort()
	return k.choice()
}

type kernelChooser struct {
	b     *Binding
	taken Taker
	cur   Tuple // original direction as it is to leave
	guess bool
}

func (k *kernelChooser) choice() Choice { return Choice{Reply: k.cur.Reverse(), Guess: k.guess} }

func (k *kernelChooser) used() bool {
	return k.taken.Taken(k.cur.Reverse())
}

func (b *Binding) inRange(t *Tuple) bool {
	if b.AddrLo != ([16]byte{}) && (bytes.Compare(t.Src[:], b.AddrLo[:]) < 0 ||
		bytes.Compare(t.Src[:], b.AddrHi[:]) > 0) {
		return false
	}
	return b.PortLo == 0 || b.portInRange(t)
}

func (b *Binding) portInRange(t *Tuple) bool {
	port := t.SrcPort
	if b.Kind == Dst {
		port = t.DstPort
	}
	if !t.HasPorts() && !t.ICMP() {
		return true
	}
	return port >= b.PortLo && port <= b.PortHi
}

// setAddr spreads connections over the range by source and destination
// address: Jenkins' hash with a public start value, so no guess.
func (k *kernelChooser) setAddr(zone uint16) {
	b, t := k.b, &k.cur
	own := &t.Src
	if b.Kind == Dst {
		own = &t.Dst
	}
	if b.AddrLo == ([16]byte{}) {
		return
	}
	if b.AddrLo == b.AddrHi {
		*own = b.AddrLo
		return
	}
	words := 1
	if t.V6 {
		words = 4
	}
	word := func(a *[16]byte, i int) uint32 { return binary.LittleEndian.Uint32(a[4*i:]) }
	src, dst := t.Src, t.Dst
	var start uint32
	if b.Flags&Persistent == 0 {
		start = word(&dst, words-1) ^ uint32(zone)
	}
	j := jhash4([4]uint32{word(&src, 0), word(&src, 1), word(&src, 2), word(&src, 3)}, start)
	full := false
	for i := 0; i < words; i++ {
		low, span := uint32(0), ^uint32(0)
		if !full {
			low = binary.BigEndian.Uint32(b.AddrLo[4*i:])
			span = binary.BigEndian.Uint32(b.AddrHi[4*i:]) - low + 1
		}
		scaled, _ := bits.Mul32(j, span)
		binary.BigEndian.PutUint32(own[4*i:], low+scaled)
		if word(own, i) != word(&b.AddrHi, i) {
			full = true
		}
		if b.Flags&Persistent == 0 {
			j ^= word(&dst, i)
		}
	}
}

// setPort searches the range for a free port or ID. The kernel starts at a
// random one; here it is the next one up, or one by hash in a range that does
// not hold the packet's own.
func (k *kernelChooser) setPort() {
	b, t := k.b, &k.cur
	var at *uint16
	var r ports
	switch {
	case t.ICMP():
		at, r = &t.SrcPort, ports{t.SrcPort, 0, 65535}
	case t.HasPorts() && b.Kind == Dst:
		if b.PortLo == 0 {
			return // a destination port is never moved unasked
		}
		at = &t.DstPort
	case t.HasPorts():
		at = &t.SrcPort
		r.lo, r.hi = portClass(t.SrcPort)
	default:
		return
	}
	if b.PortLo != 0 {
		r = b.portRange(b.hash(t))
	}
	if own := *at; own >= r.lo && own <= r.hi {
		r.first = own
	}
	if b.PortLo == 0 || b.Flags&(Hash|Random) == 0 {
		r.first = r.next(r.first)
	}
	k.guess = r.lo != r.hi
	k.search(at, r)
}

func (k *kernelChooser) search(at *uint16, r ports) {
	size := int(r.hi-r.lo) + 1
	p := r.first
	for n := min(size, attempts); ; n /= 2 {
		for i := 0; i < n; i++ {
			k.set(at, p)
			if at == &k.cur.SrcPort && p >= r.lo && p <= r.hi {
				reply := k.cur.Reverse()
				run := takenRun(k.taken, &reply, min(n-i, int(r.hi-p)+1))
				if run > 0 {
					k.set(at, r.after(p, run-1)) // the last try stands where nothing is free
				}
				if p, i = r.after(p, run), i+run; i >= n {
					break
				}
				k.set(at, p)
			}
			if !k.used() {
				return
			}
			p = r.next(p)
		}
		if n >= size || n < 16 {
			return
		}
		p = r.lo + uint16((uint32(p-r.lo)*2654435761)%uint32(size))
	}
}

func (k *kernelChooser) set(at *uint16, v uint16) {
	*at = v
	if k.cur.ICMP() {
		k.cur.SrcPort, k.cur.DstPort = v, v
	}
}

// jhash4 is Bob Jenkins' lookup3 hash of four words, as the kernel has it.
func jhash4(k [4]uint32, start uint32) uint32 {
	a := 0xdeadbeef + uint32(4<<2) + start
	b, c := a, a
	a, b, c = a+k[0], b+k[1], c+k[2]
	a -= c
	a ^= bits.RotateLeft32(c, 4)
	c += b
	b -= a
	b ^= bits.RotateLeft32(a, 6)
	a += c
	c -= b
	c ^= bits.RotateLeft32(b, 8)
	b += a
	a -= c
	a ^= bits.RotateLeft32(c, 16)
	c += b
	b -= a
	b ^= bits.RotateLeft32(a, 19)
	a += c
	c -= b
	c ^= bits.RotateLeft32(b, 4)
	b += a

	a += k[3]
	c ^= b
	c -= bits.RotateLeft32(b, 14)
	a ^= c
	a -= bits.RotateLeft32(c, 11)
	b ^= a
	b -= bits.RotateLeft32(a, 25)
	c ^= b
	c -= bits.RotateLeft32(b, 16)
	a ^= c
	a -= bits.RotateLeft32(c, 4)
	b ^= a
	b -= bits.RotateLeft32(a, 14)
	c ^= b
	c -= bits.RotateLeft32(b, 24)
	return c
}
