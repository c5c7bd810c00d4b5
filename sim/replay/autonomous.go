package replay

import (
	"bytes"
	"encoding/binary"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/answer"
	"ovnreplay/sim/network"
)

// autonomous knows the frames that ovn-controller sends on its own timers:
// gratuitous ARP for the addresses a port announces to its wire, router
// advertisements, multicast queries, health checks. A frame is recognised only
// by being exactly the bytes the database calls for; of a health check, but
// for its random source port and sequence number.
type autonomous struct {
	frames map[autoKey][][]byte
	probes map[autoKey][]answer.Probe
	marks  map[autoKey][]uint8 // the DSCPs that probes may leave with
}

type autoKey struct{ port, chassis int }

func newAutonomous(net *network.Network) *autonomous {
	a := &autonomous{frames: map[autoKey][][]byte{}, probes: map[autoKey][]answer.Probe{},
		marks: map[autoKey][]uint8{}}
	for _, dp := range net.Datapaths {
		for _, wire := range dp.Localnet {
			for _, p := range dp.Ports {
				a.announce(net, wire, p)
			}
		}
	}
	a.periodic(net)
	return a
}

// announce adds what a port of the wire's switch makes each chassis announce:
// an interface its own addresses, a router's port its nat_addresses.
func (a *autonomous) announce(net *network.Network, wire, p *network.Port) {
	for _, c := range net.Chassis {
		if p.Type == network.VIF && p.ResidentOn(c) {
			for _, addr := range p.Addresses {
				a.add(wire, p, c, addr)
			}
		}
		if p.Peer == nil {
			continue
		}
		for _, n := range net.Announced(p) {
			if n.Resident == nil && announces(p, c) || n.Resident != nil && n.Resident.ResidentOn(c) {
				a.add(wire, p, c, n.Address)
			}
		}
	}
}

// announces reports whether chassis c speaks for a router's port that names no
// port of its own: an l3gateway's chassis does.
func announces(p *network.Port, c *network.Chassis) bool {
	return p.Type != network.L3Gateway || p.ResidentOn(c)
}

func (a *autonomous) add(wire, from *network.Port, c *network.Chassis, addr network.Address) {
	none := true
	for _, ip := range addr.IPs {
		if ip.Addr().Is4() {
			none = false
			a.announced(wire, from, c, arpFrame(addr.MAC, header.EtherARP, 1, ip.Addr().As4()))
		}
	}
	if none { // RARP announces an Ethernet address alone
		a.announced(wire, from, c, arpFrame(addr.MAC, header.EtherRARP, 3, [4]byte{}))
	}
}

// announced adds an announcement: it enters the switch at its port, so that
// besides the wire the chassis' other interfaces get it.
func (a *autonomous) announced(wire, from *network.Port, c *network.Chassis, frame []byte) {
	k := autoKey{wire.Index, c.Index}
	a.frames[k] = append(a.frames[k], tagged(frame, wire.Tag))
	for _, p := range wire.Datapath.Ports {
		if p.Type == network.VIF && p != from && p.ResidentOn(c) {
			k := autoKey{p.Index, c.Index}
			a.frames[k] = append(a.frames[k], frame)
		}
	}
}

// arpFrame builds a broadcast announcement (RFC 826, RFC 903).
func arpFrame(mac [6]byte, etherType, op uint16, ip [4]byte) []byte {
	f := make([]byte, 42)
	copy(f, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	copy(f[6:], mac[:])
	binary.BigEndian.PutUint16(f[12:], etherType)
	copy(f[14:], []byte{0, 1, 8, 0, 6, 4})
	binary.BigEndian.PutUint16(f[20:], op)
	copy(f[22:], mac[:])
	copy(f[28:], ip[:])
	if op == 3 { // RARP names itself as the target too
		copy(f[32:], mac[:])
	}
	copy(f[38:], ip[:])
	return f
}

// tagged returns the frame in the wire's VLAN.
func tagged(f []byte, vid int) []byte {
	if vid == 0 {
		return f
	}
	return slices.Insert(f, 12, 0x81, 0, byte(vid>>8), byte(vid))
}

// sent reports whether the observed frame is one ovn-controller sends by itself.
func (a *autonomous) sent(at pointKey, data []byte, wire int, bare bool) bool {
	k := autoKey(at)
	for _, f := range a.frames[k] {
		if wire == len(data) && bytes.HasPrefix(data, f) && (wire == len(f) ||
			wire <= leastFrame+vlanTag && zero(data[len(f):])) {
			return true
		}
		// Without its Ethernet header a frame may also lack what fills it up.
		if bare && len(data) > 12 && bytes.HasPrefix(f[12:], data[12:]) && len(data) == wire {
			return true
		}
	}
	return a.probed(k, data, wire, bare)
}

// probed reports whether a frame is a health check, be it marked on its way.
func (a *autonomous) probed(k autoKey, frame []byte, wire int, bare bool) bool {
	is := func(frame []byte) bool {
		return slices.ContainsFunc(a.probes[k], func(p answer.Probe) bool { return isProbe(frame, wire, bare, p) })
	}
	if len(a.probes[k]) == 0 {
		return false
	}
	plain, marked := unmarked(frame, a.marks[k])
	return is(frame) || marked && is(plain)
}
