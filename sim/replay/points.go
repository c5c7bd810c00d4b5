package replay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"ovnreplay/nat/header"
	"ovnreplay/pcap"
	"ovnreplay/sim/network"
)

// Direction says which way a captured frame went.
type Direction uint8

const (
	Unknown Direction = iota
	Entered           // from the port into OVN
	Left              // from OVN out of the port
	Crossed           // from one chassis to another
)

// String returns the direction as a word.
func (d Direction) String() string {
	switch d {
	case Entered:
		return "entered"
	case Left:
		return "left"
	case Crossed:
		return "tunnelled"
	}
	return "unknown"
}

// mac is an Ethernet address as a number.
type mac uint64

func macAt(b []byte) mac { return mac(header.MAC(b)) }

func macOf(m [6]byte) mac { return macAt(m[:]) }

func (m mac) multicast() bool { return m>>40&1 == 1 }

// Owners knows which Ethernet addresses OVN sends from, and on which chassis.
type Owners struct {
	net   *network.Network
	ports map[mac][]*network.Port
	send  map[mac]*senders

	byIP      map[netip.Addr][]*network.Port
	announced map[netip.Addr]mac // addresses that routers answer for on wires
	announcer map[mac]*network.Port
	outside   map[netip.Addr]mac // by an address inside, what it is sent from outside if that is its own
	floating  map[netip.Addr]netip.Addr
	checkers  map[netip.Addr]mac                        // from which ovn-controller checks services
	virtual   map[netip.Addr]bool                       // addresses that routers answer for and no port has
	links     map[*network.Datapath][]*network.Datapath // see readLinks
	networks  []wireNetwork                             // of wires
	overlay   []netip.Prefix                            // of switches without a wire
	strangers map[*network.Datapath]bool                // switches with interfaces whose addresses are not all known
	vids      map[int]bool                              // that ports have
	copied    map[*network.Port][]copied                // what mirrors copy to an interface
	grouped   map[mac][]*network.Port                   // members of the forwarding group that has an address

	heard map[heardKey]mac // what frames without Ethernet destination tell

	translations []snatRule
}

// wireNetwork is a network of the router ports beside a wire.
type wireNetwork struct {
	prefix netip.Prefix
	wire   *network.Port
}

// senders are the chassis that send from an address.
type senders struct {
	any   []*network.AZ // something says that every chassis of these may
	named []*network.Chassis
}

// has reports whether a chassis sends from the address. Where something names
// chassis, only they do: a flow without such a condition then serves packets
// that come from nowhere else.
func (s *senders) has(c *network.Chassis) bool {
	if s.named != nil {
		return slices.Contains(s.named, c)
	}
	return c == nil && s.any != nil || c != nil && slices.Contains(s.any, c.AZ)
}

