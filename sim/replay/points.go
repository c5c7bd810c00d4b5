package replay

import (
	"encoding/binary"
	"fmt"

	"ovnreplay/sim/network"
)

// Point is where a capture was taken: a logical port on a chassis.
type Point struct {
	Port    *network.Port
	Chassis *network.Chassis
	Capture int
	Found   string // how the port was found: "given", "source MAC", …
}

// Direction says which way a captured frame went.
type Direction uint8

const (
	Unknown Direction = iota
	Entered           // from the port into OVN
	Left              // from OVN out of the port
)

// mac is an Ethernet address as a number.
type mac uint64

func macAt(b []byte) mac {
	return mac(binary.BigEndian.Uint16(b))<<32 | mac(binary.BigEndian.Uint32(b[2:]))
}

func macOf(m [6]byte) mac { return macAt(m[:]) }

func (m mac) multicast() bool { return m>>40&1 == 1 }

// Owners knows which Ethernet address belongs to which logical port.
type Owners struct {
	net   *network.Network
	ports map[mac][]*network.Port
}

// NewOwners reads the addresses of a network's ports.
func NewOwners(net *network.Network) *Owners {
	o := &Owners{net: net, ports: map[mac][]*network.Port{}}
	for _, p := range net.Ports[1:] {
		for _, a := range p.Addresses {
			if p.Type != network.Patch && p.Type != network.L3Gateway || p.Datapath.Router {
				o.ports[macOf(a.MAC)] = append(o.ports[macOf(a.MAC)], p)
			}
		}
	}
	return o
}

// own reports whether m is one of the port's addresses.
func own(p *network.Port, m mac) bool {
	for _, a := range p.Addresses {
		if macOf(a.MAC) == m {
			return true
		}
	}
	return false
}

// Direction tells whether a frame captured at a port entered OVN there or left
// it, by its Ethernet addresses.
//
// At an interface the port's own source address means in. On a wire (localnet
// and other ports that lead out of OVN) any address that OVN owns means out.
func (o *Owners) Direction(p *network.Port, frame []byte) Direction {
	if len(frame) < 14 {
		return Unknown
	}
	dst, src := macAt(frame), macAt(frame[6:])
	if leadsOut(p) {
		if o.ports[src] != nil {
			return Left
		}
		return Entered
	}
	switch {
	case own(p, src):
		return Entered
	case o.ports[src] != nil, own(p, dst):
		return Left
	case p.Unknown, !dst.multicast():
		return Entered
	}
	return Left
}

// leadsOut reports whether behind the port lies a network that OVN does not run.
func leadsOut(p *network.Port) bool {
	switch p.Type {
	case network.Localnet, network.L2Gateway, network.VTEP:
		return true
	}
	return false
}

// Find guesses at which port a capture was taken, from the source addresses of
// its frames: the interface most of whose address' frames it holds, or the
// localnet port of the datapath that most of the frames' owners belong to.
func (o *Owners) Find(frames [][]byte) (*network.Port, error) {
	votes := map[*network.Port]int{}
	foreign := false
	for _, f := range frames {
		if len(f) < 14 {
			continue
		}
		src, dst := macAt(f[6:]), macAt(f)
		owners := o.ports[src]
		if owners == nil && !src.multicast() {
			foreign = true
		}
		for _, p := range owners {
			votes[p]++
		}
		for _, p := range o.ports[dst] {
			votes[p]++
		}
	}
	best := o.mostVoted(votes, func(p *network.Port) bool { return !p.Datapath.Router })
	if best != nil && (!foreign || best.Type == network.VIF && votes[best] == len(frames)) {
		return best, nil
	}
	if wire := o.wireOf(votes); wire != nil {
		return wire, nil
	}
	if best != nil {
		return best, nil
	}
	return nil, fmt.Errorf("no logical port has the Ethernet addresses of its packets; name the port with -r FILE@PORT")
}

func (o *Owners) mostVoted(votes map[*network.Port]int, ok func(*network.Port) bool) *network.Port {
	var best *network.Port
	for _, p := range o.net.Ports[1:] {
		if votes[p] > 0 && ok(p) && (best == nil || votes[p] > votes[best]) {
			best = p
		}
	}
	return best
}

// wireOf returns the localnet port next to the router port with most votes.
func (o *Owners) wireOf(votes map[*network.Port]int) *network.Port {
	var best *network.Port
	most := 0
	for _, p := range o.net.Ports[1:] {
		dp := p.Datapath
		if dp.Router && p.Peer != nil {
			dp = p.Peer.Datapath
		}
		if votes[p] > most && len(dp.Localnet) > 0 {
			best, most = dp.Localnet[0], votes[p]
		}
	}
	return best
}

// ChassisOf returns the chassis a port's packets are on when the capture does
// not say: where the port is bound, or for ports that exist on every chassis
// the one that the ports of its datapath, and their peers, are bound to.
func ChassisOf(net *network.Network, p *network.Port) (*network.Chassis, error) {
	if p.Chassis != nil {
		return p.Chassis, nil
	}
	if p.Parent != nil && p.Parent.Chassis != nil {
		return p.Parent.Chassis, nil
	}
	found := map[*network.Chassis]bool{}
	for _, q := range p.Datapath.Ports {
		if q.Chassis != nil {
			found[q.Chassis] = true
		}
	}
	var one *network.Chassis
	for _, c := range net.Chassis {
		if found[c] {
			if one != nil {
				return nil, fmt.Errorf("port %s exists on several chassis (%s and %s, among others); say which with -r FILE@PORT@CHASSIS", p.Name, one.Name, c.Name)
			}
			one = c
		}
	}
	if one == nil {
		if len(net.Chassis) == 1 {
			return net.Chassis[0], nil
		}
		return nil, fmt.Errorf("port %s is bound to no chassis", p.Name)
	}
	return one, nil
}
