package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Join makes one network of those of several availability zones, as ovn-ic(8)
// and OVN-Kubernetes' zones a node are connected: by transit switches, of which
// each zone's database has the tunnel key and the key of every port, with the
// other zones' ports as remote ports. A chassis is that of the zone to which it
// is not remote. The networks must not be used afterwards.
//
// What the zones say of each other and does not agree is told in
// Network.Problems. Two databases of one zone are an error.
func Join(nets ...*Network) (*Network, error) {
	if len(nets) == 1 {
		return nets[0], nil
	}
	j := joiner{Network: &Network{
		AZ: nets[0].AZ, Ports: []*Port{nil},
		portByName2: map[string]*Port{}, portByUUID: map[string]*Port{}, chassis: map[string]*Chassis{},
	}, is: kept{chassis: map[*Chassis]*Chassis{}}}
	for i, n := range nets {
		if err := j.zone(n, i); err != nil {
			return nil, err
		}
	}
	j.findLost(nets)
	j.joinChassis(nets)
	for _, n := range nets {
		j.take(n)
	}
	j.findStrangers(nets)
	j.findUnconnected(nets)
	for _, p := range j.Ports[1:] {
		j.is.linkPort(p)
	}
	for _, d := range j.Datapaths {
		if d.TransitSwitch() {
			j.findTwins(d)
		}
	}
	j.fileNames()
	return j.Network, nil
}

type joiner struct {
	*Network
	is kept // leads from each zone's chassis to the one it is
}

// zone adds a network's zone, and sees that it is another than those before.
func (j *joiner) zone(n *Network, i int) error {
	for _, z := range j.AZs {
		if d := n.AZ.shares(z); d != nil {
			return fmt.Errorf("%s and %s are databases of one zone: both have datapath %s (%s); give one of them",
				z.Source, n.Source, d.Name, d.UUID)
		}
	}
	n.AZ.Index, n.AZ.knows = i, map[string][]Encap{}
	for _, c := range n.Chassis {
		n.AZ.knows[c.Name] = c.Encaps
	}
	n.AZ.Name = j.freeName(n)
	j.AZs = append(j.AZs, n.AZ)
	return nil
}

// shares returns a datapath that another database has too: the same row, so
// that both are of one zone. nil: there is none.
func (z *AZ) shares(other *AZ) *Datapath {
	for _, key := range slices.Sorted(maps.Keys(z.dpByKey)) {
		if was := other.dpByKey[key]; was != nil && was.UUID == z.dpByKey[key].UUID {
			return was
		}
	}
	return nil
}

// meets reports whether a transit switch leads from one network to another,
// none of them joined.
func (n *Network) meets(m *Network) bool {
	return slices.ContainsFunc(n.Datapaths, func(d *Datapath) bool {
		twin := d.In(m.AZ)
		return d.TransitSwitch() && twin != nil && twin.TransitSwitch()
	})
}

// freeName is what a zone is called: as it says itself, else after its first
// chassis, and never as another zone.
func (j *joiner) freeName(n *Network) string {
	name := n.AZ.Name
	for _, c := range n.Chassis {
		if name == "" && !c.Remote() {
			name = cmp.Or(c.Hostname, c.Name)
		}
	}
	name = cmp.Or(name, "zone")
	free := name
	for k := 2; j.zoneNamed(free) != nil; k++ {
		free = name + "#" + strconv.Itoa(k)
	}
	return free
}

func (j *joiner) zoneNamed(name string) *AZ {
	for _, z := range j.AZs {
		if z.Name == name {
			return z
		}
	}
	return nil
}

// findLost finds chassis of other zones that a zone does not call remote, though they have none of its own
// ports, and takes them for remote.
func (j *joiner) findLost(nets []*Network) {
	for _, n := range nets {
		for _, c := range n.Chassis {
			if c.Remote() || n.houses(c) {
				continue
			}
			i := slices.IndexFunc(nets, func(m *Network) bool {
				home := m.chassis[c.Name]
				return m != n && home != nil && !home.Remote() && m.houses(home)
			})
			if i < 0 {
				continue
			}
			j.problem("Chassis", c.UUID, "zone %s has chassis %s of zone %s without is-remote=true: it is taken for "+
				"remote", n.AZ.Name, c.Host(), nets[i].AZ.Name)
			c.Options = maps.Clone(c.Options)
			if c.Options == nil {
				c.Options = map[string]string{}
			}
			c.Options["is-remote"] = "true"
		}
	}
}