// NewOwners reads the addresses of a network's ports, and those that its
// logical flows give to packets (floating IPs, DHCP servers, …).
func NewOwners(net *network.Network) *Owners {
	o := &Owners{net: net, ports: map[mac][]*network.Port{}, send: map[mac]*senders{},
		byIP: map[netip.Addr][]*network.Port{}, announced: map[netip.Addr]mac{},
		announcer: map[mac]*network.Port{}, outside: map[netip.Addr]mac{}, floating: map[netip.Addr]netip.Addr{},
		checkers: map[netip.Addr]mac{},
		virtual:  map[netip.Addr]bool{}, heard: map[heardKey]mac{}, links: map[*network.Datapath][]*network.Datapath{},
		strangers: map[*network.Datapath]bool{}, copied: map[*network.Port][]copied{},
		grouped: map[mac][]*network.Port{}, vids: map[int]bool{}}
	for _, p := range net.Ports[1:] {
		if p.Tag != 0 {
			o.vids[p.Tag] = true
		}
		if p.Type == network.VIF && p.Unknown {
			o.strangers[p.Datapath] = true
		}
		if !p.Datapath.Router && (p.Type == network.Patch || p.Type == network.L3Gateway) {
			continue // the address of its peer
		}
		if p.Twin != nil {
			continue // and the port's as its own zone knows it
		}
		for _, a := range p.Addresses {
			m := macOf(a.MAC)
			o.ports[m] = append(o.ports[m], p)
			for _, ip := range a.IPs {
				o.byIP[ip.Addr()] = append(o.byIP[ip.Addr()], p)
			}
		}
	}
	o.readFormer()
	for _, p := range net.Ports[1:] {
		for _, n := range net.Announced(p) {
			o.announcer[macOf(n.MAC)] = p
			for _, ip := range n.IPs {
				o.announced[ip.Addr()] = macOf(n.MAC)
			}
		}
	}
	for m, ports := range o.ports {
		if slices.ContainsFunc(ports, func(p *network.Port) bool { return p.Type != network.External }) {
			o.send[m] = sendersOf(ports)
		} // else it is out on the wire, and OVN only answers it
	}
	for _, lb := range net.LoadBalancers {
		for i := range lb.VIPs {
			o.virtual[lb.VIPs[i].Addr] = true
		}
	}
	for i := range net.ServiceMonitors {
		m := &net.ServiceMonitors[i]
		addr, err := netip.ParseAddr(m.SrcIP)
		if hw, ok := header.ParseMAC(m.SrcMAC); ok && err == nil {
			o.checkers[addr] = macOf(hw)
		}
	}
	o.readLinks()
	o.readWires()
	o.readFlows()
	return o
}

// readFormer takes the addresses that interfaces had for theirs, unless others have them now.
func (o *Owners) readFormer() {
	former := map[mac][]*network.Port{}
	for _, p := range o.net.Ports[1:] {
		for _, a := range p.Had {
			if m := macOf(a.MAC); p.Type == network.VIF && o.ports[m] == nil {
				former[m] = append(former[m], p)
			}
		}
	}
	maps.Copy(o.ports, former)
}

// readWires notes which networks are behind which wires, for frames that tell
// of their next hop no more than its network.
func (o *Owners) readWires() {
	for _, p := range o.net.Ports[1:] {
		w := o.wireBeside(p)
		if !p.Datapath.Router || p.Peer == nil {
			continue
		}
		for _, a := range p.Addresses {
			for _, ip := range a.IPs {
				if ip = ip.Masked(); w == nil && !ip.Addr().IsLinkLocalUnicast() && !slices.Contains(o.overlay, ip) {
					o.overlay = append(o.overlay, ip)
				}
				if n := (wireNetwork{ip, w}); w != nil && !slices.Contains(o.networks, n) {
					o.networks = append(o.networks, n)
				}
			}
		}
	}
}

// sendersOf returns who sends from an address of the given ports. A gateway
// port's address is used where the gateway is, although the router port that
// shares it exists everywhere.
func sendersOf(ports []*network.Port) *senders {
	s := &senders{}
	for _, p := range ports {
		if c := p.ActiveChassis(); c != nil {
			s.named = append(append(s.named, c), p.Additional...)
		}
	}
	if s.named == nil {
		for _, p := range ports {
			s.any = append(s.any, p.Datapath.AZ)
		}
	}
	return s
}

// hasMAC reports whether m is one of the port's addresses.
func hasMAC(p *network.Port, m mac) bool {
	for _, a := range p.Addresses {
		if macOf(a.MAC) == m {
			return true
		}
	}
	return false
}

