package replay

import (
	"bytes"

	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/packet"
	"ovnreplay/sim/trace"
)

// Choose implements sim.Chooser: the datapath's choice is read from the frame
// that shows it, the same packet on its way out further on.
func (s *Session) Choose(c *sim.Choice, frame []byte) (int, bool) {
	id, ok := identify(frame)
	if !ok {
		return 0, false
	}
	for _, f := range s.later {
		p := s.points[f.Capture]
		if s.owners.Direction(p.Port, p.Chassis, f.Data) != Left {
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
