package network

import (
	"cmp"
	"slices"
	"strings"

	"ovnreplay/store"
)

var portTypes = map[string]PortType{
	"": VIF, "patch": Patch, "l3gateway": L3Gateway, "l2gateway": L2Gateway,
	"localnet": Localnet, "localport": Localport, "chassisredirect": ChassisRedirect,
	"vtep": VTEP, "external": External, "virtual": Virtual, "remote": Remote, "mirror": Mirror,
}

// ports reads Port_Binding.
func (l *loader) ports() {
	n := l.net
	l.port = make(map[store.UUID]*Port)
	n.portByName, n.portByName2 = make(map[string]*Port), make(map[string]*Port)
	n.portByUUID = make(map[string]*Port)
	row := make(map[*Port]*store.Row)
	for _, r := range l.rows("Port_Binding") {
		if p := l.newPort(r); p != nil {
			row[p] = r
			l.port[r.UUID] = p
			n.portByUUID[p.UUID] = p
			n.Ports = append(n.Ports, p)
		}
	}
	slices.SortStableFunc(n.Ports, func(a, b *Port) int {
		return cmp.Or(cmp.Compare(a.Datapath.Index, b.Datapath.Index), cmp.Compare(a.TunnelKey, b.TunnelKey))
	})
	for _, p := range n.Ports {
		if other := n.portByName[p.Name]; other != nil {
			l.problem(row[p], "its name %s is also that of port %s", p.Name, other.UUID)
		} else {
			n.portByName[p.Name] = p
		}
		if p.Name2 != "" {
			if _, taken := n.portByName2[p.Name2]; taken {
				n.portByName2[p.Name2] = nil
			} else {
				n.portByName2[p.Name2] = p
			}
		}
	}
	n.Ports = append([]*Port{nil}, n.Ports...)
	for i, p := range n.Ports[1:] {
		p.Index = i + 1
		d := p.Datapath
		d.Ports = append(d.Ports, p)
		if p.Type == Localnet {
			d.Localnet = append(d.Localnet, p)
		}
		d.HasVTEP = d.HasVTEP || p.Type == VTEP
		l.linkPort(row[p], p)
	}
	for _, p := range n.Ports[1:] {
		p.settle(n)
	}
}

// newPort reads what of a port refers to no other port.
func (l *loader) newPort(r *store.Row) *Port {
	d := l.datapathRef(r)
	if d == nil {
		return nil
	}
	key := r.Integer("tunnel_key")
	if key <= 0 || key > 0xffff {
		l.problem(r, "tunnel key %d is not between 1 and 65535", key)
		return nil
	}
	p := &Port{
		UUID: r.UUID.String(), Name: r.Text("logical_port"), Datapath: d, TunnelKey: uint32(key),
		TypeName: r.Text("type"), Options: r.Map("options"), ExternalIDs: r.Map("external_ids"),
		RawMAC: r.Set("mac"), PortSecurity: r.Set("port_security"), NATAddresses: r.Set("nat_addresses"),
		ParentName: r.Text("parent_port"), Tag: int(r.Integer("tag")),
		VirtualParent: r.Text("virtual_parent"), MirrorPort: r.Text("mirror_port"),
		Up: !r.Has("up") || r.Bool("up"),
	}
	var known bool
	if p.Type, known = portTypes[p.TypeName]; !known {
		p.Type = Port_Unknown
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
	slices.SortFunc(p.Additional, func(a, b *Chassis) int { return cmp.Compare(a.Index, b.Index) })
	l.haChassis(r, p)
	return p
}

// portAddresses parses the mac column. Besides addresses it may hold the
// words "unknown" and, for a switch's port to a router, "router".
func (l *loader) portAddresses(r *store.Row, p *Port) {
	for _, text := range p.RawMAC {
		switch strings.TrimSpace(text) {
		case "unknown":
			p.Unknown = true
			continue
		case "router", "":
			continue
		}
		a, err := ParseAddress(text)
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
func (l *loader) haChassis(r *store.Row, p *Port) {
	add := func(table string, u store.UUID) {
		m := l.table(table).Row(u)
		if m == nil {
			l.problem(r, "its %s %s does not exist", table, u)
			return
		}
		// Without a chassis the member is one that is not up; it has no row.
		if c := l.chassisRef(m, "chassis"); c != nil {
			p.HAChassis = append(p.HAChassis, HAMember{c, int(m.Integer("priority"))})
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
	slices.SortStableFunc(p.HAChassis, func(a, b HAMember) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Chassis.Index, b.Chassis.Index))
	})
}

// linkPort follows what of a port names other ports.
func (l *loader) linkPort(r *store.Row, p *Port) {
	n := l.net
	if name, ok := p.Options["peer"]; ok && (p.Type == Patch || p.Type == L3Gateway) {
		if p.Peer = n.portByName[name]; p.Peer == nil {
			l.problem(r, "its peer %q does not exist", name)
		}
	}
	if p.Type == ChassisRedirect {
		name := p.Options["distributed-port"]
		if p.Distributed = n.portByName[name]; p.Distributed == nil {
			l.problem(r, "its distributed port %q does not exist", name)
		}
	}
	if p.Type == Mirror {
		if p.MirrorTo = n.portByName[p.MirrorPort]; p.MirrorTo == nil {
			l.problem(r, "its mirror port %q does not exist", p.MirrorPort)
		}
	}
	if p.ParentName != "" {
		if p.Parent = n.portByName[p.ParentName]; p.Parent == nil {
			l.problem(r, "its parent port %q does not exist", p.ParentName)
		} else {
			p.Parent.Containers = append(p.Parent.Containers, p)
		}
	}
}