// Direction tells whether a frame captured at a port of a chassis entered OVN
// there or left it, by its Ethernet addresses.
//
// At an interface the port's own source address means in. Where a port leads
// out of OVN an address that OVN sends from means out; but a wire that chassis
// share (localnet) also brings what only another chassis sends.
func (o *Owners) Direction(p *network.Port, c *network.Chassis, frame []byte) Direction {
	if len(frame) < 14 {
		return Unknown
	}
	dst, src := macAt(frame), macAt(frame[6:])
	sent := o.send[src]
	if leadsOut(p) {
		if o.residesAt(p.Datapath, c, dst) && !o.residesAt(p.Datapath, c, src) {
			return Entered // it would not have left by the wire
		}
		if sent != nil && (p.Type != network.Localnet || sent.has(c)) {
			return Left
		}
		return Entered
	}
	switch {
	case hasMAC(p, src):
		return Entered
	case hasMAC(p, dst):
		return Left
	case sentBy(p, frame): // with an Ethernet address that is not its own, another's maybe
		return Entered
	case slices.ContainsFunc(p.Containers, func(c *network.Port) bool { return hasMAC(c, src) }):
		return Entered // of a container behind the interface, without the tag it should have
	case sent != nil:
		return Left
	case p.Unknown, !dst.multicast():
		return Entered
	}
	return Left
}

// residesAt reports whether an Ethernet address is that of an interface of a
// switch at one chassis and no other.
func (o *Owners) residesAt(dp *network.Datapath, c *network.Chassis, m mac) bool {
	return slices.ContainsFunc(o.ports[m], func(p *network.Port) bool {
		return p.Type == network.VIF && p.Datapath == dp && p.ActiveChassis() == c && len(p.Additional) == 0
	})
}

// sentBy reports whether the frame's sender has one of the port's IP
// addresses, whatever Ethernet address it claims.
func sentBy(p *network.Port, frame []byte) bool {
	m, err := pcap.EthernetMeta(frame)
	if err != nil {
		return false
	}
	src, _ := metaIPs(&m)
	return src.IsValid() && hasIP(p, src)
}

// mayClaim reports whether an Ethernet address is that of a virtual port which
// the interface p may announce as its own.
func (o *Owners) mayClaim(p *network.Port, m mac) bool {
	return slices.ContainsFunc(o.ports[m], func(v *network.Port) bool {
		return v.Type == network.Virtual && slices.Contains(strings.Split(v.Options["virtual-parents"], ","), p.Name)
	})
}

// ofNeighbour reports whether an Ethernet address is that of a router on the
// port's switch.
func (o *Owners) ofNeighbour(p *network.Port, m mac) bool {
	return slices.ContainsFunc(o.ports[m], func(r *network.Port) bool {
		return r.Peer != nil && r.Datapath.Router && r.Peer.Datapath == p.Datapath
	})
}

// passes reports whether frames with any Ethernet source address may enter at a port.
func (o *Owners) passes(p *network.Port) bool {
	return leadsOut(p) || p.Type == network.VIF && len(p.PortSecurity) == 0 || p.Type == network.Remote
}

// behind returns the logical port that a frame captured at p's interface is
// of: the container port that has the frame's VLAN tag, else p itself; nil if
// the tag says that no logical port of this interface gets the frame.
func behind(p *network.Port, frame []byte) *network.Port {
	vid, tagged := vlan(frame)
	if p.Type == network.Localnet || p.Type == network.L2Gateway || p.Parent != nil {
		if p.Tag != vid {
			return nil
		}
		return p
	}
	if tagged {
		for _, c := range p.Containers {
			if c.Tag == vid {
				return c
			}
		}
	}
	return p
}

