package replay

import (
	"encoding/binary"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/network"
)

// What ovn-controller makes by itself for a port goes through the egress pipeline of its
// switch, where a QoS rule may mark it with a DSCP.

// marks are the DSCPs that the egress pipelines of switches give to packets.
func marks(net *network.Network) map[*network.Datapath][]uint8 {
	out := map[*network.Datapath][]uint8{}
	for _, f := range net.Flows {
		if !f.Egress || len(f.Datapaths) == 0 || !lflow.Uses(f.Actions, "ip.dscp") {
			continue
		}
		actions, _, err := lflow.ParseActions(f.Actions, sim.NewEnv(net, f))
		if err != nil {
			continue // no packet meets it
		}
		for _, x := range actions {
			if l, ok := x.(lflow.Load); ok && l.Dst.Slice().Field == field.IPDSCP {
				for _, dp := range f.Datapaths {
					out[dp] = append(out[dp], uint8(l.Value.Value.Lo))
				}
			}
		}
	}
	return out
}

// unmarked is an IP frame without a DSCP that is one of some; false: it has none of them.
func unmarked(frame []byte, of []uint8) ([]byte, bool) {
	const l3 = 14
	if len(of) == 0 || len(frame) < l3+20 {
		return nil, false
	}
	first := binary.BigEndian.Uint16(frame[l3:])
	shift := 2 // version, header length, DSCP, ECN
	if first>>12 == 6 {
		shift = 6 // version, DSCP, ECN, flow label
	}
	if !slices.Contains(of, uint8(first>>shift&0x3f)) {
		return nil, false
	}
	out := slices.Clone(frame)
	plain := first &^ (0x3f << shift)
	binary.BigEndian.PutUint16(out[l3:], plain)
	if first>>12 == 4 {
		sum := out[l3+10:]
		binary.BigEndian.PutUint16(sum, header.UpdateWord(binary.BigEndian.Uint16(sum), first, plain))
	}
	return out, true
}
