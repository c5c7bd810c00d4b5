package southbound

import (
	"cmp"
	"slices"
	"strconv"

	"ovnreplay/sim/network"
	"ovnreplay/store"
)

const maxTunnelKey = 1<<24 - 1

// datapaths reads Datapath_Binding and Logical_DP_Group.
func (l *loader) datapaths() {
	l.dp = make(map[store.UUID]*network.Datapath)
	var list []*network.Datapath
	byKey := make(map[uint32]*network.Datapath)
	for _, r := range l.rows("Datapath_Binding") {
		key := r.Integer("tunnel_key")
		if key <= 0 || key > maxTunnelKey {
			l.problem(r, "tunnel key %d is not between 1 and %d", key, maxTunnelKey)
			continue
		}
		if other := byKey[uint32(key)]; other != nil {
			l.problem(r, "tunnel key %d is also that of datapath %s", key, other.UUID)
		}
		d := l.datapath(r)
		d.TunnelKey = uint32(key)
		l.dp[r.UUID] = d
		list = append(list, d)
		if byKey[d.TunnelKey] == nil {
			byKey[d.TunnelKey] = d
		}
	}
	slices.SortStableFunc(list, func(a, b *network.Datapath) int { return cmp.Compare(a.TunnelKey, b.TunnelKey) })
	for _, d := range list {
		l.net.AddDatapath(d)
	}
	l.groups = make(map[store.UUID][]*network.Datapath)
	for _, r := range l.rows("Logical_DP_Group") {
		l.groups[r.UUID] = l.datapathRefs(r, "datapaths")
	}
}

func (l *loader) datapath(r *store.Row) *network.Datapath {
	d := &network.Datapath{UUID: r.UUID.String(), ExternalIDs: r.Map("external_ids"), SNATCTZone: -1}
	d.Name = d.ExternalIDs["name"]
	if d.Name == "" {
		d.Name = d.UUID
	}
	d.Name2 = d.ExternalIDs["name2"]
	// OVN 25.09 gave kind and northbound UUID columns of their own; before,
	// the key in external_ids tells the kind.
	switch r.Text("type") {
	case "logical-router":
		d.Router, d.NBUUID = true, r.Text("nb_uuid")
	case "logical-switch":
		d.NBUUID = r.Text("nb_uuid")
	default:
		if u, ok := d.ExternalIDs["logical-router"]; ok {
			d.Router, d.NBUUID = true, u
		} else {
			d.NBUUID = d.ExternalIDs["logical-switch"]
		}
	}
	if zone, ok := d.ExternalIDs["snat-ct-zone"]; ok {
		n, err := strconv.ParseUint(zone, 10, 16)
		if err != nil {
			l.problem(r, "snat-ct-zone %q is not a zone number", zone)
		} else {
			d.SNATCTZone = int(n)
		}
	}
	return d
}

// datapathRefs follows a set of references, in order of the datapaths' keys.
// In these columns references are weak or are cleared with the datapath, so
// one that leads nowhere is broken.
func (l *loader) datapathRefs(r *store.Row, column string) []*network.Datapath {
	var list []*network.Datapath
	for u := range r.Refs(column) {
		if d := l.dp[u]; d != nil {
			list = append(list, d)
		} else {
			l.problem(r, "datapath %s, in %s, does not exist", u, column)
		}
	}
	return sortDatapaths(list)
}

// sortDatapaths puts datapaths in order, each once.
func sortDatapaths(list []*network.Datapath) []*network.Datapath {
	slices.SortFunc(list, func(a, b *network.Datapath) int { return cmp.Compare(a.Index, b.Index) })
	return slices.Compact(list)
}

// datapathRef follows a required reference, nil after noting the problem.
func (l *loader) datapathRef(r *store.Row) *network.Datapath {
	u, ok := r.Ref("datapath")
	if !ok {
		l.problem(r, "it names no datapath")
		return nil
	}
	d := l.dp[u]
	if d == nil {
		l.problem(r, "its datapath %s does not exist", u)
	}
	return d
}

