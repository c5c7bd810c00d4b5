package main

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"
)

// alterations change of a packet what OVN did not, and its checksums with it. They tell
// whether they did.
var alterations = []struct {
	name string
	of   func(d []byte, p *wildPacket) bool
}{
	{"IP id", func(d []byte, p *wildPacket) bool { d[p.l3+5]++; return !p.v6 }},
	{"TTL", func(d []byte, p *wildPacket) bool {
		at := p.l3 + 8
		if p.v6 {
			at--
		}
		d[at]--
		return true
	}},
	{"destination", func(d []byte, p *wildPacket) bool { d[5] ^= 0x10; return d[0]&1 == 0 }},
	{"sequence number", func(d []byte, p *wildPacket) bool { d[p.l4+7] ^= 1; return p.proto == 6 }},
	{"acknowledgement", func(d []byte, p *wildPacket) bool {
		d[p.l4+11] ^= 1
		return p.proto == 6 && d[p.l4+13]&0x10 != 0
	}},
	{"flags", func(d []byte, p *wildPacket) bool { d[p.l4+13] ^= 0x08; return p.proto == 6 }},
	{"window", func(d []byte, p *wildPacket) bool { d[p.l4+15] ^= 0x10; return p.proto == 6 }},
	{"payload", func(d []byte, p *wildPacket) bool {
		d[p.end-1] ^= 1
		return p.proto == 6 && p.end > p.l4+int(d[p.l4+12]>>4)*4 || p.proto == 17 && p.end > p.l4+8
	}},
	{"VLAN", nil},
}

// alter returns a frame that OVN would not have sent, nil if it has nothing of the kind.
func alter(f *wildFrame, kind int) []byte {
	p, ok := parseWild(f.data)
	if !ok || p.fragment || !p.whole || p.proto != 6 && p.proto != 17 || len(f.data) != f.wire {
		return nil
	}
	d := slices.Clone(f.data)
	if alterations[kind].of == nil {
		return slices.Insert(d, 12, 0x81, 0, 0, 77)
	}
	if before, _, at := p.sums(d); p.proto == 17 && before != binary.BigEndian.Uint16(d[at:]) {
		return nil
	}
	if !alterations[kind].of(d, &p) {
		return nil
	}
	if !p.v6 {
		ip := d[p.l3:p.l4]
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^uint16(ones(0, ip)))
	}
	full, _, at := p.sums(d)
	binary.BigEndian.PutUint16(d[at:], full)
	return d
}

// twice reports whether a frame is in two captures: it left by a wire between chassis, and
// entered.
func (c *wildCase) twice(f *wildFrame) bool {
	n := 0
	for _, x := range c.captures {
		if slices.ContainsFunc(x.frames, func(g wildFrame) bool { return bytes.Equal(f.data, g.data) }) {
			n++
		}
	}
	return n > 1
}

// One frame that is not byte for byte what was predicted is a difference, whatever else two
// captures may have lost.
func TestAlteredFramesDiffer(t *testing.T) {
	t.Parallel()
	const each = 5
	for _, name := range []string{"kube-mixed", "cloud-mixed", "cloud-nat-v6", "kube-ecmp", "kube-egress-v6",
		"egress-snat"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(cases, name)
			c := mutated(t, dir, "", 1)
			for kind := range alterations {
				tried := 0
				for _, x := range c.captures {
					for i := range x.frames {
						f := &x.frames[i]
						if x.underlay || (i+kind)%each != 0 || c.entered(x, f) || c.twice(f) {
							continue
						}
						was := *f
						if f.data = alter(f, kind); f.data == nil {
							*f = was
							continue
						}
						f.wire = len(f.data)
						args := c.save(t, wildFolder(t, name, "altered"))
						if r, status := verdictOf(t, args...); status != exitDifference {
							t.Errorf("%s of frame %d of %s: status %d: %v", alterations[kind].name, i+1, x.file, status,
								causesOf(r))
						}
						tried++
						*f = was
					}
				}
				if tried == 0 && !(name == "cloud-nat-v6" || name == "kube-egress-v6") {
					t.Errorf("%s: nothing tried", alterations[kind].name)
				}
			}
		})
	}
}
