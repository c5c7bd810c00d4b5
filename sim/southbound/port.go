package southbound

import (
	"cmp"
	"slices"
	"strings"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

var portTypes = map[string]network.PortType{
	"": network.VIF, "patch": network.Patch, "l3gateway": network.L3Gateway, "l2gateway": network.L2Gateway,
	"localnet": network.Localnet, "localport": network.Localport, "chassisredirect": network.ChassisRedirect,
	"vtep": network.VTEP, "external": network.External, "virtual": network.Virtual, "remote": network.Remote,
	"mirror": network.Mirror,
}

// ports reads Port_Binding.
func (l *loader) ports() {
	l.port, l.portByName = make(map[store.UUID]*network.Port), make(map[string]*network.Port)
	row := make(map[*network.Port]*store.Row)
	var list []*network.Port
	for _, r := range l.rows("Port_Binding") {
		if p := l.newPort(r); p != nil {
			row[p] = r
			l.port[r.UUID] = p
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b *network.Port) int {
		return cmp.Or(cmp.Compare(a.Datapath.Index, b.Datapath.Index), cmp.Compare(a.TunnelKey, b.TunnelKey))
	})
	for _, p := range list {
		if other := l.portByName[p.Name]; other != nil {
			l.problem(row[p], "its name %s is also that of port %s", p.Name, other.UUID)
		} else {
			l.portByName[p.Name] = p
		}
		l.net.AddPort(p)
	}
	for _, p := range list {
		l.linkPort(row[p], p)
	}
}

// newPort reads what of a port refers to no other port.
func (l *loader) newPort(r *store.Row) *network.Port {
	d := l.datapathRef(r)
	if d == nil {
		return nil
	}
	key := r.Integer("tunnel_key")
	if key <= 0 || key > 0xffff {
		l.problem(r, "tunnel key %d is not between 1 and 65535", key)
		return nil
	}
	p := &network.Port{
		UUID: r.UUID.String(), Name: r.Text("logical_port"), Datapath: d, TunnelKey: uint32(key),
		TypeName: r.Text("type"), Options: r.Map("options"), ExternalIDs: r.Map("external_ids"),
		RawMAC: r.Set("mac"), PortSecurity: r.Set("port_security"), NATAddresses: r.Set("nat_addresses"),
		ParentName: r.Text("parent_port"), Tag: int(r.Integer("tag")),
		VirtualParent: r.Text("virtual_parent"), MirrorPort: r.Text("mirror_port"),
		Up: !r.Has("up") || r.Bool("up"),
	}
	var known bool
	if p.Type, known = portTypes[p.TypeName]; !known {
		p.Type = network.Port_Unknown
		l.problem(r, "its type %q is not known; packets to it are not followed", p.TypeName)
	}
	p.Name2 = p.ExternalIDs["name"]
	l.portAddresses(r, p)
	p.Chassis = l.chassisRef(r, "chassis")
	for u := range r.Refs("additional_chassis") {
		if c := l.chas[u]; c != nil {
			p.Additional = append(p.Additional, c)
		} else {
			l.problem(r, "its additional_chassis %s does not exist", u)
		}
	}
	slices.SortFunc(p.Additional, func(a, b *network.Chassis) int { return cmp.Compare(a.Index, b.Index) })
	l.haChassis(r, p)
	return p
}

// portAddresses parses the mac column. Besides addresses it may hold the
// words "unknown" and, for a switch's port to a router, "router".
func (l *loader) portAddresses(r *store.Row, p *network.Port) {
	for _, text := range p.RawMAC {
		switch strings.TrimSpace(text) {
		case "unknown":
			p.Unknown = true
			continue
		case "router", "":
			continue
		}
		a, err := network.ParseAddress(text)
		if err != nil {
			l.problem(r, "mac %q: %v", text, err)
		}
		if a != nil {
			p.Addresses = append(p.Addresses, *a)
		}
	}
}

// haChassis reads where a port may be active: its HA chassis group, or the
// gateway chassis that came before those.
func (l *loader) haChassis(r *store.Row, p *network.Port) {
	add := func(table string, u store.UUID) {
		m := l.table(table).Row(u)
		if m == nil {
			l.problem(r, "its %s %s does not exist", table, u)
			return
		}
		// Without a chassis the member is one that is not up; it has no row.
		if c := l.chassisRef(m, "chassis"); c != nil {
			p.HAChassis = append(p.HAChassis, network.HAMember{Chassis: c, Priority: int(m.Integer("priority"))})
		}
	}
	if u, ok := r.Ref("ha_chassis_group"); ok {
		g := l.table("HA_Chassis_Group").Row(u)
		if g == nil {
			l.problem(r, "its HA_Chassis_Group %s does not exist", u)
			return
		}
		for m := range g.Refs("ha_chassis") {
			add("HA_Chassis", m)
		}
	} else {
		for m := range r.Refs("gateway_chassis") {
			add("Gateway_Chassis", m)
		}
	}
	slices.SortStableFunc(p.HAChassis, func(a, b network.HAMember) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Chassis.Index, b.Chassis.Index))
	})
}

// linkPort follows what of a port names other ports.
func (l *loader) linkPort(r *store.Row, p *network.Port) {
	if name, ok := p.Options["peer"]; ok && (p.Type == network.Patch || p.Type == network.L3Gateway) {
		if p.Peer = l.portByName[name]; p.Peer == nil {
			l.problem(r, "its peer %q does not exist", name)
		}
	}
	if p.Type == network.ChassisRedirect {
		name := p.Options["distributed-port"]
		if p.Distributed = l.portByName[name]; p.Distributed == nil {
			l.problem(r, "its distributed port %q does not exist", name)
		}
	}
	if p.Type == network.Mirror {
		if p.MirrorTo = l.portByName[p.MirrorPort]; p.MirrorTo == nil {
			l.problem(r, "its mirror port %q does not exist", p.MirrorPort)
		}
	}
	if p.ParentName != "" {
		if p.Parent = l.portByName[p.ParentName]; p.Parent == nil {
			l.problem(r, "its parent port %q does not exist", p.ParentName)
		} else {
			p.Parent.Containers = append(p.Parent.Containers, p)
		}
	}
}
