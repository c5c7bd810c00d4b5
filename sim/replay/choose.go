package replay

import (
	"bytes"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Choose implements sim.Chooser: the datapath's choice is read from a pinned
// connection, or from the frame that shows it, the same packet on its way out
// further on.
func (s *Session) Choose(c *sim.Choice, frame []byte) (int, bool) {
	if pin := s.pinned(frame); pin != nil && c.Kind == trace.GuessBackend {
		if i := optionOf(c, pin.Reply.Src, pin.Reply.SrcPort, pin.Reply.V6); i >= 0 {
			return i, true
		}
	}
	id, ok := identify(frame)
	if !ok {
		return 0, false
	}
	for _, f := range s.later[identityHash(frame)] {
		if f.dir != Left && f.dir != Crossed {
			continue
		}
		other, ok := identify(f.Data)
		if !ok || !other.same(&id) {
			continue
		}
		for i := range c.Options {
			if takes(f.Data, c.Kind, &c.Options[i]) {
				return i, true
			}
		}
	}
	return 0, false
}

// optionOf returns which option is an address and port, -1 if none.
func optionOf(c *sim.Choice, addr [16]byte, port uint16, v6 bool) int {
	for i := range c.Options {
		o := &c.Options[i]
		if o.Addr == addr && o.V6 == v6 && (o.Port == 0 || o.Port == port) {
			return i
		}
	}
	return -1
}

// pinKey is the original direction of a connection.
type pinKey struct {
	proto    uint8
	src, dst endpoint
}

// pinsOf files the connections that dictate choices: those whose destination
// was translated.
func pinsOf(entries []conntrack.Entry) map[pinKey]*conntrack.Entry {
	pins := map[pinKey]*conntrack.Entry{}
	for i := range entries {
		e := &entries[i]
		if e.Orig.Dst != e.Reply.Src || e.Orig.DstPort != e.Reply.SrcPort {
			pins[pinKey{e.Orig.Proto, endpoint{e.Orig.Src, e.Orig.SrcPort}, endpoint{e.Orig.Dst, e.Orig.DstPort}}] = e
		}
	}
	return pins
}

// pinned returns the pinned connection a packet opens, nil if there is none.
func (s *Session) pinned(frame []byte) *conntrack.Entry {
	if len(s.pins) == 0 {
		return nil
	}
	var k field.Key
	packet.Parse(frame, &k)
	e := endpoints(frame)
	return s.pins[pinKey{uint8(k.Get(field.IPProto)), e[0], e[1]}]
}

// takes reports whether the frame shows that the option was taken.
func takes(frame []byte, kind trace.Reason, o *sim.ChoiceOption) bool {
	if kind != trace.GuessNextHop {
		return goesTo(frame, o)
	}
	return o.EthDst != 0 && uint64(macAt(frame)) == o.EthDst && uint64(macAt(frame[6:])) == o.EthSrc
}

// goesTo reports whether the frame's destination is the option's address.
func goesTo(frame []byte, o *sim.ChoiceOption) bool {
	var k field.Key
	packet.Parse(frame, &k)
	if o.Port != 0 && uint16(k.Get(field.TpDst)) != o.Port {
		return false
	}
	if o.V6 {
		return k.Get128(field.IP6Dst).Bytes() == o.Addr
	}
	a := packet.Addr4(k.Get(field.IP4Dst)).As4()
	return bytes.Equal(a[:], o.Addr[:4])
}
