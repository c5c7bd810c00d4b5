package replay

import (
	"bytes"

	"ovnreplay/conntrack"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Choose implements sim.Chooser: the datapath's choice is read from the frame
// that shows it, the same packet on its way out further on.
func (s *Session) Choose(c *sim.Choice, frame []byte) (taken int, ok bool) {
	s.further(frame, func(f []byte) bool {
		for i := range c.Options {
			if takes(f, c.Kind, &c.Options[i]) {
				taken, ok = i, true
			}
		}
		return ok
	})
	return taken, ok
}

// SourcePort implements sim.Chooser.
func (s *Session) SourcePort(addr [16]byte, v6 bool, frame []byte) (port uint16, ok bool) {
	s.further(frame, func(f []byte) bool {
		var k field.Key
		packet.Parse(f, &k)
		src := k.Get128(field.IP6Src).Bytes()
		if !v6 {
			src = field.U64(k.Get(field.IP4Src)).Lsh(96).Bytes()
		}
		if src == addr {
			port, ok = uint16(k.Get(field.TpSrc)), true
		}
		return ok
	})
	return port, ok
}

// further calls yes with each frame that was read ahead and is the same packet
// leaving OVN, until yes says that it is enough.
func (s *Session) further(frame []byte, yes func([]byte) bool) {
	id, ok := identify(frame)
	if !ok {
		return
	}
	for _, f := range s.later {
		p := s.points[f.Capture]
		if s.owners.Direction(p.Port, p.Chassis, f.Data) != Left {
			continue
		}
		if other, ok := identify(f.Data); ok && other.same(&id) && yes(f.Data) {
			return
		}
	}
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