// vlan returns the VLAN of a frame, 0 if it is in none.
func vlan(frame []byte) (vid int, tagged bool) {
	if len(frame) < 18 || binary.BigEndian.Uint16(frame[12:]) != header.EtherVLAN {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(frame[14:]) & 0xfff), true
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
	votes, floods := map[*network.Port]int{}, map[*network.Port]int{}
	foreign := false
	for _, f := range frames {
		if len(f) < 14 {
			continue
		}
		src, dst := macAt(f[6:]), macAt(f)
		owners := o.holders(src)
		if owners == nil && !src.multicast() {
			foreign = true
		}
		for _, p := range owners {
			if dst.multicast() && p.Type == network.VIF {
				floods[p]++
			} else {
				votes[p]++
			}
		}
		for _, p := range o.holders(dst) {
			votes[p]++
		}
	}
	addFloods(votes, floods, len(frames))
	best := o.mostVoted(votes, func(p *network.Port) bool {
		return !p.Datapath.Router && (hasDevice(p) || p.Parent != nil || leadsOut(p))
	})
	if best != nil && best.Parent != nil && !o.all(best, frames) {
		best = best.Parent // at whose interface are the tags, and what is its own
	}
	if wire := taggedWire(best, frames); wire != nil {
		return wire, nil
	}
	if best != nil && (!foreign || best.Type == network.VIF && o.shownAt(best, frames) == len(frames)) {
		return best, nil
	}
	if wire := o.wireOf(votes); wire != nil {
		return wire, nil
	}
	if best != nil {
		return best, nil
	}
	if s := o.strange(frames); s != "" {
		return nil, errors.New(s)
	}
	return nil, fmt.Errorf("no logical port has the Ethernet addresses of its packets; name the port with -r FILE@PORT")
}

// holders returns the ports that have an Ethernet address, else the one that announces it
// for others, as that of a floating IP.
func (o *Owners) holders(m mac) []*network.Port {
	if ports := o.ports[m]; ports != nil {
		return ports
	}
	if p := o.announcer[m]; p != nil {
		return []*network.Port{p}
	}
	return nil
}

// all reports whether frames without a tag are all that may be a container's.
func (o *Owners) all(p *network.Port, frames [][]byte) bool {
	return !slices.ContainsFunc(frames, func(f []byte) bool {
		_, tagged := vlan(f)
		return tagged || len(f) >= 14 && (o.owns(p.Parent, macAt(f)) || o.owns(p.Parent, macAt(f[6:])))
	})
}

// taggedWire is the wire of an interface's switch if frames have that one's VLAN tag: at
// the interface they have none, or that of a container behind it. nil: they do not.
func taggedWire(p *network.Port, frames [][]byte) *network.Port {
	if p == nil || p.Type != network.VIF {
		return nil
	}
	for _, wire := range p.Datapath.Localnet {
		if wire.Tag != 0 && !slices.ContainsFunc(frames, func(f []byte) bool {
			vid, _ := vlan(f)
			return vid != wire.Tag || behind(p, f) != p
		}) {
			return wire
		}
	}
	return nil
}

// Candidates are the interfaces that some records may be captured at, by their
// addresses: those that most frames have first, a few of them.
func (o *Owners) Candidates(recs []pcap.Record) (out []*network.Port) {
	votes := map[*network.Port]int{}
	for i := range recs {
		_, m, err := pcap.Frame(&recs[i])
		if err != nil {
			continue
		}
		for _, a := range [...]mac{metaMAC(m.HasSrc, m.Src), metaMAC(m.HasDst, m.Dst)} {
			for _, p := range o.ports[a] {
				if p.Type == network.VIF {
					votes[p]++
				}
			}
		}
	}
	for len(out) < 4 {
		best := o.mostVoted(votes, func(p *network.Port) bool { return !slices.Contains(out, p) })
		if best == nil {
			break
		}
		out = append(out, best)
	}
	return out
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
				return nil, fmt.Errorf("port %s exists on several chassis (%s and %s, among others); say which "+
					"with -r "+
					"FILE@PORT@CHASSIS", p.Name, one.Name, c.Name)
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

// chassisAt returns the chassis that has a tunnel endpoint, nil if none has.
func (o *Owners) chassisAt(a netip.Addr) *network.Chassis {
	for _, c := range o.net.Chassis {
		for _, e := range c.Encaps {
			if ip, err := netip.ParseAddr(e.IP); err == nil && ip == a {
				return c
			}
		}
	}
	return nil
}