// multicastGroups reads Multicast_Group.
func (l *loader) multicastGroups() {
	var list []*network.Group
	for _, r := range l.rows("Multicast_Group") {
		d := l.datapathRef(r)
		if d == nil {
			continue
		}
		g := &network.Group{UUID: r.UUID.String(), Name: r.Text("name"), Datapath: d,
			TunnelKey: uint32(r.Integer("tunnel_key"))}
		for u := range r.Refs("ports") {
			switch p := l.port[u]; {
			case p == nil:
				l.problem(r, "its port %s does not exist", u)
			case p.Datapath != d:
				l.problem(r, "its port %s belongs to datapath %s, not %s", p.Name, p.Datapath.Name, d.Name)
			default:
				g.Ports = append(g.Ports, p)
			}
		}
		// In the order of their UUIDs, which is a set's order in OVSDB and the
		// one ovn-controller makes the copies in: what comes after a router
		// that hands its copy to ovn-controller gets none.
		slices.SortFunc(g.Ports, func(a, b *network.Port) int { return cmp.Compare(a.UUID, b.UUID) })
		list = append(list, g)
	}
	slices.SortStableFunc(list, func(a, b *network.Group) int {
		return cmp.Or(cmp.Compare(a.Datapath.Index, b.Datapath.Index), cmp.Compare(a.TunnelKey, b.TunnelKey))
	})
	for _, g := range list {
		l.net.AddGroup(g)
	}
}

// flows reads Logical_Flow.
func (l *loader) flows() {
	rows := l.rows("Logical_Flow")
	flows := make([]network.Flow, 0, len(rows))
	single := make(map[*network.Datapath][]*network.Datapath)
	for _, r := range rows {
		f := network.Flow{Match: r.Text("match"), Actions: r.Text("actions"), Meter: r.Text("controller_meter"),
			Tags: r.Map("tags"), Since: r.Since}
		if !l.flowStage(r, &f) || !l.flowDatapaths(r, &f, single) {
			continue
		}
		f.UUID = r.UUID.String()
		for k, v := range r.Pairs("external_ids") {
			switch k {
			case "stage-name":
				f.Stage = v
			case "source":
				f.Source = v
			case "stage-hint":
				f.StageHint = v
			}
		}
		flows = append(flows, f)
	}
	l.net.Flows = make([]*network.Flow, 0, len(flows))
	for i := range flows {
		l.net.AddFlow(&flows[i])
	}
}

// flowStage reads a flow's pipeline, table and priority.
func (l *loader) flowStage(r *store.Row, f *network.Flow) bool {
	switch pipeline := r.Text("pipeline"); pipeline {
	case "ingress":
	case "egress":
		f.Egress = true
	default:
		l.problem(r, "its pipeline is %q, neither ingress nor egress", pipeline)
		return false
	}
	table, priority := r.Integer("table_id"), r.Integer("priority")
	if table < 0 || table > 255 {
		l.problem(r, "table %d is not between 0 and 255", table)
		return false
	}
	if priority < 0 || priority > 65535 {
		l.problem(r, "priority %d is not between 0 and 65535", priority)
		return false
	}
	f.Table, f.Priority = uint8(table), uint16(priority)
	return true
}

// flowDatapaths reads where a flow applies. A flow has a datapath or a group.
func (l *loader) flowDatapaths(r *store.Row, f *network.Flow, single map[*network.Datapath][]*network.Datapath) bool {
	if u, ok := r.Ref("logical_dp_group"); ok {
		group, ok := l.groups[u]
		if !ok {
			l.problem(r, "its datapath group %s does not exist", u)
		}
		f.Datapaths = group
	}
	if u, ok := r.Ref("logical_datapath"); ok {
		d := l.dp[u]
		switch {
		case d == nil:
			l.problem(r, "its datapath %s does not exist", u)
		case f.Datapaths == nil:
			if single[d] == nil {
				single[d] = []*network.Datapath{d}
			}
			f.Datapaths = single[d]
		case !slices.Contains(f.Datapaths, d):
			f.Datapaths = sortDatapaths(append(slices.Clone(f.Datapaths), d))
		}
	}
	if len(f.Datapaths) == 0 {
		l.problem(r, "it applies to no datapath")
		return false
	}
	return true
}
