package replay

import (
	"encoding/binary"
	"fmt"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/field"
	"ovnreplay/sim/lflow"
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
// is taken to be the sender's, with a doubt that is to be said. Where it cannot be the one
// that it seems to be, it is of the only other.
func (o *Owners) rivals(p *network.Port, frames [][]byte, in among) (of *network.Port, doubt string,
	err error) {
	if p.Type != network.VIF {
		return p, "", nil
	}
	shown := o.shownAt(p, frames)
	list := []*network.Port{p}
	for _, q := range o.net.Ports[1:] {
		if q != p && q.Parent != p && p.Parent != q && in.allows(q) && o.isRival(p, q) &&
			o.shownAt(q, frames) >= shown {
			list = append(list, q)
		}
	}
	if len(list) == 2 && !in.allows(p) {
		p, list = list[1], list[1:]
	}
	switch {
	case len(list) == 1:
		return p, o.onWire(p, frames), nil
	case !slices.ContainsFunc(frames, func(f []byte) bool { return len(f) >= 14 && !o.told(p, f) }) &&
		!slices.ContainsFunc(list[1:], func(q *network.Port) bool { return o.hasSame(p, q) }):
		return p, fmt.Sprintf("all that it holds %s sent to all of its switch, whose every port would show it: it is "+
			"taken to be of %s itself (say it with -r FILE@PORT)", p.Called(), p.Called()), nil
	}
	var names []string
	for _, q := range list {
		names = append(names, q.Name)
	}
	return nil, "", fmt.Errorf("its packets would be at several ports alike: say at which it was taken with -r FILE@%s",
		someOf(names, " or @"))
}

// isRival reports whether a port is an interface that may show what p's does.
func (o *Owners) isRival(p, q *network.Port) bool {
	switch {
	case q.Twin != nil, q.Name == p.Name && q.Datapath.AZ != p.Datapath.AZ: // it moved from zone to zone
		return false
	case q.Type == network.L2Gateway, q.Type == network.VTEP:
		return q.Tag == 0 && o.same(q.Datapath, p.Datapath)
	}
	return (hasDevice(q) || q.Parent != nil) &&
		(o.same(q.Datapath, p.Datapath) || o.hasSame(p, q) || len(o.copied[q]) > 0)
}

// told reports whether a port sent a frame to all of its switch.
func (o *Owners) told(p *network.Port, f []byte) bool {
	return o.owns(p, macAt(f[6:])) && (macAt(f).multicast() || isQuestion(f))
}

// onWire says that the wire of an interface's switch would show a capture's frames alike.
func (o *Owners) onWire(p *network.Port, frames [][]byte) string {
	if slices.ContainsFunc(frames, func(f []byte) bool { return o.within(f) }) {
		return ""
	}
	for _, wire := range p.Datapath.Localnet {
		if wire.Tag != 0 && slices.ContainsFunc(frames, func(f []byte) bool { _, tagged := vlan(f); return tagged }) {
			continue
		}
		bare := ""
		if wire.Tag != 0 {
			bare = ", if its network card takes the VLAN's tag off"
		}
		return fmt.Sprintf("all that it holds would be on the wire %s alike%s: it is taken to be of %s (say it with "+
			"-r FILE@PORT)", wire.Called(), bare, p.Called())
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
			len(p.Datapath.Localnet) > 0) || o.passesOn(p, f) {
			n++
		}
	}
	return n
}

