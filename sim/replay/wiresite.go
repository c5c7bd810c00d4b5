package replay

import (
	"fmt"
	"slices"

	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// One network outside of OVN is behind the wires of many chassis, under the name of one
// port or of one for each. What its switches flood is on all of them: only a frame that
// goes from one chassis or to one tells whose wire a capture is of.

// wireAt is a wire of a chassis.
type wireAt struct {
	port    *network.Port
	chassis *network.Chassis
}

// wireSite finds at which chassis frames of a wire were captured, and by which port, from
// those that others' wires do not show.
func (o *Owners) wireSite(port *network.Port, frames []pcap.LinkMeta) (*Site, error) {
	wires := o.wiresBehind(port)
	if len(wires) < 2 {
		c, err := ChassisOf(o.net, port)
		return &Site{Kind: AtPort, Port: port, Chassis: c, Found: "packets' addresses",
			Doubt: o.atInterface(port, frames)}, err
	}
	shown, only := o.sightings(wires, frames)
	most := slices.Max(shown)
	best := slices.Index(shown, most)
	list := []wireAt{wires[best]}
	for k := range wires {
		if k != best && (shown[k] == most || only[k][best]*clearly > only[best][k]) {
			list = append(list, wires[k])
		}
	}
	if len(list) > 1 {
		return nil, ambiguous(list)
	}
	return &Site{Kind: AtPort, Port: list[0].port, Chassis: list[0].chassis, Found: "packets' addresses",
		Doubt: o.atInterface(port, frames)}, nil
}

// clearly is how many times as many frames as another wire a wire alone must show, to be
// the one: what a switch has not learned yet is on all.
const clearly = 4

// sightings counts the frames that wires show, and those that one does and another not.
func (o *Owners) sightings(wires []wireAt, frames []pcap.LinkMeta) (shown []int, only [][]int) {
	shown, only = make([]int, len(wires)), make([][]int, len(wires))
	for k := range only {
		only[k] = make([]int, len(wires))
	}
	sure := make([]bool, len(wires))
	for i := range frames {
		for k := range wires {
			sure[k] = false
			if o.shows(wires[k].chassis, &frames[i]) {
				shown[k]++
				sure[k] = !o.elsewhere(wires[k].chassis, &frames[i])
			}
		}
		for k := range wires {
			for j := range wires {
				if sure[k] && !sure[j] {
					only[k][j]++
				}
			}
		}
	}
	return shown, only
}

// elsewhere reports whether a wire of a chassis shows a frame only if an address that any
// may have is at that one, while the other is surely at another.
func (o *Owners) elsewhere(c *network.Chassis, m *pcap.LinkMeta) bool {
	surely := false
	for _, a := range [...]mac{metaMAC(m.HasSrc, m.Src), metaMAC(m.HasDst, m.Dst)} {
		if sent := o.send[a]; a != 0 && sent != nil && sent.named != nil {
			if slices.Contains(sent.named, c) {
				return false
			}
			surely = true
		}
	}
	return surely && m.HasDst && !macOf(m.Dst).multicast()
}

// atInterface says that an interface on a wire's switch, whose addresses are not known,
// would show a capture's frames alike.
func (o *Owners) atInterface(wire *network.Port, frames []pcap.LinkMeta) string {
	for _, p := range wire.Datapath.Ports {
		if p.Type != network.VIF || !p.Unknown || len(p.Addresses) > 0 || wire.Tag != 0 {
			continue
		}
		if !slices.ContainsFunc(frames, func(m pcap.LinkMeta) bool { return !o.mayBeOf(p, &m) }) {
			return fmt.Sprintf("all that it holds would be at %s alike, whose addresses are not known: it is taken to "+
				"be of the wire %s (say it with -r FILE@PORT)", p.Called(), wire.Called())
		}
	}
	return ""
}

// mayBeOf reports whether a frame may be at an interface of unknown addresses: it is to or
// from one that nobody has, or for all.
func (o *Owners) mayBeOf(p *network.Port, m *pcap.LinkMeta) bool {
	src, dst := metaMAC(m.HasSrc, m.Src), metaMAC(m.HasDst, m.Dst)
	return !m.HasDst || dst.multicast() || len(o.ports[dst]) == 0 || len(o.ports[src]) == 0 && o.passes(p)
}

// metas are the addresses of Ethernet frames.
func metas(frames [][]byte) (list []pcap.LinkMeta) {
	for _, f := range frames {
		if m, err := pcap.EthernetMeta(f); err == nil {
			list = append(list, m)
		}
	}
	return list
}

// wiresBehind are the wires to the network that a port leads to, one of each chassis that
// has one: its own there, or that by which others of its zone lead there.
func (o *Owners) wiresBehind(port *network.Port) (wires []wireAt) {
	ports := []*network.Port{port}
	for _, p := range o.net.Ports[1:] {
		if p != port && p.Type == network.Localnet && p.Tag == port.Tag && outside(p) == outside(port) {
			ports = append(ports, p)
		}
	}
	for _, c := range o.net.Chassis {
		var of *network.Port
		for _, p := range ports {
			if c.Remote() || c.AZ != p.Datapath.AZ || p.Unmapped(c) {
				continue
			}
			if home, err := ChassisOf(o.net, p); of == nil || err == nil && home == c {
				of = p
			}
		}
		if of != nil {
			wires = append(wires, wireAt{of, c})
		}
	}
	return wires
}

// outside is the network that a localnet port leads to, which bridge mappings name.
func outside(p *network.Port) string { return p.Options["network_name"] }

// shows reports whether a wire of a chassis shows a frame: what goes from one chassis, or
// to one, is on that one's, and what is for all of a network on all.
func (o *Owners) shows(c *network.Chassis, m *pcap.LinkMeta) bool {
	from, to := o.sendersAt(metaMAC(m.HasSrc, m.Src)), o.sendersAt(metaMAC(m.HasDst, m.Dst))
	switch {
	case m.Direction == pcap.DirectionOut && len(from) > 0:
		return slices.Contains(from, c)
	case m.Direction == pcap.DirectionIn && len(from) == 1:
		return from[0] != c
	case m.HasDst && macOf(m.Dst).multicast(), !m.HasDst, len(from)+len(to) == 0:
		return true
	}
	return slices.Contains(from, c) || slices.Contains(to, c)
}

// sendersAt are the chassis that send from an address.
func (o *Owners) sendersAt(m mac) []*network.Chassis {
	sent := o.send[m]
	if m == 0 || sent == nil {
		return nil
	}
	if sent.named != nil {
		return sent.named
	}
	var list []*network.Chassis
	for _, c := range o.net.Chassis {
		if !c.Remote() && slices.Contains(sent.any, c.AZ) {
			list = append(list, c)
		}
	}
	return list
}

// ambiguous says that a capture may be of several wires.
func ambiguous(wires []wireAt) error {
	return fmt.Errorf("its packets would be on the wires of several chassis alike: say of which it is with -r FILE@%s",
		places(wires))
}

// places lists ports of chassis as they are given behind a FILE@, a few of them.
func places(wires []wireAt) string {
	slices.SortStableFunc(wires, func(a, b wireAt) int { return a.chassis.Index - b.chassis.Index })
	var names []string
	for _, w := range wires {
		names = append(names, fmt.Sprintf("%s@%s", w.port.Name, w.chassis.Host()))
	}
	return someOf(names, " or @")
}
