package sim

import (
	"slices"

	"ovnreplay/conntrack"
	"ovnreplay/nat"
	"ovnreplay/nat/header"
	"ovnreplay/sim/network"
	"ovnreplay/sim/table"
)

// flushable is what a network was, as far as ovn-controller flushes connections
// when it changes: see its ct-zone.c, ecmp-next-hop-monitor.c, acl-ids.c, and the five
// tuples that ofctrl.c flushes of load balancers.
type flushable struct {
	balancers []*network.LoadBalancer
	templates map[string]map[string]string
	nexthops  []network.ECMPNexthop
	acls      []network.ACLID
	datapaths int
	chassis   []residence // by chassis
}

// residence is what a chassis had for itself.
type residence struct {
	ports table.Resident
	local []bool // by datapath
	zones zones
}

func (e *Engine) flushable() *flushable {
	f := &flushable{balancers: e.Net.LoadBalancers, templates: e.Net.Templates, nexthops: e.Net.ECMPNexthops,
		acls: e.Net.ACLIDs, datapaths: len(e.Net.Datapaths)}
	f.chassis = make([]residence, len(e.chassis))
	for i, c := range e.chassis {
		if c != nil {
			f.chassis[i] = residence{c.resident, e.local(c), c.zones}
		}
	}
	return f
}

// flushAfter forgets the connections that ovn-controller flushes when the network
// is no more what it was: those of zones that are let go of, or newly given to
// something, and those that a load balancer, next hop or ACL left behind.
func (e *Engine) flushAfter(was *flushable) {
	for i, c := range e.chassis {
		if c == nil || i >= len(was.chassis) || c.ct.Len(e.now) == 0 {
			continue
		}
		e.flushZones(c, &was.chassis[i])
		for _, s := range slices.Concat(e.leftByBackends(c, was), e.leftByNexthops(c, was), e.leftByACLs(c, was)) {
			c.ct.FlushSelected(e.now, &s)
		}
	}
}

// flushZones flushes the zones of ports and datapaths that a chassis has no more,
// and zones that are another's now.
func (e *Engine) flushZones(c *chassis, was *residence) {
	flush := func(zone int32) {
		if zone > 0 {
			c.ct.FlushZone(e.now, uint16(zone))
		}
	}
	for i, zone := range was.zones.port {
		switch gone := was.ports.Has(uint32(i)) && !c.resident.Has(uint32(i)); {
		case gone && e.Net.Ports[i].Type == network.VIF:
			flush(zone)
		case c.zones.port[i] != zone:
			flush(c.zones.port[i])
		}
	}
	local := e.local(c)
	for i, has := range was.local {
		switch dnat, snat := was.zones.dnat[i], was.zones.snat[i]; {
		case has && !local[i]:
			flush(dnat)
			flush(snat)
		default:
			if c.zones.dnat[i] != dnat {
				flush(c.zones.dnat[i])
			}
			if c.zones.snat[i] != snat {
				flush(c.zones.snat[i])
			}
		}
	}
}

// local returns which datapaths are a chassis' own: those of ports that are bound
// there, or may be, and those that patch ports lead to from there.
func (e *Engine) local(c *chassis) []bool {
	local := make([]bool, len(e.Net.Datapaths))
	var add func(*network.Datapath)
	add = func(d *network.Datapath) {
		if local[d.Index] {
			return
		}
		local[d.Index] = true
		for _, p := range d.Ports {
			if p.Type == network.Patch && p.Peer != nil {
				add(p.Peer.Datapath)
			}
		}
	}
	for _, p := range e.Net.Ports[1:] {
		switch p.Type {
		case network.Patch, network.Localnet, network.Localport:
			continue
		}
		if e.opts.Anywhere || p.BoundTo(c.Chassis) || p.MayBeAt(c.Chassis) {
			add(p.Datapath)
		}
	}
	return local
}

// backend is one of a load balancer, as connections to it show it.
type backend struct {
	vip, to         [16]byte
	vipPort, toPort uint16
	proto           uint8
	v6              bool
}

// leftByBackends are the connections to backends that load balancers have no more.
func (e *Engine) leftByBackends(c *chassis, was *flushable) (list []conntrack.Selection) {
	if !e.has(c.AZ, network.FlushesBackends) || !c.flushesTuples {
		return nil
	}
	before, now := map[string]*network.LoadBalancer{}, map[string]*network.LoadBalancer{}
	for _, lb := range was.balancers {
		before[lb.UUID] = lb
	}
	for _, lb := range e.Net.LoadBalancers {
		now[lb.UUID] = lb
	}
	oldVars, vars := was.templates[c.Name], e.Net.Templates[c.Name]
	gone, order := map[backend]bool{}, []backend{}
	for _, lb := range was.balancers {
		if sameBackends(lb, now[lb.UUID], oldVars, vars) {
			continue
		}
		e.backends(c.AZ, lb, oldVars, func(b backend) {
			if !gone[b] {
				gone[b], order = true, append(order, b)
			}
		})
	}
	for _, lb := range e.Net.LoadBalancers {
		if len(gone) > 0 && !sameBackends(before[lb.UUID], lb, oldVars, vars) {
			e.backends(c.AZ, lb, vars, func(b backend) { delete(gone, b) })
		}
	}
	for _, b := range order {
		if gone[b] {
			list = append(list, conntrack.Selection{
				Orig:  nat.Tuple{V6: b.v6, Proto: b.proto, Dst: b.vip, DstPort: b.vipPort},
				Reply: nat.Tuple{V6: b.v6, Proto: b.proto, Src: b.to, SrcPort: b.toPort},
			})
		}
	}
	return list
}

