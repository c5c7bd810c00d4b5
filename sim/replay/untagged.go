package replay

import (
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
	"ovnreplay/sim/packet"
)

// A network card may take a frame's VLAN tag off before it is captured. A
// capture that shows no tag at all, at a port whose frames have one, is of such a
// card: its frames are given the tag again.

// tagged returns the logical port that a frame captured at p is of, as behind
// does, and gives the frame the tag that its capture does not show; nil if its
// VLAN is another's.
func (o *Owners) tagged(t *Tap, f *Frame, p *network.Port) *network.Port {
	if _, tagged := vlan(f.Data); tagged {
		t.tags++
		return behind(p, f.Data)
	}
	if len(f.Data) >= 14 && t.tags == 0 {
		if q := o.stripped(p, f.Data); q != nil {
			f.Data = slices.Insert(f.Data, 12, header.EtherVLAN>>8, header.EtherVLAN&0xff, byte(q.Tag>>8), byte(q.Tag))
			f.Wire, f.Untagged = f.Wire+4, true
			return q
		}
	}
	return behind(p, f.Data)
}

// stripped returns the port, at p's interface, whose tag a frame without one
// must have had, nil if that is none.
func (o *Owners) stripped(p *network.Port, frame []byte) *network.Port {
	switch dst, src := macAt(frame), macAt(frame[6:]); {
	case p.Tag != 0 && leadsOut(p):
		if o.near(p.Datapath, src) || o.near(p.Datapath, dst) || !o.sharesUntagged(p) {
			return p
		}
	case p.Tag != 0 && p.Parent != nil:
		return p
	default:
		for _, c := range p.Containers {
			if c.Tag != 0 && (hasMAC(c, src) || hasMAC(c, dst)) {
				return c
			}
		}
	}
	return nil
}

// sharesUntagged reports whether frames without a tag are another switch's on
// the network behind a port.
func (o *Owners) sharesUntagged(p *network.Port) bool {
	return slices.ContainsFunc(o.net.Ports[1:], func(q *network.Port) bool {
		return q.Type == p.Type && q.Tag == 0 && q.Options["network_name"] == p.Options["network_name"]
	})
}

// whateverTag is a frame at a point, whatever VLAN tag it has.
func whateverTag(p pointKey, frame []byte, h *packet.Headers) expectKey {
	if _, tagged := vlan(frame); h.Layout.L3 != 0 || !tagged {
		return expectKey{p, identityHash(frame, h)}
	}
	return expectKey{p, hashBytes(14695981039346656037, frame[16:]) | 1}
}
