package sim

import (
	"strings"

	"ovnreplay/conntrack"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// chassis is one chassis during a replay.
type chassis struct {
	*network.Chassis
	index int
	ct    *conntrack.Table
	// flushesTuples says that connections can be flushed by a part of their tuples.
	flushesTuples bool
	// heldSince: fragments of lower numbers are forgotten, see forgetParked.
	heldSince uint64
	// recirculations is how often a packet may go around in the datapath; 0:
	// there is no bound.
	recirculations int
	resident       table.Resident // for is_chassis_resident
	zones          zones
	compiled       *compiled   // the logical flows as they read here
	entrances      []entrances // by datapath index: see paths.go
	hairpins       hairpins    // of template load balancers
}

// zones are a chassis' conntrack zones. -1: the port or datapath has none.
type zones struct {
	lacking          bool    // there are more ports and datapaths than numbers: those beyond have zone 0
	port, dnat, snat []int32 // by port index, by datapath index
	names            map[uint16]string
}

// on returns a chassis, made when a packet first comes to it: a network may
// have hundreds that no packet of a capture ever sees.
func (e *Engine) on(c *network.Chassis) *chassis {
	if e.chassis[c.Index] == nil {
		e.chassis[c.Index] = newChassis(e.Net, c, e.opts)
		e.chassis[c.Index].compiled = e.compiledFor(c)
	}
	return e.chassis[c.Index]
}

func newChassis(net *network.Network, c *network.Chassis, opts Options) *chassis {
	tracking := opts.Conntrack
	if tracking.OVS == 0 {
		tracking.OVS, _ = OVSRelease(net, c)
	}
	out := &chassis{
		Chassis:        c,
		index:          c.Index,
		ct:             conntrack.NewTable(tracking),
		flushesTuples:  tracking.Has(conntrack.FlushesTuples),
		recirculations: recirculations(&tracking),
	}
	out.read(net, opts)
	return out
}

// recirculations is MAX_RECIRC_DEPTH of lib/dpif-netdev.c. The kernel bounds
// only how many are under way at a time.
func recirculations(tracking *conntrack.Options) int {
	switch {
	case tracking.Profile != conntrack.OVSUserspace:
		return 0
	case tracking.Has(conntrack.EightRecirculations):
		return 8
	}
	return 6
}

// OVSRelease is the release of Open vSwitch that a chassis is taken to run, and
// why: only the types of interface that it knows tell, no other column does.
// Before 3.2 OVN tells which one goes with it.
func OVSRelease(net *network.Network, c *network.Chassis) (r conntrack.Release, why string) {
	types := strings.Split(c.Options["iface-types"], ",")
	return conntrack.ReleaseOf(types, !net.Has(network.BuiltWithOVS3))
}

// read takes what the chassis needs to know of the network. Zones that it has
// already keep their numbers.
func (out *chassis) read(net *network.Network, opts Options) {
	c := out.Chassis
	out.resident = make(table.Resident, len(net.Ports)/64+1)
	for _, p := range net.Ports[1:] {
		if opts.Anywhere || p.BoundTo(c) {
			out.resident.Add(uint32(p.Index))
		}
	}
	prior := map[string]uint16{}
	for number, name := range out.zones.names {
		prior[name] = number
	}
	out.zones = numberZones(net, c, opts.Zones[c.Name], prior)
	out.hairpins = templateHairpins(net, c)
}

// numberZones gives each port and datapath its zones: the numbers recorded
// from the chassis when known, the number it had before, or one by rule.
func numberZones(net *network.Network, c *network.Chassis, recorded, prior map[string]uint16) zones {
	z := zones{
		port:  make([]int32, len(net.Ports)),
		dnat:  make([]int32, len(net.Datapaths)),
		snat:  make([]int32, len(net.Datapaths)),
		names: map[uint16]string{},
	}
	n := zoneNumberer{recorded: recorded, prior: prior, taken: map[uint16]bool{0: true}, names: z.names}
	for _, v := range recorded {
		n.taken[v] = true
	}
	for _, v := range prior {
		n.taken[v] = true
	}
	for _, dp := range net.Datapaths {
		if dp.AZ == c.AZ && dp.SNATCTZone >= 0 {
			n.taken[uint16(dp.SNATCTZone)] = true
		}
	}
	for i, dp := range net.Datapaths {
		z.dnat[i], z.snat[i] = -1, -1
		if dp.AZ != c.AZ { // another zone's chassis have those
			continue
		}
		z.dnat[i] = n.number(-1, dp.Name+"_dnat", dp.UUID+"_dnat")
		z.snat[i] = n.number(dp.SNATCTZone, dp.Name+"_snat", dp.UUID+"_snat")
	}
	gateways := net.Has(network.GatewayPortZones)
	number := func(i int, p *network.Port) {
		// Interfaces that have gone since had theirs when the numbers were not recorded yet.
		needs := recorded == nil || p.Type == network.VIF && p.BoundTo(c)
		if _, ok := recorded[p.Name]; ok || needs && portHasZone(p, gateways) {
			z.port[i] = n.number(-1, p.Name)
		}
	}
	// Where not all can have one those do that ovn-controller gives one to: its own.
	scarce := 2*len(net.Datapaths)+len(net.Ports) > maxZones
	for i, p := range net.Ports {
		if z.port[i] = -1; p != nil && p.Datapath.AZ == c.AZ && (!scarce || p.ResidentOn(c)) {
			number(i, p)
		}
	}
	for i, p := range net.Ports {
		if scarce && p != nil && p.Datapath.AZ == c.AZ && !p.ResidentOn(c) {
			number(i, p)
		}
	}
	z.lacking = n.lacking
	return z
}

// portHasZone says whether ovn-controller gives a port a zone of its own.
// Patch ports have none, those of interfaces always.
func portHasZone(p *network.Port, gateways bool) bool {
	switch p.Type {
	case network.Patch:
		return false
	case network.VIF, network.Localport, network.Virtual:
		return true
	}
	return gateways
}

type zoneNumberer struct {
	recorded map[string]uint16
	prior    map[string]uint16
	taken    map[uint16]bool
	names    map[uint16]string
	next     uint16
	full     bool // every number is taken
	lacking  bool // and more were asked for
}

// number returns the zone with one of the given names (older versions use the
// datapath's UUID, newer ones its name): the fixed number unless negative,
// the recorded one, or the next that is free.
func (n *zoneNumberer) number(fixed int, names ...string) int32 {
	z := uint16(fixed)
	found := fixed >= 0
	for _, name := range names {
		if v, ok := n.recorded[name]; ok && !found {
			z, found = v, true
		}
	}
	if v, ok := n.prior[names[0]]; ok && !found {
		z, found = v, true
	}
	for !found {
		if n.full {
			n.lacking = true
			return 0 // as with ovn-controller, which gives no more, so that the register keeps its zero
		}
		n.next++
		z, found = n.next, !n.taken[n.next]
		n.full = n.next == maxZones
	}
	n.taken[z] = true
	if _, ok := n.names[z]; !ok {
		n.names[z] = names[0]
	}
	return int32(z)
}

// ZoneName returns the name of a chassis' conntrack zone, "" if it has none.
func (e *Engine) ZoneName(chassis int32, zone uint16) string {
	return e.on(e.Net.Chassis[chassis]).zones.names[zone]
}

// Tracked returns a chassis' connection tracking table, nil if no packet has
// been there.
func (e *Engine) Tracked(c *network.Chassis) *conntrack.Table {
	if at := e.chassis[c.Index]; at != nil {
		return at.ct
	}
	return nil
}

// Connections counts those of all chassis.
func (e *Engine) Connections() (n int) {
	for _, c := range e.chassis {
		if c != nil {
			n += c.ct.Len(e.now)
		}
	}
	return n
}

// Now is the moment of the packet injected last.
func (e *Engine) Now() conntrack.Time { return e.now }

// Conntrack returns a chassis' connection tracking table.
func (e *Engine) Conntrack(c *network.Chassis) *conntrack.Table { return e.on(c).ct }

// TooSmall reports whether a chassis refuses to track a fragment, not the last of its
// datagram, for its length.
func (e *Engine) TooSmall(c *network.Chassis, v6 bool, length int) bool {
	return e.on(c).ct.TooSmall(v6, length)
}

// AllowFragments makes a chassis track fragments of a length.
func (e *Engine) AllowFragments(c *network.Chassis, v6 bool, length int) {
	e.on(c).ct.AllowFragments(v6, length)
}
