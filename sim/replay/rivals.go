package replay

import (
	"fmt"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// A frame between two interfaces is at both, and one for all of a switch at each there: a
// capture that holds nothing else may be of any of them, and is not guessed about.

// addFloods adds what interfaces sent to all of their switch, of which every other one there
// gets a copy: it tells nothing of where a capture was taken, but beside what the interface
// alone sends and gets, or where there is nothing else.
func addFloods(votes, floods map[*network.Port]int, all int) {
	for p, n := range floods {
		if votes[p] > 0 || n == all {
			votes[p] += n
		}
	}
}

// flooded reports whether a frame without its Ethernet destination is for all of a network.
func flooded(m *pcap.LinkMeta) bool {
	if _, dst := metaIPs(m); dst.IsMulticast() {
		return true
	}
	const request = 1
	arp := m.EtherType == header.EtherARP && len(m.Payload) >= 8 && m.Payload[7] == request
	return arp || m.PacketType == pcap.PacketBroadcast || m.PacketType == pcap.PacketMulticast
}

// rivals says that a capture which seems to be an interface's may as well be others' of its
// switch: their interfaces would show no fewer of the frames. Where nobody else sends, it
// is taken to be the sender's, with a doubt that is to be said.
func (o *Owners) rivals(p *network.Port, frames [][]byte) (doubt string, err error) {
	if p.Type != network.VIF {
		return "", nil
	}
	shown := o.shownAt(p, frames)
	list := []*network.Port{p}
	for _, q := range o.net.Ports[1:] {
		if q != p && (hasDevice(q) || q.Parent != nil) && q.Twin == nil &&
			(o.same(q.Datapath, p.Datapath) || o.hasSame(p, q)) && o.shownAt(q, frames) >= shown {
			list = append(list, q)
		}
	}
	switch {
	case len(list) == 1:
		return o.onWire(p, frames), nil
	case !slices.ContainsFunc(frames, func(f []byte) bool { return len(f) >= 14 && !o.owns(p, macAt(f[6:])) }) &&
		!slices.ContainsFunc(list[1:], func(q *network.Port) bool { return o.hasSame(p, q) }):
		return fmt.Sprintf("all that it holds %s sent to all of its switch, whose every port would show it: it is "+
			"taken to be of %s itself (say it with -r FILE@PORT)", p.Called(), p.Called()), nil
	}
	const few = 4
	var names []string
	for i, q := range list {
		if i == few {
			names = append(names, fmt.Sprintf("%d more", len(list)-few))
			break
		}
		names = append(names, q.Name)
	}
	return "", fmt.Errorf("its packets would be at several ports alike: say at which it was taken with -r FILE@%s",
		strings.Join(names, " or @"))
}

// onWire says that the wire of an interface's switch would show a capture's frames alike.
func (o *Owners) onWire(p *network.Port, frames [][]byte) string {
	for _, wire := range p.Datapath.Localnet {
		if wire.Tag == 0 && !slices.ContainsFunc(frames, func(f []byte) bool { return o.within(f) }) {
			return fmt.Sprintf("all that it holds would be on the wire %s alike: it is taken to be of %s (say it with "+
				"-r FILE@PORT)", wire.Called(), p.Called())
		}
	}
	return ""
}

// within reports whether a frame goes between two that are at one chassis.
func (o *Owners) within(f []byte) bool {
	if len(f) < 14 || macAt(f).multicast() {
		return false
	}
	from, to := o.sendersAt(macAt(f[6:])), o.sendersAt(macAt(f))
	return len(from) == 1 && len(to) == 1 && from[0] == to[0]
}

// shownAt counts the frames that an interface shows: those from its addresses and to them,
// and those that others send to all of its switch.
func (o *Owners) shownAt(p *network.Port, frames [][]byte) (n int) {
	for _, f := range frames {
		if len(f) < 14 {
			continue
		}
		src, dst := macAt(f[6:]), macAt(f)
		if o.owns(p, src) || o.owns(p, dst) || dst.multicast() && (o.near(p.Datapath, src) ||
			len(p.Datapath.Localnet) > 0) {
			n++
		}
	}
	return n
}

// owns reports whether an Ethernet address is a port's, or was.
func (o *Owners) owns(p *network.Port, m mac) bool { return slices.Contains(o.ports[m], p) }

// hasSame reports whether two ports have an Ethernet address in common.
func (o *Owners) hasSame(p, q *network.Port) bool {
	return slices.ContainsFunc(p.Addresses, func(a network.Address) bool { return hasMAC(q, macOf(a.MAC)) })
}