// joinChassis decides whose each chassis is. One that is remote to every zone
// given stays so.
func (j *joiner) joinChassis(nets []*Network) {
	for _, n := range nets {
		for _, c := range n.Chassis {
			was := j.chassis[c.Name]
			if was == nil || was.Remote() && !c.Remote() {
				j.chassis[c.Name] = c
			} else if !was.Remote() && !c.Remote() {
				j.problem("Chassis", c.UUID, "chassis %s belongs to zone %s and to zone %s: it is taken to be "+
					"the first's", c.Name,
					was.AZ.Name, c.AZ.Name)
			}
		}
	}
	for _, n := range nets {
		for _, c := range n.Chassis {
			home := j.chassis[c.Name]
			j.is.chassis[c] = home
			if home == c {
				c.Index = len(j.Chassis)
				j.Chassis = append(j.Chassis, c)
			} else if c.Remote() && !home.Remote() {
				j.compareEncaps(c, home)
			}
		}
	}
}

// findStrangers says which zone does not know another's chassis although they
// share a transit switch.
func (j *joiner) findStrangers(nets []*Network) {
	for _, c := range j.Chassis {
		for _, n := range nets {
			if n.AZ != c.AZ && !c.Remote() && n.chassis[c.Name] == nil && n.transits() {
				j.problem("Chassis", c.UUID, "zone %s does not know chassis %s of zone %s: it has no tunnel to it",
					n.AZ.Name, c.Host(), c.AZ.Name)
			}
		}
	}
}

// findUnconnected says which chassis have no tunnels to those of other zones, because they do not take
// part in interconnection, where their zone has some.
func (j *joiner) findUnconnected(nets []*Network) {
	for _, c := range j.Chassis {
		n := nets[c.AZ.Index]
		if !c.Remote() && !c.Interconn() && n.transits() && slices.ContainsFunc(n.Chassis, (*Chassis).Remote) {
			j.problem("Chassis", c.UUID, "chassis %s of zone %s has no is-interconn=true: it has no tunnels to "+
				"chassis of other zones", c.Host(), c.AZ.Name)
		}
	}
}

func (n *Network) transits() bool { return slices.ContainsFunc(n.Datapaths, (*Datapath).TransitSwitch) }

// compareEncaps sees that a zone knows another's chassis by an address it has:
// else its tunnels lead nowhere.
func (j *joiner) compareEncaps(remote, home *Chassis) {
	for _, e := range remote.Encaps {
		for _, h := range home.Encaps {
			if e.IP == h.IP {
				return
			}
		}
	}
	j.problem("Chassis", remote.UUID, "zone %s knows chassis %s at %s, its own zone %s at %s: tunnels to it "+
		"lead nowhere",
		remote.AZ.Name, home.Name, encapText(remote), home.AZ.Name, encapText(home))
}

func encapText(c *Chassis) string {
	var addresses []string
	for _, e := range c.Encaps {
		addresses = append(addresses, e.IP)
	}
	return cmp.Or(strings.Join(addresses, ", "), "no address")
}

// take appends all that a network has.
func (j *joiner) take(n *Network) {
	for _, d := range n.Datapaths {
		d.Index = len(j.Datapaths)
		j.Datapaths = append(j.Datapaths, d)
	}
	for _, p := range n.Ports[1:] {
		p.Index = len(j.Ports)
		j.Ports = append(j.Ports, p)
		j.portByUUID[p.UUID] = p
	}
	for _, g := range n.Groups {
		j.AddGroup(g)
	}
	for _, f := range n.Flows {
		j.AddFlow(f)
	}
	j.MACBindings = append(j.MACBindings, n.MACBindings...)
	j.StaticMACs = append(j.StaticMACs, n.StaticMACs...)
	j.FDB = append(j.FDB, n.FDB...)
	j.LoadBalancers = append(j.LoadBalancers, n.LoadBalancers...)
	j.DNS = append(j.DNS, n.DNS...)
	j.ServiceMonitors = append(j.ServiceMonitors, n.ServiceMonitors...)
	j.IPMulticast = append(j.IPMulticast, n.IPMulticast...)
	j.BFD = append(j.BFD, n.BFD...)
	j.ECMPNexthops = append(j.ECMPNexthops, n.ECMPNexthops...)
	j.ACLIDs = append(j.ACLIDs, n.ACLIDs...)
	j.Problems = append(j.Problems, n.Problems...)
	j.Stamp = max(j.Stamp, n.Stamp)
}