// passesOn reports whether an interface may show a frame that is of others: as a network
// function or a mirror's sink, as a member of a forwarding group, because it may have more
// addresses than are known, or because the frame's is a forged one.
func (o *Owners) passesOn(p *network.Port, f []byte) bool {
	src, dst := macAt(f[6:]), macAt(f)
	ofSwitch := o.near(p.Datapath, src) || o.near(p.Datapath, dst)
	switch {
	case slices.ContainsFunc(o.copied[p], func(c copied) bool {
		return c.sent && o.owns(c.port, src) || !c.sent && (o.owns(c.port, dst) || dst.multicast() && ofSwitch)
	}):
		return true
	case !ofSwitch:
		return false
	case slices.Contains(o.grouped[dst], p), o.mayClaim(p, src), o.mayClaim(p, dst):
		return true
	case p.IsFunction():
		return !dst.multicast() && !isARP(f) // which goes past it
	case leadsOut(p), p.Unknown:
		return len(o.ports[dst]) == 0 || isQuestion(f) || len(o.ports[src]) == 0 && o.passes(p)
	}
	return p.Type == network.VIF && (isQuestion(f) || sentBy(p, f) && !o.ofNeighbour(p, src))
}

func isARP(f []byte) bool { return binary.BigEndian.Uint16(f[12:]) == header.EtherARP }

// isQuestion reports whether a frame is an ARP request or a neighbor solicitation: of those for a
// router's address other ports of the switch may get a copy, whomever it is sent to.
func isQuestion(f []byte) bool {
	const request, solicitation = 1, 135
	switch m, err := pcap.EthernetMeta(f); {
	case err != nil:
		return false
	case m.EtherType == header.EtherARP:
		return len(m.Payload) >= 8 && m.Payload[7] == request
	case m.EtherType == header.EtherIPv6:
		return len(m.Payload) > 40 && m.Payload[6] == header.ProtoICMPv6 && m.Payload[40] == solicitation
	}
	return false
}

// copied is what a mirror copies: what a port sends, or what it gets.
type copied struct {
	port *network.Port
	sent bool
}

// readCopies notes which interfaces get copies of others' frames, by a flow that mirrors
// them, or by one of a forwarding group.
func (o *Owners) readCopies(z *network.AZ, actions []lflow.Action, match *lflow.Expr) {
	for _, a := range actions {
		switch a := a.(type) {
		case lflow.Mirror:
			sink, of := z.PortNamed(a.Port), z.PortNamed(portOf(match, field.Inport))
			sent := of != nil
			if !sent {
				of = z.PortNamed(portOf(match, field.Outport))
			}
			if sink != nil && sink.MirrorTo != nil && of != nil {
				o.copied[sink.MirrorTo] = append(o.copied[sink.MirrorTo], copied{of, sent})
			}
		case lflow.FwdGroup:
			if to := destinationOf(match); to != 0 {
				for _, name := range a.Children {
					if p := z.PortNamed(name); p != nil {
						o.grouped[to] = append(o.grouped[to], p)
					}
				}
			}
		}
	}
}

// owns reports whether an Ethernet address is a port's, or was.
func (o *Owners) owns(p *network.Port, m mac) bool { return slices.Contains(o.ports[m], p) }

// hasSame reports whether two ports have an Ethernet address in common.
func (o *Owners) hasSame(p, q *network.Port) bool {
	return slices.ContainsFunc(p.Addresses, func(a network.Address) bool { return hasMAC(q, macOf(a.MAC)) })
}

// wanted is the comparison by which a match wants a field to have a value, nil if it wants none.
func wanted(e *lflow.Expr, f field.ID) *lflow.Expr {
	switch {
	case e.Kind == lflow.Cmp && e.Op == lflow.EQ && e.Symbol.Field == f:
		return e
	case e.Kind == lflow.And:
		for _, x := range e.Args {
			if c := wanted(x, f); c != nil {
				return c
			}
		}
	}
	return nil
}

// portOf is the port that a match wants a field to be, "" if it wants none.
func portOf(e *lflow.Expr, f field.ID) string {
	if c := wanted(e, f); c != nil {
		return c.String
	}
	return ""
}

// destinationOf is the Ethernet address that a match wants frames to be sent to, 0 if it
// wants none.
func destinationOf(e *lflow.Expr) mac {
	if c := wanted(e, field.EthDst); c != nil {
		return mac(c.Value.Lo)
	}
	return 0
}