// sameBackends reports whether a load balancer is the same with all it leads to.
func sameBackends(a, b *network.LoadBalancer, oldVars, vars map[string]string) bool {
	if a == nil || b == nil || a.Protocol != b.Protocol || a.Options["ct_flush"] != b.Options["ct_flush"] {
		return false
	}
	return slices.EqualFunc(a.VIPs, b.VIPs, func(x, y network.VIP) bool {
		return network.ExpandTemplates(x.Text, oldVars) == network.ExpandTemplates(y.Text, vars) &&
			network.ExpandTemplates(x.BackendText, oldVars) == network.ExpandTemplates(y.BackendText, vars)
	})
}

// backends calls yield with the backends of a load balancer whose connections are
// flushed when they go.
func (e *Engine) backends(z *network.AZ, lb *network.LoadBalancer, vars map[string]string, yield func(backend)) {
	if e.has(z, network.FlushesIfAsked) && lb.Options["ct_flush"] != "true" {
		return
	}
	for _, v := range lb.VIPs {
		if !v.Addr.IsValid() {
			var err error
			vip, to := network.ExpandTemplates(v.Text, vars), network.ExpandTemplates(v.BackendText, vars)
			v, err = network.ParseVIP(vip, to)
			if err != nil || !v.Addr.IsValid() {
				continue
			}
		}
		for _, b := range v.Backends {
			k := backend{vip: header.Bytes(v.Addr), to: header.Bytes(b.Addr()), vipPort: v.Port, toPort: b.Port()}
			k.v6 = v.Addr.Is6()
			if v.Port != 0 {
				k.proto = lb.Protocol
				if k.proto == 0 {
					k.proto = header.ProtoTCP
				}
			}
			yield(k)
		}
	}
}

// leftByNexthops are the connections that remember an ECMP next hop that is gone.
func (e *Engine) leftByNexthops(c *chassis, was *flushable) (list []conntrack.Selection) {
	if !e.flushesLabels(c) {
		return nil
	}
	for _, h := range was.nexthops {
		mac, ok := header.ParseMAC(h.MAC)
		if !ok || h.Datapath == nil || slices.ContainsFunc(e.Net.ECMPNexthops, func(x network.ECMPNexthop) bool {
			return x.Nexthop == h.Nexthop && x.MAC == h.MAC && x.Datapath != nil && x.Datapath.Index == h.Datapath.Index
		}) {
			continue
		}
		zone := was.chassis[c.index].zones.dnat[h.Datapath.Index]
		if zone <= 0 {
			continue
		}
		// ct_label.ecmp_reply_eth, bits 32 to 79
		list = append(list, conntrack.Selection{
			Zone: uint16(zone),
			Label: conntrack.Label{
				Hi: uint64(mac[0])<<8 | uint64(mac[1]),
				Lo: uint64(mac[2])<<56 | uint64(mac[3])<<48 | uint64(mac[4])<<40 | uint64(mac[5])<<32,
			},
			Mask: conntrack.Label{Hi: 0xffff, Lo: 0xffffffff << 32},
		})
	}
	return list
}

// leftByACLs are the connections that an ACL, which is gone, kept alive.
func (e *Engine) leftByACLs(c *chassis, was *flushable) (list []conntrack.Selection) {
	if !e.flushesLabels(c) {
		return nil
	}
	for _, id := range was.acls {
		if id.AZ.Index != c.AZ.Index || slices.ContainsFunc(e.Net.ACLIDs,
			func(x network.ACLID) bool { return x.UUID == id.UUID && x.ID == id.ID }) {
			continue
		}
		list = append(list, conntrack.Selection{ // ct_label.acl_id, bits 80 to 95
			Label: conntrack.Label{Hi: uint64(id.ID) << 16}, Mask: conntrack.Label{Hi: 0xffff0000},
		})
	}
	return list
}

// flushesLabels reports whether a chassis flushes connections by their labels.
func (e *Engine) flushesLabels(c *chassis) bool {
	return e.has(c.AZ, network.FlushesLabels) && c.Options["ct-label-flush"] == "true"
}
