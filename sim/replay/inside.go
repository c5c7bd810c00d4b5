package replay

import (
	"errors"
	"fmt"
	"slices"

	"ovnreplay/pcap"
	"ovnreplay/sim"
	"ovnreplay/sim/network"
)

// A capture on a tunnel device (genev_sys_6081) holds the frames inside of tunnels,
// without the headers that say between which chassis they go and with which keys.
// Both are worked out from the interfaces that frames are from and to.

const (
	whyUntold  = "inside of a tunnel: its addresses do not tell between which chassis, or with which keys"
	whyElseway = "inside of a tunnel between other chassis"
)

// placeInside places a frame that was captured on a tunnel device of a chassis.
func (s *Run) placeInside(tap *Tap, site *Site, f *Frame) {
	f.point = &Point{Chassis: site.Chassis, Capture: tap.Index}
	if len(f.Data) < 14 || f.Bare {
		f.skip = whyShort
		return
	}
	u := f.spare
	if u == nil {
		u = &underlay{}
	}
	f.spare = nil
	*u = underlay{whole: u.whole[:0]}
	f.tunnel = u
	var ok bool
	if *u, ok = s.owners.tunnelled(f); !ok {
		f.skip = whyUntold
		return
	}
	if u.from != site.Chassis && u.to != site.Chassis {
		f.skip = whyElseway
		return
	}
	f.point, f.dir = tap.tunnel(u.from, u.to), Crossed
}

// tunnelled tells between which chassis a frame went inside of a tunnel, and with
// which keys: to an interface from another of its switch, or from a router.
func (o *Owners) tunnelled(f *Frame) (u underlay, ok bool) {
	to := o.onlyInterface(macAt(f.Data))
	if to == nil || to.ActiveChassis() == nil {
		return u, false
	}
	u.to = to.ActiveChassis()
	src := macAt(f.Data[6:])
	for _, q := range to.Datapath.Ports {
		r := q
		if q.Peer != nil {
			r = q.Peer
		}
		if q == to || !hasMAC(r, src) {
			continue
		}
		if u.from = q.ActiveChassis(); q.Peer != nil {
			u.from = o.sends(q.Peer, f)
		}
		u.keys = tunnelKeys{pcap.Geneve, to.Datapath.TunnelKey, q.TunnelKey, to.TunnelKey}
		return u, u.from != nil && u.from != u.to
	}
	return u, false
}

// onlyInterface is the one interface that has an Ethernet address.
func (o *Owners) onlyInterface(m mac) (one *network.Port) {
	for _, p := range o.ports[m] {
		if p.Type != network.VIF || one != nil {
			return nil
		}
		one = p
	}
	return one
}

// sends is the chassis at which a router sends a frame on: where its sender is, if
// that is an interface of a network inside of OVN; else where the router's gateway is.
func (o *Owners) sends(r *network.Port, f *Frame) *network.Chassis {
	src := addrOf(f.Headers(), endpoints(f.Headers())[0])
	for _, p := range o.byIP[src] {
		if p.Type == network.VIF && len(p.Datapath.Localnet) == 0 {
			return p.ActiveChassis()
		}
	}
	for _, p := range r.Datapath.Ports {
		if c := p.ActiveChassis(); c != nil {
			return c
		}
	}
	return nil
}

// shows reports whether a capture shows a packet that goes through a tunnel.
func (t *tunnels) shows(o *sim.TunnelOutput) bool {
	if t.watches(o.From, o.To) {
		return true
	}
	if !t.inside[o.From.Index] && !t.inside[o.To.Index] || len(o.Data) < 14 {
		return false
	}
	f := Frame{Data: o.Data, Wire: o.Wire}
	u, ok := t.s.owners.tunnelled(&f)
	return ok && u.from == o.From && u.to == o.To && u.keys == keysOf(o, pcap.Geneve)
}

// errTunnelDevice is a capture that no port could show.
var errTunnelDevice = errors.New("it looks like one on a tunnel device")

// ofTunnels reports whether frames are what a tunnel device shows: all between
// interfaces, or from a router to one, on several chassis, and no interface is an
// end of all of them.
func (o *Owners) ofTunnels(frames [][]byte) error {
	var common, chassis []*network.Chassis
	var ends []*network.Port
	n := 0
	for _, data := range frames {
		f := Frame{Data: data, Wire: len(data)}
		if len(data) < 14 || macAt(data).multicast() {
			continue
		}
		u, ok := o.tunnelled(&f)
		to, from := o.onlyInterface(macAt(data)), o.onlyInterface(macAt(data[6:]))
		if !ok || len(to.Datapath.Localnet) > 0 {
			return nil
		}
		at := []*network.Chassis{u.from, u.to}
		if n++; n == 1 {
			common, ends = at, []*network.Port{to, from}
		}
		common = slices.DeleteFunc(slices.Clone(common), func(c *network.Chassis) bool {
			return !slices.Contains(at, c)
		})
		ends = slices.DeleteFunc(ends, func(p *network.Port) bool { return p == nil || p != to && p != from })
		if !slices.Contains(chassis, u.to) {
			chassis = append(chassis, u.to)
		}
	}
	if n == 0 || len(ends) > 0 || len(chassis) < 2 || len(common) == 0 {
		return nil
	}
	names := common[0].Name
	for _, c := range common[1:] {
		names += " or " + c.Name
	}
	return fmt.Errorf("%w (genev_sys_6081): its frames go through tunnels, without their headers; "+
		"name it with -r FILE@tunnel:CHASSIS, the chassis being %s", errTunnelDevice, names)
}