// findTwins finds the ports that a transit switch's remote ports are in their
// own zones, and says where the zones' copies of the switch do not agree.
func (j *joiner) findTwins(d *Datapath) {
	for _, z := range j.AZs {
		twin := d.In(z)
		if z == d.AZ {
			continue
		}
		if twin == nil {
			j.missingSwitch(d, z)
			continue
		}
		for _, p := range d.Ports {
			q := twin.PortByKey(p.TunnelKey)
			switch {
			case p.Type == ChassisRedirect || q != nil && q.Type == ChassisRedirect: // each zone's own, by one key
			case p.Type == Remote && q != nil && q.Type != Remote:
				p.Twin = q
				if q.Name != p.Name {
					j.problem("Port_Binding", p.UUID, "key %d of transit switch %s is port %s in zone %s and port "+
						"%s in zone %s",
						p.TunnelKey, d.Name, p.Name, d.AZ.Name, q.Name, z.Name)
				}
				if p.Chassis == nil && j.acquainted(d.AZ, z) {
					j.problem("Port_Binding", p.UUID, "zone %s has remote port %s of transit switch %s at no chassis, "+
						"though zone %s has it: nothing goes there", d.AZ.Name, p.Name, d.Name, z.Name)
				}
			case p.Type == Remote && q == nil && p.Chassis != nil && p.Chassis.AZ == z && !p.Chassis.Remote():
				j.problem("Port_Binding", p.UUID, "zone %s has no port of key %d on transit switch %s, which is %s to "+
					"zone %s: nothing crosses it", z.Name, p.TunnelKey, d.Name, p.Name, d.AZ.Name)
			case p.Type != Remote && q == nil:
				j.problem("Port_Binding", p.UUID,
					"zone %s has no remote port of key %d on transit switch %s: it cannot reach port %s of zone %s",
					z.Name, p.TunnelKey, d.Name, p.Name, d.AZ.Name)
			case p.Type != Remote && q.Type != Remote:
				j.problem("Port_Binding", p.UUID,
					"key %d of transit switch %s is port %s of zone %s and port %s of zone %s: both have it for "+
						"their own",
					p.TunnelKey, d.Name, p.Name, d.AZ.Name, q.Name, z.Name)
			}
		}
	}
}

// acquainted reports whether a zone knows a chassis of another: of one of which it knows none that is said instead.
func (j *joiner) acquainted(z, other *AZ) bool {
	return slices.ContainsFunc(j.Chassis, func(c *Chassis) bool { return c.AZ == other && z.knows[c.Name] != nil })
}

// missingSwitch says that a zone lacks a transit switch by its key, once for a
// pair of zones that have it under different keys.
func (j *joiner) missingSwitch(d *Datapath, z *AZ) {
	for _, other := range j.Datapaths {
		if other.AZ == z && other.TransitSwitch() && other.Name == d.Name {
			if d.AZ.Index < z.Index {
				j.problem("Datapath_Binding", d.UUID,
					"transit switch %s has tunnel key %d in zone %s and %d in zone %s: nothing crosses it",
					d.Name, d.TunnelKey, d.AZ.Name, other.TunnelKey, z.Name)
			}
			return
		}
	}
	j.problem("Datapath_Binding", d.UUID, "zone %s has no transit switch %s (tunnel key %d), which zone %s has",
		z.Name, d.Name, d.TunnelKey, d.AZ.Name)
}

func (j *joiner) problem(table, uuid, format string, args ...any) {
	j.Problems = append(j.Problems, Problem{Table: table, UUID: uuid, Reason: fmt.Sprintf(format, args...)})
}

// TransitSwitch reports whether the datapath connects availability zones.
func (d *Datapath) TransitSwitch() bool { return d.ExternalIDs["interconn-ts"] != "" }

// In returns the datapath as another zone has it: what has the same tunnel key
// there. nil: that zone has none such.
func (d *Datapath) In(z *AZ) *Datapath {
	if d.AZ == z {
		return d
	}
	twin := z.dpByKey[d.TunnelKey]
	if twin == nil || twin.Router != d.Router {
		return nil
	}
	return twin
}

// Remote reports whether the chassis belongs to a zone whose database is not
// given (other_config:is-remote).
func (c *Chassis) Remote() bool { return c.Options["is-remote"] == "true" }

// Interconn reports whether the chassis takes part in interconnection
// (other_config:is-interconn): others have no tunnels to chassis of other zones.
func (c *Chassis) Interconn() bool { return c.Options["is-interconn"] == "true" }
