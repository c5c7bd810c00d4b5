package sim

import (
	"net/netip"
	"slices"

	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
)

// reading is what packets ask of the network's texts, read when the engine begins with
// a network: a packet looks at none.
type reading struct {
	tunnels []bool             // by availability zone: always_tunnel
	away    []*network.Chassis // of other availability zones, or that may be
	reaches [][]bool           // by zone, then chassis: see network.AZ.Reaches

	remote, interconn []bool // by chassis
	transit, aging    []bool // by datapath
	groups            []uint32
	activation        map[activeKey]announcements
	parents           map[int]*network.Port // of virtual ports, by index
	checks            map[probeKey]bool     // services that are checked over TCP
	metered           []uint16              // by flow: one more than its meter's position, 0: none
	meters            []meter
	delegated         map[int]delegate // router's ports that ask for a prefix, by index
}

// delegate is from where a router's port asks for a prefix.
type delegate struct {
	mac  uint64
	addr netip.Addr
}

// readNet works out what packets are to find without looking at text.
func (e *Engine) readNet() {
	e.reading = reading{}
	r := &e.reading
	for _, z := range e.Net.AZs {
		r.tunnels = append(r.tunnels, z.SBGlobal["always_tunnel"] == "true")
		reaches := make([]bool, len(e.Net.Chassis))
		for i, c := range e.Net.Chassis {
			reaches[i] = z.Reaches(c)
		}
		r.reaches = append(r.reaches, reaches)
	}
	for _, c := range e.Net.Chassis {
		r.remote, r.interconn = append(r.remote, c.Remote()), append(r.interconn, c.Interconn())
		if c.Remote() || len(e.Net.AZs) > 1 {
			r.away = append(r.away, c)
		}
	}
	for _, d := range e.Net.Datapaths {
		r.transit, r.aging = append(r.transit, d.TransitSwitch()), append(r.aging, d.BindingsAge())
	}
	e.numberGroups()
	r.readPorts(e.Net)
	r.readChecks(e.Net)
	e.readMeters()
}

func (r *reading) readPorts(net *network.Network) {
	r.activation, r.parents, r.delegated = map[activeKey]announcements{}, map[int]*network.Port{}, map[int]delegate{}
	for _, p := range net.Ports {
		if p == nil {
			continue
		}
		for _, c := range p.Additional {
			if kinds := p.Activation(c); kinds != nil {
				r.activation[activeKey{p.Index, c.Index}] = announcementsOf(kinds)
			}
		}
		if p.VirtualParent != "" {
			r.parents[p.Index] = portNamed(net, p.Datapath, p.VirtualParent)
		}
		if mac, addr, ok := p.Delegated(); ok {
			r.delegated[p.Index] = delegate{header.MACNumber(mac), addr}
		}
	}
}

// portNamed is the port that a name means at a datapath.
func portNamed(net *network.Network, at *network.Datapath, name string) *network.Port {
	if at != nil && at.AZ != nil {
		return at.AZ.PortNamed(name)
	}
	return net.Port(name)
}

func (r *reading) readChecks(net *network.Network) {
	r.checks = map[probeKey]bool{}
	for i := range net.ServiceMonitors {
		m := &net.ServiceMonitors[i]
		addr, err := netip.ParseAddr(m.IP)
		if err != nil || m.Protocol != "" && m.Protocol != "tcp" || m.Port < 0 || m.Port > 0xffff {
			continue
		}
		for _, p := range net.Ports {
			if p != nil && p.Name == m.LogicalPort {
				r.checks[probeKey{p.Index, netip.AddrPortFrom(addr, uint16(m.Port))}] = true
			}
		}
	}
}

// connected reports whether a chassis has a tunnel to another: to those of other
// availability zones only if it takes part in interconnection (ovn-ic(8)).
func (e *Engine) connected(from, to *network.Chassis) bool {
	return !e.foreign(from, to) || e.interconn[from.Index]
}

// foreign reports whether a chassis belongs to another zone than the one it is seen from.
func (e *Engine) foreign(from, to *network.Chassis) bool {
	return e.remote[to.Index] || to.AZ != from.AZ
}

// announcements are kinds of announcement by which a port becomes active.
type announcements uint8

const (
	byRARP announcements = 1 << iota
	byGARP
	byNA
)

func announcementsOf(kinds []string) (a announcements) {
	for i, kind := range []string{"rarp", "garp", "na"} {
		if slices.Contains(kinds, kind) {
			a |= 1 << i
		}
	}
	return a
}
